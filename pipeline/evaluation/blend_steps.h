/* Steps from weights that are likely to weights whose lists are better (blend_fit.c). */
#ifndef NIGHTJAR_EVALUATION_BLEND_STEPS_H
#define NIGHTJAR_EVALUATION_BLEND_STEPS_H

#include "evaluation/blend_logit.h"
#include "evaluation/metrics.h"

enum { STEP_KNOBS_MAX = LOGIT_COLUMNS_MAX + 4, STEP_CHOSEN_MAX = 20 /* of a choice */ };

struct steps_request {
    const struct logit *logit;
    const struct metric *metric;
    size_t k;
    enum logit_users users;
    size_t n_knobs;
    uint32_t knobs[STEP_KNOBS_MAX]; /* each a set of columns, as bits, that are turned together */
};

/* w (n_columns) moves on as long as a step is clearly better for the users; each step turns one
 * knob. A list has the k best of what a choice is set against. */
MUST_CHECK enum status_code steps_take(const struct steps_request *request, struct pool *pool,
                                       double *w, struct status *status);

#endif
