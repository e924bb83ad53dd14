/* With r(v, i) = w(v, i) / sqrt(d_v d_i), where w are decayed weights, d their sums over a row and
 * over a column, and v runs over the neighbours, the list of a user is ordered by
 *
 *     s(u, i) = sum over v of r(v, i) sum over h of r(v, h),   h the items of u
 *
 * without these: the evidence of evidence.h, walked instead of multiplied out, so that a sample of
 * the users costs a sample of the time. All half-lives walk side by side. */
#include "evaluation/weight_half_life.h"

#include "base/mem.h"
#include "evaluation/metrics.h"
#include "math/topk.h"
#include "search/paired.h"

#include <assert.h>
#include <math.h>

const double weight_half_lives[WEIGHT_HALF_LIVES] = {0, 180, 90, 60, 30, 14, 7, 3};

enum {
    N = WEIGHT_HALF_LIVES,
    NEIGHBOUR_PAIRS = 250000, /* or an eighth of all, if that is more */
    STEPS = 250000000,        /* asked users times pairs of neighbours ... */
    LEAST_ASKED = 500,        /* ... but as many users, and no more than these */
    MOST_ASKED = 2000,
    LIST = 20,
    USER_BLOCK = 8,
    SECONDS_OF_DAY = 86400
};

/* Arrays of N values have one for each half-life. */
struct walk {
    struct history train;       /* (users, items) */
    struct history held_out;    /* (users, items) new pairs of the validation part */
    struct sparse rows;         /* (neighbours, items) of train */
    struct sparse holders;      /* (items, neighbours) its transpose */
    float *shares, *of_holders; /* (entries of rows, N) r; the same in the order of holders */
    int32_t *asked;             /* (n_asked) users, ascending */
    size_t n_asked;
    float *affinities; /* (workers, neighbours, N) */
    float *sums;       /* (workers, items, N) */
    float *scores;     /* (workers, items) one half-life of sums */
    int32_t *lists;    /* (N, n_asked, LIST) */
};

static void walk_release(struct walk *walk)
{
    history_release(&walk->train);
    history_release(&walk->held_out);
    sparse_release(&walk->rows);
    sparse_release(&walk->holders);
    mem_free(walk->shares);
    mem_free(walk->of_holders);
    mem_free(walk->asked);
    mem_free(walk->affinities);
    mem_free(walk->sums);
    mem_free(walk->scores);
    mem_free(walk->lists);
}

/* Leaves the pairs that `had` does not have. */
static void keep_new(const struct sparse *had, struct sparse *pairs)
{
    int64_t n = 0, first = 0;
    for (size_t u = 0; u < pairs->n_rows; u++) {
        const int64_t end = pairs->offsets[u + 1];
        for (int64_t e = first; e < end; e++) {
            if (!sparse_has(had, u, pairs->columns[e])) {
                pairs->columns[n++] = pairs->columns[e];
            }
        }
        first = end;
        pairs->offsets[u + 1] = n;
    }
}

/* The users who have something in `train`, and in `also` where that is not NULL; at most `most`. */
static enum status_code draw_users(const struct sparse *train, const struct sparse *also,
                                   double most, uint64_t seed, int32_t **users, size_t *n,
                                   struct status *status)
{
    enum status_code code;
    int32_t *drawn = NULL;
    size_t n_drawn = 0;
    TRY(MEM_NEW(&drawn, train->n_rows, status));
    for (size_t u = 0; u < train->n_rows; u++) {
        if (sparse_row_length(train, u) > 0 && (also == NULL || sparse_row_length(also, u) > 0)) {
            drawn[n_drawn++] = (int32_t)u;
        }
    }
    most = fmin(most, (double)n_drawn);
    TRY(user_sample(drawn, &n_drawn, train->n_rows, (size_t)most, seed, "weight half-life",
                    status));
    *users = drawn;
    *n = n_drawn;
    drawn = NULL;
done:
    mem_free(drawn);
    return code;
}

/* The parts of the log, who is asked, and whose rows are walked through. */
static enum status_code take_users(struct walk *walk, const struct event_log *log,
                                   enum duplicate_policy duplicates, uint64_t seed,
                                   int32_t **neighbours, struct status *status)
{
    enum status_code code;
    struct sparse *train = &walk->train.matrix;
    size_t n_neighbours = 0;
    TRY(event_log_fold(log, PART_TRAIN, duplicates, 0, &walk->train, status));
    TRY(event_log_fold(log, PART_VALID, duplicates, 0, &walk->held_out, status));
    keep_new(train, &walk->held_out.matrix);
    const double n_pairs = fmax((double)sparse_entries(train), 1);
    const double share = fmin(fmax(NEIGHBOUR_PAIRS / n_pairs, 0.125), 1);
    const double most = STEPS / (share * n_pairs);
    TRY(draw_users(train, NULL, ceil(share * (double)train->n_rows), seed, neighbours,
                   &n_neighbours, status));
    TRY(draw_users(train, &walk->held_out.matrix, fmin(fmax(most, LEAST_ASKED), MOST_ASKED), seed,
                   &walk->asked, &walk->n_asked, status));
    TRY(sparse_gather(train, *neighbours, n_neighbours, &walk->rows, status));
    TRY(sparse_transpose(&walk->rows, &walk->holders, status));
done:
    return code;
}

/* shares = w: of neighbour v, whose row of the train part is users[v]. */
static enum status_code decay(struct walk *walk, const struct event_log *log,
                              enum duplicate_policy duplicates, const int32_t *users,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history folded = {0};
    for (size_t k = 0; k < N; k++) {
        TRY(event_log_fold(log, PART_TRAIN, duplicates, weight_half_lives[k] * SECONDS_OF_DAY,
                           &folded, status));
        for (size_t v = 0; v < walk->rows.n_rows; v++) {
            const float *values = folded.matrix.values + folded.matrix.offsets[users[v]];
            const int64_t first = walk->rows.offsets[v];
            for (int64_t e = first; e < walk->rows.offsets[v + 1]; e++) {
                walk->shares[(size_t)e * N + k] = values[e - first];
            }
        }
        history_release(&folded);
    }
done:
    return code;
}

/* shares: r out of w; then of_holders. */
static enum status_code normalise(struct walk *walk, struct status *status)
{
    enum status_code code;
    const struct sparse *rows = &walk->rows;
    double *of_item = NULL;
    int64_t *next = NULL; /* (items) entry of holders to be filled */
    TRY(MEM_NEW(&of_item, rows->n_columns * N, status));
    TRY(MEM_NEW(&next, rows->n_columns, status));
    for (size_t e = 0; e < sparse_entries(rows); e++) {
        for (size_t k = 0; k < N; k++) {
            of_item[(size_t)rows->columns[e] * N + k] += (double)walk->shares[e * N + k];
        }
    }
    memcpy(next, walk->holders.offsets, rows->n_columns * sizeof *next);
    for (size_t v = 0; v < rows->n_rows; v++) {
        double of_user[N] = {0};
        for (int64_t e = rows->offsets[v] * N; e < rows->offsets[v + 1] * N; e++) {
            of_user[e % N] += (double)walk->shares[e];
        }
        for (int64_t e = rows->offsets[v]; e < rows->offsets[v + 1]; e++) {
            const size_t item = (size_t)rows->columns[e];
            float *share = walk->shares + e * N, *copy = walk->of_holders + next[item]++ * N;
            for (size_t k = 0; k < N; k++) {
                copy[k] = share[k] =
                    (float)((double)share[k] / sqrt(of_user[k] * of_item[item * N + k]));
            }
        }
    }
done:
    mem_free(of_item);
    mem_free(next);
    return code;
}

static enum status_code walk_init(struct walk *walk, const struct event_log *log,
                                  enum duplicate_policy duplicates, uint64_t seed, size_t n_workers,
                                  struct status *status)
{
    enum status_code code;
    int32_t *neighbours = NULL;
    TRY(take_users(walk, log, duplicates, seed, &neighbours, status));
    const size_t n_items = walk->rows.n_columns, n_entries = sparse_entries(&walk->rows);
    TRY(MEM_NEW(&walk->shares, n_entries * N, status));
    TRY(MEM_NEW(&walk->of_holders, n_entries * N, status));
    TRY(MEM_NEW(&walk->affinities, n_workers * walk->rows.n_rows * N, status));
    TRY(MEM_NEW(&walk->sums, n_workers * n_items * N, status));
    TRY(MEM_NEW(&walk->scores, n_workers * n_items, status));
    TRY(MEM_NEW(&walk->lists, walk->n_asked * N * LIST, status));
    TRY(decay(walk, log, duplicates, neighbours, status));
    TRY(normalise(walk, status));
done:
    mem_free(neighbours);
    return code;
}

/* to[k] += a[k] b[k] */
static inline void add_products(const float *restrict a, const float *restrict b,
                                float *restrict to)
{
    for (size_t k = 0; k < N; k++) {
        to[k] += a[k] * b[k];
    }
}

/* to[k] += a[k] */
static inline void add(const float *restrict a, float *restrict to)
{
    for (size_t k = 0; k < N; k++) {
        to[k] += a[k];
    }
}

/* sums (items, N) = s(user, i) */
static void score_user(const struct walk *walk, size_t user, float *affinities, float *sums)
{
    const struct sparse *train = &walk->train.matrix, *rows = &walk->rows;
    const struct sparse *holders = &walk->holders;
    memset(affinities, 0, rows->n_rows * N * sizeof *affinities);
    memset(sums, 0, rows->n_columns * N * sizeof *sums);
    for (int64_t h = train->offsets[user]; h < train->offsets[user + 1]; h++) {
        const int32_t item = train->columns[h];
        for (int64_t e = holders->offsets[item]; e < holders->offsets[item + 1]; e++) {
            add(walk->of_holders + e * N, affinities + (size_t)holders->columns[e] * N);
        }
    }
    for (size_t v = 0; v < rows->n_rows; v++) {
        const float *affinity = affinities + v * N;
        for (int64_t e = rows->offsets[v]; affinity[0] > 0 && e < rows->offsets[v + 1]; e++) {
            add_products(affinity, walk->shares + e * N, sums + (size_t)rows->columns[e] * N);
        }
    }
}

/* The best items of one half-life; -1 behind what a neighbour has, which is in no order. */
static void list_best(const struct sparse *train, size_t user, const float *sums, float *scores,
                      int32_t *list)
{
    float of_best[LIST];
    struct topk best;
    for (size_t i = 0; i < train->n_columns; i++) {
        scores[i] = sums[i * N];
    }
    for (int64_t h = train->offsets[user]; h < train->offsets[user + 1]; h++) {
        scores[train->columns[h]] = 0;
    }
    topk_init(&best, LIST, of_best, list, NULL);
    topk_offer_range(&best, scores, train->n_columns, 0);
    topk_finish(&best);
    for (size_t r = 0; r < LIST; r++) {
        list[r] = r < best.n && of_best[r] > 0 ? list[r] : -1;
    }
}

static void list_users(void *data, size_t block, size_t worker)
{
    const struct walk *walk = data;
    const struct sparse *train = &walk->train.matrix;
    float *affinities = walk->affinities + worker * walk->rows.n_rows * N;
    float *sums = walk->sums + worker * walk->rows.n_columns * N;
    float *scores = walk->scores + worker * walk->rows.n_columns;
    size_t end = (block + 1) * USER_BLOCK;
    end = end < walk->n_asked ? end : walk->n_asked;
    for (size_t a = block * USER_BLOCK; a < end; a++) {
        const size_t user = (size_t)walk->asked[a];
        score_user(walk, user, affinities, sums);
        for (size_t k = 0; k < N; k++) {
            list_best(train, user, sums + k, scores, walk->lists + (k * walk->n_asked + a) * LIST);
        }
    }
}

/* Judges the lists, and takes the longest half-life that nothing clearly beats. */
static enum status_code choose(const struct walk *walk, struct weight_half_life *out,
                               struct status *status)
{
    enum status_code code;
    const size_t n = walk->n_asked;
    const struct metric *metric = NULL;
    double *values = NULL; /* (N, n_asked) */
    size_t k = 0, best = 0;
    (void)metric_parse("ndcg@20", strlen("ndcg@20"), &metric, &k);
    assert(k == LIST);
    TRY(MEM_NEW(&values, N * n, status));
    for (size_t h = 0; h < N; h++) {
        metric_per_user(metric, LIST, walk->lists + h * n * LIST, LIST, walk->asked, n,
                        &walk->held_out.matrix, NULL, values + h * n);
        out->values[h] = metric_mean(values + h * n, n, NULL);
        best = out->values[h] > out->values[best] ? h : best;
    }
    out->n_users = n;
    while (out->chosen < best &&
           paired_clearly_better(values + best * n, values + out->chosen * n, n)) {
        out->chosen++;
    }
done:
    mem_free(values);
    return code;
}

enum status_code weight_half_life_choose(const struct event_log *log,
                                         enum duplicate_policy duplicates, uint64_t seed,
                                         struct pool *pool, struct weight_half_life *out,
                                         struct status *status)
{
    enum status_code code = STATUS_OK;
    struct walk walk = {0};
    struct weight_half_life made = {0};
    if (log->has_times) {
        TRY(walk_init(&walk, log, duplicates, seed, pool_threads(pool), status));
    }
    if (walk.n_asked > 0) {
        pool_run(pool, (walk.n_asked + USER_BLOCK - 1) / USER_BLOCK, list_users, &walk);
        TRY(choose(&walk, &made, status));
    }
    *out = made;
done:
    walk_release(&walk);
    return code;
}
