/* A packed list of strings: one block of bytes and the offsets into it. */
#ifndef NIGHTJAR_BASE_STRINGS_H
#define NIGHTJAR_BASE_STRINGS_H

#include "base/status.h"

/* String i is bytes[offsets[i] .. offsets[i + 1]), not terminated. Zero-initialise. */
struct strings {
    size_t n;
    int64_t *offsets; /* (n + 1), NULL while n = 0 and nothing was added */
    char *bytes;
    size_t offsets_capacity, bytes_capacity;
};

MUST_CHECK enum status_code strings_add(struct strings *strings, const char *text, size_t length,
                                        struct status *status);
const char *strings_get(const struct strings *strings, size_t index, size_t *length);
bool strings_equal(const struct strings *strings, size_t index, const char *text);
void strings_release(struct strings *strings);

#endif
