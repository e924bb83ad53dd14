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

/* `ridge` is that of dataset->train, whose rows the crowd's are (NULL: all users are here). At most
 * 2,500 users are asked, a sample by the seed. */
MUST_CHECK enum status_code ridge_choose(const struct ridge *ridge, const struct dataset *dataset,
                                         const struct crowd *crowd, uint64_t seed,
                                         const struct watch *watch, struct pool *pool,
                                         struct ridge_choice *out, struct status *status);
/* *half_life = that of which the evidence of few partners ranks best, at settings->strengths[0]; 0
 * without times or a validation part, and unless another is clearly better. */
MUST_CHECK enum status_code ridge_choose_half_life(const struct dataset *dataset,
                                                   const struct ridge_settings *settings,
                                                   uint64_t seed, struct pool *pool,
                                                   double *half_life, struct status *status);

#endif
