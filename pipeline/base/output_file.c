/* open() with all that keeps it from opening something else. */
#include "base/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The standard descriptor that a path names, which is a link to be followed after all; -1: none. */
static int standard_descriptor(const char *path)
{
    return strcmp(path, "/dev/stdout") == 0   ? STDOUT_FILENO
           : strcmp(path, "/dev/stderr") == 0 ? STDERR_FILENO
                                              : -1;
}

static enum status_code cannot_open(const char *path, const char *what, const char *reason,
                                    struct status *status)
{
    return status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0, "cannot open %s: %s", what,
                         reason);
}

bool output_file_is_database(const char *path)
{
    static const char magic[] = "SQLite format 3"; /* with its NUL, as in the file */
    char start[sizeof magic] = "";
    struct stat info; /* to open a pipe would wait for its writer */
    FILE *file = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "rb") : NULL;
    const size_t got = file != NULL ? fread(start, 1, sizeof start, file) : 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    return got == sizeof start && memcmp(start, magic, sizeof start) == 0;
}

enum status_code output_file_open(const char *path, enum output_kind kind, int mode,
                                  const char *what, int *fd, struct status *status)
{
    static const int flags[] = {[OUTPUT_NEW] = O_WRONLY | O_CREAT | O_EXCL,
                                [OUTPUT_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
                                [OUTPUT_UPDATE] = O_RDWR | O_CREAT};
    struct stat info;
    const int standard = standard_descriptor(path);
    if (standard >= 0) {
        *fd = fcntl(standard, F_DUPFD_CLOEXEC, 3);
        return *fd >= 0 ? STATUS_OK : cannot_open(path, what, strerror(errno), status);
    }
    if (kind == OUTPUT_APPEND && output_file_is_database(path)) {
        return status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                             "%s: it is an SQLite database; name another file", what);
    }
    if (kind == OUTPUT_NEW && unlink(path) != 0 && errno != ENOENT) {
        return cannot_open(path, what, strerror(errno), status);
    }
    /* O_NONBLOCK: a FIFO without a reader would keep us here */
    int file =
        open(path, flags[kind] | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, (mode_t)mode);
    if (file < 0) {
        return cannot_open(path, what,
                           errno == ELOOP   ? "it is a symbolic link, which is not followed"
                           : errno == ENXIO ? "it is a FIFO or socket, not a regular file"
                                            : strerror(errno),
                           status);
    }
    if (fstat(file, &info) != 0 || !(S_ISREG(info.st_mode) || S_ISCHR(info.st_mode)) ||
        fcntl(file, F_SETFL, flags[kind] & O_APPEND) != 0) {
        close(file);
        return cannot_open(path, what, "it is not a regular file", status);
    }
    *fd = file;
    return STATUS_OK;
}

bool output_file_is_device(const char *path)
{
    struct stat info;
    return standard_descriptor(path) >= 0 || (lstat(path, &info) == 0 && S_ISCHR(info.st_mode));
}
