/* Histories and side data as token sources of a basis' towers. */
#include "training/train_sources.h"

#include "base/mem.h"
#include "ranks/shards.h"

/* Items: all of the master vocabulary without a row, then every extra one. */
static enum status_code list_cold_items(struct side_sources *side, const struct cold_part *cold,
                                        const struct feature_table *table, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n = cold->n_items, n_extra = table == NULL ? 0 : table->extra.n;
    TRY(MEM_NEW(&side->cold_codes, n + n_extra, status));
    if (n > 0) {
        memcpy(side->cold_codes, cold->items, n * sizeof *cold->items);
    }
    for (size_t i = 0; i < n_extra; i++) {
        side->cold_codes[n + i] = (int32_t)(table->n_master + i);
    }
    side->n_cold = n + n_extra;
done:
    return code;
}

/* Users: those with a history; with side data everybody else without a row, too. */
static enum status_code list_cold_users(struct side_sources *side, const struct dataset *dataset,
                                        const struct feature_table *table, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct cold_part *cold = &dataset->cold;
    size_t n_entities = table == NULL ? 0 : table->n_master + table->extra.n;
    size_t n_most = n_entities > cold->n_users ? n_entities : cold->n_users, known = 0, next = 0;
    TRY(MEM_NEW(&side->cold_codes, n_most, status));
    TRY(MEM_NEW(&side->history_rows, n_most, status));
    for (size_t i = 0; table == NULL && i < cold->n_users; i++) {
        side->cold_codes[i] = cold->users[i];
        side->history_rows[i] = (int32_t)i;
        side->n_cold++;
    }
    for (size_t u = 0; u < n_entities; u++) {
        if (known < dataset->n_users && dataset->users[known] == (int32_t)u) {
            known++;
            continue;
        }
        bool has_history = next < cold->n_users && cold->users[next] == (int32_t)u;
        side->cold_codes[side->n_cold] = (int32_t)u;
        side->history_rows[side->n_cold++] = has_history ? (int32_t)next++ : -1;
    }
done:
    return code;
}

/* Histories of the rows and of the cold users. */
static enum status_code add_history(struct side_sources *side, const struct dataset *dataset,
                                    const struct history_settings *settings,
                                    const struct sparse *partners, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct token_source *rows = &side->rows[side->n], *cold = &side->cold[side->n];
    struct sparse longer = {0};
    side->n++;
    TRY(token_source_history(rows, &dataset->train, settings, status));
    TRY(token_source_history(cold, &dataset->cold.history, settings, status));
    rows->partners = partners;
    /* empty rows for those without */
    TRY(sparse_gather(&cold->matrix, side->history_rows, side->n_cold, &longer, status));
    longer.n_columns = dataset->n_items;
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

/* The items whose rows are here: master codes. */
static enum status_code add_item_features(struct side_sources *items,
                                          const struct features *features,
                                          const struct dataset *dataset, const struct ranks *ranks,
                                          struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = ranks_n(ranks), mine = ranks_mine(ranks);
    const size_t n_own = shard_items_below(n, mine, dataset->n_items);
    int32_t *own = NULL;
    TRY(MEM_NEW(&own, n_own, status));
    for (size_t i = 0; i < n_own; i++) {
        own[i] = dataset->items[shard_nth_item(n, mine, i)];
    }
    TRY(add_features(items, features, FEATURE_ITEMS, own, n_own, status));
done:
    mem_free(own);
    return code;
}

/* What keys each cold user anywhere. */
static enum status_code key_cold_users(struct side_sources *users, const struct vocabulary *master,
                                       const struct feature_table *table, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(MEM_NEW(&users->cold_keys, users->n_cold, status));
    for (size_t i = 0; i < users->n_cold; i++) {
        const size_t user = (size_t)users->cold_codes[i];
        users->cold_keys[i] = user < master->n ? vocabulary_key(master, user)
                                               : vocabulary_key(&table->extra, user - master->n);
    }
done:
    return code;
}

static bool has_side_data(const struct features *features, enum feature_side which)
{
    return features != NULL && features->side[which].matrix.n_columns > 0;
}

enum status_code training_sources_init(struct training_sources *sources,
                                       const struct interactions *interactions,
                                       const struct dataset *dataset, struct ranks *ranks,
                                       const struct features *features,
                                       const struct history_settings *history,
                                       const struct sparse *partners, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct training_sources made = {0};
    struct side_sources *users = &made.side[SIDE_USERS], *items = &made.side[SIDE_ITEMS];
    bool user_data = has_side_data(features, FEATURE_USERS);
    bool item_data = has_side_data(features, FEATURE_ITEMS);
    const struct feature_table *of_users = user_data ? &features->side[FEATURE_USERS] : NULL;
    TRY(list_cold_users(users, dataset, of_users, status));
    TRY(key_cold_users(users, &interactions->users, of_users, status));
    TRY(list_cold_items(items, &dataset->cold, item_data ? &features->side[FEATURE_ITEMS] : NULL,
                        status));
    if (history->given) {
        TRY(add_history(users, dataset, history, partners, status));
    }
    if (user_data) {
        TRY(add_features(users, features, FEATURE_USERS, dataset->users, dataset->n_users, status));
    }
    if (item_data) {
        TRY(add_item_features(items, features, dataset, ranks, status));
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
        mem_free(side->cold_keys);
        mem_free(side->history_rows);
    }
    *sources = (struct training_sources){0};
}
