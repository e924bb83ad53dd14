/* The search of search/joint_search.h over the trials of tuning/auto_trial.h, inside a run. */
#include "tuning/auto_settings.h"

#include "base/clock.h"
#include "base/num.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"
#include "training/warm_training.h"

#include <math.h>
#include <string.h>

/* Where a training is less work than this (multiply-adds, a few seconds), the search has a share of
 * this instead: nobody waits for it, and small data have much to gain. */
static const double small_work = 1e11;
/* Of the budget, for a search that starts where the last one ended. */
#define PUBLISHED_SHARE 0.1
/* Trials are whole trainings where the budget pays for so many of them. */
enum { FULL_TRIALS = 8 };

struct chooser {
    struct training *training;
    const struct train_options *options;
    double share; /* of the budget */
    struct trial_size size;
    double started;                              /* monotonic seconds */
    enum auto_setting settings[N_AUTO_SETTINGS]; /* (search.n_axes) of each axis */
    struct search_axis axes[N_AUTO_SETTINGS];
    struct joint_search search;
};

static const char checkpoint_part[] = "trials";

static double closed_form(const struct training *training)
{
    const struct sparse *train = &training->positives.matrix;
    return temperature_closed_form((double)train->n_rows, (double)train->n_columns,
                                   (double)sparse_entries(train));
}

static double start_of(const struct training *training, enum auto_setting setting,
                       enum auto_recipe recipe)
{
    const double start = auto_candidates[setting].start[recipe];
    return !isnan(start) ? start : (recipe == RECIPE_DENSE ? 0.7 : 1.0) * closed_form(training);
}

static double value_of(const struct chooser *chooser, const size_t *choice, size_t axis)
{
    return auto_candidates[chooser->settings[axis]].values[choice[axis]];
}

/* "temperature=0.1 negatives.alpha=0.4" */
static void describe(const struct chooser *chooser, const size_t *choice, struct buf *out)
{
    for (size_t a = 0; a < chooser->search.n_axes; a++) {
        buf_addf(out, "%s%s=%g", a > 0 ? " " : "", auto_candidates[chooser->settings[a]].name,
                 value_of(chooser, choice, a));
    }
}

static void apply(const struct chooser *chooser, const size_t *choice,
                  struct trainer_settings *settings, struct negative_settings *negatives)
{
    for (size_t a = 0; a < chooser->search.n_axes; a++) {
        auto_setting_apply(chooser->settings[a], value_of(chooser, choice, a), settings, negatives);
    }
}

/* Of the whole training, or of a trial in full. */
static double work_of(const struct chooser *chooser, const size_t *choice, bool of_trial)
{
    struct trainer_settings settings = chooser->training->settings;
    struct negative_settings negatives = chooser->training->negatives;
    apply(chooser, choice, &settings, &negatives);
    if (of_trial) {
        auto_trial_shrink(&chooser->size, &settings, &negatives);
    }
    return auto_trial_work(&chooser->training->input, &settings, &negatives);
}

/* ---- what is left behind ---- */

static enum status_code save_checkpoint(const struct chooser *chooser, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact;
    artifact_init(&artifact, checkpoint_part);
    TRY(joint_search_save(&chooser->search, &artifact, status));
    TRY(context_checkpoint_save(chooser->training->context, checkpoint_part, &artifact, status));
    chooser->training->last_checkpoint = clock_monotonic();
done:
    artifact_release(&artifact);
    return code;
}

static enum status_code load_checkpoint(struct chooser *chooser, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact = {0};
    bool found = false;
    TRY(context_checkpoint_load(chooser->training->context, checkpoint_part, &artifact, &found,
                                status));
    if (found) {
        TRY(joint_search_load(&chooser->search, &artifact, status));
    }
done:
    artifact_release(&artifact);
    return code;
}

static const char insert_trial[] =
    "INSERT OR REPLACE INTO search_trial (run, stage, trial, settings, epochs, value, popularity,"
    " seconds, chosen) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

static enum status_code bind_number(struct db_query *query, int index, double value,
                                    struct status *status)
{
    return isnan(value) ? db_bind_null(query, index, status)
                        : db_bind_double(query, index, value, status);
}

/* Epochs of a trial. */
static size_t epochs_of(const struct chooser *chooser, const struct search_trial *trial)
{
    struct trainer_settings settings = chooser->training->settings;
    struct negative_settings negatives = chooser->training->negatives;
    struct trial_size size = chooser->size;
    size.share /= trial->is_short ? SEARCH_SHORTER : 1;
    apply(chooser, trial->choice, &settings, &negatives);
    auto_trial_shrink(&size, &settings, &negatives);
    return settings.epochs;
}

static enum status_code record_trials(const struct chooser *chooser, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct context *context = chooser->training->context;
    struct db *work = context_work(context);
    const char *label = context_label(context);
    struct db_query *query = NULL;
    struct buf text = {0};
    TRY(db_begin_write(work, status));
    TRY(db_prepare(work, insert_trial, &query, status));
    for (size_t t = 0; t < chooser->search.n; t++) {
        const struct search_trial *trial = &chooser->search.trials[t];
        buf_clear(&text);
        describe(chooser, trial->choice, &text);
        TRY(buf_check(&text, status));
        TRY(db_bind_int64(query, 1, context_run_number(context), status));
        TRY(db_bind_text(query, 2, label, strlen(label), true, status));
        TRY(db_bind_int64(query, 3, (int64_t)t + 1, status));
        TRY(db_bind_text(query, 4, buf_text(&text), text.length, true, status));
        TRY(db_bind_int64(query, 5, (int64_t)epochs_of(chooser, trial), status));
        TRY(bind_number(query, 6, trial->value, status));
        TRY(bind_number(query, 7, trial->popularity, status));
        TRY(bind_number(query, 8, trial->seconds, status));
        TRY(db_bind_int64(query, 9, t == chooser->search.best_trial ? 1 : 0, status));
        TRY(db_run(query, status));
    }
    TRY(db_commit(work, status));
done:
    db_finalize(query);
    db_rollback(work);
    buf_release(&text);
    return code;
}

static enum status_code log_trial(const struct chooser *chooser, size_t number,
                                  const struct search_trial *trial, struct status *status)
{
    struct log *log = context_log(chooser->training->context);
    struct buf text = {0};
    describe(chooser, trial->choice, &text);
    enum status_code code = buf_check(&text, status);
    if (code == STATUS_OK && isnan(trial->value)) {
        log_write(log, LOG_INFO, "train: trial %zu: %s: the training diverged or collapsed", number,
                  buf_text(&text));
    } else if (code == STATUS_OK) {
        log_write(log, LOG_INFO,
                  "train: trial %zu: %s, %zu epochs: %s %.5f at popularity %g, %.1f s", number,
                  buf_text(&text), epochs_of(chooser, trial), chooser->training->metric,
                  trial->value, trial->popularity, trial->seconds);
    }
    buf_release(&text);
    return code;
}

/* ---- the search ---- */

/* Of search_hooks. */
static double trial_cost(void *data, const size_t *choice)
{
    return work_of(data, choice, true);
}

/* Without a limit the clock is not looked at; with --max-time the training needs its part of it. */
static bool time_is_over(void *data)
{
    const struct chooser *chooser = data;
    const double now = clock_monotonic();
    const double left = chooser->training->deadline - chooser->started;
    return (chooser->options->search.max_time > 0.0 &&
            now > chooser->started + chooser->options->search.max_time) ||
           now > chooser->started + left / 2.0;
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
    struct trainer_input input = training->input;
    struct trial_size size = chooser->size;
    const size_t number = chooser->search.n + 1;
    char label[64];
    if (chooser->search.n > 0 && training->hooks.checkpoint_due(training->hooks.data)) {
        TRY(save_checkpoint(chooser, status));
    }
    const double started = clock_monotonic();
    input.settings = &settings;
    input.negatives = &negatives;
    size.share /= trial->is_short ? SEARCH_SHORTER : 1;
    apply(chooser, trial->choice, &settings, &negatives);
    snprintf(label, sizeof label, "searching settings, trial %zu", number);
    progress_start(progress, label, "epochs", (double)epochs_of(chooser, trial));
    code = auto_trial_run(&input, &size, &training->hooks, context_pool(training->context),
                          &trial->value, &trial->popularity, user_values, status);
    trial->seconds = clock_monotonic() - started;
    progress_finish(progress);
    if (code == STATUS_OK) {
        code = log_trial(chooser, number, trial, status);
    }
done:
    return code;
}

/* Longer trainings than a start's are looked at only where they are small. */
static size_t affordable_lengths(const struct chooser *chooser)
{
    const struct auto_candidates *lengths = &auto_candidates[AUTO_EPOCHS];
    struct trainer_settings settings = chooser->training->settings;
    size_t n = 0;
    for (; n < lengths->n; n++) {
        settings.epochs = (size_t)lengths->values[n];
        if (lengths->values[n] > lengths->start[RECIPE_SPARSE] &&
            auto_trial_work(&chooser->training->input, &settings, &chooser->training->negatives) >
                small_work / 2.0) {
            break;
        }
    }
    return n;
}

/* Axes of what is auto, and where the search starts. */
static void set_up(struct chooser *chooser, const bool is_auto[N_AUTO_SETTINGS])
{
    struct training *training = chooser->training;
    struct joint_search *search = &chooser->search;
    const struct sparse *train = &training->positives.matrix;
    const bool is_dense =
        100.0 * (double)sparse_entries(train) > (double)train->n_rows * (double)train->n_columns;
    for (size_t s = 0; s < N_AUTO_SETTINGS; s++) {
        const size_t a = search->n_axes;
        if (!is_auto[s]) {
            continue;
        }
        size_t n = auto_candidates[s].n;
        if (s == AUTO_EPOCHS && training->input.validation != NULL) {
            n = affordable_lengths(chooser);
        }
        chooser->settings[a] = (enum auto_setting)s;
        chooser->axes[a] = (struct search_axis){n};
        for (size_t r = 0; r < N_RECIPES; r++) {
            const enum auto_recipe recipe = (enum auto_recipe)(is_dense ? N_RECIPES - 1 - r : r);
            search->starts[r][a] = auto_nearest(
                (enum auto_setting)s, start_of(training, (enum auto_setting)s, recipe), n);
        }
        search->n_axes++;
    }
    search->n_starts =
        memcmp(search->starts[0], search->starts[1], sizeof search->starts[0]) == 0 ? 1 : N_RECIPES;
    search->axes = chooser->axes;
}

/* What the choice was made for: with other side data, or towers of another shape, it says little.
 */
static void describe_purpose(const struct training *training, struct buf *out)
{
    const struct feature_table *tables = training->features.side;
    buf_addf(out, "for=%zu,%zu,%zu,%g", tables[FEATURE_ITEMS].n_columns,
             tables[FEATURE_USERS].n_columns, training->settings.dimension,
             training->settings.id_dropout);
}

/* Whether `text` names a value of every axis: then the search starts there alone. */
static bool start_at(struct chooser *chooser, const struct buf *text)
{
    struct joint_search *search = &chooser->search;
    size_t start[SEARCH_AXES_MAX] = {0};
    for (size_t a = 0; a < search->n_axes; a++) {
        const enum auto_setting setting = chooser->settings[a];
        const char *name = auto_candidates[setting].name;
        const size_t length = strlen(name);
        const char *at = buf_text(text);
        while (at != NULL && (strncmp(at, name, length) != 0 || at[length] != '=')) {
            at = strchr(at, ' ');
            at = at == NULL ? NULL : at + 1;
        }
        double value;
        if (at == NULL ||
            !num_parse_double(at + length + 1, strcspn(at + length + 1, " "), &value)) {
            return false;
        }
        start[a] = auto_nearest(setting, value, search->axes[a].n);
    }
    memcpy(search->starts[0], start, sizeof start);
    search->n_starts = 1;
    return true;
}

/* Looks for what the published generation was trained with. */
static enum status_code start_at_published(struct chooser *chooser, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct context *context = chooser->training->context;
    struct published_info info;
    struct db *db = NULL;
    struct buf chosen = {0}, purpose = {0}, ignored = {0};
    if (chooser->options->search.start != START_PUBLISHED) {
        goto done;
    }
    TRY(warm_published_open(context, &db, &info, &ignored, status));
    if (db != NULL) {
        TRY(publish_current_chosen(db, context_settings(context)->output.prefix, &chosen, status));
    }
    describe_purpose(chooser->training, &purpose);
    TRY(buf_check(&purpose, status));
    const bool is_like = strncmp(buf_text(&chosen), buf_text(&purpose), purpose.length) == 0 &&
                         strchr(" ", buf_text(&chosen)[purpose.length]) != NULL;
    if (chosen.length > 0 && !is_like) {
        log_write(
            context_log(context), LOG_INFO,
            "train: the search starts anew, for generation %lld had other side data or towers "
            "of another shape",
            (long long)info.generation);
    } else if (chosen.length > 0 && start_at(chooser, &chosen)) {
        chooser->share = PUBLISHED_SHARE;
        log_write(context_log(context), LOG_INFO,
                  "train: the search starts where generation %lld was", (long long)info.generation);
    }
done:
    db_close(db);
    buf_release(&chosen);
    buf_release(&purpose);
    buf_release(&ignored);
    return code;
}

/* How much, and of what size the trials are. */
static void set_budget(struct chooser *chooser)
{
    const struct training *training = chooser->training;
    struct joint_search *search = &chooser->search;
    const size_t *start = search->starts[0];
    const double whole = work_of(chooser, start, false);
    search->budget = chooser->share * chooser->options->search.budget * fmax(whole, small_work);
    chooser->size.is_narrow = FULL_TRIALS * whole * chooser->share > search->budget;
    chooser->size.share = 1.0;
    if (chooser->options->search_epochs > 0) {
        struct trainer_settings settings = training->settings;
        struct negative_settings negatives = training->negatives;
        apply(chooser, start, &settings, &negatives);
        chooser->size.share =
            fmin((double)chooser->options->search_epochs / (double)settings.epochs, 1.0);
    }
    search->n_users = training->input.validation->n_users;
    search->seed = context_seed(training->context);
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
    set_budget(chooser);
    TRY(load_checkpoint(chooser, status));
    TRY(joint_search_run(&chooser->search, &hooks, status));
    TRY(save_checkpoint(chooser, status));
    TRY(record_trials(chooser, status));
    describe(chooser, chooser->search.best, &text);
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
    describe_purpose(training, &text);
    TRY(buf_check(&text, status));
    TRY(strings_add(&training->chosen, buf_text(&text), text.length, status));
    for (size_t a = 0; a < chooser->search.n_axes; a++) {
        buf_clear(&text);
        buf_addf(&text, "%s=%g", auto_candidates[chooser->settings[a]].name,
                 value_of(chooser, chooser->search.best, a));
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
    describe(chooser, chooser->search.best, &text);
    enum status_code code = buf_check(&text, status);
    if (code == STATUS_OK) {
        log_write(context_log(training->context), LOG_WARNING,
                  "train: no validation part to choose the settings that are auto on; taken are %s",
                  buf_text(&text));
    }
    buf_release(&text);
    return code;
}

/* What the loss or the optimizer would take no notice of. */
static void close_idle(struct trainer_settings *settings, bool open[N_AUTO_SETTINGS])
{
    if (open[AUTO_T2] && (loss_table[settings->loss].uses & LOSS_USES_T2) == 0) {
        settings->loss_settings.t2 = 1.0;
        open[AUTO_T2] = false;
    }
    if (open[AUTO_DECAY] && !optimizer_table[settings->optimizer.rule].takes_decay) {
        settings->optimizer.weight_decay = 0.0;
        open[AUTO_DECAY] = false;
    }
}

enum status_code auto_settings_choose(struct training *training,
                                      const struct train_options *options, struct status *status)
{
    struct chooser chooser = {
        .training = training, .options = options, .share = 1.0, .started = clock_monotonic()};
    const struct negative_settings *negatives = &training->negatives;
    bool open[N_AUTO_SETTINGS];
    auto_settings_asked(&options->settings, open);
    open[AUTO_ALPHA] = open[AUTO_ALPHA] || isnan(negatives->alpha);
    open[AUTO_HARD] = open[AUTO_HARD] || negatives->hard.is_choice;
    close_idle(&training->settings, open);
    set_up(&chooser, open);
    if (chooser.search.n_axes == 0) {
        return STATUS_OK;
    }
    enum status_code code =
        training->input.validation == NULL ? fall_back(&chooser, status) : search(&chooser, status);
    if (code == STATUS_OK) {
        apply(&chooser, chooser.search.best, &training->settings, &training->negatives);
        code = training->input.validation == NULL ? STATUS_OK : keep_choice(&chooser, status);
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

double auto_budget_expected(const struct train_options *options)
{
    bool is_auto[N_AUTO_SETTINGS], any = false;
    auto_settings_asked(&options->settings, is_auto);
    for (size_t s = 0; s < N_AUTO_SETTINGS; s++) {
        any = any || is_auto[s];
    }
    return any ? options->search.budget : 0.0;
}
