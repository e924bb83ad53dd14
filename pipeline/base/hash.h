/* 128-bit XXH3 of bytes, for checksums and cache keys; and a keyed hash, for what must be
 * recognised without being kept. */
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

/* A hash that only the holder of a key can compute, and nobody can turn back: HMAC-SHA-256 (RFC
 * 2104). */
enum { HASH_KEY_BYTES = 32, KEYED_HASH_BYTES = 32 };

/* Random bytes of the kernel. */
MUST_CHECK enum status_code keyed_hash_new_key(uint8_t key[HASH_KEY_BYTES], struct status *status);
/* The hash of `kind`, which keeps values of different kinds apart, and the bytes (may be NULL where
 * n is 0). */
void keyed_hash(const uint8_t key[HASH_KEY_BYTES], uint8_t kind, const void *bytes, size_t n,
                uint8_t out[KEYED_HASH_BYTES]);

#endif
