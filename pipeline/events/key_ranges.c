/* Ranges of equal width: keys that count up fill them alike. */
#include "events/key_ranges.h"

#include "events/event_columns.h"

/* Range `rank` of n, of keys from `least` to `greatest` for the most part. */
static struct key_range range_of(int64_t least, int64_t greatest, size_t rank, size_t n)
{
    const uint64_t width = ((uint64_t)greatest - (uint64_t)least) / n;
    return (struct key_range){.is_given = true,
                              .has_from = rank > 0,
                              .has_until = rank + 1 < n,
                              .from = (int64_t)((uint64_t)least + width * rank),
                              .until = (int64_t)((uint64_t)least + width * (rank + 1))};
}

/* bounds = the least and the greatest key; 0 where there is none that is an INTEGER: all such rows
 * stand in the first or in the last range. */
static enum status_code find_bounds(struct db *db, const struct event_query *query,
                                    int64_t bounds[2], struct status *status)
{
    enum status_code code;
    struct db_query *statement = NULL;
    struct buf sql = {0};
    bool has_row;

    event_query_keys(query, INT64_MIN, &sql);
    TRY(buf_check(&sql, status));
    TRY(db_prepare_user(db, query->what, buf_text(&sql), query->timeout_seconds, &statement,
                        status));
    TRY(db_step(statement, &has_row, status));
    for (int i = 0; i < 2; i++) {
        const bool is_key = has_row && db_column_type(statement, i) == DB_INTEGER;
        bounds[i] = is_key ? db_column_int64(statement, i) : 0;
    }
    if (bounds[1] < bounds[0]) { /* one of them is no INTEGER */
        bounds[1] = bounds[0];
    }
done:
    db_finalize(statement);
    buf_release(&sql);
    return code;
}

enum status_code key_range_cut(struct db *db, struct ranks *ranks, const struct event_rules *rules,
                               struct event_query *query, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *statement = NULL;
    struct event_columns columns;
    int64_t bounds[2] = {0};

    if (query->key == NULL) {
        goto done;
    }
    TRY(event_columns_open(db, query, rules, &statement, &columns, status));
    if (columns.index[COLUMN_TIME] < 0) {
        goto done;
    }
    if (ranks_is_first(ranks)) {
        TRY(find_bounds(db, query, bounds, status));
    }
    TRY(ranks_share(ranks, bounds, sizeof bounds, status));
    query->range = range_of(bounds[0], bounds[1], ranks_mine(ranks), ranks_n(ranks));
    query->in_parts = true;
done:
    db_finalize(statement);
    return code;
}
