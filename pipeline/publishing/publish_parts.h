/* What the publish_*.c files share. Nobody else includes it.
 *
 *      generation.c     the order of things; dropping generations
 *      publish_names.c  names of tables and views, what is not ours, and what they show
 *      publish_rows.c   the rows of each table out of the content, in key order
 *      publish_check.c  whether the content is as it has to be
 *      publish_stream.c  these rows of all ranks, one behind the other
 *      publish_build.c  creating, filling and verifying the tables of a generation
 *      publish_history.c  what the history says of a generation
 *      publish_views.c  the switch: history rows and views in one transaction
 */
#ifndef NIGHTJAR_PUBLISHING_PUBLISH_PARTS_H
#define NIGHTJAR_PUBLISHING_PUBLISH_PARTS_H

#include "base/hash.h"
#include "publishing/publish_content.h"
#include "ranks/ranks.h"
#include "store/row_batch.h"

/* The tables of a generation. `items` (code, id) exists only where ids of items are TEXT; `users`
 * only in generations of an older nightjar, whose rows hold codes in place of all TEXT ids. */
enum publish_table {
    TABLE_USERS,
    TABLE_ITEMS,
    TABLE_RECOMMENDATIONS,
    TABLE_REASONS,
    TABLE_PARTS,
    TABLE_POPULAR_ITEMS,
    TABLE_SEGMENT_POPULAR,
    TABLE_SIMILAR_ITEMS,
    TABLE_TRENDING_ITEMS,
    TABLE_SIMILAR_USERS,
    TABLE_USER_EMBEDDINGS,
    TABLE_ITEM_EMBEDDINGS,
    TABLE_SCORE_FACTS,
    TABLE_SCORE_ITEMS,
    TABLE_SCORE_PAIRS,
    TABLE_SCORE_USERS,
    N_TABLES
};

enum { CELLS_MAX = 6, KEYS_MAX = 3 };

/* Of what is counted over all ranks: rows of each table, and users with a list. */
enum { COUNT_SERVED = N_TABLES, N_COUNTS };

struct publish_table_info {
    const char *name;
    const char *columns; /* what follows CREATE TABLE name; "$user", "$item": type of the ids */
    size_t n_columns;
    const char *key;  /* first column of the primary key */
    const char *keys; /* all of them: the first n_keys columns of the table */
    int n_keys;
    bool has_users;         /* dropped with secure_delete */
    const char *other_user; /* a column that holds users beside the key's, or NULL */
    const char *index_name; /* of the index on `indexed`, or NULL */
    const char *indexed;
};
extern const struct publish_table_info publish_tables[N_TABLES];

/* publish_names.c */

/* Our tables that no generation brings; ends with NULL. */
extern const char *const publish_fixed_tables[];

/* "PREFIXname_gN", or "PREFIXname" for generation 0, not quoted. */
void publish_name(struct buf *out, const char *prefix, const char *name, int64_t generation);
/* The same, quoted, added to SQL. */
void publish_add_name(struct buf *sql, const char *prefix, const char *name, int64_t generation);
/* Records a table or view as ours; inside a transaction. */
MUST_CHECK enum status_code publish_record(struct db *db, const char *prefix, const char *type,
                                           const char *name, int64_t generation,
                                           struct status *status);
/* Adds `text`, where each "$name" (small letters and _) stands for our quoted fixed name. */
void publish_add_sql(struct buf *sql, const char *prefix, const char *text);

/* Such a text, prepared. */
MUST_CHECK enum status_code publish_prepare(struct db *db, const char *prefix, const char *text,
                                            struct db_query **query, struct status *status);
/* Whether the table of that name is there. */
MUST_CHECK enum status_code publish_table_exists(struct db *db, const char *prefix,
                                                 const char *name, int64_t generation, bool *found,
                                                 struct status *status);

/* Whether people query it by its name. */
static inline bool publish_is_view(enum publish_table table)
{
    return table >= TABLE_RECOMMENDATIONS && table <= TABLE_ITEM_EMBEDDINGS;
}

/* How a generation holds its ids. */
struct publish_form {
    bool users_are_text, items_are_text; /* in the rows that people search by them */
    bool has_users, has_items;           /* dictionaries of TEXT ids, for the codes in other rows */
};
/* Of one that has tables. */
MUST_CHECK enum status_code publish_read_form(struct db *db, const char *prefix, int64_t generation,
                                              struct publish_form *form, struct status *status);

/* publish_rows.c */

/* Whether the content has the table at all (dictionaries: TEXT ids only). */
bool publish_has_table(const struct publish_content *content, enum publish_table table);
/* Moves *position over lists of `top` entries, from one that ended early to the next one's start;
 * false behind the last list. */
bool publish_seek_entry(const int32_t *entries, size_t n_lists, size_t top, size_t *position);
/* Fills `cells` with the next row of the table and moves *position (0 at first); false at the end.
 * Cells point into the content. */
bool publish_next_row(const struct publish_content *content, enum publish_table table,
                      size_t *position, struct batch_cell cells[CELLS_MAX]);
/* The checksum of a row. That of a table is the sum, which does not depend on the order: a file in
 * UTF-16 sorts TEXT ids otherwise than we do. */
uint64_t publish_row_hash(const struct batch_cell *cells, size_t n);

/* publish_check.c */

/* Shapes, ranges, order, finite numbers: STATUS_INTERNAL where a caller broke the contract,
 * STATUS_DATA when there is nothing to recommend. counts[t] = rows of each table, of all ranks. */
MUST_CHECK enum status_code publish_check_content(const struct publish_content *content,
                                                  struct ranks *ranks, int64_t counts[N_COUNTS],
                                                  struct status *status);

/* publish_stream.c */

/* Whether every rank has rows of the table; of any other rank 0 has all. */
bool publish_is_spread(enum publish_table table);

/* Who sends next. */
struct publish_turn {
    bool is_over; /* nobody: the table is at its end */
    bool sends[RANKS_MAX];
};

/* What has come of one rank. */
struct sender {
    struct buf piece;
    size_t at;    /* of the row after `row` */
    bool is_last; /* piece */
    bool has_row;
    bool goes_on; /* `row` has the key of the one before it */
    struct batch_cell row[CELLS_MAX];
};

struct row_stream {
    struct ranks *ranks;
    const struct publish_content *content; /* of rank 0 */
    enum publish_table table;
    size_t position;
    size_t n, turn; /* ranks with rows; whose was the last one */
    bool is_dry;    /* a rank's piece is used up: the next row makes those before it invalid */
    uint64_t sum;   /* of the own rows' hashes */
    struct sender senders[RANKS_MAX];
    struct ranks_bytes received;
};

/* Rank 0; `ranks` NULL: its rows are all. */
void row_stream_open(struct row_stream *stream, struct ranks *ranks,
                     const struct publish_content *content, enum publish_table table);
/* cells: of the content, or until a call that finds the stream dry. */
MUST_CHECK enum status_code row_stream_next(struct row_stream *stream, struct batch_cell *cells,
                                            bool *has_row, struct status *status);
/* sum: the checksum of the rows, as those made them who have them. */
MUST_CHECK enum status_code row_stream_end(struct row_stream *stream, uint64_t *sum,
                                           struct status *status);
void row_stream_release(struct row_stream *stream);
/* The other ranks, while rank 0 is in publish_build. */
MUST_CHECK enum status_code publish_send_rows(const struct publish_target *target,
                                              const struct publish_content *content,
                                              struct status *status);

/* publish_build.c */

/* Creates, fills and verifies the tables of a new generation. *generation is set as soon as tables
 * of it may exist. checksum: over all rows. */
MUST_CHECK enum status_code publish_build(const struct publish_target *target,
                                          const struct publish_content *content,
                                          const int64_t counts[N_COUNTS], int64_t *generation,
                                          char checksum[HASH_TEXT_MAX], struct status *status);

/* publish_history.c */

/* Rows of the generation, its run, its metrics, outcomes of those before it, and that it is the
 * current one. */
MUST_CHECK enum status_code publish_write_history(const struct publish_target *target,
                                                  const struct publish_content *content,
                                                  const int64_t counts[N_COUNTS],
                                                  int64_t generation, const char *checksum,
                                                  int64_t build_started, struct status *status);

/* That the views show the generation from now on, in place of a later one where it is a rollback.
 */
MUST_CHECK enum status_code publish_set_current(struct db *db, const char *prefix,
                                                int64_t generation, bool is_rollback,
                                                struct status *status);

/* publish_views.c */

/* The moment it becomes visible. `build_started`: Unix seconds. */
MUST_CHECK enum status_code publish_switch(const struct publish_target *target,
                                           const struct publish_content *content,
                                           const int64_t counts[N_COUNTS], int64_t generation,
                                           const char *checksum, int64_t build_started,
                                           struct status *status);

#endif
