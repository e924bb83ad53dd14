/* What is asked of a search, and one of its trials. */
#ifndef NIGHTJAR_TUNING_TUNE_REQUEST_H
#define NIGHTJAR_TUNING_TUNE_REQUEST_H

#include "base/log.h"
#include "config/plan.h"

/* One finished trial. */
struct tune_trial {
    size_t number; /* 0: the configuration as it is */
    size_t n_settings;
    const char *const *settings; /* (n_settings) "PATH=VALUE" that differ from the configuration */
    size_t epochs;
    double value; /* of the validation metric; NAN: it failed */
    size_t n_users;
    const double *user_values; /* (n_users) of the metric, NAN: the user does not count; NULL: not
                                  told */
    const char *message;       /* why it failed, else NULL */
    double seconds;
    bool known; /* from an earlier call */
};

struct tune_request {
    const struct plan *plan; /* the configuration as it is */
    const struct stage_registry *registry;
    const char *version; /* of nightjar */
    struct log *log;
    bool show_progress;
    const char *const *vary, *const *fix; /* see search_space.h */
    size_t n_vary, n_fix;
    uint64_t seed;      /* of the settings drawn */
    size_t n_trials;    /* in full, the configuration itself included; >= 2 */
    double max_seconds; /* no trial starts after so long; 0: no limit */
    bool restart;       /* forget what earlier calls have found and read the source again */
    const volatile int *stop_signal;
    /* told what will be done, and after each trial; may be NULL */
    void (*begun)(void *data, const char *metric, size_t n_axes, size_t n_trials, size_t epochs);
    void (*trial_done)(void *data, const struct tune_trial *trial);
    void *data;
};

#endif
