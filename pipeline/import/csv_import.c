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
    struct row_batch insert;
    struct db_query *insert_rejected;
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
    TRY(db_bind_text(query, 1, name, strlen(name), true, status));
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

/* Shows before the load, not after it, that the table has all the columns. */
static enum status_code check_append(struct import *import, struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code = staged_table_move(&import->rows, 1, false, &query, status);
    db_finalize(query);
    if (code == STATUS_INTERNAL) {
        struct status reason = *status;
        status_clear(status);
        code = status_set_at(
            status, STATUS_DATA, import->options->file, csv_reader_header_line(import->reader), 0,
            "the rows do not fit the table they are to be appended to: %s", reason.message);
    }
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
    size_t n = 0;
    TRY(db_begin_write(import->db, status));
    TRY(check_table(import, status));
    TRY(make_staged_columns(import, &n, status));
    TRY(staged_table_create(&import->rows, import->db, import->options->table,
                            import->staged_columns, n, status));
    TRY(staged_table_batch(&import->rows, &import->insert, status));
    if (import->is_append) {
        TRY(check_append(import, status));
    }
    if (keeps_rejected(import)) {
        TRY(check_rejected_table(import, status));
        TRY(staged_table_create(&import->rejected, import->db, buf_text(&import->rejected_name),
                                rejected_columns,
                                sizeof rejected_columns / sizeof *rejected_columns, status));
        TRY(staged_table_insert(&import->rejected, &import->insert_rejected, status));
    }
done:
    return code;
}

/* ---- bad rows ---- */

/* Why a row is bad, and where. */
struct fault {
    size_t line;               /* where the row starts */
    size_t n_lines;            /* over which it goes */
    size_t at_line, at_column; /* of the fault; column 0: unknown */
    const char *reason;
    const char *text; /* the row's beginning; NULL: not at hand */
    size_t text_length;
};

static enum status_code keep_rejected(struct import *import, const struct fault *fault,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf text = {0}, reason = {0};
    struct db_query *query = import->insert_rejected;
    TRY(db_bind_int64(query, 1, (int64_t)fault->line, status));
    buf_add_text(&reason, fault->reason);
    TRY(buf_check(&reason, status));
    private_show(reason.data); /* this table holds the rows themselves */
    TRY(db_bind_text(query, 2, reason.data, strlen(reason.data), true, status));
    if (fault->text != NULL) {
        utf8_add_repaired(&text, fault->text, fault->text_length);
        TRY(buf_check(&text, status));
        TRY(db_bind_text(query, 3, buf_text(&text), text.length, true, status));
    } else {
        TRY(db_bind_null(query, 3, status));
    }
    code = db_run(query, status);
done:
    buf_release(&reason);
    buf_release(&text);
    return code;
}

/* A bad row: kept aside, or the end of the import. */
static enum status_code reject(struct import *import, const struct fault *fault,
                               struct status *status)
{
    const struct csv_import_options *options = import->options;
    if (!keeps_rejected(import)) {
        return status_set_at(status, STATUS_DATA, options->file, fault->at_line, fault->at_column,
                             "%s", fault->reason);
    }
    import->n_rejected++;
    import->bad_lines += (int64_t)fault->n_lines;
    if (import->bad_lines > options->max_bad_rows) {
        return status_set_at(status, STATUS_DATA, options->file, fault->at_line, fault->at_column,
                             "%s; that makes %lld bad rows, and max_bad_rows is %lld",
                             fault->reason, (long long)import->bad_lines,
                             (long long)options->max_bad_rows);
    }
    return keep_rejected(import, fault, status);
}

static enum status_code reject_row(struct import *import, const struct csv_row *row, size_t line,
                                   size_t column, const char *reason, struct status *status)
{
    struct fault fault = {.line = row->line,
                          .n_lines = row->n_lines,
                          .at_line = line,
                          .at_column = column,
                          .reason = reason,
                          .text = row->text,
                          .text_length = row->text_length};
    return reject(import, &fault, status);
}

static enum status_code reject_value(struct import *import, const struct csv_row *row,
                                     const struct csv_import_column *column, struct status *status)
{
    enum { SHOWN_BYTES = 40 };
    enum status_code code = STATUS_OK;
    struct buf reason = {0};
    size_t length = row->lengths[column->field];
    buf_addf(&reason, "column \"%s\": " PRIVATE_BEGIN "\"", column->name);
    utf8_add_repaired(&reason, row->fields[column->field],
                      length < SHOWN_BYTES ? length : SHOWN_BYTES);
    buf_addf(&reason, "%s\"" PRIVATE_END " is not %s", length < SHOWN_BYTES ? "" : "...",
             column->type == CSV_TYPE_INTEGER ? "an integer of at most 64 bits"
                                              : "a finite decimal number");
    TRY(buf_check(&reason, status));
    code = reject_row(import, row, row->line,
                      csv_reader_field_column(import->reader, row, column->field),
                      buf_text(&reason), status);
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
        return reject_row(import, row, row->problem_line, row->problem_column, row->problem,
                          status);
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

static enum status_code next_chunk(struct import *import, struct status *status)
{
    enum status_code code;
    TRY(row_batch_insert(&import->insert, status));
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

/* Appends the row that came from `line`; a rule of the table that it breaks makes it a bad row. */
static enum status_code move_row(struct import *import, struct db_query *move, int64_t line,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(db_bind_int64(move, 1, line, status));
    code = db_run(move, status);
    if (is_fault_of_row(code)) {
        struct status reason = *status;
        status_clear(status);
        struct fault fault = {
            .line = (size_t)line, .n_lines = 1, .at_line = (size_t)line, .reason = reason.message};
        import->n_rows--;
        code = reject(import, &fault, status);
    }
done:
    return code;
}

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
    TRY(staged_table_move(&import->rows, 1, true, &move, status));
    TRY(db_step(lines, &has_row, status));
    while (has_row) {
        TRY(move_row(import, move, db_column_int64(lines, 0), status));
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
    TRY(staged_table_move(&import->rows, 1, false, &move, status));
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
    TRY(next_chunk(import, status));    /* the staged rows are safe: a rollback keeps them apart */
    row_batch_release(&import->insert); /* SQLite renames no table that a statement has in use */
    if (import->is_append) {
        TRY(append_rows(import, status));
    } else {
        TRY(check_table(import, status)); /* others may have made one since */
        TRY(staged_table_replace(&import->rows, status));
    }
    db_finalize(import->insert_rejected);
    import->insert_rejected = NULL;
    if (keeps_rejected(import)) {
        TRY(staged_table_replace(&import->rejected, status));
    }
    code = db_commit(import->db, status);
done:
    return code;
}

/* Takes away what a failed import has staged. The first error is what counts: one here is dropped,
 * and the next import clears the rest. */
static void clean_up(struct import *import)
{
    struct status ignored = {0};
    db_rollback(import->db);
    enum status_code code = db_begin_write(import->db, &ignored);
    if (code == STATUS_OK && import->rows.db != NULL) {
        code = staged_table_drop(&import->rows, &ignored);
    }
    if (code == STATUS_OK && import->rejected.db != NULL) {
        code = staged_table_drop(&import->rejected, &ignored);
    }
    if (code == STATUS_OK) {
        code = db_commit(import->db, &ignored);
    }
    if (code != STATUS_OK) {
        db_rollback(import->db);
    }
}

static enum status_code run(struct import *import, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct csv_import_target *target = import->target;
    struct csv_settings dialect;
    int64_t consumed = 0, total = 0;
    csv_import_dialect(import->options, &dialect);
    TRY(csv_reader_open(import->options->file, &dialect, &import->reader, status));
    TRY(csv_import_columns(import->options, import->reader, &import->columns, &import->n_columns,
                           status));
    TRY(db_open(target->database, DB_CREATE, target->busy_seconds, &import->db, status));
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

static void release(struct import *import)
{
    row_batch_release(&import->insert);
    db_finalize(import->insert_rejected);
    staged_table_release(&import->rows);
    staged_table_release(&import->rejected);
    buf_release(&import->rejected_name);
    db_close(import->db);
    csv_reader_close(import->reader);
    mem_free(import->columns);
    mem_free(import->staged_columns);
}

enum status_code csv_import_run(const struct csv_import_options *options,
                                const struct csv_import_target *target,
                                struct csv_import_result *out, struct status *status)
{
    struct import import = {.options = options, .target = target};
    bool is_new = access(target->database, F_OK) != 0;
    enum status_code code = run(&import, status);
    bool is_opened = import.db != NULL;
    bool has_tables = true;
    if (code != STATUS_OK && is_opened) {
        struct status ignored = {0};
        int64_t n_tables = 0;
        bool found = false;
        row_batch_release(&import.insert);
        db_finalize(import.insert_rejected);
        import.insert_rejected = NULL;
        clean_up(&import);
        has_tables = db_get_int64(import.db, "SELECT count(*) FROM sqlite_schema", &n_tables,
                                  &found, &ignored) != STATUS_OK ||
                     n_tables > 0;
    }
    if (code == STATUS_OK) {
        *out = (struct csv_import_result){.rows = import.n_rows, .rejected = import.n_rejected};
    }
    release(&import);
    if (code != STATUS_OK && is_opened && is_new && !has_tables) {
        (void)unlink(target->database); /* as it was before: not there */
    }
    return code;
}
