/* The trials that there are, and the values of new ones. */
#include "evaluation/calibration_trials.h"

#include "base/mem.h"
#include "search/paired.h"

void trials_release(struct trials *trials)
{
    mem_free(trials->weights);
    mem_free(trials->values);
    mem_free(trials->user_values);
    *trials = (struct trials){0};
}

static enum status_code make_room(struct trials *trials, size_t n_more, struct status *status)
{
    size_t n_users = trials->request->exam->n_users;
    size_t n = trials->n, total = trials->n + n_more;
    enum status_code code;
    TRY(MEM_RESIZE(&trials->weights, n, total, status));
    TRY(MEM_RESIZE(&trials->values, n, total, status));
    TRY(MEM_RESIZE(&trials->user_values, n * n_users, total * n_users, status));
done:
    return code;
}

static bool is_tried(const struct trials *trials, size_t n_tried,
                     const struct score_weights *setting)
{
    for (size_t t = 0; t < n_tried; t++) {
        const struct score_weights *other = &trials->weights[t];
        if (other->beta == setting->beta && other->half_life == setting->half_life &&
            other->exponent == setting->exponent && other->gamma == setting->gamma &&
            other->n_parts == setting->n_parts &&
            other->parts[0].weight == setting->parts[0].weight) {
            return true;
        }
    }
    return false;
}

enum status_code trials_measure(struct trials *trials, const struct score_weights *settings,
                                size_t n, struct status *status)
{
    size_t n_users = trials->request->exam->n_users, n_new = 0;
    enum status_code code;
    TRY(make_room(trials, n, status));
    for (size_t s = 0; s < n; s++) {
        if (!is_tried(trials, trials->n + n_new, &settings[s])) {
            trials->weights[trials->n + n_new++] = settings[s];
        }
    }
    if (n_new > 0) {
        const struct calibration_request *request = trials->request;
        const struct exam_scoring scoring = {request->embeddings, request->sources};
        TRY(exam_measure(request->exam, &scoring, trials->weights + trials->n, n_new, trials->pool,
                         trials->progress, trials->user_values + trials->n * n_users, status));
    }
    for (size_t t = trials->n; t < trials->n + n_new; t++) {
        trials->values[t] = paired_mean(trials->user_values + t * n_users, n_users);
    }
    trials->n += n_new;
done:
    return code;
}
