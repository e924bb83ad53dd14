/* Both towers together: views of the graph they share, one optimizer step for all their tables.
 *
 * An embedding has two names on its way. Its `weights` are what is learned: a row of an
 * embedding_table, of any length. Its `vectors` are what a tower makes of that in a forward pass,
 * of unit length: what contrasts, rankings and the artifact "towers" see. It is the forward pass
 * (tower_forward) where the one becomes the other.
 *
 * A step with the vectors of some users and items:
 *
 *     struct encoder_view view = {0};                  both used again from step to step
 *     struct tower_pass users = {0}, items = {0};
 *     TRY(encoder_view_begin(encoder, &view, &what, rate, pool, status));
 *     TRY(encoder_forward(encoder, SIDE_USERS, &view, user_rows, n, rate, &users, pool, status));
 *     TRY(encoder_forward(encoder, SIDE_ITEMS, &view, item_rows, m, rate, &items, pool, status));
 *     ... a loss of users.vectors (n, d) and items.vectors (m, d) and its gradients ...
 *     TRY(encoder_backward(encoder, SIDE_USERS, &view, &users, user_gradient, pool, status));
 *     TRY(encoder_backward(encoder, SIDE_ITEMS, &view, &items, item_gradient, pool, status));
 *     TRY(encoder_view_end(encoder, &view, pool, status));
 *     TRY(encoder_step(encoder, rate, pool, status));
 *
 * and before the weights are read as a whole, by encoder_encode or a checkpoint, encoder_settle. */
#ifndef NIGHTJAR_TOWERS_ENCODER_H
#define NIGHTJAR_TOWERS_ENCODER_H

#include "towers/propagation.h"
#include "towers/tower.h"

enum tower_side { SIDE_USERS, SIDE_ITEMS, N_SIDES };

/* Zero-initialise. */
struct encoder {
    struct tower towers[N_SIDES];
    struct propagation propagation; /* without hops: not initialised */
    struct embedding_table bias;    /* (n_items, 1) learned popularity term; n 0: none */
    double clip;                    /* largest L2 norm of a step's gradient; 0: any */
    struct ranks *ranks; /* who have the rows of ids that are not here; what else there is is the
                            same on all of them */
};

/* One view of users and items in a step. Without propagation it holds nothing but the view.
 * Zero-initialise; used again from step to step. */
struct encoder_view {
    struct view what;
    bool is_only; /* of its step, by an encoder that is plain: encoder_step_back takes it back */
    struct workspace workspace;
    float *base[N_SIDES];     /* (n, d) after propagation */
    float *gradient[N_SIDES]; /* (n, d) dL / d base */
    struct tower_pass passes[N_SIDES];
};

void encoder_release(struct encoder *encoder);
void encoder_view_release(struct encoder_view *view);

/* Starts a view: with propagation, computes every node. */
MUST_CHECK enum status_code encoder_view_begin(struct encoder *encoder, struct encoder_view *view,
                                               const struct view *what, double rate,
                                               struct pool *pool, struct status *status);
/* rows (count) distinct, NULL: all in order. The vectors are in pass->vectors. */
MUST_CHECK enum status_code encoder_forward(struct encoder *encoder, enum tower_side side,
                                            const struct encoder_view *view, const int32_t *rows,
                                            size_t count, double rate, struct tower_pass *pass,
                                            struct pool *pool, struct status *status);
/* gradient (count, d) is overwritten. */
MUST_CHECK enum status_code encoder_backward(struct encoder *encoder, enum tower_side side,
                                             struct encoder_view *view, struct tower_pass *pass,
                                             float *gradient, struct pool *pool,
                                             struct status *status);
/* Takes what the backward passes of a view gathered on through the graph. */
MUST_CHECK enum status_code encoder_view_end(struct encoder *encoder, struct encoder_view *view,
                                             struct pool *pool, struct status *status);

/* One optimizer step of every table, the gradient clipped: by its norm over all ranks. */
MUST_CHECK enum status_code encoder_step(struct encoder *encoder, double rate, struct pool *pool,
                                         struct status *status);
/* Whether a row's step asks for no more than its own gradient: towers of ids alone, no propagation,
 * no clipping. */
bool encoder_is_plain(const struct encoder *encoder);
/* encoder_backward of both sides and encoder_step at once, for passes of a view that is_only;
 * gradients (count of the side, d) are overwritten. */
void encoder_step_back(struct encoder *encoder, struct tower_pass *const passes[N_SIDES],
                       float *const gradients[N_SIDES], double rate, struct pool *pool);
/* Every row of every table up to the present step. */
void encoder_settle(struct encoder *encoder, double rate, struct pool *pool);

/* Vectors of all rows of both towers, as they are (no dropout, no views); the encoder is settled.
 * users (n_users, d), items (n_items, d). */
MUST_CHECK enum status_code encoder_encode(struct encoder *encoder, float *users, float *items,
                                           struct pool *pool, struct status *status);
/* Vectors of entities that training did not know, from their histories and features: sources
 * (towers[side].n_parts, in the tower's order) with `count` rows. out (count, d): a row of zeros
 * where there was nothing to read. */
MUST_CHECK enum status_code encoder_encode_cold(struct encoder *encoder, enum tower_side side,
                                                const struct token_source *sources, size_t count,
                                                float *out, struct pool *pool,
                                                struct status *status);

/* For checkpoints, of a settled encoder of the same shape. */
MUST_CHECK enum status_code encoder_save(struct encoder *encoder, struct artifact *artifact,
                                         struct status *status);
MUST_CHECK enum status_code encoder_restore(struct encoder *encoder,
                                            const struct artifact *artifact, struct status *status);

#endif
