/* A hash that only the holder of a key can compute, and nobody can turn back: HMAC-SHA-256 (RFC
 * 2104). For what must be recognised without being kept. */
#ifndef NIGHTJAR_BASE_KEYED_HASH_H
#define NIGHTJAR_BASE_KEYED_HASH_H

#include "base/status.h"

enum { HASH_KEY_BYTES = 32, KEYED_HASH_BYTES = 32 };

/* Random bytes of the kernel. */
MUST_CHECK enum status_code keyed_hash_new_key(uint8_t key[HASH_KEY_BYTES], struct status *status);
/* The hash of `kind`, which keeps values of different kinds apart, and the bytes (may be NULL where
 * n is 0). */
void keyed_hash(const uint8_t key[HASH_KEY_BYTES], uint8_t kind, const void *bytes, size_t n,
                uint8_t out[KEYED_HASH_BYTES]);

#endif
