/* open() and read() that do not wait: poll() does, and for a moment only. */
#include "base/input_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status_code input_file_open(const char *path, const char *what, int *fd, struct status *status)
{
    struct stat info;
    /* O_NONBLOCK: open() itself would wait for a FIFO's writer */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    const bool is_there = *fd >= 0 && fstat(*fd, &info) == 0;
    if (is_there && !S_ISDIR(info.st_mode)) {
        return STATUS_OK;
    }
    const char *reason = is_there ? "it is a folder" : strerror(errno);
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
    return status_set_at(status, STATUS_NO_INPUT, path, 0, 0, "cannot open %s: %s", what, reason);
}

enum status_code input_file_read(int fd, const char *path, const struct watch *watch, void *out,
                                 size_t most, size_t *got, struct status *status)
{
    enum { ASK_EVERY_MS = 100 };
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    enum status_code code;
    for (;;) {
        if (poll(&readable, 1, ASK_EVERY_MS) <= 0) {
            TRY(watch_check(watch, status));
            continue;
        }
        const ssize_t n = read(fd, out, most);
        if (n >= 0) {
            *got = (size_t)n;
            return STATUS_OK;
        }
        if (errno != EINTR && errno != EAGAIN) {
            return status_set_at(status, STATUS_IO, path, 0, 0, "cannot read: %s", strerror(errno));
        }
    }
done:
    return code;
}
