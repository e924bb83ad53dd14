/* The work on one column of side data: its cells in, its tokens row by row out. Shared by the files
 * that know a type: feature_tokens.c (numbers, words), feature_values.c (categories, lists) and
 * feature_vectors.c. */
#ifndef NIGHTJAR_FEATURES_FEATURE_ENCODER_H
#define NIGHTJAR_FEATURES_FEATURE_ENCODER_H

#include "features/feature_reader.h"
#include "features/feature_rules.h"
#include "features/feature_table.h"

/* One column as tokens. Zero-initialise. */
struct feature_block {
    struct feature_column column; /* first_token is the caller's to set */
    struct sparse tokens;         /* (n_rows, feature_column_tokens), numbered from 0 */
    struct strings values;        /* (n_values) ascending by bytes */
    char why_left_out[128];       /* not "": the column says nothing and has no tokens */
    size_t n_missing;             /* rows whose cell counts as missing, bad values included */
    size_t n_bare;                /* rows without any token */
    size_t n_bad;                 /* bad values that count as missing */
    char first_bad[512];          /* "row 7 (...): what is wrong with it" */
    int64_t first_bad_number;     /* 7 */
};

struct feature_encoder {
    const struct feature_rows *rows;
    const struct feature_cells *cells;
    size_t index, n_rows;
    const struct feature_rule *rule;
    const struct feature_rules *rules;
    struct feature_block *block;
    size_t n, capacity; /* entries in block->tokens */
};

/* Tells rules->watch now and then that row `row` is reached. */
MUST_CHECK enum status_code encoder_look_up(const struct feature_encoder *e, size_t row,
                                            struct status *status);
/* The cell does not fit: STATUS_DATA, or it is counted as missing, as the rules say. `problem`
 * follows the value in the message; "": an infinite number and a BLOB say it themselves. */
MUST_CHECK enum status_code encoder_bad_value(struct feature_encoder *e, size_t row,
                                              const char *problem, struct status *status);
/* The text of a cell, of length 0 when it is missing. It lives as long as the rows. */
MUST_CHECK enum status_code encoder_read_text(struct feature_encoder *e, size_t row,
                                              const char **text, size_t *length,
                                              struct status *status);
/* Adds an entry to the row that is being written. */
MUST_CHECK enum status_code encoder_add(struct feature_encoder *e, int32_t token, float value,
                                        struct status *status);
/* Sorts the entries from `first` to the end by token and joins equal ones; with `count` the value
 * says how many were joined, else it is 1. The entries must have been added with value 1. */
void encoder_join(struct feature_encoder *e, size_t first, bool count);
/* The entries since the last row are those of row `row`. */
void encoder_end_row(struct feature_encoder *e, size_t row);

/* A categorical or a multi column (block->column.type says which). */
MUST_CHECK enum status_code encode_values(struct feature_encoder *e, struct status *status);
/* A column of vectors. */
MUST_CHECK enum status_code encode_vectors(struct feature_encoder *e, struct status *status);
/* Whether a cell looks like one: any BLOB, and a JSON array of numbers with fractions. */
bool feature_is_vector(const struct feature_cells *cells, size_t row);

#endif
