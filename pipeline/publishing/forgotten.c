/* The tables nightjar_forgotten and nightjar_forgotten_key. */
#include "publishing/forgotten.h"

#include "base/clock.h"
#include "base/mem.h"
#include "publishing/publish_parts.h"

#include <stdlib.h>

static int compare_hashes(const void *a, const void *b)
{
    return memcmp(a, b, KEYED_HASH_BYTES);
}

static void hash_person(const uint8_t key[HASH_KEY_BYTES], const struct row_id *person,
                        uint8_t out[KEYED_HASH_BYTES])
{
    uint8_t bytes[8];
    for (size_t b = 0; b < sizeof bytes; b++) {
        bytes[b] = (uint8_t)((uint64_t)person->integer >> (8 * b));
    }
    if (person->is_text) {
        keyed_hash(key, 't', person->text, person->length, out);
    } else {
        keyed_hash(key, 'i', bytes, sizeof bytes, out);
    }
}

/* *found false: there is none yet. */
static enum status_code read_key(struct db *db, const char *prefix, uint8_t key[HASH_KEY_BYTES],
                                 bool *found, struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(publish_prepare(db, prefix, "SELECT key FROM $nightjar_forgotten_key", &query, status));
    TRY(db_step(query, found, status));
    if (*found) {
        size_t length;
        const void *bytes = db_column_blob(query, 0, &length);
        if (length != HASH_KEY_BYTES) {
            TRY(status_set_at(status, STATUS_DATA, db_path(db), 0, 0,
                              "nightjar_forgotten_key holds %zu bytes instead of %d: the people "
                              "who asked to be forgotten cannot be told",
                              length, HASH_KEY_BYTES));
        }
        memcpy(key, bytes, HASH_KEY_BYTES);
    }
done:
    db_finalize(query);
    return code;
}

static enum status_code read_hashes(struct forgotten *out, struct db *db, const char *prefix,
                                    struct status *status)
{
    struct db_query *query = NULL;
    size_t capacity = 0;
    bool has_row;
    enum status_code code;
    TRY(publish_prepare(db, prefix, "SELECT hash FROM $nightjar_forgotten ORDER BY hash", &query,
                        status));
    for (;;) {
        size_t length;
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        if (out->n == capacity) {
            size_t wider = capacity == 0 ? 64 : 2 * capacity;
            TRY(MEM_RESIZE(&out->hashes, capacity * KEYED_HASH_BYTES, wider * KEYED_HASH_BYTES,
                           status));
            capacity = wider;
        }
        const void *bytes = db_column_blob(query, 0, &length);
        if (length == KEYED_HASH_BYTES) {
            memcpy(out->hashes + out->n++ * KEYED_HASH_BYTES, bytes, KEYED_HASH_BYTES);
        }
    }
done:
    db_finalize(query);
    return code;
}

enum status_code forgotten_load(struct forgotten *forgotten, struct db *db, const char *prefix,
                                struct status *status)
{
    struct forgotten found = {0};
    bool has_key = false;
    enum status_code code;
    TRY(publish_table_exists(db, prefix, "nightjar_forgotten_key", 0, &has_key, status));
    if (has_key) {
        TRY(read_key(db, prefix, found.key, &has_key, status));
    }
    if (has_key) {
        TRY(read_hashes(&found, db, prefix, status));
    }
    *forgotten = found;
    found = (struct forgotten){0};
done:
    forgotten_release(&found);
    return code;
}

enum status_code forgotten_clone(const struct forgotten *forgotten, struct forgotten *out,
                                 struct status *status)
{
    const size_t n_bytes = forgotten->n * KEYED_HASH_BYTES;
    enum status_code code;
    uint8_t *hashes = NULL;
    TRY(MEM_NEW(&hashes, n_bytes, status));
    if (n_bytes > 0) {
        memcpy(hashes, forgotten->hashes, n_bytes);
    }
    *out = *forgotten;
    out->hashes = hashes;
done:
    return code;
}

enum status_code forgotten_share(struct ranks *ranks, struct forgotten *forgotten,
                                 struct status *status)
{
    struct ranks_bytes all = {0};
    struct forgotten theirs = *forgotten, made;
    enum status_code code;
    TRY(ranks_share(ranks, &theirs, sizeof theirs, status));
    TRY(ranks_gather(ranks, forgotten->hashes,
                     ranks_is_first(ranks) ? theirs.n * KEYED_HASH_BYTES : 0, &all, status));
    theirs.hashes = (uint8_t *)all.data;
    TRY(forgotten_clone(&theirs, &made, status));
    forgotten_release(forgotten);
    *forgotten = made;
done:
    ranks_bytes_release(&all);
    return code;
}

bool forgotten_has(const struct forgotten *forgotten, const struct row_id *person)
{
    uint8_t hash[KEYED_HASH_BYTES];
    if (forgotten->n == 0) {
        return false;
    }
    hash_person(forgotten->key, person, hash);
    return bsearch(hash, forgotten->hashes, forgotten->n, KEYED_HASH_BYTES, compare_hashes) != NULL;
}

void forgotten_release(struct forgotten *forgotten)
{
    mem_free(forgotten->hashes);
    *forgotten = (struct forgotten){0};
}

static enum status_code write_key(struct db *db, const char *prefix,
                                  const uint8_t key[HASH_KEY_BYTES], struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(publish_prepare(db, prefix, "INSERT INTO $nightjar_forgotten_key VALUES (1, ?1)", &query,
                        status));
    TRY(db_bind_blob(query, 1, key, HASH_KEY_BYTES, true, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}

/* hashes (n, KEYED_HASH_BYTES); those that are there stay. */
static enum status_code write_hashes(struct db *db, const char *prefix, const uint8_t *hashes,
                                     size_t n, struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(publish_prepare(db, prefix, "INSERT OR IGNORE INTO $nightjar_forgotten VALUES (?1, ?2)",
                        &query, status));
    for (size_t p = 0; p < n; p++) {
        TRY(db_bind_blob(query, 1, hashes + p * KEYED_HASH_BYTES, KEYED_HASH_BYTES, true, status));
        TRY(db_bind_int64(query, 2, clock_unix(), status));
        TRY(db_run(query, status));
    }
done:
    db_finalize(query);
    return code;
}

enum status_code forgotten_add(struct db *db, const char *prefix, const struct row_id *people,
                               size_t n, struct status *status)
{
    uint8_t key[HASH_KEY_BYTES], *hashes = NULL;
    bool found = false;
    enum status_code code;
    TRY(MEM_NEW(&hashes, n * KEYED_HASH_BYTES, status));
    TRY(db_begin_write(db, status));
    TRY(read_key(db, prefix, key, &found, status));
    if (!found) {
        TRY(keyed_hash_new_key(key, status));
        TRY(write_key(db, prefix, key, status));
    }
    for (size_t p = 0; p < n; p++) {
        hash_person(key, &people[p], hashes + p * KEYED_HASH_BYTES);
    }
    TRY(write_hashes(db, prefix, hashes, n, status));
    TRY(db_commit(db, status));
done:
    if (code != STATUS_OK) {
        db_rollback(db);
    }
    mem_free(hashes);
    return code;
}

enum status_code forgotten_copy(struct db *db, const char *prefix,
                                const struct forgotten *forgotten, struct status *status)
{
    enum status_code code;
    TRY(db_begin_write(db, status));
    TRY(write_key(db, prefix, forgotten->key, status));
    TRY(write_hashes(db, prefix, forgotten->hashes, forgotten->n, status));
    TRY(db_commit(db, status));
done:
    if (code != STATUS_OK) {
        db_rollback(db);
    }
    return code;
}
