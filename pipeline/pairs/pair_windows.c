/* Histories cut to their newest items, put in time order, and turned into spans. */
#include "pairs/pair_windows.h"
#include "base/num.h"

#include "base/mem.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { USERS_PER_BLOCK = 256 };

struct event {
    int64_t time;
    uint64_t tie;
    int32_t item;
};

struct span_job {
    const struct history *train;
    const struct pair_settings *settings;
    struct pair_windows *windows;
    struct pair_span *spans; /* (counted entries) in the order of windows->items */
    struct event **events;   /* per worker: (longest history) */
};

static int compare_events(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    return num_compare_pairs(x->time, y->time, x->tie, y->tie);
}

static size_t counted_length(const struct history *train, const struct pair_settings *settings,
                             size_t user)
{
    const size_t length = sparse_row_length(&train->matrix, user);
    const bool capped = settings->max_user_items > 0 && length > settings->max_user_items;
    return capped ? settings->max_user_items : length;
}

/* items (counted) = the newest of the user's items in time order; *ordered then points to their
 * events. Where neither cap nor window asks for an order they keep the matrix's, *ordered = NULL.
 */
static void order_history(const struct span_job *job, size_t user, size_t counted,
                          struct event *events, int32_t *items, const struct event **ordered)
{
    const struct history *train = job->train;
    const size_t length = sparse_row_length(&train->matrix, user);
    const size_t begin = (size_t)train->matrix.offsets[user];
    const int32_t *columns = train->matrix.columns + begin;
    *ordered = NULL;
    if (job->settings->window == PAIR_WHOLE_HISTORY && counted == length) {
        memcpy(items, columns, counted * sizeof *items);
        return;
    }
    const uint64_t key = crowd_key(&job->settings->crowd, user);
    for (size_t k = 0; k < length; k++) {
        events[k] = (struct event){train->times == NULL ? 0 : train->times[begin + k],
                                   history_tie(0, key, (uint64_t)columns[k]), columns[k]};
    }
    qsort(events, length, sizeof *events, compare_events);
    *ordered = events + (length - counted);
    for (size_t k = 0; k < counted; k++) {
        items[k] = (*ordered)[k].item;
    }
}

/* Ascending times may lie further apart than int64_t can say; modulo 2^64 the gap is right. */
static uint64_t gap_between(const struct event *earlier, const struct event *later)
{
    return (uint64_t)later->time - (uint64_t)earlier->time;
}

size_t pair_steps_end(const struct pair_step *steps, size_t n, size_t at, size_t reach)
{
    size_t passed = 0;
    for (size_t distance = 1; distance <= reach && at < n && steps[at].size > 0; distance++) {
        if (distance > PAIR_STEPS_LEAST && passed >= reach) {
            break;
        }
        passed += (size_t)steps[at].size;
        at += (size_t)steps[at].size;
    }
    return at;
}

/* items and steps (counted) = the ordered events step by step, and behind them what is beyond
 * PAIR_STEP_MOST of its step. */
static void cut_steps(const struct event *ordered, size_t counted, int32_t *items,
                      struct pair_step *steps)
{
    size_t place = 0, left_out = counted, end = 0;
    for (int32_t number = 0; end < counted; number++) {
        const size_t begin = end;
        while (end < counted && ordered[end].time == ordered[begin].time) {
            end++;
        }
        const size_t size = end - begin < PAIR_STEP_MOST ? end - begin : PAIR_STEP_MOST;
        for (size_t k = begin; k < end; k++) {
            const bool counts = k - begin < size;
            const size_t to = counts ? place++ : --left_out;
            items[to] = ordered[k].item;
            steps[to] = (struct pair_step){number, counts ? (int32_t)size : 0};
        }
    }
}

/* spans (counted) of one user, whose items begin at `first`. */
static void find_spans(const struct pair_settings *settings, const struct event *ordered,
                       const struct pair_step *steps, size_t counted, int64_t first, int32_t user,
                       struct pair_span *spans)
{
    size_t low = 0, high = 0;
    for (size_t k = 0; k < counted; k++) {
        switch (settings->window) {
        case PAIR_WHOLE_HISTORY:
            high = counted;
            break;
        case PAIR_POSITIONS:
            low = k > settings->max_positions ? k - settings->max_positions : 0;
            high =
                counted - k > settings->max_positions ? k + settings->max_positions + 1 : counted;
            break;
        case PAIR_TIME_GAP:
            while (gap_between(&ordered[low], &ordered[k]) > (uint64_t)settings->max_gap) {
                low++;
            }
            while (high < counted && (high <= k || gap_between(&ordered[k], &ordered[high]) <=
                                                       (uint64_t)settings->max_gap)) {
                high++;
            }
            break;
        case PAIR_FOLLOWING:
            if (k >= low) { /* the first of its step, or nobody's partner */
                low = k + (size_t)steps[k].size;
                high = pair_steps_end(steps, counted, low, settings->max_positions);
            }
            break;
        }
        spans[k] = (struct pair_span){first + (int64_t)low, (int32_t)(high - low), user};
    }
}

static void span_task(void *data, size_t block, size_t worker)
{
    const struct span_job *job = data;
    const struct pair_windows *windows = job->windows;
    size_t end = (block + 1) * USERS_PER_BLOCK;
    end = end < windows->n_users ? end : windows->n_users;
    for (size_t user = block * USERS_PER_BLOCK; user < end; user++) {
        const int64_t first = windows->user_offsets[user];
        const size_t counted = (size_t)(windows->user_offsets[user + 1] - first);
        struct pair_step *steps = windows->steps == NULL ? NULL : windows->steps + first;
        const struct event *ordered = NULL;
        order_history(job, user, counted, job->events[worker], windows->items + first, &ordered);
        if (steps != NULL) {
            cut_steps(ordered, counted, windows->items + first, steps);
        }
        find_spans(job->settings, ordered, steps, counted, first, (int32_t)user,
                   job->spans + first);
    }
}

/* windows->spans = spans, regrouped by item. */
static enum status_code group_by_item(struct pair_windows *windows, const struct pair_span *spans,
                                      struct status *status)
{
    const size_t n_entries = (size_t)windows->user_offsets[windows->n_users];
    int64_t *offsets = NULL;
    struct pair_span *grouped = NULL;
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&offsets, windows->n_items + 1, status));
    TRY(MEM_NEW(&grouped, n_entries, status));
    for (size_t e = 0; e < n_entries; e++) {
        offsets[windows->items[e] + 1]++;
    }
    for (size_t i = 0; i < windows->n_items; i++) {
        offsets[i + 1] += offsets[i];
    }
    /* offsets[i] serves as the place of item i's next span, and so ends as the start of i + 1 */
    for (size_t e = 0; e < n_entries; e++) {
        grouped[offsets[windows->items[e]]++] = spans[e];
    }
    memmove(offsets + 1, offsets, windows->n_items * sizeof *offsets);
    offsets[0] = 0;
    windows->item_offsets = offsets;
    windows->spans = grouped;
    offsets = NULL;
    grouped = NULL;
done:
    mem_free(offsets);
    mem_free(grouped);
    return code;
}

static enum status_code check_histories(const struct history *train,
                                        const struct pair_settings *settings, struct status *status)
{
    if (settings->window != PAIR_WHOLE_HISTORY && train->times == NULL &&
        sparse_entries(&train->matrix) > 0) {
        return status_set(status, STATUS_CONFIG,
                          "item pairs within a %s need the time of each interaction, and the "
                          "interactions have none; allowed without times: the whole history",
                          settings->window == PAIR_TIME_GAP ? "time window"
                                                            : "number of positions");
    }
    if (train->matrix.n_rows > INT32_MAX || train->matrix.n_columns > INT32_MAX) {
        return status_set(status, STATUS_DATA,
                          "%zu users and %zu items; item pairs are counted for at most %" PRId32
                          " of either",
                          train->matrix.n_rows, train->matrix.n_columns, INT32_MAX);
    }
    return STATUS_OK;
}

/* The lengths that count: windows->user_offsets and room for the items. */
static enum status_code count_histories(struct pair_windows *windows, const struct history *train,
                                        const struct pair_settings *settings, struct status *status)
{
    enum status_code code = STATUS_OK;
    windows->n_users = train->matrix.n_rows;
    windows->n_items = train->matrix.n_columns;
    TRY(MEM_NEW(&windows->user_offsets, windows->n_users + 1, status));
    TRY(MEM_NEW(&windows->shares, windows->n_users, status));
    for (size_t user = 0; user < windows->n_users; user++) {
        const size_t counted = counted_length(train, settings, user);
        windows->user_offsets[user + 1] = windows->user_offsets[user] + (int64_t)counted;
        windows->shares[user] = counted > 0 ? llrint(1 / (PAIR_UNIT * (double)counted)) : 0;
    }
    TRY(MEM_NEW(&windows->items, (size_t)windows->user_offsets[windows->n_users], status));
    if (settings->window == PAIR_FOLLOWING) {
        TRY(MEM_NEW(&windows->steps, (size_t)windows->user_offsets[windows->n_users], status));
    }
done:
    return code;
}

/* Room for the longest history, for each worker. */
static enum status_code new_events(const struct history *train, size_t n_workers,
                                   struct event **events, struct status *status)
{
    size_t longest = 0;
    enum status_code code = STATUS_OK;
    for (size_t user = 0; user < train->matrix.n_rows; user++) {
        const size_t length = sparse_row_length(&train->matrix, user);
        longest = length > longest ? length : longest;
    }
    for (size_t w = 0; w < n_workers; w++) {
        TRY(MEM_NEW(&events[w], longest, status));
    }
done:
    return code;
}

enum status_code pair_windows_init(struct pair_windows *windows, const struct history *train,
                                   const struct pair_settings *settings, struct pool *pool,
                                   struct status *status)
{
    const size_t n_workers = pool_threads(pool);
    struct span_job job = {.train = train, .settings = settings, .windows = windows};
    enum status_code code = STATUS_OK;
    *windows = (struct pair_windows){0};
    TRY(check_histories(train, settings, status));
    TRY(count_histories(windows, train, settings, status));
    TRY(MEM_NEW(&job.spans, (size_t)windows->user_offsets[windows->n_users], status));
    TRY(MEM_NEW(&job.events, n_workers, status));
    TRY(new_events(train, n_workers, job.events, status));
    pool_run(pool, (windows->n_users + USERS_PER_BLOCK - 1) / USERS_PER_BLOCK, span_task, &job);
    TRY(group_by_item(windows, job.spans, status));
done:
    for (size_t w = 0; job.events != NULL && w < n_workers; w++) {
        mem_free(job.events[w]);
    }
    mem_free(job.events);
    mem_free(job.spans);
    if (code != STATUS_OK) {
        pair_windows_release(windows);
    }
    return code;
}

void pair_windows_release(struct pair_windows *windows)
{
    mem_free(windows->user_offsets);
    mem_free(windows->shares);
    mem_free(windows->items);
    mem_free(windows->steps);
    mem_free(windows->item_offsets);
    mem_free(windows->spans);
    *windows = (struct pair_windows){0};
}
