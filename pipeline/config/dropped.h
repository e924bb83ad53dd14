/* Options that earlier versions had, so that a file which still uses one is told what to write
 * instead of being told that there is no such option. */
#ifndef NIGHTJAR_CONFIG_DROPPED_H
#define NIGHTJAR_CONFIG_DROPPED_H

#include <stddef.h>

struct dropped_option {
    const char *path;  /* "train.user_co_interaction": the stage, then the option as in the file */
    const char *value; /* only this value of an option that is still there; NULL: the option */
    const char *version; /* the first one without it */
    const char *instead; /* what to write; begins in lower case */
};

/* The table; its last row has no path. */
extern const struct dropped_option dropped_options[];

/* The row of an option (`value` NULL) or of a value of one, or NULL. The path has `length` bytes.
 */
const struct dropped_option *dropped_find(const char *path, size_t length, const char *value);

#endif
