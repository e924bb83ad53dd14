/* Dislikes: which ones a train part may know, and who is right where a pair has both. */
#include "events/dislikes.h"

#include "base/mem.h"
#include "events/history_cut.h"

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

void dislikes_cut_by_user(const struct event_log *log, struct event_log *dislikes)
{
    assert(log->user_start != NULL && dislikes->user_start != NULL);
    for (size_t u = 0; u < dislikes->users.n; u++) {
        const struct row_id id = vocabulary_id(&dislikes->users, u);
        const int32_t user = vocabulary_find(&log->users, &id);
        int64_t first = INT64_MAX; /* the user's first event outside PART_TRAIN */
        for (int64_t e = user < 0 ? 0 : log->user_start[user];
             user >= 0 && e < log->user_start[user + 1]; e++) {
            if (log->parts[e] != PART_TRAIN && log->times[e] < first) {
                first = log->times[e];
            }
        }
        for (int64_t e = dislikes->user_start[u]; e < dislikes->user_start[u + 1]; e++) {
            if (dislikes->parts[e] == PART_TRAIN && dislikes->times[e] >= first) {
                dislikes->parts[e] = PART_VALID;
            }
        }
    }
}

/* The pairs of a cut with their times, without values. */
static enum status_code take_pairs(const struct history_cut *cut, struct history *out,
                                   struct status *status)
{
    const enum status_code code = history_cut_take(cut, out, NULL, status);

    if (code == STATUS_OK) {
        mem_free(out->matrix.values);
        out->matrix.values = NULL;
    }
    return code;
}

enum status_code dislikes_fold(const struct event_log *dislikes, unsigned parts,
                               const struct vocabulary *users, const struct vocabulary *items,
                               struct history *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct history folded = {0};
    struct history_cut cut = {.part = &folded,
                              .n_master_users = dislikes->users.n,
                              .n_master_items = dislikes->items.n,
                              .n_rows = users->n,
                              .n_columns = items->n};

    TRY(event_log_fold(dislikes, parts, DUPLICATES_LAST, 0, &folded, status));
    TRY(MEM_NEW(&cut.row_of, dislikes->users.n, status));
    TRY(MEM_NEW(&cut.column_of, dislikes->items.n, status));
    vocabulary_locate(&dislikes->users, users, cut.row_of);
    vocabulary_locate(&dislikes->items, items, cut.column_of);
    TRY(take_pairs(&cut, out, status));
done:
    history_release(&folded);
    history_cut_release(&cut);
    return code;
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
    const struct sparse *p = &positives->matrix, *d = &dislikes->matrix;
    uint8_t *positive_gone = NULL, *dislike_gone = NULL;

    TRY(MEM_NEW(&positive_gone, sparse_entries(p), status));
    TRY(MEM_NEW(&dislike_gone, sparse_entries(d), status));
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
    struct history_cut cut = {0};

    TRY(history_cut_start(&cut, set, &dislikes->matrix, status));
    cut.part = dislikes;
    TRY(take_pairs(&cut, &set->dislikes, status));
done:
    history_cut_release(&cut);
    return code;
}
