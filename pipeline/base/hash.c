/* XXH3: the only file that sees xxhash.h. */
#include "base/hash.h"

#include "base/mem.h"

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
