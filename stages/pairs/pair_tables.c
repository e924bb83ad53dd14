/* Codes of the tables users and items, and a view with ids. */
#include "stages/pairs/pair_tables.h"

#include "dataset/dataset_ranks.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"
#include "run/context_databases.h"
#include "store/row_batch.h"

enum { ROWS_BETWEEN_CHECKS = 256 }; /* rows of a matrix between two looks for a stop request */

static const char drop_tables[] =
    "DROP VIEW IF EXISTS pairs;"
    "DROP TABLE IF EXISTS pairs_user_item;"
    "DROP TABLE IF EXISTS pairs_item_item;"
    "DROP TABLE IF EXISTS pairs_transition;"
    "DROP TABLE IF EXISTS pairs_ridge;"
    "DROP TABLE IF EXISTS pairs_user_user;"; /* of versions before 0.2.0 */
static const char create_tables[] =
    "CREATE TABLE pairs_user_item (user INTEGER NOT NULL, item INTEGER NOT NULL,"
    " weight REAL NOT NULL, PRIMARY KEY (user, item)) WITHOUT ROWID;"
    "CREATE TABLE pairs_item_item (item INTEGER NOT NULL, partner INTEGER NOT NULL,"
    " weight REAL NOT NULL, PRIMARY KEY (item, partner)) WITHOUT ROWID;"
    "CREATE TABLE pairs_transition (item INTEGER NOT NULL, following INTEGER NOT NULL,"
    " weight REAL NOT NULL, PRIMARY KEY (item, following)) WITHOUT ROWID;"
    "CREATE TABLE pairs_ridge (item INTEGER NOT NULL, foretold INTEGER NOT NULL,"
    " weight REAL NOT NULL, PRIMARY KEY (item, foretold)) WITHOUT ROWID;";

/* Made last, so that nobody sees a half-filled one. CROSS JOIN keeps the order of the tables: the
 * pairs of one anchor are one search in their table, whatever the planner would guess. */
static const char create_view[] =
    "CREATE VIEW pairs (kind, anchor_id, positive_id, weight) AS"
    " SELECT 'user_item', u.user_id, i.item_id, p.weight FROM users u"
    " CROSS JOIN pairs_user_item p ON p.user = u.code"
    " CROSS JOIN items i ON i.code = p.item"
    " UNION ALL SELECT 'item_item', a.item_id, i.item_id, p.weight FROM items a"
    " CROSS JOIN pairs_item_item p ON p.item = a.code"
    " CROSS JOIN items i ON i.code = p.partner"
    " UNION ALL SELECT 'transition', a.item_id, i.item_id, p.weight FROM items a"
    " CROSS JOIN pairs_transition p ON p.item = a.code"
    " CROSS JOIN items i ON i.code = p.following"
    " UNION ALL SELECT 'ridge', a.item_id, i.item_id, p.weight FROM items a"
    " CROSS JOIN pairs_ridge p ON p.item = a.code"
    " CROSS JOIN items i ON i.code = p.foretold";

/* One row an entry of m, as master codes: rows and columns are those of `row_codes` and
 * `column_codes`, all ascending, so that rows come in key order. weights NULL: 1. */
static enum status_code write_table(struct context *context, const char *table,
                                    const struct sparse *m, const float *weights,
                                    const int32_t *row_codes, const int32_t *column_codes,
                                    struct status *status)
{
    struct row_batch batch = {0};
    enum status_code code = STATUS_OK;
    TRY(row_batch_open(&batch, context_work(context), table, 3, ROW_BATCH_CHUNK, status));
    for (size_t r = 0; r < m->n_rows; r++) {
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            struct batch_cell *row = row_batch_row(&batch);
            row[0] = batch_integer(row_codes[r]);
            row[1] = batch_integer(column_codes[m->columns[e]]);
            row[2] = batch_real(weights == NULL ? 1 : (double)weights[e]);
            TRY(row_batch_put(&batch, status));
        }
        if (r % ROWS_BETWEEN_CHECKS == 0) {
            TRY(context_check_stop(context, status));
        }
    }
    TRY(row_batch_write(&batch, status));
done:
    row_batch_release(&batch);
    return code;
}

/* The item-by-item entries of `slot`, where there are any; *n grows by their number. */
static enum status_code write_product(struct context *context, const char *table,
                                      const struct artifact *artifact, const char *slot,
                                      const struct dataset *fit, int64_t *n, struct status *status)
{
    struct sparse product = {0};
    bool found = false;
    enum status_code code = STATUS_OK;
    TRY(sparse_load(&product, artifact, slot, &found, status));
    *n += (int64_t)sparse_entries(&product);
    if (found && table != NULL) {
        TRY(write_table(context, table, &product, product.values, fit->items, fit->items, status));
    }
done:
    return code;
}

enum status_code pair_tables_write(struct context *context, bool queryable,
                                   const struct interactions *interactions,
                                   const struct pair_products *products, int64_t *n,
                                   struct status *status)
{
    const struct dataset *fit = &interactions->basis[BASIS_FIT];
    struct db *work = context_work(context);
    const float *weights = NULL;
    enum status_code code = STATUS_OK;
    *n = dataset_totals(fit).pairs;
    TRY(db_exec(work, drop_tables, status));
    if (queryable) {
        TRY(db_exec(work, create_tables, status));
        TRY(pairs_positive_weights(&products->pairs, BASIS_FIT, sparse_entries(&fit->train.matrix),
                                   &weights, status));
        TRY(write_table(context, "pairs_user_item", &fit->train.matrix, weights, fit->users,
                        fit->items, status));
    }
    TRY(write_product(context, queryable ? "pairs_item_item" : NULL, &products->pairs,
                      pairs_item_item_slots[BASIS_FIT], fit, n, status));
    TRY(write_product(context, queryable ? "pairs_transition" : NULL, &products->transitions,
                      pairs_transition_slots[BASIS_FIT], fit, n, status));
    TRY(write_product(context, queryable ? "pairs_ridge" : NULL, &products->ridge,
                      pairs_ridge_slots[BASIS_FIT], fit, n, status));
    if (queryable) {
        TRY(db_exec(work, create_view, status));
    }
done:
    return code;
}
