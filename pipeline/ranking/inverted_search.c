/* Looking into inverted lists.
 *
 *   probes (anchors, n_probes) = the best centroids of each anchor      one exact ranking
 *   for each block of anchors (parallel)
 *     first the head (the greatest biases), then every anchor's best list, then its other lists:
 *       for each list, for each tile of its members, packed once
 *         for each group of the block's anchors that look into it
 *           products (group, tile) = scale * anchors members^T
 *           products + bias -> bounded heap of each anchor
 *     for each anchor: its heap again, with what the evidence adds    inverted_evidence.c
 *
 * The order only matters for speed: the earlier a heap fills with good scores, the fewer of the
 * later ones pass its threshold. */
#include "ranking/inverted_internal.h"

#include "base/mem.h"
#include "math/topk.h"
#include "math/vec.h"

#include <assert.h>
#include <math.h>

enum {
    BLOCK = 8192, /* anchors of a task: enough to share lists */
    GROUP = 60,   /* anchors of a product */
    TILE = 512,   /* members of a product, packed once for all groups */
    PRODUCT_STRIDE = TILE + 16,
    HEAD = 2048,   /* candidates with the greatest biases, which every anchor meets */
    HEAD_LIST = -1 /* in place of a list's number */
};

struct worker {
    struct topk *heaps;   /* (BLOCK) */
    float *anchors;       /* (GROUP, d) */
    float *packed;        /* packed (d, TILE): scale * members^T */
    float *products;      /* (GROUP, PRODUCT_STRIDE) */
    int32_t *slots;       /* (BLOCK * n_probes) anchors of the block by list */
    int64_t *slots_start; /* (n_lists + 1) */
    int64_t *slots_next;  /* (n_lists) */
    struct inverted_scratch scratch;
};

struct search {
    const struct inverted_lists *lists;
    const struct ranking *ranking;
    const struct vec_ops *ops;
    const float *bias;  /* (candidates) the ranking's, or NULL */
    float *member_bias; /* (candidates) by member, NaN: not eligible, or in the head */
    size_t n_head;
    int32_t *head;       /* (n_head) ascending */
    float *head_vectors; /* (n_head, d) */
    float *head_bias;    /* (n_head) */
    size_t n_probes;
    int32_t *probes; /* (n_anchors, n_probes) best first, -1 ends */
    struct inverted_evidence evidence;
    int32_t *items;
    float *scores;
    size_t n_workers;
    struct worker *workers;
};

/* ---- preparation ---- */

/* The eligible candidates with the greatest biases; none without biases. */
static enum status_code choose_head(struct search *search, struct status *status)
{
    const struct ranking *ranking = search->ranking;
    const struct const_matrix candidates = ranking->candidates;
    const size_t d = candidates.columns, k = search->bias == NULL ? 0 : HEAD;
    float *scores = NULL;
    struct topk heap;
    enum status_code code;
    TRY(MEM_NEW(&search->head, k, status));
    TRY(MEM_NEW(&scores, k, status));
    TRY(MEM_NEW(&search->head_vectors, k * d, status));
    TRY(MEM_NEW(&search->head_bias, k, status));
    topk_init(&heap, k, scores, search->head, NULL);
    for (size_t c = 0; k > 0 && c < candidates.rows; c++) {
        if (inverted_is_eligible(ranking, (int32_t)c)) {
            topk_offer(&heap, search->bias[c], (int32_t)c);
        }
    }
    search->n_head = heap.n;
    columns_sort(search->head, search->n_head);
    matrix_gather(candidates, search->head, search->n_head, search->head_vectors);
    for (size_t h = 0; h < search->n_head; h++) {
        search->head_bias[h] = search->bias[search->head[h]];
    }
done:
    mem_free(scores);
    return code;
}

/* What is left of a list is judged by its mean bias; a list of which nothing is left is never
 * looked into: its bias is NaN, which no ranking takes. */
static enum status_code spread_bias(struct search *search, float **list_bias, struct status *status)
{
    const struct inverted_lists *lists = search->lists;
    enum status_code code;
    TRY(MEM_NEW(&search->member_bias, lists->candidates.rows, status));
    TRY(MEM_NEW(list_bias, lists->n_lists, status));
    for (size_t list = 0; list < lists->n_lists; list++) {
        double sum = 0.0;
        size_t n = 0;
        for (int64_t m = lists->starts[list]; m < lists->starts[list + 1]; m++) {
            const int32_t candidate = lists->members[m];
            const bool is_left = inverted_is_eligible(search->ranking, candidate) &&
                                 !columns_hold(search->head, search->n_head, candidate);
            const float bias = search->bias == NULL ? 0.0f : search->bias[candidate];
            search->member_bias[m] = is_left ? bias : NAN;
            sum += is_left ? (double)bias : 0.0;
            n += is_left ? 1 : 0;
        }
        (*list_bias)[list] = n == 0 ? NAN : (float)(sum / (double)n);
    }
done:
    return code;
}

static enum status_code choose_probes(struct search *search, struct pool *pool,
                                      struct status *status)
{
    const struct inverted_lists *lists = search->lists;
    const struct ranking *ranking = search->ranking;
    const size_t n = ranking->anchors.rows;
    float *list_bias = NULL, *scores = NULL;
    uint8_t *is_open = NULL;
    enum status_code code;
    TRY(spread_bias(search, &list_bias, status));
    TRY(MEM_NEW(&is_open, lists->n_lists, status));
    for (size_t list = 0; list < lists->n_lists; list++) {
        is_open[list] = (uint8_t)(isnan(list_bias[list]) ? 0 : 1);
        list_bias[list] = is_open[list] == 1 ? list_bias[list] : 0.0f;
    }
    TRY(MEM_NEW(&search->probes, n * search->n_probes, status));
    TRY(MEM_NEW(&scores, n * search->n_probes, status));
    const float *const biases[] = {list_bias};
    const struct ranking coarse = {
        .anchors = ranking->anchors,
        .candidates = const_matrix_of(lists->centroids, lists->n_lists, ranking->anchors.columns),
        .scale = ranking->scale,
        .n_biases = 1,
        .biases = biases,
        .eligible = is_open,
        .k = search->n_probes};
    TRY(ranking_run(&coarse, pool, search->probes, scores, status));
done:
    mem_free(list_bias);
    mem_free(scores);
    mem_free(is_open);
    return code;
}

static enum status_code worker_init(struct worker *worker, const struct search *search,
                                    struct status *status)
{
    const struct ranking *ranking = search->ranking;
    enum status_code code;
    TRY(MEM_NEW(&worker->heaps, BLOCK, status));
    TRY(MEM_NEW(&worker->anchors, GROUP * ranking->anchors.columns, status));
    TRY(MEM_NEW(&worker->packed,
                product_packed_size(search->ops->product, ranking->anchors.columns, TILE), status));
    TRY(MEM_NEW(&worker->products, (size_t)GROUP * PRODUCT_STRIDE, status));
    TRY(MEM_NEW(&worker->slots, BLOCK * search->n_probes, status));
    TRY(MEM_NEW(&worker->slots_start, search->lists->n_lists + 1, status));
    TRY(MEM_NEW(&worker->slots_next, search->lists->n_lists, status));
    if (ranking->n_evidence > 0) {
        TRY(inverted_scratch_init(&worker->scratch, &search->evidence, status));
    }
done:
    return code;
}

static void search_release(struct search *search)
{
    for (size_t w = 0; search->workers != NULL && w < search->n_workers; w++) {
        struct worker *worker = &search->workers[w];
        mem_free(worker->heaps);
        mem_free(worker->anchors);
        mem_free(worker->packed);
        mem_free(worker->products);
        mem_free(worker->slots);
        mem_free(worker->slots_start);
        mem_free(worker->slots_next);
        inverted_scratch_release(&worker->scratch);
    }
    mem_free(search->workers);
    mem_free(search->member_bias);
    mem_free(search->head);
    mem_free(search->head_vectors);
    mem_free(search->head_bias);
    mem_free(search->probes);
}

/* ---- one block ---- */

struct block {
    const struct search *search;
    struct worker *worker;
    size_t first, n; /* anchors */
};

/* Members that a group is multiplied with. */
struct member_range {
    const float *vectors; /* (count, d) */
    const float *bias;    /* (count) NaN: passed over; NULL: no bias */
    const int32_t *candidates;
    size_t count;
};

static struct member_range members_of(const struct search *search, int64_t list)
{
    const struct inverted_lists *lists = search->lists;
    if (list == HEAD_LIST) {
        return (struct member_range){search->head_vectors, search->head_bias, search->head,
                                     search->n_head};
    }
    const size_t first = (size_t)lists->starts[list];
    return (struct member_range){lists->vectors + first * lists->candidates.columns,
                                 search->member_bias + first, lists->members + first,
                                 (size_t)lists->starts[list + 1] - first};
}

static bool is_excluded(const struct ranking *ranking, size_t anchor, int32_t candidate)
{
    size_t n;
    const int32_t *excluded = ranking_excluded(ranking, anchor, &n);
    return columns_hold(excluded, n, candidate);
}

static void offer_row(const struct block *block, size_t slot, const float *products,
                      const struct member_range *range, size_t first, size_t count)
{
    struct topk *heap = &block->worker->heaps[slot];
    const float *bias = range->bias + first;
    for (size_t at = 0; at < count; at++) {
        at += block->search->ops->first_reaching(products + at, bias + at, count - at,
                                                 topk_threshold(heap));
        if (at < count && !is_excluded(block->search->ranking, block->first + slot,
                                       range->candidates[first + at])) {
            topk_offer(heap, products[at] + bias[at], range->candidates[first + at]);
        }
    }
}

/* The group's anchors, slots[0..n) of the block or from `slot` on, side by side. */
static void gather_group(const struct block *block, const int32_t *slots, size_t slot, size_t n)
{
    const struct const_matrix anchors = block->search->ranking->anchors;
    for (size_t g = 0; g < n; g++) {
        const size_t at = slots == NULL ? slot + g : (size_t)slots[slot + g];
        memcpy(block->worker->anchors + g * anchors.columns, matrix_row(anchors, block->first + at),
               anchors.columns * sizeof *anchors.data);
    }
}

/* The anchors slots[0..n) of the block against all members of a list; slots NULL: 0..n-1. */
static void scan_list(const struct block *block, int64_t list, const int32_t *slots, size_t n)
{
    const struct ranking *ranking = block->search->ranking;
    const struct product_ops *ops = block->search->ops->product;
    const size_t d = ranking->anchors.columns;
    const struct member_range range = members_of(block->search, list);
    struct worker *worker = block->worker;
    for (size_t first = 0; n > 0 && first < range.count; first += TILE) {
        const size_t count = range.count - first < TILE ? range.count - first : TILE;
        ops->pack_transposed(const_matrix_of(range.vectors + first * d, count, d), ranking->scale,
                             worker->packed);
        for (size_t group = 0; group < n; group += GROUP) {
            const size_t size = n - group < GROUP ? n - group : GROUP;
            gather_group(block, slots, group, size);
            ops->run(&(struct product){.x = worker->anchors,
                                       .row_step = d,
                                       .depth_step = 1,
                                       .panels = worker->packed,
                                       .depth = d,
                                       .out = {worker->products, size, count, PRODUCT_STRIDE}});
            for (size_t g = 0; g < size; g++) {
                offer_row(block, slots == NULL ? group + g : (size_t)slots[group + g],
                          worker->products + g * PRODUCT_STRIDE, &range, first, count);
            }
        }
    }
}

/* Probes [from, to) of every anchor of the block, list by list. */
static void scan_probes(const struct block *block, size_t from, size_t to)
{
    const struct search *search = block->search;
    const size_t n_lists = search->lists->n_lists;
    struct worker *worker = block->worker;
    memset(worker->slots_start, 0, (n_lists + 1) * sizeof *worker->slots_start);
    for (size_t slot = 0; slot < block->n; slot++) {
        const int32_t *probes = search->probes + (block->first + slot) * search->n_probes;
        for (size_t p = from; p < to && probes[p] >= 0; p++) {
            worker->slots_start[probes[p] + 1]++;
        }
    }
    for (size_t list = 0; list < n_lists; list++) {
        worker->slots_start[list + 1] += worker->slots_start[list];
        worker->slots_next[list] = worker->slots_start[list];
    }
    for (size_t slot = 0; slot < block->n; slot++) {
        const int32_t *probes = search->probes + (block->first + slot) * search->n_probes;
        for (size_t p = from; p < to && probes[p] >= 0; p++) {
            worker->slots[worker->slots_next[probes[p]]++] = (int32_t)slot;
        }
    }
    for (size_t list = 0; list < n_lists; list++) {
        scan_list(block, (int64_t)list, worker->slots + worker->slots_start[list],
                  (size_t)(worker->slots_start[list + 1] - worker->slots_start[list]));
    }
}

static void search_block(void *data, size_t index, size_t worker)
{
    const struct search *search = data;
    const struct ranking *ranking = search->ranking;
    const size_t first = index * BLOCK, left = ranking->anchors.rows - first;
    const struct block block = {search, &search->workers[worker], first,
                                left < BLOCK ? left : BLOCK};
    for (size_t slot = 0; slot < block.n; slot++) {
        const size_t list = (first + slot) * ranking->k;
        topk_init(&block.worker->heaps[slot], ranking->k, search->scores + list,
                  search->items + list, ranking->tie_rank);
    }
    scan_list(&block, HEAD_LIST, NULL, block.n);
    scan_probes(&block, 0, 1);
    scan_probes(&block, 1, search->n_probes);
    for (size_t slot = 0; slot < block.n; slot++) {
        struct topk *heap = &block.worker->heaps[slot];
        if (ranking->n_evidence > 0) {
            inverted_evidence_add(&search->evidence, &block.worker->scratch, first + slot, heap);
        }
        topk_finish(heap);
        for (size_t r = heap->n; r < heap->k; r++) {
            heap->indices[r] = -1;
            heap->scores[r] = 0.0f;
        }
    }
}

/* ---- anchors that met too little ---- */

static enum status_code rank_short(const struct search *search, struct pool *pool,
                                   struct status *status)
{
    const struct ranking *ranking = search->ranking;
    const size_t n_anchors = ranking->anchors.rows, d = ranking->anchors.columns, k = ranking->k;
    struct ranking all = *ranking;
    int32_t *which = NULL, *items = NULL, *history_rows = NULL, *exclude_rows = NULL;
    float *anchors = NULL, *scores = NULL;
    size_t n = 0;
    enum status_code code;
    TRY(MEM_NEW(&which, n_anchors, status));
    for (size_t a = 0; a < n_anchors; a++) {
        if (search->items[a * k + k - 1] < 0) {
            which[n++] = (int32_t)a;
        }
    }
    if (n == 0) {
        goto done;
    }
    TRY(MEM_NEW(&anchors, n * d, status));
    TRY(MEM_NEW(&items, n * k, status));
    TRY(MEM_NEW(&scores, n * k, status));
    TRY(MEM_NEW(&history_rows, n, status));
    TRY(MEM_NEW(&exclude_rows, n, status));
    matrix_gather(ranking->anchors, which, n, anchors);
    for (size_t i = 0; i < n; i++) {
        const size_t a = (size_t)which[i];
        exclude_rows[i] = ranking->exclude_rows == NULL ? which[i] : ranking->exclude_rows[a];
        history_rows[i] = ranking->n_evidence == 0 ? 0 : ranking->history_rows[a];
    }
    all.anchors = const_matrix_of(anchors, n, d);
    all.exclude_rows = exclude_rows;
    all.history_rows = history_rows;
    TRY(ranking_run(&all, pool, items, scores, status));
    for (size_t i = 0; i < n; i++) {
        memcpy(search->items + (size_t)which[i] * k, items + i * k, k * sizeof *items);
        memcpy(search->scores + (size_t)which[i] * k, scores + i * k, k * sizeof *scores);
    }
done:
    mem_free(which);
    mem_free(items);
    mem_free(scores);
    mem_free(anchors);
    mem_free(history_rows);
    mem_free(exclude_rows);
    return code;
}

enum status_code inverted_lists_search(const struct inverted_lists *lists,
                                       const struct ranking *ranking, size_t n_probes,
                                       struct pool *pool, int32_t *items, float *scores,
                                       struct status *status)
{
    struct search search = {.lists = lists,
                            .ranking = ranking,
                            .ops = vec_ops(),
                            .bias = ranking->n_biases > 0 ? ranking->biases[0] : NULL,
                            .n_probes = n_probes < lists->n_lists ? n_probes : lists->n_lists,
                            .items = items,
                            .scores = scores,
                            .n_workers = pool_threads(pool)};
    enum status_code code;
    assert(ranking->n_biases <= 1 && n_probes > 0 && ranking->k > 0);
    assert(ranking->candidates.rows == lists->candidates.rows && lists->n_lists > 0);
    TRY(choose_head(&search, status));
    TRY(choose_probes(&search, pool, status));
    if (ranking->n_evidence > 0) {
        inverted_evidence_init(&search.evidence, ranking);
    }
    TRY(MEM_NEW(&search.workers, search.n_workers, status));
    for (size_t w = 0; w < search.n_workers; w++) {
        TRY(worker_init(&search.workers[w], &search, status));
    }
    pool_run(pool, (ranking->anchors.rows + BLOCK - 1) / BLOCK, search_block, &search);
    TRY(rank_short(&search, pool, status));
done:
    search_release(&search);
    return code;
}
