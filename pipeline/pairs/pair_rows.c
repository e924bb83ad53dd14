/* Blocks, slices and selection: pair_rows.h. */
#include "pairs/pair_rows.h"

#include "base/mem.h"
#include "pairs/window_parts.h"

#include <inttypes.h>
#include <string.h>

enum { ITEMS_PER_BLOCK = 32 };
/* Between two steps of the watch: about a tenth of a second on one core. */
static const int64_t slice_additions = 50000000;

struct rows_job {
    const struct pair_rows *rows;
    struct window_parts parts; /* of the slice that runs, where there are several ranks */
    int64_t *bounds;  /* (n_items + 1) row i may take the places [bounds[i], bounds[i + 1]) */
    int64_t *lengths; /* (n_items) of them it took */
    int32_t *columns;
    float *values;
    const struct pair_windows *windows; /* that its rows are made of */
    size_t first_item, end_item;        /* of the slice that runs */
    struct row_scratch *scratches;
    size_t n_scratches;
};

/* The k-th largest of values (n), 1 <= k <= n; values and spare (n) are used up. Quickselect
 * without a data-dependent branch: with about 1,000 candidates a row and 500 kept, a sixth of the
 * time of a heap. */
static float kth_largest(float *values, float *spare, size_t n, size_t k)
{
    for (;;) {
        const float a = values[0], b = values[n / 2], c = values[n - 1];
        const float low = a < b ? a : b, high = a < b ? b : a;
        const float pivot = c < low ? low : (c > high ? high : c);
        size_t n_less = 0, n_greater = 0;
        for (size_t v = 0; v < n; v++) {
            const float value = values[v];
            spare[n_greater] = value;
            n_greater += value > pivot;
            values[n_less] = value;
            n_less += value < pivot;
        }
        if (k <= n_greater) {
            float *greater = spare;
            spare = values;
            values = greater;
            n = n_greater;
        } else if (k <= n - n_less) {
            return pivot;
        } else {
            k -= n - n_less;
            n = n_less;
        }
    }
}

/* Writes the `top` strongest of n candidates in column order; at the threshold the lower columns
 * win. Returns how many. */
static size_t keep_strongest(struct row_scratch *scratch, size_t n, size_t top, int32_t *columns,
                             float *values)
{
    float threshold = 0;
    size_t equal_left = 0, kept = 0;
    if (n > top) {
        memcpy(scratch->selected, scratch->weights, n * sizeof *scratch->weights);
        threshold = kth_largest(scratch->selected, scratch->spare, n, top);
        equal_left = top;
        for (size_t c = 0; c < n; c++) {
            equal_left -= scratch->weights[c] > threshold;
        }
    }
    for (size_t c = 0; c < n; c++) {
        const float weight = scratch->weights[c];
        const bool take = weight > threshold || (weight == threshold && equal_left > 0);
        equal_left -= take && weight == threshold;
        if (take) {
            columns[kept] = scratch->partners[c];
            values[kept++] = weight;
        }
    }
    return kept;
}

/* A row of this rank. */
static void make_row(struct rows_job *job, size_t item, struct row_scratch *scratch)
{
    const struct pair_rows *rows = job->rows;
    const int64_t place = job->bounds[item];
    if (job->bounds[item + 1] > place) {
        rows->add(rows->product, job->windows, item, scratch);
        const size_t n_touched = index_set_drain(&scratch->touched, scratch->partners);
        const size_t n = rows->weigh(rows->product, item, scratch, n_touched);
        job->lengths[item] = (int64_t)keep_strongest(scratch, n, rows->top, job->columns + place,
                                                     job->values + place);
    }
}

static void make_rows(void *data, size_t block, size_t worker)
{
    struct rows_job *job = data;
    const size_t first = job->first_item + block * ITEMS_PER_BLOCK;
    size_t end = first + ITEMS_PER_BLOCK;
    end = end < job->end_item ? end : job->end_item;
    for (size_t item = first; item < end; item++) {
        make_row(job, item, &job->scratches[worker]);
    }
}

static bool is_alone(const struct rows_job *job)
{
    return ranks_n(job->rows->ranks) == 1;
}

/* Room for every row that this rank makes: no more than top, than its pairs, than the other items.
 */
static enum status_code reserve_rows(struct rows_job *job, struct status *status)
{
    const struct pair_rows *rows = job->rows;
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&job->bounds, rows->n_items + 1, status));
    TRY(MEM_NEW(&job->lengths, rows->n_items, status));
    for (size_t i = 0; i < rows->n_items; i++) {
        size_t bound = rows->n_items - 1 < rows->top ? rows->n_items - 1 : rows->top;
        bound = (size_t)rows->additions[i] < bound ? (size_t)rows->additions[i] : bound;
        bound = shard_item_is_own(rows->ranks, i) ? bound : 0;
        job->bounds[i + 1] = job->bounds[i] + (int64_t)bound;
    }
    TRY(MEM_NEW(&job->columns, (size_t)job->bounds[rows->n_items], status));
    TRY(MEM_NEW(&job->values, (size_t)job->bounds[rows->n_items], status));
done:
    return code;
}

static enum status_code new_scratches(struct rows_job *job, size_t n, struct status *status)
{
    const struct pair_rows *rows = job->rows;
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&job->scratches, n, status));
    job->n_scratches = n;
    for (size_t s = 0; s < n; s++) {
        struct row_scratch *scratch = &job->scratches[s];
        if (rows->sums) {
            TRY(MEM_NEW(&scratch->sums, rows->n_items, status));
        }
        if (rows->counts) {
            TRY(MEM_NEW(&scratch->counts, rows->n_items, status));
        }
        TRY(index_set_init(&scratch->touched, rows->n_items, status));
        TRY(MEM_NEW(&scratch->partners, rows->n_items, status));
        TRY(MEM_NEW(&scratch->weights, rows->n_items, status));
        TRY(MEM_NEW(&scratch->selected, rows->n_items, status));
        TRY(MEM_NEW(&scratch->spare, rows->n_items, status));
    }
done:
    return code;
}

static enum status_code run_slice(struct rows_job *job, struct pool *pool, struct status *status)
{
    const size_t n_items = job->end_item - job->first_item;
    const size_t n_blocks = (n_items + ITEMS_PER_BLOCK - 1) / ITEMS_PER_BLOCK;
    enum status_code code = STATUS_OK;
    if (!is_alone(job)) {
        TRY(window_parts_bring(&job->parts, job->first_item, job->end_item, status));
    }
    pool_run(pool, n_blocks, make_rows, job);
done:
    return code;
}

/* The end of the slice that begins at `item`, the same on all ranks, and its additions. */
static size_t cut_slice(const struct rows_job *job, size_t item, double *work)
{
    const struct pair_rows *rows = job->rows;
    const int64_t most =
        is_alone(job) ? slice_additions : SLICE_RANK_ADDITIONS * (int64_t)ranks_n(rows->ranks);
    for (*work = 0; item < rows->n_items && *work < (double)most; item++) {
        *work += (double)rows->additions[item];
    }
    return item;
}

/* All rows, in slices of about equal work with a step of the watch after each. */
static enum status_code run_slices(struct rows_job *job, struct pool *pool, struct status *status)
{
    const struct pair_rows *rows = job->rows;
    double total = 0, done_so_far = 0, work;
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < rows->n_items; i++) {
        total += (double)rows->additions[i];
    }
    for (size_t item = 0; item < rows->n_items; item = job->end_item) {
        job->first_item = item;
        job->end_item = cut_slice(job, item, &work);
        TRY(run_slice(job, pool, status));
        done_so_far += work;
        TRY(watch_step(rows->watch, done_so_far, total, status));
    }
done:
    return code;
}

/* out = the rows of all ranks, without the gaps between them. */
static enum status_code join_rows(const struct rows_job *job, struct sparse *out,
                                  struct status *status)
{
    struct ranks *ranks = job->rows->ranks;
    const size_t n_items = job->rows->n_items;
    struct sparse packed = {0};
    int64_t *lengths = NULL, entries = 0;
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&lengths, n_items, status));
    memcpy(lengths, job->lengths, n_items * sizeof *lengths);
    TRY(ranks_sum_int64(ranks, lengths, n_items, status)); /* of a row one rank has all */
    for (size_t i = 0; i < n_items; i++) {
        entries += lengths[i];
    }
    TRY(sparse_init(&packed, n_items, n_items, (size_t)entries, true, status));
    for (size_t i = 0; i < n_items; i++) {
        const int64_t from = job->bounds[i], to = packed.offsets[i];
        const size_t own = (size_t)job->lengths[i];
        memcpy(packed.columns + to, job->columns + from, own * sizeof *packed.columns);
        memcpy(packed.values + to, job->values + from, own * sizeof *packed.values);
        packed.offsets[i + 1] = to + lengths[i];
    }
    TRY(shard_share_rows(ranks, packed.offsets, n_items, packed.columns, sizeof *packed.columns,
                         status));
    TRY(shard_share_rows(ranks, packed.offsets, n_items, packed.values, sizeof *packed.values,
                         status));
    *out = packed;
    packed = (struct sparse){0};
done:
    mem_free(lengths);
    sparse_release(&packed);
    return code;
}

static void job_release(struct rows_job *job)
{
    for (size_t s = 0; s < job->n_scratches; s++) {
        struct row_scratch *scratch = &job->scratches[s];
        mem_free(scratch->counts);
        mem_free(scratch->sums);
        index_set_release(&scratch->touched);
        mem_free(scratch->partners);
        mem_free(scratch->weights);
        mem_free(scratch->selected);
        mem_free(scratch->spare);
    }
    window_parts_release(&job->parts);
    mem_free(job->scratches);
    mem_free(job->bounds);
    mem_free(job->lengths);
    mem_free(job->columns);
    mem_free(job->values);
}

/* What sums of PAIR_UNIT, and counts, can hold. */
static enum status_code check_users(const struct pair_rows *rows, struct status *status)
{
    int64_t n_users = (int64_t)rows->windows->n_users;
    enum status_code code;
    TRY(ranks_sum_int64(rows->ranks, &n_users, 1, status));
    if (n_users > INT32_MAX) {
        code = status_set(status, STATUS_DATA,
                          "%" PRId64 " users; item pairs are counted for at most %" PRId32, n_users,
                          INT32_MAX);
    }
done:
    return code;
}

enum status_code pair_rows_run(const struct pair_rows *rows, struct pool *pool, struct sparse *out,
                               struct status *status)
{
    struct rows_job job = {.rows = rows,
                           .windows = rows->windows,
                           .parts = {.ranks = rows->ranks, .own = rows->windows}};
    enum status_code code = STATUS_OK;
    if (rows->n_items == 0) {
        return sparse_init(out, 0, 0, 0, true, status);
    }
    TRY(check_users(rows, status));
    TRY(reserve_rows(&job, status));
    TRY(new_scratches(&job, pool_threads(pool), status));
    if (!is_alone(&job)) {
        TRY(window_parts_init(&job.parts, status));
        job.windows = &job.parts.all;
    }
    TRY(run_slices(&job, pool, status));
    TRY(join_rows(&job, out, status));
done:
    job_release(&job);
    return code;
}
