/* A temporary folder, files in it and quick looks into a database: for tests of the CSV import. */
#ifndef NIGHTJAR_TESTS_SUPPORT_CSV_FILES_H
#define NIGHTJAR_TESTS_SUPPORT_CSV_FILES_H

#include "base/status.h"

/* A cmocka setup and teardown: *state = the path of a new folder, removed with all its files. */
int csv_folder_make(void **state);
int csv_folder_remove(void **state);

enum { CSV_PATH_MAX = 512 };
/* out = FOLDER/NAME */
void csv_path(void *const *state, const char *name, char out[CSV_PATH_MAX]);
/* Writes `length` bytes to FOLDER/NAME, and gives its path. */
void csv_write(void *const *state, const char *name, const char *bytes, size_t length,
               char path[CSV_PATH_MAX]);
/* The same, gzip-compressed: `count` times over. */
void csv_write_gzip(void *const *state, const char *name, const char *bytes, size_t length,
                    size_t count, char path[CSV_PATH_MAX]);

/* Runs SQL on a database that is made when missing. */
void csv_sql(const char *database, const char *sql);
/* All rows of a query as "a|b\nc|d\n" (NULL as NULL, BLOBs as texts), cut to 4 KiB. */
enum { CSV_ROWS_MAX = 4096 };
void csv_rows(const char *database, const char *sql, char out[CSV_ROWS_MAX]);

#endif
