/* Arrays over the items, and over the entries of histories, for one set of weights. */
#include "ranking/score.h"
#include "base/num.h"
#include "base/clock.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

const char *const score_part_names[] = {"evidence", "transitions", "own", "had", "ridge", NULL};

/* What counts less is not looked at: old items are many. */
static const float least_weight = 1e-5f;

void score_popularity(const struct embeddings *embeddings, double half_life, size_t n_items,
                      double *terms)
{
    const bool is_learned = embeddings->item_bias != NULL && half_life == 0;
    for (size_t i = 0; i < n_items; i++) {
        terms[i] = is_learned ? (double)embeddings->item_bias[i] : log1p(terms[i]);
    }
}

void score_popularity_weigh(const double *terms, size_t n_items, double beta, float *out)
{
    for (size_t i = 0; i < n_items; i++) {
        out[i] = (float)(beta * terms[i]);
    }
}

/* ---- what an entry of a history counts ---- */

struct entry {
    int64_t time;
    size_t at; /* in the row */
};

static int newest_first(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return num_compare_pairs(y->time, x->time, x->at, y->at);
}

/* out (n) of one history: 2^(-place / half_places), items of one time sharing the mean place. */
static void weigh_places(const int64_t *times, size_t n, double half_places, struct entry *entries,
                         float *out)
{
    for (size_t e = 0; e < n; e++) {
        entries[e] = (struct entry){times[e], e};
    }
    qsort(entries, n, sizeof *entries, newest_first);
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && entries[end].time == entries[first].time;) {
            end++;
        }
        const double place = (double)(first + end - 1) / 2;
        for (size_t e = first; e < end; e++) {
            out[entries[e].at] *= (float)exp2(-place / half_places);
        }
    }
}

int64_t score_now(const struct dataset *dataset, const struct history *histories)
{
    const struct history *both[] = {&dataset->train, histories};
    int64_t now = 0;
    for (size_t h = 0; h < 2; h++) {
        const int64_t newest = history_newest(both[h]);
        now = newest > now ? newest : now;
    }
    return now;
}

enum status_code score_entry_weights(const struct score_part *part, const struct history *histories,
                                     int64_t now, float *out, struct status *status)
{
    const struct sparse *matrix = &histories->matrix;
    const size_t n_entries = sparse_entries(matrix);
    const bool by_place = part->half_places > 0 && histories->times != NULL;
    const bool by_age = part->half_life > 0 && histories->times != NULL;
    struct entry *entries = NULL;
    size_t longest = 0;
    enum status_code code;
    for (size_t row = 0; row < matrix->n_rows; row++) {
        const size_t n = sparse_row_length(matrix, row);
        longest = n > longest ? n : longest;
    }
    TRY(MEM_NEW(&entries, by_place ? longest : 0, status));
    for (size_t e = 0; e < n_entries; e++) {
        const double age = by_age ? ((double)now - (double)histories->times[e]) / CLOCK_DAY : 0;
        const double share = by_age ? exp2(-age / part->half_life) : 1;
        const double weight = matrix->values == NULL ? 1 : (double)matrix->values[e];
        out[e] = (float)(part->kind == SCORE_OWN ? log1p(weight * share) : share);
    }
    for (size_t row = 0; by_place && row < matrix->n_rows; row++) {
        const int64_t first = matrix->offsets[row];
        weigh_places(histories->times + first, sparse_row_length(matrix, row), part->half_places,
                     entries, out + first);
    }
    for (size_t e = 0; e < n_entries; e++) {
        out[e] = out[e] < least_weight ? 0 : out[e];
    }
done:
    mem_free(entries);
    return code;
}

/* ---- the parts in an artifact ---- */

enum { N_PART_COLUMNS = 4 };
static const char *const part_slots[N_PART_COLUMNS] = {"part.kind", "part.half_life",
                                                       "part.half_places", "part.weight"};

enum status_code score_parts_save(const struct score_weights *weights, struct artifact *artifact,
                                  struct status *status)
{
    double columns[N_PART_COLUMNS][SCORE_PARTS_MAX];
    enum status_code code = STATUS_OK;
    for (size_t p = 0; p < weights->n_parts; p++) {
        const struct score_part *part = &weights->parts[p];
        columns[0][p] = (double)part->kind;
        columns[1][p] = part->half_life;
        columns[2][p] = part->half_places;
        columns[3][p] = part->weight;
    }
    for (size_t c = 0; c < N_PART_COLUMNS; c++) {
        TRY(artifact_copy(artifact, part_slots[c], ARRAY_F64, weights->n_parts, 1, columns[c],
                          status));
    }
done:
    return code;
}

enum status_code score_parts_load(struct score_weights *weights, const struct artifact *artifact,
                                  struct status *status)
{
    const double *columns[N_PART_COLUMNS];
    size_t n[N_PART_COLUMNS];
    enum status_code code = STATUS_OK;
    for (size_t c = 0; c < N_PART_COLUMNS; c++) {
        const void *data;
        TRY(artifact_get(artifact, part_slots[c], ARRAY_F64, &data, &n[c], NULL, status));
        columns[c] = data;
    }
    bool is_sound = n[0] <= SCORE_PARTS_MAX && n[1] == n[0] && n[2] == n[0] && n[3] == n[0];
    for (size_t p = 0; is_sound && p < n[0]; p++) {
        const double kind = columns[0][p];
        is_sound = kind >= 0 && kind < N_SCORE_PART_KINDS && kind == floor(kind);
        for (size_t c = 1; c < N_PART_COLUMNS; c++) {
            is_sound = is_sound && columns[c][p] >= 0 && isfinite(columns[c][p]);
        }
    }
    if (!is_sound) {
        return status_set(status, STATUS_DATA,
                          "artifact %s: the parts of the score make no sense; the work database is "
                          "damaged or of another version: delete it",
                          artifact->name);
    }
    weights->n_parts = n[0];
    for (size_t p = 0; p < n[0]; p++) {
        weights->parts[p] = (struct score_part){(enum score_part_kind)columns[0][p], columns[1][p],
                                                columns[2][p], columns[3][p]};
    }
done:
    return code;
}

/* ---- the parts as they are shown ---- */

/* Its kind, and what of a history it looks at: "evidence:30d", "transitions:4", "own:all". */
static struct score_term term_of(const struct score_part *part)
{
    struct score_term term = {.weight = part->weight};
    char age[16] = "", places[16] = "";
    if (part->half_life > 0) {
        snprintf(age, sizeof age, ":%.4gd", part->half_life);
    }
    if (part->half_places > 0) {
        snprintf(places, sizeof places, ":%.4g", part->half_places);
    }
    snprintf(term.name, sizeof term.name, "%s%s%s%s", score_part_names[part->kind], age, places,
             age[0] == '\0' && places[0] == '\0' ? ":all" : "");
    return term;
}

bool score_weighs(const struct score_weights *weights, enum score_part_kind kind)
{
    bool weighs = kind == SCORE_EVIDENCE && weights->gamma > 0;
    for (size_t p = 0; p < weights->n_parts; p++) {
        weighs = weighs || (weights->parts[p].kind == kind && weights->parts[p].weight > 0);
    }
    return weighs;
}

size_t score_terms(const struct score_weights *weights, double temperature,
                   struct score_term terms[SCORE_TERMS_MAX])
{
    size_t n = 0;
    terms[n++] = (struct score_term){"cosine", 1 / temperature};
    terms[n++] = (struct score_term){"popularity", weights->beta};
    if (weights->gamma > 0) {
        terms[n++] = (struct score_term){"evidence", weights->gamma};
    }
    for (size_t p = 0; p < weights->n_parts; p++) {
        const struct score_part *part = &weights->parts[p];
        if (part->weight > 0) {
            terms[n++] = term_of(part);
        }
    }
    terms[n++] = (struct score_term){"boost", 1};
    return n;
}

void score_parts_tell(const struct score_weights *weights, struct buf *out)
{
    const char *comma = "";
    buf_add_char(out, '[');
    for (size_t p = 0; p < weights->n_parts; p++) {
        const struct score_part *part = &weights->parts[p];
        const struct score_term term = term_of(part);
        if (part->weight > 0) {
            buf_addf(out,
                     "%s{\"part\":\"%s\",\"half_life_days\":%.17g,\"half_places\":%.17g,"
                     "\"weight\":%.17g}",
                     comma, term.name, part->half_life, part->half_places, part->weight);
            comma = ",";
        }
    }
    buf_add_char(out, ']');
}

/* ---- the score ---- */

static const struct evidence *or_null(const struct evidence *evidence)
{
    return evidence->history_weight == NULL ? NULL : evidence;
}

struct score_sources score_sources_of(const struct score_products *products)
{
    return (struct score_sources){or_null(&products->evidence), or_null(&products->transitions),
                                  or_null(&products->own), or_null(&products->ridge)};
}

void score_products_release(struct score_products *products)
{
    evidence_release(&products->evidence);
    evidence_release(&products->transitions);
    evidence_release(&products->own);
    evidence_release(&products->ridge);
}

const struct evidence *score_source(const struct score_sources *sources, enum score_part_kind kind)
{
    return kind == SCORE_EVIDENCE      ? sources->evidence
           : kind == SCORE_TRANSITIONS ? sources->transitions
           : kind == SCORE_RIDGE       ? sources->ridge
                                       : sources->own;
}

/* One more evidence; `part` NULL: the one that gamma weighs. */
static enum status_code add_evidence(struct score *score, const struct score_sources *sources,
                                     const struct score_part *part, double gamma, int64_t now,
                                     struct status *status)
{
    const enum score_part_kind kind = part == NULL ? SCORE_EVIDENCE : part->kind;
    const size_t t = score->n_evidence;
    enum status_code code = STATUS_OK;
    if (part != NULL && (part->half_life > 0 || part->half_places > 0 || part->kind == SCORE_OWN)) {
        TRY(MEM_NEW(&score->entry_weights[t], sparse_entries(&score->histories->matrix), status));
        TRY(score_entry_weights(part, score->histories, now, score->entry_weights[t], status));
    }
    score->gammas[t] = gamma;
    score->evidence[t] =
        (struct ranking_evidence){.evidence = score_source(sources, kind),
                                  .entry_weights = score->entry_weights[t],
                                  .is_absolute = kind == SCORE_OWN || kind == SCORE_HAD,
                                  .of_all = score->repeats,
                                  .gammas = &score->gammas[t],
                                  .powers = &score->power_rows[kind == SCORE_EVIDENCE ? 0 : 1]};
    score->n_evidence++;
done:
    return code;
}

enum status_code score_init(struct score *score, const struct crowd *crowd,
                            const struct embeddings *embeddings, const struct dataset *dataset,
                            const struct score_sources *sources, const struct history *histories,
                            const struct score_weights *weights, struct status *status)
{
    static const struct crowd everybody = {0};
    const struct crowd *of = crowd == NULL ? &everybody : crowd;
    int64_t now = weights->n_parts > 0 ? score_now(dataset, histories) : 0;
    double *popularity = NULL;
    enum status_code code;
    TRY(ranks_max_int64(of->ranks, &now, 1, status));
    TRY(MEM_NEW(&popularity, embeddings->items.rows, status));
    TRY(crowd_popularity(of, &dataset->train, weights->half_life, popularity, status));
    TRY(score_init_at(score, embeddings, dataset->repeats, sources, histories, weights, popularity,
                      now, status));
done:
    mem_free(popularity);
    return code;
}

enum status_code score_init_at(struct score *score, const struct embeddings *embeddings,
                               bool repeats, const struct score_sources *sources,
                               const struct history *histories, const struct score_weights *weights,
                               double *popularity, int64_t now, struct status *status)
{
    const size_t n_items = embeddings->items.rows, n_cold = embeddings->cold_items.rows;
    enum status_code code;
    TRY(MEM_NEW(&score->bias, n_items + n_cold, status));
    score_popularity(embeddings, weights->half_life, n_items, popularity);
    score_popularity_weigh(popularity, n_items, weights->beta, score->bias);
    const float cold_bias = embeddings_cold_bias(embeddings->item_bias, n_items, weights->beta);
    for (size_t i = 0; i < n_cold; i++) {
        score->bias[n_items + i] = cold_bias;
    }
    TRY(MEM_NEW(&score->powers, 2 * n_items, status));
    for (size_t i = 0; i < 2 * n_items; i++) {
        score->powers[i] = 1;
    }
    if (sources->evidence != NULL) {
        evidence_powers(sources->evidence, weights->exponent, score->powers);
    }
    score->scale = (float)(1.0 / embeddings->temperature);
    score->histories = histories;
    score->repeats = repeats;
    score->bias_rows[0] = score->bias;
    score->power_rows[0] = score->powers;
    score->power_rows[1] = score->powers + n_items;
    if (weights->gamma > 0) {
        TRY(add_evidence(score, sources, NULL, weights->gamma, now, status));
    }
    for (size_t p = 0; p < weights->n_parts; p++) {
        const struct score_part *part = &weights->parts[p];
        if (part->weight > 0) {
            TRY(add_evidence(score, sources, part, part->weight, now, status));
        }
    }
done:
    if (code != STATUS_OK) {
        score_release(score);
    }
    return code;
}

void score_release(struct score *score)
{
    mem_free(score->bias);
    mem_free(score->powers);
    for (size_t t = 0; t <= SCORE_PARTS_MAX; t++) {
        mem_free(score->entry_weights[t]);
    }
    *score = (struct score){0};
}

void score_apply(const struct score *score, const int32_t *rows, struct ranking *ranking)
{
    ranking->scale = score->scale;
    ranking->n_biases = 1;
    ranking->biases = score->bias_rows;
    ranking->n_evidence = score->n_evidence;
    ranking->evidence = score->evidence;
    ranking->histories = &score->histories->matrix;
    ranking->history_rows = rows;
}

enum status_code score_check(const struct score_weights *weights,
                             const struct score_sources *sources, const char *stage,
                             struct status *status)
{
    const char *missing = weights->gamma > 0 && sources->evidence == NULL ? "evidence" : NULL;
    for (size_t p = 0; p < weights->n_parts; p++) {
        const enum score_part_kind kind = weights->parts[p].kind;
        if (score_source(sources, kind) == NULL) {
            missing = score_part_names[kind];
        }
    }
    return missing == NULL ? STATUS_OK
                           : status_set(status, STATUS_INTERNAL,
                                        "%s: the calibration weighs %s, of which the pairs have "
                                        "none; run again with --force",
                                        stage, missing);
}
