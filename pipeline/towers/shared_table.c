/* Tables of what many entities share, tokens and layers, of which every rank has all rows: their
 * gradients come together, and every rank takes the same step. */
#include "towers/embedding_table.h"

#include <string.h>

/* Puts into play what is so on any rank; *n of them, union_rows in an order that all share. */
static enum status_code join_all(struct embedding_table *table, struct ranks *ranks, double rate,
                                 struct pool *pool, size_t *n, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(ranks_gather(ranks, table->touched, table->n_touched * sizeof *table->touched,
                     &table->shared, status));
    const int32_t *all = (const void *)table->shared.data;
    const size_t n_all = table->shared.first[ranks_n(ranks)] / sizeof *all;
    const size_t most = n_all < table->n ? n_all : table->n;
    workspace_begin(&table->workspace);
    WORKSPACE_ZERO(&table->workspace, &table->is_in_union, table->n);
    WORKSPACE_ADD(&table->workspace, &table->union_rows, most);
    WORKSPACE_ADD(&table->workspace, &table->union_gradient, most * table->dimension);
    TRY(workspace_reserve(&table->workspace, status));
    *n = 0;
    for (size_t i = 0; i < n_all; i++) {
        if (!table->is_in_union[all[i]]) {
            table->is_in_union[all[i]] = true;
            table->union_rows[(*n)++] = all[i];
        }
    }
    TRY(embedding_table_touch(table, table->union_rows, *n, rate, pool, status));
done:
    return code;
}

enum status_code embedding_table_share(struct embedding_table *table, struct ranks *ranks,
                                       double rate, struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_ranks = ranks_n(ranks), mine = ranks_mine(ranks), d = table->dimension;
    const size_t size = d * sizeof *table->gradient;
    size_t n = 0, first[RANKS_MAX + 1];
    if (n_ranks == 1) {
        return code;
    }
    TRY(join_all(table, ranks, rate, pool, &n, status));
    float *gradient = embedding_table_gradient(table);
    for (size_t r = 0; r <= n_ranks; r++) {
        first[r] = r * n / n_ranks;
    }
    for (size_t i = 0; i < n; i++) {
        const size_t slot = (size_t)table->slot_of[table->union_rows[i]];
        memcpy(table->union_gradient + i * d, gradient + slot * d, size);
    }
    TRY(ranks_tree_scatter(ranks, table->union_gradient, first, d, RANKS_FLOAT32, status));
    TRY(ranks_gather(ranks, table->union_gradient + first[mine] * d,
                     (first[mine + 1] - first[mine]) * size, &table->shared, status));
    for (size_t i = 0; i < n; i++) {
        const size_t slot = (size_t)table->slot_of[table->union_rows[i]];
        memcpy(gradient + slot * d, table->shared.data + i * size, size);
    }
done:
    return code;
}
