/* XXH3 and HMAC: the only file that sees the headers of xxhash and nettle. */
#include "base/hash.h"

#include "base/mem.h"

#include <errno.h>
#include <nettle/hmac.h>
#include <sys/random.h>
#include <xxhash.h>

struct hash_state {
    XXH3_state_t *xxh;
};

enum status_code hash_new(struct hash_state **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct hash_state *state = NULL;

    TRY(MEM_NEW(&state, 1, status));
    state->xxh = XXH3_createState();
    if (state->xxh == NULL) {
        code = status_set(status, STATUS_NO_MEMORY, "out of memory: no room for a hash state");
        goto done;
    }
    (void)XXH3_128bits_reset(state->xxh);
    *out = state;
    state = NULL;
done:
    hash_free(state);
    return code;
}

void hash_add(struct hash_state *state, const void *bytes, size_t length)
{
    if (length > 0) {
        (void)XXH3_128bits_update(state->xxh, bytes, length);
    }
}

void hash_add_text(struct hash_state *state, const char *text)
{
    size_t length = strlen(text);
    hash_add_int64(state, (int64_t)length);
    hash_add(state, text, length);
}

void hash_add_int64(struct hash_state *state, int64_t value)
{
    hash_add(state, &value, sizeof value);
}

void hash_text(const struct hash_state *state, char out[HASH_TEXT_MAX])
{
    XXH128_hash_t digest = XXH3_128bits_digest(state->xxh);
    (void)snprintf(out, HASH_TEXT_MAX, "%016llx%016llx", (unsigned long long)digest.high64,
                   (unsigned long long)digest.low64);
}

void hash_free(struct hash_state *state)
{
    if (state == NULL) {
        return;
    }
    (void)XXH3_freeState(state->xxh);
    mem_free(state);
}

uint64_t hash_bytes64(const void *bytes, size_t length)
{
    return XXH3_64bits(bytes, length);
}

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
