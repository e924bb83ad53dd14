/* Seeded random streams: xoshiro256++ (Blackman and Vigna 2019), seeded through splitmix64 from
 * (seed, purpose, epoch, entity), so that a stream never depends on the order of other streams or
 * on threads. Not for secrets. */
#ifndef NIGHTJAR_BASE_RNG_H
#define NIGHTJAR_BASE_RNG_H

#include "base/status.h"

struct rng {
    uint64_t state[4];
};

/* `purpose` names the consumer ("train.shuffle"); equal arguments give equal streams. */
void rng_init(struct rng *rng, uint64_t seed, const char *purpose, uint64_t epoch, uint64_t entity);

uint64_t rng_u64(struct rng *rng);
double rng_double(struct rng *rng);                  /* [0, 1), 53 bits */
uint64_t rng_below(struct rng *rng, uint64_t bound); /* [0, bound), unbiased; bound > 0 */
double rng_normal(struct rng *rng);                  /* mean 0, variance 1 */
/* values[0..count) = a uniform permutation of 0..count-1 (Fisher-Yates). */
void rng_permutation(struct rng *rng, size_t count, uint32_t *values);

#endif
