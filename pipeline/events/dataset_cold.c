/* Four cuts of the same pairs: what cold users did and what is asked of them, over the basis's
 * items; what the basis's users did and are asked with cold items. */
#include "events/dataset_cold.h"

#include "base/mem.h"
#include "events/dataset_core.h"
#include "events/history_cut.h"

static bool has_history(const struct sparse *known, const uint8_t *keep, size_t user,
                        const int32_t *column_of)
{
    for (int64_t e = known->offsets[user]; e < known->offsets[user + 1]; e++) {
        if ((keep == NULL || keep[e]) && column_of[known->columns[e]] >= 0) {
            return true;
        }
    }
    return false;
}

/* The pairs themselves, without values. */
static enum status_code take_pattern(const struct history_cut *cut, struct sparse *out,
                                     struct history_cut_misses *misses, struct status *status)
{
    struct history made = {0};
    enum status_code code = history_cut_take(cut, &made, misses, status);

    if (code == STATUS_OK) {
        mem_free(made.matrix.values);
        mem_free(made.times);
        made.matrix.values = NULL;
        *out = made.matrix;
    }
    return code;
}

/* Numbers who and what is cold in set->cold; row_of and column_of of `cold`. */
static enum status_code number_cold(const struct sparse *known, const uint8_t *keep,
                                    const struct history_cut *basis, struct dataset *set,
                                    struct history_cut *cold, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct cold_part *part = &set->cold;
    const size_t n_users = known->n_rows, n_items = known->n_columns;
    uint8_t *left_out = NULL;

    TRY(MEM_NEW(&left_out, n_users > n_items ? n_users : n_items, status));
    TRY(MEM_NEW(&cold->row_of, n_users, status));
    TRY(MEM_NEW(&cold->column_of, n_items, status));
    for (size_t u = 0; u < n_users; u++) {
        left_out[u] = basis->row_of[u] >= 0 || !has_history(known, keep, u, basis->column_of);
    }
    TRY(dataset_list_codes(left_out, n_users, &part->users, &part->n_users, status));
    for (size_t i = 0; i < n_items; i++) {
        left_out[i] = basis->column_of[i] >= 0;
    }
    TRY(dataset_list_codes(left_out, n_items, &part->items, &part->n_items, status));
    dataset_invert(part->users, part->n_users, n_users, cold->row_of);
    dataset_invert(part->items, part->n_items, n_items, cold->column_of);
done:
    mem_free(left_out);
    return code;
}

enum status_code dataset_cold(const struct cold_source *source, struct dataset *set,
                              struct status *status)
{
    static const struct history nothing = {0};
    const struct history *const barred[] = {source->known, source->dropped[0], source->dropped[1]};
    enum status_code code = STATUS_OK;
    struct cold_part *part = &set->cold;
    struct history_cut_misses misses = {0};
    struct history_cut basis = {0}, cold = {0}, cut;
    struct history asked = {0};
    uint8_t *keep = NULL;

    TRY(history_merge(source->asked[0] != NULL ? source->asked[0] : &nothing,
                      source->asked[1] != NULL ? source->asked[1] : &nothing, &asked, status));
    TRY(history_keep_newest(source->known, source->users, source->items, source->cap, &keep,
                            status));
    TRY(history_cut_start(&basis, set, &source->known->matrix, status));
    TRY(number_cold(&source->known->matrix, keep, &basis, set, &cold, status));
    /* cold users, the basis's items */
    cut = basis;
    cut.row_of = cold.row_of;
    cut.n_rows = part->n_users;
    cut.part = source->known;
    cut.keep = keep;
    TRY(history_cut_take(&cut, &part->history, NULL, status));
    cut.part = &asked;
    cut.keep = NULL;
    memcpy(cut.seen, barred, sizeof barred);
    cut.skip_items = source->cold_items; /* else every list would miss what nobody could know */
    TRY(take_pattern(&cut, &part->held_out, &misses, status));
    part->unknown = misses.unknown;
    bool any_is_asked = sparse_entries(&asked.matrix) > 0;
    TRY(ranks_any(source->ranks, &any_is_asked, status));
    if (any_is_asked) {
        TRY(history_cut_bar(cut, barred, 3, &part->barred, status));
    }
    /* the basis's users, cold items */
    cut = basis;
    cut.column_of = cold.column_of;
    cut.n_columns = part->n_items;
    TRY(history_cut_bar(cut, barred, 3, &part->item_seen, status));
    cut.part = &asked;
    memcpy(cut.seen, barred, sizeof barred);
    TRY(take_pattern(&cut, &part->item_held_out, NULL, status));
done:
    history_cut_release(&basis);
    history_cut_release(&cold);
    history_release(&asked);
    mem_free(keep);
    return code;
}
