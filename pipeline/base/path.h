/* Names of files. */
#ifndef NIGHTJAR_BASE_PATH_H
#define NIGHTJAR_BASE_PATH_H

#include <stdbool.h>

/* Whether two paths mean one file: equal texts, or two names (links, ./a) of one existing file.
 * NULL means no file. */
bool path_same_file(const char *a, const char *b);

#endif
