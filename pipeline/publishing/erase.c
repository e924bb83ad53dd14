/* Secure deletion: SQLite overwrites deleted cells with zeros while secure_delete is on. */
#include "publishing/erase.h"

#include "publishing/generation.h"
#include "publishing/publish_parts.h"

/* ---- what is published ---- */

/* A generation whose rows go. */
struct erasure {
    struct db *db;
    const char *prefix;
    int64_t generation;
    struct publish_form form;
};

/* "VERB table_gN WHERE column = ?1", prepared and bound. */
static enum status_code open_on(const struct erasure *erasure, const char *verb, const char *kind,
                                const char *column, const struct row_id *id,
                                struct db_query **query, struct status *status)
{
    struct buf sql = {0};
    enum status_code code;
    buf_addf(&sql, "%s ", verb);
    publish_add_name(&sql, erasure->prefix, kind, erasure->generation);
    buf_addf(&sql, " WHERE %s = ?1", column);
    TRY(buf_check(&sql, status));
    TRY(db_prepare(erasure->db, buf_text(&sql), query, status));
    TRY(row_id_bind(*query, 1, id, status));
done:
    buf_release(&sql);
    return code;
}

/* *found false: the generation does not know the person. */
static enum status_code find_key(const struct erasure *erasure, const struct row_id *person,
                                 struct row_id *key, bool *found, struct status *status)
{
    const struct publish_form *form = &erasure->form;
    struct db_query *query = NULL;
    enum status_code code = STATUS_OK;
    *key = *person;
    *found = person->is_text == (form->has_users || form->users_are_text);
    if (*found && form->has_users) {
        TRY(open_on(erasure, "SELECT code FROM", publish_tables[TABLE_USERS].name, "id", person,
                    &query, status));
        TRY(db_step(query, found, status));
        *key = (struct row_id){.integer = *found ? db_column_int64(query, 0) : 0};
    }
done:
    db_finalize(query);
    return code;
}

/* Whether a column of the generation's table has the person. */
static enum status_code has_rows(const struct erasure *erasure, enum publish_table table,
                                 const char *column, const struct row_id *key, bool *any,
                                 struct status *status)
{
    struct db_query *query = NULL;
    bool is_there = false;
    enum status_code code;
    *any = false;
    TRY(publish_table_exists(erasure->db, erasure->prefix, publish_tables[table].name,
                             erasure->generation, &is_there, status));
    if (is_there) {
        TRY(open_on(erasure, "SELECT 1 FROM", publish_tables[table].name, column, key, &query,
                    status));
        TRY(db_step(query, any, status));
    }
done:
    db_finalize(query);
    return code;
}

/* Deletes the rows of the person, and looks whether they are gone. */
static enum status_code delete_rows(const struct erasure *erasure, enum publish_table table,
                                    const char *column, const struct row_id *key,
                                    struct status *status)
{
    struct db_query *query = NULL;
    bool any = false;
    enum status_code code;
    TRY(open_on(erasure, "DELETE FROM", publish_tables[table].name, column, key, &query, status));
    TRY(db_run(query, status));
    TRY(has_rows(erasure, table, column, key, &any, status));
    if (any) {
        TRY(status_set_at(status, STATUS_INTERNAL, db_path(erasure->db), 0, 0,
                          "rows of the people are still in %s of generation %lld after they were "
                          "deleted",
                          publish_tables[table].name, (long long)erasure->generation));
    }
done:
    db_finalize(query);
    return code;
}

/* *any: the generation has the person, who is erased from it with `erase`. */
static enum status_code visit_person(const struct erasure *erasure, const struct row_id *person,
                                     bool erase, bool *any, struct status *status)
{
    struct row_id key;
    bool found = false, has = false;
    enum status_code code;
    TRY(find_key(erasure, person, &key, &found, status));
    for (int table = 0; found && table < N_TABLES; table++) {
        const struct publish_table_info *info = &publish_tables[table];
        const char *const columns[] = {info->has_users ? info->key : NULL, info->other_user};
        for (int c = 0; c < 2; c++) {
            if (columns[c] == NULL) {
                continue;
            }
            TRY(has_rows(erasure, (enum publish_table)table, columns[c], &key, &has, status));
            if (has && erase) {
                TRY(delete_rows(erasure, (enum publish_table)table, columns[c], &key, status));
            }
            *any = *any || has;
        }
    }
done:
    return code;
}

static enum status_code erase_generation(struct erasure *erasure, const struct row_id *people,
                                         size_t n, struct status *status)
{
    enum status_code code;
    bool any = false;
    TRY(db_begin_write(erasure->db, status));
    TRY(publish_read_form(erasure->db, erasure->prefix, erasure->generation, &erasure->form,
                          status));
    for (size_t p = 0; p < n; p++) {
        TRY(visit_person(erasure, &people[p], true, &any, status));
    }
    TRY(db_commit(erasure->db, status));
done:
    if (code != STATUS_OK) {
        db_rollback(erasure->db);
    }
    return code;
}

/* The next generation above `after` that has tables; *found false: none. */
static enum status_code next_generation(struct db *db, const char *prefix, int64_t after,
                                        int64_t *generation, bool *found, struct status *status)
{
    return publish_get_int64(db, prefix,
                             "SELECT min(generation) FROM $nightjar_objects WHERE generation > ?1",
                             after, generation, found, status);
}

enum status_code erase_wal(struct db *db, struct status *status)
{
    struct buf mode = {0};
    int64_t busy = 0;
    bool found;
    enum status_code code;
    TRY(db_journal_mode(db, &mode, status));
    if (strcmp(buf_text(&mode), "wal") == 0) {
        TRY(db_get_int64(db, "PRAGMA wal_checkpoint(TRUNCATE)", &busy, &found, status));
    }
    if (busy != 0) {
        code = status_set_at(status, STATUS_BUSY, db_path(db), 0, 0,
                             "the rows are deleted, but a reader keeps the write-ahead log from "
                             "being emptied; run the same command again");
    }
done:
    buf_release(&mode);
    return code;
}

enum status_code erase_look(struct db *db, const char *prefix, const struct row_id *person,
                            bool *known, struct status *status)
{
    struct erasure erasure = {.db = db, .prefix = prefix};
    enum status_code code = STATUS_OK;
    bool found = true;
    *known = false;
    while (found && !*known) {
        TRY(next_generation(db, prefix, erasure.generation, &erasure.generation, &found, status));
        if (found) {
            TRY(publish_read_form(db, prefix, erasure.generation, &erasure.form, status));
            TRY(visit_person(&erasure, person, false, known, status));
        }
    }
done:
    return code;
}

enum status_code erase_published(struct db *db, const char *prefix, const struct row_id *people,
                                 size_t n, struct status *status)
{
    struct erasure erasure = {.db = db, .prefix = prefix};
    bool found = false;
    enum status_code code;
    TRY(db_exec(db, "PRAGMA secure_delete = ON", status));
    for (;;) {
        TRY(next_generation(db, prefix, erasure.generation, &erasure.generation, &found, status));
        if (!found) {
            break;
        }
        TRY(erase_generation(&erasure, people, n, status));
    }
    TRY(erase_wal(db, status));
done:
    return code;
}

/* ---- the work database ---- */

/* Of our schema, what may hold something of the log. Earlier versions kept the values that a
 * message about unusable rows (STATUS_DATA) quoted. */
static const char empty_tables[] =
    "DELETE FROM artifact_chunk; DELETE FROM artifact_array; DELETE FROM artifact;"
    "DELETE FROM stage_state; DELETE FROM rejected_rows; DELETE FROM tune_trial;"
    "UPDATE run SET message = 'erased by forget' WHERE exit_code = 65 AND message IS NOT NULL";

/* What our schema has beside them tells of runs and settings; everything else stages have made. */
static const char find_stage_table[] =
    "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN ('nightjar_schema', 'run',"
    " 'stage_run', 'run_metric', 'run_warning', 'training_curve', 'data_size', 'tune_trial', "
    "'search_trial',"
    " 'warm_start', 'backtest', 'artifact', 'artifact_array', 'artifact_chunk', 'stage_state',"
    " 'rejected_rows') ORDER BY type DESC LIMIT 1";

/* Tables and views that stages have made. */
static enum status_code drop_stage_tables(struct db *work, struct status *status)
{
    struct buf name = {0}, type = {0}, sql = {0};
    bool found = true;
    enum status_code code;
    for (;;) {
        buf_clear(&name);
        TRY(db_get_text(work, find_stage_table, &name, &found, status));
        if (!found) {
            break;
        }
        buf_clear(&type);
        TRY(db_object_type(work, buf_text(&name), &type, status));
        buf_clear(&sql);
        buf_addf(&sql, "DROP %s ", buf_text(&type));
        db_quote(&sql, buf_text(&name));
        TRY(db_exec_buf(work, &sql, status));
    }
done:
    buf_release(&name);
    buf_release(&type);
    buf_release(&sql);
    return code;
}

/* The file is ours alone: what a trigger of somebody else does with a row that is deleted (keep it,
 * copy it) nobody knows. */
static enum status_code refuse_triggers(struct db *work, struct status *status)
{
    struct buf names = {0};
    bool found = false;
    enum status_code code;
    TRY(db_get_text(work,
                    "SELECT group_concat('\"' || name || '\" on ' || tbl_name, ', ') FROM "
                    "sqlite_schema WHERE type = 'trigger'",
                    &names, &found, status));
    if (found) {
        TRY(status_set_at(status, STATUS_CONFIG, db_path(work), 0, 0,
                          "triggers that are not nightjar's: %s; drop them, for they say what "
                          "becomes of rows that are deleted",
                          buf_text(&names)));
    }
done:
    buf_release(&names);
    return code;
}

enum status_code erase_work(struct db *work, struct status *status)
{
    enum status_code code;
    int64_t n = 0;
    bool found;
    TRY(refuse_triggers(work, status));
    TRY(db_exec(work, "PRAGMA secure_delete = ON", status));
    TRY(db_begin_write(work, status));
    TRY(db_exec(work, empty_tables, status));
    TRY(drop_stage_tables(work, status));
    TRY(db_get_int64(work,
                     "SELECT (SELECT count(*) FROM artifact_chunk) + (SELECT count(*) FROM "
                     "artifact_array) + (SELECT count(*) FROM artifact) + (SELECT count(*) FROM "
                     "stage_state) + (SELECT count(*) FROM rejected_rows)",
                     &n, &found, status));
    if (n != 0) {
        TRY(status_set_at(status, STATUS_INTERNAL, db_path(work), 0, 0,
                          "%lld rows are still there after they were deleted", (long long)n));
    }
    TRY(db_commit(work, status));
    TRY(db_exec(work, "VACUUM", status));
    TRY(erase_wal(work, status));
done:
    if (code != STATUS_OK) {
        db_rollback(work);
    }
    return code;
}
