/* Ids of people and items as they stand in rows. The one place that says which values are an id and
 * which ids are the same: the log, the rules, the commands and forget all ask here.
 *
 * A REAL that is a whole number is that INTEGER, because SQL compares the two as equal. Within a
 * column an INTEGER and a TEXT are never the same; who names somebody from outside, in a file, on a
 * command line or in another table, may have written 7, 7.0 or '7' for the same person:
 * row_id_of_text. */
#ifndef NIGHTJAR_STORE_ROW_ID_H
#define NIGHTJAR_STORE_ROW_ID_H

#include "store/db.h"

struct row_id {
    bool is_text;
    int64_t integer;
    const char *text; /* not ended by a NUL; of a row: until the next step */
    size_t length;
};

enum row_id_fault { ROW_ID_NULL, ROW_ID_BLOB, ROW_ID_EMPTY, ROW_ID_FRACTION, ROW_ID_SOUND };
extern const char *const row_id_faults[ROW_ID_SOUND]; /* "is NULL", ... */

/* The id in a column of the current row; `id` is set when it is sound. */
enum row_id_fault row_id_read(struct db_query *query, int column, struct row_id *id);
/* The same of a cell that somebody has read. */
enum row_id_fault row_id_of_cell(const struct db_cell *cell, struct row_id *id);
/* As a parameter, one-based; copied. */
MUST_CHECK enum status_code row_id_bind(struct db_query *query, int index, const struct row_id *id,
                                        struct status *status);
/* By type, then by value: 0 for the same id of the same type. */
int row_id_compare(const struct row_id *a, const struct row_id *b);

/* The INTEGER id that a text names: 7 for '7' and '7.0'. false: none. */
bool row_id_of_text(const char *text, size_t length, int64_t *integer);

#endif
