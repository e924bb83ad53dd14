/* The steps that every kind of loss takes: the logits and the products of a tile. */
#include "contrast/contrast_internal.h"

#include <math.h>

void contrast_entry_logits(const struct contrast_job *job, const struct sparse *m, size_t row,
                           float *logits)
{
    const struct contrast_batch *batch = job->batch;
    size_t d = batch->anchors.columns;
    for (int64_t e = m->offsets[row]; e < m->offsets[row + 1]; e++) {
        const float *candidate = batch->candidates.data + (size_t)m->columns[e] * d;
        logits[e] = job->scale * job->vec->dot(batch->anchors.data + row * d, candidate, d);
    }
}

/* ---- who works on what ---- */

void contrast_chunk(const struct contrast_job *job, size_t chunk, size_t *first, size_t *last)
{
    *first = chunk * job->n_tiles / job->n_chunks;
    *last = (chunk + 1) * job->n_tiles / job->n_chunks;
}

/* ---- tiles ---- */

/* log2 of a power of two. */
static size_t leaf_height(size_t n_leaves)
{
    return (size_t)__builtin_ctzll(n_leaves);
}

void contrast_tiles_memory(struct contrast_job *job, size_t n_workers, struct workspace *workspace)
{
    const struct product_ops *product = job->vec->product;
    size_t b = job->batch->anchors.rows, d = job->batch->anchors.columns;
    size_t *parts = job->worker_parts;
    parts[0] = product_packed_size(product, d, TILE);
    parts[1] = product_packed_size(product, TILE, d);
    parts[2] = product_packed_size(product, ANCHOR_BLOCK, d);
    parts[3] = job->keep ? 0 : (size_t)ANCHOR_BLOCK * TILE_STRIDE;
    parts[4] = ANCHOR_BLOCK;
    parts[5] = (leaf_height(job->n_leaves) + 1) * TILE * d;
    for (size_t i = 0; i < WORKER_PARTS; i++) {
        parts[i] = (parts[i] + 15) / 16 * 16;
        job->worker_floats += parts[i];
    }
    WORKSPACE_ADD(workspace, &job->workers, n_workers * job->worker_floats);
    WORKSPACE_ADD(workspace, &job->tiles, job->keep ? job->n_tiles * b * TILE_STRIDE : 0);
}

struct contrast_tile contrast_tile_open(const struct contrast_job *job, size_t tile, size_t worker,
                                        unsigned pack)
{
    const struct product_ops *product = job->vec->product;
    size_t first = tile * TILE, left = job->batch->n_negatives - first;
    struct contrast_tile out = {.tile = tile, .first = first, .count = left < TILE ? left : TILE};
    float *memory = job->workers + worker * job->worker_floats;
    float **places[WORKER_PARTS] = {&out.transposed, &out.packed,  &out.anchors,
                                    &out.logits,     &out.factors, &out.levels};
    for (size_t i = 0; i < WORKER_PARTS; i++) {
        *places[i] = memory;
        memory += job->worker_parts[i];
    }
    out.next_excluded = job->batch->excluded.n_rows == 0 ? 0 : job->excluded_tiles.first[tile];
    struct const_matrix candidates = matrix_rows(job->batch->candidates, first, out.count);
    if (pack & PACK_LOGITS) {
        product->pack_transposed(candidates, job->scale, out.transposed);
    }
    if (pack & PACK_PRODUCTS) {
        product->pack(candidates, NULL, out.packed);
    }
    return out;
}

size_t contrast_n_blocks(const struct contrast_job *job)
{
    return (job->batch->anchors.rows + ANCHOR_BLOCK - 1) / ANCHOR_BLOCK;
}

struct contrast_block contrast_block_of(const struct contrast_job *job,
                                        const struct contrast_tile *tile, size_t block)
{
    size_t b = job->batch->anchors.rows, first = block * ANCHOR_BLOCK, left = b - first;
    return (struct contrast_block){
        .first = first,
        .count = left < ANCHOR_BLOCK ? left : ANCHOR_BLOCK,
        .logits = job->keep ? job->tiles + (tile->tile * b + first) * TILE_STRIDE : tile->logits};
}

/* Sets what a block's rows leave out to -infinity. */
static void mask_excluded(const struct contrast_job *job, struct contrast_tile *tile,
                          const struct contrast_block *block)
{
    const struct sparse *excluded = &job->batch->excluded;
    const struct by_column *by_tile = &job->excluded_tiles;
    if (excluded->n_rows == 0) {
        return;
    }
    int64_t at = tile->next_excluded, end = by_tile->first[tile->tile + 1];
    for (; at < end && (size_t)by_tile->row[at] < block->first + block->count; at++) {
        size_t column = (size_t)excluded->columns[by_tile->entry[at]] - tile->first;
        block->logits[((size_t)by_tile->row[at] - block->first) * TILE_STRIDE + column] = -INFINITY;
    }
    tile->next_excluded = at;
}

void contrast_block_logits(const struct contrast_job *job, struct contrast_tile *tile,
                           const struct contrast_block *block)
{
    size_t d = job->batch->anchors.columns;
    job->vec->product->run(
        &(struct product){.x = job->batch->anchors.data + block->first * d,
                          .row_step = d,
                          .depth_step = 1,
                          .panels = tile->transposed,
                          .depth = d,
                          .out = {block->logits, block->count, tile->count, TILE_STRIDE}});
    mask_excluded(job, tile, block);
}

/* Where the sum of a subtree waits. The one that ends as the sum of all waits in its own place,
 * unless something stands there. */
static float *level_at(const struct contrast_job *job, const struct contrast_tile *tile,
                       size_t level)
{
    const size_t d = job->batch->anchors.columns;
    return level == 0 && !job->result->adds ? job->result->candidates.data + tile->first * d
                                            : tile->levels + level * TILE * d;
}

/* The same as leaf_product's sums where they are of rounded numbers: after the product, which is at
 * the level of its leaf. */
static void add_rounded(const struct contrast_job *job, const struct contrast_tile *tile)
{
    const size_t n = tile->count * job->batch->anchors.columns;
    size_t level = tree_level(tile->leaf);
    for (size_t carry = tree_carries(tile->leaf); carry > 0; carry--, level--) {
        job->vec->add_bfloat16(level_at(job, tile, level), level_at(job, tile, level - 1), n);
    }
    if (tile->leaf + 1 == job->n_leaves && job->result->adds) {
        job->vec->axpy(1.0f, tile->levels,
                       job->result->candidates.data + tile->first * job->batch->anchors.columns, n);
    }
}

/* dC of a block's part of a leaf: one that is complete is added to the sums that wait for it. */
static void leaf_product(const struct contrast_job *job, struct contrast_tile *tile,
                         const struct contrast_block *block, size_t first, size_t count,
                         bool begins, bool ends)
{
    const struct product_ops *product = job->vec->product;
    const size_t d = job->batch->anchors.columns;
    const bool rounds = job->settings->rounds, adds = ends && !rounds;
    const float *sums[TREE_LEVELS + 1];
    size_t level = tree_level(tile->leaf), n_sums = 0;
    float *out = level_at(job, tile, level);
    const float *start = begins ? NULL : out;
    while (adds && n_sums < tree_carries(tile->leaf)) {
        out = level_at(job, tile, --level);
        sums[n_sums++] = out;
    }
    if (adds && tile->leaf + 1 == job->n_leaves && job->result->adds) {
        out = job->result->candidates.data + tile->first * d;
        sums[n_sums++] = out;
    }
    product->pack(matrix_rows(job->batch->anchors, first, count),
                  tile->factors + (first - block->first), tile->anchors);
    product->run(&(struct product){.x = block->logits + (first - block->first) * TILE_STRIDE,
                                   .row_step = 1,
                                   .depth_step = TILE_STRIDE,
                                   .panels = tile->anchors,
                                   .depth = count,
                                   .out = matrix_of(out, tile->count, d),
                                   .start = start,
                                   .n_sums = n_sums,
                                   .sums = sums});
    if (ends && rounds) {
        add_rounded(job, tile);
    }
}

/* dC of a block, leaf by leaf; leaves without anchors are zeros in the tree as others are. */
static void finish_leaves(const struct contrast_job *job, struct contrast_tile *tile,
                          const struct contrast_block *block)
{
    const size_t *leaves = job->leaves, end = block->first + block->count;
    while (tile->leaf < job->n_leaves &&
           (leaves[tile->leaf] < end || leaves[tile->leaf + 1] <= end)) {
        const size_t from = leaves[tile->leaf], to = leaves[tile->leaf + 1];
        const size_t first = from > block->first ? from : block->first;
        const size_t last = to < end ? to : end;
        leaf_product(job, tile, block, first, last - first, from >= block->first, to <= end);
        if (to > end) {
            break;
        }
        tile->leaf++;
    }
}

/* From the gradient of a block: dC of the tile's columns, and a share of the chunk's partial dA.
 * Scales the factors. */
static void block_products(const struct contrast_job *job, size_t chunk, struct contrast_tile *tile,
                           const struct contrast_block *block)
{
    const struct product_ops *product = job->vec->product;
    size_t b = job->batch->anchors.rows, d = job->batch->anchors.columns;
    size_t first_tile = 0, last_tile = 0;
    contrast_chunk(job, chunk, &first_tile, &last_tile);
    job->vec->scale(job->scale, tile->factors, block->count);
    /* along the rows first: a kept block comes from memory in the order that is foreseen */
    product->run(&(struct product){
        .x = block->logits,
        .row_step = TILE_STRIDE,
        .depth_step = 1,
        .panels = tile->packed,
        .depth = tile->count,
        .factors = tile->factors,
        .add = tile->tile > first_tile,
        .out = matrix_of(job->partial + (chunk * b + block->first) * d, block->count, d)});
    if (job->result->candidates.rows > 0) {
        finish_leaves(job, tile, block);
    }
}

void contrast_gradient_run(const struct contrast_job *job, size_t chunk, size_t worker,
                           contrast_block_gradient *gradient)
{
    size_t first = 0, last = 0;
    contrast_chunk(job, chunk, &first, &last);
    for (size_t t = first; t < last; t++) {
        struct contrast_tile tile = contrast_tile_open(
            job, t, worker, job->keep ? PACK_PRODUCTS : PACK_LOGITS | PACK_PRODUCTS);
        for (size_t i = 0; i < contrast_n_blocks(job); i++) {
            struct contrast_block block = contrast_block_of(job, &tile, i);
            if (!job->keep) {
                contrast_block_logits(job, &tile, &block);
            }
            gradient(job, chunk, &tile, &block);
            block_products(job, chunk, &tile, &block);
        }
    }
}

double contrast_sum(const struct contrast_job *job, const double *values)
{
    double sums[TREE_LEAVES_MAX];
    for (size_t l = 0; l < job->n_leaves; l++) {
        sums[l] = 0.0;
        for (size_t a = job->leaves[l]; a < job->leaves[l + 1]; a++) {
            sums[l] += values[a];
        }
    }
    return tree_sum(sums, job->n_leaves);
}
