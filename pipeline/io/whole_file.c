/* One write, one rename. */
#include "io/whole_file.h"

#include "base/output_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum status_code put(const char *path, enum output_kind kind, int mode,
                            const struct buf *text, struct status *status)
{
    int fd = -1;
    size_t done = 0;
    enum status_code code = output_file_open(path, kind, mode, "the file", &fd, status);
    if (code != STATUS_OK) {
        return code;
    }
    while (done < text->length) {
        const ssize_t n = write(fd, buf_text(text) + done, text->length - done);
        if (n < 0 && errno != EINTR) {
            break;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    /* a terminal has no disk */
    bool written = done == text->length && (fsync(fd) == 0 || errno == EINVAL || errno == EROFS);
    if (close(fd) != 0 || !written) {
        return status_set_at(status, STATUS_IO, path, 0, 0, "cannot write the file: %s",
                             strerror(errno));
    }
    return STATUS_OK;
}

enum status_code whole_file_put(const char *path, const struct buf *text, struct status *status)
{
    return put(path, OUTPUT_NEW, OUTPUT_SHARED, text, status);
}

enum status_code whole_file_write(const char *path, int mode, const struct buf *text,
                                  struct status *status)
{
    enum status_code code;
    struct buf partial = {0};
    struct stat there;
    if (output_file_is_device(path)) {
        return put(path, OUTPUT_APPEND, mode, text, status);
    }
    if (lstat(path, &there) == 0) {
        if (!S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode)) {
            return status_set_at(
                status, STATUS_CANNOT_CREATE, path, 0, 0,
                "cannot create: something stands there that is not a regular file");
        }
        if (S_ISREG(there.st_mode)) { /* its owner may have opened it to others */
            mode = (int)(there.st_mode & 0777);
        }
    }
    buf_addf(&partial, "%s.partial", path);
    TRY(buf_check(&partial, status));
    code = put(buf_text(&partial), OUTPUT_NEW, mode, text, status);
    if (code == STATUS_OK && rename(buf_text(&partial), path) != 0) {
        code = status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0, "cannot create: %s",
                             strerror(errno));
    }
    if (code != STATUS_OK) {
        (void)unlink(buf_text(&partial));
    }
done:
    buf_release(&partial);
    return code;
}
