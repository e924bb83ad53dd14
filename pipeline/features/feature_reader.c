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

/* A query under way. */
struct reading {
    const struct feature_query *query;
    struct db_query *statement;
    int id_column;
    int64_t n_read;    /* rows, those of people who do not exist left out */
    enum id_type type; /* of all ids so far */
};

static enum status_code check_id(const struct reading *reading, const struct row_id *id,
                                 enum row_id_fault fault, struct status *status)
{
    const struct feature_query *query = reading->query;
    if (fault != ROW_ID_SOUND) {
        return status_set(status, STATUS_DATA, "%s, row %lld: %s %s; filter such rows in the query",
                          query->what, (long long)reading->n_read, query->id_name,
                          row_id_faults[fault]);
    }
    if (reading->type != ID_NONE && id->is_text != (reading->type == ID_TEXT)) {
        return status_set(status, STATUS_DATA,
                          "%s, row %lld: %s is %s, the rows before have %s; all ids must be of one "
                          "type: use CAST in the query",
                          query->what, (long long)reading->n_read, query->id_name,
                          id->is_text ? "TEXT" : "INTEGER", id->is_text ? "INTEGER" : "TEXT");
    }
    return STATUS_OK;
}

/* Adds an id as the one of the next row. */
static enum status_code add_id(struct feature_rows *rows, const struct row_id *id, int64_t number,
                               struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t row = rows->ids.n;
    struct buf text = {0};
    int32_t id_code = 0;

    if (row == rows->capacity) {
        const size_t capacity = row == 0 ? FIRST_CAPACITY : 2 * row;
        TRY(MEM_RESIZE(&rows->numbers, row, capacity, status));
        rows->capacity = capacity;
    }
    TRY(vocabulary_add(&rows->ids, id, &id_code, status));
    if ((size_t)id_code != row) {
        if (!are_people(rows)) {
            buf_add_char(&text, ' ');
            vocabulary_format(&rows->ids, id_code, &text);
        }
        TRY(status_set(status, STATUS_DATA,
                       "%s, row %lld: %s%s has stood in row %lld already; the query must give one "
                       "row an id (GROUP BY)",
                       rows->what, (long long)number, rows->id_name, buf_text(&text),
                       (long long)rows->numbers[id_code]));
    }
    rows->numbers[row] = number;
done:
    buf_release(&text);
    return code;
}

/* Whether the row is read, and if so its id: those of people whom another rank has, or who may not
 * exist any more, are not. */
static enum status_code take_id(struct reading *reading, struct feature_rows *rows, bool *is_taken,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct feature_query *query = reading->query;
    struct row_id id;
    const enum row_id_fault fault = row_id_read(reading->statement, reading->id_column, &id);

    *is_taken = false;
    if (query->forgotten != NULL && query->forgotten->n > 0 && fault == ROW_ID_SOUND &&
        forgotten_has(query->forgotten, &id)) {
        return STATUS_OK;
    }
    reading->n_read++;
    TRY(check_id(reading, &id, fault, status));
    reading->type = id.is_text ? ID_TEXT : ID_INTEGER;
    if (ranks_owner(query->ranks, shard_of_key(vocabulary_key_of(&id))) ==
        ranks_mine(query->ranks)) {
        TRY(add_id(rows, &id, reading->n_read, status));
        *is_taken = true;
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

/* Deals the rows of people to their shards. */
static enum status_code deal(struct feature_rows *rows, struct status *status)
{
    enum status_code code = STATUS_OK;
    uint8_t *shards = NULL;
    TRY(MEM_NEW(&shards, rows->ids.n, status));
    for (size_t r = 0; are_people(rows) && r < rows->ids.n; r++) {
        shards[r] = (uint8_t)shard_of_key(vocabulary_key(&rows->ids, r));
    }
    TRY(shard_rows_init(&rows->by_shard, shards, rows->ids.n, status));
done:
    mem_free(shards);
    return code;
}

enum status_code feature_reader_run(struct db *db, const struct feature_query *query,
                                    const struct watch *watch, struct feature_rows *out,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct feature_rows made = {
        .what = query->what, .id_name = query->id_name, .ranks = query->ranks};
    struct reading reading = {.query = query};
    bool has_row = false;

    TRY(open_query(db, query, &reading.statement, &made.names, &reading.id_column, status));
    TRY(MEM_NEW(&made.cells, made.names.n, status));
    made.n_columns = made.names.n;
    TRY(db_step(reading.statement, &has_row, status));
    while (has_row && (query->most_rows == 0 || made.ids.n < query->most_rows)) {
        const size_t row = made.ids.n;
        bool is_taken;
        TRY(take_id(&reading, &made, &is_taken, status));
        for (size_t c = 0; is_taken && c < made.n_columns; c++) {
            const int column = (int)c + ((int)c >= reading.id_column);
            TRY(take_cell(&made.cells[c], row, reading.statement, column, status));
        }
        if (reading.n_read % ROWS_BETWEEN_LOOKS == 0) {
            TRY(watch_step(watch, (double)reading.n_read, 0.0, status));
        }
        TRY(db_step(reading.statement, &has_row, status));
    }
    TRY(deal(&made, status));
    *out = made;
    made = (struct feature_rows){0};
done:
    db_finalize(reading.statement);
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
    shard_rows_release(&rows->by_shard);
    mem_free(rows->numbers);
    *rows = (struct feature_rows){0};
}

void feature_rows_place(const struct feature_rows *rows, size_t row, struct buf *out)
{
    buf_addf(out, "%s, row %lld", rows->what, (long long)rows->numbers[row]);
    if (!are_people(rows)) {
        buf_addf(out, " (%s ", rows->id_name);
        vocabulary_format(&rows->ids, (int32_t)row, out);
        buf_add_text(out, ")");
    }
}
