/* The tiled contrastive kernel: loss and gradients of anchors against candidates. Every contrast of
 * nightjar, user-item or item-item, with all items or a sample as negatives, is one call.
 *
 * For anchor a, with s_ac = <A_a, C_c> / temperature: positives come as sparse entries (a, c, w).
 * Its negatives are the first n_negatives candidates, shared by all anchors, less the excluded
 * entries, and the entries of its own list; either part may be missing, and an item in both counts
 * in both. Positives that stand among the shared negatives count there too unless excluded.
 *
 * What is done with them depends on the kind of the loss (loss.h), always over fixed tiles:
 *   softmax: two passes, because a row's gradient needs its sum over all negatives:
 *     1. tile of logits (GEMM), exclusions, exp, row sums;   -> loss of each row
 *     2. gradient tile = row factor * exp tile; dC tile = G^T A; dA += G C tile (two GEMMs)
 *     The exp tiles are kept between the passes when all of them fit strip_bytes (6 d flops an
 *     entry), else computed again (8 d flops).
 *   margin: tile of logits, psi and psi' of every (cut, negative), dC and dA in one pass (6 d flops
 * an entry and one psi a cut); two, with the logits kept or not, when the loss looks at ranks.
 *   uniform: no logits of negatives; the shared negatives against one another and the anchors
 *     against one another (4 d flops an entry of either square). Exclusions and lists are not read.
 * Sums run in double, in tile order: the same bytes with any number of threads.
 *
 * One contrast serves all batches of a training:
 *
 *     struct contrast *contrast = NULL;
 *     TRY(contrast_new(&contrast, status));
 *     const struct contrast_settings settings = {.loss = &loss_table[0],  softmax
 *                                                .loss_settings = {.t2 = 1.0},
 *                                                .temperature = 0.1,
 *                                                .strip_bytes = 256 << 20};
 *     for each batch:
 *         const struct contrast_batch batch = {.anchors = users,          (n_users, d)
 *                                              .candidates = items,       (n_items, d)
 *                                              .positives = bought,       (n_users, n_items)
 *                                              .n_negatives = n_items};   all of them
 *         struct contrast_result result = {.anchors = user_gradient, .candidates = item_gradient};
 *         TRY(contrast_run(contrast, &settings, &batch, pool, &result, status));
 *     contrast_free(contrast);
 *
 * Files: loss.c the formulas; contrast.c one call, and the gradients of sparse entries;
 * contrast_tiles.c the steps over tiles; contrast_softmax.c, contrast_margin.c, contrast_uniform.c
 * what each kind of loss does with them. */
#ifndef NIGHTJAR_CONTRAST_CONTRAST_H
#define NIGHTJAR_CONTRAST_CONTRAST_H

#include "base/pool.h"
#include "contrast/contrast_batch.h"

/* Work memory, reused between calls and grown as needed. */
struct contrast;
MUST_CHECK enum status_code contrast_new(struct contrast **out, struct status *status);
void contrast_free(struct contrast *contrast); /* NULL allowed */

/* Overwrites the gradients, or adds to the candidates' (result->adds). Errors: STATUS_NO_MEMORY
 * only; a loss that is not finite is the caller's to notice. */
MUST_CHECK enum status_code contrast_run(struct contrast *contrast,
                                         const struct contrast_settings *settings,
                                         const struct contrast_batch *batch, struct pool *pool,
                                         struct contrast_result *result, struct status *status);

#endif
