/* Reading and decompressing through zlib, and finding the ends of lines. What the lines mean is
 * left to the caller. */
#include "io/line_reader.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { INPUT_BYTES = 256 * 1024, ZLIB_BYTES = 128 * 1024 };

struct line_reader {
    gzFile file;
    char *path;
    int64_t total; /* bytes of the file, 0 unknown */
    char *input;   /* (INPUT_BYTES), of which [begin, end) is unread */
    size_t begin, end;
    bool at_end, has_cr_lines;
    size_t line, column; /* of input[begin]: one-based, zero-based */
};

static enum status_code fill(struct line_reader *reader, struct status *status)
{
    size_t left = reader->end - reader->begin;
    memmove(reader->input, reader->input + reader->begin, left);
    reader->begin = 0;
    reader->end = left;
    errno = 0;
    int got = gzread(reader->file, reader->input + left, (unsigned)(INPUT_BYTES - left));
    int problem = Z_OK;
    const char *reason = gzerror(reader->file, &problem);
    if (problem == Z_ERRNO) {
        return status_set_at(status, STATUS_IO, reader->path, 0, 0, "cannot read: %s",
                             strerror(errno));
    }
    if (problem == Z_MEM_ERROR) {
        return status_set_at(status, STATUS_NO_MEMORY, reader->path, 0, 0, "out of memory");
    }
    if (got < 0 || problem == Z_BUF_ERROR) {
        return status_set_at(status, STATUS_DATA, reader->path, 0, 0,
                             "the gzip data are damaged or cut short, after line %zu: %s",
                             reader->line, reason);
    }
    reader->at_end = got == 0;
    reader->end += (size_t)got;
    return STATUS_OK;
}

/* The byte that ends the line at input[begin], or NULL when it is not in the buffer. */
static const char *find_line_end(const struct line_reader *reader)
{
    const char *start = reader->input + reader->begin;
    size_t left = reader->end - reader->begin;
    if (!reader->has_cr_lines) {
        return memchr(start, '\n', left);
    }
    const char *cr = memchr(start, '\r', left);
    const char *lf = memchr(start, '\n', cr != NULL ? (size_t)(cr - start) : left);
    return lf != NULL ? lf : cr;
}

/* How much of a line that has no end in the buffer may be fed: neither a CR, whose LF may follow,
 * nor the start of a UTF-8 sequence stands at the end. */
static size_t cut_length(const struct line_reader *reader)
{
    const char *start = reader->input + reader->begin;
    size_t length = reader->end - reader->begin;
    if (reader->at_end || length == 0) {
        return length;
    }
    if (start[length - 1] == '\r') {
        return length - 1;
    }
    for (size_t back = 1; back <= 3 && back < length; back++) {
        unsigned char c = (unsigned char)start[length - back];
        if ((c & 0xc0) != 0x80) { /* the sequence's first byte, or ASCII */
            return c >= 0xc0 ? length - back : length;
        }
    }
    return length;
}

enum status_code line_reader_next(struct line_reader *reader, struct line_piece *out,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const char *end = find_line_end(reader);
    while (end == NULL && !reader->at_end && reader->end - reader->begin < INPUT_BYTES) {
        TRY(fill(reader, status));
        end = find_line_end(reader);
    }
    const char *start = reader->input + reader->begin;
    size_t length = end != NULL ? (size_t)(end - start) + 1 : cut_length(reader);
    const char *cr = reader->has_cr_lines ? NULL : memchr(start, '\r', length);
    bool is_bare = cr != NULL && (cr + 1 == start + length || cr[1] != '\n');
    if (is_bare) {
        length = (size_t)(cr - start) + 1;
        end = NULL;
    }
    *out = (struct line_piece){.text = start,
                               .length = length,
                               .line = reader->line,
                               .column = reader->column,
                               .ends_line = end != NULL,
                               .ends_in_bare_cr = is_bare};
    reader->begin += length;
    reader->line += end != NULL ? 1 : 0;
    reader->column = end != NULL ? 0 : reader->column + length;
done:
    return code;
}

static enum status_code open_file(struct line_reader *reader, struct status *status)
{
    struct stat info;
    int fd = open(reader->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0 || S_ISDIR(info.st_mode)) {
        const char *reason = fd >= 0 && S_ISDIR(info.st_mode) ? "it is a folder" : strerror(errno);
        status_set_at(status, STATUS_NO_INPUT, reader->path, 0, 0, "cannot open the file: %s",
                      reason);
        if (fd >= 0) {
            close(fd);
        }
        return STATUS_NO_INPUT;
    }
    reader->total = S_ISREG(info.st_mode) ? (int64_t)info.st_size : 0;
    reader->file = gzdopen(fd, "rb");
    if (reader->file == NULL) {
        close(fd);
        return status_set_at(status, STATUS_NO_MEMORY, reader->path, 0, 0, "out of memory");
    }
    (void)gzbuffer(reader->file, ZLIB_BYTES);
    return STATUS_OK;
}

static bool starts_with(const struct line_reader *reader, const char *bytes, size_t length)
{
    return reader->end >= length && memcmp(reader->input, bytes, length) == 0;
}

/* What the first bytes tell: compression, encoding, line ends. */
static enum status_code look_at_start(struct line_reader *reader, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t length = strlen(reader->path);
    TRY(fill(reader, status));
    if (length > 3 && strcmp(reader->path + length - 3, ".gz") == 0 && reader->end > 0 &&
        gzdirect(reader->file)) {
        TRY(status_set_at(status, STATUS_DATA, reader->path, 0, 0,
                          "the name ends with .gz, but the contents are not gzip"));
    }
    if (starts_with(reader, "\xff\xfe", 2) || starts_with(reader, "\xfe\xff", 2)) {
        TRY(status_set_at(status, STATUS_DATA, reader->path, 1, 1,
                          "the file is UTF-16; convert it to UTF-8 first: iconv -f UTF-16 -t "
                          "UTF-8"));
    }
    reader->begin = starts_with(reader, "\xef\xbb\xbf", 3) ? 3 : 0;
    reader->has_cr_lines = memchr(reader->input, '\r', reader->end) != NULL &&
                           memchr(reader->input, '\n', reader->end) == NULL;
done:
    return code;
}

enum status_code line_reader_open(const char *path, struct line_reader **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct line_reader *reader = NULL;
    size_t size = strlen(path) + 1;
    TRY(MEM_NEW(&reader, 1, status));
    reader->line = 1;
    TRY(MEM_NEW(&reader->path, size, status));
    memcpy(reader->path, path, size);
    TRY(MEM_NEW(&reader->input, INPUT_BYTES, status));
    TRY(open_file(reader, status));
    TRY(look_at_start(reader, status));
    *out = reader;
    reader = NULL;
done:
    line_reader_close(reader);
    return code;
}

const char *line_reader_path(const struct line_reader *reader)
{
    return reader->path;
}

void line_reader_position(const struct line_reader *reader, int64_t *consumed, int64_t *total)
{
    int64_t offset = (int64_t)gzoffset(reader->file);
    *consumed = offset > 0 ? offset : 0; /* a pipe has no offset */
    *total = reader->total;
}

void line_reader_close(struct line_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->file != NULL) {
        (void)gzclose(reader->file);
    }
    mem_free(reader->input);
    mem_free(reader->path);
    mem_free(reader);
}
