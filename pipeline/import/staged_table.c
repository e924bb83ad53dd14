/* Filling a table aside and moving it into place. What goes into it is the caller's business. */
#include "import/staged_table.h"

#include <assert.h>

/* Adds `"b", "c", ...` of the columns behind the first. */
static void add_columns(struct buf *sql, const struct staged_table *staged)
{
    for (size_t i = 1; i < staged->n_columns; i++) {
        buf_add_text(sql, i > 1 ? ", " : "");
        db_quote(sql, staged->columns[i].name);
    }
}

enum status_code staged_table_drop(struct staged_table *staged, struct status *status)
{
    struct buf sql = {0};
    buf_add_text(&sql, "DROP TABLE IF EXISTS ");
    db_quote(&sql, buf_text(&staged->staging));
    enum status_code code = db_exec_buf(staged->db, &sql, status);
    buf_release(&sql);
    return code;
}

enum status_code staged_table_create(struct staged_table *staged, struct db *db, const char *name,
                                     const struct staged_column *columns, size_t n_columns,
                                     struct status *status)
{
    assert(n_columns > 0);
    enum status_code code = STATUS_OK;
    struct buf sql = {0};
    staged->db = db;
    staged->name = name;
    staged->columns = columns;
    staged->n_columns = n_columns;
    buf_addf(&staged->staging, "%s__nightjar_staging", name);
    TRY(buf_check(&staged->staging, status));
    TRY(staged_table_drop(staged, status));
    buf_add_text(&sql, "CREATE TABLE ");
    db_quote(&sql, buf_text(&staged->staging));
    for (size_t i = 0; i < n_columns; i++) {
        buf_add_text(&sql, i == 0 ? " (" : ", ");
        db_quote(&sql, columns[i].name);
        buf_addf(&sql, " %s", columns[i].type);
    }
    buf_add_text(&sql, ")");
    code = db_exec_buf(db, &sql, status);
done:
    buf_release(&sql);
    return code;
}

enum status_code staged_table_batch(struct staged_table *staged, struct row_batch *batch,
                                    struct status *status)
{
    struct buf table = {0};
    enum status_code code;
    db_quote(&table, buf_text(&staged->staging));
    TRY(buf_check(&table, status));
    TRY(row_batch_open(batch, staged->db, buf_text(&table), staged->n_columns, 0, status));
done:
    buf_release(&table);
    return code;
}

/* The SQL of the old table's indexes and triggers, one statement after the other. */
static enum status_code collect_dependents(struct staged_table *staged, struct buf *out,
                                           struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *query = NULL;
    bool has_row = true;
    TRY(db_prepare(staged->db,
                   "SELECT sql FROM sqlite_schema WHERE tbl_name = ?1 COLLATE NOCASE"
                   " AND type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY rowid",
                   &query, status));
    TRY(db_bind_string(query, 1, staged->name, status));
    while (has_row) {
        TRY(db_step(query, &has_row, status));
        if (has_row) {
            buf_addf(out, "%s;\n", db_column_text(query, 0, NULL));
        }
    }
    code = buf_check(out, status);
done:
    db_finalize(query);
    return code;
}

enum status_code staged_table_replace(struct staged_table *staged, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf sql = {0}, dependents = {0};
    TRY(collect_dependents(staged, &dependents, status));
    buf_add_text(&sql, "DROP TABLE IF EXISTS ");
    db_quote(&sql, staged->name);
    buf_add_text(&sql, "; ALTER TABLE ");
    db_quote(&sql, buf_text(&staged->staging));
    buf_add_text(&sql, " RENAME TO ");
    db_quote(&sql, staged->name);
    /* else a view on the table, gone for a moment, or any broken view makes the renaming fail */
    TRY(db_exec(staged->db, "PRAGMA legacy_alter_table = ON", status));
    TRY(db_exec_buf(staged->db, &sql, status));
    code = db_exec_buf(staged->db, &dependents, status);
    if (code == STATUS_INTERNAL) {
        struct status reason = *status;
        status_clear(status);
        code = status_set_at(status, STATUS_DATA, db_path(staged->db), 0, 0,
                             "an index or trigger of the table \"%s\" does not fit its new rows "
                             "(%s); drop it first, or import with if_exists: append",
                             staged->name, reason.message);
    }
done:
    buf_release(&sql);
    buf_release(&dependents);
    return code;
}

enum status_code staged_table_move(struct staged_table *staged, bool is_single,
                                   struct db_query **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf sql = {0};
    buf_add_text(&sql, "INSERT INTO ");
    db_quote(&sql, staged->name);
    buf_add_text(&sql, " (");
    add_columns(&sql, staged);
    buf_add_text(&sql, ") SELECT ");
    add_columns(&sql, staged);
    buf_add_text(&sql, " FROM ");
    db_quote(&sql, buf_text(&staged->staging));
    buf_add_text(&sql, is_single ? " WHERE " : " ORDER BY ");
    db_quote(&sql, staged->columns[0].name);
    buf_add_text(&sql, is_single ? " = ?1" : "");
    TRY(buf_check(&sql, status));
    code = db_prepare(staged->db, buf_text(&sql), out, status);
done:
    buf_release(&sql);
    return code;
}

void staged_table_release(struct staged_table *staged)
{
    buf_release(&staged->staging);
}
