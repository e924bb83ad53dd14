/* Two passes over the pairs: one counts, one fills. */
#include "events/history_cut.h"

#include "base/mem.h"

static bool counts(const struct history_cut *cut, size_t user, int64_t entry)
{
    int32_t item = cut->part->matrix.columns[entry];

    if ((cut->keep != NULL && !cut->keep[entry]) ||
        (cut->skip_items != NULL && (size_t)item < cut->n_master_items && cut->skip_items[item])) {
        return false;
    }
    for (size_t i = 0; !cut->repeats && i < sizeof cut->seen / sizeof *cut->seen; i++) {
        const struct history *seen = cut->seen[i];
        if (seen != NULL && user < seen->matrix.n_rows && sparse_has(&seen->matrix, user, item)) {
            return false;
        }
    }
    return true;
}

/* Walks the pairs that count; returns how many have a row and a column. Fills `out`, or where it is
 * NULL `misses`. Rows are in the order of users, so entries come in the order of the result. */
static size_t walk(const struct history_cut *cut, struct history *out,
                   struct history_cut_misses *misses)
{
    const struct sparse *part = &cut->part->matrix;
    size_t n = 0, next_row = 0;

    for (size_t user = 0; user < part->n_rows; user++) {
        const int32_t row = user < cut->n_master_users ? cut->row_of[user] : -1;
        bool any = false;
        for (; out != NULL && row >= 0 && next_row <= (size_t)row; next_row++) {
            out->matrix.offsets[next_row] = (int64_t)n;
        }
        for (int64_t e = part->offsets[user]; e < part->offsets[user + 1]; e++) {
            const int32_t item = part->columns[e];
            if (!counts(cut, user, e)) {
                continue;
            }
            any = true;
            if (row < 0) {
                continue;
            }
            const int32_t column = (size_t)item < cut->n_master_items ? cut->column_of[item] : -1;
            if (column < 0) {
                misses->unknown[row] += out == NULL ? 1 : 0;
                continue;
            }
            if (out != NULL) {
                out->matrix.columns[n] = column;
                out->matrix.values[n] = part->values == NULL ? 1 : part->values[e];
                out->times[n] = cut->part->times[e];
            }
            n++;
        }
        misses->n_unknown_users += out == NULL && row < 0 && any ? 1 : 0;
    }
    for (; out != NULL && next_row <= cut->n_rows; next_row++) {
        out->matrix.offsets[next_row] = (int64_t)n;
    }
    return n;
}

enum status_code history_cut_start(struct history_cut *cut, const struct dataset *set,
                                   const struct sparse *master, struct status *status)
{
    enum status_code code;

    *cut = (struct history_cut){.repeats = set->repeats,
                                .n_master_users = master->n_rows,
                                .n_master_items = master->n_columns,
                                .n_rows = set->n_users,
                                .n_columns = set->n_items};
    TRY(MEM_NEW(&cut->row_of, master->n_rows, status));
    TRY(MEM_NEW(&cut->column_of, master->n_columns, status));
    dataset_invert(set->users, set->n_users, master->n_rows, cut->row_of);
    dataset_invert(set->items, set->n_items, master->n_columns, cut->column_of);
done:
    return code;
}

void history_cut_release(struct history_cut *cut)
{
    mem_free(cut->row_of);
    mem_free(cut->column_of);
}

enum status_code history_cut_take(const struct history_cut *cut, struct history *out,
                                  struct history_cut_misses *misses, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history made = {0};
    struct history_cut_misses counted = {0};

    TRY(MEM_NEW(&counted.unknown, cut->n_rows, status));
    size_t n = walk(cut, NULL, &counted);
    TRY(sparse_init(&made.matrix, cut->n_rows, cut->n_columns, n, true, status));
    TRY(MEM_NEW(&made.times, n, status));
    walk(cut, &made, &counted);
    *out = made;
    made = (struct history){0};
    if (misses != NULL) {
        *misses = counted;
        counted.unknown = NULL;
    }
done:
    history_release(&made);
    mem_free(counted.unknown);
    return code;
}

/* pattern (n_rows, n_columns; zeroed: empty) = its pairs and those of the cut. */
static enum status_code add_pattern(const struct history_cut *cut, struct sparse *pattern,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history taken = {0};
    struct sparse both = {0};

    TRY(history_cut_take(cut, &taken, NULL, status));
    if (pattern->n_rows == 0) { /* empty, or nothing but an end */
        sparse_release(pattern);
        mem_free(taken.matrix.values);
        *pattern = taken.matrix;
        pattern->values = NULL;
        taken.matrix = (struct sparse){0};
    } else {
        TRY(sparse_union(pattern, &taken.matrix, &both, status));
        sparse_release(pattern);
        *pattern = both;
    }
done:
    history_release(&taken);
    return code;
}

enum status_code history_cut_bar(struct history_cut cut, const struct history *const *parts,
                                 size_t n_parts, struct sparse *out, struct status *status)
{
    enum status_code code = STATUS_OK;

    if (cut.repeats) {
        return sparse_init(out, cut.n_rows, cut.n_columns, 0, false, status);
    }
    memset(cut.seen, 0, sizeof cut.seen);
    cut.skip_items = NULL;
    for (size_t p = 0; p < n_parts; p++) {
        if (parts[p] != NULL) {
            cut.part = parts[p];
            TRY(add_pattern(&cut, out, status));
        }
    }
done:
    return code;
}

/* Entries of a row, [at, end), of one of the two that are merged. */
struct run {
    const struct history *from;
    int64_t at, end;
};

static struct run run_of(const struct history *from, size_t row)
{
    struct run run = {from, 0, 0};

    if (row < from->matrix.n_rows) {
        run.at = from->matrix.offsets[row];
        run.end = from->matrix.offsets[row + 1];
    }
    return run;
}

static int32_t next_column(const struct run *run)
{
    return run->at < run->end ? run->from->matrix.columns[run->at] : INT32_MAX;
}

static void merge_row(struct run a, struct run b, struct history *out, size_t *n)
{
    while (a.at < a.end || b.at < b.end) {
        int32_t column_a = next_column(&a), column_b = next_column(&b);
        const struct run *source = column_a <= column_b ? &a : &b;
        out->matrix.columns[*n] = source->from->matrix.columns[source->at];
        out->matrix.values[*n] = source->from->matrix.values[source->at];
        out->times[(*n)++] = source->from->times[source->at];
        a.at += column_a <= column_b ? 1 : 0;
        b.at += column_b <= column_a ? 1 : 0;
    }
}

enum status_code history_merge(const struct history *a, const struct history *b,
                               struct history *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history made = {0};
    const struct sparse *x = &a->matrix, *y = &b->matrix;
    size_t n_rows = x->n_rows > y->n_rows ? x->n_rows : y->n_rows;
    size_t n_columns = x->n_columns > y->n_columns ? x->n_columns : y->n_columns;
    size_t most = sparse_entries(x) + sparse_entries(y), n = 0;

    TRY(sparse_init(&made.matrix, n_rows, n_columns, most, true, status));
    TRY(MEM_NEW(&made.times, most, status));
    for (size_t row = 0; row < n_rows; row++) {
        merge_row(run_of(a, row), run_of(b, row), &made, &n);
        made.matrix.offsets[row + 1] = (int64_t)n;
    }
    *out = made;
    made = (struct history){0};
done:
    history_release(&made);
    return code;
}

enum status_code history_copy(const struct history *from, struct history *out,
                              struct status *status)
{
    static const struct history nothing = {0};

    return history_merge(from, &nothing, out, status);
}
