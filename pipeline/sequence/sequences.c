/* Sorting histories into steps. */
#include "sequence/sequences.h"
#include "base/num.h"

#include "base/mem.h"

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

/* Adds events [from, n) as steps of the user. */
static void add_steps(struct sequences *sequences, size_t user, const struct event *events,
                      size_t from, size_t n)
{
    int64_t step = sequences->first[user];
    int64_t at = sequences->offsets[step];
    for (size_t e = from; e < n; e++) {
        if (e == from || events[e].time != events[e - 1].time) {
            const bool is_first = step == sequences->first[user];
            sequences->ages[step] =
                is_first ? 0 : sequence_age(events[e].time - events[e - 1].time);
            sequences->offsets[step++] = at;
        }
        sequences->items[at++] = events[e].item;
    }
    sequences->offsets[step] = at;
    sequences->first[user + 1] = step;
}

enum status_code sequences_init(struct sequences *sequences, const struct history *history,
                                const struct sequence_view *view, size_t length,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *m = &history->matrix;
    const size_t n_rows = view == NULL || view->rows == NULL ? m->n_rows : view->n_rows;
    const int32_t *columns = view == NULL ? NULL : view->columns;
    struct sequences made = {.n_users = n_rows};
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
    for (size_t u = 0; u < n_rows; u++) {
        const int64_t row = view == NULL || view->rows == NULL ? (int64_t)u : view->rows[u];
        const size_t n = row < 0 ? 0 : sort_row(history, (size_t)row, columns, events);
        add_steps(&made, u, events, newest_steps(events, n, length), n);
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
    *sequences = (struct sequences){0};
}
