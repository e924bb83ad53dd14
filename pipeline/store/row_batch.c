/* INSERT INTO t VALUES (?, ...), (?, ...), ... */
#include "store/row_batch.h"

#include "base/mem.h"

#include <string.h>

enum {
    GROUP_ROWS = 32,
    PARAMETERS_MAX = 32000 /* SQLite's own limit is 32766 */
};

void batch_cell_write(const struct batch_cell *cell, struct buf *out)
{
    const uint32_t length = (uint32_t)cell->length;
    buf_add_char(out, (char)cell->type);
    if (cell->type == DB_INTEGER) {
        buf_add(out, &cell->integer, sizeof cell->integer);
    } else if (cell->type == DB_FLOAT) {
        buf_add(out, &cell->real, sizeof cell->real);
    } else {
        buf_add(out, &length, sizeof length);
        buf_add(out, cell->bytes, cell->length);
    }
}

static void take(const char **at, void *out, size_t n)
{
    memcpy(out, *at, n);
    *at += n;
}

struct batch_cell batch_cell_read(const char **at)
{
    struct batch_cell cell = {.type = (enum db_type)(unsigned char)*(*at)++};
    uint32_t length;
    if (cell.type == DB_INTEGER) {
        take(at, &cell.integer, sizeof cell.integer);
    } else if (cell.type == DB_FLOAT) {
        take(at, &cell.real, sizeof cell.real);
    } else {
        take(at, &length, sizeof length);
        cell.length = length;
        cell.bytes = *at;
        *at += length;
    }
    return cell;
}

static enum status_code open_insert(struct db *db, const char *table, size_t n_columns,
                                    size_t n_rows, struct db_query **out, struct status *status)
{
    struct buf sql = {0};
    enum status_code code;
    buf_addf(&sql, "INSERT INTO %s VALUES", table);
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t c = 0; c < n_columns; c++) {
            buf_add_text(&sql, c > 0 ? ", ?" : r > 0 ? ", (?" : " (?");
        }
        buf_add_char(&sql, ')');
    }
    TRY(buf_check(&sql, status));
    TRY(db_prepare(db, buf_text(&sql), out, status));
done:
    buf_release(&sql);
    return code;
}

enum status_code row_batch_open(struct row_batch *batch, struct db *db, const char *table,
                                size_t n_columns, size_t capacity, struct status *status)
{
    const size_t fitting = PARAMETERS_MAX / n_columns;
    enum status_code code;
    batch->db = db;
    batch->n_columns = n_columns;
    batch->group = fitting < GROUP_ROWS ? (fitting > 0 ? fitting : 1) : GROUP_ROWS;
    batch->capacity = capacity > 0 ? capacity : batch->group;
    TRY(MEM_NEW(&batch->cells, batch->capacity * n_columns, status));
    TRY(open_insert(db, table, n_columns, 1, &batch->one, status));
    TRY(open_insert(db, table, n_columns, batch->group, &batch->many, status));
done:
    return code;
}

struct batch_cell *row_batch_row(struct row_batch *batch)
{
    return batch->cells + batch->n_rows * batch->n_columns;
}

void row_batch_copy_text(struct row_batch *batch, struct batch_cell *cell, const char *text,
                         size_t length)
{
    *cell = (struct batch_cell){.type = DB_TEXT, .start = batch->copies.length, .length = length};
    buf_add(&batch->copies, text, length);
}

bool row_batch_add(struct row_batch *batch)
{
    batch->n_rows++;
    return batch->n_rows == batch->capacity;
}

static enum status_code bind(const struct row_batch *batch, struct db_query *query, int parameter,
                             const struct batch_cell *cell, struct status *status)
{
    const void *bytes =
        cell->bytes != NULL ? cell->bytes : (const char *)buf_text(&batch->copies) + cell->start;
    switch (cell->type) {
    case DB_INTEGER:
        return db_bind_int64(query, parameter, cell->integer, status);
    case DB_FLOAT:
        return db_bind_double(query, parameter, cell->real, status);
    case DB_TEXT:
        return db_bind_text(query, parameter, bytes, cell->length, true, status);
    case DB_BLOB:
        return db_bind_blob(query, parameter, bytes, cell->length, true, status);
    case DB_NULL:
        break;
    }
    return db_bind_null(query, parameter, status);
}

/* Rows [first, first + n) by the INSERT of n rows. */
static enum status_code insert_rows(const struct row_batch *batch, struct db_query *query,
                                    size_t first, size_t n, struct status *status)
{
    const struct batch_cell *cells = batch->cells + first * batch->n_columns;
    enum status_code code = STATUS_OK;
    for (size_t c = 0; c < n * batch->n_columns; c++) {
        TRY(bind(batch, query, (int)c + 1, &cells[c], status));
    }
    TRY(db_run(query, status));
done:
    return code;
}

enum status_code row_batch_insert(struct row_batch *batch, struct status *status)
{
    enum status_code code;
    size_t first = 0;
    TRY(buf_check(&batch->copies, status));
    for (; first + batch->group <= batch->n_rows; first += batch->group) {
        TRY(insert_rows(batch, batch->many, first, batch->group, status));
    }
    for (; first < batch->n_rows; first++) {
        TRY(insert_rows(batch, batch->one, first, 1, status));
    }
    batch->n_rows = 0;
    buf_clear(&batch->copies);
done:
    return code;
}

enum status_code row_batch_write(struct row_batch *batch, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (batch->n_rows == 0) {
        return STATUS_OK;
    }
    TRY(db_begin_write(batch->db, status));
    TRY(row_batch_insert(batch, status));
    TRY(db_commit(batch->db, status));
done:
    if (code != STATUS_OK) {
        db_rollback(batch->db);
    }
    return code;
}

enum status_code row_batch_put(struct row_batch *batch, struct status *status)
{
    return row_batch_add(batch) ? row_batch_write(batch, status) : STATUS_OK;
}

void row_batch_release(struct row_batch *batch)
{
    db_finalize(batch->many);
    db_finalize(batch->one);
    mem_free(batch->cells);
    buf_release(&batch->copies);
    *batch = (struct row_batch){0};
}
