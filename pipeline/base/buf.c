/* A growable byte string that remembers a failed addition instead of returning it. */
#include "base/buf.h"

#include <stdarg.h>

enum { BUF_FIRST_CAPACITY = 64 };

/* Room for `extra` more bytes and the terminator. */
static bool reserve(struct buf *buf, size_t extra)
{
    if (buf->failed) {
        return false;
    }
    if (extra < buf->capacity && buf->length < buf->capacity - extra) {
        return true;
    }
    size_t capacity = buf->capacity == 0 ? BUF_FIRST_CAPACITY : buf->capacity;
    while (capacity - buf->length <= extra) {
        if (capacity > PTRDIFF_MAX / 2) {
            buf->failed = true;
            return false;
        }
        capacity *= 2;
    }
    char *data = realloc(buf->data, capacity);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

void buf_add(struct buf *buf, const void *bytes, size_t length)
{
    if (!reserve(buf, length)) {
        return;
    }
    if (length > 0) {
        memcpy(buf->data + buf->length, bytes, length);
    }
    buf->length += length;
    buf->data[buf->length] = '\0';
}

void buf_add_text(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_add_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_addfv(struct buf *buf, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0) {
        buf->failed = true;
    } else if (reserve(buf, (size_t)length)) {
        (void)vsnprintf(buf->data + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
}

void buf_addf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    buf_addfv(buf, format, arguments);
    va_end(arguments);
}

enum status_code buf_check(const struct buf *buf, struct status *status)
{
    if (buf->failed) {
        return status_set(status, STATUS_NO_MEMORY,
                          "out of memory: a text of more than %zu bytes cannot grow", buf->length);
    }
    return STATUS_OK;
}

const char *buf_text(const struct buf *buf)
{
    return buf->data == NULL ? "" : buf->data;
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    buf->failed = false;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){0};
}
