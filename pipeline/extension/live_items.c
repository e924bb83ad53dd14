/* What is stored of a generation: the candidates, and what their scores are the sum of. */
#include "extension/live_score.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

int live_code(enum status_code code, const struct status *status, char **error)
{
    return code == STATUS_OK ? SQLITE_OK
           : code == STATUS_NO_MEMORY
               ? SQLITE_NOMEM
               : catalogue_fail(error, sqlite3_mprintf("nightjar: %s", status->message));
}

int live_damaged(const char *table, char **error)
{
    return catalogue_fail(error,
                          sqlite3_mprintf("nightjar_recommend: a row of %s is damaged", table));
}

static void free_items(void *data)
{
    struct live_items *live = data;
    mem_free(live->item_of);
    mem_free(live->candidate_of);
    mem_free(live->boosts);
    mem_free(live->eligible);
    mem_free(live->history_weights);
    mem_free(live->ones);
    mem_free(live->log_counts);
    mem_free(live->powers);
    sqlite3_free(live);
}

static int count_items(const struct catalogue *catalogue, sqlite3 *db, struct live_items *live,
                       char **error)
{
    sqlite3_stmt *row = NULL;
    const int code = catalogue_prepare_table(
        catalogue, db, "score_items", "SELECT count(*), coalesce(max(length(eligible)), 0) FROM $",
        &row, error);
    if (code != SQLITE_OK) {
        return catalogue_fail(error,
                              sqlite3_mprintf("nightjar_recommend: generation %lld was published "
                                              "without recommend: {live: true}",
                                              catalogue->generation));
    }
    const int step = sqlite3_step(row);
    live->n = (size_t)sqlite3_column_int64(row, 0);
    live->width = (size_t)sqlite3_column_int64(row, 1);
    sqlite3_finalize(row);
    return catalogue_end(SQLITE_OK, step, db, error);
}

static enum status_code make_room(const struct catalogue *catalogue, struct live_items *live,
                                  struct status *status)
{
    const size_t n = live->n;
    enum status_code code;
    TRY(MEM_NEW(&live->item_of, n, status));
    TRY(MEM_NEW(&live->candidate_of, catalogue->n, status));
    TRY(MEM_NEW(&live->boosts, n, status));
    TRY(MEM_NEW(&live->eligible, n * live->width, status));
    TRY(MEM_NEW(&live->history_weights, n, status));
    TRY(MEM_NEW(&live->ones, n, status));
    TRY(MEM_NEW(&live->log_counts, n, status));
    TRY(MEM_NEW(&live->powers, n, status));
    for (size_t i = 0; i < catalogue->n; i++) {
        live->candidate_of[i] = -1;
    }
done:
    return code;
}

static int read_items(const struct catalogue *catalogue, sqlite3 *db, struct live_items *live,
                      char **error)
{
    sqlite3_stmt *rows = NULL;
    int step = SQLITE_DONE;
    const int code = catalogue_prepare_table(
        catalogue, db, "score_items", "SELECT item, users, boost, eligible FROM $ ORDER BY code",
        &rows, error);
    for (size_t c = 0; code == SQLITE_OK && c < live->n; c++) {
        step = sqlite3_step(rows);
        if (step != SQLITE_ROW) {
            break;
        }
        const int32_t item = catalogue_find(catalogue, sqlite3_column_value(rows, 0));
        const double users = fmax(1, sqlite3_column_double(rows, 1));
        live->item_of[c] = item;
        if (item >= 0) {
            live->candidate_of[item] = (int32_t)c;
        }
        live->ones[c] = 1;
        live->history_weights[c] = (float)(1.0 / sqrt(users));
        live->log_counts[c] = (float)log(users);
        live->boosts[c] = (float)sqlite3_column_double(rows, 2);
        if (live->width > 0 && (size_t)sqlite3_column_bytes(rows, 3) == live->width) {
            memcpy(live->eligible + c * live->width, sqlite3_column_blob(rows, 3), live->width);
        }
    }
    const int end = catalogue_end(code, step, db, error);
    sqlite3_finalize(rows);
    return end;
}

static int read_facts(const struct catalogue *catalogue, sqlite3 *db, struct live_items *live,
                      char **error)
{
    sqlite3_stmt *rows = NULL;
    int step = SQLITE_DONE;
    int code = catalogue_prepare_table(catalogue, db, "score_facts", "SELECT name, value FROM $",
                                       &rows, error);
    while (code == SQLITE_OK && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(rows, 0);
        const double value = sqlite3_column_double(rows, 1);
        if (name == NULL || !(fabs(value) < 1e15) || (value < 0 && strcmp(name, "time") != 0)) {
            code = live_damaged("score_facts", error);
            break;
        }
        live->time = strcmp(name, "time") == 0 ? (int64_t)value : live->time;
        live->has_times = strcmp(name, "has_times") == 0 ? value > 0 : live->has_times;
        live->repeats = strcmp(name, "repeats") == 0 ? value > 0 : live->repeats;
        live->n_known = strcmp(name, "known") == 0 ? (size_t)value : live->n_known;
    }
    const int end = catalogue_end(code, step, db, error);
    sqlite3_finalize(rows);
    return end;
}

/* A part by the name that it is shown with, "transitions:4". */
static int read_part(sqlite3_stmt *rows, struct score_weights *weights, char **error)
{
    const char *name = (const char *)sqlite3_column_text(rows, 2);
    if (name == NULL) {
        return SQLITE_OK; /* there are none */
    }
    const size_t length = strcspn(name, ":");
    int kind = 0;
    while (kind < N_SCORE_PART_KINDS && (strlen(score_part_names[kind]) != length ||
                                         strncmp(score_part_names[kind], name, length) != 0)) {
        kind++;
    }
    if (kind == N_SCORE_PART_KINDS || weights->n_parts == SCORE_PARTS_MAX) {
        return catalogue_fail(
            error, sqlite3_mprintf("nightjar_recommend: the scores have a part '%s', which "
                                   "this nightjar.so does not know: it is older than what "
                                   "has published",
                                   name));
    }
    weights->parts[weights->n_parts++] =
        (struct score_part){.kind = (enum score_part_kind)kind,
                            .half_life = sqlite3_column_double(rows, 3),
                            .half_places = sqlite3_column_double(rows, 4),
                            .weight = sqlite3_column_double(rows, 5)};
    return SQLITE_OK;
}

static int read_weights(const struct catalogue *catalogue, sqlite3 *db, struct live_items *live,
                        char **error)
{
    sqlite3_stmt *rows = NULL;
    int step = SQLITE_DONE;
    int code =
        catalogue_prepare(catalogue, db, "nightjar_generations",
                          "SELECT evidence_weight, evidence_exponent, p.value ->> 'part',"
                          " p.value ->> 'half_life_days', p.value ->> 'half_places',"
                          " p.value ->> 'weight' FROM $ LEFT JOIN json_each(score_parts) AS p"
                          " WHERE generation = ?1",
                          &rows, error);
    code = code == SQLITE_OK ? sqlite3_bind_int64(rows, 1, catalogue->generation) : code;
    while (code == SQLITE_OK && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        live->weights.gamma = sqlite3_column_double(rows, 0);
        live->weights.exponent = sqlite3_column_double(rows, 1);
        code = read_part(rows, &live->weights, error);
    }
    code = catalogue_end(code, step, db, error);
    sqlite3_finalize(rows);
    return code;
}

int live_items_get(struct catalogue *catalogue, sqlite3 *db, const struct live_items **out,
                   char **error)
{
    struct status status = {0};
    struct live_items *live = catalogue->live;
    int code = SQLITE_OK;
    if (live == NULL) {
        live = sqlite3_malloc64(sizeof *live);
        if (live == NULL) {
            return SQLITE_NOMEM;
        }
        *live = (struct live_items){0};
        code = count_items(catalogue, db, live, error);
        code = code != SQLITE_OK ? code
                                 : live_code(make_room(catalogue, live, &status), &status, error);
        code = code != SQLITE_OK ? code : read_items(catalogue, db, live, error);
        code = code != SQLITE_OK ? code : read_facts(catalogue, db, live, error);
        code = code != SQLITE_OK ? code : read_weights(catalogue, db, live, error);
        if (code != SQLITE_OK) {
            free_items(live);
            return code;
        }
        for (size_t c = 0; c < live->n; c++) {
            live->powers[c] = (float)exp(live->weights.exponent * (double)live->log_counts[c]);
        }
        catalogue->live = live;
        catalogue->free_live = free_items;
    }
    *out = live;
    return SQLITE_OK;
}
