/* Inverted lists for serving: whether they are used, how many are looked into, and what that finds
 * of the exact lists. Everything is measured on lists as they are served: bias, evidence, what is
 * left out. */
#include "serving/serving_internal.h"

#include "base/mem.h"
#include "dataset/crowd.h"

#include <math.h>

/* Products in all lists together from which AUTO uses inverted lists: about five minutes on two
 * cores. */
static const double auto_products = 1e13;

/* Anchors of one sample; the probes are chosen on one and checked on another. */
enum { SAMPLE = 256 };

/* Lists of a sample: users, or candidates for similar items. Of users each rank has its own. */
struct sample {
    struct ranking ranking;
    float *anchors;         /* (2 SAMPLE, d) */
    int32_t *rows;          /* (2 SAMPLE) users' source codes, or candidates */
    struct sparse self;     /* of candidates: each its own row */
    int32_t *exact, *found; /* (2 SAMPLE, k) */
    float *scores;          /* (2 SAMPLE, k) */
    uint8_t *is_exact;      /* (candidates) of one list */
    uint8_t *half;          /* (2 SAMPLE) of the sample: that for choosing, or for checking */
    size_t n;
};

static void sample_release(struct sample *sample)
{
    mem_free(sample->anchors);
    mem_free(sample->rows);
    sparse_release(&sample->self);
    mem_free(sample->exact);
    mem_free(sample->found);
    mem_free(sample->scores);
    mem_free(sample->is_exact);
    mem_free(sample->half);
}

static enum status_code sample_init(struct sample *sample, const struct serving *serving, size_t k,
                                    struct status *status)
{
    const size_t d = serving->candidates.columns;
    enum status_code code;
    TRY(MEM_NEW(&sample->anchors, 2 * SAMPLE * d, status));
    TRY(MEM_NEW(&sample->rows, 2 * SAMPLE, status));
    TRY(MEM_NEW(&sample->exact, 2 * SAMPLE * k, status));
    TRY(MEM_NEW(&sample->found, 2 * SAMPLE * k, status));
    TRY(MEM_NEW(&sample->scores, 2 * SAMPLE * k, status));
    TRY(MEM_NEW(&sample->is_exact, serving->n_candidates, status));
    TRY(MEM_NEW(&sample->half, 2 * SAMPLE, status));
    sample->ranking = (struct ranking){.candidates = serving->candidates,
                                       .exclude_rows = sample->rows,
                                       .tie_rank = serving->tie_rank,
                                       .k = k};
    /* with segments, no one set of eligible items is everybody's */
    if (serving->request->rules == NULL || serving->request->rules->segments.n == 0) {
        sample->ranking.eligible = serving->eligible;
    }
done:
    return code;
}

static void sample_add(struct sample *sample, const struct serving *serving, int32_t row,
                       const float *vector, size_t half)
{
    const size_t d = serving->candidates.columns;
    sample->half[sample->n] = (uint8_t)half;
    memcpy(sample->anchors + sample->n * d, vector, d * sizeof *vector);
    sample->rows[sample->n++] = row;
}

/* Users of the towers that get lists. */
static enum status_code sample_users(struct sample *sample, const struct serving *serving,
                                     struct status *status)
{
    const struct serving_request *request = serving->request;
    const struct const_matrix users = request->embeddings->users;
    const struct crowd crowd = crowd_of(request->ranks, request->interactions, serving->dataset);
    int32_t *rows = NULL;
    size_t n = 0;
    enum status_code code;
    TRY(MEM_NEW(&rows, users.rows, status));
    for (size_t row = 0; row < users.rows; row++) {
        if (serving->user_place[serving->dataset->users[row]] >= 0) {
            rows[n++] = (int32_t)row;
        }
    }
    TRY(crowd_sample(&crowd, rows, &n, 2 * SAMPLE, request->seed, "serving.index", status));
    for (size_t i = 0; i < n; i++) {
        const size_t row = (size_t)rows[i];
        sample_add(sample, serving, serving->dataset->users[row], users.data + row * users.stride,
                   shard_of_key(crowd_key(&crowd, row)) % 2);
    }
done:
    mem_free(rows);
    return code;
}

static enum status_code sample_candidates(struct sample *sample, const struct serving *serving,
                                          struct status *status)
{
    const struct const_matrix candidates = serving->candidates;
    const size_t step = candidates.rows / (2 * SAMPLE) + 1;
    struct sparse *self = &sample->self;
    enum status_code code;
    TRY(sparse_init(self, 2 * SAMPLE, candidates.rows, 2 * SAMPLE, false, status));
    for (size_t c = 0; c < candidates.rows; c += step) {
        self->columns[sample->n] = (int32_t)c;
        self->offsets[sample->n + 1] = (int64_t)sample->n + 1;
        sample_add(sample, serving, (int32_t)sample->n, candidates.data + c * candidates.stride,
                   sample->n % 2);
    }
    for (size_t r = sample->n; r < 2 * SAMPLE; r++) {
        self->offsets[r + 1] = (int64_t)sample->n;
    }
done:
    return code;
}

/* The share of the exact lists' items among those found, in half of the sample of all ranks. */
static enum status_code recall(struct sample *sample, struct ranks *ranks, uint8_t half,
                               double *out, struct status *status)
{
    const size_t k = sample->ranking.k;
    int64_t n[2] = {0}; /* of exact lists; of these found */
    enum status_code code;
    for (size_t a = 0; a < sample->n; a++) {
        const int32_t *exact = sample->exact + a * k, *found = sample->found + a * k;
        for (size_t r = 0; r < k && sample->half[a] == half && exact[r] >= 0; r++) {
            sample->is_exact[exact[r]] = 1;
            n[0]++;
        }
        for (size_t r = 0; r < k && sample->half[a] == half && found[r] >= 0; r++) {
            n[1] += sample->is_exact[found[r]];
        }
        for (size_t r = 0; r < k && exact[r] >= 0; r++) {
            sample->is_exact[exact[r]] = 0;
        }
    }
    TRY(ranks_sum_int64(ranks, n, 2, status));
    *out = n[0] == 0 ? 1.0 : (double)n[1] / (double)n[0];
done:
    return code;
}

/* Fills `use` with the probes, and what they find; no probes where they are not worth it. */
static enum status_code choose_probes(struct serving *serving, struct sample *sample,
                                      struct index_use *use, struct status *status)
{
    const struct inverted_lists *lists = &serving->index;
    const double floor = serving->request->min_recall, goal = (1.0 + floor) / 2.0;
    struct ranks *ranks = serving->request->ranks;
    double chosen = 0;
    enum status_code code;
    sample->ranking.anchors =
        const_matrix_of(sample->anchors, sample->n, serving->candidates.columns);
    TRY(ranking_run(&sample->ranking, serving->pool, sample->exact, sample->scores, status));
    use->n_lists = (double)lists->n_lists;
    use->recall = 0.0;
    for (size_t n_probes = 1; chosen < goal && 4 * n_probes <= lists->n_lists; n_probes *= 2) {
        TRY(inverted_lists_search(lists, &sample->ranking, n_probes, serving->pool, sample->found,
                                  sample->scores, status));
        use->n_probes = (double)n_probes;
        TRY(recall(sample, ranks, 0, &chosen, status));
        TRY(recall(sample, ranks, 1, &use->recall, status));
    }
    if (chosen < goal || use->recall < floor) {
        use->n_probes = 0.0;
    }
done:
    return code;
}

static enum status_code measure_users(struct serving *serving, struct status *status)
{
    struct sample sample = {0};
    enum status_code code;
    TRY(sample_init(&sample, serving, serving->request->top, status));
    TRY(sample_users(&sample, serving, status));
    sample.ranking.exclude = &serving->barred;
    score_apply(&serving->score, sample.rows, &sample.ranking);
    TRY(choose_probes(serving, &sample, &serving->out->users_index, status));
done:
    sample_release(&sample);
    return code;
}

static enum status_code measure_similar(struct serving *serving, struct status *status)
{
    struct sample sample = {0};
    enum status_code code;
    TRY(sample_init(&sample, serving, serving->request->similar, status));
    TRY(sample_candidates(&sample, serving, status));
    sample.ranking.exclude = &sample.self;
    sample.ranking.scale = 1.0f;
    TRY(choose_probes(serving, &sample, &serving->out->similar_index, status));
done:
    sample_release(&sample);
    return code;
}

bool serving_uses_index(enum serving_index index, double n_products)
{
    return index == INDEX_IVF || (index == INDEX_AUTO && n_products >= auto_products);
}

/* The products of all lists of all ranks. */
static enum status_code count_products(const struct serving *serving, double *out,
                                       struct status *status)
{
    const double n = (double)serving->n_candidates;
    size_t n_served = serving->out->n_served;
    enum status_code code;
    TRY(ranks_sum_count(serving->request->ranks, &n_served, status));
    const double anchors = (double)n_served + (serving->request->similar > 0 ? n : 0);
    *out = anchors * n * (double)serving->candidates.columns;
done:
    return code;
}

enum status_code serving_index_prepare(struct serving *serving, struct status *status)
{
    const struct serving_request *request = serving->request;
    struct recommendations *out = serving->out;
    double n_products;
    enum status_code code = STATUS_OK;
    out->users_index = out->similar_index = (struct index_use){.recall = 1.0};
    TRY(count_products(serving, &n_products, status));
    if (!serving_uses_index(request->index, n_products) || serving->n_candidates == 0) {
        return code;
    }
    TRY(inverted_lists_build(serving->candidates, request->seed, serving->pool, &serving->index,
                             status));
    TRY(measure_users(serving, status));
    if (request->similar > 0) {
        TRY(measure_similar(serving, status));
    }
    if (out->users_index.n_probes == 0.0 && out->similar_index.n_probes == 0.0) {
        inverted_lists_release(&serving->index);
    }
    if (request->index_made != NULL) {
        request->index_made(request->data, out);
    }
done:
    return code;
}

enum status_code serving_find(struct serving *serving, const struct ranking *ranking,
                              const struct index_use *use, int32_t *items, float *scores,
                              struct status *status)
{
    return use->n_probes == 0.0
               ? ranking_run(ranking, serving->pool, items, scores, status)
               : inverted_lists_search(&serving->index, ranking, (size_t)use->n_probes,
                                       serving->pool, items, scores, status);
}
