/* A map of the file into an option struct, along its table. */
#ifndef NIGHTJAR_CONFIG_OPTION_READ_H
#define NIGHTJAR_CONFIG_OPTION_READ_H

#include "config/option.h"
#include "config/yaml_doc.h"

enum { WHY_MAX = 768 }; /* bytes that explain one mistake */

/* What reading needs; borrowed by every call. */
struct option_reader {
    const char *directory; /* where relative paths start; NULL: left as they are */
    struct arena *arena;   /* owns what the struct points to */
    struct mistakes *mistakes;
};

/* Fills `options` with the defaults and then with what `node` holds. `node` is a map, a null scalar
 * or NULL (both: nothing given). `path` begins the option names in messages ("train"; "" at the top
 * level). `place` is told for a required option that is missing. `handled`, which may be NULL, is a
 * key that the caller reads itself. Mistakes go to the reader; the status is for a lack of memory
 * and for a wrong table. */
MUST_CHECK enum status_code option_read(const struct option_reader *reader,
                                        const struct option *table, const struct doc_node *node,
                                        const char *path, struct place place, const char *handled,
                                        void *options, struct status *status);

/* The same for the value of one option, of whatever type; `path` names it in messages. */
MUST_CHECK enum status_code option_read_value(const struct option_reader *reader,
                                              const struct option *option,
                                              const struct doc_node *node, const char *path,
                                              void *options, struct status *status);

/* option_defaults with relative paths resolved against `directory`. */
MUST_CHECK enum status_code option_defaults_in(const struct option *table, const char *directory,
                                               void *options, struct arena *arena,
                                               struct status *status);

/* For option_mistake: which part of the file a validate function speaks of. */
struct option_report {
    struct mistakes *mistakes;
    const struct doc_node *node; /* the stage's options; may be NULL */
    struct place place;          /* used when the option itself is not in the file */
    const char *path;            /* begins the option names in messages; "": nothing */
};

#endif
