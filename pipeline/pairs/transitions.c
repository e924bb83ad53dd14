/* The sums of transitions.h: column sums user by user, then row by row over the users of an item.
 */
#include "pairs/transitions.h"

#include "base/mem.h"
#include "pairs/pair_rows.h"
#include "pairs/pair_windows.h"

#include <math.h>

enum { SPANS_AHEAD = 8 }; /* a span of that many later is asked for */

struct transitions {
    const struct transition_settings *settings;
    struct pair_windows windows;
    double *decays;                           /* (reach) decay^(distance - 1) */
    double inverse_roots[PAIR_STEP_MOST + 1]; /* of the size of a step; [0] is not used */
    double *column_weights;                   /* (n_items) 1 / max(in(i), 1)^in_exponent */
    int64_t *additions;                       /* (n_items) that a row takes */
};

/* A user's partners are in the order of time, and those of one step weigh the same: so the sums are
 * the same bytes whatever order there is within a step. */
static double accumulate(const struct transitions *t, size_t item, struct row_scratch *scratch)
{
    const struct pair_windows *windows = &t->windows;
    const struct pair_span *spans = windows->spans;
    const int64_t end = windows->item_offsets[item + 1];
    double out = 0;
    for (int64_t s = windows->item_offsets[item]; s < end; s++) {
        const int32_t *partners = windows->items + spans[s].first;
        const struct pair_step *steps = windows->steps + spans[s].first;
        if (s + SPANS_AHEAD < end) {
            const struct pair_span *ahead = &spans[s + SPANS_AHEAD];
            const size_t n = (size_t)ahead->length;
            mem_prefetch(windows->items + ahead->first, n * sizeof *partners);
            mem_prefetch(windows->steps + ahead->first, n * sizeof *steps);
        }
        for (int32_t k = 0; s + 1 < end && k < spans[s + 1].length; k++) {
            mem_prefetch(&scratch->sums[windows->items[spans[s + 1].first + k]], sizeof out);
        }
        for (int32_t k = 0; k < spans[s].length; k++) {
            const double weight = t->decays[steps[k].number - steps[0].number] *
                                  t->inverse_roots[steps[-1].size] *
                                  t->inverse_roots[steps[k].size];
            index_set_add(&scratch->touched, partners[k]);
            scratch->sums[partners[k]] += weight;
            out += weight;
        }
    }
    return out;
}

/* pair_row_maker */
static size_t make_row(const void *data, size_t item, struct row_scratch *scratch)
{
    const struct transitions *t = data;
    const double row_weight = 1 / pow(accumulate(t, item, scratch), t->settings->out_exponent);
    const size_t n_touched = index_set_drain(&scratch->touched, scratch->partners);
    size_t n = 0;
    for (size_t c = 0; c < n_touched; c++) {
        const int32_t partner = scratch->partners[c];
        const float weight =
            (float)(scratch->sums[partner] * row_weight * t->column_weights[partner]);
        scratch->sums[partner] = 0;
        if (weight > 0) {
            scratch->partners[n] = partner;
            scratch->weights[n++] = weight;
        }
    }
    return n;
}

/* in (n_items) = the column sums of T. By steps, whose items all get the same: `arrived` (n_items),
 * zero before and after, is what a step of the user has from those before, at its first entry. */
static void sum_columns(const struct transitions *t, double *arrived, double *in)
{
    const struct pair_windows *windows = &t->windows;
    for (size_t user = 0; user < windows->n_users; user++) {
        const int64_t first = windows->user_offsets[user];
        const size_t n = (size_t)(windows->user_offsets[user + 1] - first);
        const int32_t *items = windows->items + first;
        const struct pair_step *steps = windows->steps + first;
        for (size_t a = 0, next = 0; a < n && steps[a].size > 0; a = next) {
            const double given = (double)steps[a].size * t->inverse_roots[steps[a].size];
            next = a + (size_t)steps[a].size;
            for (size_t k = a; k < next; k++) {
                in[items[k]] += arrived[a];
            }
            arrived[a] = 0;
            const size_t end = pair_steps_end(steps, n, next, t->settings->reach);
            for (size_t b = next; b < end; b += (size_t)steps[b].size) {
                arrived[b] += given * t->inverse_roots[steps[b].size] *
                              t->decays[steps[b].number - steps[next].number];
            }
        }
    }
}

static enum status_code prepare(struct transitions *t, struct status *status)
{
    const struct transition_settings *settings = t->settings;
    const struct pair_windows *windows = &t->windows;
    double *arrived = NULL;
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&t->decays, settings->reach, status));
    TRY(MEM_NEW(&t->column_weights, windows->n_items, status));
    TRY(MEM_NEW(&t->additions, windows->n_items, status));
    TRY(MEM_NEW(&arrived, windows->n_items, status));
    for (size_t d = 0; d < settings->reach; d++) {
        t->decays[d] = pow(settings->decay, (double)d);
    }
    for (size_t size = 1; size <= PAIR_STEP_MOST; size++) {
        t->inverse_roots[size] = 1 / sqrt((double)size);
    }
    sum_columns(t, arrived, t->column_weights);
    for (size_t i = 0; i < windows->n_items; i++) {
        t->column_weights[i] = 1 / pow(fmax(t->column_weights[i], 1), settings->in_exponent);
        for (int64_t s = windows->item_offsets[i]; s < windows->item_offsets[i + 1]; s++) {
            t->additions[i] += windows->spans[s].length;
        }
    }
done:
    mem_free(arrived);
    return code;
}

enum status_code transitions_count(const struct history *train,
                                   const struct transition_settings *settings, struct pool *pool,
                                   struct sparse *out, struct status *status)
{
    const struct pair_settings following = {.window = PAIR_FOLLOWING,
                                            .max_positions = settings->reach,
                                            .max_user_items = settings->max_user_items};
    struct transitions t = {.settings = settings};
    enum status_code code = STATUS_OK;
    TRY(pair_windows_init(&t.windows, train, &following, pool, status));
    TRY(prepare(&t, status));
    const struct pair_rows rows = {.make = make_row,
                                   .product = &t,
                                   .n_items = t.windows.n_items,
                                   .additions = t.additions,
                                   .top = settings->top,
                                   .sums = true,
                                   .watch = &settings->watch};
    TRY(pair_rows_run(&rows, pool, out, status));
done:
    mem_free(t.decays);
    mem_free(t.column_weights);
    mem_free(t.additions);
    pair_windows_release(&t.windows);
    return code;
}
