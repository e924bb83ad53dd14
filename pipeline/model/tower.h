/* A tower in training: id embeddings, unit length at the output, and their optimizer. */
#ifndef NIGHTJAR_MODEL_TOWER_H
#define NIGHTJAR_MODEL_TOWER_H

#include "model/optimizer.h"
#include "store/artifact.h"

struct tower {
    size_t n, dimension;
    float *weights; /* (n, dimension) before normalisation */
    struct optimizer optimizer;
};

/* weights ~ N(0, scale^2), each row from its own stream (seed, purpose, row). */
MUST_CHECK enum status_code tower_init(struct tower *tower, size_t n, size_t dimension,
                                       const struct optimizer_rule *rule, uint64_t seed,
                                       const char *purpose, double scale, struct pool *pool,
                                       struct status *status);
void tower_release(struct tower *tower);

/* Brings rows (NULL: rows 0..count-1) up to the present step: before they are read. */
void tower_catch_up(struct tower *tower, const int32_t *rows, size_t count, double rate,
                    struct pool *pool);
/* out (count, dimension) = weights of rows[i] (NULL: row i) at unit length; inverse_norms (count).
 * A row of zeros gives zeros. */
void tower_forward(const struct tower *tower, const int32_t *rows, size_t count, float *out,
                   float *inverse_norms, struct pool *pool);
/* One optimizer step. `unit` and `inverse_norms` are what tower_forward gave for the same rows;
 * gradient (count, dimension) = dL / d unit is overwritten by dL / d weights:
 * (g - <g, y> y) / |x|, the derivative of y = x / |x|. Rows are distinct. */
void tower_backward(struct tower *tower, const int32_t *rows, size_t count, const float *unit,
                    const float *inverse_norms, float *gradient, double rate, struct pool *pool);

/* For checkpoints: arrays PREFIX.weights, PREFIX.state<i> and the number PREFIX.steps, of a
 * tower whose rows are all caught up. */
MUST_CHECK enum status_code tower_save(const struct tower *tower, struct artifact *artifact,
                                       const char *prefix, struct status *status);
/* Into a tower initialised with the same shape and rule. */
MUST_CHECK enum status_code tower_restore(struct tower *tower, const struct artifact *artifact,
                                          const char *prefix, struct status *status);

#endif
