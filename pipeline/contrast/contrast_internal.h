/* What the files of the contrastive kernel share: its memory, the job of one call, and the steps
 * that every kind of loss takes. Seen by contrast*.c alone. Shapes: B anchors, M candidates, d
 * dimensions, TILE columns of a tile, E positives of all anchors. */
#ifndef NIGHTJAR_CONTRAST_CONTRAST_INTERNAL_H
#define NIGHTJAR_CONTRAST_CONTRAST_INTERNAL_H

#include "base/mem.h"
#include "math/vec.h"
#include "contrast/contrast.h"
#include "contrast/uniformity.h"

enum {
    TILE_BITS = 8,
    TILE = 1 << TILE_BITS,   /* candidates in a tile */
    TILE_STRIDE = TILE + 16, /* floats between its rows: a power of two would use few cache sets */
    ANCHOR_BLOCK = 120,      /* anchors of a tile worked on together, 0.13 MB of logits: a part of
                                an L2; a multiple of the rows of every instruction set's product */
    ROW_BLOCK = 64,          /* anchors in a block of row work */
    COLUMN_BLOCK = 512,      /* candidates in a block of sparse gradient work */
    MAX_CHUNKS = 8           /* dA is summed over runs of tiles, one partial sum a run */
};

/* Sparse entries ordered by column, or by runs of as many columns as a tile has. */
struct by_column {
    struct scratch first; /* (runs + 1) int64: entries of run r are [first[r], first[r + 1]) */
    struct scratch row;   /* (entries) int32 */
    struct scratch entry; /* (entries) int64: position in the row-wise arrays */
};

/* Of one cut, over some of the anchor's negatives. */
struct cut_sums {
    double value, slope, count; /* sum of v psi, sum of v psi', negatives above the cut */
};

struct contrast {
    struct scratch tiles;             /* (n_tiles, B, TILE_STRIDE) where they are kept */
    struct scratch workspaces;        /* of each worker, see struct contrast_tile */
    struct scratch partial;           /* (n_chunks, B, d) */
    struct scratch row_loss;          /* (B) double */
    struct scratch is_empty;          /* (B) bool */
    struct scratch positive_logits;   /* (E) float */
    struct scratch positive_gradient; /* (E) float */
    struct scratch listed_logits;     /* (listed) float, turned into gradients */
    /* no two threads on one row of dC; in order when the loss has run */
    struct by_column positive_columns, listed_columns;
    struct by_column excluded_tiles;
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
    bool keep;        /* a tile's memory outlives the first pass */
    float scale;      /* 1 / temperature */
    size_t workspace; /* floats of a worker */
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
/* logits[e] = scale <A_row, C_column> for the entries of one row. */
void contrast_entry_logits(const struct contrast_job *job, const struct sparse *m, size_t row,
                           float *logits);

/* A tile of candidates in one worker's hands, and the memory of its work. */
struct contrast_tile {
    size_t tile, first, count; /* candidates [first, first + count) */
    float *turned;             /* packed (d, count): C^T scaled, for logits */
    float *packed;             /* packed (count, d): C, for dA */
    float *anchors;            /* packed (ANCHOR_BLOCK, d): scaled anchors of a block, for dC */
    float *logits;             /* (ANCHOR_BLOCK, TILE_STRIDE) of a block, unless tiles are kept */
    float *factors;            /* (ANCHOR_BLOCK) */
    int64_t next_excluded;     /* in excluded_tiles */
};

/* Some anchors of a tile: rows [first, first + count). */
struct contrast_block {
    size_t first, count;
    float *logits; /* (count, TILE_STRIDE) */
};

/* Takes a tile up; blocks follow in ascending order. */
struct contrast_tile contrast_tile_open(const struct contrast_job *job, size_t tile, size_t worker);
size_t contrast_n_blocks(const struct contrast_job *job);
struct contrast_block contrast_block_of(const struct contrast_job *job,
                                        const struct contrast_tile *tile, size_t block);
/* Before the first block whose logits are computed. */
void contrast_pack_turned(const struct contrast_job *job, struct contrast_tile *tile);
/* Computes a block's logits, what a row leaves out being -INFINITY. */
void contrast_block_logits(const struct contrast_job *job, struct contrast_tile *tile,
                           const struct contrast_block *block);
/* Before the first block whose products are added. */
void contrast_pack_candidates(const struct contrast_job *job, struct contrast_tile *tile);
/* From a block that holds G with dL/ds = diag(tile->factors) G: dC of the tile's columns, and a
 * share of the chunk's partial dA. Scales the factors. */
void contrast_block_products(const struct contrast_job *job, size_t chunk,
                             struct contrast_tile *tile, const struct contrast_block *block);

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
