/* Late events merged into the histories of the train part, user by user. */
#include "evaluation/evening.h"

#include "base/mem.h"
#include "dataset/dataset_ranks.h"

#include <assert.h>
#include <math.h>

/* What the late events [first, end) of one pair are on an evening. */
struct late_pair {
    bool is_before; /* any event before the evening */
    bool is_asked;  /* any of the time behind it */
    int64_t newest; /* of those before it */
    double weight;  /* of those before it */
};

struct evening_build {
    const struct evening_source *source;
    int64_t time;
    int32_t *row_of, *column_of; /* of master codes, -1: none */
    struct evening *out;
    size_t n_train, n_test, n_rows;
};

static struct late_pair pair_on(const struct evening_build *build, size_t first, size_t end)
{
    const struct late_events *events = build->source->events;
    const int64_t evening = build->time;
    struct late_pair pair = {.newest = INT64_MIN};
    for (size_t e = first; e < end; e++) {
        const int64_t time = events->times[e];
        if (time < evening) {
            pair.is_before = true;
            pair.newest = time > pair.newest ? time : pair.newest;
            pair.weight += (double)events->weights[e];
        }
        pair.is_asked =
            pair.is_asked || (time >= evening && time - evening < build->source->seconds);
    }
    return pair;
}

/* The end of the events of the pair that event e begins; *counts: its last word is no dislike. */
static size_t pair_end(const struct evening_source *source, size_t e, bool *counts)
{
    const struct late_events *events = source->events;
    const struct sparse *disliked = &source->interactions->disliked.matrix;
    size_t next = e + 1;
    while (next < events->n && events->users[next] == events->users[e] &&
           events->items[next] == events->items[e]) {
        next++;
    }
    *counts =
        disliked->n_rows == 0 || !sparse_has(disliked, (size_t)events->users[e], events->items[e]);
    return next;
}

/* ---- histories ---- */

static void add_train(struct evening_build *build, int32_t column, double value, int64_t time)
{
    struct history *train = &build->out->dataset.train;
    train->matrix.columns[build->n_train] = column;
    train->matrix.values[build->n_train] = (float)value;
    train->times[build->n_train++] = time;
}

/* Entries [*t, end) of the train part up to `column`. */
static void copy_up_to(struct evening_build *build, int64_t *t, int64_t end, int32_t column)
{
    const struct history *train = &build->source->dataset->train;
    for (; *t < end && train->matrix.columns[*t] < column; (*t)++) {
        add_train(build, train->matrix.columns[*t], (double)train->matrix.values[*t],
                  train->times[*t]);
    }
}

/* A late pair of a row and column; returns whether the history had it. *t as of copy_up_to. */
static bool merge_pair(struct evening_build *build, const struct late_pair *pair, int32_t column,
                       int64_t *t, int64_t end)
{
    const struct history *train = &build->source->dataset->train;
    copy_up_to(build, t, end, column);
    const bool is_there = *t < end && train->matrix.columns[*t] == column;
    const double value = is_there ? (double)train->matrix.values[*t] : 0;
    const int64_t time = is_there ? train->times[*t] : INT64_MIN;
    if (is_there || pair->is_before) {
        add_train(build, column, value + pair->weight, time > pair->newest ? time : pair->newest);
    }
    *t += is_there ? 1 : 0;
    return is_there;
}

/* The late events [first, end) of one user, merged with the train row `row`, -1: there is none.
 * Returns whether anything is asked. */
static bool add_user(struct evening_build *build, size_t first, size_t end, int64_t row)
{
    const struct evening_source *source = build->source;
    const struct sparse *matrix = &source->dataset->train.matrix, *barred = source->barred;
    const int64_t end_of_row = row < 0 ? 0 : matrix->offsets[row + 1];
    int64_t t = row < 0 ? 0 : matrix->offsets[row];
    bool any = false, counts;
    for (size_t e = first, next; e < end; e = next) {
        const int32_t column = build->column_of[source->events->items[e]];
        next = pair_end(source, e, &counts);
        if (!counts) {
            continue;
        }
        const struct late_pair pair = pair_on(build, e, next);
        bool had = pair.is_before || (source->events->parts[e] & PART_TRAIN) != 0;
        if (row >= 0 && column >= 0) {
            const bool is_barred =
                barred != NULL && barred->n_rows > 0 && sparse_has(barred, (size_t)row, column);
            had = merge_pair(build, &pair, column, &t, end_of_row) || had || is_barred;
        }
        if (pair.is_asked && (source->dataset->repeats || !had)) {
            any = true;
            if (row >= 0 && column >= 0) {
                build->out->dataset.test.matrix.columns[build->n_test++] = column;
            } else if (row >= 0) {
                build->out->unknown[build->n_rows]++;
            }
        }
    }
    copy_up_to(build, &t, end_of_row, INT32_MAX);
    return any;
}

/* Every user's, or those of the wanted who are asked. */
static void add_users(struct evening_build *build)
{
    const struct evening_source *source = build->source;
    const struct late_events *events = source->events;
    struct evening *out = build->out;
    for (size_t user = 0, e = 0; user < source->interactions->users.n; user++) {
        const size_t first = e, n_train = build->n_train;
        const int32_t row = build->row_of[user];
        while (e < events->n && events->users[e] == (int32_t)user) {
            e++;
        }
        if (source->wanted != NULL && (e == first || row < 0 || !source->wanted[row])) {
            continue;
        }
        const size_t n_test = build->n_test;
        const bool any = add_user(build, first, e, row);
        out->unknown_users += any && row < 0 ? 1 : 0;
        if (source->wanted != NULL && build->n_test == n_test) {
            build->n_train = n_train;
            out->unknown[build->n_rows] = 0;
        } else if (row >= 0) {
            if (out->rows != NULL) {
                out->rows[build->n_rows] = row;
            }
            build->n_rows++;
            out->dataset.train.matrix.offsets[build->n_rows] = (int64_t)build->n_train;
            out->dataset.test.matrix.offsets[build->n_rows] = (int64_t)build->n_test;
        }
    }
}

/* ---- what changed since the train part, of everybody ---- */

/* The time of the pair in the train part; INT64_MIN: it is not there. */
static int64_t trained_at(const struct history *train, size_t row, int32_t column)
{
    size_t n;
    const int32_t *columns = sparse_row(&train->matrix, row, &n);
    const size_t at = columns_find(columns, n, column);
    return at < n ? train->times[(size_t)train->matrix.offsets[row] + at] : INT64_MIN;
}

/* Counts them where out->changes is NULL, else fills them in. */
static void find_changes(struct evening_build *build)
{
    const struct late_events *events = build->source->events;
    const struct history *train = &build->source->dataset->train;
    struct evening *out = build->out;
    bool counts;
    out->n_changes = 0;
    out->now = dataset_totals(build->source->dataset).newest;
    for (size_t e = 0, next; e < events->n; e = next) {
        const int32_t row = build->row_of[events->users[e]];
        const int32_t column = build->column_of[events->items[e]];
        next = pair_end(build->source, e, &counts);
        const struct late_pair pair = pair_on(build, e, next);
        if (row < 0 || column < 0 || !counts || !pair.is_before) {
            continue;
        }
        if (out->changes != NULL) {
            const int64_t trained = trained_at(train, (size_t)row, column);
            out->changes[out->n_changes] = (struct evening_change){
                column, trained > pair.newest ? trained : pair.newest, trained};
        }
        out->n_changes++;
        out->now = pair.newest > out->now ? pair.newest : out->now;
    }
}

/* Changes are summed in units of 2^-32, of each item at most one a user: so it does not matter who
 * made them first. */
static const double unit = 0x1p-32;

static int64_t worth(double rate, int64_t now, int64_t time)
{
    return llrint(exp2(-rate * (double)(now - time)) / unit);
}

enum status_code evening_popularity(const struct evening *evening, double half_life_days,
                                    int64_t trained, double *p, struct status *status)
{
    const size_t n_items = evening->dataset.n_items;
    const double rate = half_life_days > 0 ? 1 / (half_life_days * CLOCK_DAY) : 0;
    const double aged = exp2(-rate * (double)(evening->now - trained));
    int64_t *more = NULL;
    enum status_code code;
    TRY(MEM_NEW(&more, n_items, status));
    for (size_t c = 0; c < evening->n_changes; c++) {
        const struct evening_change *change = &evening->changes[c];
        more[change->column] += worth(rate, evening->now, change->time);
        if (change->trained != INT64_MIN) {
            more[change->column] -= worth(rate, evening->now, change->trained);
        }
    }
    TRY(ranks_sum_int64(evening->ranks, more, n_items, status));
    for (size_t i = 0; i < n_items; i++) {
        p[i] = fmax(p[i] * aged + (double)more[i] * unit, 0);
    }
done:
    mem_free(more);
    return code;
}

/* ---- the whole ---- */

/* Room for histories and what is asked, of those who have a row. */
static enum status_code make_room(const struct evening_build *build, struct status *status)
{
    const struct evening_source *source = build->source;
    const struct dataset *basis = source->dataset;
    struct evening *made = build->out;
    size_t n_rows = 0, n_train = 0, n_late = 0;
    enum status_code code;
    for (size_t row = 0; row < basis->n_users; row++) {
        if (source->wanted == NULL || source->wanted[row]) {
            n_rows++;
            n_train += sparse_row_length(&basis->train.matrix, row);
        }
    }
    for (size_t e = 0; e < source->events->n; e++) {
        const int32_t row = build->row_of[source->events->users[e]];
        n_late += row >= 0 && (source->wanted == NULL || source->wanted[row]) ? 1 : 0;
    }
    n_train += n_late;
    TRY(sparse_init(&made->dataset.train.matrix, n_rows, basis->n_items, n_train, true, status));
    TRY(MEM_NEW(&made->dataset.train.times, n_train, status));
    TRY(sparse_init(&made->dataset.test.matrix, n_rows, basis->n_items, n_late, false, status));
    TRY(MEM_NEW(&made->unknown, n_rows + 1, status)); /* one that may not stay */
    if (source->wanted != NULL) {
        TRY(MEM_NEW(&made->rows, n_rows, status));
    }
done:
    return code;
}

static bool asks_anybody(const struct evening *evening)
{
    bool any = sparse_entries(&evening->dataset.test.matrix) > 0;
    for (size_t u = 0; u < evening->dataset.n_users; u++) {
        any = any || evening->unknown[u] > 0;
    }
    return any;
}

/* What is true of the users of all ranks. */
static enum status_code agree(struct evening *evening, struct status *status)
{
    enum status_code code;
    evening->asks_anybody = asks_anybody(evening);
    TRY(ranks_any(evening->ranks, &evening->asks_anybody, status));
    TRY(ranks_max_int64(evening->ranks, &evening->now, 1, status));
    TRY(ranks_sum_count(evening->ranks, &evening->unknown_users, status));
    TRY(dataset_add_up(evening->ranks, &evening->dataset, status));
done:
    return code;
}

enum status_code evening_init(struct evening *evening, const struct evening_source *source,
                              int64_t time, struct status *status)
{
    const struct dataset *basis = source->dataset;
    const size_t n_master_users = source->interactions->users.n;
    const size_t n_master_items = source->interactions->items.n;
    struct evening made = {.dataset = *basis, .ranks = source->crowd.ranks};
    struct evening_build build = {.source = source, .time = time, .out = &made};
    enum status_code code;
    made.dataset.train = made.dataset.test = (struct history){0};
    made.dataset.totals = (struct dataset_totals){0};
    assert(sparse_entries(&basis->train.matrix) == 0 ||
           (basis->train.times != NULL && basis->train.matrix.values != NULL));
    TRY(MEM_NEW(&build.row_of, n_master_users, status));
    TRY(MEM_NEW(&build.column_of, n_master_items, status));
    dataset_invert(basis->users, basis->n_users, n_master_users, build.row_of);
    dataset_invert(basis->items, basis->n_items, n_master_items, build.column_of);
    TRY(make_room(&build, status));
    add_users(&build);
    if (source->wanted != NULL) {
        struct dataset *of = &made.dataset;
        of->users = NULL;
        of->n_users = of->train.matrix.n_rows = of->test.matrix.n_rows = build.n_rows;
        find_changes(&build);
        TRY(MEM_NEW(&made.changes, made.n_changes + 1, status));
        find_changes(&build);
    }
    TRY(agree(&made, status));
    *evening = made;
    made = (struct evening){0};
done:
    mem_free(build.row_of);
    mem_free(build.column_of);
    evening_release(&made);
    return code;
}

void evening_release(struct evening *evening)
{
    history_release(&evening->dataset.train);
    history_release(&evening->dataset.test);
    mem_free((void *)evening->dataset.totals.counts);
    mem_free(evening->rows);
    mem_free(evening->unknown);
    mem_free(evening->changes);
    *evening = (struct evening){0};
}
