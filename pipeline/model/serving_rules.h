/* Rules of the business that lists must keep, read from the source with the user's queries: which
 * items may be recommended at all, and which ones not to whom. */
#ifndef NIGHTJAR_MODEL_SERVING_RULES_H
#define NIGHTJAR_MODEL_SERVING_RULES_H

#include "base/hash.h"
#include "math/sparse.h"
#include "model/served_ids.h"
#include "store/db.h"

/* Zero-initialise. Codes are source codes (served_ids.h). */
struct serving_rules {
    uint8_t *eligible;      /* (items) 1: may be recommended; NULL: all may */
    struct sparse excluded; /* (users, items) not for this user; n_rows 0: none */
};

/* A query and where it comes from. */
struct rules_query {
    const char *what; /* "recommend.eligible", in messages */
    const char *sql;
    double timeout_seconds;
    bool has_users; /* it gives user_id and item_id, else item_id alone counts */
    /* called every few thousand rows; another code than STATUS_OK abandons; may be NULL */
    enum status_code (*between)(void *data, struct status *status);
    void *data;
};

/* Whether the query fits: one SELECT with the columns (user_id or user, item_id or item). Else
 * STATUS_CONFIG. Reads nothing. */
MUST_CHECK enum status_code rules_query_check(struct db *db, const struct rules_query *query,
                                              struct status *status);
/* Adds the query's rows, in their order. */
MUST_CHECK enum status_code rules_query_hash(struct db *db, const struct rules_query *query,
                                             struct hash_state *hash, struct status *status);
/* rules->eligible, of the items that the query gives; ids that nightjar does not know count for
 * nothing. Not one known item, a NULL or an id of another type than the log's is STATUS_DATA.
 * users, items: their index is built where it is missing. */
MUST_CHECK enum status_code serving_rules_read_eligible(struct db *db,
                                                        const struct rules_query *query,
                                                        struct served_ids *items,
                                                        struct serving_rules *rules,
                                                        struct status *status);
/* rules->excluded, of the pairs that the query gives; the same errors, but no pair at all is fine.
 */
MUST_CHECK enum status_code serving_rules_read_excluded(
    struct db *db, const struct rules_query *query, struct served_ids *users,
    struct served_ids *items, struct serving_rules *rules, struct status *status);
void serving_rules_release(struct serving_rules *rules);

#endif
