/* Hard negatives: of every user's best-scoring items that are no positives, a few are added to the
 * user's negatives in each batch (dynamic hard negatives: Zhan et al. 2021, arXiv 2104.08051; the
 * very best ones are left out because many of them are positives that nobody has seen yet: Qu et
 * al. 2021, RocketQA, arXiv 2010.08191). The lists are made anew every few epochs, by one exact
 * ranking of all items for all users; between refreshes they are part of the checkpoint.
 *
 * The same ranking gives each user's K-th best score over all items, positives included, which
 * top-K-aware losses take as their threshold (the quantile beta_u^K of SL@K, Yang et al. 2025,
 * arXiv 2508.05673).
 *
 *     struct hard_negatives hard = {0};
 *     TRY(hard_negatives_init(&hard, &settings, n_users, n_items, 0, status));
 *     before each epoch:
 *         if (hard_negatives_due(&hard, epochs_done)) {
 *             TRY(hard_negatives_refresh(&hard, &scores, pool, status));
 *         }
 *     of each user in a batch:
 *         n = hard_negatives_draw(&hard, seed, epoch, user, key, items);
 *         offset = hard_negatives_offset(&hard, &sampler, items[i], n);
 *     hard_negatives_release(&hard); */
#ifndef NIGHTJAR_NEGATIVES_HARD_NEGATIVES_H
#define NIGHTJAR_NEGATIVES_HARD_NEGATIVES_H

#include "base/pool.h"
#include "base/watch.h"
#include "math/matrix.h"
#include "math/sparse.h"
#include "negatives/sampler.h"

/* Zero-initialise. */
struct hard_negatives {
    struct hard_settings settings;
    size_t n_users, n_items;
    size_t top_k;      /* K of the thresholds; 0: none */
    bool is_ready;     /* refreshed or loaded */
    int32_t *items;    /* (n_users, settings.pool) best first, a short list ends with -1; NULL when
                          settings.count is 0 */
    float *thresholds; /* (n_users) K-th best score, with fewer items the worst; NULL when top_k is
                          0 */
};

/* What a refresh ranks by: score(u, i) = scale * <user u, item i> + bias[i]. */
struct hard_scores {
    struct const_matrix users;     /* (n_users, d) unit length */
    struct const_matrix items;     /* (n_items, d) */
    float scale;                   /* 1 / temperature */
    const float *bias;             /* (n_items) popularity term of the score; NULL: none */
    const struct sparse *excluded; /* (n_users, n_items) no hard negatives: own positives, and false
                                      negatives where they are excluded. They do count for the
                                      thresholds */
    struct watch watch;            /* asked between blocks of users */
};

/* Of settings->count 0 and top_k 0 nothing is ever kept and no refresh is due. */
MUST_CHECK enum status_code hard_negatives_init(struct hard_negatives *hard,
                                                const struct hard_settings *settings,
                                                size_t n_users, size_t n_items, size_t top_k,
                                                struct status *status);
void hard_negatives_release(struct hard_negatives *hard);

/* Whether the lists are to be made before epoch `epochs_done` + 1 begins: at epoch from_epoch and
 * every `every` epochs from there. */
bool hard_negatives_due(const struct hard_negatives *hard, size_t epochs_done);
/* Makes lists and thresholds. They depend on `scores` alone. On an error they are what they were,
 * or partly new after STATUS_INTERNAL (scores that are not finite), which ends training anyway. */
MUST_CHECK enum status_code hard_negatives_refresh(struct hard_negatives *hard,
                                                   const struct hard_scores *scores,
                                                   struct pool *pool, struct status *status);
/* items (room for settings.count) = distinct hard negatives of the user for this epoch, in list
 * order, by the stream (seed, epoch, key); returns how many: 0 before the first refresh, and fewer
 * than count when the list is shorter. */
size_t hard_negatives_draw(const struct hard_negatives *hard, uint64_t seed, size_t epoch,
                           size_t user, uint64_t key, int32_t *items);
/* The logit offset of a hard negative that is one of n_drawn:
 *     b_c = target_c + log(share n_items / n_drawn)
 * with target_c the popularity term of the sampler, so that the n_drawn ones weigh `share` of what
 * all items do. With share NAN it is pool / n_items: each drawn one stands for its part of the
 * pool, and sum_c exp(s_c + b_c) estimates the pool's part of the sum over all items. The item may
 * also stand among the shared negatives and then counts in both. */
float hard_negatives_offset(const struct hard_negatives *hard, const struct sampler *sampler,
                            int32_t item, size_t n_drawn);

/* Arrays hard.items (n_users, pool) and hard.thresholds of a checkpoint; nothing before the first
 * refresh. */
MUST_CHECK enum status_code hard_negatives_save(const struct hard_negatives *hard,
                                                struct artifact *artifact, struct status *status);
/* Into an initialised `hard`; without the arrays it becomes not ready. Arrays of another shape or
 * with items out of range are STATUS_INTERNAL, `hard` untouched. */
MUST_CHECK enum status_code hard_negatives_load(struct hard_negatives *hard,
                                                const struct artifact *artifact,
                                                struct status *status);

#endif
