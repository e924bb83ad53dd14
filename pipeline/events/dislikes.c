/* Dislikes: which ones a train part may know, and who is right where a pair has both. */
#include "events/dislikes.h"

#include "base/mem.h"

#include <assert.h>

/* Ids of another type than the log's cannot be the same as any of it: they stay out. */
static enum status_code add_ids(const struct vocabulary *from, struct vocabulary *to,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t ignored;

    for (size_t c = 0; c < from->n && from->type == to->type; c++) {
        const struct row_id id = vocabulary_id(from, c);
        TRY(vocabulary_add(to, &id, &ignored, status));
    }
done:
    return code;
}

enum status_code dislikes_add_ids(const struct event_log *dislikes, struct event_log *log,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;

    assert(log->user_start == NULL);
    TRY(add_ids(&dislikes->users, &log->users, status));
    TRY(add_ids(&dislikes->items, &log->items, status));
done:
    return code;
}

void dislikes_cut_at(struct event_log *dislikes, int64_t border)
{
    for (size_t e = 0; e < dislikes->n; e++) {
        if (dislikes->parts[e] == PART_TRAIN && dislikes->times[e] > border) {
            dislikes->parts[e] = PART_VALID;
        }
    }
}

/* Time of the user's first event outside PART_TRAIN; INT64_MAX: there is none. */
static int64_t first_held_out(const struct event_log *log, int32_t user)
{
    int64_t first = INT64_MAX;

    for (int64_t e = log->user_start[user]; e < log->user_start[user + 1]; e++) {
        if (log->parts[e] != PART_TRAIN && log->times[e] < first) {
            first = log->times[e];
        }
    }
    return first;
}

void dislikes_cut_by_user(const struct event_log *log, struct event_log *dislikes)
{
    assert(log->user_start != NULL && dislikes->user_start != NULL);
    for (size_t u = 0; u < dislikes->users.n; u++) {
        const struct row_id id = vocabulary_id(&dislikes->users, u);
        const int32_t user = vocabulary_find(&log->users, &id);
        const int64_t first = user < 0 ? INT64_MAX : first_held_out(log, user);
        for (int64_t e = dislikes->user_start[u]; e < dislikes->user_start[u + 1]; e++) {
            if (dislikes->parts[e] == PART_TRAIN && dislikes->times[e] >= first) {
                dislikes->parts[e] = PART_VALID;
            }
        }
    }
}

/* out = the entries of `from` under the codes of the maps (-1: left out). Maps ascend where they
 * are not -1, so that the order of rows and columns stays. */
static enum status_code map_codes(const struct history *from, const int32_t *row_map,
                                  const int32_t *column_map, size_t n_rows, size_t n_columns,
                                  struct history *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history made = {0};
    const struct sparse *m = &from->matrix;
    size_t n = 0, next_row = 0;

    TRY(sparse_init(&made.matrix, n_rows, n_columns, sparse_entries(m), false, status));
    TRY(MEM_NEW(&made.times, sparse_entries(m), status));
    for (size_t row = 0; row < m->n_rows; row++) {
        if (row_map[row] < 0) {
            continue;
        }
        for (; next_row <= (size_t)row_map[row]; next_row++) {
            made.matrix.offsets[next_row] = (int64_t)n;
        }
        for (int64_t e = m->offsets[row]; e < m->offsets[row + 1]; e++) {
            if (column_map[m->columns[e]] >= 0) {
                made.matrix.columns[n] = column_map[m->columns[e]];
                made.times[n++] = from->times[e];
            }
        }
    }
    for (; next_row <= n_rows; next_row++) {
        made.matrix.offsets[next_row] = (int64_t)n;
    }
    *out = made;
    made = (struct history){0};
done:
    history_release(&made);
    return code;
}

enum status_code dislikes_fold(const struct event_log *dislikes, unsigned parts,
                               const struct vocabulary *users, const struct vocabulary *items,
                               struct history *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history folded = {0};
    int32_t *user_map = NULL, *item_map = NULL;

    TRY(event_log_fold(dislikes, parts, DUPLICATES_LAST, 0, &folded, status));
    TRY(MEM_NEW(&user_map, dislikes->users.n, status));
    TRY(MEM_NEW(&item_map, dislikes->items.n, status));
    vocabulary_locate(&dislikes->users, users, user_map);
    vocabulary_locate(&dislikes->items, items, item_map);
    TRY(map_codes(&folded, user_map, item_map, users->n, items->n, out, status));
done:
    history_release(&folded);
    mem_free(user_map);
    mem_free(item_map);
    return code;
}

/* Marks the older one of each pair that is in both. */
static void mark_older(const struct history *positives, const struct history *dislikes,
                       uint8_t *positive_gone, uint8_t *dislike_gone)
{
    const struct sparse *p = &positives->matrix, *d = &dislikes->matrix;

    for (size_t row = 0; row < d->n_rows && row < p->n_rows; row++) {
        int64_t at = p->offsets[row];
        for (int64_t e = d->offsets[row]; e < d->offsets[row + 1]; e++) {
            while (at < p->offsets[row + 1] && p->columns[at] < d->columns[e]) {
                at++;
            }
            if (at < p->offsets[row + 1] && p->columns[at] == d->columns[e]) {
                const bool dislike_counts = dislikes->times[e] >= positives->times[at];
                positive_gone[at] = dislike_counts;
                dislike_gone[e] = !dislike_counts;
            }
        }
    }
}

static void drop_marked(struct history *history, const uint8_t *gone)
{
    struct sparse *m = &history->matrix;
    int64_t n = 0, e = 0;

    for (size_t row = 0; row < m->n_rows; row++) {
        for (; e < m->offsets[row + 1]; e++) {
            if (!gone[e]) {
                m->columns[n] = m->columns[e];
                history->times[n] = history->times[e];
                if (m->values != NULL) {
                    m->values[n] = m->values[e];
                }
                n++;
            }
        }
        m->offsets[row + 1] = n;
    }
}

enum status_code dislikes_settle(struct history *positives, struct history *dislikes,
                                 bool keep_dislikes, struct status *status)
{
    enum status_code code = STATUS_OK;
    uint8_t *positive_gone = NULL, *dislike_gone = NULL;

    TRY(MEM_NEW(&positive_gone, sparse_entries(&positives->matrix), status));
    TRY(MEM_NEW(&dislike_gone, sparse_entries(&dislikes->matrix), status));
    mark_older(positives, dislikes, positive_gone, dislike_gone);
    drop_marked(positives, positive_gone);
    if (!keep_dislikes) {
        drop_marked(dislikes, dislike_gone);
    }
done:
    mem_free(positive_gone);
    mem_free(dislike_gone);
    return code;
}

enum status_code dislikes_renumber(const struct history *dislikes, struct dataset *set,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *m = &dislikes->matrix;
    int32_t *row_of = NULL, *column_of = NULL;

    TRY(MEM_NEW(&row_of, m->n_rows, status));
    TRY(MEM_NEW(&column_of, m->n_columns, status));
    dataset_invert(set->users, set->n_users, m->n_rows, row_of);
    dataset_invert(set->items, set->n_items, m->n_columns, column_of);
    TRY(map_codes(dislikes, row_of, column_of, set->n_users, set->n_items, &set->dislikes, status));
done:
    mem_free(row_of);
    mem_free(column_of);
    return code;
}
