/* "did you mean": the name of a list that somebody may have meant. */
#ifndef NIGHTJAR_BASE_NEAREST_NAME_H
#define NIGHTJAR_BASE_NEAREST_NAME_H

#include <stddef.h>

/* The closest of names (n) to `name` (length bytes) by Damerau-Levenshtein distance, small and
 * capital letters being equal, of at most a third of the length (at least 1); or NULL. */
const char *nearest_name(const char *const *names, size_t n, const char *name, size_t length);

#endif
