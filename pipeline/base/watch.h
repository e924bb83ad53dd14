/* Who looks on while long work goes on: is told how far it is, and may ask it to stop. The work
 * takes a struct watch and calls watch_step between its parts, at least once a second:
 *
 *     static enum status_code is_stopped(void *data, struct status *status)
 *     {
 *         return *(volatile sig_atomic_t *)data == 0 ? STATUS_OK
 *                                                    : status_set(status, STATUS_SIGNAL,
 * "stopped");
 *     }
 *     ...
 *     const struct watch watch = {.check_stop = is_stopped, .data = &signal_seen};
 *     ...
 *     for (size_t row = 0; row < n; row++) {
 *         TRY(watch_step(&watch, (double)row, (double)n, status));
 *
 * Callbacks run on the thread that called the work. context_watch (run/context.h) makes that of a
 * stage. */
#ifndef NIGHTJAR_BASE_WATCH_H
#define NIGHTJAR_BASE_WATCH_H

#include "base/status.h"

/* Zeroed: nobody looks on. */
struct watch {
    /* Another code than STATUS_OK abandons the work, which returns it. May be NULL. */
    enum status_code (*check_stop)(void *data, struct status *status);
    /* `done` of `total` in the work's own unit (rows, users); total 0: unknown. May be NULL. */
    void (*progress)(void *data, double done, double total);
    void *data; /* handed through */
};

/* Tells how far the work is, then asks whether to go on. `watch` NULL: nobody looks on. */
MUST_CHECK static inline enum status_code watch_step(const struct watch *watch, double done,
                                                     double total, struct status *status)
{
    if (watch != NULL && watch->progress != NULL) {
        watch->progress(watch->data, done, total);
    }
    return watch != NULL && watch->check_stop != NULL ? watch->check_stop(watch->data, status)
                                                      : STATUS_OK;
}

/* Only asks: for work that cannot say how far it is. */
MUST_CHECK static inline enum status_code watch_check(const struct watch *watch,
                                                      struct status *status)
{
    return watch != NULL && watch->check_stop != NULL ? watch->check_stop(watch->data, status)
                                                      : STATUS_OK;
}

#endif
