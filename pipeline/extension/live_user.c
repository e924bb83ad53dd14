/* What is stored of a user, and what came since. */
#include "extension/live_score.h"

#include "base/mem.h"
#include "math/vec.h"

#include <math.h>
#include <string.h>

void live_user_release(struct live_user *user)
{
    mem_free(user->items);
    mem_free(user->weights);
    mem_free(user->times);
    mem_free(user->barred);
    *user = (struct live_user){0};
}

/* Room for so many more items. */
static enum status_code grow(struct live_user *user, size_t more, struct status *status)
{
    const size_t wider = user->n + more, all = user->n_barred + more;
    enum status_code code;
    TRY(MEM_RESIZE(&user->items, user->n, wider, status));
    TRY(MEM_RESIZE(&user->weights, user->n, wider, status));
    TRY(MEM_RESIZE(&user->times, user->n, wider, status));
    TRY(MEM_RESIZE(&user->barred, user->n_barred, all, status));
done:
    return code;
}

/* Whether every item is a candidate, and those of the history ascend. */
static bool is_sound(const struct live_user *user, size_t n_candidates)
{
    bool sound = codes_are_sound(user->items, user->n, n_candidates);
    for (size_t b = 0; b < user->n_barred; b++) {
        sound = sound && codes_are_sound(&user->barred[b], 1, n_candidates);
    }
    return sound;
}

static int copy_user(const struct live_items *live, sqlite3_stmt *row, struct live_user *user,
                     char **error)
{
    struct status status = {0};
    const size_t n = (size_t)sqlite3_column_bytes(row, 1) / sizeof *user->items;
    const size_t n_barred = (size_t)sqlite3_column_bytes(row, 4) / sizeof *user->barred;
    if ((size_t)sqlite3_column_bytes(row, 2) != n * sizeof *user->weights ||
        (size_t)sqlite3_column_bytes(row, 3) != n * sizeof *user->times) {
        return live_damaged("score_users", error);
    }
    int code = live_code(grow(user, n > n_barred ? n : n_barred, &status), &status, error);
    if (code == SQLITE_OK) {
        user->segment = sqlite3_column_int(row, 0);
        user->n = n;
        user->n_barred = n_barred;
        if (n > 0) {
            memcpy(user->items, sqlite3_column_blob(row, 1), n * sizeof *user->items);
            memcpy(user->weights, sqlite3_column_blob(row, 2), n * sizeof *user->weights);
            memcpy(user->times, sqlite3_column_blob(row, 3), n * sizeof *user->times);
        }
        if (n_barred > 0) {
            memcpy(user->barred, sqlite3_column_blob(row, 4), n_barred * sizeof *user->barred);
        }
        code = is_sound(user, live->n) ? SQLITE_OK : live_damaged("score_users", error);
    }
    return code;
}

static int read_vector(const struct catalogue *catalogue, sqlite3 *db, sqlite3_value *id,
                       struct live_user *user, float *vector, char **error)
{
    const size_t bytes = catalogue->dimension * sizeof *vector;
    sqlite3_stmt *row = NULL;
    int step = SQLITE_DONE;
    int code = catalogue_prepare(catalogue, db, "user_embeddings",
                                 "SELECT embedding, source FROM $ WHERE user_id = ?1", &row, error);
    code = code == SQLITE_OK ? sqlite3_bind_value(row, 1, id) : code;
    if (code == SQLITE_OK && (step = sqlite3_step(row)) == SQLITE_ROW) {
        if ((size_t)sqlite3_column_bytes(row, 0) != bytes) {
            code = catalogue_fail(
                error, sqlite3_mprintf("nightjar_recommend: the user has no embedding of %d "
                                       "components",
                                       (int)catalogue->dimension));
        } else {
            memcpy(vector, sqlite3_column_blob(row, 0), bytes);
            user->has_vector = true;
            user->is_cold = strcmp((const char *)sqlite3_column_text(row, 1), "model") != 0;
        }
    }
    code = catalogue_end(code, step, db, error);
    sqlite3_finalize(row);
    return code;
}

int live_user_read(const struct catalogue *catalogue, const struct live_items *live, sqlite3 *db,
                   sqlite3_value *id, struct live_user *user, float *vector, char **error)
{
    sqlite3_stmt *row = NULL;
    int step = SQLITE_DONE;
    *user = (struct live_user){.segment = -1};
    int code = read_vector(catalogue, db, id, user, vector, error);
    if (code != SQLITE_OK) {
        return code;
    }
    code = catalogue_prepare_table(
        catalogue, db, "score_users",
        "SELECT segment, items, weights, times, barred FROM $ WHERE \"user\" = ?1", &row, error);
    code = code == SQLITE_OK ? sqlite3_bind_value(row, 1, id) : code;
    if (code == SQLITE_OK && (step = sqlite3_step(row)) == SQLITE_ROW) {
        code = copy_user(live, row, user, error);
    }
    code = catalogue_end(code, step, db, error);
    sqlite3_finalize(row);
    return code;
}

/* The history with the candidate as its newest item; `place` counts the new ones. */
static void put_newest(const struct live_items *live, struct live_user *user, int32_t candidate,
                       int64_t place)
{
    size_t at = 0;
    user->barred[user->n_barred++] = candidate;
    if ((size_t)candidate >= live->n_known) {
        return; /* of which no evidence knows */
    }
    while (at < user->n && user->items[at] < candidate) {
        at++;
    }
    if (at == user->n || user->items[at] != candidate) {
        const size_t behind = user->n++ - at;
        memmove(user->items + at + 1, user->items + at, behind * sizeof *user->items);
        memmove(user->weights + at + 1, user->weights + at, behind * sizeof *user->weights);
        memmove(user->times + at + 1, user->times + at, behind * sizeof *user->times);
        user->items[at] = candidate;
        user->weights[at] = 1;
    }
    user->times[at] = live->time + place;
}

/* vector (dimension) = the normalised sum; as it was where that has no direction. */
static void set_vector(const double *sum, size_t dimension, struct live_user *user, float *vector)
{
    const bool has_direction = vec_unit_of_sum(sum, dimension, vector);
    user->is_cold = user->is_cold || !user->has_vector;
    user->has_vector = user->has_vector || has_direction;
}

int live_user_add(const struct catalogue *catalogue, const struct live_items *live, sqlite3 *db,
                  sqlite3_value *json, struct live_user *user, float *vector, char **error)
{
    const size_t d = catalogue->dimension;
    struct status status = {0};
    sqlite3_stmt *rows = NULL;
    double *sum = NULL;
    int step = SQLITE_DONE;
    int64_t place = 0;
    int code = sqlite3_prepare_v2(db, "SELECT value FROM json_each(?1)", -1, &rows, NULL);
    code = code == SQLITE_OK ? sqlite3_bind_value(rows, 1, json) : code;
    code = code == SQLITE_OK ? live_code(MEM_NEW(&sum, d, &status), &status, error) : code;
    for (size_t j = 0; code == SQLITE_OK && user->has_vector && j < d; j++) {
        sum[j] = (double)vector[j] * fmax(1, (double)user->n);
    }
    while (code == SQLITE_OK && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        const int32_t item = catalogue_find(catalogue, sqlite3_column_value(rows, 0));
        if (item < 0 || live->candidate_of[item] < 0) {
            continue;
        }
        code = live_code(grow(user, 1, &status), &status, error);
        if (code == SQLITE_OK) {
            put_newest(live, user, live->candidate_of[item], ++place);
            for (size_t j = 0; j < d; j++) {
                sum[j] += (double)catalogue->vectors[(size_t)item * d + j];
            }
        }
    }
    if (code == SQLITE_OK && step != SQLITE_DONE) {
        code = catalogue_fail(error,
                              sqlite3_mprintf("nightjar_recommend: the items are no JSON array: %s",
                                              sqlite3_errmsg(db)));
    }
    if (code == SQLITE_OK && place > 0) {
        set_vector(sum, d, user, vector);
    }
    sqlite3_finalize(rows);
    mem_free(sum);
    return code;
}
