/* What the page says first: a sentence, whether lists were published, four figures. */
#include "stages/report/report_history.h"

#include <math.h>

/* "The lists are 1.18 times as good as item-item's" */
static void add_headline(const struct report_history *history, struct buf *out)
{
    const struct findings *findings = &history->findings;
    const enum findings_verdict verdict = findings_verdict(findings);
    const double times = findings->value / findings->baseline_value;
    if (history->failure != NULL) {
        buf_addf(out, "%s: the lists of the night before stay",
                 history->is_refused ? "The gate refused this night" : "This night failed");
    } else if (findings->metric[0] == '\0') {
        buf_add_text(out, "The lists are made; how good they are is not measured");
    } else if (findings->baseline[0] == '\0' || !(findings->baseline_value > 0)) {
        buf_addf(out, "%s of the lists is ", findings->metric);
        html_add_number(out, findings->value);
    } else if (verdict == FINDINGS_CHANCE) {
        buf_addf(
            out,
            "The lists are about as good as <span>%s</span>: %.2f times, which could be chance",
            findings_model(findings->baseline), times);
    } else {
        buf_addf(out, "The lists are %s%.2f times as good as <span>%s</span>",
                 times < 1 ? "worse than simple ones: " : "", times,
                 findings_model(findings->baseline));
    }
}

/* The plain sentences below it. */
static void add_lead(const struct report_history *history, struct buf *out)
{
    const struct findings *findings = &history->findings;
    struct buf text = {0};
    if (findings->metric[0] != '\0') {
        if (history->judged != history->run) {
            buf_addf(&text, "The last lists that were judged, those of run %lld: ",
                     (long long)history->judged);
        }
        findings_add_quality(findings, &text);
        buf_add_text(&text, ". ");
    }
    if (findings->before != 0) {
        buf_add_text(&text, "Against ");
        findings_add_change(findings, &text);
        buf_add_char(&text, '.');
    }
    if (text.length > 0) {
        buf_add_text(out, "<p class=\"lead\">");
        html_add_text(out, buf_text(&text));
        buf_add_text(out, "</p>\n");
    }
    out->failed = out->failed || text.failed;
    buf_release(&text);
}

static void add_state(const struct report_history *history, int64_t started, struct buf *out)
{
    const bool is_bad = history->failure != NULL || history->overruled[0] != '\0';
    const size_t n = history->warnings.n;
    buf_addf(out, "<p class=\"state%s\"><b>", is_bad ? " bad" : n > 0 ? " warned" : "");
    if (history->failure != NULL) {
        buf_addf(out, "%s.</b> Run %lld of ", history->is_refused ? "Refused" : "Failed",
                 (long long)history->run);
    } else if (is_bad) {
        buf_addf(out, "Published although a rule refused it.</b> Run %lld of ",
                 (long long)history->run);
    } else if (n > 0) {
        buf_addf(out, "%zu warning%s.</b> Run %lld of ", n, n == 1 ? "" : "s",
                 (long long)history->run);
    } else {
        buf_addf(out, "In order.</b> Run %lld of ", (long long)history->run);
    }
    html_add_time(out, started);
    buf_add_text(out, is_bad ? " UTC." : " UTC; no rule refused it.");
    if (is_bad) {
        buf_add_text(out, "<br>");
        html_add_text(out, history->failure != NULL ? history->failure : history->overruled);
    }
    for (size_t i = 0; i < n; i++) {
        size_t length;
        const char *text = strings_get(&history->warnings, i, &length);
        buf_add_text(out, "<br>warning: ");
        html_add(out, text, length);
    }
    buf_add_text(out, "</p>\n");
}

/* One figure, with what it was before (NAN: nothing is known) or, where there is one, a note. */
static void add_tile(struct buf *out, const char *name, double value, double before,
                     const char *note)
{
    if (isnan(value)) {
        return;
    }
    buf_add_text(out, "<div><dt>");
    html_add_text(out, name);
    buf_add_text(out, "</dt><dd>");
    html_add_number(out, value);
    buf_add_text(out, "</dd><dd class=\"note\">");
    if (note != NULL) {
        buf_add_text(out, note);
    } else if (isnan(before)) {
        buf_add_text(out, "nothing to compare with");
    } else if (value > before || value < before) {
        buf_add_text(out, value > before ? "+" : "\xE2\x88\x92");
        html_add_number(out, fabs(value - before));
        buf_add_text(out, " since the night before");
    } else {
        buf_add_text(out, "as the night before");
    }
    buf_add_text(out, "</dd></div>\n");
}

enum status_code history_head(const struct report_history *history, struct buf *out,
                              struct status *status)
{
    const struct findings *findings = &history->findings;
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(history->work, "SELECT started FROM run WHERE run = ?1", &query, status));
    TRY(db_bind_int64(query, 1, history->run, status));
    TRY(db_step(query, &has_row, status));
    buf_add_text(out, "<p class=\"kicker\">nightjar \xC2\xB7 ");
    html_add_text(out, history->pipeline);
    buf_add_text(out, "</p><h1>");
    add_headline(history, out);
    buf_add_text(out, "</h1>\n");
    add_lead(history, out);
    add_state(history, has_row ? db_column_int64(query, 0) : 0, out);
    buf_add_text(out, "<dl class=\"tiles\">");
    add_tile(out, findings->metric, findings->value, findings->before_value,
             findings->of_full_night ? "of the last full night" : NULL);
    add_tile(out, "users with a list", findings->counts.users, findings->before_counts.users, NULL);
    add_tile(out, "items", findings->counts.items, findings->before_counts.items, NULL);
    add_tile(out, "pairs in the log", findings->counts.pairs, findings->before_counts.pairs, NULL);
    buf_add_text(out, "</dl>\n");
done:
    db_finalize(query);
    return code;
}
