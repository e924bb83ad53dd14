/* Histories and side data as token sources of a basis' towers. */
#include "run/training_sources.h"

#include "base/mem.h"

/* The codes of a side's entities without a row: `known` (n, ascending) of the master vocabulary,
 * then every extra one. */
static enum status_code list_cold(struct side_sources *side, const int32_t *known, size_t n,
                                  const struct feature_table *table, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n_extra = table == NULL ? 0 : table->extra.n;
    TRY(MEM_NEW(&side->cold_codes, n + n_extra, status));
    if (n > 0) {
        memcpy(side->cold_codes, known, n * sizeof *known);
    }
    for (size_t i = 0; i < n_extra; i++) {
        side->cold_codes[n + i] = (int32_t)(table->n_master + i);
    }
    side->n_cold = n + n_extra;
done:
    return code;
}

/* Histories of the rows and of the cold users; extra users have none. */
static enum status_code add_history(struct side_sources *side, const struct dataset *dataset,
                                    const struct history_settings *settings,
                                    const struct sparse *partners, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct token_source *rows = &side->rows[side->n], *cold = &side->cold[side->n];
    struct sparse longer = {0};
    size_t known = dataset->cold.n_users;
    side->n++;
    TRY(token_source_history(rows, &dataset->train, settings, status));
    TRY(token_source_history(cold, &dataset->cold.history, settings, status));
    rows->partners = partners;
    /* empty rows for the extra users */
    TRY(sparse_init(&longer, side->n_cold, dataset->n_items, sparse_entries(&cold->matrix), true,
                    status));
    size_t entries = sparse_entries(&cold->matrix);
    for (size_t r = 0; r < side->n_cold; r++) {
        longer.offsets[r + 1] = r < known ? cold->matrix.offsets[r + 1] : (int64_t)entries;
    }
    if (entries > 0) {
        memcpy(longer.columns, cold->matrix.columns, entries * sizeof *longer.columns);
        memcpy(longer.values, cold->matrix.values, entries * sizeof *longer.values);
    }
    sparse_release(&cold->matrix);
    cold->matrix = longer;
    longer = (struct sparse){0};
done:
    sparse_release(&longer);
    return code;
}

static enum status_code add_features(struct side_sources *side, const struct features *features,
                                     enum feature_side which, const int32_t *rows, size_t n_rows,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t at = side->n++;
    TRY(features_select(features, which, rows, n_rows, &side->rows[at].matrix, status));
    TRY(features_select(features, which, side->cold_codes, side->n_cold, &side->cold[at].matrix,
                        status));
done:
    return code;
}

static bool has_side_data(const struct features *features, enum feature_side which)
{
    return features != NULL && features->side[which].matrix.n_columns > 0;
}

enum status_code training_sources_init(struct training_sources *sources,
                                       const struct dataset *dataset,
                                       const struct features *features,
                                       const struct history_settings *history,
                                       const struct sparse *partners, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct cold_part *cold = &dataset->cold;
    struct training_sources made = {0};
    struct side_sources *users = &made.side[SIDE_USERS], *items = &made.side[SIDE_ITEMS];
    bool user_data = has_side_data(features, FEATURE_USERS);
    bool item_data = has_side_data(features, FEATURE_ITEMS);
    TRY(list_cold(users, cold->users, cold->n_users,
                  user_data ? &features->side[FEATURE_USERS] : NULL, status));
    TRY(list_cold(items, cold->items, cold->n_items,
                  item_data ? &features->side[FEATURE_ITEMS] : NULL, status));
    if (history->on) {
        TRY(add_history(users, dataset, history, partners, status));
    }
    if (user_data) {
        TRY(add_features(users, features, FEATURE_USERS, dataset->users, dataset->n_users, status));
    }
    if (item_data) {
        TRY(add_features(items, features, FEATURE_ITEMS, dataset->items, dataset->n_items, status));
    }
    *sources = made;
    made = (struct training_sources){0};
done:
    training_sources_release(&made);
    return code;
}

void training_sources_release(struct training_sources *sources)
{
    for (size_t s = 0; s < N_SIDES; s++) {
        struct side_sources *side = &sources->side[s];
        for (size_t i = 0; i < TOWER_MAX_SOURCES; i++) {
            token_source_release(&side->rows[i]);
            token_source_release(&side->cold[i]);
        }
        mem_free(side->cold_codes);
    }
    *sources = (struct training_sources){0};
}
