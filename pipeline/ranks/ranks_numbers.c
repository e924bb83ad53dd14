/* Single numbers of all ranks, by sums and maxima of integers. */
#include "ranks/ranks.h"

#include <string.h>

enum status_code ranks_sum_count(struct ranks *ranks, size_t *n, struct status *status)
{
    int64_t sum = (int64_t)*n;
    const enum status_code code = ranks_sum_int64(ranks, &sum, 1, status);
    *n = (size_t)sum;
    return code;
}

enum status_code ranks_any(struct ranks *ranks, bool *any, struct status *status)
{
    int64_t most = *any;
    const enum status_code code = ranks_max_int64(ranks, &most, 1, status);
    *any = most > 0;
    return code;
}

/* Bits that stand in the order of the numbers; the same turns them back. */
static int64_t order_bits(int64_t bits)
{
    return bits < 0 ? bits ^ INT64_MAX : bits;
}

enum status_code ranks_max_double(struct ranks *ranks, double *value, struct status *status)
{
    int64_t bits;
    memcpy(&bits, value, sizeof bits);
    bits = order_bits(bits);
    const enum status_code code = ranks_max_int64(ranks, &bits, 1, status);
    bits = order_bits(bits);
    memcpy(value, &bits, sizeof bits);
    return code;
}
