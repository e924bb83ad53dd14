/* How strongly learned item-item evidence is held back, chosen on the validation part: the evidence
 * alone ranks for its users, and the strength with the best NDCG@20 wins. */
#ifndef NIGHTJAR_EVALUATION_RIDGE_CHOICE_H
#define NIGHTJAR_EVALUATION_RIDGE_CHOICE_H

#include "pairs/ridge.h"

struct ridge_choice {
    size_t strength; /* the best one's place; of equal ones the first */
    double value;    /* its NDCG@20; NAN: nobody to ask, and it is the first */
    size_t n_users;
};

/* `ridge` is that of dataset->train. At most 2,500 users are asked, a sample by the seed. */
MUST_CHECK enum status_code ridge_choose(const struct ridge *ridge, const struct dataset *dataset,
                                         uint64_t seed, const struct watch *watch,
                                         struct pool *pool, struct ridge_choice *out,
                                         struct status *status);

#endif
