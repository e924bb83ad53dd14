/* Full-ranking evaluation of the entities without a row of their own, each on its own line:
 *
 *   cold_users
 *
 * Every cold user with a held-out pair (struct cold_part). All items of the basis are ranked by the
 * vector that the encoder gave the user, with the score of everybody else (evidence of what the
 * user is known to have done included); that history is left out. A user without a vector is ranked
 * by popularity. Beside: popularity.
 *
 *   cold_items
 *
 * Every user of the basis with a held-out pair on cold items. The cold items that have a vector are
 * ranked among themselves, so that the line says whether features order new items better than
 * chance; held-out items without a vector are misses. Items that the user is known to have are left
 * out. Beside: popularity, which knows nothing of them (n_i = 0): all cold items in the order of
 * one seeded permutation, which is chance.
 *
 * Ties stand in the order of seeded permutations, the same for both models. */
#ifndef NIGHTJAR_EVALUATION_EVALUATION_COLD_H
#define NIGHTJAR_EVALUATION_EVALUATION_COLD_H

#include "base/pool.h"
#include "base/watch.h"
#include "ranking/score.h"
#include "evaluation/metric_rows.h"
#include "towers/embeddings.h"

struct evaluation_cold_request {
    const struct dataset *dataset;       /* the towers' basis, with its cold part */
    struct crowd crowd;                  /* whose rows the dataset has */
    const struct embeddings *embeddings; /* their cold codes beyond the dataset's are ignored */
    struct score_weights weights;
    struct score_sources sources; /* of that basis */
    size_t n_metrics;
    const char *const *metrics; /* that evaluation_knows; measures of whole lists are passed over,
                                   repeats are allowed */
    uint64_t seed;
    struct watch watch; /* asked between blocks of users */
};

/* Adds rows for the models nightjar and popularity in the groups cold_users and cold_items, and the
 * count "users" of each under the model "data"; none for a group without users. `rows` is appended
 * to. Errors: STATUS_CONFIG for a name that is no metric. A collective. */
MUST_CHECK enum status_code evaluation_cold_run(const struct evaluation_cold_request *request,
                                                struct pool *pool, struct metric_rows *rows,
                                                struct status *status);

#endif
