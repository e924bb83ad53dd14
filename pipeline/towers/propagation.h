/* Neighbourhood propagation over the graph of users and items (LightGCN, He et al. 2020, arXiv
 * 2002.02126, eq. 3 and 4): with A the train matrix, N = D_u^-1/2 A D_i^-1/2,
 *      U_k = N I_{k-1},  I_k = N^T U_{k-1},  out = sum_k weight^k (U_k, I_k), k = 0..hops.
 * weight 1 is LightGCN's mean up to a factor, which unit length takes out. With `items` alone only
 * item vectors get the sum. Every node is computed: a step over it costs 2 hops entries d flops for
 * each direction and side. */
#ifndef NIGHTJAR_TOWERS_PROPAGATION_H
#define NIGHTJAR_TOWERS_PROPAGATION_H

#include "base/pool.h"
#include "base/workspace.h"
#include "math/sparse.h"
#include "ranks/ranks.h"
#include "towers/view.h"

enum propagation_sides { PROPAGATE_BOTH, PROPAGATE_ITEMS, PROPAGATE_USERS };
extern const char *const propagation_sides_names[]; /* NULL-terminated, in enum order */

struct propagation_settings {
    bool given;  /* in the configuration; nobody else asks */
    size_t hops; /* 0: none */
    double weight;
    enum propagation_sides sides;
};

/* Zero-initialise. */
struct propagation {
    struct propagation_settings settings;
    size_t dimension;
    struct ranks *ranks;
    /* items stand in the order of their ranks: where those of each begin */
    size_t first_item[RANKS_MAX + 1];
    struct sparse forward;  /* N (n_users, n_items) */
    struct sparse backward; /* N^T, the users of each row by shards */
    uint8_t *shards;        /* (n_users) */
    struct workspace workspace;
    float *users[2], *items[2]; /* this layer and the next; of items every rank's, whose own alone
                                   count */
    struct ranks_bytes gathered;
};

/* train (n_users, n_items) of this rank's users; its values do not matter. user_keys (n_users) say
 * their shards; NULL: their numbers do. */
MUST_CHECK enum status_code propagation_init(struct propagation *propagation,
                                             const struct propagation_settings *settings,
                                             const struct sparse *train, const uint64_t *user_keys,
                                             struct ranks *ranks, size_t dimension,
                                             struct status *status);
void propagation_release(struct propagation *propagation);

/* users (n_users, d) and items (those of this rank, d) are overwritten: by their sums over the
 * hops, or, when `backward`, dL/d out by dL/d in. `view`: VIEW_EDGES and VIEW_NODES leave edges
 * out, the same view the same edges in both directions; on one rank alone. */
MUST_CHECK enum status_code propagation_run(struct propagation *propagation,
                                            const struct view *view, bool backward, float *users,
                                            float *items, struct pool *pool, struct status *status);
/* Bytes that a rank of n sends in a step, there and back. */
double propagation_step_bytes(const struct propagation_settings *settings, double n_ranks,
                              double n_items, double dimension);

#endif
