/* One query over the schema; the text is the table's name, or the SELECT. */
#include "events/moving_key.h"

static const char find_table[] =
    "WITH asked AS (SELECT lower(?1) AS key, ' ' ||"
    " replace(replace(lower(?2), char(10), ' '), char(9), ' ') || ' ' AS text)"
    " SELECT m.name FROM sqlite_schema AS m, asked WHERE m.type = 'table'"
    " AND (key IN ('rowid', '_rowid_', 'oid') OR text GLOB '*[ .,]rowid as ' || key || '[ ,]*'"
    "  OR text GLOB '*[ .,]_rowid_ as ' || key || '[ ,]*'"
    "  OR text GLOB '*[ .,]oid as ' || key || '[ ,]*')"
    " AND instr(text, lower(m.name)) > 0 AND m.sql NOT LIKE '%WITHOUT ROWID%'"
    " AND NOT EXISTS (SELECT 1 FROM pragma_table_info(m.name) WHERE name = asked.key COLLATE "
    "NOCASE)"
    " AND (SELECT count(*) FROM pragma_table_info(m.name) WHERE pk > 0) IS NOT"
    "  (SELECT count(*) FROM pragma_table_info(m.name)"
    "   WHERE pk = 1 AND type = 'INTEGER' COLLATE NOCASE HAVING count(*) = 1)"
    " ORDER BY length(m.name) DESC LIMIT 1";

enum status_code moving_key_find(struct db *db, const struct event_query *query, struct buf *table,
                                 struct status *status)
{
    const char *text = query->table != NULL ? query->table : query->sql;
    struct db_query *find = NULL;
    bool has_row;
    enum status_code code = STATUS_OK;

    if (query->key == NULL || text == NULL) {
        return STATUS_OK;
    }
    TRY(db_prepare(db, find_table, &find, status));
    TRY(db_bind_string(find, 1, query->key, status));
    TRY(db_bind_string(find, 2, text, status));
    TRY(db_step(find, &has_row, status));
    if (has_row) {
        buf_add_text(table, db_column_text(find, 0, NULL));
    }
    TRY(buf_check(table, status));
done:
    db_finalize(find);
    return code;
}
