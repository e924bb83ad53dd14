/* For tests of what is stored in files: a temporary folder, a copy of the test program as a second
 * process, and small looks into databases. All functions fail the running test on errors. */
#ifndef NIGHTJAR_TESTS_STORE_SUPPORT_H
#define NIGHTJAR_TESTS_STORE_SUPPORT_H

#include "store/artifact.h"
#include "store/db.h"

#include <sys/types.h>

enum { STORE_PATH_MAX = 512 };

/* A cmocka setup and teardown: *state is a folder of its own, removed with all it holds. */
int store_folder_setup(void **state);
int store_folder_teardown(void **state);
/* Path of a file in that folder. */
void store_path(void **state, const char *name, char out[STORE_PATH_MAX]);

/* Starts this test program again with the arguments (NULL-terminated, without the program). */
pid_t store_spawn(const char *const *arguments);
/* Its exit status, or -signal. */
int store_wait(pid_t pid);

void store_write_file(const char *path, const void *bytes, size_t length);
/* Whether the file has the bytes anywhere in it. */
bool store_file_has(const char *path, const char *needle);

struct db *store_open(const char *path, enum db_mode mode);
void store_exec(struct db *db, const char *sql);
int64_t store_int64(struct db *db, const char *sql);
/* All rows, "a|b\nc|d\n", NULL as "NULL", blobs in hex; to be released. */
struct buf store_rows(struct db *db, const char *sql);
void store_assert_rows(struct db *db, const char *sql, const char *expected);
/* Runs one statement by a connection of its own, for the errors another process would cause. */
void store_exec_apart(const char *path, const char *sql);

/* *to, which is released first, has all that `from` has. */
MUST_CHECK enum status_code store_copy_artifact(const struct artifact *from, struct artifact *to,
                                                struct status *status);

#endif
