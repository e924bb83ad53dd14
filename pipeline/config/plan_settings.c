/* The top level of a pipeline file: its option table and the rules across its fields. */
#include "config/plan_reading.h"

#include "base/command_words.h"
#include "base/path.h"

#include <strings.h>

enum { NAME_MAX_LENGTH = 64 };

static const struct option source_options[] = {
    OPT_PATH(plan_source, "database", database,
             "The SQLite file with the interaction log. It is opened read-only.", .required = true),
    OPT_TEXT(plan_source, "interactions", interactions, NULL,
             "One SELECT whose columns are user, item and whatever else is known of an interaction "
             "(see the stage `interactions`). Give either this or `table`."),
    OPT_TEXT(plan_source, "table", table, NULL,
             "The table or view with one row an interaction. Give either this, with at least "
             "`user` and `item`, or `interactions`."),
    OPT_TEXT(plan_source, "user", user, NULL, "The column of `table` with the user's id."),
    OPT_TEXT(plan_source, "item", item, NULL, "The column of `table` with the item's id."),
    OPT_TEXT(plan_source, "event", event, NULL, "The column of `table` with the type of event."),
    OPT_TEXT(plan_source, "weight", weight, NULL,
             "The column of `table` with a weight or a rating."),
    OPT_TEXT(plan_source, "time", time, NULL, "The column of `table` with the time."),
    OPT_TEXT(plan_source, "fingerprint", fingerprint, NULL,
             "A SELECT whose result changes whenever the interactions do, say `SELECT (SELECT "
             "max(id) FROM events), (SELECT count(*) FROM events)`: SQLite answers each of the two "
             "without going through the rows, but not both in one SELECT. max(id) alone is enough "
             "where rows are only added. Without it the rows themselves are compared."),
    OPT_TEXT(plan_source, "key", key, NULL,
             "A column of INTEGERs of which every new row has a greater one than all before (an "
             "AUTOINCREMENT id), in a log whose rows neither change nor go. From the second run on "
             "only rows with a greater key are read; the others come from the work database. What "
             "was changed or deleted nevertheless is seen by a run with `--force`, or after the "
             "row with the last key has gone."),
    OPT_DURATION(plan_source, "busy_timeout", busy_timeout, "30s", 0, 86400,
                 "How long to wait for another program that has locked the database."),
    OPT_DURATION(plan_source, "query_timeout", query_timeout, "1h", 0.001, 604800,
                 "How long a query of yours may take, all of its rows read."),
    OPT_END};

static const struct option variant_options[] = {
    OPT_TEXT(
        plan_variant, "of", of, NULL,
        "The trial's name, the same in all of its pipelines: who gets which is a hash of it and "
        "the user's id.",
        .required = true, .pattern = "^[A-Za-z0-9_-]{1,64}$"),
    OPT_FLOAT(plan_variant, "share", share, "0.5", 1e-6, 1,
              "The share of the users whom this pipeline serves."),
    OPT_FLOAT(plan_variant, "from", from, "0", 0, 1,
              "Where its share begins: with 0.5 for each the second pipeline says 0.5. Shares that "
              "do not overlap have no user in common."),
    OPT_END};

static const struct option output_options[] = {
    OPT_PATH(plan_output, "database", database,
             "The SQLite file that receives the recommendations. Without it the source's."),
    OPT_TEXT(plan_output, "prefix", prefix, "",
             "Begins the name of every table and view that is written: letters, digits and _.",
             .pattern = "^[A-Za-z0-9_]{0,64}$"),
    OPT_INT(plan_output, "keep", keep, "3", 1, 1000,
            "Published generations that are kept, the newest included.", .unit = "generations"),
    OPT_GROUP(plan_output, "variant", variant, variant_options,
              "Serves a share of the users, and leaves the others to other pipelines with a prefix "
              "of their own in this database (`nightjar help outcome`)."),
    OPT_END};

static const struct option work_options[] = {
    OPT_PATH(plan_work, "database", database,
             "nightjar's own file: artifacts, checkpoints, run history. Safe to delete. Without it "
             "PIPELINE.work.db beside the configuration."),
    OPT_INT(plan_work, "keep_runs", keep_runs, "1000", 1, 1e9,
            "Runs whose history the work database keeps, failed ones included.", .unit = "runs"),
    OPT_END};

static const struct option hook_options[] = {
    OPT_TEXT(plan_hooks, "start", start, NULL,
             "Run when a run begins: a program and its words, parted by blanks, '...' and \"...\" "
             "around those that have some. No shell reads it. What there is to know stands in "
             "variables: NIGHTJAR_RUN, NIGHTJAR_STATUS and others (`nightjar help hooks`)."),
    OPT_TEXT(plan_hooks, "success", success, NULL,
             "The same at the end of a run that published, or had nothing new to publish."),
    OPT_TEXT(plan_hooks, "failure", failure, NULL,
             "The same at the end of a run that failed, was refused by a gate or stopped by a "
             "signal."),
    OPT_DURATION(plan_hooks, "timeout", timeout, "60s", 0.001, 86400,
                 "The run waits so long for each; then the command and what it started are "
                 "ended."),
    OPT_END};

const struct option plan_options[] = {
    OPT_TEXT(plan_settings, "pipeline", pipeline, NULL,
             "The pipeline's name: letters, digits, - and _.", .required = true,
             .pattern = "^[A-Za-z0-9_-]{1,64}$"),
    OPT_GROUP(plan_settings, "source", source, source_options, "Where the interactions come from."),
    OPT_GROUP(plan_settings, "output", output, output_options, "Where the recommendations go."),
    OPT_GROUP(plan_settings, "work", work, work_options, "Where nightjar keeps its state."),
    OPT_GROUP(plan_settings, "hooks", hooks, hook_options,
              "Commands that are told how a run fares. What goes wrong with them is a warning."),
    OPT_INT(plan_settings, "seed", seed, "1", 0, 999999999999999.0,
            "Start of every random stream. The same seed on the same data gives the same result."),
    OPT_INT(plan_settings, "threads", threads, "0", 0, 1024,
            "Worker threads; 0 takes every core; ranks on one machine share them. The result does "
            "not depend on it."),
    OPT_BYTES(plan_settings, "memory_limit", memory_limit, "0",
              "A run that would need more memory is refused before it starts; 0 sets no limit."),
    OPT_BYTES(plan_settings, "disk_reserve", disk_reserve, "64M",
              "A run that would leave less than this of the disk under the work or the output "
              "database is refused before it writes, with exit code 74."),
    OPT_DURATION(plan_settings, "resume_within", resume_within, "6h", 0, 0,
                 "An interrupted run goes on from the rows that it had read when they are younger "
                 "than this."),
    OPT_END};

/* Letters, digits and the characters of `others`. */
static bool has_only(const char *text, const char *others)
{
    for (; *text != '\0'; text++) {
        char c = *text;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && strchr(others, c) == NULL) {
            return false;
        }
    }
    return true;
}

static void check_names(const struct plan_settings *settings, struct option_report *report)
{
    char shown[SHOWN_TEXT_MAX];
    const char *name = settings->pipeline;
    if (name != NULL &&
        (name[0] == '\0' || strlen(name) > NAME_MAX_LENGTH || !has_only(name, "-_"))) {
        option_mistake(report, "pipeline",
                       "%s is not a name; allowed: 1 to %d letters, digits, - and _",
                       shown_text(name, strlen(name), shown), NAME_MAX_LENGTH);
    }
    const char *prefix = settings->output.prefix;
    if (strncasecmp(prefix, "sqlite_", 7) == 0) {
        option_mistake(report, "output.prefix", "names that begin with sqlite_ are SQLite's own");
    } else if (strlen(prefix) > NAME_MAX_LENGTH || !has_only(prefix, "_")) {
        option_mistake(report, "output.prefix",
                       "%s cannot begin a table's name; allowed: up to %d letters, digits and _",
                       shown_text(prefix, strlen(prefix), shown), NAME_MAX_LENGTH);
    }
}

static void check_variant(const struct plan_variant *variant, struct option_report *report)
{
    const char *of = variant->of;
    char shown[SHOWN_TEXT_MAX];
    if (of != NULL && (of[0] == '\0' || strlen(of) > NAME_MAX_LENGTH || !has_only(of, "-_"))) {
        option_mistake(report, "output.variant.of",
                       "%s is not a name; allowed: 1 to %d letters, digits, - and _",
                       shown_text(of, strlen(of), shown), NAME_MAX_LENGTH);
    }
    if (variant->given && variant->from + variant->share > 1 + 1e-9) {
        option_mistake(report, "output.variant.from",
                       "%g and a share of %g end beyond 1; allowed: up to %g", variant->from,
                       variant->share, 1 - variant->share);
    }
}

static void check_source(const struct plan_source *source, struct option_report *report)
{
    const struct {
        const char *path;
        const char *value;
        bool needed; /* with a table */
    } columns[] = {{"source.user", source->user, true},
                   {"source.item", source->item, true},
                   {"source.event", source->event, false},
                   {"source.weight", source->weight, false},
                   {"source.time", source->time, false}};
    if (!source->given) {
        return;
    }
    if (source->interactions != NULL && source->table != NULL) {
        option_mistake(report, "source.table",
                       "both `interactions` and `table` are given; allowed: one of them");
    } else if (source->interactions == NULL && source->table == NULL) {
        option_mistake(report, "source",
                       "neither `interactions` (a SELECT) nor `table` (with its columns) is given");
    }
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        if (source->table != NULL && columns[i].needed && columns[i].value == NULL) {
            option_mistake(report, columns[i].path, "is needed beside `table`: a column's name");
        }
        if (source->table == NULL && source->interactions != NULL && columns[i].value != NULL) {
            option_mistake(report, columns[i].path,
                           "names a column of `table`; with `interactions` the SELECT itself names "
                           "the columns");
        }
    }
}

/* "DIRECTORY/PIPELINE.work.db" */
static enum status_code default_work(struct plan_reading *reading, struct status *status)
{
    struct plan_settings *settings = &reading->plan->settings;
    const char *directory = reading->plan->directory;
    struct buf path = {0};
    char *copy = NULL;
    if (strcmp(directory, ".") != 0) {
        buf_addf(&path, "%s%s", directory, strcmp(directory, "/") == 0 ? "" : "/");
    }
    buf_addf(&path, "%s.work.db", settings->pipeline);
    enum status_code code = buf_check(&path, status);
    if (code == STATUS_OK) {
        code = arena_copy_text(&reading->plan->arena, buf_text(&path), path.length, &copy, status);
    }
    buf_release(&path);
    settings->work.database = copy;
    return code;
}

void plan_rank_work(const char *work, size_t rank, size_t n, struct buf *path)
{
    buf_addf(path, "%s.rank-%zu-of-%zu", work, rank, n);
}

/* A file of its own to each rank: which rank may fall to the same machine as this one
 * is not known, and what stands in the file is its own. */
static enum status_code take_rank_work(struct plan_reading *reading, struct status *status)
{
    struct plan_settings *settings = &reading->plan->settings;
    const struct plan_rank rank = reading->plan->rank;
    struct buf path = {0};
    char *copy = NULL;
    enum status_code code = STATUS_OK;
    if (rank.mine > 0 && settings->work.database != NULL) {
        plan_rank_work(settings->work.database, rank.mine, rank.n, &path);
        TRY(buf_check(&path, status));
        TRY(arena_copy_text(&reading->plan->arena, buf_text(&path), path.length, &copy, status));
        settings->work.database = copy;
    }
done:
    buf_release(&path);
    return code;
}

/* The work database is nightjar's own, and safe to delete: no file with somebody's data. */
static void check_work(const struct plan_settings *settings, struct option_report *report)
{
    const char *work = settings->work.database;
    bool is_source = path_same_file(work, settings->source.database);
    if (is_source || path_same_file(work, settings->output.database)) {
        option_mistake(report, "work.database",
                       "\"%s\" is the %s database, too; allowed: a file of its own", work,
                       is_source ? "source" : "output");
    }
}

static enum status_code check_hooks(const struct plan_hooks *hooks, struct option_report *report,
                                    struct status *status)
{
    const struct {
        const char *path, *command;
    } all[] = {{"hooks.start", hooks->start},
               {"hooks.success", hooks->success},
               {"hooks.failure", hooks->failure}};
    struct arena arena = {0};
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char **words;
        const char *why = NULL;
        size_t n;
        if (all[i].command != NULL) {
            TRY(command_words(all[i].command, &arena, &words, &n, &why, status));
        }
        if (why != NULL) {
            option_mistake(report, all[i].path, "is no command: %s", why);
        }
    }
done:
    arena_release(&arena);
    return code;
}

enum status_code plan_read_settings(struct plan_reading *reading, struct status *status)
{
    struct plan_settings *settings = &reading->plan->settings;
    const struct place start = {.line = 1, .column = 1};
    size_t n_before = reading->mistakes.n;
    enum status_code code = STATUS_OK;

    TRY(option_read(&reading->reader, plan_options, reading->root, "", start, "stages", settings,
                    status));
    struct option_report report = {
        .mistakes = &reading->mistakes, .node = reading->root, .place = start, .path = ""};
    check_names(settings, &report);
    check_variant(&settings->output.variant, &report);
    /* a table whose name was refused would look like one that is missing */
    if (reading->mistakes.n == n_before) {
        check_source(&settings->source, &report);
    }
    if (settings->output.database == NULL) {
        settings->output.database = settings->source.database;
    }
    if (settings->work.database == NULL && settings->pipeline != NULL) {
        TRY(default_work(reading, status));
    }
    check_work(settings, &report);
    TRY(take_rank_work(reading, status));
    TRY(check_hooks(&settings->hooks, &report, status));
done:
    return code;
}
