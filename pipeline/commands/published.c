/* Rows of the published views (and of the run history) as text or JSON. */
#include "commands/published.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/strings.h"
#include "io/json_writer.h"
#include "base/utf8.h"
#include "publishing/generation.h"
#include "store/row_id.h"
#include "store/migrate.h"

#include <inttypes.h>
#include <unistd.h>

enum status_code published_open(const struct plan *plan, struct db **out, struct status *status)
{
    enum status_code code;
    struct db *db = NULL;
    struct published_info current = {0};
    int64_t version;
    const struct plan_settings *settings = &plan->settings;
    if (settings->output.database == NULL) {
        return status_set_at(status, STATUS_CONFIG, plan->file, 0, 0,
                             "neither output.database nor source.database is given");
    }
    if (!path_is_empty(settings->output.database)) {
        TRY(db_open(settings->output.database, DB_READ, settings->source.busy_timeout, &db,
                    status));
        db_leave_checkpoints(db);
        TRY(migrate_version(db, MIGRATE_OUTPUT, settings->output.prefix, &version, NULL, status));
        TRY(publish_current(db, settings->output.prefix, &current, status));
    }
    if (current.generation == 0) {
        TRY(status_set_at(status, STATUS_NO_INPUT, settings->output.database, 0, 0,
                          "nothing is published yet; `nightjar run %s` does it", plan->file));
    }
    *out = db;
    db = NULL;
done:
    db_close(db);
    return code;
}

void published_add_standing(const struct plan *plan, struct status *status)
{
    const struct plan_settings *settings = &plan->settings;
    const char *file = settings->output.database;
    struct status ignored = {0}; /* the run's own error is what counts */
    struct db *db = NULL;
    struct published_info current;
    char when[CLOCK_TEXT_MAX];
    if (file == NULL || access(file, R_OK) != 0 ||
        db_open(file, DB_READ, settings->source.busy_timeout, &db, &ignored) != STATUS_OK) {
        return;
    }
    db_leave_checkpoints(db);
    if (publish_current(db, settings->output.prefix, &current, &ignored) == STATUS_OK &&
        current.generation != 0) {
        clock_format(current.published, when);
        status_add_line(status, "published generation %lld of %s stays in place",
                        (long long)current.generation, when);
    }
    db_close(db);
}

static void add_json(struct json_list *list, struct db_query *query, int column)
{
    const char *name = db_column_name(query, column);
    size_t length;
    const char *text;
    switch (db_column_type(query, column)) {
    case DB_INTEGER:
        json_list_int64(list, name, db_column_int64(query, column));
        break;
    case DB_FLOAT:
        json_list_double(list, name, db_column_double(query, column));
        break;
    case DB_TEXT:
    case DB_BLOB:
        text = db_column_text(query, column, &length);
        json_list_text(list, name, text, length);
        break;
    case DB_NULL:
        json_list_null(list, name);
        break;
    }
}

static void add_text(struct buf *out, struct db_query *query, int column)
{
    struct buf clean = {0};
    size_t length;
    const char *text;
    switch (db_column_type(query, column)) {
    case DB_INTEGER:
        buf_addf(out, "%" PRId64, db_column_int64(query, column));
        break;
    case DB_FLOAT:
        buf_addf(out, "%.5g", db_column_double(query, column)); /* --json has every digit */
        break;
    case DB_TEXT:
    case DB_BLOB:
        text = db_column_text(query, column, &length);
        utf8_add_repaired(&clean, text, length);
        for (size_t i = 0; i < clean.length; i++) { /* these two would break the table */
            char c = clean.data[i];
            buf_add_char(out, c == '\t' || c == '\n' ? ' ' : c);
        }
        out->failed = out->failed || clean.failed;
        break;
    case DB_NULL:
        break;
    }
    buf_release(&clean);
}

static void print_header(struct db_query *query, FILE *out)
{
    for (int c = 0; c < db_column_count(query); c++) {
        fprintf(out, "%s%s", c > 0 ? "\t" : "", db_column_name(query, c));
    }
    fputc('\n', out);
}

enum status_code rows_print(struct db_query *query, bool json, bool when_empty, FILE *out,
                            size_t *n_rows, struct status *status)
{
    enum status_code code;
    struct json_list list = {0};
    struct buf line = {0};
    size_t n = 0;
    for (;;) {
        bool has_row;
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        if (json) {
            json_list_row(&list);
        } else if (n == 0) {
            print_header(query, out);
        }
        buf_clear(&line);
        for (int c = 0; c < db_column_count(query); c++) {
            if (json) {
                add_json(&list, query, c);
            } else {
                buf_add_text(&line, c > 0 ? "\t" : "");
                add_text(&line, query, c);
            }
        }
        TRY(buf_check(&line, status));
        if (!json) {
            fprintf(out, "%s\n", buf_text(&line));
        }
        n++;
    }
    if (json && (n > 0 || when_empty)) {
        TRY(json_list_print(&list, out, status));
    } else if (n == 0 && when_empty) {
        print_header(query, out);
    }
    *n_rows = n;
done:
    json_list_release(&list);
    buf_release(&line);
    return code;
}

/* How many columns of a terminal the bytes take, at one a character. */
static int shown_width(const char *text)
{
    int width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return width;
}

/* All cells, the header's first. */
struct aligned {
    struct strings cells;
    size_t n_columns;
    int *widths;      /* (n_columns) */
    bool *is_numbers; /* (n_columns) no cell is a text */
};

static enum status_code aligned_read(struct aligned *table, struct db_query *query,
                                     struct status *status)
{
    struct buf cell = {0};
    bool has_row = true;
    enum status_code code;
    table->n_columns = (size_t)db_column_count(query);
    TRY(MEM_NEW(&table->widths, table->n_columns, status));
    TRY(MEM_NEW(&table->is_numbers, table->n_columns, status));
    for (size_t row = 0; has_row; row++) {
        for (size_t c = 0; c < table->n_columns; c++) {
            buf_clear(&cell);
            if (row == 0) {
                buf_add_text(&cell, db_column_name(query, (int)c));
                table->is_numbers[c] = true;
            } else {
                const enum db_type type = db_column_type(query, (int)c);
                add_text(&cell, query, (int)c);
                buf_add_text(&cell, cell.length == 0 ? "-" : "");
                table->is_numbers[c] = table->is_numbers[c] && type != DB_TEXT && type != DB_BLOB;
            }
            TRY(buf_check(&cell, status));
            const int width = shown_width(buf_text(&cell));
            table->widths[c] = width > table->widths[c] ? width : table->widths[c];
            TRY(strings_add(&table->cells, buf_text(&cell), cell.length + 1, status));
        }
        TRY(db_step(query, &has_row, status));
    }
done:
    buf_release(&cell);
    return code;
}

enum status_code rows_print_aligned(struct db_query *query, FILE *out, struct status *status)
{
    struct aligned table = {0};
    enum status_code code;
    TRY(aligned_read(&table, query, status));
    for (size_t i = 0; i < table.cells.n; i++) {
        const size_t c = i % table.n_columns;
        size_t length;
        const char *text = strings_get(&table.cells, i, &length);
        const int pad = table.widths[c] - shown_width(text);
        const bool is_last = c + 1 == table.n_columns;
        if (table.is_numbers[c]) {
            fprintf(out, "%*s%s%s", pad, "", text, is_last ? "\n" : "  ");
        } else {
            fprintf(out, "%s%*s", text, is_last ? 0 : pad + 2, "");
            fputs(is_last ? "\n" : "", out);
        }
    }
done:
    strings_release(&table.cells);
    mem_free(table.widths);
    mem_free(table.is_numbers);
    return code;
}

enum status_code published_print(struct db *db, const struct plan *plan,
                                 const struct published_query *query, FILE *out, size_t *n_rows,
                                 struct status *status)
{
    enum status_code code;
    struct buf sql = {0}, name = {0}, type = {0};
    struct db_query *rows = NULL;
    int64_t number;
    *n_rows = 0;
    buf_addf(&name, "%s%s", plan->settings.output.prefix, query->view);
    TRY(buf_check(&name, status));
    TRY(db_object_type(db, buf_text(&name), &type, status));
    if (type.length == 0) {
        TRY(status_set_at(status, STATUS_NO_INPUT, db_path(db), 0, 0,
                          "the view %s is gone; `nightjar run %s` makes it again", buf_text(&name),
                          plan->file));
    }
    buf_add_text(&sql, query->before);
    db_quote(&sql, buf_text(&name));
    buf_add_text(&sql, query->after);
    TRY(buf_check(&sql, status));
    TRY(db_prepare(db, buf_text(&sql), &rows, status));
    TRY(db_bind_int64(rows, 2, query->limit, status));
    if (query->id != NULL) {
        TRY(db_bind_string(rows, 1, query->id, status));
    }
    TRY(rows_print(rows, query->json, false, out, n_rows, status));
    if (*n_rows == 0 && query->id != NULL &&
        row_id_of_text(query->id, strlen(query->id), &number)) {
        TRY(db_reset(rows, status));
        TRY(db_bind_int64(rows, 1, number, status));
        TRY(rows_print(rows, query->json, false, out, n_rows, status));
    }
done:
    db_finalize(rows);
    buf_release(&sql);
    buf_release(&name);
    buf_release(&type);
    return code;
}

enum status_code published_lookup(const struct command_environment *environment,
                                  const struct command_line *line, const char *flag,
                                  struct published_query query, published_none_fn *none,
                                  struct status *status)
{
    enum status_code code;
    struct plan *plan = NULL;
    struct db *db = NULL;
    size_t n_rows;
    query.id = command_flag_value(line, flag);
    query.limit = 10;
    query.json = command_flag_count(line, "--json") > 0;
    if (query.id == NULL || query.id[0] == '\0') {
        return status_set(status, STATUS_USAGE, "%s: %s ID is needed", line->command->name, flag);
    }
    TRY(command_flag_int64(line, "--top", 1, 1000000, &query.limit, status));
    TRY(command_load_plan(environment, line, &plan, status));
    TRY(published_open(plan, &db, status));
    TRY(published_print(db, plan, &query, environment->out, &n_rows, status));
    if (n_rows == 0) {
        TRY(none(environment, db, plan, &query, status));
    }
    TRY(command_flush(environment->out, status));
done:
    db_close(db);
    plan_free(plan);
    return code;
}
