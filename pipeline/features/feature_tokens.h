/* One column of side data as tokens: finding its type, its vocabulary or its scale, and the values
 * of every row. Used by feature_build.c alone. */
#ifndef NIGHTJAR_FEATURES_FEATURE_TOKENS_H
#define NIGHTJAR_FEATURES_FEATURE_TOKENS_H

#include "features/feature_encoder.h"

/* Column `index` of the rows. Errors as feature_table_build's; `out` zeroed, and to be released on
 * error, too. */
MUST_CHECK enum status_code feature_encode(const struct feature_rows *rows, size_t index,
                                           const struct feature_rule *rule,
                                           const struct feature_rules *rules,
                                           struct feature_block *out, struct status *status);
void feature_block_release(struct feature_block *block);

#endif
