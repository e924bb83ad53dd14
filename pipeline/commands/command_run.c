/* nightjar run: a whole pipeline, from the log to the published tables. */
#include "commands/morning.h"
#include "commands/published.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/num.h"
#include "base/output_file.h"
#include "run/hooks.h"
#include "run/metrics_file.h"
#include "run/run_record.h"

#include <unistd.h>

/* What the callbacks of a run show on, and tell hooks with. */
struct display {
    struct log *log;
    FILE *err;
    bool speaks; /* the first rank: it alone shows, keeps and tells */
    bool lines;  /* one line a stage, and the summary, in place of log messages */
    const struct command_environment *environment;
    const struct plan *plan;
    double started; /* clock_monotonic() */
    int64_t run;    /* 0: it has not begun */
};

/* The log, or of it only the file where lines of another form are shown. */
static struct log log_beside(const struct display *display)
{
    struct log log = *display->log;
    log.stream = display->lines ? NULL : log.stream;
    return log;
}

static void show_stage(void *data, const char *label, bool skipped, double seconds, int64_t rows)
{
    const struct display *display = data;
    struct log log = log_beside(display);
    char duration[NUM_TEXT_MAX];
    num_format_duration(seconds, duration);
    log_write(&log, LOG_INFO, "%s: %s in %s, %lld rows", label, skipped ? "unchanged" : "done",
              duration, (long long)rows);
    if (display->lines && skipped) {
        fprintf(display->err, "  %-14s unchanged\n", label);
    } else if (display->lines && rows > 0) {
        fprintf(display->err, "  %-14s %10s  %12lld rows\n", label, duration, (long long)rows);
    } else if (display->lines) {
        fprintf(display->err, "  %-14s %10s\n", label, duration);
    }
}

static void begin(void *data, int64_t run)
{
    struct display *display = data;
    const struct hook_facts facts = {
        .run = run, .state = "running", .message = "", .version = display->environment->version};
    display->run = run;
    if (display->speaks) {
        hooks_call(display->plan, HOOK_START, &facts, display->environment->stop_signal,
                   display->log);
    }
}

/* A run that another one kept from beginning is none: that one's hooks tell of it. */
static void tell_hooks(const struct display *display, const struct run_result *result,
                       const struct status *status)
{
    const enum status_code code = status->code;
    struct hook_facts facts = {
        .run = display->run,
        .generation = result->generation,
        .state = run_record_state(result->generation, code),
        .exit_code = (int)code + (code == STATUS_SIGNAL ? status->signal : 0),
        .seconds = clock_monotonic() - display->started,
        .message = code == STATUS_OK ? result->afterwards.message : status->message,
        .version = display->environment->version};
    if (code != STATUS_USAGE && (code != STATUS_BUSY || display->run != 0)) {
        hooks_call(display->plan, code == STATUS_OK ? HOOK_SUCCESS : HOOK_FAILURE, &facts,
                   display->environment->stop_signal, display->log);
    }
}

/* How good it is, a line each. The run is over: what cannot be read is not said. */
static void show_morning(const struct display *display, const struct plan *plan, int64_t run)
{
    struct log log = log_beside(display);
    struct status ignored = {0};
    struct buf lines = {0};
    struct db *work = NULL;
    if (db_open(plan->settings.work.database, DB_READ, plan->settings.source.busy_timeout, &work,
                &ignored) == STATUS_OK &&
        morning_add(plan, work, run, &lines, &ignored) == STATUS_OK) {
        for (const char *line = buf_text(&lines); *line != '\0';) {
            const size_t length = strcspn(line, "\n");
            log_write(&log, LOG_INFO, "%.*s", (int)(length - 2), line + 2); /* not indented */
            line += length + 1;
        }
        if (display->lines) {
            command_print(display->err, "%s", buf_text(&lines));
        }
    }
    db_close(work);
    buf_release(&lines);
}

static void show_line(const struct display *display, const char *line)
{
    struct log log = log_beside(display);
    log_write(&log, LOG_INFO, "%s", line);
    if (display->lines) {
        command_print(display->err, "%s\n", line);
    }
}

/* What several ranks have sent, and for whom they waited. */
static void show_ranks(const struct display *display, const struct run_result *result)
{
    const struct ranks_summary *ranks = &result->ranks;
    char bytes[NUM_TEXT_MAX], waited[NUM_TEXT_MAX], line[512];
    num_format_bytes((double)ranks->bytes, bytes);
    num_format_duration(ranks->waited, waited);
    if (ranks_n(display->environment->ranks) > 1) {
        snprintf(line, sizeof line,
                 "%zu ranks sent %s; rank %zu on %s was the slowest: each other waited %s longer",
                 ranks_n(display->environment->ranks), bytes, ranks->slowest, ranks->host, waited);
        show_line(display, line);
    }
}

static void show_summary(const struct display *display, const struct plan *plan,
                         const struct run_result *result)
{
    struct buf text = {0};
    char duration[NUM_TEXT_MAX];
    num_format_duration(result->seconds, duration);
    buf_addf(&text, "run %lld of %s: %zu stage%s done, %zu unchanged, in %s; ",
             (long long)result->run, plan->settings.pipeline, result->n_run,
             result->n_run == 1 ? "" : "s", result->n_skipped, duration);
    if (result->generation != 0) {
        buf_addf(&text, "published generation %lld in %s", (long long)result->generation,
                 plan->settings.output.database);
    } else {
        buf_add_text(&text, "nothing new to publish");
    }
    show_line(display, buf_text(&text));
    buf_release(&text);
    show_ranks(display, result);
    show_morning(display, plan, result->run);
}

/* How much to say: without a terminal only warnings, unless asked for, because cron mails what is
 * printed. */
static enum status_code set_up_log(const struct command_environment *environment,
                                   const struct command_line *line, struct log *log,
                                   struct display *display, struct status *status)
{
    const char *format = command_flag_value(line, "--log-format");
    const char *no_color = getenv("NO_COLOR");
    const bool quiet = command_flag_count(line, "--quiet") > 0;
    bool verbose, talks;
    enum status_code code = command_loudness(environment, line, &verbose, &talks, status);
    if (code != STATUS_OK) {
        return code;
    }
    if (format != NULL && strcmp(format, "text") != 0 && strcmp(format, "json") != 0) {
        return status_set(status, STATUS_USAGE,
                          "run: --log-format is \"%s\"; text and json are allowed", format);
    }
    *log = (struct log){.stream = environment->err,
                        .level = verbose ? LOG_DEBUG
                                 : talks ? LOG_INFO
                                 : quiet ? LOG_SILENT
                                         : LOG_WARNING,
                        .json = format != NULL && strcmp(format, "json") == 0,
                        .ranks = ranks_n(environment->ranks),
                        .rank = ranks_mine(environment->ranks),
                        .color =
                            environment->err_can_draw && (no_color == NULL || no_color[0] == '\0')};
    *display = (struct display){.log = log,
                                .err = environment->err,
                                .lines = talks && !log->json,
                                .speaks = ranks_is_first(environment->ranks),
                                .environment = environment};
    return STATUS_OK;
}

/* The log file, appended to. NULL when none was asked for. */
static enum status_code open_log_file(const struct command_line *line, bool speaks, struct log *log,
                                      struct status *status)
{
    const char *path = command_flag_value(line, "--log-file");
    if (path == NULL || !speaks) {
        return STATUS_OK;
    }
    int fd = -1;
    enum status_code code =
        output_file_open(path, OUTPUT_APPEND, OUTPUT_PRIVATE, "the log file", &fd, status);
    if (code == STATUS_OK && (log->file = fdopen(fd, "a")) == NULL) {
        close(fd);
        code = status_set(status, STATUS_NO_MEMORY, "out of memory");
    }
    return code;
}

/* After the run, good or bad: what monitoring reads, and what the log file keeps of a failure. A
 * run that another one kept from starting leaves that one's metrics alone. What fails after a
 * generation is published is told even to cron, and is no error. */
static enum status_code report_end(const struct command_line *line, const struct plan *plan,
                                   struct log *log, struct run_result *result,
                                   struct status *status)
{
    enum status_code code = status->code;
    struct status metrics_status = {0};
    const char *path = command_flag_value(line, "--metrics-file");
    char text[STATUS_FILE_MAX + 1024];
    if (path != NULL && code != STATUS_BUSY &&
        metrics_file_write(plan, path, command_flag_count(line, "--metrics-all") > 0,
                           &metrics_status) != STATUS_OK &&
        code == STATUS_OK) {
        if (result->generation == 0) {
            *status = metrics_status;
            code = status->code;
        } else if (result->afterwards.code == STATUS_OK) {
            result->afterwards = metrics_status;
        }
    }
    if (code == STATUS_OK && result->afterwards.code != STATUS_OK) {
        status_format(&result->afterwards, text, sizeof text);
        log_write(log, LOG_WARNING, "generation %lld is published; what came after failed: %s",
                  (long long)result->generation, text);
    }
    if (code != STATUS_OK && code != STATUS_USAGE) {
        if (result->generation != 0) {
            status_add_line(status, "this run has published generation %lld",
                            (long long)result->generation);
        } else {
            published_add_standing(plan, status);
        }
        if (code == STATUS_REFUSED) {
            status_add_line(status, "to publish all the same: nightjar run %s --publish-anyway",
                            line->arguments[0]);
        }
        status_format(status, text, sizeof text);
        struct log file = *log;
        file.stream = NULL; /* main.c shows it */
        log_write(&file, LOG_ERROR, "%s", text);
    }
    return code;
}

static enum status_code run_run(const struct command_environment *environment,
                                const struct command_line *line, struct status *status)
{
    enum status_code code;
    struct plan *plan = NULL;
    struct log log = {0};
    struct strings warnings = {0};
    struct display display;
    struct run_result result = {0};
    double wait = 0.0, max_time = 0.0;
    TRY(set_up_log(environment, line, &log, &display, status));
    TRY(command_flag_duration(line, "--wait", &wait, status));
    TRY(command_flag_duration(line, "--max-time", &max_time, status));
    TRY(command_load_plan(environment, line, &plan, status));
    TRY(open_log_file(line, display.speaks, &log, status));
    log.warnings = &warnings;
    command_tell_doubts(plan, &log);
    if (display.speaks &&
        command_flag_value(line, "--metrics-file") != NULL) { /* now, not after the training */
        TRY(path_check_writable(command_flag_value(line, "--metrics-file"), PATH_TEXT, status));
    }
    const struct run_request request = {.plan = plan,
                                        .version = environment->version,
                                        .log = &log,
                                        .show_progress = display.lines && environment->err_can_draw,
                                        .force = command_flag_count(line, "--force") > 0,
                                        .publish_anyway =
                                            command_flag_count(line, "--publish-anyway") > 0,
                                        .from = command_flag_value(line, "--from"),
                                        .only = command_flag_value(line, "--only"),
                                        .wait = wait,
                                        .max_time = max_time,
                                        .stop_signal = environment->stop_signal,
                                        .ranks = environment->ranks,
                                        .started = begin,
                                        .stage_done = show_stage,
                                        .data = &display};
    display.plan = plan;
    display.started = clock_monotonic();
    code = runner_run(&request, &result, status);
    if (display.speaks) {
        code = report_end(line, plan, &log, &result, status);
    }
    if (display.speaks && code == STATUS_OK) {
        show_summary(&display, plan, &result);
    }
    if (display.speaks) {
        tell_hooks(&display, &result, status);
    }
done:
    if (log.file != NULL) {
        fclose(log.file);
    }
    strings_release(&warnings);
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {
    COMMAND_FLAG_SET,
    {.name = "--force", .help = "redo every stage, also what is unchanged"},
    {.name = "--from", .value = "STAGE", .help = "redo this stage and all behind it"},
    {.name = "--only",
     .value = "STAGE",
     .help = "run this stage alone, on what earlier runs have left for it"},
    {.name = "--publish-anyway",
     .help = "a gate that refuses is a warning, this once; its reason stays in the history"},
    {.name = "--wait",
     .value = "TIME",
     .help = "wait that long (10m) for another run of this pipeline to end; without it such a run "
             "makes this one exit with 75 at once"},
    {.name = "--max-time",
     .value = "TIME",
     .help = "stop training in time for the run to take about that long (2h) and go on with the "
             "best towers so far; the next run trains on from there"},
    {.name = "--quiet", .help = "print errors only"},
    {.name = "--verbose", .help = "print what happens, also without a terminal"},
    {.name = "--log-format", .value = "text|json", .help = "json: one object a line"},
    {.name = "--log-file",
     .value = "FILE",
     .help = "append what happens to this file, whatever is printed"},
    {.name = "--metrics-file",
     .value = "FILE",
     .help = "write the run's times, rows, metrics and exit code there for Prometheus (textfile "
             "collector); replaced as a whole, after failures too"},
    {.name = "--metrics-all",
     .help = "with every metric of the run in that file, hundreds of series instead of tens"},
    {.name = NULL}};

const struct command command_run = {
    .name = "run",
    .summary = "run a pipeline and publish its recommendations",
    .usage = "CONFIG [options]",
    .description =
        "Runs the stages of a pipeline in order and publishes a new generation. Stages whose "
        "options, inputs and source are unchanged are skipped. An interrupted run goes on where it "
        "stopped. Whatever goes wrong, the recommendations published before stay in place.\n"
        "Without a terminal nothing is printed on success, so that cron mails only trouble.",
    .min_arguments = 1,
    .max_arguments = 1,
    .ranks = RANKS_ALL,
    .flags = flags,
    .run = run_run};
