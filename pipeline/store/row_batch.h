/* Many rows into one table, several with one INSERT: to begin and to end a statement costs SQLite
 * more than to store a narrow row.
 *
 *   TRY(row_batch_open(&batch, db, "scores", 2, ROW_BATCH_CHUNK, status));
 *   for (size_t i = 0; i < n; i++) {
 *       struct batch_cell *row = row_batch_row(&batch);
 *       row[0] = batch_integer(ids[i]);
 *       row[1] = batch_real(scores[i]);
 *       TRY(row_batch_put(&batch, status));
 *   }
 *   TRY(row_batch_write(&batch, status));
 *
 * row_batch_put and row_batch_write make short transactions of their own, so that neither the
 * journal nor a lock on the file grows with the table; with row_batch_add and row_batch_insert the
 * transactions are the caller's. */
#ifndef NIGHTJAR_STORE_ROW_BATCH_H
#define NIGHTJAR_STORE_ROW_BATCH_H

#include "store/db.h"

enum { ROW_BATCH_CHUNK = 10000 }; /* rows of a transaction */

/* One value. Bytes of a text or a blob must live until they are inserted, or be copied. */
struct batch_cell {
    enum db_type type;
    int64_t integer;
    double real;
    const void *bytes; /* NULL: the copy at `start` */
    size_t start, length;
};

static inline struct batch_cell batch_integer(int64_t value)
{
    return (struct batch_cell){.type = DB_INTEGER, .integer = value};
}

static inline struct batch_cell batch_real(double value)
{
    return (struct batch_cell){.type = DB_FLOAT, .real = value};
}

static inline struct batch_cell batch_text(const char *text, size_t length)
{
    return (struct batch_cell){.type = DB_TEXT, .bytes = text, .length = length};
}

/* A cell as bytes, for whoever sends rows away: its type, then a number, or a length and so many
 * bytes. Those of a cell that is read stay where they are; *at moves behind it. */
void batch_cell_write(const struct batch_cell *cell, struct buf *out);
struct batch_cell batch_cell_read(const char **at);

/* Zero-initialise. */
struct row_batch {
    struct db *db;
    struct db_query *many, *one; /* INSERT of `group` rows, and of one */
    size_t n_columns, group;
    size_t n_rows, capacity;  /* that wait, that can */
    struct batch_cell *cells; /* (capacity, n_columns) */
    struct buf copies;
};

/* `table`: its name, quoted by db_quote; n_columns: all of its columns, in their order; capacity:
 * rows that can wait, 0: as many as an INSERT takes. */
MUST_CHECK enum status_code row_batch_open(struct row_batch *batch, struct db *db,
                                           const char *table, size_t n_columns, size_t capacity,
                                           struct status *status);
/* (n_columns) cells of the row to come, to be filled. */
struct batch_cell *row_batch_row(struct row_batch *batch);
/* Makes the cell a text whose bytes are copied. */
void row_batch_copy_text(struct row_batch *batch, struct batch_cell *cell, const char *text,
                         size_t length);
/* The row is complete. true: it is time to insert. */
bool row_batch_add(struct row_batch *batch);
/* Inserts the rows that wait, in the order of row_batch_add. */
MUST_CHECK enum status_code row_batch_insert(struct row_batch *batch, struct status *status);
/* The same in a transaction, when a row waits. On error it is rolled back. */
MUST_CHECK enum status_code row_batch_write(struct row_batch *batch, struct status *status);
/* The row is complete; row_batch_write when it is time. */
MUST_CHECK enum status_code row_batch_put(struct row_batch *batch, struct status *status);
/* Forgets the rows that wait. Afterwards it is zeroed. */
void row_batch_release(struct row_batch *batch);

#endif
