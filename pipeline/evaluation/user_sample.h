/* A seeded sample of users, where ranking all of them would cost too much. */
#ifndef NIGHTJAR_EVALUATION_USER_SAMPLE_H
#define NIGHTJAR_EVALUATION_USER_SAMPLE_H

#include "base/status.h"

/* users[0..*n), distinct and ascending, each below n_all: leaves `most` of them, drawn uniformly by
 * (seed, purpose), ascending; all of them when they are no more. */
MUST_CHECK enum status_code user_sample(int32_t *users, size_t *n, size_t n_all, size_t most,
                                        uint64_t seed, const char *purpose, struct status *status);

#endif
