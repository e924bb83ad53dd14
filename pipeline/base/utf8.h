/* Whether bytes are UTF-8 as RFC 3629 defines it: no overlong forms, no surrogates, nothing beyond
 * U+10FFFF. */
#ifndef NIGHTJAR_BASE_UTF8_H
#define NIGHTJAR_BASE_UTF8_H

#include "base/buf.h"

/* Length of the well-formed sequence at `text`, of which `left` bytes (1 at least) are there; 0
 * when none begins there. */
size_t utf8_sequence_length(const char *text, size_t left);

/* Of a character of `length` bytes: whether a terminal may take it for an order (C0, DEL, C1). */
bool utf8_is_control(const char *text, size_t length);

/* Offset of the first byte that does not start a well-formed sequence; `length` when all do. */
size_t utf8_valid_length(const char *text, size_t length);

/* What a byte order mark at the start says that the text is instead: "UTF-16" or "UTF-32"; NULL:
 * nothing. */
const char *utf8_other_encoding(const char *text, size_t length);

/* Adds the text with every byte that is not UTF-8, and every control character (C0, DEL, C1) but
 * tab and newline, as U+FFFD: for text of unknown origin that is to be shown or stored. */
void utf8_add_repaired(struct buf *out, const char *text, size_t length);
/* Adds the text as the inside of a JSON string: control characters (C0, DEL, C1) as \u00XX, bytes
 * that are not UTF-8 as \ufffd. is_document: the text is JSON already, its strings are all that can
 * have such characters. */
void utf8_add_json(struct buf *out, const char *text, size_t length, bool is_document);

#endif
