/* What SQLite tells of tables, and references that only names tell of. */
#include "discovery/source_schema.h"

#include "base/mem.h"
#include "discovery/yaml_text.h"

#include <string.h>
#include <strings.h>

static enum status_code copy(struct schema *schema, struct db_query *query, int column,
                             const char **out, struct status *status)
{
    size_t length;
    char *made = NULL;
    const char *text = db_column_text(query, column, &length);
    enum status_code code =
        arena_copy_text(&schema->arena, text != NULL ? text : "", length, &made, status);
    *out = made;
    return code;
}

/* Whether a configuration can hold the name, the query's first column; else it is counted. */
static bool can_be_named(struct schema *schema, struct db_query *query)
{
    const char *name = db_column_text(query, 0, NULL);
    const bool can = name == NULL || yaml_can_hold(name);
    schema->n_unnamable += !can;
    return can;
}

/* Adds to `sql` a condition that leaves out what nightjar has made, under whatever prefix. */
static enum status_code leave_out_ours(struct db *db, struct buf *sql, struct status *status)
{
    struct db_query *query = NULL;
    bool has_row = false;
    enum status_code code;
    TRY(db_prepare(db,
                   "SELECT name FROM sqlite_schema WHERE type = 'table'"
                   " AND name LIKE '%nightjar!_objects' ESCAPE '!'",
                   &query, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        buf_add_text(sql, " AND name NOT IN (SELECT name FROM ");
        db_quote(sql, db_column_text(query, 0, NULL));
        buf_add_char(sql, ')');
    }
done:
    db_finalize(query);
    return code;
}

static enum status_code read_columns(struct db *db, struct schema *schema,
                                     struct schema_table *table, struct status *status)
{
    struct db_query *query = NULL;
    bool has_row = false;
    int n_key = 0;
    size_t n = 0;
    enum status_code code;
    TRY(db_prepare(db,
                   "SELECT name, type, pk, count(*) OVER () FROM"
                   " pragma_table_xinfo(?1) WHERE hidden <> 1 ORDER BY cid",
                   &query, status));
    TRY(db_bind_string(query, 1, table->name, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        if (table->columns == NULL) {
            TRY(arena_new(&schema->arena, (size_t)db_column_int64(query, 3), sizeof *table->columns,
                          (void **)&table->columns, status));
        }
        if (!can_be_named(schema, query)) {
            continue;
        }
        struct schema_column *column = &table->columns[n++];
        TRY(copy(schema, query, 0, &column->name, status));
        TRY(copy(schema, query, 1, &column->type, status));
        column->key_part = (int)db_column_int64(query, 2);
        column->table = column->column = SCHEMA_NONE;
        words_split(column->name, &column->words);
        n_key += column->key_part > 0;
    }
    table->n_columns = n;
    for (size_t c = 0; c < n && n_key == 1; c++) {
        table->key = table->columns[c].key_part > 0 ? (int)c : table->key;
    }
done:
    db_finalize(query);
    return code;
}

/* What the columns say about the table as a whole. */
static void describe(struct schema_table *table)
{
    static const char personal[] = "email password username login firstname lastname birthday dob";
    int best = 0;
    table->is_people = words_are_people(&table->words);
    for (size_t c = 0; c < table->n_columns; c++) {
        const struct words *words = &table->columns[c].words;
        const bool is_own_name = words->n > 1 && strcmp(words->text[words->n - 1], "name") == 0 &&
                                 word_in(words->text[0], "first last given family");
        table->is_people =
            table->is_people || is_own_name || (words->n == 1 && word_in(words->text[0], personal));
        if (words_title(words) > best && !table->columns[c].is_foreign_key) {
            best = words_title(words);
            table->title = (int)c;
        }
    }
}

static int find_table(const struct schema *schema, const char *name)
{
    for (size_t t = 0; t < schema->n_tables; t++) {
        if (strcasecmp(schema->tables[t].name, name) == 0) {
            return (int)t;
        }
    }
    return SCHEMA_NONE;
}

static int find_column(const struct schema_table *table, const char *name)
{
    for (size_t c = 0; c < table->n_columns; c++) {
        if (strcasecmp(table->columns[c].name, name) == 0) {
            return (int)c;
        }
    }
    return SCHEMA_NONE;
}

/* Keys of one column; composed ones name no single thing. */
static enum status_code read_foreign_keys(struct db *db, struct schema *schema,
                                          struct schema_table *table, struct status *status)
{
    struct db_query *query = NULL;
    bool has_row = false;
    enum status_code code;
    TRY(db_prepare(db,
                   "SELECT \"from\", \"table\", \"to\" FROM pragma_foreign_key_list(?1)"
                   " GROUP BY id HAVING count(*) = 1",
                   &query, status));
    TRY(db_bind_string(query, 1, table->name, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const int own = find_column(table, db_column_text(query, 0, NULL));
        const int other = find_table(schema, db_column_text(query, 1, NULL));
        if (own < 0 || other < 0) {
            continue;
        }
        const int theirs =
            db_column_type(query, 2) == DB_NULL
                ? schema->tables[other].key
                : find_column(&schema->tables[other], db_column_text(query, 2, NULL));
        if (theirs >= 0) {
            table->columns[own].table = other;
            table->columns[own].column = theirs;
            table->columns[own].is_foreign_key = true;
        }
    }
done:
    db_finalize(query);
    return code;
}

/* A column customer_id without a FOREIGN KEY refers to customers, where its key is called id or
 * customer_id. */
static void refer_by_name(struct schema *schema, size_t t, struct schema_column *column)
{
    const char *noun = words_noun(&column->words);
    const bool is_id = column->words.is_id && !column->words.is_label && noun[0] != '\0';
    for (size_t other = 0; other < schema->n_tables; other++) {
        const struct schema_table *table = &schema->tables[other];
        if (other == t || table->key < 0) {
            continue;
        }
        const struct schema_column *key = &table->columns[table->key];
        const bool is_of_table = is_id && words_same(words_noun(&table->words), noun) &&
                                 (key->words.is_id || key->words.n == 1);
        const bool is_called_alike =
            (is_id || words_item(&column->words) > 0) && strcasecmp(key->name, column->name) == 0;
        if (is_of_table || (is_called_alike && column->table < 0)) {
            column->table = (int)other;
            column->column = table->key;
        }
        if (is_of_table) {
            return;
        }
    }
}

static enum status_code read_tables(struct db *db, struct schema *schema, struct status *status)
{
    struct db_query *query = NULL;
    struct buf sql = {0};
    bool has_row = false;
    size_t n = 0;
    enum status_code code;
    buf_add_text(&sql, "SELECT name, type, count(*) OVER () FROM pragma_table_list AS t WHERE "
                       "schema = 'main' AND type IN ('table', 'view',"
                       " 'virtual') AND name NOT LIKE 'sqlite!_%' ESCAPE '!'");
    TRY(leave_out_ours(db, &sql, status));
    buf_add_text(&sql, " AND name NOT LIKE '%nightjar!_%' ESCAPE '!' ORDER BY name");
    TRY(buf_check(&sql, status));
    TRY(db_prepare(db, buf_text(&sql), &query, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        if (schema->tables == NULL) {
            TRY(arena_new(&schema->arena, (size_t)db_column_int64(query, 2), sizeof *schema->tables,
                          (void **)&schema->tables, status));
        }
        if (!can_be_named(schema, query)) {
            continue;
        }
        struct schema_table *table = &schema->tables[n++];
        TRY(copy(schema, query, 0, &table->name, status));
        table->is_view = strcmp(db_column_text(query, 1, NULL), "table") != 0;
        table->key = table->title = SCHEMA_NONE;
        words_split(table->name, &table->words);
    }
    schema->n_tables = n;
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}

enum status_code schema_read(struct db *db, struct schema *schema, struct status *status)
{
    enum status_code code;
    db_of_others(db);
    TRY(read_tables(db, schema, status));
    for (size_t t = 0; t < schema->n_tables; t++) {
        struct status broken = {0}; /* a view of a table that is gone has no columns */
        code = read_columns(db, schema, &schema->tables[t], &broken);
        if (code != STATUS_OK && (code != STATUS_INTERNAL || !schema->tables[t].is_view)) {
            *status = broken;
            goto done;
        }
    }
    for (size_t t = 0; t < schema->n_tables; t++) {
        struct schema_table *table = &schema->tables[t];
        TRY(read_foreign_keys(db, schema, table, status));
        for (size_t c = 0; c < table->n_columns; c++) {
            if (table->columns[c].table < 0) {
                refer_by_name(schema, t, &table->columns[c]);
            }
        }
        describe(table);
    }
done:
    return code;
}

void schema_release(struct schema *schema)
{
    arena_release(&schema->arena);
    *schema = (struct schema){0};
}
