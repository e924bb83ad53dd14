/* One write, one rename. */
#include "io/whole_file.h"

#include <errno.h>
#include <unistd.h>

enum status_code whole_file_put(const char *path, const struct buf *text, struct status *status)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        return status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0, "cannot create: %s",
                             strerror(errno));
    }
    bool written = fwrite(buf_text(text), 1, text->length, file) == text->length;
    written = fflush(file) == 0 && fsync(fileno(file)) == 0 && written;
    if (fclose(file) != 0 || !written) {
        return status_set_at(status, STATUS_IO, path, 0, 0, "cannot write the file: %s",
                             strerror(errno));
    }
    return STATUS_OK;
}

enum status_code whole_file_write(const char *path, const struct buf *text, struct status *status)
{
    enum status_code code;
    struct buf partial = {0};
    buf_addf(&partial, "%s.partial", path);
    TRY(buf_check(&partial, status));
    code = whole_file_put(buf_text(&partial), text, status);
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
