/* Which runs the page is about, and reading series of them. */
#include "stages/report/report_history.h"

#include "base/clock.h"
#include "run/run_record.h"
#include "stages/report/report_svg.h"

#include <math.h>

static const char judged_run[] =
    "SELECT coalesce(max(run), 0) FROM run_metric WHERE model = 'nightjar' AND grp = 'all'"
    " AND label LIKE 'evaluate%'";

enum status_code history_init(struct report_history *history, struct db *work, struct db *output,
                              const char *prefix, int64_t run, int64_t n_runs,
                              struct status *status)
{
    struct report_history out = {
        .work = work, .run = run, .n_runs = n_runs, .now = clock_unix(), .overruled = ""};
    bool found;
    enum status_code code;
    TRY(db_get_int64(work, judged_run, &out.judged, &found, status));
    TRY(findings_read(work, output, prefix, out.judged != 0 ? out.judged : run, &out.findings,
                      status));
    TRY(findings_read_outcome(work, run, &out.outcome, status));
    TRY(run_record_read_warnings(work, run, &out.warnings, status));
    *history = out;
    out.warnings = (struct strings){0};
done:
    strings_release(&out.warnings);
    return code;
}

enum status_code history_series(const struct report_history *history, const char *sql,
                                const char *first, const char *second, struct series *out,
                                struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    out->n = 0;
    TRY(db_prepare(history->work, sql, &query, status));
    TRY(db_bind_int64(query, 1, history->run, status));
    TRY(db_bind_int64(query, 2, history->n_runs, status));
    TRY(db_bind_string(query, 3, first, status));
    TRY(db_bind_string(query, 4, second, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row || out->n == SERIES_POINTS_MAX) {
            break;
        }
        out->x[out->n] = db_column_double(query, 0);
        out->y[out->n++] =
            db_column_type(query, 1) == DB_NULL ? (double)NAN : db_column_double(query, 1);
    }
done:
    db_finalize(query);
    return code;
}

void history_name_model(struct series *series, const char *model)
{
    static const struct {
        const char *model;
        size_t color; /* two that never stand in one chart may share it */
    } known[] = {{"nightjar", 0},          {"item_item", 1}, {"popularity", 2},
                 {"recent_popularity", 3}, {"own", 4},       {"towers", 5},
                 {"item_item_recent", 5},  {"evidence", 6},  {"transitions", 6}};
    series->color = SVG_COLORS - 1;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        series->color = strcmp(known[i].model, model) == 0 ? known[i].color : series->color;
    }
    snprintf(series->name, sizeof series->name, "%s", findings_model(model));
}
