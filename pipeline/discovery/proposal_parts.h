/* What the proposal*.c files share. Nobody else includes it.
 *
 *     proposal_choose.c  which tables are the log
 *     proposal_rows.c    what follows from their rows
 *     proposal_items.c   titles and categories
 *     proposal_write.c   the file */
#ifndef NIGHTJAR_DISCOVERY_PROPOSAL_PARTS_H
#define NIGHTJAR_DISCOVERY_PROPOSAL_PARTS_H

#include "discovery/proposal.h"

/* What is rarer says more: the square root of how much rarer than the commonest, rounded. */
void proposal_weigh_events(struct proposal *proposal);
/* The two newest parts of a week each, or of so many days as hold enough rows and not too many. */
MUST_CHECK enum status_code proposal_cut(struct proposal *proposal, struct status *status);
/* Whether new rows of several tables can be told by a number that only grows: made of their time,
 * their id within the second and their table. */
MUST_CHECK enum status_code proposal_find_key(struct proposal *proposal, struct status *status);

/* SELECT item_id, title, category FROM items; nothing where a title is not to be found. */
void proposal_add_items_query(const struct proposal *proposal, struct buf *sql);
/* SELECT item_id, category, price FROM items, or the same of users: what a column is called says
 * that it is a property; nothing where there is none. */
void proposal_add_side_query(const struct proposal *proposal, bool of_items, struct buf *sql);
/* SELECT item_id FROM items that can be had, by the column of numbers that says so most plainly;
 * nothing where none is called so. */
void proposal_add_eligible_query(const struct proposal *proposal, struct buf *sql);
/* Names are those of the first SELECT, and of all where they must not be lost. */
void proposal_add_as(struct buf *part, const char *name, bool is_first);

#endif
