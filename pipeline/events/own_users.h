/* Of a dataset that was built of all users, the part of one rank (ranks/ranks.h). */
#ifndef NIGHTJAR_EVENTS_OWN_USERS_H
#define NIGHTJAR_EVENTS_OWN_USERS_H

#include "dataset/dataset.h"
#include "ranks/ranks.h"

/* Drops the users of other ranks, from both bases and whatever there is by user; items keep their
 * codes and columns. *new_code (users, the caller's) = what became of each master code, -1: gone.
 * Nothing at one rank, *new_code NULL. `interactions` owns its arrays. */
MUST_CHECK enum status_code own_users_keep(struct ranks *ranks, struct interactions *interactions,
                                           int32_t **new_code, struct status *status);

#endif
