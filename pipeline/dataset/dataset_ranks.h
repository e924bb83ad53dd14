/* A dataset of which every rank (ranks/ranks.h) holds the users of its own shards: what all of them
 * come to. */
#ifndef NIGHTJAR_DATASET_DATASET_RANKS_H
#define NIGHTJAR_DATASET_DATASET_RANKS_H

#include "dataset/dataset.h"
#include "ranks/ranks.h"

/* Over all ranks, whether or not there are several; `counts` is NULL where there are not, see
 * dataset_item_counts. No exchange: they are part of the artifact. */
struct dataset_totals dataset_totals(const struct dataset *dataset);
/* Master users of all ranks. */
int64_t interactions_n_users(const struct interactions *interactions);
/* Fills the totals of a dataset by an exchange, counts being the caller's to free; what counts
 * users without a row becomes that of all ranks, too. Nothing at one rank. Once. */
MUST_CHECK enum status_code dataset_add_up(struct ranks *ranks, struct dataset *dataset,
                                           struct status *status);
/* The same of both bases, and n_all_users. Before interactions_save. */
MUST_CHECK enum status_code interactions_add_up(struct ranks *ranks,
                                                struct interactions *interactions,
                                                struct status *status);

#endif
