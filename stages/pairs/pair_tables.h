/* What the stage pairs makes, as tables of the work database that can be queried. */
#ifndef NIGHTJAR_STAGES_PAIR_TABLES_H
#define NIGHTJAR_STAGES_PAIR_TABLES_H

#include "run/context.h"
#include "dataset/dataset.h"

/* What the stage makes. */
struct pair_products {
    struct artifact pairs, evidence, transitions, ridge;
};

/* Pairs of the FIT basis, *n of them: the tables of an earlier run go, and where pairs are to be
 * queryable these are written, and the view `pairs` with their ids. */
MUST_CHECK enum status_code pair_tables_write(struct context *context, bool queryable,
                                              const struct interactions *interactions,
                                              const struct pair_products *products, int64_t *n,
                                              struct status *status);

#endif
