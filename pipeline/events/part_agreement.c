/* Every rank gets the state of all, and finds the same in it. */
#include "events/part_agreement.h"

#include "base/buf.h"
#include "base/mem.h"

static const struct part_state *find_clock(const struct part_state *states, size_t n)
{
    const struct part_state *state = states;
    while (state < states + n && state->clock.unit == TIME_AUTO) {
        state++;
    }
    return state < states + n ? state : NULL;
}

static enum status_code check_times(const struct part_state *states, size_t n, const char *what,
                                    struct status *status)
{
    const struct part_state *first = find_clock(states, n);
    enum status_code code = STATUS_OK;
    struct buf text = {0};

    for (size_t r = 0; r < n && code == STATUS_OK; r++) {
        const struct event_clock *clock = &states[r].clock;
        if (states[r].has_times != states[0].has_times) {
            code = status_set(status, STATUS_DATA,
                              "%s: the part of rank %zu has %s, that of rank 0 has %s; all parts "
                              "need the same columns",
                              what, r, states[r].has_times ? "times" : "no times",
                              states[0].has_times ? "times" : "none");
        } else if (clock->unit != TIME_AUTO && clock->unit != first->clock.unit) {
            row_place_add(&clock->decided_by, &text);
            buf_addf(&text, ": the time looks like %s, but the column was taken as %s from ",
                     time_unit_names[clock->unit], time_unit_names[first->clock.unit]);
            row_place_add(&first->clock.decided_by, &text);
            code =
                status_set(status, STATUS_DATA,
                           "%s; one column has one unit: convert it in the query", buf_text(&text));
        }
    }
    buf_release(&text);
    return code;
}

/* The first rank that has any ids of a column; n: none has. */
static size_t find_first(const struct id_column columns[], size_t n, bool *differs)
{
    size_t first = 0;
    while (first < n && columns[first].type == ID_NONE) {
        first++;
    }
    for (size_t r = first; r < n; r++) {
        *differs =
            *differs || (columns[r].type != ID_NONE && columns[r].type != columns[first].type);
    }
    return first;
}

/* What rank `mine` has to take the ids for. Where ranks differ, those before the first that has any
 * may still decide otherwise, and that one decides again. */
static struct id_column take(const struct id_column columns[], size_t n, size_t first, bool differs,
                             size_t mine)
{
    return first < n && (!differs || mine > first || columns[first].is_settled)
               ? columns[first]
               : (struct id_column){0};
}

enum status_code part_agreement_reach(struct ranks *ranks, const char *what,
                                      const struct part_state *mine, struct part_agreement *out,
                                      struct status *status)
{
    enum status_code code;
    const size_t n = ranks_n(ranks);
    struct ranks_bytes all = {0};
    struct id_column *columns = NULL; /* (2, n) users, items */
    struct part_agreement made = {.is_done = true};

    TRY(ranks_gather(ranks, mine, sizeof *mine, &all, status));
    TRY(MEM_NEW(&columns, 2 * n, status));
    struct part_state *states = (void *)all.data;
    for (size_t r = 0; r < n; r++) {
        made.is_done = made.is_done && states[r].is_done;
        made.n_rejected += states[r].n_rejected;
        columns[r] = states[r].users;
        columns[n + r] = states[r].items;
        /* pointers of another process */
        columns[r].decided_by.query = columns[n + r].decided_by.query = what;
        states[r].clock.decided_by.query = what;
    }
    TRY(check_times(states, n, what, status));
    const size_t user = find_first(columns, n, &made.differs);
    const size_t item = find_first(columns + n, n, &made.differs);
    const size_t rank = ranks_mine(ranks);
    made.users = take(columns, n, user, made.differs, rank);
    made.items = take(columns + n, n, item, made.differs, rank);
    *out = made;
done:
    mem_free(columns);
    ranks_bytes_release(&all);
    return code;
}
