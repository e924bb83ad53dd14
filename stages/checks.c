/* checks: looks at the log before anything is trained on it. Each finding has its figures and the
 * query that shows the rows. What may be wrong with the lists that come of it is the gate's
 * business, what is wrong with single rows that of interactions.
 */
#include "base/num.h"
#include "dataset/dataset_ranks.h"
#include "events/event_columns.h"
#include "evaluation/metric_rows.h"
#include "catch_up/merged.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"
#include "run/source_log.h"

enum severity { IGNORE, WARN, REFUSE };

struct checks_options {
    double warn_after, error_after, max_future;
    double of_previous, max_of_previous;
    int future, unknown_events, changed;
};

static const char *const severities[] = {"ignore", "warn", "refuse", NULL}; /* enum severity */

static const struct option options[] = {
    OPT_DURATION(checks_options, "warn_after", warn_after, "0s", 0, 1e10,
                 "An older newest event is a warning: 2d says that the log is no longer filled. "
                 "0s: any age."),
    OPT_DURATION(checks_options, "error_after", error_after, "0s", 0, 1e10,
                 "An older newest event ends the run. 0s: any age."),
    OPT_DURATION(
        checks_options, "max_future", max_future, "1d", 0, 1e10,
        "Events may lie so far ahead of the clock; later ones are what `future` is about."),
    OPT_CHOICE(checks_options, "future", future, "refuse", severities,
               "Events in the future: one of them is enough to empty the parts that a split by "
               "time judges on."),
    OPT_CHOICE(
        checks_options, "unknown_events", unknown_events, "warn", severities,
        "Event types that `event_weights` does not know: often a new button, or a renamed one."),
    OPT_FLOAT(
        checks_options, "of_previous", of_previous, "0.5", 0, 1,
        "The least share of the events, users and items that the last published run had. 0: any."),
    OPT_FLOAT(checks_options, "max_of_previous", max_of_previous, "2", 0, 1e6,
              "The greatest multiple of them. 0: any."),
    OPT_CHOICE(checks_options, "changed", changed, "refuse", severities,
               "Fewer or more events, users or items than these two allow."),
    OPT_END};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "news", .help = "what is new since the last full run", .optional = true},
    {.name = NULL},
};

static void checks_validate(const void *values, struct option_report *report)
{
    const struct checks_options *o = values;
    if (o->warn_after > 0 && o->error_after > 0 && o->warn_after >= o->error_after) {
        option_mistake(report, "warn_after", "warn_after must be shorter than error_after");
    }
    if (o->max_of_previous > 0 && o->max_of_previous < o->of_previous) {
        option_mistake(report, "max_of_previous", "max_of_previous is less than of_previous");
    }
}

/* What was found, a line each. */
struct findings {
    struct buf warnings, failures;
};

/* How the source is asked for the rows: "FROM ..." and the names that its columns have there. */
struct evidence_sql {
    struct buf from, names[N_EVENT_COLUMNS];
};

/* What is counted of the users of all ranks (ranks/ranks.h). */
struct counts {
    int64_t n_future;              /* pairs with events that lie too far ahead */
    int64_t valid_rows, test_rows; /* 0: there is no such part */
    int64_t valid_pairs, test_pairs;
};

/* What is looked at. */
struct inspection {
    const struct checks_options *options;
    struct merged merged;
    struct metric_rows now, previous;
    double n_unknown;
    struct counts counts;
    int64_t started;
    struct evidence_sql sql;
    struct findings findings;
};

static void inspection_release(struct inspection *inspection)
{
    merged_release(&inspection->merged);
    metric_rows_release(&inspection->now);
    metric_rows_release(&inspection->previous);
    buf_release(&inspection->sql.from);
    for (size_t c = 0; c < N_EVENT_COLUMNS; c++) {
        buf_release(&inspection->sql.names[c]);
    }
    buf_release(&inspection->findings.warnings);
    buf_release(&inspection->findings.failures);
}

static enum status_code describe_source(struct context *context, struct evidence_sql *sql,
                                        struct status *status)
{
    static const struct event_rules no_rules = {.since = INT64_MIN, .until = INT64_MIN};
    struct event_query query;
    struct event_columns columns;
    struct db_query *statement = NULL;
    struct db *db = NULL;
    enum status_code code;
    TRY(event_query_of_source(&context_settings(context)->source, &query, status));
    TRY(context_source(context, &db, status));
    TRY(event_columns_open(db, &query, &no_rules, &statement, &columns, status));
    const char *const given[N_EVENT_COLUMNS] = {[COLUMN_USER] = query.user,
                                                [COLUMN_ITEM] = query.item,
                                                [COLUMN_EVENT] = query.event,
                                                [COLUMN_TIME] = query.time};
    for (size_t c = 0; c < N_EVENT_COLUMNS; c++) {
        if (query.table != NULL && given[c] != NULL) {
            db_quote(&sql->names[c], given[c]);
        } else if (query.table == NULL && columns.index[c] >= 0) {
            db_quote(&sql->names[c], db_column_name(statement, columns.index[c]));
        }
        TRY(buf_check(&sql->names[c], status));
    }
    if (query.table != NULL) {
        db_quote(&sql->from, query.table);
    } else {
        buf_addf(&sql->from, "(%s)", query.sql);
    }
    TRY(buf_check(&sql->from, status));
done:
    db_finalize(statement);
    context_source_done(context);
    return code;
}

/* ---- what is measured ---- */

static const char *const counted[] = {"events", "users", "items"};
enum { N_COUNTED = sizeof counted / sizeof *counted };

static enum status_code measure(struct context *context, struct inspection *inspection,
                                struct status *status)
{
    const struct artifact *artifact = NULL;
    const struct interactions *interactions = &inspection->merged.interactions;
    double accepted;
    enum status_code code;
    TRY(context_input(context, "news", &artifact, status)); /* counts those of the base, too */
    if (artifact == NULL) {
        TRY(context_input(context, "interactions", &artifact, status));
    }
    TRY(artifact_get_number(artifact, "facts.accepted", &accepted, status));
    TRY(artifact_get_number(artifact, "facts.unknown_events", &inspection->n_unknown, status));
    const double values[] = {accepted, (double)interactions_n_users(interactions),
                             (double)interactions->items.n, (double)interactions->n_rejected,
                             inspection->n_unknown};
    static const char *const names[] = {"log_events", "log_users", "log_items", "log_rejected",
                                        "log_unknown_events"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct publish_metric metric = {names[i], "data", "all", values[i], 0};
        TRY(metric_rows_add(&inspection->now, names[i], "data", "all", values[i], status));
        TRY(context_add_metric(context, &metric, status));
    }
done:
    return code;
}

static int64_t count_future(const struct inspection *inspection)
{
    const struct history *log = &inspection->merged.interactions.log;
    const double latest = (double)inspection->started + inspection->options->max_future;
    int64_t n = 0;
    for (size_t e = 0; log->times != NULL && e < sparse_entries(&log->matrix); e++) {
        n += (double)log->times[e] > latest;
    }
    return n;
}

static enum status_code count(struct ranks *ranks, struct inspection *inspection,
                              struct status *status)
{
    const struct dataset *fit = &inspection->merged.interactions.basis[BASIS_FIT];
    const struct dataset_totals totals = dataset_totals(fit);
    enum status_code code;
    /* clocks differ */
    TRY(ranks_share(ranks, &inspection->started, sizeof inspection->started, status));
    int64_t sums[] = {count_future(inspection), (int64_t)fit->valid.matrix.n_rows,
                      (int64_t)fit->test.matrix.n_rows};
    TRY(ranks_sum_int64(ranks, sums, sizeof sums / sizeof *sums, status));
    inspection->counts = (struct counts){.n_future = sums[0],
                                         .valid_rows = sums[1],
                                         .test_rows = sums[2],
                                         .valid_pairs = totals.valid_pairs,
                                         .test_pairs = totals.test_pairs};
done:
    return code;
}

/* ---- what may be wrong ---- */

/* Where a finding of the severity goes; NULL: nowhere. A new line is begun. */
static struct buf *begin(struct findings *findings, int severity)
{
    struct buf *out = severity == REFUSE ? &findings->failures
                      : severity == WARN ? &findings->warnings
                                         : NULL;
    if (out != NULL) {
        buf_add_text(out, "\n");
    }
    return out;
}

static void add_newest_rows(const struct evidence_sql *sql, struct buf *out)
{
    buf_addf(out, "; to see them: SELECT * FROM %s ORDER BY %s DESC LIMIT 20", buf_text(&sql->from),
             buf_text(&sql->names[COLUMN_TIME]));
}

static void check_age(struct inspection *inspection)
{
    const struct checks_options *o = inspection->options;
    const double age = (double)(inspection->started - inspection->merged.interactions.newest_time);
    const bool failed = o->error_after > 0 && age > o->error_after;
    const double allowed = failed ? o->error_after : o->warn_after;
    char age_text[NUM_TEXT_MAX], allowed_text[NUM_TEXT_MAX];
    if (allowed <= 0 || age <= allowed) {
        return;
    }
    struct buf *out = begin(&inspection->findings, failed ? REFUSE : WARN);
    num_format_duration(age, age_text);
    num_format_duration(allowed, allowed_text);
    buf_addf(out, "the newest event is %s old, %s is %s", age_text,
             failed ? "error_after" : "warn_after", allowed_text);
    add_newest_rows(&inspection->sql, out);
}

static void check_future(struct inspection *inspection)
{
    const int64_t n = inspection->counts.n_future;
    char ahead[NUM_TEXT_MAX], allowed[NUM_TEXT_MAX];
    struct buf *out = n == 0 ? NULL : begin(&inspection->findings, inspection->options->future);
    if (out != NULL) {
        num_format_duration(
            (double)(inspection->merged.interactions.newest_time - inspection->started), ahead);
        num_format_duration(inspection->options->max_future, allowed);
        buf_addf(out,
                 "%lld pairs of user and item have events in the future, the last one %s ahead of "
                 "the clock, max_future is %s; interactions' `until` leaves them out",
                 (long long)n, ahead, allowed);
        add_newest_rows(&inspection->sql, out);
    }
}

static void check_unknown(struct inspection *inspection)
{
    struct buf *out = inspection->n_unknown <= 0
                          ? NULL
                          : begin(&inspection->findings, inspection->options->unknown_events);
    if (out != NULL) {
        const char *event = buf_text(&inspection->sql.names[COLUMN_EVENT]);
        buf_addf(out,
                 "%.0f rows have an event type that event_weights does not know; to see the "
                 "types: SELECT %s, count(*) FROM %s GROUP BY 1",
                 inspection->n_unknown, event, buf_text(&inspection->sql.from));
    }
}

static void check_counts(struct inspection *inspection)
{
    const struct checks_options *o = inspection->options;
    const struct evidence_sql *sql = &inspection->sql;
    for (size_t i = 0; i < N_COUNTED; i++) {
        char name[32];
        double now, before;
        snprintf(name, sizeof name, "log_%s", counted[i]);
        if (!metric_rows_find(&inspection->now, name, "data", "all", &now) ||
            !metric_rows_find(&inspection->previous, name, "data", "all", &before)) {
            continue;
        }
        const bool few = now < o->of_previous * before;
        const bool many = o->max_of_previous > 0 && now > o->max_of_previous * before;
        struct buf *out = few || many ? begin(&inspection->findings, o->changed) : NULL;
        if (out != NULL) {
            buf_addf(out,
                     "%.0f %s, the last published run had %.0f and %s is %g; to see them: SELECT "
                     "count(*), count(DISTINCT %s), count(DISTINCT %s) FROM %s",
                     now, counted[i], before, few ? "of_previous" : "max_of_previous",
                     few ? o->of_previous : o->max_of_previous, buf_text(&sql->names[COLUMN_USER]),
                     buf_text(&sql->names[COLUMN_ITEM]), buf_text(&sql->from));
        }
    }
}

/* A part that settings are judged on, and has nobody in it. */
static void check_part(struct inspection *inspection, const char *name, int64_t n_rows,
                       int64_t n_pairs)
{
    const struct evidence_sql *sql = &inspection->sql;
    if (n_rows > 0 && n_pairs == 0) {
        struct buf *out = begin(&inspection->findings, REFUSE);
        buf_addf(out, "the %s part has no positives, nothing can be judged on it", name);
        if (sql->names[COLUMN_TIME].length > 0) {
            add_newest_rows(sql, out);
        } else {
            buf_addf(out, "; to see the log: SELECT count(*) FROM %s", buf_text(&sql->from));
        }
    }
}

static enum status_code inspect(struct inspection *inspection, struct status *status)
{
    const struct checks_options *o = inspection->options;
    const struct counts *counts = &inspection->counts;
    enum status_code code;
    if (inspection->merged.interactions.has_times) {
        check_age(inspection);
        check_future(inspection);
    } else if (o->warn_after > 0 || o->error_after > 0) {
        TRY(status_set(status, STATUS_CONFIG,
                       "checks.%s needs times, the interactions have none; give the query a column "
                       "created_at",
                       o->error_after > 0 ? "error_after" : "warn_after"));
    }
    check_unknown(inspection);
    check_counts(inspection);
    check_part(inspection, "validation", counts->valid_rows, counts->valid_pairs);
    check_part(inspection, "test", counts->test_rows, counts->test_pairs);
    TRY(buf_check(&inspection->findings.warnings, status));
    TRY(buf_check(&inspection->findings.failures, status));
done:
    return code;
}

/* The verdict, by the first rank: it knows the runs before, and decides for all. */
static enum status_code judge(struct context *context, struct inspection *inspection,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    if (!ranks_is_first(context_ranks(context))) {
        goto done;
    }
    TRY(context_previous_metrics(context, &inspection->previous, status));
    TRY(describe_source(context, &inspection->sql, status));
    TRY(inspect(inspection, status));
    if (inspection->findings.warnings.length > 0) {
        source_log_add_rank_hint(context, &inspection->findings.warnings);
        log_write(context_log(context), LOG_WARNING, "checks:%s",
                  buf_text(&inspection->findings.warnings));
    }
    if (inspection->findings.failures.length > 0) {
        source_log_add_rank_hint(context, &inspection->findings.failures);
        (void)status_set(status, STATUS_REFUSED, "checks: the log is not as it should be:%s",
                         buf_text(&inspection->findings.failures));
        code = context_refused(context, status);
    }
done:
    return code;
}

static enum status_code checks_run(struct context *context, const void *values,
                                   struct status *status)
{
    struct inspection inspection = {.options = values, .started = context_run_started(context)};
    enum status_code code;
    TRY(merged_load(&inspection.merged, context, MERGED_LOG, status));
    TRY(measure(context, &inspection, status));
    TRY(count(context_ranks(context), &inspection, status));
    TRY(judge(context, &inspection, status));
done:
    inspection_release(&inspection);
    return code;
}

static enum status_code checks_look_ahead(struct context *context, const void *values,
                                          struct status *status)
{
    const struct checks_options *o = values;
    return o->error_after > 0  ? source_log_need_times(context, "checks.error_after", status)
           : o->warn_after > 0 ? source_log_need_times(context, "checks.warn_after", status)
                               : STATUS_OK;
}

extern const struct stage stage_checks;
const struct stage stage_checks = {
    .name = "checks",
    .summary = "Looks at the log before training: its age, times in the future, unknown event "
               "types, a drop or jump since the last published run; may refuse.",
    .version = 1,
    .options_size = sizeof(struct checks_options),
    .options = options,
    .inputs = inputs,
    .outputs = (const struct stage_artifact[]){{.name = NULL}},
    .validate = checks_validate,
    /* The age changes with the clock, the last run with every night: it always looks. */
    .fingerprint = context_always_run,
    .reads_delta = true,
    .works_in_ranks = true,
    .check = checks_look_ahead,
    .run = checks_run,
};
