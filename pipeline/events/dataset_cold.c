/* Four cuts of the same pairs: what cold users did and what is asked of them, over the basis's
 * items; what the basis's users did and are asked with cold items. */
#include "events/dataset_cold.h"

#include "base/mem.h"
#include "events/dataset_core.h"
#include "events/history_cut.h"

/* Rows and columns of each master code, -1: none. */
struct cold_maps {
    int32_t *row_of, *column_of;           /* of the basis */
    int32_t *cold_row_of, *cold_column_of; /* of its cold part */
    size_t n_users, n_items;               /* master */
};

static void cold_maps_release(struct cold_maps *maps)
{
    mem_free(maps->row_of);
    mem_free(maps->column_of);
    mem_free(maps->cold_row_of);
    mem_free(maps->cold_column_of);
}

/* The codes c in [0, n) with is_cold(c), and their places. */
static enum status_code number_cold(const uint8_t *is_cold, size_t n, const int32_t **codes,
                                    size_t *n_codes, int32_t **place_of, struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t *list = NULL, *places = NULL;
    size_t n_cold = 0;

    for (size_t c = 0; c < n; c++) {
        n_cold += is_cold[c];
    }
    TRY(MEM_NEW(&places, n, status));
    TRY(MEM_NEW(&list, n_cold, status));
    n_cold = 0;
    for (size_t c = 0; c < n; c++) {
        places[c] = is_cold[c] ? (int32_t)n_cold : -1;
        if (is_cold[c]) {
            list[n_cold++] = (int32_t)c;
        }
    }
    *codes = list;
    *n_codes = n_cold;
    *place_of = places;
    places = NULL;
done:
    mem_free(places);
    return code;
}

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

static enum status_code make_maps(const struct sparse *known, const uint8_t *keep,
                                  struct dataset *set, struct cold_maps *maps,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct cold_part *cold = &set->cold;
    uint8_t *is_cold = NULL;
    size_t n_users = known->n_rows, n_items = known->n_columns;

    maps->n_users = n_users;
    maps->n_items = n_items;
    TRY(MEM_NEW(&maps->row_of, n_users, status));
    TRY(MEM_NEW(&maps->column_of, n_items, status));
    dataset_invert(set->users, set->n_users, n_users, maps->row_of);
    dataset_invert(set->items, set->n_items, n_items, maps->column_of);
    TRY(MEM_NEW(&is_cold, n_users > n_items ? n_users : n_items, status));
    for (size_t u = 0; u < n_users; u++) {
        is_cold[u] = maps->row_of[u] < 0 && has_history(known, keep, u, maps->column_of);
    }
    TRY(number_cold(is_cold, n_users, &cold->users, &cold->n_users, &maps->cold_row_of, status));
    for (size_t i = 0; i < n_items; i++) {
        is_cold[i] = maps->column_of[i] < 0;
    }
    TRY(number_cold(is_cold, n_items, &cold->items, &cold->n_items, &maps->cold_column_of, status));
done:
    mem_free(is_cold);
    return code;
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

/* What is known and what is dropped. */
static enum status_code take_barred(const struct cold_source *source, struct history_cut cut,
                                    struct sparse *out, struct status *status)
{
    enum status_code code;
    const struct history *parts[] = {source->known, source->dropped[0], source->dropped[1]};

    memset(cut.seen, 0, sizeof cut.seen);
    cut.skip_items = NULL;
    for (size_t p = 0; p < 3; p++) {
        if (parts[p] != NULL) {
            cut.part = parts[p];
            TRY(history_cut_add(&cut, out, status));
        }
    }
done:
    return code;
}

static enum status_code cut_users(const struct cold_source *source, const struct history *asked,
                                  const uint8_t *keep, const struct cold_maps *maps,
                                  struct dataset *set, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct cold_part *cold = &set->cold;
    struct history_cut_misses misses = {0};
    struct history_cut cut = {.part = source->known,
                              .keep = keep,
                              .row_of = maps->cold_row_of,
                              .column_of = maps->column_of,
                              .n_master_users = maps->n_users,
                              .n_master_items = maps->n_items,
                              .n_rows = cold->n_users,
                              .n_columns = set->n_items};

    TRY(history_cut_take(&cut, &cold->history, NULL, status));
    cut.part = asked;
    cut.keep = NULL;
    cut.seen[0] = source->known;
    cut.seen[1] = source->dropped[0];
    cut.seen[2] = source->dropped[1];
    cut.skip_items = source->cold_items; /* else every list would miss what nobody could know */
    TRY(take_pattern(&cut, &cold->held_out, &misses, status));
    cold->unknown = misses.unknown;
    if (sparse_entries(&asked->matrix) > 0) {
        TRY(take_barred(source, cut, &cold->barred, status));
    }
done:
    return code;
}

static enum status_code cut_items(const struct cold_source *source, const struct history *asked,
                                  const struct cold_maps *maps, struct dataset *set,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct cold_part *cold = &set->cold;
    struct history_cut cut = {.part = source->known,
                              .row_of = maps->row_of,
                              .column_of = maps->cold_column_of,
                              .n_master_users = maps->n_users,
                              .n_master_items = maps->n_items,
                              .n_rows = set->n_users,
                              .n_columns = cold->n_items};

    TRY(take_barred(source, cut, &cold->item_seen, status));
    cut.part = asked;
    cut.seen[0] = source->known;
    cut.seen[1] = source->dropped[0];
    cut.seen[2] = source->dropped[1];
    TRY(take_pattern(&cut, &cold->item_held_out, NULL, status));
done:
    return code;
}

/* keep (entries of known): the newest pairs of each user; NULL: all. */
static enum status_code cap_histories(const struct cold_source *source, uint8_t **keep,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;

    if (source->cap > 0) {
        TRY(MEM_NEW(keep, sparse_entries(&source->known->matrix), status));
        TRY(history_mark_newest(source->known, source->cap, *keep, status));
    }
done:
    return code;
}

enum status_code dataset_cold(const struct cold_source *source, struct dataset *set,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    static const struct history nothing = {0};
    struct cold_maps maps = {0};
    struct history asked = {0};
    uint8_t *keep = NULL;

    TRY(history_merge(source->asked[0] != NULL ? source->asked[0] : &nothing,
                      source->asked[1] != NULL ? source->asked[1] : &nothing, &asked, status));
    TRY(cap_histories(source, &keep, status));
    TRY(make_maps(&source->known->matrix, keep, set, &maps, status));
    TRY(cut_users(source, &asked, keep, &maps, set, status));
    TRY(cut_items(source, &asked, &maps, set, status));
done:
    cold_maps_release(&maps);
    history_release(&asked);
    mem_free(keep);
    return code;
}
