/* The first in the order of a permutation of everybody. */
#include "evaluation/user_sample.h"

#include "base/mem.h"
#include "base/rng.h"

enum mark { MARK_NONE, MARK_GIVEN, MARK_TAKEN };

enum status_code user_sample(int32_t *users, size_t *n, size_t n_all, size_t most, uint64_t seed,
                             const char *purpose, struct status *status)
{
    enum status_code code = STATUS_OK;
    uint32_t *order = NULL;
    uint8_t *marks = NULL;
    struct rng rng;
    if (*n <= most) {
        goto done;
    }
    TRY(MEM_NEW(&order, n_all, status));
    TRY(MEM_NEW(&marks, n_all, status));
    for (size_t i = 0; i < *n; i++) {
        marks[users[i]] = MARK_GIVEN;
    }
    rng_init(&rng, seed, purpose, 0, 0);
    rng_permutation(&rng, n_all, order);
    for (size_t i = 0, taken = 0; taken < most; i++) {
        if (marks[order[i]] == MARK_GIVEN) {
            marks[order[i]] = MARK_TAKEN;
            taken++;
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++) {
        if (marks[users[i]] == MARK_TAKEN) {
            users[kept++] = users[i];
        }
    }
    *n = kept;
done:
    mem_free(order);
    mem_free(marks);
    return code;
}
