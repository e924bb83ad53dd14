/* Reading and decompressing through zlib, and finding the ends of lines. What the lines mean is
 * left to the caller. */
#include "io/line_reader.h"

#include "base/input_file.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { INPUT_BYTES = 256 * 1024, ZLIB_BYTES = 128 * 1024 };

static const unsigned char gzip_magic[2] = {0x1f, 0x8b};

/* How much of a gzip file is behind us. */
enum gzip_part { NOT_GZIP, IN_MEMBER, BETWEEN_MEMBERS };

struct line_reader {
    int fd; /* -1: not open */
    const struct watch *watch;
    char *path;
    int64_t total, taken; /* bytes of the file, 0 unknown; read so far */
    unsigned char *raw;   /* (ZLIB_BYTES) as they stand in the file */
    z_stream stream;      /* next_in and avail_in are what is left of `raw`, compressed or not */
    enum gzip_part part;
    bool has_stream, is_raw_end;
    char *input; /* (INPUT_BYTES), of which [begin, end) is unread */
    size_t begin, end;
    bool at_end, has_cr_lines;
    size_t line, column; /* of input[begin]: one-based, zero-based */
};

static enum status_code read_bytes(struct line_reader *reader, void *out, size_t most, size_t *got,
                                   struct status *status)
{
    enum status_code code =
        input_file_read(reader->fd, reader->path, reader->watch, out, most, got, status);
    if (code == STATUS_OK) {
        reader->taken += (int64_t)*got;
    }
    return code;
}

/* More of `raw` behind what is left of it, until at least `least` bytes are there or none come. */
static enum status_code fill_raw(struct line_reader *reader, size_t least, struct status *status)
{
    enum status_code code = STATUS_OK;
    z_stream *stream = &reader->stream;
    while (stream->avail_in < least && !reader->is_raw_end) {
        size_t got = 0;
        memmove(reader->raw, stream->next_in, stream->avail_in);
        stream->next_in = reader->raw;
        TRY(read_bytes(reader, reader->raw + stream->avail_in, ZLIB_BYTES - stream->avail_in, &got,
                       status));
        stream->avail_in += (unsigned)got;
        reader->is_raw_end = got == 0;
    }
done:
    return code;
}

/* Behind a gzip member: another one, or zeros that fill up a block (gzip's manual, "trailing
 * garbage"), or nothing. */
static enum status_code start_member(struct line_reader *reader, struct status *status)
{
    enum status_code code;
    z_stream *stream = &reader->stream;
    TRY(fill_raw(reader, 2, status));
    while (stream->avail_in > 0 && stream->next_in[0] == 0) {
        stream->next_in++;
        stream->avail_in--;
        TRY(fill_raw(reader, 2, status));
    }
    if (stream->avail_in == 0) {
        return STATUS_OK;
    }
    if (stream->avail_in < 2 || memcmp(stream->next_in, gzip_magic, 2) != 0) {
        return status_set_at(status, STATUS_DATA, reader->path, 0, 0,
                             "the gzip data are damaged or cut short, after line %zu: what follows "
                             "their end, at byte %lld, is no gzip",
                             reader->line, (long long)(reader->taken - (int64_t)stream->avail_in));
    }
    if (inflateReset(stream) != Z_OK) {
        return status_set_at(status, STATUS_INTERNAL, reader->path, 0, 0, "zlib does not start");
    }
    reader->part = IN_MEMBER;
done:
    return code;
}

/* Decompressed bytes; *got 0 at the end of the file. */
static enum status_code inflate_bytes(struct line_reader *reader, char *out, size_t most,
                                      size_t *got, struct status *status)
{
    enum status_code code = STATUS_OK;
    z_stream *stream = &reader->stream;
    *got = 0;
    while (*got == 0) {
        if (reader->part == BETWEEN_MEMBERS) {
            TRY(start_member(reader, status));
            if (reader->part == BETWEEN_MEMBERS) {
                break;
            }
        }
        TRY(fill_raw(reader, 1, status));
        stream->next_out = (unsigned char *)out;
        stream->avail_out = (unsigned)most;
        const int result = inflate(stream, Z_NO_FLUSH);
        *got = most - stream->avail_out;
        if (result == Z_STREAM_END) {
            reader->part = BETWEEN_MEMBERS;
        } else if (result == Z_MEM_ERROR) {
            TRY(status_set_at(status, STATUS_NO_MEMORY, reader->path, 0, 0, "out of memory"));
        } else if (result != Z_OK) {
            TRY(status_set_at(status, STATUS_DATA, reader->path, 0, 0,
                              "the gzip data are damaged or cut short, after line %zu: %s",
                              reader->line,
                              stream->msg != NULL ? stream->msg : "unexpected end of file"));
        }
    }
done:
    return code;
}

static enum status_code fill(struct line_reader *reader, struct status *status)
{
    enum status_code code;
    z_stream *stream = &reader->stream;
    size_t left = reader->end - reader->begin, got = 0;
    memmove(reader->input, reader->input + reader->begin, left);
    reader->begin = 0;
    reader->end = left;
    if (reader->part != NOT_GZIP) {
        TRY(inflate_bytes(reader, reader->input + left, INPUT_BYTES - left, &got, status));
    } else if (stream->avail_in > 0) { /* what was read to look for gzip */
        got = stream->avail_in < INPUT_BYTES - left ? stream->avail_in : INPUT_BYTES - left;
        memcpy(reader->input + left, stream->next_in, got);
        stream->next_in += got;
        stream->avail_in -= (unsigned)got;
    } else {
        TRY(read_bytes(reader, reader->input + left, INPUT_BYTES - left, &got, status));
    }
    reader->at_end = got == 0;
    reader->end += got;
    code = STATUS_OK;
done:
    return code;
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
    enum status_code code;
    if (strcmp(reader->path, "-") == 0 && (reader->fd = dup(STDIN_FILENO)) < 0) {
        return status_set(status, STATUS_NO_INPUT, "cannot read standard input");
    }
    if (reader->fd < 0) {
        TRY(input_file_open(reader->path, "the file", &reader->fd, status));
    }
    if (fstat(reader->fd, &info) == 0 && S_ISREG(info.st_mode)) {
        reader->total = (int64_t)info.st_size;
    }
    reader->stream.next_in = reader->raw;
    TRY(fill_raw(reader, 2, status));
    if (reader->stream.avail_in >= 2 && memcmp(reader->raw, gzip_magic, 2) == 0) {
        enum { GZIP_WINDOW = 15 + 16 }; /* the largest window, with gzip's header */
        if (inflateInit2(&reader->stream, GZIP_WINDOW) != Z_OK) {
            return status_set_at(status, STATUS_NO_MEMORY, reader->path, 0, 0, "out of memory");
        }
        reader->has_stream = true;
        reader->part = IN_MEMBER;
    }
done:
    return code;
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
        reader->part == NOT_GZIP) {
        TRY(status_set_at(status, STATUS_DATA, reader->path, 0, 0,
                          "the name ends with .gz, but the contents are not gzip"));
    }
    if (starts_with(reader, "\xff\xfe\0\0", 4) || starts_with(reader, "\0\0\xfe\xff", 4)) {
        TRY(status_set_at(status, STATUS_DATA, reader->path, 1, 1,
                          "the file is UTF-32; convert it to UTF-8 first: iconv -f UTF-32 -t "
                          "UTF-8"));
    }
    const char *encoding = utf8_other_encoding(reader->input, reader->end);
    if (encoding != NULL) {
        TRY(status_set_at(status, STATUS_DATA, reader->path, 1, 1,
                          "the file is %s; convert it to UTF-8 first: iconv -f %s -t UTF-8",
                          encoding, encoding));
    }
    reader->begin = starts_with(reader, "\xef\xbb\xbf", 3) ? 3 : 0;
    reader->has_cr_lines = memchr(reader->input, '\r', reader->end) != NULL &&
                           memchr(reader->input, '\n', reader->end) == NULL;
done:
    return code;
}

enum status_code line_reader_open(const char *path, const struct watch *watch,
                                  struct line_reader **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct line_reader *reader = NULL;
    size_t size = strlen(path) + 1;
    TRY(MEM_NEW(&reader, 1, status));
    reader->line = 1;
    reader->fd = -1;
    reader->watch = watch;
    TRY(MEM_NEW(&reader->path, size, status));
    memcpy(reader->path, path, size);
    TRY(MEM_NEW(&reader->input, INPUT_BYTES, status));
    TRY(MEM_NEW(&reader->raw, ZLIB_BYTES, status));
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
    *consumed = reader->taken - (int64_t)reader->stream.avail_in;
    *total = reader->total;
}

void line_reader_close(struct line_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    if (reader->has_stream) {
        (void)inflateEnd(&reader->stream);
    }
    if (reader->fd >= 0) {
        (void)close(reader->fd);
    }
    mem_free(reader->raw);
    mem_free(reader->input);
    mem_free(reader->path);
    mem_free(reader);
}
