/* About how many different things were seen, in 16 KiB whatever their number (HyperLogLog:
 * Flajolet, Fusy, Gandouet and Meunier 2007). The standard error is 0.8 %. */
#ifndef NIGHTJAR_BASE_DISTINCT_H
#define NIGHTJAR_BASE_DISTINCT_H

#include "base/status.h"

enum { DISTINCT_BITS = 14 };

/* Zero-initialise; holds no memory of its own. */
struct distinct {
    uint8_t longest[1 << DISTINCT_BITS];
};

/* `hash`: 64 well-mixed bits of the thing, the same for the same thing (base/hash.h). */
void distinct_add(struct distinct *distinct, uint64_t hash);
double distinct_count(const struct distinct *distinct);

#endif
