/* Short trainings. */
#include "tuning/auto_trial.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* A trial is narrow as well as short: the settings that it chooses hardly depend on these two. */
enum { TRIAL_DIMENSION = 64, TRIAL_NEGATIVES = 1024 };

/* Weights of the popularity term that a trial is judged at. */
static const double popularity_weights[] = {0, 0.2, 0.4, 0.6, 0.8, 1, 1.2};
enum { N_POPULARITY = sizeof popularity_weights / sizeof *popularity_weights };

/* The last vectors at every popularity weight; the best one's values go out. */
static enum status_code judge(const struct validation *validation,
                              const struct trainer_result *result, struct pool *pool, double *value,
                              double *popularity, double *user_values, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_all = validation->n_all;
    size_t best = 0;
    double means[N_POPULARITY], *of_users = NULL;
    TRY(MEM_NEW(&of_users, N_POPULARITY * n_all, status));
    TRY(trainer_result_judge(result, validation, popularity_weights, N_POPULARITY, pool, means,
                             of_users, status));
    for (size_t w = 1; w < N_POPULARITY; w++) {
        best = means[w] > means[best] ? w : best;
    }
    memcpy(user_values, of_users + best * n_all, n_all * sizeof *user_values);
    *value = means[best];
    *popularity = popularity_weights[best];
done:
    mem_free(of_users);
    return code;
}

/* ---- trials ---- */

/* An epoch number of the whole training in a trial of `share` of its length. */
static size_t shorten(size_t epoch, double share)
{
    return (size_t)ceil((double)epoch * share);
}

void auto_trial_shrink(const struct trial_size *size, struct trainer_settings *settings,
                       struct negative_settings *negatives)
{
    if (size->is_narrow) {
        settings->dimension =
            settings->dimension < TRIAL_DIMENSION ? settings->dimension : (size_t)TRIAL_DIMENSION;
        if (negatives->shared && negatives->count > TRIAL_NEGATIVES) {
            negatives->count = TRIAL_NEGATIVES;
        }
    }
    settings->epochs = shorten(settings->epochs, size->share);
    negatives->hard.from_epoch = shorten(negatives->hard.from_epoch, size->share);
    negatives->hard.every = shorten(negatives->hard.every, size->share);
    settings->schedule.warmup_epochs *= size->share;
    settings->schedule.step_every *= size->share;
}

double auto_trial_work(const struct trial_data *data, const struct trainer_settings *settings,
                       const struct negative_settings *negatives)
{
    /* of an element of a vector that is gathered, changed by its gradient or added up, in terms of
       one of a product, which the caches serve */
    const double element = 8.0;
    const double step = 1e6;       /* whatever its size */
    const double hardest = 2300.0; /* of a score that becomes one of a user's hardest so far */
    const double users = data->users, items = data->items, entries = data->pairs;
    const double d = (double)settings->dimension;
    const double batch = fmin((double)settings->batch_users, users), batches = users / batch;
    const bool all = negatives->strategy == NEGATIVES_ALL || (double)negatives->count >= items;
    const double drawn = all ? items : (double)negatives->count;
    const double pairs = settings->co_items.weight > 0.0 ? settings->co_items.share * items : 0.0;
    double epoch = 3.0 * d * drawn * (users + pairs);
    epoch += element * d * (batches * (batch + drawn) + entries) + step * batches;
    epoch += 4.0 * d * entries * batches * (double)settings->propagation.hops;
    const bool has_pools =
        negatives->hard.count > 0 || (loss_table[settings->loss].uses & LOSS_USES_SLK_WIDTH) != 0;
    if (has_pools) {
        /* k of n scores in any order: k + k ln(n / k) are among the k greatest when they come */
        const double k = fmin((double)(negatives->hard.pool + negatives->hard.skip), items);
        const double entering = k * (1.0 + log(items / k));
        epoch += users * (d * items + hardest * entering) / (double)negatives->hard.every;
    }
    return epoch * (double)settings->epochs + d * items * data->valid_users;
}

enum status_code auto_trial_run(const struct trainer_input *input, const struct trial_size *size,
                                const struct trainer_hooks *hooks, struct pool *pool, double *value,
                                double *popularity, double *user_values, struct status *status)
{
    struct trainer_settings settings = *input->settings;
    struct negative_settings negatives = *input->negatives;
    struct trainer_input trial = *input;
    struct trainer_hooks quiet = *hooks;
    struct trainer_result result = {0};
    struct status outcome = {0};
    assert(input->validation != NULL);
    auto_trial_shrink(size, &settings, &negatives);
    trial.settings = &settings;
    trial.negatives = &negatives;
    trial.validation = NULL; /* the trainer's own looks at one popularity weight */
    trial.stop_after = settings.epochs;
    for (size_t s = 0; s < N_SIDES; s++) {
        trial.sources[s].n_cold = 0;
    }
    quiet.time_is_up = NULL; /* whether there is time for another trial is asked between them */
    quiet.checkpoint_due = NULL;
    quiet.checkpoint_save = NULL;
    quiet.checkpoint_load = NULL;
    enum status_code code = trainer_run(&trial, &quiet, pool, &result, &outcome);
    code = ranks_settle(input->ranks, code, &outcome);
    if (code == STATUS_DATA) {
        ranks_go_on(input->ranks); /* on whichever of them it was: all have heard of it */
        *value = *popularity = NAN;
        for (size_t u = 0; u < input->validation->n_all; u++) {
            user_values[u] = NAN;
        }
        code = STATUS_OK;
    } else if (code != STATUS_OK) {
        *status = outcome;
    } else {
        code = judge(input->validation, &result, pool, value, popularity, user_values, status);
    }
    trainer_result_release(&result);
    return code;
}
