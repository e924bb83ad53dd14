/* Reading what is published, and printing rows: shared by recommend, similar and runs. */
#ifndef NIGHTJAR_COMMANDS_PUBLISHED_H
#define NIGHTJAR_COMMANDS_PUBLISHED_H

#include "commands/command.h"
#include "store/db.h"

/* Opens the pipeline's output database for reading. Nothing published yet is STATUS_NO_INPUT. Close
 * with db_close. */
MUST_CHECK enum status_code published_open(const struct plan *plan, struct db **out,
                                           struct status *status);

/* Adds to a recorded error what people still read, as far as that can be told: "published
 * generation 12 of 2026-11-23T04:00:00Z stays in place". */
void published_add_standing(const struct plan *plan, struct status *status);

/* A query over one of the views: `before`, the view's name with the prefix, `after`; ?1 is an id
 * (NULL: the query has none), ?2 a limit on rows. */
struct published_query {
    const char *before, *view, *after;
    const char *id;
    int64_t limit;
    bool json;
};
/* Prints the rows, named by the columns: as a JSON list, or as lines of tab-separated values under
 * a header. *n_rows = how many; with none nothing is printed. An id is tried as text and as a
 * number, for the columns keep the type of the source. */
MUST_CHECK enum status_code published_print(struct db *db, const struct plan *plan,
                                            const struct published_query *query, FILE *out,
                                            size_t *n_rows, struct status *status);

/* What `recommend` and `similar` do: the rows of the view for the id that `flag` gives, --top of
 * them, as --json says; what comes where there are none, `none` knows. `query` without id, limit
 * and json. */
typedef enum status_code published_none_fn(const struct command_environment *environment,
                                           struct db *db, const struct plan *plan,
                                           const struct published_query *query,
                                           struct status *status);
MUST_CHECK enum status_code published_lookup(const struct command_environment *environment,
                                             const struct command_line *line, const char *flag,
                                             struct published_query query, published_none_fn *none,
                                             struct status *status);

/* The same printing for any prepared query, from its first step on; with json an empty list is
 * printed when there are no rows. Control characters in texts are escaped in JSON and U+FFFD in
 * tables.
 */
MUST_CHECK enum status_code rows_print(struct db_query *query, bool json, bool when_empty,
                                       FILE *out, size_t *n_rows, struct status *status);

/* The rows as a table for people: columns as wide as their widest cell, the last one as it is;
 * numbers to the right, "-" where there is nothing. */
MUST_CHECK enum status_code rows_print_aligned(struct db_query *query, FILE *out,
                                               struct status *status);

#endif
