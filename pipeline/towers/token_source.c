/* Histories and features as bags of tokens. */
#include "towers/token_source.h"
#include "base/num.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>

const char *const pooling_names[] = {"mean", "decay", "attention", NULL};
const char *const view_change_names[] = {"noise",      "dropout", "crop",  "mask", "reorder",
                                         "substitute", "edges",   "nodes", NULL};

bool view_needs_history(enum view_change change)
{
    return change == VIEW_CROP || change == VIEW_MASK || change == VIEW_REORDER ||
           change == VIEW_SUBSTITUTE;
}

bool view_needs_graph(enum view_change change)
{
    return change == VIEW_EDGES || change == VIEW_NODES;
}

struct dated_item {
    int64_t time;
    uint64_t tie;
    int32_t item;
};

static int older_first(const void *a, const void *b)
{
    const struct dated_item *x = a, *y = b;
    return num_compare_pairs(x->time, y->time, x->tie, y->tie);
}

/* Weight of the item at `index` of `n`, oldest first, before they are scaled to 1 together. */
static double item_weight(const struct history_settings *settings, bool has_times,
                          const struct dated_item *items, size_t index, size_t n)
{
    if (settings->pooling != POOLING_DECAY) {
        return 1.0;
    }
    double age =
        has_times ? (double)(items[n - 1].time - items[index].time) : (double)(n - 1 - index);
    return exp2(-age / settings->half_life);
}

static void scale_row(float *values, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += values[i];
    }
    for (size_t i = 0; i < n; i++) {
        values[i] = (float)(values[i] / sum);
    }
}

/* One history, oldest first, its newest items only. */
static void fill_row(struct token_source *source, const struct history *histories, size_t row,
                     const struct history_settings *settings, struct dated_item *items)
{
    const struct sparse *m = &histories->matrix;
    struct sparse *out = &source->matrix;
    size_t n = sparse_row_length(m, row);
    for (size_t i = 0; i < n; i++) {
        int64_t e = m->offsets[row] + (int64_t)i;
        items[i].item = m->columns[e];
        items[i].tie = history_tie(0, row, (uint64_t)items[i].item);
        items[i].time = histories->times == NULL ? 0 : histories->times[e];
    }
    qsort(items, n, sizeof *items, older_first);
    size_t skip = n > settings->newest ? n - settings->newest : 0;
    int64_t first = out->offsets[row];
    for (size_t i = skip; i < n; i++) {
        out->columns[first + (int64_t)(i - skip)] = items[i].item;
        /* a weight that underflows would leave a row that cannot be scaled */
        out->values[first + (int64_t)(i - skip)] =
            (float)fmax(item_weight(settings, histories->times != NULL, items, i, n), 1e-30);
    }
    out->offsets[row + 1] = first + (int64_t)(n - skip);
    scale_row(out->values + first, n - skip);
}

enum status_code token_source_history(struct token_source *source, const struct history *histories,
                                      const struct history_settings *settings,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *m = &histories->matrix;
    struct token_source made = {
        .is_history = true, .pooling = settings->pooling, .hide = settings->hide};
    struct dated_item *items = NULL;
    size_t longest = 0;
    for (size_t r = 0; r < m->n_rows; r++) {
        longest = sparse_row_length(m, r) > longest ? sparse_row_length(m, r) : longest;
    }
    TRY(MEM_NEW(&items, longest, status));
    TRY(sparse_init(&made.matrix, m->n_rows, m->n_columns, sparse_entries(m), true, status));
    for (size_t r = 0; r < m->n_rows; r++) {
        fill_row(&made, histories, r, settings, items);
    }
    *source = made;
    made = (struct token_source){0};
done:
    mem_free(items);
    token_source_release(&made);
    return code;
}

void token_source_release(struct token_source *source)
{
    if (!source->is_view) {
        sparse_release(&source->matrix);
    }
    *source = (struct token_source){0};
}

bool token_source_hides(const struct token_source *source, const struct view *view, size_t row,
                        int32_t token)
{
    if (!view->training || !source->is_history || source->hide <= 0.0) {
        return false;
    }
    struct rng rng;
    rng_init(&rng, view->seed, "tower.hide", view->epoch,
             (uint64_t)row * source->matrix.n_columns + (uint64_t)token);
    return rng_double(&rng) < source->hide;
}

/* A partner of the item, in proportion to the pair weights; the item itself when it has none. */
static int32_t draw_partner(const struct sparse *partners, int32_t item, struct rng *rng)
{
    int64_t first = partners->offsets[item], last = partners->offsets[item + 1];
    double total = 0.0;
    for (int64_t e = first; e < last; e++) {
        total += partners->values[e];
    }
    double left = rng_double(rng) * total;
    for (int64_t e = first; e < last; e++) {
        left -= partners->values[e];
        if (left < 0.0 || e + 1 == last) {
            return partners->columns[e];
        }
    }
    return item;
}

/* The run of `length` of `n` items that a view keeps or shuffles. */
static size_t draw_start(struct rng *rng, size_t n, size_t length)
{
    return (size_t)rng_below(rng, n - length + 1);
}

/* Changes a history of n items in place; returns how many are left, at least one. */
static size_t change_history(const struct token_source *source, const struct view *view,
                             struct rng *rng, int32_t *items, float *weights, size_t n)
{
    double s = view->strength;
    size_t kept = 0, run = (size_t)fmax(1.0, round((double)n * s));
    switch (view->change) {
    case VIEW_CROP:
        run = (size_t)fmax(1.0, round((double)n * (1.0 - s)));
        kept = draw_start(rng, n, run);
        memmove(items, items + kept, run * sizeof *items);
        memmove(weights, weights + kept, run * sizeof *weights);
        return run;
    case VIEW_MASK:
    case VIEW_EDGES:
        for (size_t i = 0; i < n; i++) {
            bool keep = rng_double(rng) >= s || (kept == 0 && i + 1 == n);
            items[kept] = items[i];
            weights[kept] = weights[i];
            kept += keep;
        }
        return kept;
    case VIEW_REORDER: {
        size_t first = draw_start(rng, n, run < n ? run : n);
        run = run < n ? run : n;
        for (size_t i = run; i > 1; i--) {
            size_t j = (size_t)rng_below(rng, i);
            int32_t other = items[first + j];
            items[first + j] = items[first + i - 1];
            items[first + i - 1] = other;
        }
        return n;
    }
    case VIEW_SUBSTITUTE:
        for (size_t i = 0; i < n && source->partners != NULL; i++) {
            if (rng_double(rng) < s) {
                items[i] = draw_partner(source->partners, items[i], rng);
            }
        }
        return n;
    case VIEW_NOISE:
    case VIEW_DROPOUT:
    case VIEW_NODES:
    case VIEW_NONE:
        break;
    }
    return n;
}

enum status_code token_source_select(const struct token_source *source, const int32_t *rows,
                                     size_t count, const struct view *view, struct row_builder *out,
                                     struct workspace *workspace, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *m = &source->matrix;
    size_t entries = 0;
    for (size_t i = 0; i < count; i++) {
        entries += sparse_row_length(m, rows == NULL ? i : (size_t)rows[i]);
    }
    workspace_begin(workspace);
    row_builder_memory(out, count, entries, workspace);
    TRY(workspace_reserve(workspace, status));
    row_builder_clear(out);
    out->matrix.n_columns = m->n_columns;
    for (size_t i = 0; i < count; i++) {
        size_t row = rows == NULL ? i : (size_t)rows[i], first = out->n_entries;
        for (int64_t e = m->offsets[row]; e < m->offsets[row + 1]; e++) {
            if (!token_source_hides(source, view, row, m->columns[e])) {
                row_builder_add(out, m->columns[e], m->values == NULL ? 1.0f : m->values[e]);
            }
        }
        size_t n = out->n_entries - first;
        if (source->is_history && n > 0) {
            struct rng rng;
            rng_init(&rng, view->seed ^ (view->number * 0x9e3779b97f4a7c15u), "tower.view",
                     view->epoch, row);
            n = change_history(source, view, &rng, out->matrix.columns + first,
                               out->matrix.values + first, n);
            out->n_entries = first + n;
            scale_row(out->matrix.values + first, n);
        }
        row_builder_end_row(out);
    }
done:
    return code;
}
