/* Queries over the run history, one a family of metrics. */
#include "run/metrics_file.h"

#include "base/num.h"
#include "base/output_file.h"
#include "base/path.h"
#include "io/whole_file.h"
#include "store/db.h"
#include "store/migrate.h"

#include <math.h>

/* The query gives the labels, then the value as the last column; a label is named by its column. */
static const struct family {
    const char *name, *help, *sql;
} families[] = {
    {"nightjar_run", "Number of the newest run.", "SELECT max(run) FROM run"},
    {"nightjar_run_start_timestamp_seconds", "When the newest run began.",
     "SELECT started FROM run ORDER BY run DESC LIMIT 1"},
    {"nightjar_run_end_timestamp_seconds", "When the newest run ended.",
     "SELECT finished FROM run ORDER BY run DESC LIMIT 1"},
    {"nightjar_run_exit_code", "Exit code of the newest run; 79: refused by the gate.",
     "SELECT exit_code FROM run ORDER BY run DESC LIMIT 1"},
    {"nightjar_last_success_timestamp_seconds", "When a run last ended with exit code 0.",
     "SELECT max(finished) FROM run WHERE exit_code = 0"},
    {"nightjar_last_publish_timestamp_seconds", "When a run last published a generation.",
     "SELECT max(finished) FROM run WHERE state = 'published'"},
    {"nightjar_generation", "The generation published last.",
     "SELECT generation FROM run WHERE generation IS NOT NULL ORDER BY run DESC LIMIT 1"},
    {"nightjar_gate_passed",
     "0 when the gate refused the newest run that came to it, overruled or not, else 1.",
     "SELECT state <> 'refused' AND coalesce(message NOT GLOB 'published anyway:*', 1)"
     " FROM run WHERE state IN ('published', "
     "'finished', 'refused')"
     " ORDER BY run DESC LIMIT 1"},
    {"nightjar_warnings", "Warnings of the newest run.",
     "SELECT count(*) FROM run_warning WHERE run = (SELECT max(run) FROM run)"},
    {"nightjar_stage_duration_seconds", "Wall-clock time of each stage of the newest run.",
     "SELECT label AS stage, seconds FROM stage_run WHERE run = (SELECT max(run) FROM run)"
     " ORDER BY position"},
    {"nightjar_stage_cpu_seconds", "CPU time of each stage of the newest run, all threads.",
     "SELECT label AS stage, cpu_seconds FROM stage_run WHERE run = (SELECT max(run) FROM run)"
     " ORDER BY position"},
    {"nightjar_stage_rows", "Rows that each stage of the newest run read or wrote.",
     "SELECT label AS stage, n_rows FROM stage_run WHERE run = (SELECT max(run) FROM run)"
     " ORDER BY position"},
    {"nightjar_metric", "Metrics of the newest run.",
     "SELECT name, model, grp AS \"group\", value FROM run_metric"
     " WHERE run = (SELECT max(run) FROM run) ORDER BY name, model, grp"},
};

/* Instead of all metrics: of what is published as a whole, of its mean over evenings, and what
 * became of the lists before; the popular items beside the metrics that gates look at. */
static const char few_metrics[] =
    "SELECT name, model, grp AS \"group\", value FROM run_metric"
    " WHERE run = (SELECT max(run) FROM run) AND grp IN ('all', 'evenings')"
    " AND (model IN ('nightjar', 'data') OR name GLOB 'outcome_*'"
    "      OR (model = 'popularity' AND name IN ('ndcg@20', 'recall@20')))"
    " ORDER BY name, model, grp";

static void add_label_value(struct buf *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\n') {
            buf_add_text(out, "\\n");
        } else {
            buf_add_text(out, *at == '\\' || *at == '"' ? "\\" : "");
            buf_add_char(out, *at);
        }
    }
}

/* name{pipeline="shop",stage="train"} 12.5 */
static void add_sample(struct buf *out, const char *name, const char *pipeline,
                       struct db_query *query)
{
    char number[NUM_TEXT_MAX];
    int last = db_column_count(query) - 1;
    if (db_column_type(query, last) == DB_NULL) {
        return; /* not known yet */
    }
    buf_addf(out, "%s{pipeline=\"", name);
    add_label_value(out, pipeline);
    buf_add_char(out, '"');
    for (int c = 0; c < last; c++) {
        buf_addf(out, ",%s=\"", db_column_name(query, c));
        add_label_value(out, db_column_text(query, c, NULL));
        buf_add_char(out, '"');
    }
    const double value = db_column_double(query, last);
    if (value ==
        floor(value)) { /* times and counts whole, others with as many digits as mean much */
        num_format_double(value, number);
    } else {
        (void)snprintf(number, sizeof number, "%.6g", value);
    }
    buf_addf(out, "} %s\n", number);
}

static enum status_code add_family(struct buf *out, const struct family *family, const char *sql,
                                   const char *pipeline, struct db *work, struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    bool has_row;
    buf_addf(out, "# HELP %s %s\n# TYPE %s gauge\n", family->name, family->help, family->name);
    TRY(db_prepare(work, sql, &query, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        add_sample(out, family->name, pipeline, query);
    }
done:
    db_finalize(query);
    return code;
}

enum status_code metrics_file_write(const struct plan *plan, const char *path, bool all,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db *work = NULL;
    struct buf text = {0};
    const struct plan_settings *settings = &plan->settings;
    if (path_is_empty(settings->work.database)) {
        return STATUS_OK;
    }
    TRY(migrate_open_work(settings->work.database, DB_READ, settings->source.busy_timeout, &work,
                          status));
    for (size_t i = 0; i < sizeof families / sizeof *families; i++) {
        const bool is_metric = strcmp(families[i].name, "nightjar_metric") == 0;
        TRY(add_family(&text, &families[i], is_metric && !all ? few_metrics : families[i].sql,
                       settings->pipeline, work, status));
    }
    TRY(buf_check(&text, status));
    TRY(whole_file_write(path, OUTPUT_SHARED, &text, status));
done:
    buf_release(&text);
    db_close(work);
    return code;
}
