/* Columns of events: growing, sorting, folding. Sorting is two counting sorts (by item, then by
 * user), so that its time is linear whatever the histories look like; only the events of one pair
 * are compared with each other. */
#include "events/event_log.h"

#include "base/mem.h"
#include "dataset/vocabulary_ranks.h"

#include <assert.h>
#include <float.h>
#include <math.h>

enum { FIRST_EVENTS = 4096 };

enum status_code event_log_add(struct event_log *log, int32_t user, int32_t item, float weight,
                               int64_t time, enum event_part part, struct status *status)
{
    assert(log->user_start == NULL && weight > 0);
    enum status_code code = STATUS_OK;
    if (log->n == log->capacity) {
        const size_t n = log->n, capacity = n == 0 ? FIRST_EVENTS : 2 * n;
        TRY(MEM_RESIZE(&log->user_codes, n, capacity, status));
        TRY(MEM_RESIZE(&log->item_codes, n, capacity, status));
        TRY(MEM_RESIZE(&log->weights, n, capacity, status));
        TRY(MEM_RESIZE(&log->times, n, capacity, status));
        TRY(MEM_RESIZE(&log->parts, n, capacity, status));
        log->capacity = capacity;
    }
    size_t e = log->n++;
    log->user_codes[e] = user;
    log->item_codes[e] = item;
    log->weights[e] = weight;
    log->times[e] = time;
    log->parts[e] = (uint8_t)part;
done:
    return code;
}

static void release_columns(struct event_log *log)
{
    mem_free(log->user_codes);
    mem_free(log->item_codes);
    mem_free(log->weights);
    mem_free(log->times);
    mem_free(log->parts);
    log->user_codes = log->item_codes = NULL;
    log->weights = NULL;
    log->times = NULL;
    log->parts = NULL;
    log->n = log->capacity = 0;
}

void event_log_release(struct event_log *log)
{
    release_columns(log);
    mem_free(log->user_start);
    mem_free(log->cold_items);
    vocabulary_release(&log->users);
    vocabulary_release(&log->items);
    *log = (struct event_log){0};
}

/* *start (n_codes + 1) = where the events of each code begin in an order by code. */
static enum status_code count_starts(const int32_t *codes, size_t n, size_t n_codes,
                                     int64_t **start, struct status *status)
{
    enum status_code code = MEM_NEW(start, n_codes + 1, status);
    if (code != STATUS_OK) {
        return code;
    }
    for (size_t e = 0; e < n; e++) {
        (*start)[codes[e] + 1]++;
    }
    for (size_t c = 0; c < n_codes; c++) {
        (*start)[c + 1] += (*start)[c];
    }
    return STATUS_OK;
}

/* Puts the events in the order of `codes`, one of the log's own columns; stable. `next` (n_codes
 * starts) is used up. */
static enum status_code counting_sort(struct event_log *log, const int32_t *codes, int64_t *next,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    struct event_log sorted = {0};
    size_t n = log->n;

    TRY(MEM_NEW(&sorted.user_codes, n, status));
    TRY(MEM_NEW(&sorted.item_codes, n, status));
    TRY(MEM_NEW(&sorted.weights, n, status));
    TRY(MEM_NEW(&sorted.times, n, status));
    TRY(MEM_NEW(&sorted.parts, n, status));
    for (size_t e = 0; e < n; e++) {
        size_t to = (size_t)next[codes[e]]++;
        sorted.user_codes[to] = log->user_codes[e];
        sorted.item_codes[to] = log->item_codes[e];
        sorted.weights[to] = log->weights[e];
        sorted.times[to] = log->times[e];
        sorted.parts[to] = log->parts[e];
    }
    release_columns(log);
    log->user_codes = sorted.user_codes;
    log->item_codes = sorted.item_codes;
    log->weights = sorted.weights;
    log->times = sorted.times;
    log->parts = sorted.parts;
    log->n = log->capacity = n;
    sorted = (struct event_log){0};
done:
    release_columns(&sorted);
    return code;
}

static enum status_code sort_vocabulary(struct vocabulary *vocabulary, int32_t *codes, size_t n,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t *new_code = NULL;

    TRY(MEM_NEW(&new_code, vocabulary->n, status));
    TRY(vocabulary_sort(vocabulary, new_code, status));
    for (size_t e = 0; e < n; e++) {
        codes[e] = new_code[codes[e]];
    }
done:
    mem_free(new_code);
    return code;
}

/* One of several events of the same pair. */
struct repeat {
    int64_t time; /* 0 where time does not matter */
    size_t row;
    float weight; /* 0 where weight does not matter */
    uint8_t part;
    float original_weight;
    int64_t original_time;
};

static int compare_repeats(const void *left, const void *right)
{
    const struct repeat *a = left, *b = right;

    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    if (a->weight != b->weight) {
        return a->weight < b->weight ? -1 : 1;
    }
    return (a->row > b->row) - (a->row < b->row);
}

/* Orders events [first, end) of one pair by time and weight, so that nothing depends on the order
 * of rows; without times the ordinal number counts for `last`, and for it alone. */
static void order_repeats(struct event_log *log, size_t first, size_t end, bool by_time,
                          bool by_weight, struct repeat *scratch)
{
    for (size_t e = first; e < end; e++) {
        scratch[e - first] = (struct repeat){.time = by_time ? log->times[e] : 0,
                                             .row = e,
                                             .weight = by_weight ? log->weights[e] : 0,
                                             .part = log->parts[e],
                                             .original_weight = log->weights[e],
                                             .original_time = log->times[e]};
    }
    size_t n = end - first, at = 1;
    while (at < n && compare_repeats(&scratch[at - 1], &scratch[at]) < 0) {
        at++;
    }
    if (at == n) {
        return;
    }
    qsort(scratch, n, sizeof *scratch, compare_repeats);
    for (size_t i = 0; i < n; i++) {
        log->times[first + i] = scratch[i].original_time;
        log->weights[first + i] = scratch[i].original_weight;
        log->parts[first + i] = scratch[i].part;
    }
}

size_t event_log_pair_end(const struct event_log *log, size_t e)
{
    int32_t user = log->user_codes[e], item = log->item_codes[e];

    do {
        e++;
    } while (e < log->n && log->item_codes[e] == item && log->user_codes[e] == user);
    return e;
}

static enum status_code order_pairs(struct event_log *log, enum duplicate_policy duplicates,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct repeat *scratch = NULL;
    size_t longest = 1;
    bool is_last = duplicates == DUPLICATES_LAST;

    for (size_t e = 0, end; e < log->n; e = end) {
        end = event_log_pair_end(log, e);
        longest = end - e > longest ? end - e : longest;
    }
    if (longest == 1) {
        goto done;
    }
    TRY(MEM_NEW(&scratch, longest, status));
    for (size_t e = 0, end; e < log->n; e = end) {
        end = event_log_pair_end(log, e);
        if (end - e > 1) {
            order_repeats(log, e, end, log->has_times || is_last, log->has_times || !is_last,
                          scratch);
        }
    }
done:
    mem_free(scratch);
    return code;
}

enum status_code event_log_unite_items(struct event_log *log, struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t *map = NULL;

    if (ranks_n(log->ranks) == 1) {
        goto done;
    }
    TRY(sort_vocabulary(&log->items, log->item_codes, log->n, status));
    TRY(MEM_NEW(&map, log->items.n, status));
    TRY(vocabulary_unite(log->ranks, &log->items, map, status));
    for (size_t e = 0; e < log->n; e++) {
        log->item_codes[e] = map[log->item_codes[e]];
    }
done:
    mem_free(map);
    return code;
}

enum status_code event_log_sort(struct event_log *log, enum duplicate_policy duplicates,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t *item_start = NULL, *user_start = NULL, *next = NULL;
    size_t n_users = log->users.n, n_items = log->items.n;

    assert(log->user_start == NULL);
    TRY(sort_vocabulary(&log->users, log->user_codes, log->n, status));
    TRY(sort_vocabulary(&log->items, log->item_codes, log->n, status));
    TRY(count_starts(log->item_codes, log->n, n_items, &item_start, status));
    TRY(counting_sort(log, log->item_codes, item_start, status));
    TRY(count_starts(log->user_codes, log->n, n_users, &user_start, status));
    TRY(MEM_NEW(&next, n_users + 1, status));
    memcpy(next, user_start, (n_users + 1) * sizeof *next);
    TRY(counting_sort(log, log->user_codes, next, status));
    TRY(order_pairs(log, duplicates, status));
    log->user_start = user_start;
    user_start = NULL;
done:
    mem_free(item_start);
    mem_free(user_start);
    mem_free(next);
    return code;
}

int64_t event_log_newest(const struct event_log *log, unsigned parts, bool *found)
{
    int64_t newest = 0;

    *found = false;
    for (size_t e = 0; e < log->n; e++) {
        if ((log->parts[e] & parts) != 0 && (!*found || log->times[e] > newest)) {
            newest = log->times[e];
            *found = true;
        }
    }
    return newest;
}

enum status_code event_log_newest_of_all(const struct event_log *log, unsigned parts,
                                         int64_t *newest, bool *found, struct status *status)
{
    enum status_code code;
    const int64_t here = event_log_newest(log, parts, found);
    int64_t of_all = *found ? here : INT64_MIN; /* no time: those are of 1980 and later */

    TRY(ranks_max_int64(log->ranks, &of_all, 1, status));
    *found = of_all != INT64_MIN;
    *newest = *found ? of_all : 0;
done:
    return code;
}

/* The events of one pair, [first, end), folded. */
struct folded {
    double weight;
    int64_t newest;
};

struct folding {
    const struct event_log *log;
    unsigned parts;
    enum duplicate_policy duplicates;
    double half_life; /* seconds, 0: none */
    int64_t now;      /* where ages are measured from */
};

static bool fold_pair(const struct folding *folding, size_t first, size_t end, struct folded *out)
{
    const struct event_log *log = folding->log;
    bool found = false;
    struct folded folded = {0};

    for (size_t e = first; e < end; e++) {
        if ((log->parts[e] & folding->parts) == 0) {
            continue;
        }
        double weight = (double)log->weights[e];
        if (folding->half_life > 0) {
            weight *= exp2(-(double)(folding->now - log->times[e]) / folding->half_life);
        }
        /* the events of a pair are ordered, so that the last one is the newest for `last` */
        if (folding->duplicates == DUPLICATES_SUM) {
            folded.weight += weight;
        } else if (folding->duplicates == DUPLICATES_LAST || weight > folded.weight) {
            folded.weight = weight;
        }
        if (!found || log->times[e] > folded.newest) {
            folded.newest = log->times[e];
        }
        found = true;
    }
    *out = folded;
    return found;
}

float event_log_weight(double weight)
{
    return (float)(weight < (double)FLT_MIN
                       ? (double)FLT_MIN
                       : (weight > (double)FLT_MAX ? (double)FLT_MAX : weight));
}

static size_t count_pairs(const struct event_log *log, unsigned parts)
{
    size_t n_pairs = 0;

    for (size_t e = 0, end; e < log->n; e = end) {
        unsigned seen = 0;
        end = event_log_pair_end(log, e);
        for (size_t i = e; i < end; i++) {
            seen |= log->parts[i];
        }
        n_pairs += (seen & parts) != 0 ? 1 : 0;
    }
    return n_pairs;
}

enum status_code event_log_fold(const struct event_log *log, unsigned parts,
                                enum duplicate_policy duplicates, double half_life_seconds,
                                struct history *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history made = {0};
    struct folding folding = {log, parts, duplicates, half_life_seconds, 0};
    bool found = false;
    size_t n_users = log->users.n, n_pairs = count_pairs(log, parts), pair = 0;

    assert(log->user_start != NULL);
    if (half_life_seconds > 0) {
        TRY(event_log_newest_of_all(log, parts, &folding.now, &found, status));
    }
    TRY(sparse_init(&made.matrix, n_users, log->items.n, n_pairs, true, status));
    TRY(MEM_NEW(&made.times, n_pairs, status));
    for (size_t user = 0; user < n_users; user++) {
        size_t last = (size_t)log->user_start[user + 1];
        for (size_t e = (size_t)log->user_start[user], end; e < last; e = end) {
            struct folded folded;
            end = event_log_pair_end(log, e);
            if (fold_pair(&folding, e, end, &folded)) {
                made.matrix.columns[pair] = log->item_codes[e];
                made.matrix.values[pair] = event_log_weight(folded.weight);
                made.times[pair++] = folded.newest;
            }
        }
        made.matrix.offsets[user + 1] = (int64_t)pair;
    }
    *out = made;
    made = (struct history){0};
done:
    history_release(&made);
    return code;
}
