/* With r(v, i) = w(v, i) / sqrt(d_v d_i), where w are decayed weights, d their sums over a row and
 * over a column, and v runs over the neighbours, the list of a user is ordered by
 *
 *     s(u, i) = sum over v of r(v, i) sum over h of r(v, h),   h the items of u
 *
 * without these: the evidence of evidence.h, walked instead of multiplied out, so that a sample of
 * the users costs a sample of the time. All half-lives walk side by side. */
#include "evaluation/weight_half_life.h"
#include "base/clock.h"

#include "base/buf.h"
#include "base/mem.h"
#include "dataset/crowd.h"
#include "evaluation/metrics.h"
#include "math/topk.h"
#include "search/paired.h"

#include <assert.h>
#include <math.h>

const double weight_half_lives[WEIGHT_HALF_LIVES] = {0, 180, 90, 60, 30, 14, 7, 3};

enum {
    N = WEIGHT_HALF_LIVES,
    NEIGHBOUR_PAIRS = 250000, /* or an eighth of all, if that is more ... */
    MOST_PAIRS = 4000000,     /* ... but no more than these */
    STEPS = 250000000,        /* asked users times pairs of neighbours ... */
    LEAST_ASKED = 500,        /* ... but as many users, and no more than these */
    MOST_ASKED = 2000,
    LIST = 20,
    USER_BLOCK = 8
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

/* What the users of a sample are taken for. */
enum { IS_NEIGHBOUR = 1, IS_ASKED = 2 };

/* Marks with `mark` the users who have something in `train`, and in `also` where that is not NULL;
 * at most `most` of all ranks. */
static enum status_code draw_users(const struct event_log *log, const struct sparse *train,
                                   const struct sparse *also, double most, uint64_t seed,
                                   uint8_t mark, uint8_t *marks, struct status *status)
{
    enum status_code code;
    const struct crowd crowd = {log->ranks, &log->users, NULL};
    int32_t *drawn = NULL;
    size_t n = 0;
    TRY(MEM_NEW(&drawn, train->n_rows, status));
    for (size_t u = 0; u < train->n_rows; u++) {
        if (sparse_row_length(train, u) > 0 && (also == NULL || sparse_row_length(also, u) > 0)) {
            drawn[n++] = (int32_t)u;
        }
    }
    TRY(crowd_sample(&crowd, drawn, &n, (size_t)fmin(most, INT32_MAX), seed, "weight half-life",
                     status));
    for (size_t i = 0; i < n; i++) {
        marks[drawn[i]] |= mark;
    }
done:
    mem_free(drawn);
    return code;
}

/* marks (users of the log) = who is asked, and whose rows are walked through. */
static enum status_code mark_users(const struct event_log *log, enum duplicate_policy duplicates,
                                   uint64_t seed, uint8_t *marks, struct status *status)
{
    enum status_code code;
    struct history train = {0}, held_out = {0};
    TRY(event_log_fold(log, PART_TRAIN, duplicates, 0, &train, status));
    TRY(event_log_fold(log, PART_VALID, duplicates, 0, &held_out, status));
    keep_new(&train.matrix, &held_out.matrix);
    int64_t sizes[2] = {(int64_t)train.matrix.n_rows, (int64_t)sparse_entries(&train.matrix)};
    TRY(ranks_sum_int64(log->ranks, sizes, 2, status));
    const double n_pairs = fmax((double)sizes[1], 1);
    const double share =
        fmin(fmin(fmax(NEIGHBOUR_PAIRS / n_pairs, 0.125), MOST_PAIRS / n_pairs), 1);
    const double most = STEPS / (share * n_pairs);
    TRY(draw_users(log, &train.matrix, NULL, ceil(share * (double)sizes[0]), seed, IS_NEIGHBOUR,
                   marks, status));
    TRY(draw_users(log, &train.matrix, &held_out.matrix, fmin(fmax(most, LEAST_ASKED), MOST_ASKED),
                   seed, IS_ASKED, marks, status));
done:
    history_release(&train);
    history_release(&held_out);
    return code;
}

/* An event of the sample on its way to all ranks; behind the n_events of a user stands the id. */
struct sent_event {
    int64_t time;
    int32_t item;
    float weight;
    uint8_t part;
};

struct sent_user {
    int64_t integer;
    uint32_t n_events, n_bytes; /* n_bytes: of a text */
    uint8_t is_text, marks;
};

static enum status_code pack_users(const struct event_log *log, const uint8_t *marks,
                                   struct buf *out, struct status *status)
{
    for (size_t u = 0; u < log->users.n; u++) {
        const int64_t first = log->user_start[u], end = log->user_start[u + 1];
        if (marks[u] == 0) {
            continue;
        }
        const struct row_id id = vocabulary_id(&log->users, u);
        struct sent_user user;
        memset(&user, 0, sizeof user); /* padding, too */
        user.integer = id.integer;
        user.n_events = (uint32_t)(end - first);
        user.n_bytes = (uint32_t)id.length;
        user.is_text = id.is_text;
        user.marks = marks[u];
        buf_add(out, (const char *)&user, sizeof user);
        for (int64_t e = first; e < end; e++) {
            struct sent_event event;
            memset(&event, 0, sizeof event);
            event.time = log->times[e];
            event.item = log->item_codes[e];
            event.weight = log->weights[e];
            event.part = log->parts[e];
            buf_add(out, (const char *)&event, sizeof event);
        }
        buf_add(out, id.text, id.length);
    }
    return buf_check(out, status);
}

/* Adds the users and their events; marks by user, of whom there is room for all. */
static enum status_code unpack_users(const char *at, const char *end, struct event_log *sample,
                                     uint8_t *marks, struct status *status)
{
    enum status_code code = STATUS_OK;
    while (at < end) {
        struct sent_user user;
        int32_t u;
        memcpy(&user, at, sizeof user);
        const char *events = at + sizeof user;
        const char *text = events + user.n_events * sizeof(struct sent_event);
        const struct row_id id = {user.is_text != 0, user.integer, text, user.n_bytes};
        TRY(vocabulary_add(&sample->users, &id, &u, status));
        marks[u] = user.marks;
        for (size_t e = 0; e < user.n_events; e++) {
            struct sent_event event;
            memcpy(&event, events + e * sizeof event, sizeof event);
            TRY(event_log_add(sample, u, event.item, event.weight, event.time,
                              (enum event_part)event.part, status));
        }
        at = text + user.n_bytes;
    }
done:
    return code;
}

/* sample = the events of the marked users of all ranks, sorted; its items are the log's, borrowed.
 * *of_sample = their marks. */
static enum status_code gather_sample(const struct event_log *log, const uint8_t *marks,
                                      enum duplicate_policy duplicates, struct event_log *sample,
                                      uint8_t **of_sample, struct status *status)
{
    enum status_code code;
    struct buf packed = {0};
    struct ranks_bytes all = {0};
    int32_t *new_code = NULL;
    uint8_t *unsorted = NULL;
    size_t n_users = 0;
    for (size_t u = 0; u < log->users.n; u++) {
        n_users += marks[u] != 0;
    }
    TRY(ranks_sum_count(log->ranks, &n_users, status));
    TRY(MEM_NEW(&unsorted, n_users, status));
    TRY(MEM_NEW(of_sample, n_users, status));
    TRY(MEM_NEW(&new_code, n_users, status));
    TRY(pack_users(log, marks, &packed, status));
    TRY(ranks_gather(log->ranks, buf_text(&packed), packed.length, &all, status));
    buf_release(&packed);
    TRY(unpack_users(all.data, all.data + all.first[ranks_n(log->ranks)], sample, unsorted,
                     status));
    TRY(vocabulary_sort(&sample->users, new_code, status));
    for (size_t u = 0; u < sample->users.n; u++) {
        (*of_sample)[new_code[u]] = unsorted[u];
    }
    for (size_t e = 0; e < sample->n; e++) {
        sample->user_codes[e] = new_code[sample->user_codes[e]];
    }
    sample->items = log->items;
    sample->has_times = log->has_times;
    TRY(event_log_sort(sample, duplicates, status));
done:
    buf_release(&packed);
    ranks_bytes_release(&all);
    mem_free(new_code);
    mem_free(unsorted);
    return code;
}

static enum status_code list_marked(const uint8_t *marks, size_t n, uint8_t mark, int32_t **users,
                                    size_t *n_users, struct status *status)
{
    enum status_code code;
    int32_t *made = NULL;
    size_t n_made = 0;
    TRY(MEM_NEW(&made, n, status));
    for (size_t u = 0; u < n; u++) {
        if ((marks[u] & mark) != 0) {
            made[n_made++] = (int32_t)u;
        }
    }
    *users = made;
    *n_users = n_made;
done:
    return code;
}

/* The parts of the sample, who is asked, and whose rows are walked through. */
static enum status_code take_users(struct walk *walk, const struct event_log *sample,
                                   const uint8_t *marks, enum duplicate_policy duplicates,
                                   int32_t **neighbours, struct status *status)
{
    enum status_code code;
    const size_t n = sample->users.n;
    size_t n_neighbours = 0;
    TRY(event_log_fold(sample, PART_TRAIN, duplicates, 0, &walk->train, status));
    TRY(event_log_fold(sample, PART_VALID, duplicates, 0, &walk->held_out, status));
    keep_new(&walk->train.matrix, &walk->held_out.matrix);
    TRY(list_marked(marks, n, IS_NEIGHBOUR, neighbours, &n_neighbours, status));
    TRY(list_marked(marks, n, IS_ASKED, &walk->asked, &walk->n_asked, status));
    TRY(sparse_gather(&walk->train.matrix, *neighbours, n_neighbours, &walk->rows, status));
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
        TRY(event_log_fold(log, PART_TRAIN, duplicates, weight_half_lives[k] * CLOCK_DAY, &folded,
                           status));
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
    struct event_log sample = {0};
    uint8_t *marks = NULL, *of_sample = NULL;
    int32_t *neighbours = NULL;
    TRY(MEM_NEW(&marks, log->users.n, status));
    TRY(mark_users(log, duplicates, seed, marks, status));
    TRY(gather_sample(log, marks, duplicates, &sample, &of_sample, status));
    TRY(take_users(walk, &sample, of_sample, duplicates, &neighbours, status));
    const size_t n_items = walk->rows.n_columns, n_entries = sparse_entries(&walk->rows);
    TRY(MEM_NEW(&walk->shares, n_entries * N, status));
    TRY(MEM_NEW(&walk->of_holders, n_entries * N, status));
    TRY(MEM_NEW(&walk->affinities, n_workers * walk->rows.n_rows * N, status));
    TRY(MEM_NEW(&walk->sums, n_workers * n_items * N, status));
    TRY(MEM_NEW(&walk->scores, n_workers * n_items, status));
    TRY(MEM_NEW(&walk->lists, walk->n_asked * N * LIST, status));
    TRY(decay(walk, &sample, duplicates, neighbours, status));
    TRY(normalise(walk, status));
done:
    sample.items = (struct vocabulary){0}; /* the log's */
    event_log_release(&sample);
    mem_free(marks);
    mem_free(of_sample);
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
    topk_offer_all(&best, scores, train->n_columns);
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
        out->values[h] = paired_mean(values + h * n, n);
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
