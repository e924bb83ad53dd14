/* The size of a batch's gradient, over all tables together, and its clipping. */
#ifndef NIGHTJAR_TOWERS_GRADIENT_H
#define NIGHTJAR_TOWERS_GRADIENT_H

#include "base/pool.h"

/* The sum of squares of gradient[0..n): the same bytes with any number of threads. Add those of
 * all tables for the square of the whole gradient's L2 norm. */
double gradient_square(const float *gradient, size_t n, struct pool *pool);

/* The factor that brings a gradient of squared norm `square` down to norm `clip` (Pascanu, Mikolov
 * and Bengio 2013, algorithm 1): min(1, clip / sqrt(square)). 1 when clip is 0 or when the norm is
 * not finite, for then the loss says what is wrong. */
double gradient_clip_factor(double clip, double square);

/* gradient[0..n) *= factor; nothing is read or written for factor 1. */
void gradient_scale(float *gradient, size_t n, double factor, struct pool *pool);

#endif
