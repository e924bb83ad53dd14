/* A dataset of which every rank (ranks/ranks.h) holds the users of its own shards: which shard is
 * whose, and what all of them come to. */
#ifndef NIGHTJAR_DATASET_DATASET_RANKS_H
#define NIGHTJAR_DATASET_DATASET_RANKS_H

#include "dataset/dataset.h"
#include "ranks/shards.h"

/* What keys the random streams of a basis's row, and its shard. */
uint64_t dataset_user_key(const struct interactions *interactions, const struct dataset *dataset,
                          size_t row);
size_t dataset_user_shard(const struct interactions *interactions, const struct dataset *dataset,
                          size_t row);
/* The rows of a basis by shard. */
MUST_CHECK enum status_code dataset_shard_rows(const struct interactions *interactions,
                                               const struct dataset *dataset,
                                               struct shard_rows *by_shard, struct status *status);
/* The same of master codes of users (n, ascending): of a cold part, of a part of the users. NULL:
 * row and code are the same. */
MUST_CHECK enum status_code codes_shard_rows(const struct vocabulary *users, const int32_t *codes,
                                             size_t n, struct shard_rows *by_shard,
                                             struct status *status);

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

/* history_popularity over all ranks, and history_newest. Rows of the history are users with these
 * codes (as codes_shard_rows). Sums run along the tree of the shards, so that they are the same
 * however many ranks there are. Collectives. */
MUST_CHECK enum status_code ranks_popularity(struct ranks *ranks, const struct vocabulary *users,
                                             const int32_t *codes, const struct history *history,
                                             double half_life_days, double *popularity,
                                             struct status *status);
MUST_CHECK enum status_code ranks_newest(struct ranks *ranks, const struct history *history,
                                         int64_t *newest, struct status *status);

#endif
