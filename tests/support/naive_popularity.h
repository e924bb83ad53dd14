/* The popularity of items, entry by entry: what dataset/crowd.h comes to however it sums. */
#ifndef NIGHTJAR_TESTS_NAIVE_POPULARITY_H
#define NIGHTJAR_TESTS_NAIVE_POPULARITY_H

#include "dataset/dataset.h"

/* popularity (n_columns): see crowd_popularity. */
void naive_popularity(const struct history *history, double half_life_days, double *popularity);

#endif
