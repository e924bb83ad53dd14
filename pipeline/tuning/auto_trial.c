/* Short trainings. */
#include "tuning/auto_trial.h"

#include "base/mem.h"
#include "negatives/negatives_options.h"
#include "training/train_options.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Finest where the best values of the public sets lie, .10 to .22. */
static const double temperatures[] = {0.06, 0.08, 0.1, 0.12, 0.14, 0.17, 0.2, 0.25, 0.32, 0.4};
static const double alphas[] = {0, 0.15, 0.3, 0.5, 0.7, 1};
static const double rates[] = {0.005, 0.007, 0.01, 0.014, 0.02, 0.03};
static const double lengths[] = {10, 18, 30, 45, 70};
static const double exponents[] = {0, 0.2, 0.35, 0.5, 0.7};
static const double weights[] = {0, 0.05, 0.1, 0.2, 0.4};
static const double hops[] = {0, 1};
static const double sides[] = {1, 1.1, 1.25};
static const double hard_counts[] = {0, HARD_COUNT_AUTO};
static const double decays[] = {0, 0.1, 0.3};

#define LIST(values) sizeof values / sizeof *values, values

const struct auto_candidates auto_candidates[N_AUTO_SETTINGS] = {
    [AUTO_TEMPERATURE] = {"temperature", LIST(temperatures), {NAN, NAN}},
    [AUTO_ALPHA] = {"negatives.alpha", LIST(alphas), {0.7, 0}},
    [AUTO_DEGREE_EXPONENT] = {"degree_exponent", LIST(exponents), {0.2, 0.35}},
    [AUTO_CO_ITEMS] = {"co_interaction.weight", LIST(weights), {0.2, 0.1}},
    [AUTO_RATE] = {"learning_rate", LIST(rates), {0.014, 0.02}},
    [AUTO_EPOCHS] = {"epochs", LIST(lengths), {18, 30}},
    [AUTO_HOPS] = {"propagation.hops", LIST(hops), {0, 0}},
    [AUTO_T2] = {"t2", LIST(sides), {1, 1}},
    [AUTO_HARD] = {"negatives.hard.count", LIST(hard_counts), {HARD_COUNT_AUTO, 0}},
    [AUTO_DECAY] = {"weight_decay", LIST(decays), {0.1, 0}},
};
_Static_assert((int)N_AUTO_SETTINGS <= (int)SEARCH_AXES_MAX, "an axis for every setting");

/* A trial is narrow as well as short: the settings that it chooses hardly depend on these two. */
enum { TRIAL_DIMENSION = 64, TRIAL_NEGATIVES = 1024 };

/* Weights of the popularity term that a trial is judged at. */
static const double popularity_weights[] = {0, 0.2, 0.4, 0.6, 0.8, 1, 1.2};
enum { N_POPULARITY = sizeof popularity_weights / sizeof *popularity_weights };

static const char negatives_prefix[] = "negatives.";

static bool is_of_negatives(enum auto_setting setting)
{
    const char *name = auto_candidates[setting].name;
    return strncmp(name, negatives_prefix, strlen(negatives_prefix)) == 0;
}

static double distance(enum auto_setting setting, double a, double b)
{
    const bool is_scaled =
        setting == AUTO_TEMPERATURE || setting == AUTO_RATE || setting == AUTO_EPOCHS;
    return is_scaled ? fabs(log(a / b)) : fabs(a - b);
}

size_t auto_nearest(enum auto_setting setting, double x, size_t n)
{
    const struct auto_candidates *list = &auto_candidates[setting];
    size_t nearest = 0;
    for (size_t i = 1; i < n; i++) {
        if (distance(setting, list->values[i], x) < distance(setting, list->values[nearest], x)) {
            nearest = i;
        }
    }
    return nearest;
}

/* The setting's row in its stage's table; `settings` are those of train or of negatives, which the
 * name tells. */
static const struct option *setting_at(enum auto_setting setting, const void *settings,
                                       size_t *holder, bool *is_given)
{
    const char *name = auto_candidates[setting].name;
    const bool of_negatives = is_of_negatives(setting);
    const struct option *option =
        option_at(of_negatives ? negatives_options_table : train_options_table, settings,
                  name + (of_negatives ? strlen(negatives_prefix) : 0), holder, is_given);
    assert(option != NULL);
    return option;
}

void auto_settings_asked(const struct trainer_settings *settings, bool is_auto[N_AUTO_SETTINGS])
{
    for (enum auto_setting s = 0; s < N_AUTO_SETTINGS; s++) {
        size_t holder;
        bool is_given = false;
        const struct option *option =
            is_of_negatives(s) ? NULL : setting_at(s, settings, &holder, &is_given);
        is_auto[s] = is_given && isnan(option_number(option, (const char *)settings + holder));
    }
}

void auto_setting_apply(enum auto_setting setting, double value, struct trainer_settings *settings,
                        struct negative_settings *negatives)
{
    void *owner = is_of_negatives(setting) ? (void *)negatives : (void *)settings;
    size_t holder;
    bool is_given;
    const struct option *option = setting_at(setting, owner, &holder, &is_given);
    option_set_number(option, value, (char *)owner + holder);
    negatives->hard.is_choice = negatives->hard.is_choice && setting != AUTO_HARD;
}

/* The last vectors at every popularity weight; the best one's values go out. */
static enum status_code judge(const struct validation *validation,
                              const struct trainer_result *result, struct pool *pool, double *value,
                              double *popularity, double *user_values, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = validation->n_users, d = result->dimension;
    const struct const_matrix vectors[N_SIDES] = {
        const_matrix_of(result->vectors[SIDE_USERS], result->n_users, d),
        const_matrix_of(result->vectors[SIDE_ITEMS], result->n_items, d)};
    size_t best = 0;
    double means[N_POPULARITY], *of_users = NULL;
    float *users = NULL;
    TRY(MEM_NEW(&users, n * d, status));
    TRY(MEM_NEW(&of_users, N_POPULARITY * n, status));
    matrix_gather(vectors[SIDE_USERS], validation->users, n, users);
    struct validation_grid grid = {
        .learned = result->bias, .weights = popularity_weights, .n = N_POPULARITY};
    TRY(validation_run_grid(validation, const_matrix_of(users, n, d), vectors[SIDE_ITEMS], &grid,
                            result->temperature, pool, means, of_users, status));
    for (size_t w = 1; w < N_POPULARITY; w++) {
        best = means[w] > means[best] ? w : best;
    }
    memcpy(user_values, of_users + best * n, n * sizeof *user_values);
    *value = means[best];
    *popularity = popularity_weights[best];
done:
    mem_free(users);
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

double auto_trial_work(const struct trainer_input *input, const struct trainer_settings *settings,
                       const struct negative_settings *negatives)
{
    /* of an element of a vector that is gathered, changed by its gradient or added up, in terms of
       one of a product, which the caches serve */
    const double element = 8.0;
    const double step = 1e6; /* whatever its size */
    const double users = (double)input->train->matrix.n_rows;
    const double items = (double)input->train->matrix.n_columns;
    const double entries = (double)sparse_entries(&input->train->matrix);
    const double d = (double)settings->dimension;
    const double batch = fmin((double)settings->batch_users, users), batches = users / batch;
    const bool all = negatives->strategy == NEGATIVES_ALL || (double)negatives->count >= items;
    const double drawn = all ? items : (double)negatives->count;
    const double pairs = settings->co_items.weight > 0.0 ? settings->co_items.share * items : 0.0;
    double epoch = 3.0 * d * drawn * (users + pairs);
    epoch += element * d * (batches * (batch + drawn) + entries) + step * batches;
    epoch += 4.0 * d * entries * batches * (double)settings->propagation.hops;
    if (negatives->hard.count > 0) {
        epoch += d * users * items / (double)negatives->hard.every;
    }
    return epoch * (double)settings->epochs + d * items * (double)input->validation->n_users;
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
    quiet.checkpoint_due = NULL;
    quiet.checkpoint_save = NULL;
    quiet.checkpoint_load = NULL;
    enum status_code code = trainer_run(&trial, &quiet, pool, &result, &outcome);
    if (code == STATUS_DATA) {
        *value = *popularity = NAN;
        for (size_t u = 0; u < input->validation->n_users; u++) {
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
