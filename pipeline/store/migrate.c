/* Numbered migrations. A file under schemas/ is named NNNN_SET_what.sql; SET says which database it
 * is for, NNNN is its version within the set. What was applied stands in the table
 * PREFIXnightjar_schema(part, version, name, applied), made by the first file of a set; its
 * presence is also what marks the other tables as ours. */
#include "store/migrate.h"

#include "base/clock.h"
#include "base/num.h"
#include "store/embedded_sql.h"

#include <assert.h>

static const char *const set_names[] = {[MIGRATE_WORK] = "work", [MIGRATE_OUTPUT] = "output"};

enum { VERSION_DIGITS = 4 };

/* The version of an embedded file when it belongs to the set, else 0. */
static int64_t version_in_set(const char *name, enum migrate_set set)
{
    int64_t version = 0;
    size_t set_length = strlen(set_names[set]);
    bool is_numbered = strlen(name) > VERSION_DIGITS + 1 &&
                       num_parse_int64(name, VERSION_DIGITS, &version) &&
                       name[VERSION_DIGITS] == '_';
    assert(is_numbered && "schemas/ holds a file without a number");
    const char *rest = name + VERSION_DIGITS + 1;
    bool is_ours =
        is_numbered && strncmp(rest, set_names[set], set_length) == 0 && rest[set_length] == '_';
    return is_ours ? version : 0;
}

static int64_t newest_version(enum migrate_set set)
{
    int64_t newest = 0;
    for (const struct embedded_sql *file = embedded_sql; file->name != NULL; file++) {
        int64_t version = version_in_set(file->name, set);
        newest = version > newest ? version : newest;
    }
    return newest;
}

static void add_schema_table(struct buf *sql, const char *prefix)
{
    struct buf name = {0};
    buf_addf(&name, "%snightjar_schema", prefix);
    db_quote(sql, buf_text(&name));
    sql->failed = sql->failed || name.failed;
    buf_release(&name);
}

/* Whether the version table is there, and has the columns that ours has. */
static enum status_code find_schema_table(struct db *db, const char *prefix, bool *is_ours,
                                          bool *is_foreign, struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    struct buf name = {0}, type = {0};
    bool has_row = false;
    *is_ours = *is_foreign = false;
    buf_addf(&name, "%snightjar_schema", prefix);
    TRY(buf_check(&name, status));
    TRY(db_object_type(db, buf_text(&name), &type, status));
    if (type.length == 0) {
        goto done;
    }
    TRY(db_prepare(db,
                   "SELECT count(*) = 4 FROM pragma_table_info(?1)"
                   " WHERE name IN ('part', 'version', 'name', 'applied')",
                   &query, status));
    TRY(db_bind_text(query, 1, buf_text(&name), name.length, true, status));
    TRY(db_step(query, &has_row, status));
    *is_ours = strcmp(buf_text(&type), "table") == 0 && db_column_int64(query, 0) == 1;
    *is_foreign = !*is_ours;
done:
    db_finalize(query);
    buf_release(&name);
    buf_release(&type);
    return code;
}

enum status_code migrate_version(struct db *db, enum migrate_set set, const char *prefix,
                                 int64_t *version, bool *is_foreign, struct status *status)
{
    enum status_code code;
    struct buf sql = {0};
    bool is_ours, foreign, found;
    int64_t applied = 0;
    TRY(find_schema_table(db, prefix, &is_ours, &foreign, status));
    if (is_ours) {
        buf_add_text(&sql, "SELECT max(version) FROM ");
        add_schema_table(&sql, prefix);
        buf_addf(&sql, " WHERE part = '%s'", set_names[set]);
        TRY(buf_check(&sql, status));
        TRY(db_get_int64(db, buf_text(&sql), &applied, &found, status));
    }
    if (applied > newest_version(set)) {
        TRY(status_set_at(status, STATUS_CONFIG, db_path(db), 0, 0,
                          "the %s tables were written by a newer nightjar: their version is %lld, "
                          "this program knows versions up to %lld; use the newer program",
                          set_names[set], (long long)applied, (long long)newest_version(set)));
    }
    *version = applied;
    if (is_foreign != NULL) {
        *is_foreign = foreign || (is_ours && applied == 0); /* of another set */
    }
done:
    buf_release(&sql);
    return code;
}

/* Adds `sql` with every @prefix@ replaced; it stands inside double quotes there. */
static void add_expanded(struct buf *out, const char *sql, const char *prefix)
{
    static const char mark[] = "@prefix@";
    struct buf quoted = {0};
    db_quote(&quoted, prefix);
    for (;;) {
        const char *next = strstr(sql, mark);
        if (next == NULL) {
            break;
        }
        buf_add(out, sql, (size_t)(next - sql));
        if (quoted.length > 2) { /* without the quotes around */
            buf_add(out, buf_text(&quoted) + 1, quoted.length - 2);
        }
        sql = next + sizeof mark - 1;
    }
    buf_add_text(out, sql);
    out->failed = out->failed || quoted.failed;
    buf_release(&quoted);
}

static enum status_code apply_file(struct db *db, enum migrate_set set, const char *prefix,
                                   const struct embedded_sql *file, struct status *status)
{
    enum status_code code;
    struct buf sql = {0};
    struct db_query *query = NULL;
    add_expanded(&sql, file->sql, prefix);
    TRY(db_exec_buf(db, &sql, status));
    buf_clear(&sql);
    buf_add_text(&sql, "INSERT INTO ");
    add_schema_table(&sql, prefix);
    buf_add_text(&sql, " (part, version, name, applied) VALUES (?1, ?2, ?3, ?4)");
    TRY(buf_check(&sql, status));
    TRY(db_prepare(db, buf_text(&sql), &query, status));
    TRY(db_bind_string(query, 1, set_names[set], status));
    TRY(db_bind_int64(query, 2, version_in_set(file->name, set), status));
    TRY(db_bind_string(query, 3, file->name, status));
    TRY(db_bind_int64(query, 4, clock_unix(), status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    buf_release(&sql);
    if (code != STATUS_OK) {
        status_add_context(status, "migration %s", file->name);
    }
    return code;
}

enum status_code migrate_apply(struct db *db, enum migrate_set set, const char *prefix,
                               struct status *status)
{
    enum status_code code;
    int64_t version;
    bool is_foreign;
    TRY(migrate_version(db, set, prefix, &version, &is_foreign, status));
    if (set == MIGRATE_WORK && is_foreign) {
        TRY(status_set_at(status, STATUS_CONFIG, db_path(db), 0, 0,
                          "the file has a table %snightjar_schema that is not ours: it is no work "
                          "database of nightjar",
                          prefix));
    }
    if (version == newest_version(set)) {
        return STATUS_OK; /* the usual case takes no write lock */
    }
    TRY(db_begin_write(db, status));
    /* another process may have been faster */
    TRY(migrate_version(db, set, prefix, &version, NULL, status));
    for (const struct embedded_sql *file = embedded_sql; file->name != NULL; file++) {
        if (version_in_set(file->name, set) > version) {
            TRY(apply_file(db, set, prefix, file, status));
        }
    }
    TRY(db_commit(db, status));
    return STATUS_OK;
done:
    db_rollback(db);
    return code;
}

/* Of an older nightjar: nothing was kept there. */
static enum status_code stand_in(struct db *db, struct status *status)
{
    int64_t n;
    bool found;
    enum status_code code;
    TRY(db_get_int64(db, "SELECT count(*) FROM main.sqlite_schema WHERE name = 'run_warning'", &n,
                     &found, status));
    if (n == 0) {
        TRY(db_exec(db, "CREATE TEMP TABLE run_warning (run, number, label, message)", status));
    }
done:
    return code;
}

enum status_code migrate_open_work(const char *path, enum db_mode mode, double busy_seconds,
                                   struct db **out, struct status *status)
{
    struct db *db = NULL;
    int64_t version;
    enum status_code code;
    TRY(db_open(path, mode, busy_seconds, &db, status));
    TRY(migrate_version(db, MIGRATE_WORK, "", &version, NULL, status));
    TRY(stand_in(db, status));
    *out = db;
    db = NULL;
done:
    db_close(db);
    return code;
}
