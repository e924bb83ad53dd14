/* nightjar backtest: what lists made every night would have been worth.
 *
 *     the log  ->  for each evening: empty files  ->  the pipeline as of then  ->  its lists judged
 *
 * on the 24 hours behind it. Evenings are counted back from the newest event, as evaluate's `roll`
 * does (evaluation/rolling.h). Each is trained in databases of its own (run/written_files.h). */
#include "commands/backtest_judge.h"
#include "commands/backtest_kept.h"
#include "commands/command.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/path.h"
#include "evaluation/rolling.h"
#include "events/interactions_options.h"
#include "io/json_writer.h"
#include "publishing/generation.h"
#include "run/written_files.h"
#include "store/lock.h"
#include "tuning/trial_plan.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

enum { NIGHTS_DEFAULT = 14 };

struct backtest {
    const struct command_environment *environment;
    struct log log;
    const struct plan *plan;
    struct trial_view view; /* what publish needs */
    struct buf output, work;
    struct lock lock;
    struct forgotten forgotten;
    struct backtest_log rows;
    struct backtest_column columns[N_BACKTEST_MODELS * COMMAND_VALUES_MAX];
    size_t n_columns, n_nights, n_judged;
    double *means;             /* (n_nights, n_columns) of the evenings that are judged */
    int64_t *evenings, *users; /* (n_nights) their times, how many were judged */
    bool json, shows;          /* shows: progress */
    struct json_list list;
};

static enum status_code read_flags(const struct command_line *line, struct backtest *test,
                                   struct status *status)
{
    static const char *const models[] = {"nightjar", "recent_popularity", "popularity"};
    static const char *const usual[] = {"ndcg@20", "recall@20"};
    size_t n_names;
    int64_t nights = NIGHTS_DEFAULT;
    enum status_code code;
    TRY(command_flag_int64(line, "--nights", 1, ROLLING_DAYS_MAX, &nights, status));
    const char *const *names = command_flag_values(line, "--metric", &n_names);
    names = n_names > 0 ? names : usual;
    n_names = n_names > 0 ? n_names : sizeof usual / sizeof *usual;
    for (size_t i = 0; i < n_names; i++) {
        struct backtest_column column = {0};
        if (!metric_parse(names[i], strlen(names[i]), &column.metric, &column.k)) {
            TRY(status_set(status, STATUS_USAGE,
                           "backtest: --metric is \"%s\"; NAME@K is allowed, with NAME one of %s "
                           "and K up to %d",
                           names[i], METRIC_NAMES, METRIC_K_MAX));
        }
        for (size_t m = 0; m < N_BACKTEST_MODELS; m++) {
            column.model = (enum backtest_model)m;
            snprintf(column.name, sizeof column.name, "%s@%zu:%s", column.metric->name, column.k,
                     models[m]);
            test->columns[test->n_columns++] = column;
        }
    }
    test->n_nights = (size_t)nights;
    test->json = command_flag_count(line, "--json") > 0;
done:
    return code;
}

/* Everything before the first evening that needs no data. */
static enum status_code set_up(struct backtest *test, struct status *status)
{
    const struct plan *plan = test->plan;
    const struct plan_settings *settings = &plan->settings;
    const struct plan_stage *publish = plan_find(plan, "publish");
    const struct interactions_options *options = interactions_options_of(plan);
    struct db *db = NULL;
    enum status_code code;
    if (publish == NULL || options == NULL) {
        TRY(status_set_at(status, STATUS_CONFIG, plan->file, 0, 0,
                          "the pipeline has no stage `%s`: there is nothing to judge",
                          publish == NULL ? "publish" : "interactions"));
    }
    if (options->split.valid_query != NULL || options->split.test_query != NULL) {
        TRY(status_set_at(status, STATUS_CONFIG, plan->file, 0, 0,
                          "split.%s gives rows that no evening can be cut out of",
                          options->split.valid_query != NULL ? "valid_query" : "test_query"));
    }
    written_backtest_output(settings->work.database, &test->output);
    written_backtest_work(settings->work.database, &test->work);
    TRY(buf_check(&test->output, status));
    TRY(buf_check(&test->work, status));
    TRY(trial_view_init(&test->view, plan, publish->position, buf_text(&test->work), status));
    test->view.plan.settings.output.database = buf_text(&test->output);
    test->view.plan.settings.output.prefix = "";
    TRY(lock_pipeline(buf_text(&test->output), NULL, &test->lock, status));
    if (!path_is_empty(settings->output.database)) { /* who is forgotten stands there */
        TRY(db_open(settings->output.database, DB_READ, settings->source.busy_timeout, &db,
                    status));
        db_leave_checkpoints(db);
        TRY(forgotten_load(&test->forgotten, db, settings->output.prefix, status));
    }
    TRY(MEM_NEW(&test->means, test->n_nights * test->n_columns, status));
    TRY(MEM_NEW(&test->evenings, test->n_nights, status));
    TRY(MEM_NEW(&test->users, test->n_nights, status));
done:
    db_close(db);
    return code;
}

/* The work database, and with it the output's, with what SQLite puts beside them. */
static enum status_code remove_files(const struct backtest *test, bool with_output,
                                     struct status *status)
{
    const char *const files[] = {buf_text(&test->work), buf_text(&test->output)};
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < (with_output ? 2 : 1); i++) {
        if (unlink(files[i]) != 0 && errno != ENOENT) {
            TRY(status_set_at(status, STATUS_CANNOT_CREATE, files[i], 0, 0,
                              "cannot remove the database of the evening before: %s",
                              strerror(errno)));
        }
        TRY(db_remove_companions(files[i], status));
    }
done:
    return code;
}

/* The pipeline as it would have run at `time`. What the evening before has published stays, as it
 * does from night to night: a search of settings goes on from there. */
static enum status_code run_evening(struct backtest *test, int64_t time, bool is_first,
                                    struct status *status)
{
    struct plan_settings *settings = &test->view.plan.settings;
    struct run_result ignored;
    struct db *db = NULL;
    enum status_code code;
    TRY(remove_files(test, is_first, status));
    settings->source.as_of = time;
    if (is_first && test->forgotten.n > 0) {
        TRY(db_open_private(buf_text(&test->output), settings->source.busy_timeout, &db, status));
        TRY(publish_migrate(db, settings->output.prefix, status));
        TRY(forgotten_copy(db, settings->output.prefix, &test->forgotten, status));
        db_close(db);
        db = NULL;
    }
    const struct run_request request = {.plan = &test->view.plan,
                                        .version = test->environment->version,
                                        .log = &test->log,
                                        .show_progress = test->shows,
                                        .publish_anyway = true,
                                        .stop_signal = test->environment->stop_signal};
    TRY(runner_run(&request, &ignored, status));
done:
    db_close(db);
    return code;
}

/* A row of the table; values NULL or NAN: there are none. */
static enum status_code print_row(struct backtest *test, const char *name, size_t n_users,
                                  const double *values, struct status *status)
{
    FILE *out = test->environment->out;
    if (test->json) {
        json_list_row(&test->list);
        json_list_text(&test->list, "evening", name, strlen(name));
        json_list_int64(&test->list, "users", (int64_t)n_users);
        for (size_t c = 0; c < test->n_columns; c++) {
            json_list_double(&test->list, test->columns[c].name,
                             values != NULL ? values[c] : (double)NAN);
        }
        return STATUS_OK;
    }
    fprintf(out, "%-10s  %7zu", name, n_users);
    for (size_t c = 0; c < test->n_columns; c++) {
        const int width = (int)strlen(test->columns[c].name);
        if (values == NULL || isnan(values[c])) {
            fprintf(out, "  %*s", width, "-");
        } else {
            fprintf(out, "  %*.5f", width, values[c]);
        }
    }
    fputc('\n', out);
    return command_flush(out, status); /* the next evening takes a while */
}

/* Over the evenings that were judged. */
static enum status_code print_means(struct backtest *test, size_t n_users, struct status *status)
{
    double *means = NULL, *errors = NULL;
    enum status_code code;
    TRY(MEM_NEW(&means, test->n_columns, status));
    TRY(MEM_NEW(&errors, test->n_columns, status));
    for (size_t c = 0; c < test->n_columns; c++) {
        metric_mean_error(test->means + c, test->n_columns, test->n_judged, &means[c], &errors[c]);
    }
    TRY(print_row(test, "mean", n_users, means, status));
    TRY(print_row(test, "error", n_users, errors, status));
    if (test->json) {
        TRY(json_list_print(&test->list, test->environment->out, status));
    }
done:
    mem_free(means);
    mem_free(errors);
    return code;
}

/* One evening after the other, the oldest first. */
static enum status_code run_evenings(struct backtest *test, struct status *status)
{
    size_t n_users = 0, n_all = 0;
    enum status_code code = STATUS_OK;
    if (!test->json) {
        fprintf(test->environment->out, "%-10s  %7s", "evening", "users");
        for (size_t c = 0; c < test->n_columns; c++) {
            fprintf(test->environment->out, "  %s", test->columns[c].name);
        }
        fputc('\n', test->environment->out);
    }
    for (size_t night = test->n_nights; night > 0; night--) {
        struct status outcome = {0};
        char date[CLOCK_TEXT_MAX];
        double *means = test->means + test->n_judged * test->n_columns;
        const int64_t time = test->rows.newest + 1 - (int64_t)night * CLOCK_DAY;
        clock_format(time, date);
        date[strlen("2026-11-30")] = '\0';
        n_users = 0;
        code = run_evening(test, time, night == test->n_nights, &outcome);
        if (code == STATUS_OK) {
            TRY(backtest_judge(&test->rows, buf_text(&test->output), time, test->columns,
                               test->n_columns, means, &n_users, status));
        } else if (code == STATUS_DATA) { /* too little had happened by then */
            command_print(test->environment->err, "%s is not judged: %s\n", date, outcome.message);
        } else if (code == STATUS_SIGNAL) {
            TRY(command_check_stop(test->environment, "backtest", "the next one starts anew",
                                   status));
        } else {
            *status = outcome;
            goto done;
        }
        TRY(print_row(test, date, n_users, n_users > 0 ? means : NULL, status));
        n_all += n_users;
        test->evenings[test->n_judged] = time;
        test->users[test->n_judged] = (int64_t)n_users;
        test->n_judged += n_users > 0;
    }
    if (test->n_judged == 0) {
        TRY(status_set(status, STATUS_DATA, "backtest: on none of %zu evenings was anybody judged",
                       test->n_nights));
    }
    TRY(print_means(test, n_all, status));
done:
    return code;
}

/* For the report. The figures are printed: what goes wrong here is said, and no error. */
static void keep(const struct backtest *test)
{
    struct status left = {0};
    if (backtest_keep(test->plan, test->evenings, test->users, test->means, test->n_judged,
                      test->columns, test->n_columns, &left) != STATUS_OK) {
        command_print(test->environment->err, "the report will not show this backtest: %s\n",
                      left.message);
    }
}

static enum status_code run_backtest(const struct command_environment *environment,
                                     const struct command_line *line, struct status *status)
{
    enum status_code code;
    bool verbose, talks;
    struct plan *plan = NULL;
    struct backtest test = {.environment = environment, .lock = {.fd = -1}};
    const struct watch watch = {.check_stop = command_check_waiting, .data = &environment};
    TRY(command_loudness(environment, line, &verbose, &talks, status));
    TRY(read_flags(line, &test, status));
    TRY(command_load_plan(environment, line, &plan, status));
    test.plan = plan;
    test.shows = talks && environment->err_can_draw;
    test.log = (struct log){.stream = environment->err, .level = verbose ? LOG_DEBUG : LOG_SILENT};
    TRY(set_up(&test, status));
    TRY(backtest_log_read(plan, &test.forgotten, &watch, &test.rows, status));
    TRY(run_evenings(&test, status));
    TRY(command_flush(environment->out, status));
    keep(&test);
done:
    if (test.lock.fd >= 0 && command_flag_count(line, "--keep") == 0) {
        struct status left = {0}; /* the figures are printed */
        (void)!remove_files(&test, true, &left);
    }
    lock_release(&test.lock);
    trial_view_release(&test.view);
    forgotten_release(&test.forgotten);
    event_log_release(&test.rows.events);
    json_list_release(&test.list);
    mem_free(test.means);
    mem_free(test.evenings);
    mem_free(test.users);
    buf_release(&test.output);
    buf_release(&test.work);
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--nights", .value = "N", .help = "evenings to go back; 14 when not given"},
    {.name = "--metric",
     .value = "NAME@K",
     .repeatable = true,
     .help = "what to print, say ndcg@10; may be given several times; ndcg@20 and recall@20 when "
             "not given"},
    {.name = "--json", .help = "a JSON list instead of a table"},
    {.name = "--keep", .help = "leave the databases of the last evening"},
    COMMAND_FLAG_SET,
    {.name = "--quiet", .help = "print the result only"},
    {.name = "--verbose", .help = "print what happens, also without a terminal"},
    {.name = NULL}};

const struct command command_backtest = {
    .name = "backtest",
    .summary = "tell what lists made every night would have been worth",
    .usage = "CONFIG [options]",
    .description =
        "For each of the last evenings of the log (24 hours each, back from its newest event) the "
        "pipeline is run anew on what had happened by then, without import, report and gate, and "
        "its lists are judged on what came in the 24 hours behind it: the distinct items that the "
        "user had not before, all of them where repeats count (split.repeats). Beside them stand "
        "the popular items as published that evening and those of all time. A search of settings "
        "begins on the first evening and goes on from there, as it does from night to night. Lists "
        "are judged as long as they are: recommend.top below K costs recall. Prints a row an "
        "evening, the mean "
        "over evenings and its standard error. An evening with too few events is named and has no "
        "figures.\n"
        "Side data and the queries of rules are read as they are today. What is published stays as "
        "it is: the evenings use databases of their own beside the work database, ending in "
        ".backtest.db and .backtest.work.db, which are removed at the end. Where the pipeline has "
        "run before, the figures of the last backtest are kept in its work database, and its "
        "report "
        "draws them.",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = flags,
    .run = run_backtest};
