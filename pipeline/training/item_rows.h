/* The rows of the item tower that a step takes, wherever they are. Under several ranks
 * (ranks/ranks.h) item i belongs to the owner of shard i % SHARDS, who alone has its weights and
 * the optimizer's state of it: a step fetches vectors from the owners and pushes gradients back to
 * them. At one rank nothing is exchanged, and nothing is copied.
 *
 *     struct item_rows rows = {0};
 *     TRY(item_rows_init(&rows, ranks, n_items, d, wire, status));
 *     tower_init(..., rows.n_own rows, keyed by rows.keys)
 *     each step, of the candidates of its plan:
 *         TRY(item_rows_ask(&rows, &candidates, status));      unless it was asked with a push
 *         TRY(item_rows_fetch(&rows, encoder, &view, rate, pool, status));
 *         ... a contrast of rows.vectors (candidates.n, d) and its gradient ...
 *         TRY(item_rows_take(&rows, gradient, &parts, status));
 *         TRY(item_rows_push(&rows, &next_candidates, status));
 *         ... rows.gradient (rows of rows.pass, d) back to the tower ...
 *     item_rows_release(&rows);
 *
 * The gradient of a row is summed in one order, whoever does it: of each contrast in turn what its
 * shared negatives give, along the tree of leaves, and what its sparse entries give, leaf by leaf.
 * Sent by a rank in a step: vectors and gradients of four bytes a number, eight bytes with each
 * gradient that is not of a shared negative, four for each item asked for.
 *
 * With a wire of bfloat16 two bytes a number. The bytes of a training are the same at any number of
 * ranks then, too: what would be sent is rounded at one rank as well. These are the vectors that a
 * step contrasts (their lengths and the way back are those of the owner's, unrounded), each sparse
 * gradient of an item and leaf (contrast_settings.rounds; of item_rows_take_rows the caller rounds
 * them), and both sides of every sum in the tree of leaves, of which the root is not rounded. */
#ifndef NIGHTJAR_TRAINING_ITEM_ROWS_H
#define NIGHTJAR_TRAINING_ITEM_ROWS_H

#include "contrast/contrast_batch.h"
#include "towers/encoder.h"
#include "training/item_request.h"

/* Zero-initialise. */
struct item_rows {
    struct ranks *ranks;
    enum ranks_floats wire;
    size_t n_items, n_own, d;
    uint64_t *keys; /* (n_own) items of the rows that are here; NULL: row i is item i */
    /* of the step */
    struct tower_pass pass; /* over rows that are here */
    const float *vectors;   /* (candidates, d) */
    float *gradient;        /* (rows of the pass, d) after item_rows_push */
    /* several ranks */
    struct item_request requests[2]; /* of this step and of the next */
    struct item_request *request;
    int32_t *slot_of;   /* (n_own) place among the rows of the pass, -1: none */
    int32_t *pass_rows; /* (n_own) */
    size_t n_pass;
    size_t n_dense, n_sections; /* taken so far in the step */
    struct workspace fetched, pushed;
    float *fetched_vectors, *dense; /* (candidates, d), (shared, MOST_DENSE d) */
    float *unpacked;                /* (d) of a row that came */
    struct outgoing {
        size_t n, room;
        uint8_t *owners;
        int32_t *headers; /* (n, 2) code, section */
        float *values;    /* (n, d) */
    } outgoing;
    struct ranks_bytes send;
    struct ranks_bytes received;
    int64_t n_sent, n_steps; /* bytes so far, and in how many steps */
};

MUST_CHECK enum status_code item_rows_init(struct item_rows *rows, struct ranks *ranks,
                                           size_t n_items, size_t d, enum ranks_floats wire,
                                           struct status *status);
void item_rows_release(struct item_rows *rows);
/* Whether rows are anywhere else. */
static inline bool item_rows_are_spread(const struct item_rows *rows)
{
    return rows->keys != NULL;
}

/* Where an item's row is here; -1: elsewhere. */
int32_t item_rows_row(const struct item_rows *rows, int32_t item);

/* Asks for the candidates of a step. */
MUST_CHECK enum status_code item_rows_ask(struct item_rows *rows, const struct candidate_set *set,
                                          struct status *status);
/* rows->vectors: of what was asked. */
MUST_CHECK enum status_code item_rows_fetch(struct item_rows *rows, struct encoder *encoder,
                                            const struct encoder_view *view, double rate,
                                            struct pool *pool, struct status *status);
/* Takes a contrast's gradient: of shared negatives from `dense` (candidates, d), of sparse entries
 * from `parts`. Several ranks only. */
MUST_CHECK enum status_code item_rows_take(struct item_rows *rows, const float *dense,
                                           const struct contrast_parts *parts,
                                           struct status *status);
/* Takes gradients (n, d) of candidates besides. Several ranks only. */
MUST_CHECK enum status_code item_rows_take_rows(struct item_rows *rows, const int32_t *columns,
                                                const float *gradient, size_t n,
                                                struct status *status);
/* rows->gradient: the sum of what all ranks took. With the candidates of the next step, which are
 * then asked for; NULL: none. Several ranks only. */
MUST_CHECK enum status_code item_rows_push(struct item_rows *rows, const struct candidate_set *next,
                                           struct status *status);

/* out (n_items, d): of every item, from `own` (n_own, d); at one rank they are the same memory. */
MUST_CHECK enum status_code item_rows_gather(const struct item_rows *rows, const float *own,
                                             float *out, struct status *status);

/* Bytes that one of n_ranks sends in a step, on average: of vectors of so many bytes, different
 * shared negatives, items asked for besides them, and gradients that are not of shared ones. */
static inline double item_rows_step_bytes(double n_ranks, double vector_bytes, double n_shared,
                                          double n_asked, double n_gradients)
{
    return (2.0 * vector_bytes * n_shared + (vector_bytes + sizeof(int32_t)) * n_asked +
            (vector_bytes + 2.0 * sizeof(int32_t)) * n_gradients) *
           (n_ranks - 1.0) / n_ranks;
}

#endif
