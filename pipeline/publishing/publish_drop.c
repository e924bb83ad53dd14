/* What is listed in nightjar_objects, and the fixed tables that list it. */
#include "publishing/publish_drop.h"

#include "publishing/generation.h"
#include "publishing/publish_parts.h"
#include "store/migrate.h"

/* Adds a query for (type, name) of what is ours; without our tables it has no rows. */
static enum status_code add_ours(struct db *db, const char *prefix, struct buf *sql,
                                 struct status *status)
{
    struct buf names = {0};
    int64_t version;
    enum status_code code;
    TRY(publish_check_names(db, prefix, status));
    TRY(migrate_version(db, MIGRATE_OUTPUT, prefix, &version, NULL, status));
    if (version == 0) {
        buf_add_text(sql, "SELECT '' AS type, '' AS name WHERE 0");
        goto done;
    }
    publish_add_sql(sql, prefix,
                    "SELECT type, name FROM $nightjar_objects JOIN sqlite_schema USING (type, name)"
                    " UNION ALL SELECT type, name FROM sqlite_schema WHERE type = 'table' AND"
                    " lower(name) IN (");
    for (size_t i = 0; publish_fixed_tables[i] != NULL; i++) {
        buf_clear(&names);
        publish_name(&names, prefix, publish_fixed_tables[i], 0);
        buf_addf(sql, "%slower('%s')", i > 0 ? ", " : "", buf_text(&names)); /* letters, _ */
    }
    buf_add_char(sql, ')');
    sql->failed = sql->failed || names.failed;
done:
    buf_release(&names);
    return code;
}

static enum status_code prepare(struct db *db, const struct buf *sql, struct db_query **query,
                                struct status *status)
{
    enum status_code code = buf_check(sql, status);
    return code == STATUS_OK ? db_prepare(db, buf_text(sql), query, status) : code;
}

enum status_code publish_list(struct db *db, const char *prefix, struct db_query **query,
                              struct status *status)
{
    struct buf sql = {0};
    enum status_code code;
    TRY(add_ours(db, prefix, &sql, status));
    buf_add_text(&sql, " ORDER BY type DESC, name");
    TRY(prepare(db, &sql, query, status));
done:
    buf_release(&sql);
    return code;
}

enum status_code publish_list_dependents(struct db *db, const char *prefix, struct db_query **query,
                                         struct status *status)
{
    struct buf sql = {0};
    enum status_code code;
    buf_add_text(&sql, "WITH ours AS (");
    TRY(add_ours(db, prefix, &sql, status));
    buf_add_text(&sql,
                 ") SELECT s.type, s.name FROM sqlite_schema AS s WHERE s.type IN ('view',"
                 " 'trigger') AND NOT EXISTS (SELECT 1 FROM ours WHERE ours.name = s.name"
                 " COLLATE NOCASE AND ours.type = s.type) AND EXISTS (SELECT 1 FROM ours WHERE"
                 " lower(s.sql) || ' ' GLOB '*[^a-z0-9_]' || lower(ours.name) || '[^a-z0-9_]*')"
                 " ORDER BY s.type DESC, s.name");
    TRY(prepare(db, &sql, query, status));
done:
    buf_release(&sql);
    return code;
}

enum status_code publish_has_forgotten(struct db *db, const char *prefix, bool *has,
                                       struct status *status)
{
    int64_t first;
    enum status_code code;
    TRY(publish_table_exists(db, prefix, "nightjar_forgotten", 0, has, status));
    if (*has) {
        TRY(publish_get_int64(db, prefix,
                              "SELECT 1 FROM $nightjar_forgotten WHERE forgotten >= ?1 LIMIT 1", 0,
                              &first, has, status));
    }
done:
    return code;
}

/* From here on nobody sees anything, and every generation is one that was never finished. */
static enum status_code drop_views(struct db *db, const char *prefix, struct status *status)
{
    static const char *const history[] = {"nightjar_current", "nightjar_generations"};
    struct db_query *query = NULL;
    struct buf sql = {0};
    bool has_row;
    enum status_code code;
    TRY(db_begin_write(db, status));
    TRY(publish_check_names(db, prefix, status));
    TRY(publish_prepare(db, prefix, "SELECT name FROM $nightjar_objects WHERE type = 'view'",
                        &query, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        buf_add_text(&sql, "DROP VIEW IF EXISTS ");
        db_quote(&sql, db_column_text(query, 0, NULL));
        buf_add_text(&sql, "; ");
    }
    db_finalize(query);
    query = NULL;
    publish_add_sql(&sql, prefix, "DELETE FROM $nightjar_objects WHERE type = 'view'");
    for (size_t i = 0; i < sizeof history / sizeof *history; i++) {
        bool found;
        TRY(publish_table_exists(db, prefix, history[i], 0, &found, status));
        if (found) { /* a file that has lost it can be cleared all the same */
            buf_add_text(&sql, "; DELETE FROM ");
            publish_add_name(&sql, prefix, history[i], 0);
        }
    }
    TRY(db_exec_buf(db, &sql, status));
    TRY(db_commit(db, status));
done:
    db_finalize(query);
    db_rollback(db);
    buf_release(&sql);
    return code;
}

static enum status_code drop_fixed(struct db *db, const char *prefix, struct status *status)
{
    struct buf sql = {0};
    enum status_code code;
    for (size_t i = 0; publish_fixed_tables[i] != NULL; i++) {
        bool found; /* a view under its name is somebody else's */
        TRY(publish_table_exists(db, prefix, publish_fixed_tables[i], 0, &found, status));
        if (found) {
            buf_add_text(&sql, "DROP TABLE ");
            publish_add_name(&sql, prefix, publish_fixed_tables[i], 0);
            buf_add_text(&sql, "; ");
        }
    }
    TRY(db_begin_write(db, status));
    TRY(db_exec_buf(db, &sql, status));
    TRY(db_commit(db, status));
done:
    db_rollback(db);
    buf_release(&sql);
    return code;
}

enum status_code publish_drop(struct db *db, const char *prefix, struct status *status)
{
    const struct publish_target target = {.db = db, .prefix = prefix, .keep = 0};
    enum status_code code;
    TRY(publish_migrate(db, prefix, status)); /* what an older nightjar has made goes as well */
    TRY(db_exec(db, "PRAGMA secure_delete = ON", status));
    TRY(drop_views(db, prefix, status));
    TRY(publish_prune(&target, status));
    TRY(drop_fixed(db, prefix, status));
done:
    return code;
}
