/* Names of files. */
#ifndef NIGHTJAR_BASE_PATH_H
#define NIGHTJAR_BASE_PATH_H

#include "base/status.h"

/* Whether two paths mean one file: equal texts, or two names (links, ./a) of one existing file.
 * NULL means no file. */
bool path_same_file(const char *a, const char *b);

/* Whether there is no such file, or nothing in it: a reader who asks SQLite for tables too early
 * leaves such a file where a database is to be. */
bool path_is_empty(const char *path);

/* One name for a file, from whatever folder it is named: its folder's absolute path without links,
 * and its own name, there or not. Where the folder cannot be told, the path as it is. mem_free. */
MUST_CHECK enum status_code path_absolute(const char *path, char **out, struct status *status);

enum path_use {
    PATH_DATABASE,
    PATH_TEXT /* a page, metrics: /dev/stdout or a terminal will do, a database will not */
};
/* Whether a file can be written, or made where there is none, and others beside it (a database's
 * journal, a partial file). Looks, and changes nothing. Errors: STATUS_CANNOT_CREATE. */
MUST_CHECK enum status_code path_check_writable(const char *path, enum path_use use,
                                                struct status *status);

#endif
