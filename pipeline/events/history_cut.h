/* Taking pairs in master codes into the rows and columns of a basis: held-out parts, and the
 * histories of who has no row. */
#ifndef NIGHTJAR_EVENTS_HISTORY_CUT_H
#define NIGHTJAR_EVENTS_HISTORY_CUT_H

#include "dataset/dataset.h"

struct history_cut {
    const struct history *part;
    const uint8_t *keep;           /* (entries of part) 0: the pair does not count; NULL: all do */
    const struct history *seen[3]; /* pairs that do not count, in master codes; or NULL */
    bool repeats;                  /* they count all the same */
    const uint8_t *skip_items;     /* (n_master_items) 1: its pairs do not count; or NULL */
    /* Row and column of each master code, -1: none; rows ascend with codes, and so do columns.
       Codes beyond the master vocabularies (of a given test) have neither. */
    int32_t *row_of;    /* (n_master_users) */
    int32_t *column_of; /* (n_master_items) */
    size_t n_master_users, n_master_items;
    size_t n_rows, n_columns; /* of what is made */
};

/* What the pairs that count and fit nowhere come to. */
struct history_cut_misses {
    int32_t *unknown;       /* (n_rows) pairs of a row's user with items without a column */
    size_t n_unknown_users; /* users without a row that have any pair that counts */
};

/* A cut into the rows and columns of a basis, without any part yet. `master`: as many rows and
 * columns as there are master codes. Release it, also on an error. */
MUST_CHECK enum status_code history_cut_start(struct history_cut *cut, const struct dataset *set,
                                              const struct sparse *master, struct status *status);
void history_cut_release(struct history_cut *cut); /* its maps */
/* out (n_rows, n_columns), zeroed before: with the values (1 where it has none) and times of
 * `part`. `misses` may be NULL; its array is the caller's to free. On an error both are untouched.
 */
MUST_CHECK enum status_code history_cut_take(const struct history_cut *cut, struct history *out,
                                             struct history_cut_misses *misses,
                                             struct status *status);
/* out (n_rows, n_columns; zeroed) = the pairs of all parts that are not NULL, whatever was seen:
 * what lists leave out. Zeroed still when there is no part; with repeats there is no pair. */
MUST_CHECK enum status_code history_cut_bar(struct history_cut cut,
                                            const struct history *const *parts, size_t n_parts,
                                            struct sparse *out, struct status *status);
/* out, zeroed before = the pairs of either, as many rows and columns as the larger; where both have
 * one, that of `a`. Both have times. */
MUST_CHECK enum status_code history_merge(const struct history *a, const struct history *b,
                                          struct history *out, struct status *status);
/* out, zeroed before = `from`, which has values and times. */
MUST_CHECK enum status_code history_copy(const struct history *from, struct history *out,
                                         struct status *status);

#endif
