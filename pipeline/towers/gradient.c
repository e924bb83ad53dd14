/* Norm and clipping of gradients. */
#include "towers/gradient.h"

#include "math/vec.h"

#include <math.h>

enum { PARTS = 64, SLICE = 4096 /* floats summed in single precision */ };

struct gradient_job {
    const float *gradient;
    float *scaled;
    size_t n;
    float factor;
    double squares[PARTS];
};

static size_t part_start(const struct gradient_job *job, size_t part)
{
    size_t length = (job->n + PARTS - 1) / PARTS;
    return part * length < job->n ? part * length : job->n;
}

static void square_task(void *data, size_t part, size_t worker)
{
    (void)worker;
    struct gradient_job *job = data;
    const struct vec_ops *vec = vec_ops();
    size_t last = part_start(job, part + 1);
    double sum = 0.0;
    for (size_t i = part_start(job, part); i < last; i += SLICE) {
        size_t n = last - i < SLICE ? last - i : SLICE;
        sum += (double)vec->dot(job->gradient + i, job->gradient + i, n);
    }
    job->squares[part] = sum;
}

double gradient_square(const float *gradient, size_t n, struct pool *pool)
{
    struct gradient_job job = {.gradient = gradient, .n = n};
    double sum = 0.0;
    pool_run(pool, PARTS, square_task, &job);
    for (size_t part = 0; part < PARTS; part++) {
        sum += job.squares[part];
    }
    return sum;
}

double gradient_clip_factor(double clip, double square)
{
    double norm = sqrt(square);
    return clip > 0.0 && isfinite(norm) && norm > clip ? clip / norm : 1.0;
}

static void scale_task(void *data, size_t part, size_t worker)
{
    (void)worker;
    struct gradient_job *job = data;
    size_t first = part_start(job, part);
    vec_ops()->scale(job->factor, job->scaled + first, part_start(job, part + 1) - first);
}

void gradient_scale(float *gradient, size_t n, double factor, struct pool *pool)
{
    struct gradient_job job = {.scaled = gradient, .n = n, .factor = (float)factor};
    if (factor != 1.0) {
        pool_run(pool, PARTS, scale_task, &job);
    }
}
