/* Rules of the business that lists must keep, read from the source with the user's queries: what
 * may be recommended, to whom, how much of a kind, and who is served at all. How lists keep them is
 * written in serving.h. */
#ifndef NIGHTJAR_SERVING_SERVING_RULES_H
#define NIGHTJAR_SERVING_SERVING_RULES_H

#include "math/sparse.h"
#include "serving/rules_rows.h"
#include "serving/served_ids.h"

/* Zero-initialise. Users and items are source codes (served_ids.h). */
struct serving_rules {
    struct vocabulary segments; /* their names */
    int32_t *segment_of;        /* (users) -1: none; NULL: no segments */
    size_t n_items;             /* columns of `eligible` */
    uint8_t *eligible; /* (1 + segments, items) 1: may be recommended. Row 0: to everybody, row 1 +
                          s: to users of segment s. NULL: all items to all */
    struct sparse excluded;           /* (users, items) not for this user; n_rows 0: none */
    float *boosts;                    /* (items) added to the score; NULL: none */
    struct sparse categories;         /* (items, categories); n_rows 0: none */
    struct vocabulary category_names; /* TEXT */
    uint8_t *is_new;                  /* (items) NULL: none */
    uint8_t *served;                  /* (users) who gets lists; NULL: all */
};

/* The segment of a user; -1: of none, or there are no segments. NULL rules allowed, as below. */
static inline int32_t serving_rules_segment(const struct serving_rules *rules, size_t user)
{
    return rules == NULL || rules->segment_of == NULL ? -1 : rules->segment_of[user];
}

/* Whether users of the segment (-1: of none) may be recommended the item. */
static inline bool serving_rules_allow(const struct serving_rules *rules, int32_t segment,
                                       int32_t item)
{
    return rules == NULL || rules->eligible == NULL ||
           rules->eligible[(size_t)(segment + 1) * rules->n_items + (size_t)item] != 0;
}

/* Reads one rule; what the rules' order names before it must have been read. Rank 0 asks `db`, the
 * others have none; each keeps what is said of its users. Ids that nightjar does not know count for
 * nothing. STATUS_DATA with the row: a NULL or an id of another type than the
 * log's, a boost that is no finite number; also `eligible` and `users` without one known id, for
 * nobody would get a list. The indexes of users and items are built where they are missing. */
MUST_CHECK enum status_code serving_rules_read(struct db *db, const struct rules_query *query,
                                               struct ranks *ranks, struct served_ids *users,
                                               struct served_ids *items,
                                               struct serving_rules *rules, struct status *status);
void serving_rules_release(struct serving_rules *rules);

#endif
