/* The rankings that the towers have to beat. How lists are judged is metrics.c's business. */
#include "evaluation/baselines.h"

#include "base/mem.h"
#include "math/topk.h"
#include "pairs/item_pairs.h"

#include <assert.h>
#include <math.h>

enum {
    USER_BLOCK = 32,
    ITEM_ITEM_TOP = 500,
    /* A user with more items counts with the newest of them: the work grows with the square. */
    ITEM_ITEM_MAX_USER_ITEMS = 5000
};

/* ---- popularity ---- */

struct popular_item {
    double popularity;
    uint32_t tie_rank;
    int32_t item;
};

static int compare_popular(const void *a, const void *b)
{
    const struct popular_item *x = a, *y = b;
    if (x->popularity > y->popularity || x->popularity < y->popularity) {
        return x->popularity > y->popularity ? -1 : 1;
    }
    return (x->tie_rank > y->tie_rank) - (x->tie_rank < y->tie_rank);
}

struct order_job {
    const struct order_request *request;
    int32_t *items;
};

static void order_rows(void *data, size_t first, size_t end)
{
    const struct order_job *job = data;
    const struct order_request *request = job->request;
    for (size_t a = first; a < end; a++) {
        int32_t *list = job->items + a * request->k;
        size_t n = 0;
        for (size_t i = 0; i < request->n_items && n < request->k; i++) {
            if (!sparse_has(request->exclude, (size_t)request->rows[a], request->order[i])) {
                list[n++] = request->order[i];
            }
        }
        for (; n < request->k; n++) {
            list[n] = -1;
        }
    }
}

void baseline_in_order(const struct order_request *request, struct pool *pool, int32_t *items)
{
    struct order_job job = {request, items};
    pool_run_rows(pool, request->n_rows, USER_BLOCK, order_rows, &job);
}

enum status_code baseline_order(const double *popularity, const uint32_t *tie_rank, size_t n_items,
                                int32_t *order, struct status *status)
{
    struct popular_item *popular = NULL;
    enum status_code code;
    TRY(MEM_NEW(&popular, n_items, status));
    for (size_t i = 0; i < n_items; i++) {
        popular[i] = (struct popular_item){popularity[i], tie_rank[i], (int32_t)i};
    }
    qsort(popular, n_items, sizeof *popular, compare_popular);
    for (size_t i = 0; i < n_items; i++) {
        order[i] = popular[i].item;
    }
done:
    mem_free(popular);
    return code;
}

/* ---- item-item ---- */

struct item_item_job {
    const struct baseline_request *request;
    const struct sparse *weights;
    float *sums;   /* (workers, n_items) */
    float *scores; /* (workers, k) */
    int32_t *items;
};

/* sums (n_items) = sum over the user's items of their weights; what is excluded becomes NaN, which
 * no selection takes. */
static void score_user(const struct item_item_job *job, size_t row, float *sums)
{
    const struct sparse *train = &job->request->dataset->train.matrix;
    const struct sparse *weights = job->weights;
    memset(sums, 0, job->request->dataset->n_items * sizeof *sums);
    for (int64_t h = train->offsets[row]; h < train->offsets[row + 1]; h++) {
        const int32_t item = train->columns[h];
        const float share =
            job->request->entry_weights == NULL ? 1 : job->request->entry_weights[h];
        for (int64_t e = weights->offsets[item]; e < weights->offsets[item + 1]; e++) {
            sums[weights->columns[e]] += share * weights->values[e];
        }
    }
    const struct sparse *excluded = job->request->exclude;
    for (int64_t h = excluded->offsets[row]; h < excluded->offsets[row + 1]; h++) {
        sums[excluded->columns[h]] = NAN;
    }
}

static void item_item_block(void *data, size_t block, size_t worker)
{
    const struct item_item_job *job = data;
    const struct baseline_request *request = job->request;
    float *sums = job->sums + worker * request->dataset->n_items;
    float *scores = job->scores + worker * request->k;
    size_t end = (block + 1) * USER_BLOCK;
    end = end < request->n_rows ? end : request->n_rows;
    for (size_t a = block * USER_BLOCK; a < end; a++) {
        int32_t *list = job->items + a * request->k;
        struct topk best;
        score_user(job, (size_t)request->rows[a], sums);
        topk_init(&best, request->k, scores, list, request->tie_rank);
        topk_offer_all(&best, sums, request->dataset->n_items);
        topk_finish(&best);
        for (size_t r = best.n; r < request->k; r++) {
            list[r] = -1;
        }
    }
}

enum status_code baseline_item_item(const struct baseline_request *request,
                                    const struct sparse *weights, struct pool *pool, int32_t *items,
                                    struct status *status)
{
    struct item_item_job job = {.request = request, .weights = weights, .items = items};
    size_t n_workers = pool_threads(pool);
    enum status_code code;
    assert(weights->n_rows == request->dataset->n_items);
    TRY(MEM_NEW(&job.sums, n_workers * request->dataset->n_items, status));
    TRY(MEM_NEW(&job.scores, n_workers * request->k, status));
    pool_run(pool, (request->n_rows + USER_BLOCK - 1) / USER_BLOCK, item_item_block, &job);
done:
    mem_free(job.sums);
    mem_free(job.scores);
    return code;
}

enum status_code baseline_item_weights(const struct dataset *dataset, const struct crowd *crowd,
                                       const struct watch *watch, struct pool *pool,
                                       struct sparse *weights, struct status *status)
{
    struct pair_settings settings = {
        .window = PAIR_WHOLE_HISTORY,
        .weighting = pair_weighting_named("cosine"),
        .min_count = 1.0,
        .top = ITEM_ITEM_TOP,
        .max_user_items = ITEM_ITEM_MAX_USER_ITEMS,
        .watch = *watch,
        .crowd = *crowd,
    };
    return pairs_item_item(&dataset->train, &settings, pool, weights, status);
}
