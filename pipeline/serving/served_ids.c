/* A merge of two ascending lists of ids. */
#include "serving/served_ids.h"

#include "base/mem.h"

/* What is merged: `master`, and entry extra[k] of `others` for k < n. */
struct id_merge {
    const struct vocabulary *master, *others;
    const int32_t *extra; /* (n) source codes, n_master and above */
    size_t n, n_master;
};

static size_t other_of(const struct id_merge *merge, size_t k)
{
    return (size_t)merge->extra[k] - merge->n_master;
}

static enum status_code merge_ids(const struct id_merge *merge, struct served_ids *out,
                                  struct status *status)
{
    size_t n = merge->n_master + merge->n, at = 0, k = 0;
    enum status_code code = STATUS_OK;
    out->ids.type = merge->master->n > 0 ? merge->master->type : merge->others->type;
    if (out->ids.type == ID_INTEGER) {
        TRY(MEM_NEW(&out->ids.integers, n, status));
    }
    while (at < merge->n_master || k < merge->n) {
        bool take_master = k == merge->n || (at < merge->n_master &&
                                             vocabulary_compare(merge->master, at, merge->others,
                                                                other_of(merge, k)) < 0);
        size_t source = take_master ? at : (size_t)merge->extra[k];
        out->served_of[source] = (int32_t)out->ids.n;
        out->source_of[out->ids.n] = (int32_t)source;
        TRY(vocabulary_append(&out->ids, take_master ? merge->master : merge->others,
                              take_master ? at : other_of(merge, k), status));
        at += take_master ? 1 : 0;
        k += take_master ? 0 : 1;
    }
done:
    return code;
}

static enum status_code check_codes(const struct id_merge *merge, size_t n_codes,
                                    struct status *status)
{
    bool fits = merge->n == 0 || ((size_t)merge->extra[merge->n - 1] < n_codes &&
                                  (merge->n_master == 0 || merge->others->n == 0 ||
                                   merge->master->type == merge->others->type));
    return fits
               ? STATUS_OK
               : status_set(status, STATUS_DATA,
                            "the towers have a vector for code %ld, the interactions and the side "
                            "data know %zu ids of one type; delete the work database and run again",
                            (long)merge->extra[merge->n - 1], n_codes);
}

enum status_code served_ids_init(struct served_ids *ids, const struct vocabulary *master,
                                 const struct feature_table *table, const int32_t *cold_codes,
                                 size_t n_cold, struct status *status)
{
    struct served_ids made = {.n_codes = master->n + (table == NULL ? 0 : table->extra.n)};
    struct id_merge merge = {.master = master, .n_master = master->n, .n = n_cold};
    enum status_code code;
    merge.others = table == NULL ? NULL : &table->extra;
    while (merge.n > 0 && (size_t)cold_codes[n_cold - merge.n] < master->n) {
        merge.n--;
    }
    if (merge.n > 0) {
        merge.extra = cold_codes + (n_cold - merge.n);
    }
    TRY(check_codes(&merge, made.n_codes, status));
    TRY(MEM_NEW(&made.served_of, made.n_codes, status));
    TRY(MEM_NEW(&made.source_of, master->n + merge.n, status));
    for (size_t c = 0; c < made.n_codes; c++) {
        made.served_of[c] = c < master->n ? (int32_t)c : -1;
    }
    for (size_t c = 0; c < master->n; c++) {
        made.source_of[c] = (int32_t)c;
    }
    if (merge.n > 0) {
        TRY(merge_ids(&merge, &made, status));
    } else {
        made.ids = vocabulary_view(master);
    }
    *ids = made;
    made = (struct served_ids){0};
done:
    served_ids_release(&made);
    return code;
}

enum status_code served_ids_load(struct served_ids *users, struct served_ids *items,
                                 const struct interactions *interactions,
                                 const struct embeddings *embeddings,
                                 const struct artifact *features, struct features *view,
                                 struct status *status)
{
    const struct dataset *dataset = &interactions->basis[embeddings->basis];
    enum status_code code;
    TRY(embeddings_check_rows(embeddings, dataset->n_users, dataset->n_items, status));
    if (features != NULL) {
        TRY(features_load(view, features, status));
    }
    TRY(served_ids_init(users, &interactions->users,
                        features == NULL ? NULL : &view->side[FEATURE_USERS],
                        embeddings->cold_user_codes, embeddings->cold_users.rows, status));
    TRY(served_ids_init(items, &interactions->items,
                        features == NULL ? NULL : &view->side[FEATURE_ITEMS],
                        embeddings->cold_item_codes, embeddings->cold_items.rows, status));
done:
    return code;
}

void served_ids_release(struct served_ids *ids)
{
    vocabulary_release(&ids->ids);
    mem_free(ids->served_of);
    mem_free(ids->source_of);
    *ids = (struct served_ids){0};
}
