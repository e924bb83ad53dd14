/* The search of search/joint_search.h over the trials of tuning/auto_trial.h, inside a run. */
#include "tuning/auto_settings.h"

#include "base/clock.h"
#include "dataset/dataset_ranks.h"
#include "run/context.h"
#include "run/context_databases.h"
#include "training/warm_training.h"
#include "tuning/auto_chooser.h"

#include <math.h>
#include <string.h>

/* Where a training is less work than this (multiply-adds, a few seconds), the search has a share of
 * this instead: nobody waits for it, and small data have much to gain. */
static const double small_work = 1e11;
/* Trials are whole trainings where the budget pays for so many of them; and they are judged on
 * several folds where it pays for so many on one. */
enum { FULL_TRIALS = 8, MANY_TRIALS = 8, TRIALS_MAX = 64 };

/* Of all ranks: every one of them takes the same decisions. */
static struct trial_data data_of(const struct training *training)
{
    const struct dataset *dataset = &training->interactions.basis[training->basis];
    const struct validation *validation = training->input.validation;
    const struct dataset_totals totals = dataset_totals(dataset);
    return (struct trial_data){.users = (double)totals.users,
                               .items = (double)dataset->n_items,
                               .pairs = (double)totals.pairs,
                               .valid_users = validation == NULL ? 0 : (double)validation->n_all};
}

static double start_of(const struct trial_data *data, enum auto_setting setting,
                       enum auto_recipe recipe)
{
    const double start = auto_candidates[setting].start[recipe];
    return !isnan(start) ? start
                         : (recipe == RECIPE_DENSE ? 0.7 : 1.0) *
                               temperature_closed_form(data->users, data->items, data->pairs);
}

/* Of the whole training, or of a trial in full. */
static double work_of(const struct chooser *chooser, const size_t *choice, bool of_trial)
{
    struct trainer_settings settings = chooser->training->settings;
    struct negative_settings negatives = chooser->training->negatives;
    auto_axes_apply(&chooser->axes, choice, &settings, &negatives);
    if (of_trial) {
        auto_trial_shrink(&chooser->size, &settings, &negatives);
    }
    return auto_trial_work(&chooser->data, &settings, &negatives);
}

/* ---- the search ---- */

/* Of search_hooks. */
static double trial_cost(void *data, const size_t *choice)
{
    return work_of(data, choice, true);
}

/* Without a limit the clock, which is that of the first rank, is not looked at; with --max-time the
 * training needs its part of it. */
static enum status_code time_is_over(void *data, bool *is_over, struct status *status)
{
    const struct chooser *chooser = data;
    const double now = clock_monotonic();
    const double left = chooser->training->deadline - chooser->started;
    *is_over = (chooser->options->search.max_time > 0.0 &&
                now > chooser->started + chooser->options->search.max_time) ||
               now > chooser->started + left / 2.0;
    return ranks_share(chooser->training->input.ranks, is_over, sizeof *is_over, status);
}

static enum status_code measure(void *data, struct search_trial *trial, double *user_values,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    struct chooser *chooser = data;
    struct training *training = chooser->training;
    struct progress *progress = context_progress(training->context);
    struct trainer_settings settings = training->settings;
    struct negative_settings negatives = training->negatives;
    struct fold *fold = &chooser->folds[trial->fold];
    const struct trial_size size = chooser_size(chooser, trial);
    const size_t number = chooser->search.n + 1;
    char label[64];
    if (chooser->search.n > 0 && training->hooks.checkpoint_due(training->hooks.data)) {
        TRY(chooser_save(chooser, status));
    }
    const double started = clock_monotonic();
    if (trial->fold > 0 && fold->item_counts == NULL) {
        TRY(fold_init(fold, training, trial->fold, status));
    }
    struct trainer_input input = trial->fold > 0 ? fold->input : training->input;
    input.settings = &settings;
    input.negatives = &negatives;
    auto_axes_apply(&chooser->axes, trial->choice, &settings, &negatives);
    snprintf(label, sizeof label, "searching settings, trial %zu", number);
    progress_start(progress, label, "epochs", (double)chooser_epochs(chooser, trial));
    code = auto_trial_run(&input, &size, &training->hooks, context_pool(training->context),
                          &trial->value, &trial->popularity, user_values, status);
    trial->seconds = clock_monotonic() - started;
    progress_finish(progress);
    if (code == STATUS_OK) {
        code = chooser_log(chooser, number, trial, status);
    }
done:
    return code;
}

/* Longer trainings than a start's are looked at only where they are small. */
static size_t affordable_lengths(const struct chooser *chooser)
{
    const struct training *training = chooser->training;
    const struct auto_candidates *lengths = &auto_candidates[AUTO_EPOCHS];
    struct trainer_settings settings = training->settings;
    struct negative_settings negatives = training->negatives;
    size_t n = 0;
    negatives.hard.count = 0; /* may be chosen */
    for (; n < lengths->n; n++) {
        settings.epochs = (size_t)lengths->values[n];
        if (lengths->values[n] > lengths->start[RECIPE_SPARSE] &&
            auto_trial_work(&chooser->data, &settings, &negatives) > small_work) {
            break;
        }
    }
    return n;
}

/* Candidates of a setting. Of draws that are more than the items one is enough: it is all of them.
 */
static size_t candidates_of(const struct chooser *chooser, enum auto_setting setting)
{
    size_t n = auto_candidates[setting].n;
    if (setting == AUTO_EPOCHS && chooser->training->input.validation != NULL) {
        n = affordable_lengths(chooser);
    }
    while (setting == AUTO_COUNT && n > 1 &&
           auto_candidates[setting].values[n - 2] >= chooser->data.items) {
        n--;
    }
    return n;
}

/* Opens the axes, and makes every open setting what the first start has: a training as it would be
 * without a search. Narrow trials say nothing of what makes them narrow. */
static void set_up(struct chooser *chooser, const bool is_open[N_AUTO_SETTINGS])
{
    struct training *training = chooser->training;
    struct joint_search *search = &chooser->search;
    const struct trial_data *data = &chooser->data;
    const bool is_dense = 100.0 * data->pairs > data->users * data->items;
    const enum auto_recipe first = is_dense ? RECIPE_DENSE : RECIPE_SPARSE;
    for (enum auto_setting s = 0; s < N_AUTO_SETTINGS; s++) {
        if (is_open[s]) {
            auto_setting_apply(s, start_of(data, s, first), &training->settings,
                               &training->negatives);
        }
    }
    if (training->input.validation != NULL) {
        const double whole = auto_trial_work(data, &training->settings, &training->negatives);
        chooser->size.is_narrow =
            FULL_TRIALS * whole > chooser->options->search.budget * fmax(whole, small_work);
    }
    for (enum auto_setting s = 0; s < N_AUTO_SETTINGS; s++) {
        if (!is_open[s] || (chooser->size.is_narrow && (s == AUTO_DIMENSION || s == AUTO_COUNT))) {
            continue;
        }
        auto_axes_add(&chooser->axes, s, candidates_of(chooser, s));
        for (size_t r = 0; r < N_RECIPES; r++) {
            const enum auto_recipe recipe = (enum auto_recipe)(is_dense ? N_RECIPES - 1 - r : r);
            search->starts[r][chooser->axes.n - 1] =
                auto_axes_nearest(&chooser->axes, chooser->axes.n - 1, start_of(data, s, recipe));
        }
    }
    search->n_axes = chooser->axes.n;
    memcpy(search->n_candidates, chooser->axes.n_candidates, sizeof chooser->axes.n_candidates);
    search->n_starts =
        memcmp(search->starts[0], search->starts[1], sizeof search->starts[0]) == 0 ? 1 : N_RECIPES;
}

/* What the choice was made for: with other side data, or towers of another shape, it says little.
 * A dimension that is chosen with the rest is none of that. */
static void describe_purpose(const struct chooser *chooser, struct buf *out)
{
    const struct feature_table *tables = chooser->training->features.side;
    buf_addf(out, "for=%zu,%zu,%zu,%g", tables[FEATURE_ITEMS].n_columns,
             tables[FEATURE_USERS].n_columns, auto_dimension_expected(&chooser->options->settings),
             chooser->training->settings.id_dropout);
}

/* What the published generation was trained with; "" where there is none. */
static enum status_code read_published(struct context *context, int64_t *generation,
                                       struct buf *chosen, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct published_info info;
    struct db *db = NULL;
    struct buf ignored = {0};
    TRY(warm_published_open(context, &db, &info, &ignored, status));
    if (db != NULL) {
        TRY(publish_current_chosen(db, context_settings(context)->output.prefix, chosen, status));
    }
    *generation = info.generation;
done:
    db_close(db);
    buf_release(&ignored);
    return code;
}

/* The same of all ranks: the first one's output counts. */
static enum status_code share_published(struct context *context, int64_t *generation,
                                        struct buf *chosen, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct ranks *ranks = context_ranks(context);
    struct ranks_bytes all = {0};
    *generation = 0;
    if (ranks_is_first(ranks)) {
        TRY(read_published(context, generation, chosen, status));
    }
    TRY(ranks_share(ranks, generation, sizeof *generation, status));
    TRY(ranks_gather(ranks, chosen->data, chosen->length, &all, status));
    buf_clear(chosen);
    buf_add(chosen, all.data, all.first[ranks_n(ranks)]);
    TRY(buf_check(chosen, status));
done:
    ranks_bytes_release(&all);
    return code;
}

/* Looks for what the published generation was trained with. */
static enum status_code start_at_published(struct chooser *chooser, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct context *context = chooser->training->context;
    int64_t generation;
    struct buf chosen = {0}, purpose = {0};
    if (chooser->options->search.start != START_PUBLISHED) {
        goto done;
    }
    TRY(share_published(context, &generation, &chosen, status));
    describe_purpose(chooser, &purpose);
    TRY(buf_check(&purpose, status));
    const bool is_like = strncmp(buf_text(&chosen), buf_text(&purpose), purpose.length) == 0 &&
                         strchr(" ", buf_text(&chosen)[purpose.length]) != NULL;
    if (chosen.length > 0 && !is_like) {
        log_write(
            context_log(context), LOG_INFO,
            "train: the search starts anew, for generation %lld had other side data or towers "
            "of another shape",
            (long long)generation);
    } else if (chosen.length > 0 &&
               auto_axes_read(&chooser->axes, buf_text(&chosen), chooser->search.starts[0]) > 0) {
        chooser->search.n_starts = 1;
        chooser->share = AUTO_PUBLISHED_SHARE;
        log_write(context_log(context), LOG_INFO,
                  "train: the search starts where generation %lld was", (long long)generation);
    }
done:
    buf_release(&chosen);
    buf_release(&purpose);
    return code;
}

/* How much, and of what length the trials are. */
static enum status_code set_budget(struct chooser *chooser, struct status *status)
{
    const struct training *training = chooser->training;
    struct joint_search *search = &chooser->search;
    const size_t *start = search->starts[0];
    bool is_sound = false;
    search->budget = chooser->share * chooser->options->search.budget *
                     fmax(work_of(chooser, start, false), small_work);
    search->max_trials = TRIALS_MAX;
    chooser->size.share = 1.0;
    if (chooser->options->search_epochs > 0) {
        struct trainer_settings settings = training->settings;
        struct negative_settings negatives = training->negatives;
        auto_axes_apply(&chooser->axes, start, &settings, &negatives);
        chooser->size.share =
            fmin((double)chooser->options->search_epochs / (double)settings.epochs, 1.0);
    }
    const enum status_code code = fold_is_sound(training, &is_sound, status);
    const bool is_cheap = MANY_TRIALS * work_of(chooser, start, true) <= search->budget;
    search->n_folds = is_sound && is_cheap ? FOLDS : 1;
    search->n_users = training->input.validation->n_all;
    search->seed = context_seed(training->context);
    return code;
}

static enum status_code search(struct chooser *chooser, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct training *training = chooser->training;
    const bool has_limit = chooser->options->search.max_time > 0.0 || isfinite(training->deadline);
    const struct search_hooks hooks = {.data = chooser,
                                       .cost = trial_cost,
                                       .measure = measure,
                                       .is_over = has_limit ? time_is_over : NULL};
    struct buf text = {0};
    TRY(start_at_published(chooser, status));
    TRY(set_budget(chooser, status));
    TRY(chooser_load(chooser, status));
    TRY(joint_search_run(&chooser->search, &hooks, status));
    TRY(chooser_save(chooser, status));
    TRY(chooser_record(chooser, status));
    auto_axes_describe(&chooser->axes, chooser->search.best, &text);
    TRY(buf_check(&text, status));
    if (chooser->search.n == 0) {
        log_write(context_log(training->context), LOG_INFO, "train: taken over without a trial: %s",
                  buf_text(&text));
    } else {
        log_write(context_log(training->context), LOG_INFO, "train: chosen in %zu trials: %s",
                  chooser->search.n, buf_text(&text));
    }
done:
    buf_release(&text);
    return code;
}

/* As texts, for the next night. */
static enum status_code keep_choice(const struct chooser *chooser, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct training *training = chooser->training;
    struct buf text = {0};
    describe_purpose(chooser, &text);
    TRY(buf_check(&text, status));
    TRY(strings_add(&training->chosen, buf_text(&text), text.length, status));
    for (size_t a = 0; a < chooser->search.n_axes; a++) {
        buf_clear(&text);
        auto_axes_describe_one(&chooser->axes, chooser->search.best, a, &text);
        TRY(buf_check(&text, status));
        TRY(strings_add(&training->chosen, buf_text(&text), text.length, status));
    }
done:
    buf_release(&text);
    return code;
}

/* Nothing to validate on: what is known to be reasonable. */
static enum status_code fall_back(struct chooser *chooser, struct status *status)
{
    struct training *training = chooser->training;
    struct buf text = {0};
    memcpy(chooser->search.best, chooser->search.starts[0], sizeof chooser->search.best);
    auto_axes_describe(&chooser->axes, chooser->search.best, &text);
    enum status_code code = buf_check(&text, status);
    if (code == STATUS_OK) {
        log_write(context_log(training->context), LOG_INFO,
                  "train: no validation part to choose the settings that are auto on; taken are %s",
                  buf_text(&text));
    }
    buf_release(&text);
    return code;
}

/* What the loss or the optimizer would take no notice of. */
static void close_idle(struct trainer_settings *settings, bool is_open[N_AUTO_SETTINGS])
{
    if (is_open[AUTO_T2] && !is_open[AUTO_LOSS] &&
        (loss_table[settings->loss].uses & LOSS_USES_T2) == 0) {
        settings->loss_settings.t2 = 1.0;
        is_open[AUTO_T2] = false;
    }
    if (is_open[AUTO_DECAY] && !optimizer_table[settings->optimizer.rule].takes_decay) {
        settings->optimizer.weight_decay = 0.0;
        is_open[AUTO_DECAY] = false;
    }
}

enum status_code auto_settings_choose(struct training *training,
                                      const struct train_options *options, struct status *status)
{
    struct chooser chooser = {.training = training,
                              .options = options,
                              .data = data_of(training),
                              .share = 1.0,
                              .started = clock_monotonic()};
    bool is_open[N_AUTO_SETTINGS];
    auto_settings_open(&options->settings, &training->negatives, is_open);
    close_idle(&training->settings, is_open);
    set_up(&chooser, is_open);
    if (chooser.search.n_axes == 0 || training->without_ids) { /* nothing to choose, nor for whom */
        return STATUS_OK;
    }
    enum status_code code =
        training->input.validation == NULL ? fall_back(&chooser, status) : search(&chooser, status);
    if (code == STATUS_OK) {
        auto_axes_apply(&chooser.axes, chooser.search.best, &training->settings,
                        &training->negatives);
        code = training->input.validation == NULL ? STATUS_OK : keep_choice(&chooser, status);
    }
    for (size_t f = 1; f < FOLDS; f++) {
        fold_release(&chooser.folds[f]);
    }
    joint_search_release(&chooser.search);
    return code;
}

/* ---- estimates ---- */

size_t auto_epochs_expected(const struct trainer_settings *settings)
{
    return settings->epochs == OPTION_AUTO_COUNT
               ? (size_t)auto_candidates[AUTO_EPOCHS].start[RECIPE_SPARSE]
               : settings->epochs;
}

size_t auto_dimension_expected(const struct trainer_settings *settings)
{
    return settings->dimension == OPTION_AUTO_COUNT ? (size_t)DIMENSION_AUTO : settings->dimension;
}

double auto_budget_expected(const struct train_options *options)
{
    const struct negative_settings none = {0};
    bool is_open[N_AUTO_SETTINGS], any = false;
    auto_settings_open(&options->settings, &none, is_open);
    for (size_t s = 0; s < N_AUTO_SETTINGS; s++) {
        any = any || is_open[s];
    }
    return any ? options->search.budget : 0.0;
}
