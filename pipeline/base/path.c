/* Names of files. */
#define _XOPEN_SOURCE 700 /* realpath, which is POSIX, but an option there */
#include "base/path.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/output_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINK_MAX_BYTES = 4096 };

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

/* *out = the folder of a file as the path names it, mem_free. */
static enum status_code folder_of(const char *path, char **out, struct status *status)
{
    const char *slash = strrchr(path, '/');
    const size_t length = slash == NULL ? 0 : (size_t)(slash - path) + (slash == path);
    const enum status_code code = MEM_NEW(out, length + 2, status);
    if (code == STATUS_OK) {
        memcpy(*out, slash == NULL ? "." : path, slash == NULL ? 1 : length);
    }
    return code;
}

bool path_is_empty(const char *path)
{
    struct stat info;
    return stat(path, &info) != 0 || (S_ISREG(info.st_mode) && info.st_size == 0);
}

enum status_code path_absolute(const char *path, char **out, struct status *status)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    const size_t n_name = strlen(name);
    char *folder = NULL, *resolved = NULL;
    enum status_code code;
    TRY(folder_of(path, &folder, status));
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

/* SQLite makes the file that a link leads to, but not its folder. */
static enum status_code check_link(const char *path, const char *folder, struct status *status)
{
    char target[LINK_MAX_BYTES] = "", *slash;
    const ssize_t length = readlink(path, target, sizeof target - 1);
    struct buf full = {0};
    enum status_code code;
    if (length > 0 && target[0] != '/') {
        buf_addf(&full, "%s/", folder);
    }
    buf_add_text(&full, target);
    TRY(buf_check(&full, status));
    slash = strrchr(full.data, '/');
    slash[1] = '\0';
    struct stat info;
    const bool is_circle = stat(path, &info) != 0 && errno == ELOOP;
    if (length <= 0 || is_circle || access(full.data, W_OK | X_OK) != 0) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                          "it is a symbolic link to %s, which cannot be made: %s", target,
                          strerror(errno)));
    }
done:
    buf_release(&full);
    return code;
}

enum status_code path_check_writable(const char *path, enum path_use use, struct status *status)
{
    char *folder = NULL;
    struct stat info;
    enum status_code code;
    if (use == PATH_TEXT && output_file_is_device(path)) {
        return STATUS_OK;
    }
    TRY(folder_of(path, &folder, status));
    const bool is_there = stat(path, &info) == 0;
    if (access(folder, W_OK | X_OK) != 0) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                          "its folder %s cannot be written: %s", folder, strerror(errno)));
    }
    if (is_there && !S_ISREG(info.st_mode)) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                          S_ISDIR(info.st_mode)
                              ? "it is a folder, not a file"
                              : "it is a device, pipe or socket, not a regular file"));
    }
    if (is_there && access(path, W_OK) != 0) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                          "the file cannot be written: %s", strerror(errno)));
    }
    if (is_there && use == PATH_TEXT && output_file_is_database(path)) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                          "it is an SQLite database, and would be lost; name another file"));
    }
    if (!is_there && use == PATH_DATABASE && lstat(path, &info) == 0) {
        TRY(check_link(path, folder, status));
    }
done:
    mem_free(folder);
    return code;
}
