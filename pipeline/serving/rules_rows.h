/* The queries of rules, and their rows. Rank 0 asks its source, and all ranks get the same rows,
 * piece by piece. */
#ifndef NIGHTJAR_SERVING_RULES_ROWS_H
#define NIGHTJAR_SERVING_RULES_ROWS_H

#include "base/hash.h"
#include "base/watch.h"
#include "ranks/ranks.h"
#include "store/row_batch.h"

/* In the order in which they are read. */
enum serving_rule {
    RULE_SEGMENTS,   /* user_id, segment */
    RULE_ELIGIBLE,   /* item_id, and, if it is there, segment: only for users of that segment */
    RULE_EXCLUDE,    /* user_id, item_id */
    RULE_BOOSTS,     /* item_id, boost */
    RULE_CATEGORIES, /* item_id, category; an item may have several */
    RULE_NEW_ITEMS,  /* item_id */
    RULE_USERS,      /* user_id */
    N_SERVING_RULES
};

/* A query of a rule. */
struct rules_query {
    enum serving_rule rule;
    const char *sql;
    bool has_segments; /* there is a query of segments, too */
    double timeout_seconds;
    struct watch watch; /* asked every few thousand rows */
};

/* Whether the query fits: one SELECT with the rule's columns (user_id or user, item_id or item),
 * and of items by segment only where segments are known. Else STATUS_CONFIG. Reads the first row of
 * those that decide who gets anything: none is STATUS_DATA, hours before that would be found. */
MUST_CHECK enum status_code rules_query_check(struct db *db, const struct rules_query *query,
                                              struct status *status);
/* Adds the query's rows, in their order. */
MUST_CHECK enum status_code rules_query_hash(struct db *db, const struct rules_query *query,
                                             struct hash_state *hash, struct status *status);
/* What a rule's query gives. */
struct rules_info {
    const char *what; /* the option, in messages */
    bool has_users, has_items;
    const char *label; /* a third column, or NULL */
    bool needs_label;
};
extern const struct rules_info rules_infos[N_SERVING_RULES];

enum { RULES_USER, RULES_ITEM, RULES_LABEL, N_RULES_COLUMNS };

/* Zero-initialise. */
struct rules_rows {
    const struct rules_query *query;
    const struct rules_info *info;
    struct ranks *ranks;
    struct db_query *statement;         /* of rank 0 */
    int columns[N_RULES_COLUMNS];       /* in the statement; -1: none */
    const char *names[N_RULES_COLUMNS]; /* of columns, in messages */
    bool has_label;                     /* the query gives it */
    struct buf packed;                  /* by rank 0 */
    struct ranks_bytes piece;
    size_t at, end; /* in the piece */
    bool is_last;
    int64_t n_rows;                      /* so far */
    struct batch_cell user, item, label; /* of the row; bytes until the next one */
};

/* db: of rank 0. The bytes of a label are text, but those of a boost. */
MUST_CHECK enum status_code rules_rows_open(struct rules_rows *rows, struct db *db,
                                            const struct rules_query *query, struct ranks *ranks,
                                            struct status *status);
MUST_CHECK enum status_code rules_rows_next(struct rules_rows *rows, bool *has_row,
                                            struct status *status);
void rules_rows_release(struct rules_rows *rows);

#endif
