/* One column of side data as tokens: finding its type, its vocabulary or its scale, and the values
 * of every row. Used by feature_build.c alone. */
#ifndef NIGHTJAR_FEATURES_FEATURE_TOKENS_H
#define NIGHTJAR_FEATURES_FEATURE_TOKENS_H

#include "features/feature_build.h"

/* Zero-initialise. */
struct feature_block {
    struct feature_column column; /* first_token is the caller's to set */
    struct sparse tokens;         /* (n_rows, feature_column_tokens), numbered from 0 */
    struct strings values;        /* (n_values) ascending by bytes */
    char why_left_out[128];       /* not "": the column says nothing and has no tokens */
    size_t n_missing;             /* rows whose cell counts as missing, bad values included */
    size_t n_bare;                /* rows without any token */
    size_t n_bad;                 /* bad values that count as missing */
    char first_bad[512];          /* "row 7 (...): what is wrong with it" */
};

/* Column `index` of the rows. Errors as feature_table_build's; `out` zeroed, and to be released on
 * error, too. */
MUST_CHECK enum status_code feature_encode(const struct feature_rows *rows, size_t index,
                                           const struct feature_rule *rule,
                                           const struct feature_rules *rules,
                                           struct feature_block *out, struct status *status);
void feature_block_release(struct feature_block *block);

#endif
