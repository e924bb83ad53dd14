/* Items for people: titles and categories out of the source, a map of their vectors, how evenly
 * they are shown. */
#ifndef NIGHTJAR_STAGES_REPORT_REPORT_ITEMS_H
#define NIGHTJAR_STAGES_REPORT_REPORT_ITEMS_H

#include "base/strings.h"
#include "math/matrix.h"
#include "serving/served_ids.h"
#include "store/db.h"

/* Zero-initialise. By served code; a text without bytes where the source gives none. */
struct item_names {
    struct strings titles;     /* (items) the id where there is no title */
    struct strings categories; /* (items) */
};

/* Whether the query has its columns; STATUS_CONFIG. Reads nothing. */
MUST_CHECK enum status_code item_names_check(struct db *db, const char *sql, double timeout_seconds,
                                             struct status *status);
/* sql NULL: ids alone. Its columns: item_id, and title and category where they are there. */
MUST_CHECK enum status_code item_names_read(struct item_names *names, struct db *db,
                                            const char *sql, double timeout_seconds,
                                            struct served_ids *items, struct status *status);
void item_names_release(struct item_names *names);

/* out (rows, 2) = coordinates of the vectors on their first two principal components. */
MUST_CHECK enum status_code item_map(struct const_matrix vectors, double *out,
                                     struct status *status);

/* The Lorenz curve of counts (n, put into ascending order): share (points) = how much of the sum
 * the lowest i / (points - 1) of the entries have. Returns the Gini coefficient, 0 for an even
 * spread. */
double lorenz_curve(double *counts, size_t n, double *share, size_t points);

#endif
