/* The search of search/coordinate_search.h over the trials of tuning/auto_trial.h, inside a run. */
#include "tuning/auto_settings.h"

#include "base/clock.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"

#include <math.h>
#include <string.h>

struct chooser {
    struct training *training;
    size_t epochs;
    enum auto_setting settings[N_AUTO_SETTINGS]; /* (search.n_axes) of each axis */
    struct search_axis axes[N_AUTO_SETTINGS];
    struct coordinate_search search;
};

static const char checkpoint_part[] = "search";

static double closed_form(const struct training *training)
{
    const struct sparse *train = &training->positives.matrix;
    return temperature_closed_form((double)train->n_rows, (double)train->n_columns,
                                   (double)sparse_entries(train));
}

static double value_of(const struct chooser *chooser, const struct search_trial *trial, size_t axis)
{
    return auto_candidates[chooser->settings[axis]].values[trial->choice[axis]];
}

/* "temperature=0.1 negatives.alpha=0.4" */
static void describe(const struct chooser *chooser, const struct search_trial *trial,
                     struct buf *out)
{
    for (size_t a = 0; a < chooser->search.n_axes; a++) {
        buf_addf(out, "%s%s=%g", a > 0 ? " " : "", auto_candidates[chooser->settings[a]].name,
                 value_of(chooser, trial, a));
    }
}

static void apply(const struct chooser *chooser, const struct search_trial *trial,
                  struct trainer_settings *settings, struct negative_settings *negatives)
{
    for (size_t a = 0; a < chooser->search.n_axes; a++) {
        auto_setting_apply(chooser->settings[a], value_of(chooser, trial, a), settings, negatives);
    }
}

/* ---- what is left behind ---- */

static enum status_code save_checkpoint(const struct chooser *chooser, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact;
    artifact_init(&artifact, checkpoint_part);
    TRY(coordinate_search_save(&chooser->search, &artifact, status));
    TRY(context_checkpoint_save(chooser->training->context, checkpoint_part, &artifact, status));
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
        TRY(coordinate_search_load(&chooser->search, &artifact, status));
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

static enum status_code record_trials(const struct chooser *chooser, size_t chosen,
                                      struct status *status)
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
        describe(chooser, trial, &text);
        TRY(buf_check(&text, status));
        TRY(db_bind_int64(query, 1, context_run_number(context), status));
        TRY(db_bind_text(query, 2, label, strlen(label), true, status));
        TRY(db_bind_int64(query, 3, (int64_t)t + 1, status));
        TRY(db_bind_text(query, 4, buf_text(&text), text.length, true, status));
        TRY(db_bind_int64(query, 5, (int64_t)chooser->epochs, status));
        TRY(bind_number(query, 6, trial->value, status));
        TRY(bind_number(query, 7, trial->popularity, status));
        TRY(bind_number(query, 8, trial->seconds, status));
        TRY(db_bind_int64(query, 9, t == chosen ? 1 : 0, status));
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
    describe(chooser, trial, &text);
    enum status_code code = buf_check(&text, status);
    if (code == STATUS_OK && isnan(trial->value)) {
        log_write(log, LOG_INFO, "train: trial %zu: %s: the training diverged or collapsed", number,
                  buf_text(&text));
    } else if (code == STATUS_OK) {
        log_write(log, LOG_INFO, "train: trial %zu: %s: %s %.5f at popularity %g, %.1f s", number,
                  buf_text(&text), chooser->training->metric, trial->value, trial->popularity,
                  trial->seconds);
    }
    buf_release(&text);
    return code;
}

/* ---- the search ---- */

/* An search_measure. */
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
    const size_t number = chooser->search.n + 1;
    char label[64];
    if (chooser->search.n > 0) {
        TRY(save_checkpoint(chooser, status));
    }
    const double started = clock_monotonic();
    input.settings = &settings;
    input.negatives = &negatives;
    apply(chooser, trial, &settings, &negatives);
    snprintf(label, sizeof label, "searching settings, trial %zu", number);
    progress_start(progress, label, "epochs", (double)chooser->epochs);
    code =
        auto_trial_run(&input, chooser->epochs, &training->hooks, context_pool(training->context),
                       &trial->value, &trial->popularity, user_values, status);
    trial->seconds = clock_monotonic() - started;
    progress_finish(progress);
    if (code == STATUS_OK) {
        code = log_trial(chooser, number, trial, status);
    }
done:
    return code;
}

static void add_axis(struct chooser *chooser, enum auto_setting setting)
{
    const struct auto_candidates *candidates = &auto_candidates[setting];
    size_t axis = chooser->search.n_axes++;
    double start = isnan(candidates->start) ? closed_form(chooser->training) : candidates->start;
    chooser->settings[axis] = setting;
    chooser->axes[axis] = (struct search_axis){.n = candidates->n,
                                               .start = auto_nearest(setting, start),
                                               .most_trials = candidates->most_trials,
                                               .start_is_simpler = candidates->start_is_simpler};
}

static enum status_code search(struct chooser *chooser, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct training *training = chooser->training;
    struct buf text = {0};
    size_t best = 0;
    chooser->search.axes = chooser->axes;
    chooser->search.n_users = training->input.validation->n_users;
    TRY(load_checkpoint(chooser, status));
    TRY(coordinate_search_run(&chooser->search, measure, chooser, &best, status));
    TRY(save_checkpoint(chooser, status));
    TRY(record_trials(chooser, best, status));
    describe(chooser, &chooser->search.trials[best], &text);
    TRY(buf_check(&text, status));
    apply(chooser, &chooser->search.trials[best], &training->settings, &training->negatives);
    log_write(context_log(training->context), LOG_INFO,
              "train: chosen in %zu trials of %zu epochs: %s", chooser->search.n, chooser->epochs,
              buf_text(&text));
done:
    buf_release(&text);
    return code;
}

/* Nothing to validate on: what is known to be reasonable. */
static enum status_code fall_back(const struct chooser *chooser, struct status *status)
{
    struct training *training = chooser->training;
    struct buf text = {0};
    for (size_t a = 0; a < chooser->search.n_axes; a++) {
        const struct auto_candidates *candidates = &auto_candidates[chooser->settings[a]];
        double value = isnan(candidates->otherwise) ? closed_form(training) : candidates->otherwise;
        auto_setting_apply(chooser->settings[a], value, &training->settings, &training->negatives);
        buf_addf(&text, "%s%s=%g", a > 0 ? " " : "", candidates->name, value);
    }
    enum status_code code = buf_check(&text, status);
    if (code == STATUS_OK) {
        log_write(context_log(training->context), LOG_WARNING,
                  "train: no validation part to choose the settings that are auto on; taken are %s",
                  buf_text(&text));
    }
    buf_release(&text);
    return code;
}

enum status_code auto_settings_choose(struct training *training,
                                      const bool is_auto[N_AUTO_SETTINGS], size_t epochs,
                                      struct status *status)
{
    struct chooser chooser = {.training = training, .epochs = epochs};
    for (size_t s = 0; s < N_AUTO_SETTINGS; s++) {
        if (is_auto[s] || (s == AUTO_ALPHA && isnan(training->negatives.alpha)) ||
            (s == AUTO_HARD && training->negatives.hard.is_choice)) {
            add_axis(&chooser, (enum auto_setting)s);
        }
    }
    if (chooser.search.n_axes == 0) {
        return STATUS_OK;
    }
    enum status_code code =
        training->input.validation == NULL ? fall_back(&chooser, status) : search(&chooser, status);
    coordinate_search_release(&chooser.search);
    return code;
}
