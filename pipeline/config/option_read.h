/* A map of the file into an option struct, along its table. */
#ifndef NIGHTJAR_CONFIG_OPTION_READ_H
#define NIGHTJAR_CONFIG_OPTION_READ_H

#include "config/dropped.h"
#include "config/option.h"
#include "config/variables.h"
#include "config/yaml_doc.h"

enum { WHY_MAX = 768 }; /* bytes that explain one mistake */

/* What reading needs; borrowed by every call. */
struct option_reader {
    const char *directory; /* where relative paths start; NULL: left as they are */
    struct plan_rank rank; /* for variables */
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

/* Notes at `place` that the table has no option called `name` (length bytes): what to write in
 * place of one that was `dropped` (NULL: it was not), or the nearest name, or all of them. `where`
 * begins the message ("train"; "": nothing); `more` is one more name that may stand there, or NULL.
 */
void option_refuse_unknown(struct mistakes *mistakes, struct place place,
                           const struct option *table, const char *where, const char *name,
                           size_t length, const struct dropped_option *dropped, const char *more);

/* For option_mistake: which part of the file a validate function speaks of. */
struct option_report {
    struct mistakes *mistakes;
    const struct doc_node *node; /* the stage's options; may be NULL */
    struct place place;          /* used when the option itself is not in the file */
    const char *path;            /* begins the option names in messages; "": nothing */
    size_t n_ranks;              /* of refuse_ranks; else 0 */
};

#endif
