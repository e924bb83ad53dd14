/* Of a dataset that was built of all users, the part of one rank (ranks/ranks.h). */
#ifndef NIGHTJAR_TESTS_OWN_USERS_H
#define NIGHTJAR_TESTS_OWN_USERS_H

#include "dataset/dataset.h"
#include "ranks/ranks.h"

/* Drops the users of other ranks, from both bases and whatever there is by user; items keep their
 * codes and columns, those that were only seen are the rank's. Nothing at one rank. `interactions`
 * owns its arrays. */
MUST_CHECK enum status_code own_users_keep(struct ranks *ranks, struct interactions *interactions,
                                           struct status *status);

#endif
