/* A growable byte string, always zero-terminated once something was added. */
#ifndef NIGHTJAR_BASE_BUF_H
#define NIGHTJAR_BASE_BUF_H

#include "base/status.h"

#include <stdarg.h>

/* Zero-initialise; `data` is NULL until the first addition. */
struct buf {
    char *data;
    size_t length; /* without the terminator */
    size_t capacity;
    bool failed; /* an addition ran out of memory: contents are incomplete */
};

/* Additions do not return an error; they set `failed`, which buf_check turns into a status once at
 * the end. */
void buf_add(struct buf *buf, const void *bytes, size_t length);
void buf_add_text(struct buf *buf, const char *text);
void buf_add_char(struct buf *buf, char c);
void buf_addf(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_addfv(struct buf *buf, const char *format, va_list arguments) PRINTF_LIKE(2, 0);
MUST_CHECK enum status_code buf_check(const struct buf *buf, struct status *status);

/* The text so far, "" when nothing was added. Valid until the next addition. */
const char *buf_text(const struct buf *buf);

void buf_clear(struct buf *buf);   /* empties, keeps the memory */
void buf_release(struct buf *buf); /* frees; a zeroed buf is allowed */

#endif
