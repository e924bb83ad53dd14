/* Reading a side-data query. Cells are kept by what they are in the source; an id may stand once.
 */
#include "features/feature_reader.h"

#include "base/mem.h"
#include "base/num.h"

#include <math.h>
#include <string.h>
#include <strings.h>

enum { FIRST_CAPACITY = 1024, ROWS_BETWEEN_LOOKS = 4096 };

/* Index of the id column in the result. The names of the others are added to `names`. */
static enum status_code find_columns(const struct db_query *statement,
                                     const struct feature_query *query, struct strings *names,
                                     int *id_column, struct status *status)
{
    enum status_code code = STATUS_OK;
    const int n = db_column_count(statement);
    int found = -1;

    for (int i = 0; i < n; i++) {
        const char *name = db_column_name(statement, i);
        const bool is_id =
            strcasecmp(name, query->id_name) == 0 || strcasecmp(name, query->id_short) == 0;
        for (int j = 0; j < i; j++) {
            if (strcasecmp(name, db_column_name(statement, j)) == 0) {
                TRY(status_set(status, STATUS_CONFIG,
                               "%s: two columns are called '%s'; name them apart with AS",
                               query->what, name));
            }
        }
        if (is_id && found >= 0) {
            TRY(status_set(status, STATUS_CONFIG, "%s: columns '%s' and '%s' are both the %s",
                           query->what, db_column_name(statement, found), name, query->id_name));
        }
        if (is_id) {
            found = i;
        } else {
            TRY(strings_add(names, name, strlen(name), status));
        }
    }
    if (found < 0) {
        TRY(status_set(status, STATUS_CONFIG,
                       "%s: the query needs a column named %s (or %s): name it with AS",
                       query->what, query->id_name, query->id_short));
    }
    if (n == 1) {
        TRY(status_set(status, STATUS_CONFIG,
                       "%s: the query gives the %s alone; add the columns that describe it",
                       query->what, query->id_name));
    }
    *id_column = found;
done:
    return code;
}

static enum status_code open_query(struct db *db, const struct feature_query *query,
                                   struct db_query **statement, struct strings *names,
                                   int *id_column, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *opened = NULL;
    struct strings found = {0};

    TRY(db_prepare_user(db, query->what, query->sql, query->timeout_seconds, &opened, status));
    TRY(find_columns(opened, query, &found, id_column, status));
    *statement = opened;
    *names = found;
    opened = NULL;
    found = (struct strings){0};
done:
    db_finalize(opened);
    strings_release(&found);
    return code;
}

static bool are_people(const struct feature_rows *rows)
{
    return strcmp(rows->id_name, "user_id") == 0;
}

/* Adds the row's id; its code must be the row's number. */
static enum status_code take_id(struct feature_rows *rows, struct db_query *statement, int column,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t row = rows->ids.n;
    struct row_id id_read;
    int32_t id_code = 0;

    const enum row_id_fault fault = row_id_read(statement, column, &id_read);
    if (fault != ROW_ID_SOUND) {
        return status_set(status, STATUS_DATA, "%s, row %zu: %s %s; filter such rows in the query",
                          rows->what, row + 1, rows->id_name, row_id_faults[fault]);
    }
    if (rows->ids.type != ID_NONE && id_read.is_text != (rows->ids.type == ID_TEXT)) {
        return status_set(status, STATUS_DATA,
                          "%s, row %zu: %s is %s, the rows before have %s; all ids must be of one "
                          "type: use CAST in the query",
                          rows->what, row + 1, rows->id_name, id_read.is_text ? "TEXT" : "INTEGER",
                          id_read.is_text ? "INTEGER" : "TEXT");
    }
    TRY(vocabulary_add(&rows->ids, &id_read, &id_code, status));
    if ((size_t)id_code != row) {
        struct buf id = {0};
        if (!are_people(rows)) {
            buf_add_char(&id, ' ');
            vocabulary_format(&rows->ids, id_code, &id);
        }
        code = status_set(status, STATUS_DATA,
                          "%s, row %zu: %s%s has stood in row %d already; the query must give one "
                          "row an id (GROUP BY)",
                          rows->what, row + 1, rows->id_name, buf_text(&id), id_code + 1);
        buf_release(&id);
    }
done:
    return code;
}

/* Keeps the cell of row `row`. */
static enum status_code take_cell(struct feature_cells *cells, size_t row,
                                  struct db_query *statement, int column, struct status *status)
{
    enum status_code code = STATUS_OK;
    enum cell_kind kind = CELL_MISSING;
    struct db_cell cell;
    char number[NUM_TEXT_MAX];
    const char *text = NULL;
    size_t length = 0;
    double value = 0;

    db_column_cell(statement, column, &cell);
    if (cell.type == DB_BLOB) {
        kind = CELL_BLOB;
        text = cell.text;
        length = cell.length <= VECTOR_BYTES_MAX ? cell.length : 0;
    } else if (cell.type == DB_TEXT) {
        text = cell.text;
        length = cell.length;
        kind = length == 0 ? CELL_MISSING : CELL_TEXT;
    } else if (cell.type == DB_INTEGER) {
        kind = CELL_NUMBER;
        value = (double)cell.integer;
        text = number;
        length = (size_t)snprintf(number, sizeof number, "%lld", (long long)cell.integer);
    } else if (cell.type == DB_FLOAT) {
        value = cell.real;
        kind = isfinite(value) ? CELL_NUMBER : CELL_INFINITE;
        text = number;
        length = kind == CELL_NUMBER ? num_format_double(value, number) : 0;
    }
    if (row == cells->capacity) {
        const size_t capacity = row == 0 ? FIRST_CAPACITY : 2 * row;
        TRY(MEM_RESIZE(&cells->kinds, row, capacity, status));
        TRY(MEM_RESIZE(&cells->numbers, row, capacity, status));
        cells->capacity = capacity;
    }
    cells->kinds[row] = (uint8_t)kind;
    cells->numbers[row] = value;
    TRY(strings_add(&cells->texts, text, length, status));
done:
    return code;
}

enum status_code feature_reader_run(struct db *db, const struct feature_query *query,
                                    const struct watch *watch, struct feature_rows *out,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct feature_rows made = {.what = query->what, .id_name = query->id_name};
    struct db_query *statement = NULL;
    int id_column = 0;
    bool has_row = false;

    TRY(open_query(db, query, &statement, &made.names, &id_column, status));
    TRY(MEM_NEW(&made.cells, made.names.n, status));
    made.n_columns = made.names.n;
    TRY(db_step(statement, &has_row, status));
    while (has_row) {
        struct row_id person; /* who may not exist any more */
        if (query->forgotten == NULL || query->forgotten->n == 0 ||
            row_id_read(statement, id_column, &person) != ROW_ID_SOUND ||
            !forgotten_has(query->forgotten, &person)) {
            const size_t row = made.ids.n;
            TRY(take_id(&made, statement, id_column, status));
            for (size_t c = 0; c < made.n_columns; c++) {
                const int column = (int)c + ((int)c >= id_column);
                TRY(take_cell(&made.cells[c], row, statement, column, status));
            }
        }
        if (made.ids.n % ROWS_BETWEEN_LOOKS == 0) {
            TRY(watch_step(watch, (double)made.ids.n, 0.0, status));
        }
        if (query->most_rows > 0 && made.ids.n == query->most_rows) {
            break;
        }
        TRY(db_step(statement, &has_row, status));
    }
    *out = made;
    made = (struct feature_rows){0};
done:
    db_finalize(statement);
    feature_rows_release(&made);
    return code;
}

void feature_rows_release(struct feature_rows *rows)
{
    for (size_t c = 0; c < rows->n_columns; c++) {
        mem_free(rows->cells[c].kinds);
        mem_free(rows->cells[c].numbers);
        strings_release(&rows->cells[c].texts);
    }
    mem_free(rows->cells);
    strings_release(&rows->names);
    vocabulary_release(&rows->ids);
    *rows = (struct feature_rows){0};
}

void feature_rows_place(const struct feature_rows *rows, size_t row, struct buf *out)
{
    buf_addf(out, "%s, row %zu", rows->what, row + 1);
    if (!are_people(rows)) {
        buf_addf(out, " (%s ", rows->id_name);
        vocabulary_format(&rows->ids, (int32_t)row, out);
        buf_add_text(out, ")");
    }
}
