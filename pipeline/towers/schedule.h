/* How the learning rate runs over the epochs of a training. */
#ifndef NIGHTJAR_TOWERS_SCHEDULE_H
#define NIGHTJAR_TOWERS_SCHEDULE_H

enum rate_schedule { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE, SCHEDULE_STEP };
extern const char *const rate_schedule_names[]; /* NULL-terminated, in enum order */

struct schedule {
    enum rate_schedule shape;
    double warmup_epochs; /* the rate rises linearly from 0 over them */
    double final_rate;    /* share of the peak that linear and cosine end at, [0, 1] */
    double step_factor;   /* step: what is left of the rate after each step, (0, 1] */
    double step_every;    /* step: epochs between steps, counted from the warm-up's end, > 0 */
};

/* The learning rate at `position` epochs of a training of `epochs`, as a share of its peak. The
 * position of a batch is that of its end, so it is never 0 and a step falls between two batches. */
double rate_share(const struct schedule *schedule, double epochs, double position);

#endif
