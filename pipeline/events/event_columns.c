/* Recognising the columns of an interaction query. */
#include "events/event_columns.h"

#include "base/mem.h"

#include <assert.h>
#include <strings.h>

enum { NAMES_MAX = 4 };

/* The first name is the one that messages recommend. */
static const char *const column_names[N_EVENT_COLUMNS][NAMES_MAX] = {
    [COLUMN_USER] = {"user_id", "user"},
    [COLUMN_ITEM] = {"item_id", "item"},
    [COLUMN_EVENT] = {"event", "event_type", "type"},
    [COLUMN_WEIGHT] = {"weight", "rating", "value"},
    [COLUMN_TIME] = {"time", "created_at", "timestamp", "ts"},
    [COLUMN_ROWID] = {"rowid"},
};

static int column_of_name(const char *name)
{
    for (int column = 0; column < N_EVENT_COLUMNS; column++) {
        for (size_t i = 0; i < NAMES_MAX && column_names[column][i] != NULL; i++) {
            if (strcasecmp(name, column_names[column][i]) == 0) {
                return column;
            }
        }
    }
    return -1;
}

static void list_names(struct buf *out)
{
    for (size_t column = 0; column < N_EVENT_COLUMNS; column++) {
        buf_add_text(out, column == 0 ? "" : ", ");
        for (size_t i = 0; i < NAMES_MAX && column_names[column][i] != NULL; i++) {
            buf_addf(out, "%s%s", i == 0 ? "" : (i == 1 ? " (or " : ", "), column_names[column][i]);
        }
        buf_add_text(out, column_names[column][1] != NULL ? ")" : "");
    }
}

/* What the key is called in the result: in a query as there, of a table by a name of ours. */
static const char *key_name(const struct event_query *query)
{
    return query->sql != NULL ? query->key : "nightjar_key";
}

static enum status_code find_columns(const struct db_query *statement,
                                     const struct event_query *query, struct event_columns *columns,
                                     struct status *status)
{
    const char *what = query->what;

    columns->key = -1;
    for (size_t i = 0; i < N_EVENT_COLUMNS; i++) {
        columns->index[i] = -1;
    }
    for (int i = 0; i < db_column_count(statement); i++) {
        const char *name = db_column_name(statement, i);
        int column = column_of_name(name);
        if (query->key != NULL && strcasecmp(name, key_name(query)) == 0) {
            columns->key = i;
            if (column < 0) {
                continue;
            }
        }
        if (column < 0) {
            struct buf names = {0};
            list_names(&names);
            enum status_code code =
                status_set(status, STATUS_CONFIG,
                           "%s: column '%s' is none of %s; rename it in the query (SELECT %s AS "
                           "...) or leave it out",
                           what, name, buf_text(&names), name);
            buf_release(&names);
            return code;
        }
        if (columns->index[column] >= 0) {
            return status_set(status, STATUS_CONFIG, "%s: columns '%s' and '%s' are both the %s",
                              what, db_column_name(statement, columns->index[column]), name,
                              column_names[column][0]);
        }
        columns->index[column] = i;
    }
    if (query->key != NULL && columns->key < 0) {
        return status_set(status, STATUS_CONFIG,
                          "source.key: %s has no column named '%s'; add it to the query", what,
                          query->key);
    }
    return STATUS_OK;
}

static enum status_code require(const struct event_columns *columns, enum event_column column,
                                const char *what, const char *needed_by, struct status *status)
{
    if (columns->index[column] >= 0) {
        return STATUS_OK;
    }
    struct buf names = {0};
    for (size_t i = 1; i < NAMES_MAX && column_names[column][i] != NULL; i++) {
        buf_addf(&names, "%s%s", i == 1 ? "" : " or ", column_names[column][i]);
    }
    enum status_code code =
        status_set(status, STATUS_CONFIG, "%s: %s needs a column named %s (or %s)%s", what,
                   needed_by, column_names[column][0], buf_text(&names),
                   column == COLUMN_USER || column == COLUMN_ITEM
                       ? ": name it with AS"
                       : "; add it to the query, or leave the option out");
    buf_release(&names);
    return code;
}

static enum status_code check_columns(const struct event_columns *columns,
                                      const struct event_query *query,
                                      const struct event_rules *rules, struct status *status)
{
    enum status_code code = STATUS_OK;

    TRY(require(columns, COLUMN_USER, query->what, "the query", status));
    TRY(require(columns, COLUMN_ITEM, query->what, "the query", status));
    if (rules->times_needed != NULL && (!query->is_given_part || query->part == PART_VALID)) {
        TRY(require(columns, COLUMN_TIME, query->what, rules->times_needed, status));
    }
    if (query->is_given_part) {
        if (columns->index[COLUMN_EVENT] >= 0) {
            code = status_set(status, STATUS_CONFIG,
                              "%s: a given part has no event types: filter them in the query",
                              query->what);
        }
        goto done;
    }
    if (rules->event_weights.n > 0) {
        TRY(require(columns, COLUMN_EVENT, query->what, "event_weights", status));
    }
    if (rules->dislikes.n > 0) {
        TRY(require(columns, COLUMN_EVENT, query->what, "dislikes", status));
    }
    if (rules->min_rating > 0) {
        TRY(require(columns, COLUMN_WEIGHT, query->what, "min_rating", status));
    }
done:
    return code;
}

/* Columns are qualified, for SQLite would take a quoted name that is no column for a text. */
static void add_column(struct buf *sql, const char *separator, const char *name,
                       enum event_column column)
{
    if (name == NULL) {
        return;
    }
    buf_addf(sql, "%st.", separator);
    db_quote(sql, name);
    buf_addf(sql, " AS %s", column_names[column][0]);
}

static bool is_cut(const struct event_query *query)
{
    return query->n_before > 0 || query->range.is_given;
}

static void add_bound(const struct event_query *query, const char *owner, const char *comparison,
                      int64_t bound, struct buf *sql)
{
    buf_add_text(sql, owner);
    db_quote(sql, query->key);
    buf_addf(sql, " %s %lld", comparison, (long long)bound);
}

/* Only the rows of the keys that are asked for. Each has its place in one range: a NULL in the
 * first, a TEXT, which is greater than any number, in the last. */
static void add_keys(const struct event_query *query, const char *owner, struct buf *sql)
{
    const struct key_range *range = &query->range;

    if (is_cut(query)) {
        buf_add_text(sql, " WHERE ");
    }
    if (query->n_before > 0) {
        add_bound(query, owner, ">=", query->after, sql);
    } else if (range->is_given && range->has_from) {
        add_bound(query, owner, ">=", range->from, sql);
        if (range->has_until) {
            buf_add_text(sql, " AND ");
            add_bound(query, owner, "<", range->until, sql);
        }
    } else if (range->is_given) {
        buf_add_text(sql, "(");
        add_bound(query, owner, "<", range->until, sql);
        buf_addf(sql, " OR %s", owner);
        db_quote(sql, query->key);
        buf_add_text(sql, " IS NULL)");
    }
}

static enum status_code build_sql(const struct event_query *query, bool with_rowid, struct buf *sql,
                                  struct status *status)
{
    buf_clear(sql);
    buf_add_text(sql, "SELECT ");
    add_column(sql, "", query->user, COLUMN_USER);
    add_column(sql, ", ", query->item, COLUMN_ITEM);
    add_column(sql, ", ", query->event, COLUMN_EVENT);
    add_column(sql, ", ", query->weight, COLUMN_WEIGHT);
    add_column(sql, ", ", query->time, COLUMN_TIME);
    if (query->key != NULL) {
        buf_add_text(sql, ", t.");
        db_quote(sql, query->key);
        buf_addf(sql, " AS %s", key_name(query));
    }
    buf_add_text(sql, with_rowid ? ", t.rowid AS rowid FROM " : " FROM ");
    db_quote(sql, query->table);
    buf_add_text(sql, " AS t");
    add_keys(query, "t.", sql);
    return buf_check(sql, status);
}

/* A table without rowid and a view have none, so messages count rows there. */
static enum status_code open_table(struct db *db, const struct event_query *query,
                                   struct db_query **statement, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf sql = {0}, type = {0};
    struct status *ignored = NULL; /* on the heap: a status is large */

    assert(query->user != NULL && query->item != NULL);
    TRY(db_object_type(db, query->table, &type, status));
    bool is_table = strcmp(buf_text(&type), "table") == 0;
    if (!is_table && strcmp(buf_text(&type), "view") != 0) {
        code = status_set(status, STATUS_CONFIG, "%s: %s has no table or view called '%s'",
                          query->what, db_path(db), query->table);
        goto done;
    }
    if (is_table) {
        TRY(MEM_NEW(&ignored, 1, status));
        TRY(build_sql(query, true, &sql, status));
        if (db_prepare_user(db, query->what, buf_text(&sql), query->timeout_seconds, statement,
                            ignored) == STATUS_OK) {
            goto done;
        }
    }
    TRY(build_sql(query, false, &sql, status));
    TRY(db_prepare_user(db, query->what, buf_text(&sql), query->timeout_seconds, statement,
                        status));
done:
    mem_free(ignored);
    buf_release(&sql);
    buf_release(&type);
    return code;
}

/* Adds the query without what would end a statement, as "(query\n)". */
static void add_subquery(const char *query, struct buf *sql)
{
    size_t length = strlen(query);

    while (length > 0 && strchr(" \t\r\n;", query[length - 1]) != NULL) {
        length--;
    }
    buf_addf(sql, "(%.*s\n)", (int)length, query);
}

/* The query as it is, which must be sound alone; with a key, the rows that are asked for. */
static enum status_code open_query(struct db *db, const struct event_query *query,
                                   struct db_query **statement, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *plain = NULL;
    struct buf sql = {0};

    TRY(db_prepare_user(db, query->what, query->sql, query->timeout_seconds, &plain, status));
    if (!is_cut(query)) {
        *statement = plain;
        plain = NULL;
        goto done;
    }
    buf_add_text(&sql, "SELECT * FROM ");
    add_subquery(query->sql, &sql);
    add_keys(query, "", &sql);
    TRY(buf_check(&sql, status));
    TRY(db_prepare_user(db, query->what, buf_text(&sql), query->timeout_seconds, statement,
                        status));
done:
    db_finalize(plain);
    buf_release(&sql);
    return code;
}

void event_query_keys(const struct event_query *query, int64_t from, struct buf *sql)
{
    buf_add_text(sql, "SELECT min(");
    db_quote(sql, query->key);
    buf_add_text(sql, "), max(");
    db_quote(sql, query->key);
    buf_add_text(sql, ") FROM ");
    if (query->sql != NULL) {
        add_subquery(query->sql, sql);
    } else {
        db_quote(sql, query->table);
    }
    buf_add_text(sql, " WHERE ");
    db_quote(sql, query->key);
    buf_addf(sql, " >= %lld", (long long)from);
}

enum status_code event_columns_open(struct db *db, const struct event_query *query,
                                    const struct event_rules *rules, struct db_query **statement,
                                    struct event_columns *columns, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *opened = NULL;

    if (query->sql != NULL) {
        TRY(open_query(db, query, &opened, status));
    } else {
        TRY(open_table(db, query, &opened, status));
    }
    TRY(find_columns(opened, query, columns, status));
    TRY(check_columns(columns, query, rules, status));
    *statement = opened;
    opened = NULL;
done:
    db_finalize(opened);
    return code;
}

enum status_code event_query_of_source(const struct plan_source *source, struct event_query *query,
                                       struct status *status)
{
    if ((source->interactions == NULL) == (source->table == NULL)) {
        return status_set(status, STATUS_CONFIG,
                          "the interactions stage needs either source.interactions (a query) or "
                          "source.table (with user and item), %s",
                          source->table == NULL ? "and has neither" : "not both");
    }
    *query =
        (struct event_query){.what = source->table != NULL ? "source.table" : "source.interactions",
                             .sql = source->interactions,
                             .table = source->table,
                             .user = source->user != NULL ? source->user : "user_id",
                             .item = source->item != NULL ? source->item : "item_id",
                             .event = source->event,
                             .weight = source->weight,
                             .time = source->time,
                             .key = source->key,
                             .timeout_seconds = source->query_timeout};
    return STATUS_OK;
}
