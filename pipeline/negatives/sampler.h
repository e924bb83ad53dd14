/* Negatives: which items an anchor is pushed from, and by how much each counts.
 *
 * Every strategy aims at one target distribution over items, proportional to (1 + n_i)^alpha, and
 * draws from a proposal q of its own. A negative's logit offset b_c makes up for the difference
 * (logQ correction, Yi et al. 2019):
 *     all:     every item once;  b_c = alpha log(1 + n_c) - z
 *     sampled: m draws from q;   b_c = alpha log(1 + n_c) - z - log(m q_c) + log(times drawn)
 * with z = log of the mean of (1 + n)^alpha over all items, so that sum_c exp(b_c) is about n_items
 * in every case, and a positive without offset stands beside negatives of mean weight 1.
 *
 *     struct sampler sampler = {0};
 *     TRY(sampler_init(&sampler, &settings, counts, n_items, status));
 *     for each epoch:
 *         sampler_start_epoch(&sampler);
 *         for each batch, in order:
 *             n = sampler_draw_shared(&sampler, &rng, positives, n_positives, items, offsets);
 *     sampler_release(&sampler);
 *
 * candidate_set.h does that for a batch and numbers the items; hard_negatives.h and
 * stored_negatives.h give an anchor negatives of its own. */
#ifndef NIGHTJAR_NEGATIVES_SAMPLER_H
#define NIGHTJAR_NEGATIVES_SAMPLER_H

#include "base/rng.h"
#include "dataset/dataset.h"
#include "math/index_set.h"

enum negative_strategy {
    NEGATIVES_ALL,        /* no sampling */
    NEGATIVES_UNIFORM,    /* q = 1 / n_items; shared and corrected draws of n_items or more become
                             `all` */
    NEGATIVES_POPULARITY, /* q ~ (1 + n)^alpha */
    NEGATIVES_IN_BATCH,   /* the batch's positives are the draws; q ~ n */
    NEGATIVES_MIXED, /* the batch's positives and `count` uniform draws; q is the mixture of the
                        two by their numbers of draws (Yang et al. 2020) */
    NEGATIVES_QUEUE  /* in_batch together with up to `count` positives of the batches before, newest
                        first (cross-batch negatives, Wang et al. 2021, arXiv 2110.15154). Only items
                        are remembered: their vectors are made anew, so none of them is stale */
};
extern const char *const negative_strategy_names[]; /* NULL-terminated, in enum order */
/* Where each basis' stored negatives stand in the artifact "negatives". */
extern const char *const negative_stored_slots[N_BASES];

/* Hard negatives: top-scoring items that are no positives (negatives/hard_negatives.h). */
struct hard_settings {
    bool given;        /* in the configuration; nobody else asks */
    size_t count;      /* drawn per user and batch; 0: none */
    size_t pool;       /* they are drawn from this many of the user's best non-positives ... */
    size_t skip;       /* ... after these very best ones, which are likely false negatives */
    size_t from_epoch; /* one-based: the first epoch that has them */
    size_t every;      /* epochs between two refreshes of the pool */
    double share;      /* weight of a user's hard negatives together, as a share of that of all
                          items; NAN: what the pool's items have among all items */
    bool is_choice;    /* whether there are any is left to train (tuning/auto_settings.h) */
};

enum { HARD_COUNT_AUTO = 16, HARD_COUNT_MAX = 10000 }; /* what train may choose; at most */
enum { NEGATIVES_COUNT_AUTO = 4096, NEGATIVES_COUNT_MAX = 16777216 }; /* the choice's start */

struct negative_settings {
    enum negative_strategy strategy;
    size_t count; /* draws: per batch when shared, else per positive; queue: its length */
    double alpha; /* popularity exponent of the target distribution; NAN in the artifact: left to
                     train (tuning/auto_settings.h) */
    bool shared;  /* one set for the whole batch, or one per positive */
    bool exclude_own;      /* an anchor's own positives do not count among its negatives */
    bool correct;          /* logQ correction; false: b_c = 0 for sampled strategies */
    double dislike_weight; /* w: a disliked item of a user is a negative of its own with offset
                              log w, so it weighs as w average items do; 0: dislikes are ignored */
    struct hard_settings hard;
    bool count_is_choice; /* `count` is left to train, which begins with the one that stands here */
};

/* Walker's alias method (Vose 1991): O(1) draws from fixed weights. */
struct alias_table {
    size_t n;
    float *probability; /* (n) */
    int32_t *alias;     /* (n) */
};
/* weights (n): finite, >= 0, sum > 0; else STATUS_INTERNAL. */
MUST_CHECK enum status_code alias_init(struct alias_table *table, const double *weights, size_t n,
                                       struct status *status);
int32_t alias_draw(const struct alias_table *table, struct rng *rng);
void alias_release(struct alias_table *table);

struct sampler {
    struct negative_settings settings;
    size_t n_items;
    double *target; /* (n_items) b_c of strategy all: alpha log(1 + n_c) - z */
    double *log_q;  /* (n_items) log proposal, -INFINITY: never; NULL for all and mixed */
    double *share;  /* (n_items) of all interactions, strategy mixed, else NULL */
    int32_t *queue; /* (count) strategy queue: a ring of items, else NULL */
    size_t n_queued, queue_next; /* filled places; the next one to be written */
    struct alias_table table;    /* strategy popularity */
    struct index_set drawn;      /* scratch of sampler_draw_shared, empty between calls */
    int32_t *times_drawn;        /* (n_items), the same; zero between calls */
};

/* counts (n_items): n_i of the dataset that will be trained on; n_items > 0. `sampler` zeroed. */
MUST_CHECK enum status_code sampler_init(struct sampler *sampler,
                                         const struct negative_settings *settings,
                                         const int64_t *counts, size_t n_items,
                                         struct status *status);
/* Empties the queue, so that an epoch draws the same whether or not the ones before it were run by
 * this process. To be called before the first batch of every epoch. */
void sampler_start_epoch(struct sampler *sampler);
/* Shared negatives of one batch: distinct items, ascending, and their offsets. `positives` are the
 * items of the batch's positives (with repeats, n_positives), for in_batch, mixed and queue, which
 * then remembers them for the batches to come: one call a batch, in the order of the batches. items
 * and offsets have room for min(n_items, count + n_positives), for strategy all n_items; returns
 * how many were written. Strategy all returns every item. Time: O(draws) and n_items / 4096. */
size_t sampler_draw_shared(struct sampler *sampler, struct rng *rng, const int32_t *positives,
                           size_t n_positives, int32_t *items, float *offsets);
/* `count` draws for one positive, in draw order, repeats possible; offsets (NULL allowed) as above
 * without the times-drawn term. Strategies uniform and popularity only. */
void sampler_draw_each(const struct sampler *sampler, struct rng *rng, size_t count, int32_t *items,
                       float *offsets);
/* b_c of `item` as one of `draws` draws (its in-batch part left out): for stored negatives. */
float sampler_offset(const struct sampler *sampler, int32_t item, size_t draws);
void sampler_release(struct sampler *sampler);

#endif
