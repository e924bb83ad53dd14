/* How an entity is seen in one forward pass: as it is, or changed at random so that two views of it
 * can be contrasted (augmentation). */
#ifndef NIGHTJAR_TOWERS_VIEW_H
#define NIGHTJAR_TOWERS_VIEW_H

#include <stdbool.h>
#include <stdint.h>

/* Each with its source; `strength` is s. */
enum view_change {
    VIEW_NOISE,      /* a random direction of length s times the vector's (SimGCL, Yu et al. 2022,
                        arXiv 2112.08679, eq. 7) */
    VIEW_DROPOUT,    /* each component is left out with probability s (SimCSE, Gao et al. 2021) */
    VIEW_CROP,       /* a run of 1 - s of the history (CL4SRec, Xie et al. 2022, section 3.2) */
    VIEW_MASK,       /* each item of the history is left out with probability s (the same) */
    VIEW_REORDER,    /* a run of s of the history is shuffled (the same) */
    VIEW_SUBSTITUTE, /* each item of the history is replaced with probability s by a co-interaction
                        partner (CoSeRec, Liu et al. 2021, arXiv 2108.06479) */
    VIEW_EDGES,      /* each edge of the graph is left out with probability s (SGL, Wu et al. 2021,
                        arXiv 2010.10783, section 3.1) */
    VIEW_NODES,      /* each node with all its edges (the same) */
    VIEW_NONE
};
extern const char *const view_change_names[]; /* NULL-terminated, in enum order, without none */

struct view {
    bool training; /* dropout and hidden histories are on */
    uint64_t seed, epoch, step;
    uint64_t number; /* of the view in its step: keys the random streams */
    enum view_change change;
    double strength;
};

/* Which parts of a tower a change needs. */
bool view_needs_history(enum view_change change);
bool view_needs_graph(enum view_change change);

#endif
