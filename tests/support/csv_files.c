/* Files and databases for the tests of the CSV import. */
#include "tests/support/csv_files.h"

#include "store/db.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

int csv_folder_make(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = calloc(1, CSV_PATH_MAX);
    if (path == NULL) {
        return -1;
    }
    snprintf(path, CSV_PATH_MAX, "%s/nightjar-csv-XXXXXX", base != NULL ? base : "/tmp");
    *state = path;
    return mkdtemp(path) != NULL ? 0 : -1;
}

int csv_folder_remove(void **state)
{
    char path[CSV_PATH_MAX];
    if (chdir("/") != 0) {
        return -1;
    }
    DIR *folder = opendir(*state);
    for (struct dirent *entry = folder != NULL ? readdir(folder) : NULL; entry != NULL;
         entry = readdir(folder)) {
        csv_path(state, entry->d_name, path);
        (void)unlink(path);
    }
    if (folder != NULL) {
        closedir(folder);
    }
    int result = rmdir(*state);
    free(*state);
    return result;
}

void csv_path(void *const *state, const char *name, char out[CSV_PATH_MAX])
{
    int length = snprintf(out, CSV_PATH_MAX, "%s/%s", (const char *)*state, name);
    assert_in_range(length, 1, CSV_PATH_MAX - 1);
}

void csv_write(void *const *state, const char *name, const char *bytes, size_t length,
               char path[CSV_PATH_MAX])
{
    csv_path(state, name, path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

void csv_write_gzip(void *const *state, const char *name, const char *bytes, size_t length,
                    size_t count, char path[CSV_PATH_MAX])
{
    csv_path(state, name, path);
    gzFile file = gzopen(path, "wb1");
    assert_non_null(file);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(gzwrite(file, bytes, (unsigned)length), length);
    }
    assert_int_equal(gzclose(file), Z_OK);
}

void csv_sql(const char *database, const char *sql)
{
    struct status status = {0};
    struct db *db = NULL;
    assert_int_equal(db_open(database, DB_CREATE, 1, &db, &status), STATUS_OK);
    if (db_exec(db, sql, &status) != STATUS_OK) {
        fail_msg("%s: %s", sql, status.message);
    }
    db_close(db);
}

void csv_rows(const char *database, const char *sql, char out[CSV_ROWS_MAX])
{
    struct status status = {0};
    struct db *db = NULL;
    struct db_query *query = NULL;
    struct buf rows = {0};
    bool has_row = true;
    assert_int_equal(db_open(database, DB_READ, 1, &db, &status), STATUS_OK);
    if (db_prepare(db, sql, &query, &status) != STATUS_OK) {
        fail_msg("%s: %s", sql, status.message);
    }
    while (has_row) {
        assert_int_equal(db_step(query, &has_row, &status), STATUS_OK);
        for (int i = 0; has_row && i < db_column_count(query); i++) {
            bool is_null = db_column_type(query, i) == DB_NULL;
            buf_add_text(&rows, i > 0 ? "|" : "");
            buf_add_text(&rows, is_null ? "NULL" : db_column_text(query, i, NULL));
        }
        buf_add_text(&rows, has_row ? "\n" : "");
    }
    snprintf(out, CSV_ROWS_MAX, "%s", buf_text(&rows));
    buf_release(&rows);
    db_finalize(query);
    db_close(db);
}
