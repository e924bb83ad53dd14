/* A table that is filled aside, in any number of transactions, and then takes the place of another
 * one, or is added to it, in one transaction. Until that commits, the other table is as it was. */
#ifndef NIGHTJAR_IMPORT_STAGED_TABLE_H
#define NIGHTJAR_IMPORT_STAGED_TABLE_H

#include "store/row_batch.h"

struct staged_column {
    const char *name;
    const char *type; /* static SQL: "INTEGER", "REAL", "TEXT", "INTEGER PRIMARY KEY" */
};

/* Zero-initialise. The names are the caller's and outlive it. */
struct staged_table {
    struct db *db;
    const char *name;   /* of the table to be */
    struct buf staging; /* name of the table that is filled */
    const struct staged_column *columns;
    size_t n_columns;
};

/* Makes the empty staging table, dropping what a killed run may have left of it. To be called in a
 * write transaction. */
MUST_CHECK enum status_code staged_table_create(struct staged_table *staged, struct db *db,
                                                const char *name,
                                                const struct staged_column *columns,
                                                size_t n_columns, struct status *status);
/* For rows of it. `batch` zeroed. */
MUST_CHECK enum status_code staged_table_batch(struct staged_table *staged, struct row_batch *batch,
                                               struct status *status);
/* In the caller's write transaction: drops the table called `name`, if there is one, renames the
 * staging table to it, and makes the indexes and triggers of the old one again. When one of them
 * does not fit the new columns: STATUS_DATA, and the caller rolls back. */
MUST_CHECK enum status_code staged_table_replace(struct staged_table *staged,
                                                 struct status *status);
/* INSERT INTO name (all columns but the first) SELECT them FROM staging, where the first is the one
 * parameter; without one (`is_single` false) all rows, in the order of the first. */
MUST_CHECK enum status_code staged_table_move(struct staged_table *staged, bool is_single,
                                              struct db_query **out, struct status *status);
/* Drops the staging table, if it is there. */
MUST_CHECK enum status_code staged_table_drop(struct staged_table *staged, struct status *status);
void staged_table_release(struct staged_table *staged); /* memory only */

#endif
