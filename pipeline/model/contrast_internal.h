/* What the files of the contrastive kernel share: its memory, the job of one call, and the steps
 * that every kind of loss takes. Seen by contrast*.c alone. Shapes: B anchors, M candidates, d
 * dimensions, TILE columns of a tile, E positives of all anchors. */
#ifndef NIGHTJAR_MODEL_CONTRAST_INTERNAL_H
#define NIGHTJAR_MODEL_CONTRAST_INTERNAL_H

#include "base/mem.h"
#include "math/vec.h"
#include "model/contrast.h"
#include "model/uniformity.h"

enum {
    TILE = 256,         /* candidates in a tile: with 512 anchors, 0.5 MB of logits, half an L2 */
    ROW_BLOCK = 64,     /* anchors in a block of row work */
    COLUMN_BLOCK = 512, /* candidates in a block of sparse gradient work */
    MAX_CHUNKS = 8      /* dA is summed over runs of tiles, one partial sum a run */
};

/* Sparse entries ordered by column, to add up dC without two threads on one row. */
struct by_column {
    struct scratch first; /* (M + 1) int64: entries of column c are [first[c], first[c + 1]) */
    struct scratch row;   /* (entries) int32 */
    struct scratch entry; /* (entries) int64: position in the row-wise arrays */
};

/* Of one cut, over some of the anchor's negatives. */
struct cut_sums {
    double value, slope, count; /* sum of v psi, sum of v psi', negatives above the cut */
};

struct contrast {
    struct scratch tiles;             /* kept: (n_tiles, B, TILE); else one (B, TILE) a worker */
    struct scratch partial;           /* (n_chunks, B, d) */
    struct scratch row_loss;          /* (B) double */
    struct scratch is_empty;          /* (B) bool */
    struct scratch positive_logits;   /* (E) float */
    struct scratch positive_gradient; /* (E) float */
    struct scratch listed_logits;     /* (listed) float, turned into gradients */
    struct by_column positive_columns, listed_columns;
    /* log-sum */
    struct scratch tile_max;      /* (n_tiles, B) float */
    struct scratch tile_sum;      /* (n_tiles, B) float: sum of exp(s + b - max) */
    struct scratch log_sum, mass; /* (B) double */
    struct scratch is_negative;   /* (E) bool: the positive stands among the shared negatives */
    /* cut; n_cuts is E or B */
    struct scratch cuts;           /* (n_cuts) float, logits */
    struct scratch factors;        /* (n_cuts) float */
    struct scratch cut_sums;       /* (n_chunks, n_cuts) struct cut_sums */
    struct scratch shared_weights; /* (n_negatives) float: v_c */
    struct scratch listed_weights; /* (listed) float: v_c */
    struct scratch negatives;      /* (B) double: V of each anchor */
    /* uniform */
    struct uniformity uniformity;
    /* diagnostics */
    struct scratch tile_square;    /* (n_tiles, B) float: sum of exp(s + b - max)^2 */
    struct scratch candidate_sum;  /* (d) double: sum of the shared negatives */
    struct scratch effective;      /* (B) double */
    struct scratch positive_total; /* (B) double: sum of the cosines of an anchor's positives */
    struct scratch negative_total; /* (B) double */
};

/* What the tasks of one call share. */
struct contrast_job {
    const struct contrast_settings *settings;
    const struct contrast_batch *batch;
    struct contrast_result *result;
    const struct vec_ops *vec;
    struct contrast *work;
    size_t n_tiles, n_chunks;
    bool keep;   /* a tile's memory outlives the first pass */
    float scale; /* 1 / temperature */
    /* cut */
    size_t n_cuts;
    float high_offset;    /* v = exp(b - high_offset), so that none overflows */
    double shared_weight; /* sum of shared_weights */
};

/* ---- contrast.c ---- */

/* The rows [*first, *last) of a block of anchors. */
void contrast_row_block(const struct contrast_job *job, size_t block, size_t *first, size_t *last);
/* The tiles [*first, *last) of a chunk. */
void contrast_chunk(const struct contrast_job *job, size_t chunk, size_t *first, size_t *last);
size_t contrast_tile_columns(const struct contrast_job *job, size_t tile);
float *contrast_tile_memory(const struct contrast_job *job, size_t tile, size_t worker);
/* logits[e] = scale <A_row, C_column> for the entries of one row. */
void contrast_entry_logits(const struct contrast_job *job, const struct sparse *m, size_t row,
                           float *logits);
/* Fills a tile (B, TILE) with the logits of its columns, what a row leaves out being -INFINITY. */
void contrast_tile_logits(const struct contrast_job *job, size_t tile, float *logits);
/* From a tile that holds dL/ds: dC of its columns, and a share of the chunk's partial dA. */
void contrast_tile_products(const struct contrast_job *job, size_t chunk, size_t tile,
                            const float *gradient);

/* ---- one function a kind of loss ---- */

/* Fill row_loss, is_empty, positive_gradient, listed_logits (as gradients), the dC rows of the
 * shared negatives and the partial dA of each chunk. */
MUST_CHECK enum status_code contrast_log_sum(struct contrast_job *job, struct pool *pool,
                                             struct status *status);
MUST_CHECK enum status_code contrast_cut(struct contrast_job *job, struct pool *pool,
                                         struct status *status);
MUST_CHECK enum status_code contrast_uniform(struct contrast_job *job, struct pool *pool,
                                             struct status *status);

/* Memory and first pass of the log-sum kind: tile_max, tile_sum (and tile_square). */
MUST_CHECK enum status_code contrast_log_sum_tiles(struct contrast_job *job, struct pool *pool,
                                                   struct status *status);
/* After it: the logits of a row's entries, log_sum. */
void contrast_log_sum_row(const struct contrast_job *job, size_t row);

/* ---- contrast_diagnose.c ---- */

/* Before any row is diagnosed. */
MUST_CHECK enum status_code contrast_diagnose_start(struct contrast_job *job,
                                                    struct status *status);
/* After contrast_log_sum_row. */
void contrast_diagnose_row(const struct contrast_job *job, size_t row);
/* Passes of its own for the other kinds, before theirs. */
MUST_CHECK enum status_code contrast_diagnose_beside(struct contrast_job *job, struct pool *pool,
                                                     struct status *status);
/* After all rows. */
void contrast_diagnose_end(const struct contrast_job *job,
                           struct contrast_diagnostics *diagnostics);

#endif
