/* From a CSV file to a table: the work of the import stage and of the import command. The rows are
 * loaded into a staging table in transactions of 10,000 rows, and take their place in one at the
 * end: a failure at any moment leaves the table as it was.
 *
 *     csv_import_check(&options, report, data);                  the rules across options
 *     TRY(csv_import_run(&options, &target, &result, status));
 *
 * The file "id,price\n1,2.5\n2,x\n" with types {price: real} and on_bad_row reject makes TABLE(id
 * TEXT, price REAL) with one row, and TABLE_rejected with another: line 3, column "price": "x" is
 * not a finite decimal number. */
#ifndef NIGHTJAR_IMPORT_CSV_IMPORT_H
#define NIGHTJAR_IMPORT_CSV_IMPORT_H

#include "base/watch.h"
#include "config/option.h"
#include "io/csv_reader.h"
#include "io/progress.h"

enum csv_empty { CSV_EMPTY_NULL, CSV_EMPTY_TEXT };
enum csv_bad_row { CSV_BAD_ROW_FAIL, CSV_BAD_ROW_REJECT };
enum csv_exists { CSV_EXISTS_FAIL, CSV_EXISTS_REPLACE, CSV_EXISTS_APPEND };

/* The option struct of the import stage; the command fills it from its flags. */
struct csv_import_options {
    const char *file;
    const char *table;
    const char *delimiter;
    const char *quote;
    struct option_pairs columns; /* name in the file -> column of the table; n = 0: all */
    struct option_pairs types;   /* column of the table -> integer, real, text */
    bool no_header;
    int empty;      /* enum csv_empty */
    int on_bad_row; /* enum csv_bad_row */
    int64_t max_bad_rows;
    int64_t max_field_bytes;
    int if_exists; /* enum csv_exists */
};
extern const struct option csv_import_table[];

/* Rules across the options: calls `report` once for every mistake. */
typedef void csv_import_report(void *data, const char *option, const char *why);
void csv_import_check(const struct csv_import_options *options, csv_import_report *report,
                      void *data);

/* Where the rows go, and who is told meanwhile. */
struct csv_import_target {
    const char *database; /* path; made when missing, and removed again when the import fails */
    double busy_seconds;
    struct progress *progress; /* may be NULL */
    struct watch watch;        /* asked often */
};

struct csv_import_result {
    int64_t rows;     /* written to the table */
    int64_t rejected; /* kept in TABLE_rejected(line, reason, text) */
};

/* `options` must have passed csv_import_check. Errors: STATUS_NO_INPUT (no such file), STATUS_DATA
 * (bad rows, at their place in the file; columns that are not there), STATUS_CANNOT_CREATE (the
 * table exists, or is no table), and those of db.h. *out is untouched on error. */
MUST_CHECK enum status_code csv_import_run(const struct csv_import_options *options,
                                           const struct csv_import_target *target,
                                           struct csv_import_result *out, struct status *status);

/* ---- shared by the two files of this module ---- */

enum csv_type { CSV_TYPE_TEXT, CSV_TYPE_INTEGER, CSV_TYPE_REAL };
extern const char *const csv_type_sql[];

struct csv_import_column {
    size_t field;     /* in the file */
    const char *name; /* in the table; borrowed from the options or the reader */
    enum csv_type type;
};

/* *columns (csv_reader_n_columns at most, *n used; mem_free): which fields go where. STATUS_DATA
 * when options and header do not fit, naming the header's place. */
MUST_CHECK enum status_code csv_import_columns(const struct csv_import_options *options,
                                               const struct csv_reader *reader,
                                               struct csv_import_column **columns, size_t *n,
                                               struct status *status);
void csv_import_dialect(const struct csv_import_options *options, struct csv_settings *out);

#endif
