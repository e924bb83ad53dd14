/* The names that publish uses in a database that belongs to someone else, and the proof that what
 * stands under them is ours: every table and view we made is a row of nightjar_objects, and the
 * fixed tables come from one migration, so they are ours when nightjar_schema is. */
#include "publishing/generation.h"
#include "publishing/publish_parts.h"
#include "store/migrate.h"

#include <ctype.h>
#include <strings.h>

/* From this version of our tables on a rollback is told apart (0003_output_rollback.sql). */
enum { ROLLBACK_VERSION = 3, CHOSEN_VERSION = 7, SEQUENCE_VERSION = 9 };

const char *const publish_fixed_tables[] = {"nightjar_schema",      "nightjar_objects",
                                            "nightjar_current",     "nightjar_runs",
                                            "nightjar_generations", "nightjar_metrics",
                                            "nightjar_forgotten",   "nightjar_forgotten_key",
                                            "nightjar_switches",    NULL};

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

enum status_code publish_prepare(struct db *db, const char *prefix, const char *text,
                                 struct db_query **query, struct status *status)
{
    struct buf sql = {0};
    enum status_code code;
    publish_add_sql(&sql, prefix, text);
    TRY(buf_check(&sql, status));
    TRY(db_prepare(db, buf_text(&sql), query, status));
done:
    buf_release(&sql);
    return code;
}

enum status_code publish_get_int64(struct db *db, const char *prefix, const char *text,
                                   int64_t argument, int64_t *out, bool *found,
                                   struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(publish_prepare(db, prefix, text, &query, status));
    TRY(db_bind_int64(query, 1, argument, status));
    TRY(db_step(query, found, status));
    *found = *found && db_column_type(query, 0) != DB_NULL;
    if (*found) {
        *out = db_column_int64(query, 0);
    }
done:
    db_finalize(query);
    return code;
}

enum status_code publish_table_exists(struct db *db, const char *prefix, const char *name,
                                      int64_t generation, bool *found, struct status *status)
{
    struct buf full = {0}, type = {0};
    enum status_code code;
    publish_name(&full, prefix, name, generation);
    TRY(buf_check(&full, status));
    TRY(db_object_type(db, buf_text(&full), &type, status));
    *found = strcmp(buf_text(&type), "table") == 0;
done:
    buf_release(&full);
    buf_release(&type);
    return code;
}

/* Whether the column of the lists of the generation is declared as TEXT. */
static enum status_code is_text(struct db *db, const char *prefix, const char *column,
                                int64_t generation, bool *found, struct status *status)
{
    struct buf full = {0};
    struct db_query *query = NULL;
    enum status_code code;
    publish_name(&full, prefix, publish_tables[TABLE_RECOMMENDATIONS].name, generation);
    TRY(buf_check(&full, status));
    TRY(db_prepare(db, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2 AND type = 'TEXT'",
                   &query, status));
    TRY(db_bind_text(query, 1, buf_text(&full), full.length, true, status));
    TRY(db_bind_string(query, 2, column, status));
    TRY(db_step(query, found, status));
done:
    db_finalize(query);
    buf_release(&full);
    return code;
}

enum status_code publish_read_form(struct db *db, const char *prefix, int64_t generation,
                                   struct publish_form *form, struct status *status)
{
    enum status_code code;
    TRY(is_text(db, prefix, "user", generation, &form->users_are_text, status));
    TRY(is_text(db, prefix, "item", generation, &form->items_are_text, status));
    TRY(publish_table_exists(db, prefix, publish_tables[TABLE_USERS].name, generation,
                             &form->has_users, status));
    TRY(publish_table_exists(db, prefix, publish_tables[TABLE_ITEMS].name, generation,
                             &form->has_items, status));
done:
    return code;
}

enum status_code publish_record(struct db *db, const char *prefix, const char *type,
                                const char *name, int64_t generation, struct status *status)
{
    struct buf full = {0};
    struct db_query *query = NULL;
    enum status_code code;
    publish_name(&full, prefix, name, generation);
    TRY(buf_check(&full, status));
    TRY(publish_prepare(db, prefix, "INSERT OR REPLACE INTO $nightjar_objects VALUES (?1,?2,?3,?4)",
                        &query, status));
    TRY(db_bind_text(query, 1, buf_text(&full), full.length, true, status));
    TRY(db_bind_string(query, 2, type, status));
    TRY(db_bind_string(query, 3, name, status));
    TRY(db_bind_int64(query, 4, generation, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
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
    for (size_t i = 0; publish_fixed_tables[i] != NULL; i++) {
        if (strcasecmp(name, publish_fixed_tables[i]) == 0) {
            return NAME_FIXED;
        }
    }
    for (size_t i = 0; i < N_TABLES; i++) {
        size_t length = strlen(publish_tables[i].name);
        const bool is_view = publish_is_view((enum publish_table)i);
        if (strncasecmp(name, publish_tables[i].name, length) == 0 &&
            ((is_view && name[length] == '\0') || is_generation_suffix(name + length))) {
            return NAME_MADE;
        }
    }
    return NAME_FREE;
}

/* Of the rows (name, how to show it) that `text` gives: adds those whose name publish would use.
 * The fixed tables may be ours. */
static enum status_code find_taken(struct db *db, const char *prefix, const char *text,
                                   bool has_fixed, struct buf *shown, struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    bool has_row = false;
    TRY(publish_prepare(db, prefix, text, &query, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const enum name_class class = classify(db_column_text(query, 0, NULL), prefix);
        if (class == NAME_MADE || (class == NAME_FIXED && !has_fixed)) {
            buf_addf(shown, "%s%s", shown->length > 0 ? ", " : "", db_column_text(query, 1, NULL));
        }
    }
    TRY(buf_check(shown, status));
done:
    db_finalize(query);
    return code;
}

enum status_code publish_check_names(struct db *db, const char *prefix, struct status *status)
{
    static const char any[] = "SELECT name, type || ' \"' || name || '\"' FROM sqlite_schema"
                              " WHERE type <> 'trigger' ORDER BY name";
    static const char foreign[] =
        "SELECT name, type || ' \"' || name || '\"' FROM sqlite_schema AS s"
        " WHERE type <> 'trigger' AND NOT EXISTS (SELECT 1 FROM $nightjar_objects AS o"
        " WHERE o.name = s.name AND o.type = s.type) ORDER BY name";
    /* whoever made them, it was not us */
    static const char triggers[] =
        "SELECT s.tbl_name, '\"' || s.name || '\" on ' || s.tbl_name FROM sqlite_schema AS s"
        " JOIN sqlite_schema AS t ON t.name = s.tbl_name AND t.type = 'table'"
        " WHERE s.type = 'trigger' ORDER BY s.name";
    struct buf names = {0};
    enum status_code code;
    int64_t version;
    bool is_foreign;
    TRY(migrate_version(db, MIGRATE_OUTPUT, prefix, &version, &is_foreign, status));
    TRY(find_taken(db, prefix, version > 0 ? foreign : any, version > 0, &names, status));
    if (names.length > 0) {
        TRY(status_set_at(status, STATUS_CONFIG, db_path(db), 0, 0,
                          "nightjar would write under names that are taken: %s; they are not "
                          "nightjar's, so nothing was changed: choose another output.prefix or "
                          "output.database, or rename them",
                          buf_text(&names)));
    }
    TRY(find_taken(db, prefix, triggers, false, &names, status));
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

/* The generation that `column` of the one row of nightjar_current names; 0 without the table. */
static enum status_code read_current(struct db *db, const char *prefix, const char *column,
                                     struct published_info *info, struct status *status)
{
    struct published_info found = {0};
    struct db_query *query = NULL;
    struct buf text = {0};
    enum status_code code;
    bool has_row = false;
    TRY(publish_table_exists(db, prefix, "nightjar_current", 0, &has_row, status));
    if (has_row) {
        buf_addf(&text,
                 "SELECT c.generation, dimension, run_started, published, coalesce(checksum, '')"
                 " FROM (SELECT %s AS generation FROM $nightjar_current) AS c"
                 " LEFT JOIN $nightjar_generations USING (generation)",
                 column);
        TRY(buf_check(&text, status));
        TRY(publish_prepare(db, prefix, buf_text(&text), &query, status));
        TRY(db_step(query, &has_row, status));
    }
    if (has_row) {
        found = (struct published_info){.generation = db_column_int64(query, 0),
                                        .dimension = db_column_int64(query, 1),
                                        .run_started = db_column_int64(query, 2),
                                        .published = db_column_int64(query, 3)};
        snprintf(found.checksum, sizeof found.checksum, "%s", db_column_text(query, 4, NULL));
    }
    *info = found;
done:
    db_finalize(query);
    buf_release(&text);
    return code;
}

enum status_code publish_current(struct db *db, const char *prefix, struct published_info *info,
                                 struct status *status)
{
    return read_current(db, prefix, "generation", info, status);
}

/* A column of the current generation's row that came with `version`; *has_row false: there is no
 * such row, or none yet. *query is the caller's to finalize. */
static enum status_code step_column(struct db *db, const char *prefix, const char *column,
                                    int64_t version, struct db_query **query, bool *has_row,
                                    struct status *status)
{
    enum status_code code;
    struct buf text = {0};
    int64_t found;
    bool is_foreign = false;
    *has_row = false;
    TRY(migrate_version(db, MIGRATE_OUTPUT, prefix, &found, &is_foreign, status));
    if (is_foreign || found < version) {
        goto done;
    }
    buf_addf(&text,
             "SELECT %s FROM $nightjar_current JOIN $nightjar_generations USING (generation)",
             column);
    TRY(buf_check(&text, status));
    TRY(publish_prepare(db, prefix, buf_text(&text), query, status));
    TRY(db_step(*query, has_row, status));
done:
    buf_release(&text);
    return code;
}

enum status_code publish_current_chosen(struct db *db, const char *prefix, struct buf *chosen,
                                        struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    bool has_row = false;
    TRY(step_column(db, prefix, "chosen", CHOSEN_VERSION, &query, &has_row, status));
    if (has_row) {
        size_t length = 0;
        const char *text = db_column_text(query, 0, &length);
        buf_add(chosen, text, length);
    }
    TRY(buf_check(chosen, status));
done:
    db_finalize(query);
    return code;
}

enum status_code publish_current_sequence(struct db *db, const char *prefix, int64_t *dimension,
                                          struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    bool has_row = false;
    TRY(step_column(db, prefix, "sequence_dimension", SEQUENCE_VERSION, &query, &has_row, status));
    *dimension = has_row ? db_column_int64(query, 0) : -1;
done:
    db_finalize(query);
    return code;
}

enum status_code publish_latest(struct db *db, const char *prefix, struct published_info *info,
                                struct status *status)
{
    enum status_code code;
    int64_t version;
    TRY(migrate_version(db, MIGRATE_OUTPUT, prefix, &version, NULL, status));
    TRY(read_current(
        db, prefix, version >= ROLLBACK_VERSION ? "coalesce(instead_of, generation)" : "generation",
        info, status));
done:
    return code;
}
