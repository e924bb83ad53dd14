/* Side data of users and items, as every stage behind `features` sees it. One representation for
 * all kinds of columns: a sparse matrix (entities, tokens) with values. A tower learns one
 * embedding a token; an entity's features are the sum of value x embedding over its row.
 *
 *   column type    tokens, in this order                      values of an entity's row
 *   categorical    one a frequent value, hashed buckets        1
 *                  for the others, one for "missing"
 *   multi          one a frequent value, hashed buckets        1 / sqrt(tokens of the entity)
 *   numeric        one, and one for "missing"                  (x - mean) / sd within -5..5; 1
 *   text           hashed buckets of words                     tf x idf, the entity's at length 1
 *   vector         one a component                             its direction from the mean, length
 * 1
 *
 * So each column's part of a row has a length of about 1 and columns count alike. An entity without
 * a row in the table, and one without tags or words, has no tokens there.
 *
 * Entities are numbered like the master vocabulary of the interactions; ids that stand only in the
 * side data (cold items and users) follow behind it, ascending by id.
 */
#ifndef NIGHTJAR_FEATURES_FEATURE_TABLE_H
#define NIGHTJAR_FEATURES_FEATURE_TABLE_H

#include "math/sparse.h"
#include "dataset/vocabulary.h"

enum feature_side { FEATURE_ITEMS, FEATURE_USERS, N_FEATURE_SIDES };
extern const char *const feature_side_names[N_FEATURE_SIDES]; /* "items", "users" */

enum feature_type {
    FEATURE_AUTO,
    FEATURE_CATEGORICAL,
    FEATURE_MULTI,
    FEATURE_NUMERIC,
    FEATURE_TEXT,
    FEATURE_VECTOR
};
extern const char *const feature_type_names[]; /* as in the configuration; NULL-terminated */

/* Tokens [first_token, first_token + feature_column_tokens) belong to the column. */
struct feature_column {
    enum feature_type type; /* never FEATURE_AUTO */
    size_t first_token;
    size_t n_values;  /* values with a token of their own */
    size_t n_buckets; /* tokens shared by hash; of a vector, its components */
    double mean, sd;  /* of a numeric column, over the entities that have a value */
    size_t dimension; /* of a vector, and the share of the variance that its components */
    double kept;      /* keep: for people, in no artifact */
};

/* One side. Zero-initialise. */
struct feature_table {
    size_t n_master;         /* entities of the interactions' master vocabulary */
    struct vocabulary extra; /* ids behind it: code = n_master + index, ascending by id */
    struct sparse matrix;    /* (n_master + extra.n, n_tokens); n_tokens 0: no side data */
    size_t n_columns;
    struct feature_column *columns; /* (n_columns), in the order of the query */
    struct strings names;           /* (n_columns) */
    struct strings values;          /* (sum of n_values) texts of the values, in token order */
    bool is_view;                   /* the arrays, `columns` excepted, belong to an artifact */
};

struct features {
    struct feature_table side[N_FEATURE_SIDES];
};

/* Moves everything into the artifact "features"; `features` stays usable as a view. On error
 * `features` is released. */
MUST_CHECK enum status_code features_save(struct features *features, struct artifact *artifact,
                                          struct status *status);
/* A view over the artifact, which must outlive it; `out` zeroed. */
MUST_CHECK enum status_code features_load(struct features *out, const struct artifact *artifact,
                                          struct status *status);
void features_release(struct features *features);
void feature_table_release(struct feature_table *table);

/* out (n, n_tokens) = the rows of `codes` (n; master codes or those of extra entities, in any
 * order). `out` zeroed; release with sparse_release. A code out of range is STATUS_INTERNAL. */
MUST_CHECK enum status_code features_select(const struct features *features, enum feature_side side,
                                            const int32_t *codes, size_t n, struct sparse *out,
                                            struct status *status);

/* Number of tokens of a column: values, buckets, and those for the number and for "missing". */
size_t feature_column_tokens(const struct feature_column *column);
/* Adds "name, name" of the columns of `before` that `now` lacks or has as another type; nothing
 * when there are none. */
void feature_table_vanished(const struct feature_table *now, const struct feature_table *before,
                            struct buf *out);

#endif
