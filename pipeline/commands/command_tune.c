/* nightjar tune: better settings, looked for on the validation part. */
#include "commands/tuned_file.h"

#include "base/num.h"
#include "commands/command.h"

#include <math.h>

enum { TRIALS_DEFAULT = 27, TRIALS_MAX = 10000, SHOWN_TRIALS = 10 };

/* What the callbacks show on. */
struct display {
    FILE *err;
    bool lines; /* one a trial */
};

static void print_settings(const struct tune_trial *trial, FILE *out)
{
    static const char prefix[] = "stages.";
    if (trial->number == 0) {
        fputs("as configured", out);
    }
    for (size_t i = 0; i < trial->n_settings; i++) {
        command_print(out, "%s%s", i == 0 ? "" : " ", trial->settings[i] + strlen(prefix));
    }
}

static void show_begin(void *data, const char *metric, size_t n_axes, size_t n_trials,
                       size_t epochs)
{
    const struct display *display = data;
    if (display->lines) {
        fprintf(display->err, "varying %zu option%s by %s: the work of %zu trials of %zu epoch%s\n",
                n_axes, n_axes == 1 ? "" : "s", metric, n_trials, epochs, epochs == 1 ? "" : "s");
    }
}

static void show_trial(void *data, const struct tune_trial *trial)
{
    const struct display *display = data;
    char duration[NUM_TEXT_MAX];
    if (!display->lines) {
        return;
    }
    num_format_duration(trial->seconds, duration);
    fprintf(display->err, "  %4zu epochs  trial %4zu  ", trial->epochs, trial->number);
    if (isnan(trial->value)) {
        fprintf(display->err, "failed   %10s  ", trial->known ? "known" : duration);
    } else {
        fprintf(display->err, "%.5f  %10s  ", trial->value, trial->known ? "known" : duration);
    }
    print_settings(trial, display->err);
    if (trial->message != NULL) {
        command_print(display->err, ": %s", trial->message);
    }
    fputc('\n', display->err);
}

/* `gain` is over the configuration as it is, which only a trial in full can be held against. */
static void print_row(const struct tune_result *result, size_t i, int width, FILE *out)
{
    const struct tune_trial *trial = &result->trials[i];
    const bool is_short = trial->epochs < result->epochs;
    fprintf(out, "%5zu  %6zu  ", trial->number, trial->epochs);
    if (isnan(trial->value)) {
        fprintf(out, "%*s  %8s  ", width, "failed", "-");
    } else if (is_short || i == result->baseline) {
        fprintf(out, "%*.5f  %8s  ", width, trial->value, "-");
    } else {
        fprintf(out, "%*.5f  %+8.5f  ", width, trial->value,
                trial->value - result->trials[result->baseline].value);
    }
    print_settings(trial, out);
    fputc('\n', out);
}

/* The best trials, the configuration itself among them or below. */
static void print_table(const struct tune_result *result, FILE *out)
{
    int width = (int)strlen(result->metric) > 7 ? (int)strlen(result->metric) : 7;
    const size_t n_shown = result->n_trials < SHOWN_TRIALS ? result->n_trials : SHOWN_TRIALS;
    size_t n_short = 0;
    for (size_t i = 0; i < n_shown; i++) {
        n_short += result->trials[i].epochs < result->epochs;
    }
    fprintf(out,
            "the best %zu of %zu settings tried, best first%s; `trial` counts in the order of "
            "trying\n",
            n_shown, result->n_trials,
            n_short > 0 ? ", those not tried in full behind the others" : "");
    fprintf(out, "%5s  %6s  %*s  %8s  settings\n", "trial", "epochs", width, result->metric,
            "gain");
    for (size_t i = 0; i < n_shown; i++) {
        print_row(result, i, width, out);
    }
    if (result->n_trials > 0 && result->baseline >= SHOWN_TRIALS) {
        print_row(result, result->baseline, width, out);
    }
}

/* Whether some were made by an earlier call. */
static bool knows_more(const struct tune_result *result)
{
    bool known = false;
    for (size_t i = 0; i < result->n_trials; i++) {
        known = known || result->trials[i].known;
    }
    return known;
}

static void show_summary(const struct display *display, bool restarts,
                         const struct tune_result *result)
{
    char duration[NUM_TEXT_MAX];
    num_format_duration(result->seconds, duration);
    if (display->lines) {
        fprintf(display->err, "%zu different settings, %s of trials%s%s\n", result->n_trials,
                duration, knows_more(result) ? " with those of earlier calls" : "",
                !result->out_of_time ? ""
                : restarts ? "; the time was over: the same command without --restart goes on"
                           : "; the time was over: the same command goes on");
    }
}

static enum status_code read_flags(const struct command_line *line, struct tune_request *request,
                                   struct status *status)
{
    enum status_code code;
    int64_t trials = TRIALS_DEFAULT, seed = request->plan->settings.seed;
    TRY(command_flag_int64(line, "--trials", 2, TRIALS_MAX, &trials, status));
    TRY(command_flag_int64(line, "--seed", 0, INT64_MAX, &seed, status));
    TRY(command_flag_duration(line, "--max-time", &request->max_seconds, status));
    request->n_trials = (size_t)trials;
    request->seed = (uint64_t)seed;
    request->vary = command_flag_values(line, "--vary", &request->n_vary);
    request->fix = command_flag_values(line, "--fix", &request->n_fix);
    request->restart = command_flag_count(line, "--restart") > 0;
done:
    return code;
}

static enum status_code report(const struct tune_request *request, const struct tune_result *result,
                               const char *path, FILE *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    print_table(result, out);
    if (!result->is_better && !isnan(result->gain)) {
        fprintf(out,
                "trial %zu gains %.5f over the configuration as it is, no more than one standard "
                "error (%.5f): nothing written\n",
                result->trials[result->winner].number, result->gain, result->error);
        goto done;
    }
    if (!result->is_better) {
        fprintf(out, "no settings were better than the configuration as it is: nothing written\n");
        goto done;
    }
    TRY(tuned_file_write(request, result, path, status));
    fprintf(out, "trial %zu is better than the configuration as it is",
            result->trials[result->winner].number);
    if (!isnan(result->gain)) {
        fprintf(out, ", by %.5f with a standard error of %.5f", result->gain, result->error);
    }
    command_print(out, ": wrote %s\n", path);
done:
    return code;
}

static enum status_code run_tune(const struct command_environment *environment,
                                 const struct command_line *line, struct status *status)
{
    enum status_code code;
    bool verbose, talks;
    struct plan *plan = NULL;
    struct tune_result result = {0};
    struct buf path = {0};
    TRY(command_loudness(environment, line, &verbose, &talks, status));
    TRY(command_load_plan(environment, line, &plan, status));
    struct log log = {.stream = environment->err, .level = verbose ? LOG_DEBUG : LOG_SILENT};
    struct display display = {.err = environment->err, .lines = talks};
    struct tune_request request = {.plan = plan,
                                   .registry = environment->registry,
                                   .version = environment->version,
                                   .log = &log,
                                   .show_progress = talks && environment->err_can_draw,
                                   .stop_signal = environment->stop_signal,
                                   .begun = show_begin,
                                   .trial_done = show_trial,
                                   .data = &display};
    TRY(read_flags(line, &request, status));
    TRY(tuned_file_name(plan, command_flag_value(line, "--output"), &path, status));
    TRY(tune_run(&request, &result, status));
    show_summary(&display, request.restart, &result);
    TRY(report(&request, &result, buf_text(&path), environment->out, status));
    TRY(command_flush(environment->out, status));
done:
    tune_result_release(&result);
    buf_release(&path);
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--trials",
     .value = "N",
     .help = "work to spend, in trainings of the configuration's length, its own included; a short "
             "one counts a third; 27 when not given, 10000 at most"},
    {.name = "--max-time",
     .value = "TIME",
     .help = "start no trial after so long, say 30m, and take the best of what has finished"},
    {.name = "--vary",
     .value = "PATH=RANGE",
     .repeatable = true,
     .help = "try other values than `describe` says: stages.train.temperature=0.1..0.2, with `log` "
             "behind it by its logarithm, or a list, stages.train.dimension=64,128; may be given "
             "several times"},
    {.name = "--fix",
     .value = "PATH",
     .repeatable = true,
     .help = "leave an option, a stage (stages.negatives) or all but --vary (stages) as the file "
             "has it"},
    {.name = "--seed",
     .value = "N",
     .help = "of the settings drawn; the pipeline's when not given"},
    {.name = "--output",
     .value = "FILE",
     .help = "write the winner there, in the folder of CONFIG, instead of CONFIG's name with "
             ".tuned.yaml"},
    {.name = "--restart", .help = "forget the trials of earlier calls and read the source again"},
    {.name = "--quiet", .help = "print the result only"},
    {.name = "--verbose", .help = "print what happens, also without a terminal"},
    {.name = NULL}};

const struct command command_tune = {
    .name = "tune",
    .summary = "search for better settings on the validation part",
    .usage = "CONFIG [options]",
    .description =
        "Tries settings out of the ranges that the options name (`nightjar describe train`), by "
        "the search of `auto` (`nightjar help tuning`): the configuration as it is, mixtures with "
        "a third of the epochs, the best third of them with all, then small steps from the best. "
        "They are compared by the metric that calibrate, or without it train, takes on the "
        "validation part; the test part is not read, nothing is published. Settings that beat the "
        "configuration by more than one standard error of the users' differences are written "
        "beside CONFIG, as CONFIG with these values changed and a comment on what they gained.\n"
        "The rows are read from the source once. Finished trials are kept beside the work "
        "database, in a file ending in .tune.db: a search that was interrupted goes on where it "
        "stopped, and one with more --trials builds on those before.",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = flags,
    .run = run_tune};
