/* Counting different things by the longest runs of zeros among their hashes. */
#include "base/distinct.h"

#include <math.h>

enum { N_REGISTERS = 1 << DISTINCT_BITS };

void distinct_add(struct distinct *distinct, uint64_t hash)
{
    uint8_t *longest = &distinct->longest[hash >> (64 - DISTINCT_BITS)];
    uint64_t rest = hash << DISTINCT_BITS;
    uint8_t run = 1;

    while (run <= 64 - DISTINCT_BITS && (rest & (UINT64_C(1) << 63)) == 0) {
        rest <<= 1;
        run++;
    }
    *longest = run > *longest ? run : *longest;
}

double distinct_count(const struct distinct *distinct)
{
    const double n = N_REGISTERS;
    const double bias = 0.7213 / (1.0 + 1.079 / n);
    double sum = 0, empty = 0;

    for (size_t i = 0; i < N_REGISTERS; i++) {
        sum += ldexp(1.0, -distinct->longest[i]);
        empty += distinct->longest[i] == 0;
    }
    const double estimate = bias * n * n / sum;
    /* few things: the empty registers say it better (linear counting) */
    return estimate <= 2.5 * n && empty > 0 ? n * log(n / empty) : estimate;
}
