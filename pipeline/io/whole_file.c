/* One write after the other, one rename. */
#include "io/whole_file.h"

#include "base/output_file.h"
#include "base/path.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WAITING_BYTES = 1 << 20 };

static enum status_code write_all(int fd, const char *path, const void *bytes, size_t n,
                                  struct status *status)
{
    size_t done = 0;
    while (done < n) {
        const ssize_t written = write(fd, (const char *)bytes + done, n - done);
        if (written < 0 && errno != EINTR) {
            return status_set_at(status, STATUS_IO, path, 0, 0, "cannot write the file: %s",
                                 strerror(errno));
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return STATUS_OK;
}

/* Brings it to the disk and closes it. */
static enum status_code finish(int fd, const char *path, struct status *status)
{
    /* a terminal has no disk */
    const bool written = fsync(fd) == 0 || errno == EINVAL || errno == EROFS;
    if (close(fd) != 0 || !written) {
        return status_set_at(status, STATUS_IO, path, 0, 0, "cannot write the file: %s",
                             strerror(errno));
    }
    return STATUS_OK;
}

enum status_code whole_file_put(const char *path, const struct buf *text, struct status *status)
{
    int fd = -1;
    enum status_code code =
        output_file_open(path, OUTPUT_NEW, OUTPUT_SHARED, "the file", &fd, status);
    if (code != STATUS_OK) {
        return code;
    }
    code = write_all(fd, path, buf_text(text), text->length, status);
    const enum status_code closed = finish(fd, path, status);
    return code == STATUS_OK ? closed : code;
}

static const char *written_path(const struct whole_file *file)
{
    return file->partial.length > 0 ? buf_text(&file->partial) : file->path;
}

enum status_code whole_file_open(struct whole_file *file, const char *path, int mode,
                                 struct status *status)
{
    enum status_code code;
    struct stat there;
    enum output_kind kind = OUTPUT_APPEND;
    if (!output_file_is_device(path)) {
        if (lstat(path, &there) == 0) {
            if (!S_ISREG(there.st_mode) && !S_ISLNK(there.st_mode)) {
                return status_set_at(
                    status, STATUS_CANNOT_CREATE, path, 0, 0,
                    "cannot create: something stands there that is not a regular file");
            }
            if (output_file_is_database(path)) {
                return status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                                     "it is an SQLite database, and would be lost; name another "
                                     "file");
            }
            if (S_ISREG(there.st_mode)) { /* its owner may have opened it to others */
                mode = (int)(there.st_mode & 0777);
            }
        }
        buf_addf(&file->partial, "%s.partial", path);
        kind = OUTPUT_NEW;
    }
    TRY(buf_check(&file->partial, status));
    file->path = path;
    TRY(output_file_open(written_path(file), kind, mode, "the file", &file->fd, status));
done:
    if (code != STATUS_OK) {
        buf_release(&file->partial);
        file->path = NULL;
    }
    return code;
}

static enum status_code flush(struct whole_file *file, struct status *status)
{
    enum status_code code;
    TRY(buf_check(&file->waiting, status));
    TRY(write_all(file->fd, written_path(file), buf_text(&file->waiting), file->waiting.length,
                  status));
    buf_clear(&file->waiting);
done:
    return code;
}

enum status_code whole_file_add(struct whole_file *file, const void *bytes, size_t n,
                                struct status *status)
{
    buf_add(&file->waiting, bytes, n);
    return file->waiting.length >= WAITING_BYTES ? flush(file, status) : STATUS_OK;
}

enum status_code whole_file_put_head(struct whole_file *file, const void *bytes, size_t n,
                                     struct status *status)
{
    enum status_code code;
    TRY(flush(file, status));
    if (lseek(file->fd, 0, SEEK_SET) != 0) {
        TRY(status_set_at(status, STATUS_IO, file->path, 0, 0, "cannot write the file: %s",
                          strerror(errno)));
    }
    TRY(write_all(file->fd, written_path(file), bytes, n, status));
done:
    return code;
}

enum status_code whole_file_commit(struct whole_file *file, struct status *status)
{
    enum status_code code;
    TRY(flush(file, status));
    const int fd = file->fd;
    file->fd = -1;
    TRY(finish(fd, written_path(file), status));
    if (file->partial.length > 0 && rename(buf_text(&file->partial), file->path) != 0) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, file->path, 0, 0, "cannot create: %s",
                          strerror(errno)));
    }
    buf_release(&file->partial);
    file->path = NULL;
done:
    return code;
}

void whole_file_release(struct whole_file *file)
{
    if (file->path != NULL) {
        if (file->fd >= 0) {
            (void)close(file->fd);
        }
        if (file->partial.length > 0) {
            (void)unlink(buf_text(&file->partial));
        }
    }
    buf_release(&file->partial);
    buf_release(&file->waiting);
    *file = (struct whole_file){0};
}

enum status_code whole_file_write(const char *path, int mode, const struct buf *text,
                                  struct status *status)
{
    struct whole_file file = {0};
    enum status_code code;
    TRY(whole_file_open(&file, path, mode, status));
    TRY(whole_file_add(&file, buf_text(text), text->length, status));
    TRY(whole_file_commit(&file, status));
done:
    whole_file_release(&file);
    return code;
}
