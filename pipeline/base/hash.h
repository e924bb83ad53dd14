/* 128-bit XXH3 of bytes, for checksums and cache keys: not for secrets. The only header over
 * xxhash. */
#ifndef NIGHTJAR_BASE_HASH_H
#define NIGHTJAR_BASE_HASH_H

#include "base/status.h"

enum { HASH_TEXT_MAX = 33 };

struct hash_state; /* streaming */

MUST_CHECK enum status_code hash_new(struct hash_state **out, struct status *status);
void hash_add(struct hash_state *state, const void *bytes, size_t length);
void hash_add_text(struct hash_state *state, const char *text); /* length, then bytes */
void hash_add_int64(struct hash_state *state, int64_t value);
void hash_text(const struct hash_state *state, char out[HASH_TEXT_MAX]); /* 32 hex digits */
void hash_free(struct hash_state *state);

uint64_t hash_bytes64(const void *bytes, size_t length); /* for hash tables */

#endif
