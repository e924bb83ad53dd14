#include "tests/support/store_support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

int store_folder_setup(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(STORE_PATH_MAX);
    if (path == NULL) {
        return -1;
    }
    snprintf(path, STORE_PATH_MAX, "%s/nightjar-store-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(path) == NULL) {
        free(path);
        return -1;
    }
    *state = path;
    return 0;
}

int store_folder_teardown(void **state)
{
    char *folder = *state;
    char path[STORE_PATH_MAX + 256];
    chmod(folder, 0700);
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && unlink(path) != 0) {
            rmdir(path);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    int result = rmdir(folder);
    free(folder);
    return result;
}

void store_path(void **state, const char *name, char out[STORE_PATH_MAX])
{
    snprintf(out, STORE_PATH_MAX, "%s/%s", (const char *)*state, name);
}

pid_t store_spawn(const char *const *arguments)
{
    char *argv[8] = {(char[]){"test"}};
    for (size_t i = 0; arguments[i] != NULL; i++) {
        assert_true(i < 6);
        argv[i + 1] = strdup(arguments[i]);
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    for (size_t i = 1; argv[i] != NULL; i++) {
        free(argv[i]);
    }
    return pid;
}

int store_wait(pid_t pid)
{
    int result = 0;
    while (waitpid(pid, &result, 0) < 0) {
        assert_int_equal(errno, EINTR);
    }
    return WIFSIGNALED(result) ? -WTERMSIG(result) : WEXITSTATUS(result);
}

void store_write_file(const char *path, const void *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

bool store_file_has(const char *path, const char *needle)
{
    size_t length = strlen(needle), n = 0;
    struct stat info;
    bool has = false;
    assert_int_equal(stat(path, &info), 0);
    char *bytes = malloc((size_t)info.st_size + 1);
    FILE *file = fopen(path, "rb");
    assert_non_null(bytes);
    assert_non_null(file);
    n = fread(bytes, 1, (size_t)info.st_size, file);
    fclose(file);
    for (size_t i = 0; i + length <= n && !has; i++) {
        has = memcmp(bytes + i, needle, length) == 0;
    }
    free(bytes);
    return has;
}

/* Shows the message of an error that was not expected. */
static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s: %s", (int)code, status->file, status->message);
    }
}

struct db *store_open(const char *path, enum db_mode mode)
{
    struct status status = {0};
    struct db *db = NULL;
    assert_ok(db_open(path, mode, 10, &db, &status), &status);
    return db;
}

void store_exec(struct db *db, const char *sql)
{
    struct status status = {0};
    assert_ok(db_exec(db, sql, &status), &status);
}

int64_t store_int64(struct db *db, const char *sql)
{
    struct status status = {0};
    int64_t value = 0;
    bool found = false;
    assert_ok(db_get_int64(db, sql, &value, &found, &status), &status);
    assert_true(found);
    return value;
}

static void add_value(struct buf *out, struct db_query *query, int column)
{
    size_t length;
    if (db_column_type(query, column) == DB_NULL) {
        buf_add_text(out, "NULL");
    } else if (db_column_type(query, column) == DB_BLOB) {
        const unsigned char *bytes = db_column_blob(query, column, &length);
        for (size_t i = 0; i < length; i++) {
            buf_addf(out, "%02x", bytes[i]);
        }
    } else {
        const char *text = db_column_text(query, column, &length);
        buf_add(out, text, length);
    }
}

struct buf store_rows(struct db *db, const char *sql)
{
    struct status status = {0};
    struct db_query *query = NULL;
    struct buf out = {0};
    bool has_row = false;
    assert_ok(db_prepare(db, sql, &query, &status), &status);
    for (;;) {
        assert_ok(db_step(query, &has_row, &status), &status);
        if (!has_row) {
            break;
        }
        for (int i = 0; i < db_column_count(query); i++) {
            buf_add_text(&out, i > 0 ? "|" : "");
            add_value(&out, query, i);
        }
        buf_add_char(&out, '\n');
    }
    db_finalize(query);
    return out;
}

void store_assert_rows(struct db *db, const char *sql, const char *expected)
{
    struct buf rows = store_rows(db, sql);
    assert_string_equal(buf_text(&rows), expected);
    buf_release(&rows);
}

void store_exec_apart(const char *path, const char *sql)
{
    struct db *db = store_open(path, DB_WRITE);
    store_exec(db, sql);
    db_close(db);
}

enum status_code store_copy_artifact(const struct artifact *from, struct artifact *to,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    artifact_release(to);
    artifact_init(to, from->name);
    for (size_t i = 0; i < from->n_arrays && code == STATUS_OK; i++) {
        const struct array *a = &from->arrays[i];
        code = artifact_copy(to, a->name, a->type, a->rows, a->columns, a->data, status);
    }
    return code;
}
