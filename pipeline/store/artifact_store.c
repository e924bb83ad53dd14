/* Artifacts in the work database. A save writes a new version beside the one that its slot holds,
 * in transactions of some SAVE_BYTES; the last one makes it current and deletes the old one:
 *
 *      artifact        (artifact, slot, name, hash, bytes, saved, current)
 *      artifact_array  (artifact, position, name, type, n_rows, n_columns, hash)
 *      artifact_chunk  (artifact, position, number, bytes)        ARTIFACT_CHUNK_BYTES each
 *
 * One run at a time writes (lock.h), so a version that is not current is what a killed run left. */
#include "store/artifact.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

#include <assert.h>

enum { SAVE_BYTES = 4 * ARTIFACT_CHUNK_BYTES };

struct writer {
    struct db *work;
    struct db_query *insert_array, *insert_chunk;
    int64_t id;     /* of the version being written */
    size_t pending; /* bytes in the open transaction */
};

/* Runs a statement without result whose parameter 1 is `id`. */
static enum status_code run_with_id(struct db *work, const char *sql, int64_t id,
                                    struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(db_prepare(work, sql, &query, status));
    TRY(db_bind_int64(query, 1, id, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}

/* One version with all that belongs to it; inside a transaction. */
static enum status_code delete_version(struct db *work, int64_t id, struct status *status)
{
    enum status_code code;
    TRY(run_with_id(work, "DELETE FROM artifact_chunk WHERE artifact = ?1", id, status));
    TRY(run_with_id(work, "DELETE FROM artifact_array WHERE artifact = ?1", id, status));
    TRY(run_with_id(work, "DELETE FROM artifact WHERE artifact = ?1", id, status));
done:
    return code;
}

/* What killed runs have left half-written; inside a transaction. */
static enum status_code delete_unfinished(struct db *work, struct status *status)
{
    enum status_code code;
    int64_t id;
    bool found = true;
    for (;;) {
        TRY(db_get_int64(work, "SELECT min(artifact) FROM artifact WHERE current = 0", &id, &found,
                         status));
        if (!found) {
            break;
        }
        TRY(delete_version(work, id, status));
    }
done:
    return code;
}

/* The current version in a slot: its number and hash. */
static enum status_code find_current(struct db *work, const char *slot, int64_t *id,
                                     char hash[HASH_TEXT_MAX], char name[ARTIFACT_NAME_MAX],
                                     bool *found, struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(db_prepare(work,
                   "SELECT artifact, hash, name FROM artifact WHERE slot = ?1 AND current = 1",
                   &query, status));
    TRY(db_bind_string(query, 1, slot, status));
    TRY(db_step(query, found, status));
    if (*found) {
        *id = db_column_int64(query, 0);
        snprintf(hash, HASH_TEXT_MAX, "%s", db_column_text(query, 1, NULL));
        snprintf(name, ARTIFACT_NAME_MAX, "%s", db_column_text(query, 2, NULL));
    }
done:
    db_finalize(query);
    return code;
}

/* First transaction: makes the row of the new version. Stays open. */
static enum status_code begin_save(struct writer *writer, const char *slot,
                                   const struct artifact *artifact, struct status *status)
{
    struct db_query *query = NULL;
    struct db *work = writer->work;
    enum status_code code;
    char hash[HASH_TEXT_MAX];
    bool found;
    TRY(artifact_hash(artifact, hash, status));
    /* The file is ours and safe to delete: freed pages need no wiping, which would write as much
       again as the artifact holds. */
    TRY(db_exec(work, "PRAGMA secure_delete = FAST", status));
    TRY(db_begin_write(work, status));
    TRY(delete_unfinished(work, status));
    TRY(db_get_int64(work, "SELECT coalesce(max(artifact), 0) + 1 FROM artifact", &writer->id,
                     &found, status));
    TRY(db_prepare(work, "INSERT INTO artifact VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)", &query,
                   status));
    TRY(db_bind_int64(query, 1, writer->id, status));
    TRY(db_bind_string(query, 2, slot, status));
    TRY(db_bind_string(query, 3, artifact->name, status));
    TRY(db_bind_string(query, 4, hash, status));
    TRY(db_bind_int64(query, 5, (int64_t)artifact_bytes(artifact), status));
    TRY(db_bind_int64(query, 6, clock_unix(), status));
    TRY(db_run(query, status));
    TRY(db_prepare(work, "INSERT INTO artifact_array VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                   &writer->insert_array, status));
    TRY(db_prepare(work,
                   "INSERT INTO artifact_chunk (artifact, position, number, bytes)"
                   " VALUES (?1, ?2, ?3, ?4)",
                   &writer->insert_chunk, status));
done:
    db_finalize(query);
    return code;
}

static enum status_code hash_array(const struct array *array, char out[HASH_TEXT_MAX],
                                   struct status *status)
{
    struct hash_state *state = NULL;
    enum status_code code;
    TRY(hash_new(&state, status));
    hash_add(state, array->data, array_bytes(array));
    hash_text(state, out);
done:
    hash_free(state);
    return code;
}

static enum status_code write_array(struct writer *writer, size_t position,
                                    const struct array *array, struct status *status)
{
    struct db_query *query = writer->insert_array;
    enum status_code code;
    const char *type = array_types[array->type].name;
    char hash[HASH_TEXT_MAX];
    size_t bytes = array_bytes(array);
    TRY(hash_array(array, hash, status));
    TRY(db_bind_int64(query, 1, writer->id, status));
    TRY(db_bind_int64(query, 2, (int64_t)position, status));
    TRY(db_bind_string(query, 3, array->name, status));
    TRY(db_bind_string(query, 4, type, status));
    TRY(db_bind_int64(query, 5, (int64_t)array->rows, status));
    TRY(db_bind_int64(query, 6, (int64_t)array->columns, status));
    TRY(db_bind_string(query, 7, hash, status));
    TRY(db_run(query, status));
    query = writer->insert_chunk;
    TRY(db_bind_int64(query, 1, writer->id, status));
    TRY(db_bind_int64(query, 2, (int64_t)position, status));
    for (size_t start = 0, number = 0; start < bytes; start += ARTIFACT_CHUNK_BYTES, number++) {
        size_t left = bytes - start;
        size_t length = left < ARTIFACT_CHUNK_BYTES ? left : ARTIFACT_CHUNK_BYTES;
        TRY(db_bind_int64(query, 3, (int64_t)number, status));
        TRY(db_bind_blob(query, 4, (const char *)array->data + start, length, true, status));
        TRY(db_run(query, status));
        writer->pending += length;
        if (writer->pending >= SAVE_BYTES) {
            TRY(db_commit(writer->work, status));
            writer->pending = 0;
            array_rest(array);
            TRY(db_begin_write(writer->work, status));
        }
    }
done:
    return code;
}

void artifact_slot_name(const char *label, const char *name, struct buf *out)
{
    buf_addf(out, "%s/%s", label, name);
}

enum status_code artifact_save(struct db *work, const char *slot, const struct artifact *artifact,
                               struct status *status)
{
    struct writer writer = {.work = work};
    enum status_code code;
    char hash[HASH_TEXT_MAX], name[ARTIFACT_NAME_MAX];
    int64_t old;
    bool has_old;
    TRY(begin_save(&writer, slot, artifact, status));
    for (size_t i = 0; i < artifact->n_arrays; i++) {
        TRY(write_array(&writer, i, &artifact->arrays[i], status));
    }
    TRY(find_current(work, slot, &old, hash, name, &has_old, status));
    if (has_old) {
        TRY(delete_version(work, old, status));
    }
    TRY(run_with_id(work, "UPDATE artifact SET current = 1 WHERE artifact = ?1", writer.id,
                    status));
    TRY(db_commit(work, status));
done:
    db_finalize(writer.insert_array);
    db_finalize(writer.insert_chunk);
    if (code != STATUS_OK) {
        db_rollback(work);
        status_add_context(status, "saving %s", slot);
    }
    return code;
}

static enum status_code damaged(struct db *work, const char *slot, const char *problem,
                                struct status *status)
{
    return status_set_at(status, STATUS_DATA, db_path(work), 0, 0,
                         "the stored result \"%s\" is damaged: %s; delete this work database and "
                         "run again",
                         slot, problem);
}

/* One row of artifact_array, still without data. */
static bool read_shape(struct db_query *query, struct array *array)
{
    const char *name = db_column_text(query, 0, NULL);
    const char *type = db_column_text(query, 1, NULL);
    int64_t rows = db_column_int64(query, 2), columns = db_column_int64(query, 3);
    size_t elements, bytes;
    *array = (struct array){.rows = (size_t)rows, .columns = (size_t)columns};
    if (strlen(name) >= sizeof array->name || rows < 0 || columns < 0) {
        return false;
    }
    snprintf(array->name, sizeof array->name, "%s", name);
    for (int i = 0; i < ARRAY_N_TYPES; i++) {
        if (strcmp(type, array_types[i].name) == 0) {
            array->type = (enum array_type)i;
            return num_multiply(array->rows, array->columns, &elements) &&
                   num_multiply(elements, array_types[i].size, &bytes);
        }
    }
    return false;
}

/* The array's bytes out of its chunks; *fits false when they are not what the shape says. */
static enum status_code read_chunks(struct db *work, struct db_query *query, int64_t id,
                                    size_t position, size_t bytes, void **data, bool *fits,
                                    struct status *status)
{
    enum status_code code;
    char *block = NULL;
    size_t filled = 0, length;
    bool has_row;
    TRY(SPILL_NEW(db_path(work), &block, bytes, status));
    TRY(db_reset(query, status));
    TRY(db_bind_int64(query, 1, id, status));
    TRY(db_bind_int64(query, 2, (int64_t)position, status));
    *fits = true;
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row || !*fits) {
            break;
        }
        const void *chunk = db_column_blob(query, 0, &length);
        *fits = length <= bytes - filled;
        if (*fits && length > 0) {
            memcpy(block + filled, chunk, length);
            filled += length;
        }
    }
    TRY(db_reset(query, status));
    *fits = *fits && filled == bytes;
    *data = block;
    block = NULL;
done:
    mem_free(block);
    return code;
}

/* What is asked of a stored artifact. */
struct wish {
    const char *const
        *without;    /* NULL-terminated beginnings of names that are left out; NULL: none */
    bool has_hashes; /* out: every array has one of its own */
};

/* Numbers are always wanted: nobody saves anything by leaving them out. */
static bool is_wanted(const struct wish *wish, const struct array *array)
{
    const bool is_number = array->type == ARRAY_F64 && array->rows == 1 && array->columns == 1;
    for (size_t i = 0; wish->without != NULL && wish->without[i] != NULL && !is_number; i++) {
        if (strncmp(array->name, wish->without[i], strlen(wish->without[i])) == 0) {
            return false;
        }
    }
    return true;
}

/* The array that the row of `shapes` describes, unless it is not wanted. One that is loaded without
 * the others is checked by its own hash. */
static enum status_code read_array(struct db *work, struct db_query *shapes,
                                   struct db_query *chunks, int64_t id, size_t position,
                                   struct wish *wish, struct artifact *artifact, bool *fits,
                                   struct status *status)
{
    struct array array;
    void *data = NULL;
    char actual[HASH_TEXT_MAX];
    enum status_code code = STATUS_OK;
    const char *hash =
        db_column_type(shapes, 5) == DB_NULL ? NULL : db_column_text(shapes, 5, NULL);
    wish->has_hashes = wish->has_hashes && hash != NULL;
    *fits =
        read_shape(shapes, &array) && (int64_t)array_bytes(&array) == db_column_int64(shapes, 4);
    if (!*fits || !is_wanted(wish, &array)) {
        return STATUS_OK;
    }
    TRY(read_chunks(work, chunks, id, position, array_bytes(&array), &data, fits, status));
    if (*fits && wish->without != NULL && hash != NULL) {
        array.data = data;
        TRY(hash_array(&array, actual, status));
        *fits = strcmp(actual, hash) == 0;
    }
    if (*fits) {
        void *taken = data;
        data = NULL; /* gone, also when taking fails */
        TRY(artifact_take(artifact, array.name, array.type, array.rows, array.columns, taken,
                          status));
    }
done:
    mem_free(data);
    return code;
}

/* The wanted arrays of a version. */
static enum status_code read_arrays(struct db *work, const char *slot, int64_t id,
                                    struct wish *wish, struct artifact *artifact,
                                    struct status *status)
{
    struct db_query *shapes = NULL, *chunks = NULL;
    enum status_code code;
    bool has_row, fits;
    /* the sum guards the allocation: a damaged shape must not ask for a terabyte */
    TRY(db_prepare(work,
                   "SELECT name, type, n_rows, n_columns,"
                   " (SELECT coalesce(sum(length(bytes)), 0) FROM artifact_chunk AS c"
                   "  WHERE c.artifact = a.artifact AND c.position = a.position), hash"
                   " FROM artifact_array AS a WHERE artifact = ?1 ORDER BY position",
                   &shapes, status));
    TRY(db_prepare(work,
                   "SELECT bytes FROM artifact_chunk WHERE artifact = ?1 AND position = ?2"
                   " ORDER BY number",
                   &chunks, status));
    TRY(db_bind_int64(shapes, 1, id, status));
    for (size_t position = 0;; position++) {
        TRY(db_step(shapes, &has_row, status));
        if (!has_row) {
            break;
        }
        TRY(read_array(work, shapes, chunks, id, position, wish, artifact, &fits, status));
        if (!fits) {
            TRY(damaged(work, slot, "an array and its bytes do not belong together", status));
        }
    }
done:
    db_finalize(shapes);
    db_finalize(chunks);
    return code;
}

/* The whole is checked by the artifact's hash, a part by those of its arrays. */
static enum status_code load(struct db *work, const char *slot, struct wish *wish,
                             struct artifact *out, bool *found, struct status *status)
{
    struct artifact artifact = {0};
    enum status_code code;
    char stored[HASH_TEXT_MAX], actual[HASH_TEXT_MAX], name[ARTIFACT_NAME_MAX];
    int64_t id;
    bool exists;
    TRY(find_current(work, slot, &id, stored, name, &exists, status));
    if (exists) {
        artifact_init(&artifact, name);
        TRY(read_arrays(work, slot, id, wish, &artifact, status));
    }
    if (exists && wish->without == NULL) {
        TRY(artifact_hash(&artifact, actual, status));
        if (strcmp(stored, actual) != 0) {
            TRY(damaged(work, slot, "its checksum does not match its contents", status));
        }
    }
    *out = artifact;
    artifact = (struct artifact){0};
    *found = exists;
done:
    artifact_release(&artifact);
    return code;
}

enum status_code artifact_load(struct db *work, const char *slot, struct artifact *out, bool *found,
                               struct status *status)
{
    struct wish all = {.has_hashes = true};
    return load(work, slot, &all, out, found, status);
}

enum status_code artifact_load_without(struct db *work, const char *slot,
                                       const char *const *without, struct artifact *out,
                                       bool *found, struct status *status)
{
    struct wish wish = {.without = without, .has_hashes = true};
    enum status_code code;
    TRY(load(work, slot, &wish, out, found, status));
    if (!wish.has_hashes) {
        artifact_release(out);
        *out = (struct artifact){0};
        TRY(artifact_load(work, slot, out, found, status));
    }
done:
    return code;
}

enum status_code artifact_saved_hash(struct db *work, const char *slot, char out[HASH_TEXT_MAX],
                                     bool *found, struct status *status)
{
    char name[ARTIFACT_NAME_MAX];
    int64_t id;
    return find_current(work, slot, &id, out, name, found, status);
}

enum status_code artifact_delete(struct db *work, const char *slot, struct status *status)
{
    enum status_code code;
    char hash[HASH_TEXT_MAX], name[ARTIFACT_NAME_MAX];
    int64_t id;
    bool found;
    TRY(db_begin_write(work, status));
    TRY(find_current(work, slot, &id, hash, name, &found, status));
    if (found) {
        TRY(delete_version(work, id, status));
    }
    TRY(db_commit(work, status));
done:
    if (code != STATUS_OK) {
        db_rollback(work);
        status_add_context(status, "deleting %s", slot);
    }
    return code;
}
