/* Rows of evidence by sparse accumulation. A row costs the partners of the history's items; its
 * maximum is taken before any of it is added to scores, so a row is made whole and handed out as
 * ascending entries that a tile of candidates can take its part of. */
#include "pairs/evidence.h"

#include "base/mem.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"

#include <float.h>
#include <math.h>

/* A sum is asked for so many entries ahead: sums lie anywhere in megabytes. */
enum { COLUMNS_AHEAD = 48 };

static enum status_code check_shape(const struct sparse *pairs, const struct artifact *artifact,
                                    size_t n_items, struct status *status)
{
    if (pairs->n_rows == n_items && pairs->n_columns == n_items && pairs->values != NULL) {
        return STATUS_OK;
    }
    return status_set(status, STATUS_DATA,
                      "artifact %s: %zu x %zu pairs for %zu items; the work database is damaged or "
                      "of another version: delete it",
                      artifact->name, pairs->n_rows, pairs->n_columns, n_items);
}

static enum status_code weigh_items(struct evidence *evidence, enum evidence_kind kind,
                                    const struct dataset *dataset, struct status *status)
{
    int64_t *counts = NULL;
    enum status_code code;
    TRY(MEM_NEW(&counts, dataset->n_items, status));
    TRY(MEM_NEW(&evidence->history_weight, dataset->n_items, status));
    TRY(MEM_NEW(&evidence->log_count, dataset->n_items, status));
    dataset_item_counts(dataset, counts);
    for (size_t i = 0; i < dataset->n_items; i++) {
        const double users = counts[i] > 1 ? (double)counts[i] : 1.0;
        evidence->history_weight[i] =
            kind == EVIDENCE_CO_INTERACTION ? (float)(1.0 / sqrt(users)) : 1.0f;
        evidence->log_count[i] = (float)log(users);
    }
done:
    mem_free(counts);
    return code;
}

enum status_code evidence_load_renumbered(struct evidence *evidence, enum evidence_kind kind,
                                          const struct artifact *artifact, enum basis basis,
                                          const int32_t *item_of, size_t n_before,
                                          const struct dataset *dataset, bool *found,
                                          struct status *status)
{
    struct evidence made = {0};
    struct sparse stored = {0};
    bool has_pairs = false;
    enum status_code code = STATUS_OK;
    if (artifact != NULL) {
        const char *slot = kind == EVIDENCE_TRANSITIONS ? pairs_transition_slots[basis]
                           : kind == EVIDENCE_RIDGE     ? pairs_ridge_slots[basis]
                                                        : pairs_evidence_slots[basis];
        TRY(sparse_load(&stored, artifact, slot, &has_pairs, status));
    }
    if (has_pairs) {
        TRY(check_shape(&stored, artifact, n_before, status));
        made.pairs = stored;
        if (item_of != NULL) {
            made.pairs = (struct sparse){0};
            made.owns_pairs = true;
            TRY(sparse_renumber(&stored, item_of, dataset->n_items, &made.pairs, status));
        }
        TRY(weigh_items(&made, kind, dataset, status));
    }
    *evidence = made;
    *found = has_pairs;
    made = (struct evidence){0};
done:
    evidence_release(&made);
    return code;
}

enum status_code evidence_load(struct evidence *evidence, enum evidence_kind kind,
                               const struct artifact *artifact, enum basis basis,
                               const struct dataset *dataset, bool *found, struct status *status)
{
    return evidence_load_renumbered(evidence, kind, artifact, basis, NULL, dataset->n_items,
                                    dataset, found, status);
}

enum status_code evidence_of_own(struct evidence *evidence, size_t n_items, struct status *status)
{
    struct evidence made = {.owns_pairs = true};
    enum status_code code;
    TRY(sparse_init(&made.pairs, n_items, n_items, n_items, true, status));
    TRY(MEM_NEW(&made.history_weight, n_items, status));
    TRY(MEM_NEW(&made.log_count, n_items, status));
    for (size_t i = 0; i < n_items; i++) {
        made.pairs.columns[i] = (int32_t)i;
        made.pairs.values[i] = made.history_weight[i] = 1;
        made.pairs.offsets[i + 1] = (int64_t)i + 1;
    }
    *evidence = made;
    made = (struct evidence){0};
done:
    evidence_release(&made);
    return code;
}

void evidence_release(struct evidence *evidence)
{
    if (evidence->owns_pairs) {
        sparse_release(&evidence->pairs);
    }
    mem_free(evidence->history_weight);
    mem_free(evidence->log_count);
    *evidence = (struct evidence){0};
}

void evidence_powers(const struct evidence *evidence, double exponent, float *out)
{
    for (size_t i = 0; i < evidence->pairs.n_rows; i++) {
        out[i] = (float)exp(exponent * (double)evidence->log_count[i]);
    }
}

enum status_code evidence_scratch_init(struct evidence_scratch *scratch,
                                       const struct evidence *evidence, struct status *status)
{
    enum status_code code;
    TRY(MEM_NEW(&scratch->sums, evidence->pairs.n_rows, status));
    TRY(index_set_init(&scratch->touched, evidence->pairs.n_rows, status));
done:
    if (code != STATUS_OK) {
        evidence_scratch_release(scratch);
    }
    return code;
}

void evidence_scratch_release(struct evidence_scratch *scratch)
{
    mem_free(scratch->sums);
    index_set_release(&scratch->touched);
    *scratch = (struct evidence_scratch){0};
}

size_t evidence_row_bound(const struct evidence *evidence, const int32_t *history, size_t n)
{
    size_t bound = 0;
    for (size_t h = 0; h < n; h++) {
        bound += sparse_row_length(&evidence->pairs, (size_t)history[h]);
    }
    return bound < evidence->pairs.n_rows ? bound : evidence->pairs.n_rows;
}

/* Asks for the sum that is added to COLUMNS_AHEAD entries after entry e of a history's item, which
 * may be one of its next item. */
static void prefetch_sum(const struct sparse *pairs, const float *sums, int64_t e, int32_t item,
                         const int32_t *next_item)
{
    int64_t ahead = e + COLUMNS_AHEAD;
    int64_t end = pairs->offsets[item + 1];
    if (ahead >= end && next_item != NULL) {
        ahead = pairs->offsets[*next_item] + (ahead - end);
        end = pairs->offsets[*next_item + 1];
    }
    if (ahead < end) {
        mem_prefetch(&sums[pairs->columns[ahead]], sizeof *sums);
    }
}

static float weight_of(const struct evidence *evidence, const int32_t *history,
                       const float *weights, size_t h)
{
    return evidence->history_weight[history[h]] * (weights == NULL ? 1 : weights[h]);
}

/* A history that has as much to say as there are items: its sums are looked through, which costs
 * less than to remember which of them it touched. columns and values hold n_items elements. */
static size_t row_of_many(const struct evidence *evidence, float *sums, const int32_t *history,
                          const float *weights, size_t n, int32_t *columns, float *values)
{
    const struct sparse *pairs = &evidence->pairs;
    size_t n_entries = 0;
    for (size_t h = 0; h < n; h++) {
        const float weight = weight_of(evidence, history, weights, h);
        const int64_t end = weight == 0 ? 0 : pairs->offsets[history[h] + 1];
        for (int64_t e = pairs->offsets[history[h]]; e < end; e++) {
            sums[pairs->columns[e]] += weight * pairs->values[e];
        }
    }
    for (size_t i = 0; i < pairs->n_rows; i++) {
        columns[n_entries] = (int32_t)i;
        values[n_entries] = sums[i];
        n_entries += sums[i] != 0 ? 1 : 0;
    }
    memset(sums, 0, pairs->n_rows * sizeof *sums);
    return n_entries;
}

size_t evidence_row(const struct evidence *evidence, struct evidence_scratch *scratch,
                    const int32_t *history, const float *weights, size_t n, int32_t *columns,
                    float *values)
{
    const struct sparse *pairs = &evidence->pairs;
    float *sums = scratch->sums;
    if (evidence_row_bound(evidence, history, n) == pairs->n_rows) {
        return row_of_many(evidence, sums, history, weights, n, columns, values);
    }
    for (size_t h = 0; h < n; h++) {
        const float weight = weight_of(evidence, history, weights, h);
        if (weight == 0) {
            continue;
        }
        const int32_t *next_item = h + 1 < n ? &history[h + 1] : NULL;
        const int64_t end = pairs->offsets[history[h] + 1];
        for (int64_t e = pairs->offsets[history[h]]; e < end; e++) {
            prefetch_sum(pairs, sums, e, history[h], next_item);
            sums[pairs->columns[e]] += weight * pairs->values[e];
            index_set_add(&scratch->touched, pairs->columns[e]);
        }
    }
    const size_t n_entries = index_set_drain(&scratch->touched, columns);
    for (size_t e = 0; e < n_entries; e++) {
        values[e] = sums[columns[e]];
        sums[columns[e]] = 0;
    }
    return n_entries;
}

float evidence_norm(const int32_t *columns, const float *values, size_t n_entries,
                    const int32_t *history, size_t n, const float *powers)
{
    float most = 0;
    size_t h = 0;
    for (size_t e = 0; e < n_entries; e++) {
        while (h < n && history[h] < columns[e]) {
            h++;
        }
        if (h < n && history[h] == columns[e]) {
            continue;
        }
        const float share = powers == NULL ? values[e] : values[e] * powers[columns[e]];
        most = share > most ? share : most;
    }
    /* a smaller maximum has no finite reciprocal worth the name */
    return most > FLT_MIN * 1e6f ? 1 / most : 0;
}
