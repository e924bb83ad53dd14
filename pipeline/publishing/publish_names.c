/* The names that publish uses in a database that belongs to someone else, and the proof that what
 * stands under them is ours: every table and view we made is a row of nightjar_objects, and the
 * fixed tables come from one migration, so they are ours when nightjar_schema is. */
#include "publishing/generation.h"
#include "publishing/publish_parts.h"
#include "store/migrate.h"

#include <ctype.h>
#include <strings.h>

/* From this version of our tables on a rollback is told apart (0003_output_rollback.sql). */
enum { ROLLBACK_VERSION = 3 };

static const char *const fixed_tables[] = {
    "nightjar_schema",      "nightjar_objects", "nightjar_current",   "nightjar_runs",
    "nightjar_generations", "nightjar_metrics", "nightjar_forgotten", "nightjar_forgotten_key"};
enum { N_FIXED_TABLES = sizeof fixed_tables / sizeof fixed_tables[0] };

void publish_name(struct buf *out, const char *prefix, const char *name, int64_t generation)
{
    buf_addf(out, "%s%s", prefix, name);
    if (generation > 0) {
        buf_addf(out, "_g%lld", (long long)generation);
    }
}

void publish_add_name(struct buf *sql, const char *prefix, const char *name, int64_t generation)
{
    struct buf full = {0};
    publish_name(&full, prefix, name, generation);
    db_quote(sql, buf_text(&full));
    sql->failed = sql->failed || full.failed;
    buf_release(&full);
}

void publish_add_sql(struct buf *sql, const char *prefix, const char *text)
{
    while (*text != '\0') {
        size_t plain = strcspn(text, "$");
        buf_add(sql, text, plain);
        text += plain;
        if (*text == '$') {
            char name[32] = "";
            size_t length = strspn(text + 1, "abcdefghijklmnopqrstuvwxyz_");
            snprintf(name, sizeof name, "%.*s", (int)length, text + 1);
            publish_add_name(sql, prefix, name, 0);
            text += 1 + length;
        }
    }
}

enum status_code publish_record(struct db *db, const char *prefix, const char *type,
                                const char *name, int64_t generation, struct status *status)
{
    struct buf sql = {0}, full = {0};
    struct db_query *query = NULL;
    enum status_code code;
    publish_name(&full, prefix, name, generation);
    publish_add_sql(&sql, prefix, "INSERT OR REPLACE INTO $nightjar_objects VALUES (?1,?2,?3,?4)");
    TRY(buf_check(&full, status));
    TRY(buf_check(&sql, status));
    TRY(db_prepare(db, buf_text(&sql), &query, status));
    TRY(db_bind_text(query, 1, buf_text(&full), full.length, true, status));
    TRY(db_bind_text(query, 2, type, strlen(type), true, status));
    TRY(db_bind_text(query, 3, name, strlen(name), true, status));
    TRY(db_bind_int64(query, 4, generation, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    buf_release(&sql);
    buf_release(&full);
    return code;
}

/* Whether `rest` is "_g" and digits. */
static bool is_generation_suffix(const char *rest)
{
    if (rest[0] != '_' || (rest[1] != 'g' && rest[1] != 'G') || rest[2] == '\0') {
        return false;
    }
    for (rest += 2; *rest != '\0'; rest++) {
        if (!isdigit((unsigned char)*rest)) {
            return false;
        }
    }
    return true;
}

enum name_class { NAME_FREE, NAME_FIXED, NAME_MADE };

/* What publish would use the name for: nothing, a fixed table, or a view or table that it makes. */
static enum name_class classify(const char *name, const char *prefix)
{
    size_t prefix_length = strlen(prefix);
    if (strncasecmp(name, prefix, prefix_length) != 0) {
        return NAME_FREE;
    }
    name += prefix_length;
    for (size_t i = 0; i < N_FIXED_TABLES; i++) {
        if (strcasecmp(name, fixed_tables[i]) == 0) {
            return NAME_FIXED;
        }
    }
    for (size_t i = 0; i < N_TABLES; i++) {
        size_t length = strlen(publish_tables[i].name);
        bool is_view = i != TABLE_USERS && i != TABLE_ITEMS;
        if (strncasecmp(name, publish_tables[i].name, length) == 0 &&
            ((is_view && name[length] == '\0') || is_generation_suffix(name + length))) {
            return NAME_MADE;
        }
    }
    return NAME_FREE;
}

/* Adds the names in `db` that collide; `is_migrated`: the fixed tables are ours. */
static enum status_code find_foreign(struct db *db, const char *prefix, bool is_migrated,
                                     struct buf *names, struct status *status)
{
    struct buf sql = {0};
    struct db_query *query = NULL;
    enum status_code code;
    bool has_row = false;
    buf_add_text(&sql, "SELECT name, type FROM sqlite_schema AS s WHERE type <> 'trigger'");
    if (is_migrated) {
        publish_add_sql(&sql, prefix,
                        " AND NOT EXISTS (SELECT 1 FROM $nightjar_objects AS o"
                        " WHERE o.name = s.name AND o.type = s.type)");
    }
    buf_add_text(&sql, " ORDER BY name");
    TRY(buf_check(&sql, status));
    TRY(db_prepare(db, buf_text(&sql), &query, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const char *name = db_column_text(query, 0, NULL);
        enum name_class class = classify(name, prefix);
        if (class == NAME_MADE || (class == NAME_FIXED && !is_migrated)) {
            buf_addf(names, "%s%s \"%s\"", names->length > 0 ? ", " : "",
                     db_column_text(query, 1, NULL), name);
        }
    }
    TRY(buf_check(names, status));
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}

/* Adds the triggers on our tables: whoever made them, it was not us. */
static enum status_code find_triggers(struct db *db, const char *prefix, struct buf *names,
                                      struct status *status)
{
    struct buf sql = {0};
    struct db_query *query = NULL;
    enum status_code code;
    bool has_row = false;
    publish_add_sql(&sql, prefix,
                    "SELECT s.name, s.tbl_name FROM sqlite_schema AS s JOIN sqlite_schema AS t"
                    " ON t.name = s.tbl_name AND t.type = 'table' WHERE s.type = 'trigger'"
                    " ORDER BY s.name");
    TRY(buf_check(&sql, status));
    TRY(db_prepare(db, buf_text(&sql), &query, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const char *table = db_column_text(query, 1, NULL);
        if (classify(table, prefix) != NAME_FREE) {
            buf_addf(names, "%s\"%s\" on %s", names->length > 0 ? ", " : "",
                     db_column_text(query, 0, NULL), table);
        }
    }
    TRY(buf_check(names, status));
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}

enum status_code publish_check_names(struct db *db, const char *prefix, struct status *status)
{
    struct buf names = {0};
    enum status_code code;
    int64_t version;
    bool is_foreign;
    TRY(migrate_version(db, MIGRATE_OUTPUT, prefix, &version, &is_foreign, status));
    TRY(find_foreign(db, prefix, version > 0, &names, status));
    if (names.length > 0) {
        TRY(status_set_at(status, STATUS_CONFIG, db_path(db), 0, 0,
                          "nightjar would write under names that are taken: %s; they are not "
                          "nightjar's, so nothing was changed: choose another output.prefix or "
                          "output.database, or rename them",
                          buf_text(&names)));
    }
    TRY(find_triggers(db, prefix, &names, status));
    if (names.length > 0) {
        TRY(status_set_at(status, STATUS_CONFIG, db_path(db), 0, 0,
                          "triggers stand on nightjar's tables that it did not make: %s; they say "
                          "what becomes of its rows, also of those that are to be forgotten: drop "
                          "them",
                          buf_text(&names)));
    }
done:
    buf_release(&names);
    return code;
}

enum status_code publish_migrate(struct db *db, const char *prefix, struct status *status)
{
    enum status_code code;
    TRY(publish_check_names(db, prefix, status));
    TRY(migrate_apply(db, MIGRATE_OUTPUT, prefix, status));
done:
    return code;
}

/* ---- what the names show ---- */

enum status_code publish_history_text(struct db *db, const char *prefix, const char *column,
                                      int64_t generation, struct buf *text, struct status *status)
{
    struct buf sql = {0};
    enum status_code code;
    bool found;
    buf_addf(&sql, "SELECT %s FROM ", column);
    publish_add_name(&sql, prefix, "nightjar_generations", 0);
    buf_addf(&sql, " WHERE generation = %lld", (long long)generation);
    TRY(buf_check(&sql, status));
    TRY(db_get_text(db, buf_text(&sql), text, &found, status));
done:
    buf_release(&sql);
    return code;
}

/* The generation that `column` of the one row of nightjar_current names; 0 without the table. */
static enum status_code read_current(struct db *db, const char *prefix, const char *column,
                                     int64_t *generation, char checksum[HASH_TEXT_MAX],
                                     struct status *status)
{
    struct buf name = {0}, sql = {0}, type = {0}, text = {0};
    enum status_code code;
    int64_t current = 0;
    bool found = false;
    publish_name(&name, prefix, "nightjar_current", 0);
    buf_addf(&sql, "SELECT %s FROM ", column);
    db_quote(&sql, buf_text(&name));
    TRY(buf_check(&name, status));
    TRY(buf_check(&sql, status));
    TRY(db_object_type(db, buf_text(&name), &type, status));
    if (type.length > 0) {
        TRY(db_get_int64(db, buf_text(&sql), &current, &found, status));
    }
    if (checksum != NULL) {
        if (found) {
            TRY(publish_history_text(db, prefix, "checksum", current, &text, status));
        }
        snprintf(checksum, HASH_TEXT_MAX, "%s", buf_text(&text));
    }
    *generation = found ? current : 0;
done:
    buf_release(&name);
    buf_release(&sql);
    buf_release(&type);
    buf_release(&text);
    return code;
}

enum status_code publish_current(struct db *db, const char *prefix, int64_t *generation,
                                 char checksum[HASH_TEXT_MAX], struct status *status)
{
    return read_current(db, prefix, "generation", generation, checksum, status);
}

enum status_code publish_latest(struct db *db, const char *prefix, int64_t *generation,
                                char checksum[HASH_TEXT_MAX], struct status *status)
{
    enum status_code code;
    int64_t version;
    TRY(migrate_version(db, MIGRATE_OUTPUT, prefix, &version, NULL, status));
    TRY(read_current(
        db, prefix, version >= ROLLBACK_VERSION ? "coalesce(instead_of, generation)" : "generation",
        generation, checksum, status));
done:
    return code;
}

enum status_code publish_current_info(struct db *db, const char *prefix,
                                      struct published_info *info, struct status *status)
{
    enum status_code code;
    struct buf sql = {0};
    struct db_query *query = NULL;
    struct published_info found = {0};
    bool has_row = false;
    TRY(publish_current(db, prefix, &found.generation, found.checksum, status));
    if (found.generation != 0) {
        publish_add_sql(&sql, prefix,
                        "SELECT dimension, run_started FROM $nightjar_generations"
                        " WHERE generation = ?1");
        TRY(buf_check(&sql, status));
        TRY(db_prepare(db, buf_text(&sql), &query, status));
        TRY(db_bind_int64(query, 1, found.generation, status));
        TRY(db_step(query, &has_row, status));
        if (has_row) {
            found.dimension = db_column_int64(query, 0);
            found.run_started = db_column_int64(query, 1);
        }
    }
    *info = found;
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}
