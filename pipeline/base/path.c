/* Names of files. */
#define _XOPEN_SOURCE 700 /* realpath, which is POSIX, but an option there */
#include "base/path.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool path_same_file(const char *a, const char *b)
{
    struct stat info_a, info_b;
    if (a == NULL || b == NULL) {
        return false;
    }
    if (strcmp(a, b) == 0) {
        return true;
    }
    return stat(a, &info_a) == 0 && stat(b, &info_b) == 0 && info_a.st_dev == info_b.st_dev &&
           info_a.st_ino == info_b.st_ino;
}

enum status_code path_absolute(const char *path, char **out, struct status *status)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const size_t length = slash == NULL ? 0 : (size_t)(slash - path) + 1, n_name = strlen(name);
    char *folder = NULL, *resolved = NULL;
    enum status_code code;
    TRY(MEM_NEW(&folder, length + 2, status));
    memcpy(folder, slash == NULL ? "." : path, slash == NULL ? 1 : length);
    resolved = realpath(folder, NULL);
    if (resolved == NULL) {
        TRY(MEM_NEW(out, strlen(path) + 1, status));
        memcpy(*out, path, strlen(path));
    } else {
        const size_t n_folder = strlen(resolved);
        TRY(MEM_NEW(out, n_folder + n_name + 2, status));
        memcpy(*out, resolved, n_folder);
        (*out)[n_folder] = '/';
        memcpy(*out + n_folder + 1, name, n_name);
    }
done:
    free(resolved); /* of realpath */
    mem_free(folder);
    return code;
}

enum status_code path_check_writable(const char *path, struct status *status)
{
    const char *slash = strrchr(path, '/');
    const size_t length = slash == NULL ? 0 : (size_t)(slash - path) + (slash == path);
    char *folder = NULL;
    struct stat info;
    enum status_code code;
    TRY(MEM_NEW(&folder, length + 2, status));
    memcpy(folder, slash == NULL ? "." : path, slash == NULL ? 1 : length);
    if (access(folder, W_OK | X_OK) != 0) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                          "its folder %s cannot be written: %s", folder, strerror(errno)));
    }
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0, "it is a folder, not a file"));
    }
    if (access(path, F_OK) == 0 && access(path, W_OK) != 0) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                          "the file cannot be written: %s", strerror(errno)));
    }
done:
    mem_free(folder);
    return code;
}
