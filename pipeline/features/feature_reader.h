/* The rows of one side-data query, column by column, as they stand in the source. What a column
 * means is feature_build.h's business. */
#ifndef NIGHTJAR_FEATURES_FEATURE_READER_H
#define NIGHTJAR_FEATURES_FEATURE_READER_H

#include "base/watch.h"
#include "dataset/vocabulary.h"
#include "publishing/forgotten.h"
#include "ranks/shards.h"

/* An empty text counts as missing, as NULL does: that is how it comes out of CSV files. */
enum cell_kind { CELL_MISSING, CELL_NUMBER, CELL_TEXT, CELL_INFINITE, CELL_BLOB };

/* Longer BLOBs are no vectors. */
enum { VECTOR_NUMBERS_MAX = 8192, VECTOR_BYTES_MAX = 4 * VECTOR_NUMBERS_MAX };

/* One column. */
struct feature_cells {
    uint8_t *kinds;       /* (n_rows) enum cell_kind */
    double *numbers;      /* (n_rows) CELL_NUMBER: the number as it stands, finite */
    struct strings texts; /* (n_rows) CELL_TEXT: the text. CELL_NUMBER: its decimal text, all digits
                             of an INTEGER included. CELL_BLOB: its bytes, none if too many */
    size_t capacity;
};

/* Zero-initialise. Texts of the query are the caller's. Of people several ranks (ranks/ranks.h)
 * have each those of its own shards; what is summed over them is summed along the tree of the
 * shards. Items are everybody's, all in the first shard: their sums run in the order of rows. */
struct feature_rows {
    const char *what;      /* "features.items.query" */
    const char *id_name;   /* "item_id" */
    struct ranks *ranks;   /* among whom the rows are spread; NULL: these are all */
    struct vocabulary ids; /* code = row, zero-based */
    struct shard_rows by_shard;
    int64_t *numbers; /* (ids.n) of the rows in the query, from 1 */
    size_t capacity;
    size_t n_columns;            /* without the id */
    struct strings names;        /* (n_columns) */
    struct feature_cells *cells; /* (n_columns) */
};

/* A column named `id_name` or `id_short` (in any case of letters) holds the id; every other column
 * is side data. */
struct feature_query {
    const char *what, *sql;
    const char *id_name, *id_short; /* "item_id", "item" */
    double timeout_seconds;
    size_t most_rows;                  /* the others are not read; 0: all are */
    const struct forgotten *forgotten; /* people whose rows do not exist; NULL: none */
    struct ranks *ranks; /* each keeps its own people of the rows, which all read; NULL: all */
};

/* Reads every row; `out` zeroed, untouched on error. STATUS_CONFIG when the query does not compile,
 * has no id, no other column or a name twice; STATUS_DATA for an id that is NULL, empty, a BLOB or
 * a fraction, ids of two types, an id with two rows. A REAL id that is a whole number counts as
 * that INTEGER. `watch` (NULL allowed) is told every few thousand rows how many were read. */
MUST_CHECK enum status_code feature_reader_run(struct db *db, const struct feature_query *query,
                                               const struct watch *watch, struct feature_rows *out,
                                               struct status *status);
void feature_rows_release(struct feature_rows *rows);

/* Adds "features.items.query, row 7 (item_id 12)"; who a user is stays out of messages: "row 7". */
void feature_rows_place(const struct feature_rows *rows, size_t row, struct buf *out);

#endif
