/* Loading a CSV file into a table. How the table is swapped in is staged_table.c's business. */
#include "import/csv_import.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"
#include "import/staged_table.h"

#include <stdarg.h>
#include <unistd.h>

enum {
    CHUNK_ROWS = 10000, /* a transaction: longer ones keep other writers out */
    TICK_ROWS = 512     /* between two looks at the stop flag and the progress bar */
};

/* The first column of the staging table when rows are to be appended: a row that breaks a rule of
 * the table can then be named by its line. */
static const char line_column[] = "nightjar_line";

static const struct staged_column rejected_columns[] = {
    {"line", "INTEGER"}, {"reason", "TEXT"}, {"text", "TEXT"}};

struct import {
    const struct csv_import_options *options;
    const struct csv_import_target *target;
    struct csv_reader *reader;
    struct db *db;
    bool is_append; /* to a table that exists */

    size_t n_columns;
    struct csv_import_column *columns;
    struct staged_column *staged_columns; /* the line first, when appending */
    struct staged_table rows, rejected;
    struct row_batch insert, insert_rejected;
    struct buf rejected_name;

    int64_t n_rows, n_rejected;
    int64_t bad_lines; /* what max_bad_rows bounds */
    size_t in_chunk;   /* rows in the open transaction */
};

static bool keeps_rejected(const struct import *import)
{
    return import->options->on_bad_row == CSV_BAD_ROW_REJECT;
}

/* ---- before the first row ---- */

static enum status_code check_table(struct import *import, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf type = {0};
    const char *table = import->options->table;
    TRY(db_object_type(import->db, table, &type, status));
    bool exists = type.length > 0;
    if (exists && strcmp(buf_text(&type), "table") != 0) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, db_path(import->db), 0, 0,
                          "\"%s\" is there already, as a %s; an import writes a table", table,
                          buf_text(&type)));
    }
    if (exists && import->options->if_exists == CSV_EXISTS_FAIL) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, db_path(import->db), 0, 0,
                          "the table \"%s\" is there already, and if_exists is fail; allowed: "
                          "replace, append, fail",
                          table));
    }
    import->is_append = exists && import->options->if_exists == CSV_EXISTS_APPEND;
done:
    buf_release(&type);
    return code;
}

/* A table of the user's that happens to be called TABLE_rejected must not be swept away. */
static enum status_code check_rejected_table(struct import *import, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *query = NULL;
    struct buf type = {0};
    bool has_row = false;
    buf_addf(&import->rejected_name, "%s_rejected", import->options->table);
    TRY(buf_check(&import->rejected_name, status));
    const char *name = buf_text(&import->rejected_name);
    TRY(db_object_type(import->db, name, &type, status));
    TRY(db_prepare(import->db, "SELECT group_concat(name) FROM pragma_table_info(?1)", &query,
                   status));
    TRY(db_bind_string(query, 1, name, status));
    TRY(db_step(query, &has_row, status));
    bool is_ours = strcmp(buf_text(&type), "table") == 0 &&
                   strcmp(db_column_text(query, 0, NULL), "line,reason,text") == 0;
    if (type.length > 0 && !is_ours) {
        TRY(status_set_at(status, STATUS_CANNOT_CREATE, db_path(import->db), 0, 0,
                          "\"%s\" is there already and is not a table of rejected rows (line, "
                          "reason, text); rename it, or import with on_bad_row: fail",
                          name));
    }
done:
    db_finalize(query);
    buf_release(&type);
    return code;
}

static enum status_code make_staged_columns(struct import *import, size_t *n, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t first = import->is_append ? 1 : 0;
    TRY(MEM_NEW(&import->staged_columns, first + import->n_columns, status));
    if (import->is_append) {
        import->staged_columns[0] = (struct staged_column){line_column, "INTEGER PRIMARY KEY"};
    }
    for (size_t i = 0; i < import->n_columns; i++) {
        const struct csv_import_column *column = &import->columns[i];
        if (import->is_append && strcmp(column->name, line_column) == 0) {
            TRY(status_set_at(status, STATUS_DATA, import->options->file,
                              csv_reader_header_line(import->reader), 0,
                              "a column cannot be called %s while rows are appended: the import "
                              "uses that name itself; map it to another one (columns)",
                              line_column));
        }
        import->staged_columns[first + i] =
            (struct staged_column){column->name, csv_type_sql[column->type]};
    }
    *n = first + import->n_columns;
done:
    return code;
}

/* Leaves a write transaction open. */
static enum status_code prepare(struct import *import, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *move = NULL;
    size_t n = 0;
    TRY(db_begin_write(import->db, status));
    TRY(check_table(import, status));
    TRY(make_staged_columns(import, &n, status));
    TRY(staged_table_create(&import->rows, import->db, import->options->table,
                            import->staged_columns, n, status));
    TRY(staged_table_batch(&import->rows, &import->insert, status));
    if (import->is_append) { /* before the load, not after it: the table has all the columns */
        code = staged_table_move(&import->rows, false, &move, status);
        if (code == STATUS_INTERNAL) {
            struct status reason = *status;
            status_clear(status);
            code = status_set_at(
                status, STATUS_DATA, import->options->file, csv_reader_header_line(import->reader),
                0, "the rows do not fit the table they are to be appended to: %s", reason.message);
        }
        TRY(code);
    }
    if (keeps_rejected(import)) {
        TRY(check_rejected_table(import, status));
        TRY(staged_table_create(&import->rejected, import->db, buf_text(&import->rejected_name),
                                rejected_columns,
                                sizeof rejected_columns / sizeof *rejected_columns, status));
        TRY(staged_table_batch(&import->rejected, &import->insert_rejected, status));
    }
done:
    db_finalize(move);
    return code;
}

/* ---- bad rows ---- */

/* A row with a problem: kept aside, or the end of the import. */
static enum status_code reject(struct import *import, const struct csv_row *row,
                               struct status *status)
{
    const struct csv_import_options *options = import->options;
    enum status_code code = STATUS_OK;
    struct batch_cell *cells;
    struct buf text = {0}, reason = {0};
    if (!keeps_rejected(import)) {
        return status_set_at(status, STATUS_DATA, options->file, row->problem_line,
                             row->problem_column, "%s", row->problem);
    }
    import->n_rejected++;
    import->bad_lines += (int64_t)row->n_lines;
    if (import->bad_lines > options->max_bad_rows) {
        return status_set_at(status, STATUS_DATA, options->file, row->problem_line,
                             row->problem_column,
                             "%s; that makes %lld bad rows, and max_bad_rows is %lld", row->problem,
                             (long long)import->bad_lines, (long long)options->max_bad_rows);
    }
    buf_add_text(&reason, row->problem);
    TRY(buf_check(&reason, status));
    private_show(reason.data); /* this table holds the rows themselves */
    cells = row_batch_row(&import->insert_rejected);
    cells[0] = batch_integer((int64_t)row->line);
    row_batch_copy_text(&import->insert_rejected, &cells[1], reason.data, strlen(reason.data));
    cells[2] = (struct batch_cell){.type = DB_NULL};
    if (row->text != NULL) {
        utf8_add_repaired(&text, row->text, row->text_length);
        TRY(buf_check(&text, status));
        row_batch_copy_text(&import->insert_rejected, &cells[2], buf_text(&text), text.length);
    }
    if (row_batch_add(&import->insert_rejected)) {
        TRY(row_batch_insert(&import->insert_rejected, status));
    }
done:
    buf_release(&reason);
    buf_release(&text);
    return code;
}

static enum status_code reject_value(struct import *import, const struct csv_row *row,
                                     const struct csv_import_column *column, struct status *status)
{
    enum { SHOWN_BYTES = 40 };
    enum status_code code = STATUS_OK;
    struct csv_row bad = *row;
    struct buf reason = {0};
    size_t length = row->lengths[column->field];
    buf_addf(&reason, "column \"%s\": " PRIVATE_BEGIN "\"", column->name);
    utf8_add_repaired(&reason, row->fields[column->field],
                      length < SHOWN_BYTES ? length : SHOWN_BYTES);
    buf_addf(&reason, "%s\"" PRIVATE_END " is not %s", length < SHOWN_BYTES ? "" : "...",
             column->type == CSV_TYPE_INTEGER ? "an integer of at most 64 bits"
                                              : "a finite decimal number");
    TRY(buf_check(&reason, status));
    bad.problem = buf_text(&reason);
    bad.problem_line = row->line;
    bad.problem_column = csv_reader_field_column(import->reader, row, column->field);
    code = reject(import, &bad, status);
done:
    buf_release(&reason);
    return code;
}

/* ---- rows ---- */

/* Fills the cell; false when the field is not of its column's type. */
static bool fill_cell(struct import *import, const struct csv_import_column *column,
                      const struct csv_row *row, struct batch_cell *cell)
{
    const char *text = row->fields[column->field];
    size_t length = row->lengths[column->field];
    *cell = (struct batch_cell){.type = DB_NULL};
    if (length == 0 && import->options->empty == CSV_EMPTY_NULL) {
        return true;
    }
    if (column->type == CSV_TYPE_TEXT) {
        row_batch_copy_text(&import->insert, cell, text, length);
        return true;
    }
    cell->type = column->type == CSV_TYPE_INTEGER ? DB_INTEGER : DB_FLOAT;
    return column->type == CSV_TYPE_INTEGER ? num_parse_int64(text, length, &cell->integer)
                                            : num_parse_double(text, length, &cell->real);
}

static enum status_code load_row(struct import *import, const struct csv_row *row,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    struct batch_cell *cells = row_batch_row(&import->insert);
    if (row->problem != NULL) {
        return reject(import, row, status);
    }
    if (import->is_append) {
        *cells++ = batch_integer((int64_t)row->line);
    }
    for (size_t i = 0; i < import->n_columns; i++) {
        if (!fill_cell(import, &import->columns[i], row, &cells[i])) {
            return reject_value(import, row, &import->columns[i], status);
        }
    }
    if (row_batch_add(&import->insert)) {
        TRY(row_batch_insert(&import->insert, status));
    }
    import->n_rows++;
done:
    return code;
}

static enum status_code tick(struct import *import, struct status *status)
{
    const struct csv_import_target *target = import->target;
    if (target->progress != NULL && target->progress->enabled) {
        enum { NOTE_MAX = 48 };
        char note[NOTE_MAX];
        int64_t consumed = 0, total = 0;
        csv_reader_position(import->reader, &consumed, &total);
        snprintf(note, sizeof note, "%lld rows", (long long)import->n_rows);
        progress_update(target->progress, (double)consumed / 1e6, note);
    }
    return watch_check(&target->watch, status);
}

/* Whatever waits is inserted and safe: a rollback does not reach it. */
static enum status_code next_chunk(struct import *import, struct status *status)
{
    enum status_code code;
    TRY(row_batch_insert(&import->insert, status));
    if (keeps_rejected(import)) {
        TRY(row_batch_insert(&import->insert_rejected, status));
    }
    TRY(db_commit(import->db, status));
    TRY(db_begin_write(import->db, status));
    import->in_chunk = 0;
done:
    return code;
}

static enum status_code load_rows(struct import *import, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct csv_row row;
    bool has_row = true;
    TRY(csv_reader_next(import->reader, &row, &has_row, status));
    while (has_row) {
        TRY(load_row(import, &row, status));
        import->in_chunk++;
        if (import->in_chunk % TICK_ROWS == 0) {
            TRY(tick(import, status));
        }
        if (import->in_chunk == CHUNK_ROWS) {
            TRY(next_chunk(import, status));
        }
        TRY(csv_reader_next(import->reader, &row, &has_row, status));
    }
    TRY(tick(import, status));
done:
    return code;
}

/* ---- into place ---- */

/* Whether a failed INSERT is the row's fault: the statement was compiled, so what is left are the
 * table's constraints and triggers. */
static bool is_fault_of_row(enum status_code code)
{
    return code == STATUS_INTERNAL || code == STATUS_DATA;
}

/* Row by row: one that breaks a rule of the table is a bad row. */
static enum status_code move_row_by_row(struct import *import, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *lines = NULL, *move = NULL;
    struct buf sql = {0};
    bool has_row = true;
    buf_addf(&sql, "SELECT %s FROM ", line_column);
    db_quote(&sql, buf_text(&import->rows.staging));
    buf_addf(&sql, " ORDER BY %s", line_column);
    TRY(buf_check(&sql, status));
    TRY(db_prepare(import->db, buf_text(&sql), &lines, status));
    TRY(staged_table_move(&import->rows, true, &move, status));
    TRY(db_step(lines, &has_row, status));
    while (has_row) {
        const int64_t line = db_column_int64(lines, 0);
        TRY(db_bind_int64(move, 1, line, status));
        code = db_run(move, status);
        if (is_fault_of_row(code)) {
            struct status reason = *status;
            const struct csv_row bad = {.line = (size_t)line,
                                        .n_lines = 1,
                                        .problem = reason.message,
                                        .problem_line = (size_t)line};
            status_clear(status);
            import->n_rows--;
            code = reject(import, &bad, status);
        }
        TRY(code);
        TRY(db_step(lines, &has_row, status));
    }
done:
    db_finalize(lines);
    db_finalize(move);
    buf_release(&sql);
    return code;
}

static enum status_code append_rows(struct import *import, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *move = NULL;
    TRY(staged_table_move(&import->rows, false, &move, status));
    code = db_run(move, status);
    if (is_fault_of_row(code)) { /* SQLite has undone the whole statement: find the rows */
        status_clear(status);
        code = move_row_by_row(import, status);
    }
    db_finalize(move);
    move = NULL;
    if (code == STATUS_OK) {
        code = staged_table_drop(&import->rows, status);
    }
done:
    db_finalize(move);
    return code;
}

/* The one transaction that readers see. */
static enum status_code put_in_place(struct import *import, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(next_chunk(import, status));
    row_batch_release(&import->insert); /* SQLite renames no table that a statement has in use */
    if (import->is_append) {
        TRY(append_rows(import, status));
    } else {
        TRY(check_table(import, status)); /* others may have made one since */
        TRY(staged_table_replace(&import->rows, status));
    }
    if (keeps_rejected(import)) {
        TRY(row_batch_insert(&import->insert_rejected, status));
        row_batch_release(&import->insert_rejected);
        TRY(staged_table_replace(&import->rejected, status));
    }
    code = db_commit(import->db, status);
done:
    return code;
}

static enum status_code run(struct import *import, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct csv_import_target *target = import->target;
    struct csv_settings dialect = {.watch = &target->watch};
    int64_t consumed = 0, total = 0;
    csv_import_dialect(import->options, &dialect);
    TRY(csv_reader_open(import->options->file, &dialect, &import->reader, status));
    TRY(csv_import_columns(import->options, import->reader, &import->columns, &import->n_columns,
                           status));
    TRY(db_open(target->database, DB_CREATE, target->busy_seconds, &import->db, status));
    db_of_others(import->db);
    db_leave_checkpoints(import->db); /* the application's business: see db_has_wal_reset_fix */
    if (target->progress != NULL) {
        csv_reader_position(import->reader, &consumed, &total);
        progress_start(target->progress, "import", "MB", (double)total / 1e6);
    }
    TRY(prepare(import, status));
    TRY(load_rows(import, status));
    code = put_in_place(import, status);
done:
    if (target->progress != NULL) {
        progress_finish(target->progress);
    }
    return code;
}

static void end_statements(struct import *import)
{
    row_batch_release(&import->insert);
    row_batch_release(&import->insert_rejected);
}

/* Takes away what a failed import has staged; *is_empty: the database holds nothing else. The first
 * error is what counts: one here is dropped, and the next import clears the rest. */
static void clean_up(struct import *import, bool *is_empty)
{
    enum status_code code;
    struct status ignored = {0};
    int64_t n_tables = 0;
    bool found = false;
    end_statements(import);
    db_rollback(import->db);
    TRY(db_begin_write(import->db, &ignored));
    if (import->rows.db != NULL) {
        TRY(staged_table_drop(&import->rows, &ignored));
    }
    if (import->rejected.db != NULL) {
        TRY(staged_table_drop(&import->rejected, &ignored));
    }
    TRY(db_commit(import->db, &ignored));
    TRY(db_get_int64(import->db, "SELECT count(*) FROM sqlite_schema", &n_tables, &found,
                     &ignored));
done:
    *is_empty = code == STATUS_OK && n_tables == 0;
    db_rollback(import->db);
}

enum status_code csv_import_run(const struct csv_import_options *options,
                                const struct csv_import_target *target,
                                struct csv_import_result *out, struct status *status)
{
    struct import import = {.options = options, .target = target};
    bool is_new = access(target->database, F_OK) != 0, is_empty = false;
    enum status_code code = run(&import, status);
    if (code == STATUS_OK) {
        *out = (struct csv_import_result){.rows = import.n_rows, .rejected = import.n_rejected};
    } else if (import.db != NULL) {
        clean_up(&import, &is_empty);
    }
    end_statements(&import);
    staged_table_release(&import.rows);
    staged_table_release(&import.rejected);
    buf_release(&import.rejected_name);
    db_close(import.db);
    csv_reader_close(import.reader);
    mem_free(import.columns);
    mem_free(import.staged_columns);
    if (is_new && is_empty) {
        (void)unlink(target->database); /* as it was before: not there */
    }
    return code;
}
