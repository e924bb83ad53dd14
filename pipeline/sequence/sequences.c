/* Sorting histories into steps. */
#include "sequence/sequences.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"

#include <stdlib.h>

struct event {
    int64_t time;
    int32_t item;
};

static int compare_events(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    return num_compare_pairs(x->time, y->time, (uint64_t)x->item, (uint64_t)y->item);
}

uint8_t sequence_age(int64_t seconds)
{
    uint64_t rest = seconds > 0 ? (uint64_t)seconds + 1 : 1;
    uint8_t age = 0;
    while (rest > 1 && age < SEQUENCE_AGES - 1) {
        rest >>= 1;
        age++;
    }
    return age;
}

/* The events of one row in order; returns how many. */
static size_t sort_row(const struct history *history, size_t row, const int32_t *columns,
                       struct event *out)
{
    const struct sparse *m = &history->matrix;
    size_t n = 0;
    for (int64_t e = m->offsets[row]; e < m->offsets[row + 1]; e++) {
        const int32_t item = columns == NULL ? m->columns[e] : columns[m->columns[e]];
        if (item >= 0) {
            out[n++] = (struct event){history->times[e], item};
        }
    }
    qsort(out, n, sizeof *out, compare_events);
    return n;
}

/* The first of the newest `length` steps. */
static size_t newest_steps(const struct event *events, size_t n, size_t length)
{
    size_t from = n, steps = 0;
    while (from > 0) {
        const bool is_new = from == n || events[from - 1].time != events[from].time;
        if (is_new && steps == length) {
            break;
        }
        steps += is_new;
        from--;
    }
    return from;
}

/* Of events in whatever order. */
static int64_t sum_of_hashes(const struct event *events, size_t n)
{
    uint64_t sum = 0;
    for (size_t e = 0; e < n; e++) {
        const int64_t event[2] = {events[e].item, events[e].time};
        sum += hash_bytes64(event, sizeof event);
    }
    return (int64_t)sum;
}

static size_t count_steps(const struct event *events, size_t from, size_t n)
{
    size_t steps = 0;
    for (size_t e = from; e < n; e++) {
        steps += e == from || events[e].time != events[e - 1].time;
    }
    return steps;
}

/* The first event behind those that row `row` of the memory has read; 0: it does not know them. */
static size_t end_of_read(const struct sequence_memory *memory, size_t row,
                          const struct event *events, size_t n, size_t length)
{
    size_t end = n;
    while (end > 0 && events[end - 1].time > memory->newest[row]) {
        end--;
    }
    const size_t from = newest_steps(events, end, length);
    const bool is_known = sum_of_hashes(events + from, end - from) == memory->read[row];
    return is_known && end < n && count_steps(events, end, n) < length ? end : 0;
}

/* Adds events [from, n) as steps of the user, read on from what stands before them or not. */
static void add_steps(struct sequences *sequences, size_t user, const struct event *events,
                      size_t from, size_t n)
{
    const bool goes_on = sequences->goes_on[user] >= 0;
    int64_t step = sequences->first[user];
    int64_t at = sequences->offsets[step];
    for (size_t e = from; e < n; e++) {
        if (e == from || events[e].time != events[e - 1].time) {
            const bool is_first = step == sequences->first[user] && !goes_on;
            sequences->ages[step] =
                is_first ? 0 : sequence_age(events[e].time - events[e - 1].time);
            sequences->offsets[step++] = at;
        }
        sequences->items[at++] = events[e].item;
    }
    sequences->offsets[step] = at;
    sequences->first[user + 1] = step;
    sequences->newest[user] = n == 0 ? 0 : events[n - 1].time;
    sequences->read[user] = sum_of_hashes(events + from, n - from);
}

/* The events of one row become the user's steps. */
static void add_user(struct sequences *sequences, size_t user, const struct sequence_view *view,
                     const struct event *events, size_t n, size_t length)
{
    const int32_t row = view == NULL || view->remembered == NULL ? -1 : view->remembered[user];
    size_t from = row < 0 ? 0 : end_of_read(view->memory, (size_t)row, events, n, length);
    sequences->goes_on[user] = from > 0 ? row : -1;
    if (from == 0) {
        from = newest_steps(events, n, length);
    }
    add_steps(sequences, user, events, from, n);
}

enum status_code sequences_init(struct sequences *sequences, const struct history *history,
                                const struct sequence_view *view, size_t length,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *m = &history->matrix;
    const size_t n_rows = view == NULL || view->rows == NULL ? m->n_rows : view->n_rows;
    const int32_t *columns = view == NULL ? NULL : view->columns;
    struct sequences made = {.n_users = n_rows, .memory = view == NULL ? NULL : view->memory};
    struct event *events = NULL;
    size_t entries = 0, most = 0;
    for (size_t u = 0; u < n_rows; u++) {
        const int64_t row = view == NULL || view->rows == NULL ? (int64_t)u : view->rows[u];
        const size_t n = row < 0 ? 0 : sparse_row_length(m, (size_t)row);
        entries += n;
        most = n > most ? n : most;
    }
    TRY(MEM_NEW(&events, most, status));
    TRY(MEM_NEW(&made.first, n_rows + 1, status));
    TRY(MEM_NEW(&made.offsets, entries + 1, status));
    TRY(MEM_NEW(&made.items, entries, status));
    TRY(MEM_NEW(&made.ages, entries, status));
    TRY(MEM_NEW(&made.newest, n_rows, status));
    TRY(MEM_NEW(&made.read, n_rows, status));
    TRY(MEM_NEW(&made.goes_on, n_rows, status));
    for (size_t u = 0; u < n_rows; u++) {
        const int64_t row = view == NULL || view->rows == NULL ? (int64_t)u : view->rows[u];
        const size_t n = row < 0 ? 0 : sort_row(history, (size_t)row, columns, events);
        add_user(&made, u, view, events, n, length);
    }
    *sequences = made;
    made = (struct sequences){0};
done:
    sequences_release(&made);
    mem_free(events);
    return code;
}

void sequences_release(struct sequences *sequences)
{
    mem_free(sequences->first);
    mem_free(sequences->offsets);
    mem_free(sequences->items);
    mem_free(sequences->ages);
    mem_free(sequences->newest);
    mem_free(sequences->read);
    mem_free(sequences->goes_on);
    *sequences = (struct sequences){0};
}
