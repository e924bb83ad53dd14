/* Small random interactions with towers over them, for tests of everything that ranks. */
#ifndef NIGHTJAR_TESTS_RANKING_DATA_H
#define NIGHTJAR_TESTS_RANKING_DATA_H

#include "dataset/dataset.h"
#include "serving/served_ids.h"
#include "towers/embeddings.h"

/* Master user u has id 1000 + u, item i id 500 + i. Both bases leave out users whose code is 3 mod
 * 7 and items whose code is 4 mod 5; users 0 and 3 and the last item have no event at all. FIT has
 * train, valid and test parts of about 60, 20 and 20 %. */
struct ranking_data {
    struct interactions interactions;
    struct served_ids users, items; /* the master ids */
    struct embeddings embeddings;   /* random unit vectors over the basis asked for */
    float *user_vectors, *item_vectors;
};

void ranking_data_init(struct ranking_data *data, size_t n_users, size_t n_items, size_t dimension,
                       double density, enum basis basis, uint64_t seed);
void ranking_data_release(struct ranking_data *data);

#endif
