/* Tables that can be a log of who chose what, by their names and references alone.
 *
 *     clicks(user_id, item_id, ts)                                      as it stands
 *     order_items(order_id, product_id) -> orders(customer_id, date)    the user through a parent
 *     loans(member_id, copy_id) -> copies(book_id)                      the item through a stand-in
 */
#ifndef NIGHTJAR_DISCOVERY_LOG_CANDIDATES_H
#define NIGHTJAR_DISCOVERY_LOG_CANDIDATES_H

#include "discovery/source_schema.h"

/* A column of the log's table or of one that it is joined with; column SCHEMA_NONE: there is none.
 */
struct log_field {
    int table, column;
};

struct log_candidate {
    int table;
    struct log_field user, item, time, event, rating, count, quantity;
    int parent, stand_in;       /* columns of `table` by which others are joined; SCHEMA_NONE */
    int user_table, item_table; /* what the ids refer to; SCHEMA_NONE */
    int user_score, item_score; /* below 2: hardly */
    int score;                  /* of it as a whole */
    bool other_time;            /* another column could be the time as well */
};

enum { CANDIDATE_SCORE_SURE = 2 };

struct log_candidates {
    size_t n;
    struct log_candidate *list; /* the best first; of the schema's arena */
};

MUST_CHECK enum status_code log_candidates_find(struct schema *schema,
                                                struct log_candidates *candidates,
                                                struct status *status);
bool log_candidate_is_sure(const struct log_candidate *candidate);
/* Whether two logs are about the same users and items. */
bool log_candidates_agree(const struct schema *schema, const struct log_candidate *a,
                          const struct log_candidate *b);
/* "products": what the items, or the users, are called. */
const char *log_candidate_items(const struct schema *schema, const struct log_candidate *candidate);
const char *log_candidate_users(const struct schema *schema, const struct log_candidate *candidate);

/* SQL, as somebody would write it: the column, qualified where tables are joined; what follows
 * FROM. */
void log_candidate_add_field(const struct schema *schema, const struct log_candidate *candidate,
                             struct log_field field, struct buf *sql);
void log_candidate_add_from(const struct schema *schema, const struct log_candidate *candidate,
                            struct buf *sql);

#endif
