/* The only file that sees nettle's header. */
#include "base/keyed_hash.h"

#include <errno.h>
#include <nettle/hmac.h>
#include <sys/random.h>

enum status_code keyed_hash_new_key(uint8_t key[HASH_KEY_BYTES], struct status *status)
{
    if (getrandom(key, HASH_KEY_BYTES, 0) != HASH_KEY_BYTES) {
        return status_set(status, STATUS_IO, "no random bytes: %s", strerror(errno));
    }
    return STATUS_OK;
}

void keyed_hash(const uint8_t key[HASH_KEY_BYTES], uint8_t kind, const void *bytes, size_t n,
                uint8_t out[KEYED_HASH_BYTES])
{
    struct hmac_sha256_ctx state;
    hmac_sha256_set_key(&state, HASH_KEY_BYTES, key);
    hmac_sha256_update(&state, sizeof kind, &kind);
    if (n > 0) {
        hmac_sha256_update(&state, n, bytes);
    }
    hmac_sha256_digest(&state, KEYED_HASH_BYTES, out);
}
