/* The search for the settings that a configuration leaves to `auto`: by coordinates, uphill between
 * neighbouring candidates, each combination tried once. What a trial is, is the caller's.
 *
 *     const struct search_axis axes[] = {{.n = 7, .start = 3, .most_trials = 4}};
 *     struct coordinate_search search = {.n_axes = 1, .axes = axes, .n_users = n_users};
 *     TRY(coordinate_search_load(&search, &artifact, status));    trials of an interrupted search
 *     TRY(coordinate_search_run(&search, measure, data, &best, status));
 *     search.trials[best].choice[0] is the candidate that won
 *     coordinate_search_release(&search);
 *
 * Beside it: halving.h, by which `tune` spends its epochs; paired.h, by which both say that one
 * trial is better than another. */
#ifndef NIGHTJAR_SEARCH_COORDINATE_SEARCH_H
#define NIGHTJAR_SEARCH_COORDINATE_SEARCH_H

#include "store/artifact.h"

enum { SEARCH_AXES_MAX = 8 };

struct search_axis {
    size_t n; /* candidates, > 0 */
    size_t start;
    size_t most_trials; /* new ones in one climb along this axis */
    /* The start value stays unless another one is better by more than one standard error of the
       users' paired differences; false: any gain counts, no value is simpler than another. */
    bool start_is_simpler;
};

struct search_trial {
    size_t choice[SEARCH_AXES_MAX]; /* candidate of each axis; 0 behind the last axis */
    double value;                   /* of the validation metric; NAN: the trial failed */
    double popularity;              /* the weight of the popularity term at that value */
    double seconds;                 /* that it took: a record, no part of any choice */
};

/* Tries `trial->choice` and fills in the rest; user_values (n_users) is the metric of each user,
 * NAN for those that do not count. */
typedef enum status_code search_measure(void *data, struct search_trial *trial, double *user_values,
                                        struct status *status);

/* Zero-initialise; the caller sets the axes and n_users. Release with coordinate_search_release. */
struct coordinate_search {
    size_t n_axes;                  /* 1 to SEARCH_AXES_MAX */
    const struct search_axis *axes; /* the caller's; the most important one first */
    size_t n_users;
    size_t n;                    /* trials so far, in the order in which they were made */
    struct search_trial *trials; /* (n) */
    double *user_values;         /* (n, n_users) */
};

/* Climbs along each axis in turn, and along the first once more when another one has moved.
 * Trials that the search has already (loaded ones) are not made again. *best is the trial whose
 * values are chosen. Errors: those of `measure`, STATUS_NO_MEMORY; the trials made stay. */
MUST_CHECK enum status_code coordinate_search_run(struct coordinate_search *search,
                                                  search_measure *measure, void *data, size_t *best,
                                                  struct status *status);

/* The trials, to be taken up by a later search over the same axes; load expects `search` without
 * trials. Errors: STATUS_INTERNAL when the artifact does not fit the search; STATUS_NO_MEMORY. */
MUST_CHECK enum status_code coordinate_search_save(const struct coordinate_search *search,
                                                   struct artifact *artifact,
                                                   struct status *status);
MUST_CHECK enum status_code coordinate_search_load(struct coordinate_search *search,
                                                   const struct artifact *artifact,
                                                   struct status *status);
void coordinate_search_release(struct coordinate_search *search);

#endif
