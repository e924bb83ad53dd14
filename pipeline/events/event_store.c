/* Segments of rows that were read. */
#include "events/event_store.h"

#include "base/mem.h"

/* With so many segments a run writes all rows anew as one. */
enum { MOST_SEGMENTS = 64 };
static const char *const log_names[N_STORED_LOGS] = {"events", "dislikes", "seen"};

/* What the reader has to know to go on. The pointers within are set anew. */
struct reader_state {
    struct row_report report;
    struct id_column user_ids, item_ids;
    int64_t last_key;
    int32_t time_unit;
    bool has_times;
};

static void slot_name(const struct event_store *store, size_t segment, char out[ARTIFACT_NAME_MAX])
{
    snprintf(out, ARTIFACT_NAME_MAX, "%s/events.%zu", store->label, segment);
}

enum status_code event_store_clear(struct event_store *store, struct status *status)
{
    enum status_code code = STATUS_OK;
    char slot[ARTIFACT_NAME_MAX], hash[HASH_TEXT_MAX];
    bool found = true;
    for (size_t segment = 0;; segment++) {
        slot_name(store, segment, slot);
        TRY(artifact_saved_hash(store->work, slot, hash, &found, status));
        if (!found) {
            break;
        }
        TRY(artifact_delete(store->work, slot, status));
    }
    store->n_segments = 0;
    for (size_t l = 0; l < N_STORED_LOGS; l++) {
        store->n_logs[l] = store->n_users[l] = store->n_items[l] = 0;
    }
done:
    return code;
}

/* ---- saving ---- */

static struct artifact_part name_of(size_t which, const char *part)
{
    return artifact_part(log_names[which], part);
}

/* Ids [first, n): as integers, or as texts. */
static enum status_code add_ids(struct artifact *segment, size_t which, const char *part,
                                const struct vocabulary *ids, size_t first, struct status *status)
{
    const struct artifact_part name = name_of(which, part);
    struct strings texts = {0};
    enum status_code code = STATUS_OK;
    if (ids->type == ID_INTEGER) {
        TRY(artifact_copy(segment, name.text, ARRAY_I64, ids->n - first, 1, ids->integers + first,
                          status));
    }
    for (size_t i = first; ids->type == ID_TEXT && i < ids->n; i++) {
        size_t length;
        const char *text = strings_get(&ids->texts, i, &length);
        TRY(strings_add(&texts, text, length, status));
    }
    if (ids->type == ID_TEXT) {
        TRY(artifact_set_strings(segment, name.text, &texts, status));
    }
done:
    strings_release(&texts);
    return code;
}

/* Rows [first, n) of a log. */
static enum status_code add_rows(struct artifact *segment, size_t which,
                                 const struct event_log *log, size_t first, struct status *status)
{
    const struct {
        const char *part;
        enum array_type type;
        const void *data;
    } columns[] = {{"users", ARRAY_I32, log->user_codes + first},
                   {"items", ARRAY_I32, log->item_codes + first},
                   {"weights", ARRAY_F32, log->weights + first},
                   {"times", ARRAY_I64, log->times + first}};
    enum status_code code = STATUS_OK;
    for (size_t c = 0; log->n > first && c < sizeof columns / sizeof *columns; c++) {
        TRY(artifact_lend(segment, name_of(which, columns[c].part).text, columns[c].type,
                          log->n - first, 1, columns[c].data, status));
    }
done:
    return code;
}

enum status_code event_state_add(const struct extraction *extraction, struct artifact *artifact,
                                 struct status *status)
{
    struct reader_state *state = NULL;
    enum status_code code;
    TRY(MEM_NEW(&state, 1, status));
    *state = (struct reader_state){.report = extraction->report,
                                   .user_ids = extraction->log.user_ids,
                                   .item_ids = extraction->log.item_ids,
                                   .last_key = extraction->log.last_key,
                                   .time_unit = extraction->log.time_unit,
                                   .has_times = extraction->log.has_times};
    state->report.rejected = NULL;
    state->user_ids.decided_by.query = state->item_ids.decided_by.query = NULL;
    for (size_t f = 0; f < N_ROW_FAULTS; f++) {
        state->report.first[f].place.query = NULL;
    }
    TRY(artifact_copy(artifact, "state", ARRAY_U8, sizeof *state, 1, state, status));
done:
    mem_free(state);
    return code;
}

enum status_code event_store_save(struct event_store *store, const struct extraction *extraction,
                                  struct status *status)
{
    const struct event_log *const logs[N_STORED_LOGS] = {&extraction->log, &extraction->dislikes,
                                                         &extraction->seen};
    struct artifact segment = {0};
    char slot[ARTIFACT_NAME_MAX];
    enum status_code code;
    artifact_init(&segment, "events");
    if (store->n_segments == 0 || store->n_segments >= MOST_SEGMENTS) {
        TRY(event_store_clear(store, status));
    }
    for (size_t l = 0; l < N_STORED_LOGS; l++) {
        TRY(add_rows(&segment, l, logs[l], store->n_logs[l], status));
        TRY(add_ids(&segment, l, "user_ids", &logs[l]->users, store->n_users[l], status));
        TRY(add_ids(&segment, l, "item_ids", &logs[l]->items, store->n_items[l], status));
    }
    TRY(event_state_add(extraction, &segment, status));
    TRY(artifact_copy(&segment, "rules", ARRAY_U8, sizeof store->rules, 1, store->rules, status));
    slot_name(store, store->n_segments, slot);
    TRY(artifact_save(store->work, slot, &segment, status));
done:
    artifact_release(&segment);
    return code;
}

/* ---- loading ---- */

/* *fits false: the array is not there, or not of this length. */
static const void *column(const struct artifact *segment, size_t which, const char *part,
                          enum array_type type, size_t n, bool *fits)
{
    const struct array *array = artifact_find(segment, name_of(which, part).text);
    if (array == NULL || array->type != type || array->rows != n) {
        *fits = false;
        return NULL;
    }
    return array->data;
}

static enum status_code load_ids(const struct artifact *segment, size_t which, const char *part,
                                 struct vocabulary *ids, struct status *status)
{
    const struct artifact_part name = name_of(which, part);
    const struct array *integers = artifact_find(segment, name.text);
    const bool is_text = integers == NULL;
    struct strings texts = {0};
    enum status_code code = STATUS_OK;
    int32_t added;
    for (size_t i = 0; !is_text && integers->type == ARRAY_I64 && i < integers->rows; i++) {
        TRY(vocabulary_add_integer(ids, ((const int64_t *)integers->data)[i], &added, status));
    }
    if (is_text && artifact_find(segment, artifact_part(name.text, "offsets").text) !=
                       NULL) { /* a log without ids has neither */
        TRY(artifact_get_strings(segment, name.text, &texts, status));
    }
    for (size_t i = 0; i < texts.n; i++) {
        size_t length;
        const char *text = strings_get(&texts, i, &length);
        TRY(vocabulary_add_text(ids, text, length, &added, status));
    }
done:
    return code;
}

static enum status_code load_rows(const struct artifact *segment, size_t which,
                                  struct event_log *log, bool *fits, struct status *status)
{
    const struct array *first = artifact_find(segment, name_of(which, "users").text);
    const size_t n = first == NULL ? 0 : first->rows;
    enum status_code code = STATUS_OK;
    if (n == 0) {
        return code;
    }
    const int32_t *users = column(segment, which, "users", ARRAY_I32, n, fits);
    const int32_t *items = column(segment, which, "items", ARRAY_I32, n, fits);
    const float *weights = column(segment, which, "weights", ARRAY_F32, n, fits);
    const int64_t *times = column(segment, which, "times", ARRAY_I64, n, fits);
    for (size_t e = 0; *fits && e < n; e++) {
        *fits = users[e] >= 0 && (size_t)users[e] < log->users.n && items[e] >= 0 &&
                (size_t)items[e] < log->items.n && weights[e] > 0;
        if (*fits) {
            TRY(event_log_add(log, users[e], items[e], weights[e], times[e], PART_TRAIN, status));
        }
    }
done:
    return code;
}

enum status_code event_state_get(const struct artifact *artifact, const char *query,
                                 struct extraction *extraction, bool *fits, struct status *status)
{
    const struct array *kept = artifact_find(artifact, "state");
    struct reader_state *state = NULL;
    enum status_code code = STATUS_OK;
    *fits = kept != NULL && kept->rows == sizeof *state;
    if (!*fits) {
        goto done;
    }
    TRY(MEM_NEW(&state, 1, status));
    memcpy(state, kept->data, sizeof *state);
    /* the texts in it stood in the memory of another run */
    state->user_ids.decided_by.query = state->item_ids.decided_by.query = query;
    for (size_t f = 0; f < N_ROW_FAULTS; f++) {
        state->report.first[f].place.query = query;
    }
    extraction->report = state->report;
    extraction->log.user_ids = state->user_ids;
    extraction->log.item_ids = state->item_ids;
    extraction->log.last_key = state->last_key;
    extraction->log.time_unit = state->time_unit;
    extraction->log.has_times = state->has_times;
done:
    mem_free(state);
    return code;
}

static enum status_code load_segment(struct event_store *store, const struct artifact *segment,
                                     const char *query, struct extraction *extraction, bool *fits,
                                     struct status *status)
{
    struct event_log *const logs[N_STORED_LOGS] = {&extraction->log, &extraction->dislikes,
                                                   &extraction->seen};
    const struct array *rules = artifact_find(segment, "rules");
    enum status_code code = STATUS_OK;
    *fits = rules != NULL && rules->rows == sizeof store->rules &&
            memcmp(rules->data, store->rules, sizeof store->rules) == 0;
    if (*fits) {
        TRY(event_state_get(segment, query, extraction, fits, status));
    }
    for (size_t l = 0; *fits && l < N_STORED_LOGS; l++) {
        struct event_log *log = logs[l];
        TRY(load_ids(segment, l, "user_ids", &log->users, status));
        TRY(load_ids(segment, l, "item_ids", &log->items, status));
        TRY(load_rows(segment, l, log, fits, status));
        store->n_logs[l] = log->n;
        store->n_users[l] = log->users.n;
        store->n_items[l] = log->items.n;
    }
done:
    return code;
}

enum status_code event_store_load(struct event_store *store, const char *query,
                                  struct extraction *extraction, bool *found, struct status *status)
{
    struct artifact segment = {0};
    char slot[ARTIFACT_NAME_MAX];
    bool fits = true, exists = true;
    enum status_code code;
    *found = false;
    while (fits) {
        slot_name(store, store->n_segments, slot);
        code = artifact_load(store->work, slot, &segment, &exists, status);
        if (code == STATUS_DATA) { /* damaged: as good as nothing */
            status_clear(status);
            fits = false;
            break;
        }
        TRY(code);
        if (!exists) {
            break;
        }
        TRY(load_segment(store, &segment, query, extraction, &fits, status));
        artifact_release(&segment);
        store->n_segments++;
    }
    code = STATUS_OK;
    *found = fits && store->n_segments > 0;
    if (!*found) {
        extraction_release(extraction);
        *extraction = (struct extraction){0};
        TRY(event_store_clear(store, status));
    }
done:
    artifact_release(&segment);
    return code;
}
