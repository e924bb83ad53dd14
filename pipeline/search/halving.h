/* The schedule of successive halving (Jamieson & Talwalkar 2016, "Non-stochastic best arm
 * identification and hyperparameter optimization", algorithm 1; the inner loop of Hyperband, Li et
 * al. 2018): many trials with few epochs each, the best third of them with three times as many, and
 * so on up to the configuration's own number. What a trial is, is others' business.
 *
 *     n_rungs = halving_schedule(30, 27, rungs);    27 trials of 3 epochs, 9 of 10, 3 of 30
 *     in each rung: run its trials; halving_order(values, n, order); the first of them go on */
#ifndef NIGHTJAR_SEARCH_HALVING_H
#define NIGHTJAR_SEARCH_HALVING_H

#include "base/status.h"

enum { HALVING_ETA = 3, HALVING_RUNGS = 3 };

struct halving_rung {
    size_t epochs;   /* of each trial */
    size_t n_trials; /* at the most */
};

/* Rungs of epochs/9, epochs/3 and epochs (rounded, at least 1), those with equal epochs taken
 * together; the last one always has `epochs`. Each rung has a third of the trials of the one
 * before, rounded down, at least one. epochs and n_trials >= 1. Returns the number of rungs. */
size_t halving_schedule(size_t epochs, size_t n_trials, struct halving_rung rungs[HALVING_RUNGS]);

/* order[0..n) = the trials 0..n-1 from the best value to the worst, equal ones by number; NAN (a
 * trial that failed) comes last. Values are maximised. */
void halving_order(const double *values, size_t n, size_t *order);

#endif
