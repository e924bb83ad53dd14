/* The shapes of the learning rate. */
#include "towers/schedule.h"

#include <math.h>
#include <stddef.h>

const char *const rate_schedule_names[] = {"constant", "linear", "cosine", "step", NULL};

/* Warm-up, then: constant; linear or half a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983,
 * without restarts) down to final_rate; or times step_factor after every step_every epochs. */
double rate_share(const struct schedule *schedule, double epochs, double position)
{
    if (position < schedule->warmup_epochs) {
        return position / schedule->warmup_epochs;
    }
    double since = position - schedule->warmup_epochs;
    double span = epochs - schedule->warmup_epochs;
    double done = span > 0.0 ? since / span : 1.0;
    double left = 1.0;
    switch (schedule->shape) {
    case SCHEDULE_CONSTANT:
        break;
    case SCHEDULE_LINEAR:
        left = 1.0 - done;
        break;
    case SCHEDULE_COSINE:
        left = 0.5 * (1.0 + cos(acos(-1.0) * done));
        break;
    case SCHEDULE_STEP:
        /* the batch that ends an interval still belongs to it */
        return pow(schedule->step_factor, fmax(0.0, ceil(since / schedule->step_every) - 1.0));
    }
    return schedule->final_rate + (1.0 - schedule->final_rate) * left;
}
