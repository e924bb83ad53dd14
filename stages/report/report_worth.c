/* What each part of the score, each column of side data and reading sequences is worth. */
#include "stages/report/report_history.h"

/* Figures of the validation part. */
static const char worth_rows[] =
    "SELECT m.model, substr(m.grp, 9), v.value, v.value - m.value,"
    " max(abs(v.value - m.value)) OVER (), m.name FROM run_metric AS m"
    " JOIN run_metric AS v ON v.run = m.run AND v.name = m.name AND v.model = m.model"
    "  AND v.grp = 'validation'"
    " WHERE m.run = ?1 AND m.grp GLOB 'without:*'"
    " ORDER BY m.model <> 'nightjar', v.value - m.value DESC, m.grp";

enum status_code history_worth(const struct report_history *history, struct buf *out,
                               struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(history->work, worth_rows, &query, status));
    TRY(db_bind_int64(query, 1, history->judged > 0 ? history->judged : history->run, status));
    TRY(db_step(query, &has_row, status));
    if (!has_row) {
        goto done;
    }
    section_begin(
        out, "What it is made of",
        "What the validation part would lose without a part of the score, without reading "
        "sequences, and with a column of side data given to the wrong entities. What says "
        "the same as another seems worth little.");
    table_begin(out, "what parts and columns are worth");
    buf_addf(out,
             "<thead><tr><th scope=\"col\">without<th scope=\"col\" class=\"n\">%s lost"
             "<td class=\"bars\"><th scope=\"col\" class=\"n\">of</thead><tbody>\n",
             db_column_text(query, 5, NULL));
    while (has_row) {
        const char *model = db_column_text(query, 0, NULL);
        const double lost = db_column_double(query, 3);
        buf_addf(out, "<tr><th scope=\"row\">%s",
                 strcmp(model, "nightjar") == 0 ? "the part "
                 : strcmp(model, "towers") == 0 ? "the column "
                                                : "");
        html_add_text(out, db_column_text(query, 1, NULL));
        buf_addf(out, "<td class=\"n\">%.4f", lost);
        page_add_bar(lost > 0.0 ? lost : 0.0, db_column_double(query, 4), out);
        buf_addf(out, "<td class=\"n\">%.4f\n", db_column_double(query, 2));
        TRY(db_step(query, &has_row, status));
    }
    buf_add_text(out, "</tbody>");
    table_end(out);
    section_end(out);
done:
    db_finalize(query);
    return code;
}
