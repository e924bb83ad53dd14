/* Explicit dislikes: rows of the log that say that a user does not want an item. They are events
 * with a log of their own (event_log.dislikes), cut and folded like the positive ones, and weighed
 * against them pair by pair: what was said last counts, at equal times the dislike.
 *
 * Nothing later than the train part reaches FIT: there a dislike that came with the held-out events
 * does not exist yet, and a train positive that was disliked later is still one. A held-out pair
 * that was disliked later is no positive any more. */
#ifndef NIGHTJAR_EVENTS_DISLIKES_H
#define NIGHTJAR_EVENTS_DISLIKES_H

#include "events/event_log.h"

/* Adds the ids of dislikes to the log's, so that who and what stands in dislikes alone has a master
 * code without events, and such a dislike counts, too. Before event_log_sort of the log. */
MUST_CHECK enum status_code dislikes_add_ids(const struct event_log *dislikes,
                                             struct event_log *log, struct status *status);
/* Takes dislikes newer than `border` out of PART_TRAIN. */
void dislikes_cut_at(struct event_log *dislikes, int64_t border);
/* Takes a user's dislikes out of PART_TRAIN that are not older than the user's first event of
 * another part. Both logs are sorted. */
void dislikes_cut_by_user(const struct event_log *log, struct event_log *dislikes);

/* out = the pairs disliked in `parts`, in the codes of the sorted vocabularies `users` and `items`,
 * with times and without values; pairs of ids that these do not have are left out. `out` zeroed. */
MUST_CHECK enum status_code dislikes_fold(const struct event_log *dislikes, unsigned parts,
                                          const struct vocabulary *users,
                                          const struct vocabulary *items, struct history *out,
                                          struct status *status);
/* Of pairs that are in both, the older one goes. Equal codes, both with times; `positives` may have
 * more rows and columns. `dislikes` unchanged when keep_dislikes. */
MUST_CHECK enum status_code dislikes_settle(struct history *positives, struct history *dislikes,
                                            bool keep_dislikes, struct status *status);
/* set->dislikes = the dislikes (master codes) of users and items that the dataset has, in its
 * numbers. */
MUST_CHECK enum status_code dislikes_renumber(const struct history *dislikes, struct dataset *set,
                                              struct status *status);

#endif
