/* A trainable table of vectors: weights, the gradient that a step has gathered so far, and the
 * optimizer. Only rows in play cost anything. Everything that learns (ids, tokens of histories and
 * features, layers) is one.
 *
 * A step: embedding_table_join or embedding_table_touch before rows are read, embedding_table_add
 * for each gradient, embedding_table_step once. Who needs no gathering, because each row has one
 * gradient, steps the table's optimizer row by row instead. Before all rows are read, saved or
 * shown, optimizer_catch_up. */
#ifndef NIGHTJAR_TOWERS_EMBEDDING_TABLE_H
#define NIGHTJAR_TOWERS_EMBEDDING_TABLE_H

#include "math/by_column.h"
#include "ranks/ranks.h"
#include "towers/optimizer.h"
#include "towers/row_order.h"
#include "store/artifact.h"

/* Zero-initialise. */
struct embedding_table {
    size_t n, dimension;
    float *weights; /* (n, dimension) */
    struct optimizer optimizer;
    int32_t *slot_of; /* (n) place of a row's gradient, -1: not in play */
    size_t n_touched, n_room;
    int32_t *touched; /* (n_touched) rows in play, in the order of their slots */
    float *gradient;  /* (n_touched, dimension) */
    bool *is_empty;   /* (n_touched) the slot's gradient is 0 and not yet written */
    /* of embedding_table_add_sparse: its entries by slot */
    struct workspace workspace;
    int32_t *slots;      /* (entries) slot of each, row by row as they are summed */
    int64_t *entries;    /* (entries) place of each in the matrix */
    int64_t *offsets;    /* (rows + 1) into these two */
    int32_t *row_places; /* (rows) place of each in the matrix */
    uint8_t *row_shards; /* (rows) shard of each; NULL: shards do not count */
    struct by_column by_slot;
    /* of embedding_table_share: rows in play on any rank, in an order that all have */
    struct ranks_bytes shared;
    int32_t *union_rows;   /* (rows in play) */
    bool *is_in_union;     /* (n) */
    float *union_gradient; /* (rows in play, dimension) */
};

/* weights ~ N(0, scale^2), each row from its own stream (seed, purpose, row); scale 0: zeros. */
MUST_CHECK enum status_code embedding_table_init(struct embedding_table *table, size_t n,
                                                 size_t dimension,
                                                 const struct optimizer_settings *optimizer,
                                                 uint64_t seed, const char *purpose, double scale,
                                                 struct pool *pool, struct status *status);
/* Draws the first weights again, each row from the stream of its key (n; NULL: its number). */
void embedding_table_draw(struct embedding_table *table, const uint64_t *keys, uint64_t seed,
                          const char *purpose, double scale, struct pool *pool);
void embedding_table_release(struct embedding_table *table);

/* Puts rows (count, repeats allowed; NULL: all) into play: gives them a gradient of 0, unless they
 * are in play already. Their weights are read by optimizer_read_row. */
MUST_CHECK enum status_code embedding_table_join(struct embedding_table *table, const int32_t *rows,
                                                 size_t count, struct status *status);
/* As embedding_table_join, and brings the rows up to the present step in place: for those who read
 * `weights` itself. */
MUST_CHECK enum status_code embedding_table_touch(struct embedding_table *table,
                                                  const int32_t *rows, size_t count, double rate,
                                                  struct pool *pool, struct status *status);
/* gradient of rows[i] (NULL: row i) += values[i]; values (count, dimension), rows distinct and in
 * play. */
void embedding_table_add(struct embedding_table *table, const int32_t *rows, size_t count,
                         const float *values, struct pool *pool);
/* The same for one row: values (dimension). Threads may add to different rows. */
void embedding_table_add_row(struct embedding_table *table, size_t row, const float *values);
/* The gathered gradient (n_touched, dimension) in the order of the slots, to be added to. */
float *embedding_table_gradient(struct embedding_table *table);
/* For out = m weights: gradient += m^T values; m (count, n), values (count, dimension). Every
 * column of m is in play. Sums run along the tree of the shards of `order`, which is of m's rows;
 * NULL: in the order of the rows. */
MUST_CHECK enum status_code embedding_table_add_sparse(struct embedding_table *table,
                                                       const struct sparse *m,
                                                       const struct row_order *order,
                                                       const float *values, struct pool *pool,
                                                       struct status *status);
/* Of a table that every rank has whole: brings what each has gathered for its own shards together,
 * along the tree. Afterwards the same rows are in play on all of them, with the same gradient. A
 * collective; nothing at one rank. */
MUST_CHECK enum status_code embedding_table_share(struct embedding_table *table,
                                                  struct ranks *ranks, double rate,
                                                  struct pool *pool, struct status *status);
/* out (m->n_rows, dimension) += m weights. */
void embedding_table_pool(const struct embedding_table *table, const struct sparse *m, float *out,
                          struct pool *pool);

/* One optimizer step with the gathered gradient times `scale`, which is then empty. */
void embedding_table_step(struct embedding_table *table, double rate, double scale,
                          struct pool *pool);

/* For checkpoints, which the table outlives: arrays PREFIX.weights, PREFIX.state<i> and the number
 * PREFIX.steps, of a table that is settled. */
MUST_CHECK enum status_code embedding_table_save(const struct embedding_table *table,
                                                 struct artifact *artifact, const char *prefix,
                                                 struct status *status);
/* Into a table initialised with the same shape and rule. */
MUST_CHECK enum status_code embedding_table_restore(struct embedding_table *table,
                                                    const struct artifact *artifact,
                                                    const char *prefix, struct status *status);

/* ---- clipping a batch's gradient, over all tables together ---- */

/* The factor that brings a gradient of squared norm `square` down to norm `clip` (Pascanu, Mikolov
 * and Bengio 2013, algorithm 1): min(1, clip / sqrt(square)). 1 when clip is 0 or when the norm is
 * not finite, for then the loss says what is wrong. */
double gradient_clip_factor(double clip, double square);

/* gradient[0..n) *= factor; nothing is read or written for factor 1. */
void gradient_scale(float *gradient, size_t n, double factor, struct pool *pool);

#endif
