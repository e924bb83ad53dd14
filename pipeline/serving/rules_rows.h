/* The rows of a rule's query. Rank 0 asks its source, and all ranks get the same rows, piece by
 * piece. */
#ifndef NIGHTJAR_SERVING_RULES_ROWS_H
#define NIGHTJAR_SERVING_RULES_ROWS_H

#include "serving/serving_rules.h"
#include "store/row_batch.h"

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
