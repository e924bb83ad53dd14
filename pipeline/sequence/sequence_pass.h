/* The tower over the steps of some users.
 *
 *     TRY(sequence_places_set(&places, &sequences, n_items, users, n, status));
 *     TRY(sequence_model_touch(&model, places.read.columns, n_read, rate, pool, status));
 *     TRY(sequence_forward(&model, &pass, &places, &noise, pool, status));
 *     pass.states (places.n, d), from them dL / d states, then
 *     TRY(sequence_backward(&model, &pass, &places, &noise, gradient, pool, status));
 *     sequence_model_step(&model, rate, pool);
 *
 * Blocks of users go through all layers at once, sums over places run in their order: the same
 * bytes with any number of threads. */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_PASS_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_PASS_H

#include "base/watch.h"
#include "sequence/sequence_layer.h"

void sequence_pass_release(struct sequence_pass *pass);
MUST_CHECK enum status_code sequence_forward(const struct sequence_model *model,
                                             struct sequence_pass *pass,
                                             const struct sequence_places *places,
                                             const struct sequence_noise *noise, struct pool *pool,
                                             struct status *status);
/* gradient (n, d): dL / d states. Gathers those of all that was touched. */
MUST_CHECK enum status_code sequence_backward(struct sequence_model *model,
                                              struct sequence_pass *pass,
                                              const struct sequence_places *places,
                                              const struct sequence_noise *noise,
                                              const float *gradient, struct pool *pool,
                                              struct status *status);
/* out (n, d), row i: the newest state of user users[i] (NULL: of user i), zeros for one without a
 * step. states (n, layers, d), NULL: not wanted: those of the recurrences behind it, as a memory
 * has them. The model is settled. */
MUST_CHECK enum status_code sequence_encode(const struct sequence_model *model,
                                            const struct sequences *sequences, const int32_t *users,
                                            size_t n, float *out, float *states,
                                            const struct watch *watch, struct pool *pool,
                                            struct status *status);

#endif
