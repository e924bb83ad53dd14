/* The sums of transitions.h: column sums user by user, then row by row over the users of an item.
 * All are integers: of PAIR_UNIT, column sums of COLUMN_UNIT. */
#include "pairs/transitions.h"

#include "base/mem.h"
#include "pairs/pair_rows.h"
#include "pairs/pair_windows.h"

#include <inttypes.h>
#include <math.h>

enum { SPANS_AHEAD = 8 }; /* a span of that many later is asked for */
/* A user gives to a column less than 8 for each of PAIR_STEPS_LEAST steps and 1 for each place of
 * the reach, which is 1,000 at most: of 2^28 users the sum stays below 2^63 units. */
#define COLUMN_UNIT 0x1p-24
enum { MOST_USERS = 1 << 28 };

struct transitions {
    const struct transition_settings *settings;
    struct pair_windows windows;
    double *decays;                           /* (reach) decay^(distance - 1), in PAIR_UNIT */
    double inverse_roots[PAIR_STEP_MOST + 1]; /* of the size of a step; [0] is not used */
    double *column_weights;                   /* (n_items) 1 / max(in(i), 1)^in_exponent */
    int64_t *additions;                       /* (n_items) that a row takes, of all ranks */
};

/* pair_row_adder */
static void add_row(const void *data, const struct pair_windows *windows, size_t item,
                    struct row_scratch *scratch)
{
    const struct transitions *t = data;
    const struct pair_span *spans = windows->spans;
    const int64_t end = windows->item_offsets[item + 1];
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
            mem_prefetch(&scratch->sums[windows->items[spans[s + 1].first + k]],
                         sizeof *scratch->sums);
        }
        for (int32_t k = 0; k < spans[s].length; k++) {
            const double weight = t->decays[steps[k].number - steps[0].number] *
                                  t->inverse_roots[steps[-1].size] *
                                  t->inverse_roots[steps[k].size];
            index_set_add(&scratch->touched, partners[k]);
            scratch->sums[partners[k]] += (int64_t)(weight + 0.5);
        }
    }
}

/* pair_row_weigher */
static size_t weigh_row(const void *data, size_t item, struct row_scratch *scratch,
                        size_t n_touched)
{
    const struct transitions *t = data;
    double out = 0;
    size_t n = 0;
    (void)item;
    for (size_t c = 0; c < n_touched; c++) {
        out += (double)scratch->sums[scratch->partners[c]] * PAIR_UNIT;
    }
    const double row_weight = PAIR_UNIT / pow(out, t->settings->out_exponent);
    for (size_t c = 0; c < n_touched; c++) {
        const int32_t partner = scratch->partners[c];
        const float weight =
            (float)((double)scratch->sums[partner] * row_weight * t->column_weights[partner]);
        scratch->sums[partner] = 0;
        if (weight > 0) {
            scratch->partners[n] = partner;
            scratch->weights[n++] = weight;
        }
    }
    return n;
}

/* in (n_items) = the column sums of T over this rank's users. By steps, whose items all get the
 * same: `arrived` (n_items), zero before and after, is what a step of the user has from those
 * before, at its first entry. */
static void sum_columns(const struct transitions *t, double *arrived, int64_t *in)
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
            const int64_t got = llrint(arrived[a] * (PAIR_UNIT / COLUMN_UNIT));
            for (size_t k = a; k < next; k++) {
                in[items[k]] += got;
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

/* column_weights, over the users of all ranks. */
static enum status_code weigh_columns(struct transitions *t, struct status *status)
{
    const size_t n_items = t->windows.n_items;
    struct ranks *ranks = t->settings->crowd.ranks;
    double *arrived = NULL;
    int64_t *in = NULL, n_users = (int64_t)t->windows.n_users;
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&t->column_weights, n_items, status));
    TRY(MEM_NEW(&arrived, n_items, status));
    TRY(MEM_NEW(&in, n_items, status));
    sum_columns(t, arrived, in);
    TRY(ranks_sum_int64(ranks, in, n_items, status));
    TRY(ranks_sum_int64(ranks, &n_users, 1, status));
    if (n_users > MOST_USERS) {
        code = status_set(status, STATUS_DATA,
                          "%" PRId64 " users; transitions are counted for at most %d", n_users,
                          MOST_USERS);
    }
    for (size_t i = 0; i < n_items; i++) {
        const double sum = (double)in[i] * COLUMN_UNIT;
        t->column_weights[i] = 1 / pow(fmax(sum, 1), t->settings->in_exponent);
    }
done:
    mem_free(arrived);
    mem_free(in);
    return code;
}

static enum status_code prepare(struct transitions *t, struct status *status)
{
    const struct transition_settings *settings = t->settings;
    const struct pair_windows *windows = &t->windows;
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&t->decays, settings->reach, status));
    TRY(MEM_NEW(&t->additions, windows->n_items, status));
    for (size_t d = 0; d < settings->reach; d++) {
        t->decays[d] = pow(settings->decay, (double)d) / PAIR_UNIT;
    }
    for (size_t size = 1; size <= PAIR_STEP_MOST; size++) {
        t->inverse_roots[size] = 1 / sqrt((double)size);
    }
    for (size_t i = 0; i < windows->n_items; i++) {
        for (int64_t s = windows->item_offsets[i]; s < windows->item_offsets[i + 1]; s++) {
            t->additions[i] += windows->spans[s].length;
        }
    }
    TRY(ranks_sum_int64(settings->crowd.ranks, t->additions, windows->n_items, status));
    TRY(weigh_columns(t, status));
done:
    return code;
}

enum status_code transitions_count(const struct history *train,
                                   const struct transition_settings *settings, struct pool *pool,
                                   struct sparse *out, struct status *status)
{
    const struct pair_settings following = {.window = PAIR_FOLLOWING,
                                            .max_positions = settings->reach,
                                            .max_user_items = settings->max_user_items,
                                            .crowd = settings->crowd};
    struct transitions t = {.settings = settings};
    enum status_code code = STATUS_OK;
    TRY(pair_windows_init(&t.windows, train, &following, pool, status));
    TRY(prepare(&t, status));
    const struct pair_rows rows = {.ranks = settings->crowd.ranks,
                                   .add = add_row,
                                   .weigh = weigh_row,
                                   .product = &t,
                                   .n_items = t.windows.n_items,
                                   .windows = &t.windows,
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
