/* The nights: a box each, and the newest as a table. */
#include "stages/report/report_history.h"

#include "base/num.h"

#include <math.h>

enum { TABLE_RUNS = 12 };

/* How a state is shown: by a class, a sign and a word. */
struct night {
    const char *state, *class, *sign, *word;
};
static const struct night nights[] = {
    {"published", "good", "\xE2\x9C\x93", "published"},
    {"running", "good", "\xE2\x9C\x93", "this run"},
    {"finished", "same", "=", "nothing new"},
    {"refused", "bad", "!", "refused by the gate"},
    {"failed", "bad", "\xC3\x97", "failed"},
    {"interrupted", "bad", "\xC3\x97", "interrupted"},
    {"killed", "bad", "\xC3\x97", "killed"},
};
enum { N_NIGHTS = sizeof nights / sizeof *nights };

static const struct night *night_of(const char *state)
{
    for (size_t n = 0; n < N_NIGHTS; n++) {
        if (strcmp(nights[n].state, state) == 0) {
            return &nights[n];
        }
    }
    return &nights[4];
}

/* The newest first; ?3 is the metric. */
static const char run_rows[] =
    "SELECT r.run, r.started, r.state, coalesce(r.message, ''),"
    " coalesce(r.finished, ?4) - r.started, m.value, r.generation,"
    " (SELECT max(value) FROM run_metric AS b WHERE b.run = r.run AND b.name = ?3"
    "  AND b.grp = 'all' AND b.model IN ('popularity', 'recent_popularity', 'item_item', 'own'))"
    " FROM run AS r LEFT JOIN run_metric AS m ON m.run = r.run AND m.name = ?3"
    " AND m.model = 'nightjar' AND m.grp = 'all' WHERE r.run <= ?1 ORDER BY r.run DESC LIMIT ?2";

static enum status_code open_rows(const struct report_history *history, int64_t n,
                                  struct db_query **query, struct status *status)
{
    const char *metric = history->findings.metric;
    enum status_code code;
    TRY(db_prepare(history->work, run_rows, query, status));
    TRY(db_bind_int64(*query, 1, history->run, status));
    TRY(db_bind_int64(*query, 2, n, status));
    TRY(db_bind_string(*query, 3, metric, status));
    TRY(db_bind_int64(*query, 4, history->now, status));
done:
    return code;
}

/* A box a run, oldest first, and how many there are of each kind. */
static enum status_code add_boxes(const struct report_history *history, struct buf *out,
                                  struct status *status)
{
    struct db_query *query = NULL;
    size_t counts[N_NIGHTS] = {0};
    bool has_row;
    enum status_code code;
    TRY(db_prepare(history->work,
                   "SELECT run, started, state FROM (SELECT * FROM run WHERE run <= ?1"
                   " ORDER BY run DESC LIMIT ?2) ORDER BY run",
                   &query, status));
    TRY(db_bind_int64(query, 1, history->run, status));
    TRY(db_bind_int64(query, 2, history->n_runs, status));
    buf_add_text(out, "<div class=\"nights\" role=\"img\" aria-label=\"the last runs, oldest "
                      "first\">");
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const struct night *night = night_of(db_column_text(query, 2, NULL));
        buf_addf(out, "<span class=\"night %s\" title=\"run %lld, ", night->class,
                 (long long)db_column_int64(query, 0));
        html_add_time(out, db_column_int64(query, 1));
        buf_addf(out, ": %s\">%s</span>", night->word, night->sign);
        counts[night - nights]++;
    }
    buf_add_text(out, "</div><ul class=\"legend\">");
    for (size_t n = 0; n < N_NIGHTS; n++) {
        if (counts[n] > 0) {
            buf_addf(out, "<li><span class=\"night %s\" aria-hidden=\"true\">%s</span>%zu %s</li>",
                     nights[n].class, nights[n].sign, counts[n], nights[n].word);
        }
    }
    buf_add_text(out, "</ul>\n");
done:
    db_finalize(query);
    return code;
}

static void add_run(const struct report_history *history, struct db_query *query, struct buf *out)
{
    const char *state = db_column_text(query, 2, NULL);
    const bool is_this = db_column_int64(query, 0) == history->run;
    char time[NUM_TEXT_MAX];
    buf_addf(out, "<tr%s><th scope=\"row\">%lld<td>", is_this ? " class=\"own\"" : "",
             (long long)db_column_int64(query, 0));
    html_add_time(out, db_column_int64(query, 1));
    buf_addf(out, "<td>%s", strcmp(state, "running") == 0 ? "this run" : night_of(state)->word);
    buf_add_text(out, "<td class=\"n\">");
    if (db_column_type(query, 5) != DB_NULL) {
        buf_addf(out, "%.4f", db_column_double(query, 5));
    }
    buf_add_text(out, "<td class=\"n\">");
    if (db_column_type(query, 5) != DB_NULL && db_column_double(query, 7) > 0) {
        buf_addf(out, "%.2f", db_column_double(query, 5) / db_column_double(query, 7));
    }
    num_format_duration(db_column_double(query, 4), time);
    buf_addf(out, "<td class=\"n wide\">%s\n", db_column_double(query, 4) < 1 ? "under 1 s" : time);
    const char *message = db_column_text(query, 3, NULL);
    if (message[0] != '\0' && !is_this) { /* of this one it stands at the top */
        buf_add_text(out, "<tr><td><td colspan=\"5\" class=\"hint\">");
        html_add_text(out, message);
        buf_add_text(out, "\n");
    }
}

static enum status_code add_runs(const struct report_history *history, struct buf *out,
                                 struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(open_rows(history, TABLE_RUNS, &query, status));
    table_begin(out, "the newest runs");
    buf_add_text(out, "<thead><tr><th scope=\"col\">run<th scope=\"col\">of"
                      "<th scope=\"col\">state<th scope=\"col\" class=\"n\">");
    /* none where no night has been judged yet */
    const char *metric = history->findings.metric;
    html_add_text(out, metric[0] == '\0' ? "quality" : metric);
    buf_add_text(out, "<th scope=\"col\" class=\"n\">times the best simple"
                      "<th scope=\"col\" class=\"n wide\">took</thead><tbody>\n");
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        add_run(history, query, out);
    }
    buf_add_text(out, "</tbody>");
    table_end(out);
done:
    db_finalize(query);
    return code;
}

enum status_code history_nights(const struct report_history *history, struct buf *out,
                                struct status *status)
{
    enum status_code code;
    section_begin(out, "Night by night", NULL);
    TRY(add_boxes(history, out, status));
    TRY(add_runs(history, out, status));
    section_end(out);
done:
    return code;
}
