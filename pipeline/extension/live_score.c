/* Summing up. Readers of what is stored are live_items.c and live_user.c. */
#include "extension/live_score.h"

#include "base/mem.h"
#include "math/vec.h"

#include <math.h>
#include <string.h>

/* What a term needs, by candidate. */
struct summing {
    const struct catalogue *catalogue;
    const struct live_items *live;
    sqlite3 *db;
    const struct live_user *user;
    float *scores;        /* (live->n) */
    float *entry_weights; /* (user->n) */
    char **error;
};

/* The pairs of the history's items in a source, 0: evidence, 1: transitions, 2: ridge; every other
 * row is empty. `out` zeroed, sparse_release. */
static int read_pairs(const struct summing *summing, int64_t source, struct sparse *out)
{
    const struct live_user *user = summing->user;
    const size_t n = summing->live->n;
    struct status status = {0};
    sqlite3_stmt *row = NULL;
    size_t used = 0, at = 0;
    int step = SQLITE_DONE;
    int code =
        catalogue_prepare_table(summing->catalogue, summing->db, "score_pairs",
                                "SELECT items, weights FROM $ WHERE id = ?1", &row, summing->error);
    code = code == SQLITE_OK
               ? live_code(sparse_init(out, n, n, 0, true, &status), &status, summing->error)
               : code;
    for (size_t h = 0; code == SQLITE_OK && h < user->n; h++) {
        for (; at <= (size_t)user->items[h]; at++) {
            out->offsets[at] = (int64_t)used;
        }
        code = sqlite3_bind_int64(row, 1, source << 32 | user->items[h]);
        step = code == SQLITE_OK ? sqlite3_step(row) : SQLITE_DONE;
        if (step == SQLITE_ROW) {
            const size_t bytes = (size_t)sqlite3_column_bytes(row, 0), more = bytes / 4;
            code = live_code(MEM_RESIZE(&out->columns, used, used + more, &status), &status,
                             summing->error);
            code = code == SQLITE_OK
                       ? live_code(MEM_RESIZE(&out->values, used, used + more, &status), &status,
                                   summing->error)
                       : code;
            if (code == SQLITE_OK && more > 0 && (size_t)sqlite3_column_bytes(row, 1) == bytes) {
                memcpy(out->columns + used, sqlite3_column_blob(row, 0), bytes);
                memcpy(out->values + used, sqlite3_column_blob(row, 1), bytes);
                code = codes_are_sound(out->columns + used, more, n)
                           ? SQLITE_OK
                           : live_damaged("score_pairs", summing->error);
                used += more;
            }
        }
        code = catalogue_end(code, step, summing->db, summing->error);
        sqlite3_reset(row);
    }
    for (; code == SQLITE_OK && at <= n; at++) {
        out->offsets[at] = (int64_t)used;
    }
    sqlite3_finalize(row);
    return code;
}

/* Adds gamma norm c(u, i) n_i^p of a source, as ranking.h says. */
static enum status_code add_evidence(const struct summing *summing, const struct evidence *evidence,
                                     double gamma, const float *entry_weights, const float *powers,
                                     struct status *status)
{
    const struct live_user *user = summing->user;
    struct evidence_scratch scratch = {0};
    int32_t *columns = NULL;
    float *values = NULL;
    enum status_code code;
    const size_t bound = evidence_row_bound(evidence, user->items, user->n);
    TRY(evidence_scratch_init(&scratch, evidence, status));
    TRY(MEM_NEW(&columns, bound, status));
    TRY(MEM_NEW(&values, bound, status));
    const size_t n =
        evidence_row(evidence, &scratch, user->items, entry_weights, user->n, columns, values);
    const float factor = (float)gamma * evidence_norm(columns, values, n, user->items,
                                                      summing->live->repeats ? 0 : user->n, powers);
    for (size_t e = 0; e < n; e++) {
        summing->scores[columns[e]] +=
            factor * (powers == NULL ? values[e] : values[e] * powers[columns[e]]);
    }
done:
    evidence_scratch_release(&scratch);
    mem_free(columns);
    mem_free(values);
    return code;
}

/* What the user's own items say about themselves. */
static void add_own(const struct summing *summing, double gamma, const float *entry_weights)
{
    for (size_t h = 0; h < summing->user->n; h++) {
        summing->scores[summing->user->items[h]] +=
            (float)gamma * (entry_weights == NULL ? 1 : entry_weights[h]);
    }
}

/* One term of the score; `part` NULL: the evidence that gamma weighs. */
static int add_term(const struct summing *summing, const struct score_part *part, double gamma)
{
    const struct live_items *live = summing->live;
    const struct live_user *user = summing->user;
    const enum score_part_kind kind = part == NULL ? SCORE_EVIDENCE : part->kind;
    struct status status = {0};
    struct sparse pairs = {0};
    const float *weights = NULL;
    int code = SQLITE_OK;
    if (part != NULL && (part->half_life > 0 || part->half_places > 0 || kind == SCORE_OWN)) {
        int64_t offsets[2] = {0, (int64_t)user->n};
        const struct history history = {.matrix = {1, live->n, offsets, user->items, user->weights},
                                        .times = live->has_times ? user->times : NULL};
        code = live_code(
            score_entry_weights(part, &history, live->time, summing->entry_weights, &status),
            &status, summing->error);
        weights = summing->entry_weights;
    }
    if (kind == SCORE_OWN || kind == SCORE_HAD) {
        if (code == SQLITE_OK) {
            add_own(summing, gamma, weights);
        }
        return code;
    }
    const int64_t source = kind == SCORE_EVIDENCE ? 0 : kind == SCORE_TRANSITIONS ? 1 : 2;
    code = code == SQLITE_OK ? read_pairs(summing, source, &pairs) : code;
    if (code == SQLITE_OK) {
        const struct evidence evidence = {
            .pairs = pairs,
            .history_weight = kind == SCORE_EVIDENCE ? live->history_weights : live->ones,
            .log_count = live->log_counts};
        code = live_code(add_evidence(summing, &evidence, gamma, weights,
                                      kind == SCORE_EVIDENCE ? live->powers : NULL, &status),
                         &status, summing->error);
    }
    sparse_release(&pairs);
    return code;
}

/* Cosine, popularity and boosts. */
static void start_scores(const struct summing *summing, const float *vector)
{
    const struct catalogue *catalogue = summing->catalogue;
    const struct live_items *live = summing->live;
    const size_t d = catalogue->dimension;
    const float scale = (float)(1 / catalogue->temperature);
    const struct vec_ops *vec = vec_ops();
    for (size_t c = 0; c < live->n; c++) {
        const int32_t item = live->item_of[c];
        summing->scores[c] =
            item < 0 ? NAN
                     : scale * vec->dot(vector, catalogue->vectors + (size_t)item * d, d) +
                           catalogue->biases[item] + live->boosts[c];
    }
}

/* Into the order of the catalogue, without what the user may not get. */
static void hand_out(const struct summing *summing, float *scores)
{
    const struct live_items *live = summing->live;
    const struct live_user *user = summing->user;
    for (size_t b = 0; b < user->n_barred; b++) {
        summing->scores[user->barred[b]] = NAN;
    }
    for (size_t i = 0; i < summing->catalogue->n; i++) {
        const int32_t c = live->candidate_of[i];
        const size_t segment = (size_t)(user->segment + 1);
        const bool may = c >= 0 && (segment >= live->width ||
                                    live->eligible[(size_t)c * live->width + segment] != 0);
        scores[i] = may ? summing->scores[c] : NAN;
    }
}

int live_score(const struct catalogue *catalogue, const struct live_items *live, sqlite3 *db,
               const struct live_user *user, const float *vector, float *scores, char **error)
{
    struct summing summing = {
        .catalogue = catalogue, .live = live, .db = db, .user = user, .error = error};
    struct status status = {0};
    int code = live_code(MEM_NEW(&summing.scores, live->n, &status), &status, error);
    code = code == SQLITE_OK
               ? live_code(MEM_NEW(&summing.entry_weights, user->n, &status), &status, error)
               : code;
    if (code == SQLITE_OK) {
        start_scores(&summing, vector);
    }
    if (code == SQLITE_OK && live->weights.gamma > 0) {
        code = add_term(&summing, NULL, live->weights.gamma);
    }
    for (size_t p = 0; code == SQLITE_OK && p < live->weights.n_parts; p++) {
        code = add_term(&summing, &live->weights.parts[p], live->weights.parts[p].weight);
    }
    if (code == SQLITE_OK) {
        hand_out(&summing, scores);
    }
    mem_free(summing.scores);
    mem_free(summing.entry_weights);
    return code;
}
