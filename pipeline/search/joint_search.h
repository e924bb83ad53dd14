/* The search for settings, over all of them together, with a budget in the caller's unit of work:
 * what is tried depends on data, seed and budget alone. `auto` searches so for what a configuration
 * leaves open, `tune` for what beats one.
 *
 *     starts, and seeded mixtures of them --short--> the best third --full--> steps from the best
 *
 * The first two phases are successive halving (Jamieson & Talwalkar 2016, "Non-stochastic best arm
 * identification and hyperparameter optimization", algorithm 1) in two rounds.
 * Where a trial can be judged on several folds of the data, one that beats the best on the first is
 * judged on the next, too, as the best is, and so on until it does not or there are no more: what
 * is worse costs one fold, what is taken has shown it on all. Users count once, with their mean.
 *
 *     struct joint_search search = {.n_axes = 2, .n_candidates = {7, 2}, .n_starts = 1,
 *                                   .starts = {{3, 0}}, .n_users = n_users, .n_folds = 1,
 *                                   .seed = seed, .budget = 20.0, .max_trials = 64};
 *     const struct search_hooks hooks = {.data = data, .cost = cost, .measure = measure};
 *     TRY(joint_search_load(&search, &artifact, status));    trials of an interrupted search
 *     TRY(joint_search_run(&search, &hooks, status));
 *     search.best[0] is the candidate that won
 *     joint_search_release(&search);
 *
 * Beside it: paired.h, by which all say that one trial is better than another. The weights of
 * `calibrate` come by paired_choose alone: one pass over the products measures a whole grid, where
 * this walk, one trial after the other, would cost a pass each; and its steps, which are cheap,
 * take the best of all turns of a round, and that only for a clear gain. */
#ifndef NIGHTJAR_SEARCH_JOINT_SEARCH_H
#define NIGHTJAR_SEARCH_JOINT_SEARCH_H

#include "ranks/ranks.h"
#include "store/artifact.h"

enum { SEARCH_AXES_MAX = 16, SEARCH_STARTS_MAX = 4, SEARCH_FOLDS_MAX = 8 };
enum { SEARCH_SHORTER = 3 }; /* a full trial is so many short ones */

struct search_trial {
    size_t choice[SEARCH_AXES_MAX]; /* candidate of each axis; 0 behind the last axis */
    bool is_short;                  /* of a SEARCH_SHORTER-th of the length */
    size_t fold;                    /* below n_folds; each is a trial of its own */
    double value;                   /* of the validation metric; NAN: the trial failed */
    double popularity;              /* the weight of the popularity term at that value */
    double seconds;                 /* that it took: a record, no part of any choice */
};

struct search_hooks {
    void *data;
    /* Work of a trial in full, on one fold. */
    double (*cost)(void *data, const size_t *choice);
    /* Tries `trial->choice` on `trial->fold` and fills in value, popularity and seconds;
       user_values (n_users) is the metric of each user, NAN for those that do not count. */
    enum status_code (*measure)(void *data, struct search_trial *trial, double *user_values,
                                struct status *status);
    /* Whether no further trial may begin; NULL: one always may. */
    enum status_code (*is_over)(void *data, bool *is_over, struct status *status);
};

/* Zero-initialise; the caller sets what stands above the line. Release with joint_search_release.
 */
struct joint_search {
    size_t n_axes;                        /* 1 to SEARCH_AXES_MAX, the most important one first */
    size_t n_candidates[SEARCH_AXES_MAX]; /* (n_axes) each > 0; neighbours are alike */
    size_t n_starts;                      /* 1 to SEARCH_STARTS_MAX */
    size_t starts[SEARCH_STARTS_MAX]
                 [SEARCH_AXES_MAX]; /* the first is taken where nothing else is */
    size_t n_users;
    size_t n_folds; /* 1 to SEARCH_FOLDS_MAX */
    uint64_t seed;
    double budget;
    size_t max_trials; /* on a fold, whatever the budget */
    /* ---- */
    double spent;
    size_t best[SEARCH_AXES_MAX];
    size_t best_trial;           /* in full, on the first fold; SIZE_MAX: there was no budget for
                                    two trials */
    size_t n;                    /* trials, in the order in which they were made */
    struct search_trial *trials; /* (n) */
    double *user_values;         /* (n, n_users) */
    size_t n_used; /* of them this walk has come by: what is loaded behind waits for its turn */
};

/* What the length of a trial is divided by: `auto` takes so much of a share of the epochs, into
 * which the schedule is drawn together, `tune` of whole epochs, rounded up. */
static inline size_t search_shortened(bool is_short)
{
    return is_short ? SEARCH_SHORTER : 1;
}

/* A third of the budget goes to the first two phases, where it pays for more than the starts; the
 * rest to steps along one axis, and, where none of them helps any more, along several. Any gain
 * moves the search to a trial that costs as much as the best one; to a dearer one, from a start to
 * a mixture, and where there are several folds, only a gain beyond one standard error of the users'
 * paired differences. A trial that would exceed the budget is not made, nor one beyond max_trials.
 * Loaded trials are not made again, and count. Errors: those of the hooks, STATUS_NO_MEMORY; the
 * trials made stay. Over several ranks all make the same walk, for which the hooks must say the
 * same on each. */
MUST_CHECK enum status_code joint_search_run(struct joint_search *search,
                                             const struct search_hooks *hooks,
                                             struct status *status);

/* The trials, to be taken up by a later search over the same axes; load expects `search` without
 * trials. Errors: STATUS_DATA when the artifact does not fit the search; STATUS_NO_MEMORY. */
MUST_CHECK enum status_code joint_search_save(const struct joint_search *search,
                                              struct artifact *artifact, struct status *status);
MUST_CHECK enum status_code joint_search_load(struct joint_search *search,
                                              const struct artifact *artifact,
                                              struct status *status);
/* Every rank has the trials that the first one has loaded, the others none. A collective. */
MUST_CHECK enum status_code joint_search_share(struct joint_search *search, struct ranks *ranks,
                                               struct status *status);
void joint_search_release(struct joint_search *search);

#endif
