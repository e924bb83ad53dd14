/* The same users twice: all of them in one process, and those of this rank in a crowd of several. A
 * test that compares the two is run alone, as one rank, and by `mpirun -n 4` of a build with MPI.
 */
#ifndef NIGHTJAR_TESTS_CROWD_CASE_H
#define NIGHTJAR_TESTS_CROWD_CASE_H

#include "dataset/crowd.h"
#include "events/late_events.h"
#include "towers/embeddings.h"

enum { CROWD_USERS = 300, CROWD_ITEMS = 150, CROWD_DIMENSION = 8, CROWD_DAYS = 4 };

/* Of one of the two: HERE are those of this rank. */
enum crowd_side { CROWD_HERE, CROWD_ALONE, CROWD_SIDES };
struct crowd_part {
    struct interactions interactions; /* basis FIT: train, valid, test; not to be released */
    struct crowd crowd;
    struct embeddings embeddings;
    struct late_events events; /* of the validation part, or where it has another one of that */
};

struct crowd_case {
    struct crowd_part part[CROWD_SIDES];
    void *memory[64]; /* all arrays */
    size_t n_memory;
};

void crowd_case_init(struct crowd_case *c, struct ranks *ranks, uint64_t seed);
void crowd_case_release(struct crowd_case *c);
static inline struct dataset *crowd_case_fit(struct crowd_case *c, enum crowd_side side)
{
    return &c->part[side].interactions.basis[BASIS_FIT];
}

#endif
