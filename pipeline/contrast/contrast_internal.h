/* What the files of the contrastive kernel share: the job of one call, and the steps that every
 * kind of loss takes. Seen by contrast*.c alone. Shapes: B anchors, M candidates, d dimensions,
 * TILE columns of a tile, E positives of all anchors, L listed negatives. */
#ifndef NIGHTJAR_CONTRAST_CONTRAST_INTERNAL_H
#define NIGHTJAR_CONTRAST_CONTRAST_INTERNAL_H

#include "base/pool.h"
#include "base/tree_sum.h"
#include "base/workspace.h"
#include "contrast/contrast_batch.h"
#include "math/by_column.h"
#include "math/vec.h"

#include <string.h>

enum {
    TILE_BITS = 8,
    TILE = 1 << TILE_BITS,   /* candidates in a tile */
    TILE_STRIDE = TILE + 16, /* floats between its rows: a power of two would use few cache sets */
    ANCHOR_BLOCK = 120,      /* anchors of a tile worked on together, 0.13 MB of logits: a part of
                                an L2; a multiple of the rows of every instruction set's product */
    ROW_BLOCK = 64,          /* anchors in a block of row work */
    COLUMN_BLOCK = 512,      /* candidates in a block of sparse gradient work */
    MAX_CHUNKS = 8,          /* dA is summed over runs of tiles, one partial sum a run */
    WORKER_PARTS = 6         /* of a worker's memory, see struct contrast_tile */
};

/* Of one cut, over some of the anchor's negatives. */
struct cut_sums {
    double value, slope, count; /* sum of v psi, sum of v psi', negatives above the cut */
};

/* What the tasks of one call share. The arrays are in the workspace of struct contrast. */
struct contrast_job {
    const struct contrast_settings *settings;
    const struct contrast_batch *batch;
    struct contrast_result *result;
    const struct vec_ops *vec;
    size_t n_tiles, n_chunks;
    size_t n_leaves, whole[2]; /* the batch's leaves, or one of all anchors */
    const size_t *leaves;
    bool keep;   /* a tile's memory outlives the first pass */
    float scale; /* 1 / temperature */

    float *tiles;                      /* (n_tiles, B, TILE_STRIDE) where they are kept */
    float *workers;                    /* (workers, worker_floats) */
    size_t worker_parts[WORKER_PARTS]; /* floats of each part, whole cache lines */
    size_t worker_floats;
    float *partial;     /* (n_chunks, B, d) */
    float *leaf_sums;   /* (COLUMN_BLOCKs of candidates, d) */
    size_t *first_part; /* (M) the first of result->parts of a column, where they are asked for */
    int32_t *part_columns, *part_leaves;
    float *part_values;
    double *row_loss;         /* (B) */
    bool *is_empty;           /* (B) */
    float *positive_logits;   /* (E) */
    float *positive_gradient; /* (E) */
    float *listed_logits;     /* (L), turned into gradients */
    /* no two threads on one row of dC; in order when the loss has run */
    struct by_column positive_columns, listed_columns;
    struct by_column excluded_tiles;

    /* softmax, and the diagnostics of every kind */
    float *tile_max;   /* (n_tiles, B) */
    float *tile_sum;   /* (n_tiles, B) sum of exp(s + b - max) */
    double *log_sum;   /* (B) log of the sum over all of the anchor's negatives */
    double *mass;      /* (B) what turns the softmax over the negatives into dL/ds */
    bool *is_negative; /* (E) the positive stands among the shared negatives */

    /* margin; n_cuts is E or B */
    size_t n_cuts;
    float *cuts;               /* (n_cuts) logits */
    float *factors;            /* (n_cuts) */
    struct cut_sums *cut_sums; /* (n_chunks, n_cuts) */
    float high_offset;         /* v = exp(b - high_offset), so that none overflows */
    float *shared_weights;     /* (n_negatives) v_c */
    double shared_weight;      /* their sum */
    float *listed_weights;     /* (L) v_c */
    double *negatives;         /* (B) V of each anchor */

    /* uniform */
    struct workspace *uniformity;

    /* diagnostics */
    float *tile_square;     /* (n_tiles, B) sum of exp(s + b - max)^2 */
    double *candidate_sum;  /* (d) sum of the shared negatives */
    double *effective;      /* (B) */
    double *positive_total; /* (B) sum of the cosines of an anchor's positives */
    double *negative_total; /* (B) */
};

/* ---- contrast_tiles.c ---- */

/* Names the memory of the tiles: of each worker, and of all where they are kept. */
void contrast_tiles_memory(struct contrast_job *job, size_t n_workers, struct workspace *workspace);
/* The tiles [*first, *last) of a chunk. */
void contrast_chunk(const struct contrast_job *job, size_t chunk, size_t *first, size_t *last);
/* logits[e] = scale <A_row, C_column> for the entries of one row. */
void contrast_entry_logits(const struct contrast_job *job, const struct sparse *m, size_t row,
                           float *logits);

/* A tile of candidates in one worker's hands, and the memory of its work. */
struct contrast_tile {
    size_t tile, first, count; /* candidates [first, first + count) */
    float *transposed;         /* packed (d, count): C^T scaled, for logits */
    float *packed;             /* packed (count, d): C, for dA */
    float *anchors;            /* packed (ANCHOR_BLOCK, d): scaled anchors of a block, for dC */
    float *logits;             /* (ANCHOR_BLOCK, TILE_STRIDE) of a block, unless tiles are kept */
    float *factors;            /* (ANCHOR_BLOCK) */
    float *levels;             /* (log2 of the leaves + 1, TILE, d): dC of leaves and subtrees */
    int64_t next_excluded;     /* in excluded_tiles */
    size_t leaf;               /* the first one whose dC is not complete */
};

/* Some anchors of a tile: rows [first, first + count). */
struct contrast_block {
    size_t first, count;
    float *logits; /* (count, TILE_STRIDE) */
};

/* What of a tile is packed: for logits, for products. */
enum { PACK_LOGITS = 1 << 0, PACK_PRODUCTS = 1 << 1 };

/* Takes a tile up and packs it; blocks follow in ascending order. */
struct contrast_tile contrast_tile_open(const struct contrast_job *job, size_t tile, size_t worker,
                                        unsigned pack);
size_t contrast_n_blocks(const struct contrast_job *job);
struct contrast_block contrast_block_of(const struct contrast_job *job,
                                        const struct contrast_tile *tile, size_t block);
/* Computes a block's logits, what a row leaves out being -INFINITY. */
void contrast_block_logits(const struct contrast_job *job, struct contrast_tile *tile,
                           const struct contrast_block *block);
/* Leaves G and tile->factors with dL/ds = diag(factors) G in place of a block's logits, or of what
 * an earlier pass has left of them. */
typedef void contrast_block_gradient(const struct contrast_job *job, size_t chunk,
                                     const struct contrast_tile *tile,
                                     const struct contrast_block *block);
/* The last pass over a run of tiles: dC of its columns, and a partial dA. */
void contrast_gradient_run(const struct contrast_job *job, size_t chunk, size_t worker,
                           contrast_block_gradient *gradient);
/* The sum over the anchors of values (B): within each leaf, then along the tree. */
double contrast_sum(const struct contrast_job *job, const double *values);

/* ---- one pair of functions for each kind of loss ----
 *
 * The first names the memory. The second fills row_loss, is_empty, positive_gradient, listed_logits
 * (as gradients), the dC rows of the shared negatives and the partial dA of each chunk. */

void contrast_softmax_memory(struct contrast_job *job, struct workspace *workspace);
void contrast_softmax(struct contrast_job *job, struct pool *pool);
void contrast_margin_memory(struct contrast_job *job, struct workspace *workspace);
void contrast_margin(struct contrast_job *job, struct pool *pool);
MUST_CHECK enum status_code contrast_uniform(struct contrast_job *job, struct pool *pool,
                                             struct status *status);

/* ---- diagnostics, contrast_softmax.c ----
 *
 * They rest on the softmax kind's first pass, whatever the loss, so that the figures of different
 * losses compare. */

void contrast_diagnose_memory(struct contrast_job *job, struct workspace *workspace);
/* Before the loss: what softmax then fills beside its work; for other kinds passes of its own. */
void contrast_diagnose_start(struct contrast_job *job, struct pool *pool);
/* After the loss. */
void contrast_diagnose_end(const struct contrast_job *job,
                           struct contrast_diagnostics *diagnostics);

#endif
