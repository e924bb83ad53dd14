/* From the rows of a side-data query to the token matrix of one side (feature_table.h).
 *
 *     feature_reader_run      the rows, column by column
 *     feature_table_build     the tokens of each column (feature_tokens.h), side by side
 *     features_save, features_load, features_select
 *
 * Two items, 7 with price 3 and tags ["a"], 8 with price 5 and tags ["a", "b"], two buckets for
 * rare tags: the tokens are price 0, price is missing 1, tag a 2, tag b 3, the buckets 4 and 5. The
 * mean price is 4, the deviation 1, so that item 7 is {0: -1, 2: 1} and item 8 {0: 1, 2: .71, 3:
 * .71}. */
#ifndef NIGHTJAR_FEATURES_FEATURE_BUILD_H
#define NIGHTJAR_FEATURES_FEATURE_BUILD_H

#include "features/feature_rules.h"
#include "features/feature_reader.h"
#include "features/feature_table.h"

/* For people. Zero-initialise. */
struct feature_report {
    struct strings warnings;
    struct buf summary; /* one line: rows, new ids, columns and what was chosen for them */
};

/* STATUS_CONFIG when a listed column is not in `names`, with the nearest name. */
MUST_CHECK enum status_code feature_rules_check(const struct feature_rules *rules,
                                                const struct strings *names, struct status *status);
/* For a look at the first rows, whose types are not known yet: builds the columns of vectors alone,
 * with the errors of feature_table_build, and adds a sentence of each to `out`. */
MUST_CHECK enum status_code feature_vectors_check(const struct feature_rows *rows,
                                                  const struct feature_rules *rules,
                                                  struct buf *out, struct status *status);
/* out = the rows as tokens of the entities of `master` and of those that only the rows know.
 *
 * Types found out by themselves (`auto`): vector where more than half of the cells that are not
 * missing are BLOBs or JSON arrays of numbers with fractions; numeric where more hold numbers than
 * texts; multi where every text begins with "["; categorical where a value has three entities or
 * more on average; else text. A column without any value, or a numeric one with a single value, is
 * left out with a warning.
 *
 * A value that does not fit its column (infinite, a BLOB, no number in a numeric column, a broken
 * JSON array in a multi one) is STATUS_DATA with row, id, column and value, or with
 * BAD_VALUE_IMPUTE counts as missing and is reported. Ids of another type than those of `master`
 * are STATUS_DATA. `out` zeroed, untouched on error; `rows` may have no rows. */
MUST_CHECK enum status_code feature_table_build(const struct feature_rows *rows,
                                                const struct feature_rules *rules,
                                                const struct vocabulary *master,
                                                struct feature_table *out,
                                                struct feature_report *report,
                                                struct status *status);
void feature_report_release(struct feature_report *report);

#endif
