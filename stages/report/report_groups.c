/* Quality by groups of users and items. */
#include "stages/report/report_history.h"

#include <math.h>

static const char group_rows[] =
    "SELECT m.grp, m.value, p.value, i.value, u.value, max(m.value) OVER ()"
    " FROM run_metric AS m"
    " LEFT JOIN run_metric AS p ON p.run = m.run AND p.name = m.name AND p.grp = m.grp"
    "  AND p.model = 'popularity'"
    " LEFT JOIN run_metric AS i ON i.run = m.run AND i.name = m.name AND i.grp = m.grp"
    "  AND i.model = 'item_item'"
    " LEFT JOIN run_metric AS u ON u.run = m.run AND u.grp = m.grp AND u.model = 'data'"
    "  AND u.name = CASE WHEN m.name GLOB 'valid:*' AND m.grp NOT GLOB 'cold_*' THEN 'valid:users'"
    "   ELSE 'users' END"
    " WHERE m.run = ?1 AND m.name = ?2 AND m.model = 'nightjar'"
    "  AND (m.grp GLOB 'users:*' OR m.grp GLOB 'items:*' OR m.grp GLOB 'cold_*')"
    " ORDER BY m.grp GLOB 'users:*' DESC, m.grp GLOB 'items:*' DESC,"
    "  CAST(substr(m.grp, 7) AS INTEGER), m.grp";

static const char *group_name(const char *group)
{
    static const char *const names[][2] = {
        {"users:1-4", "users who had 1 to 4 items"},
        {"users:5-19", "users who had 5 to 19"},
        {"users:20-99", "users who had 20 to 99"},
        {"users:100+", "users who had 100 or more"},
        {"items:head", "the most popular items"},
        {"items:middle", "items of middling popularity"},
        {"items:tail", "rare items"},
        {"cold_users", "users new to the training (cold_users)"},
        {"cold_items", "items new to the training (cold_items)"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i][0], group) == 0) {
            return names[i][1];
        }
    }
    return group;
}

static void add_group(struct db_query *query, struct buf *out)
{
    const double value = db_column_double(query, 1), most = db_column_double(query, 5);
    buf_add_text(out, "<tr><th scope=\"row\">");
    html_add_text(out, group_name(db_column_text(query, 0, NULL)));
    buf_addf(out, "<td class=\"n\">%.4f", value);
    page_add_bar(value, most, out);
    for (int column = 3; column >= 2; column--) {
        buf_add_text(out, "<td class=\"n\">");
        if (db_column_type(query, column) != DB_NULL) {
            buf_addf(out, "%.4f", db_column_double(query, column));
        }
    }
    buf_add_text(out, "<td class=\"n\">");
    html_add_number(out, db_column_double(query, 4));
    buf_add_text(out, "\n");
}

enum status_code history_groups(const struct report_history *history, struct buf *out,
                                struct status *status)
{
    const char *metric = history->findings.metric;
    struct db_query *query = NULL;
    bool has_row, is_cold = false;
    enum status_code code;
    TRY(db_prepare(history->work, group_rows, &query, status));
    TRY(db_bind_int64(query, 1, history->judged, status));
    TRY(db_bind_string(query, 2, metric, status));
    TRY(db_step(query, &has_row, status));
    if (!has_row) {
        goto done;
    }
    section_begin(out, "For whom, and for which items",
                  "Users by the length of their history; items by popularity, a third of the log "
                  "in each group.");
    table_begin(out, "quality by groups");
    buf_addf(out,
             "<thead><tr><th scope=\"col\">%s of<th scope=\"col\" class=\"n\">nightjar"
             "<td class=\"bars\"><th scope=\"col\" class=\"n\">item-item"
             "<th scope=\"col\" class=\"n\">popularity<th scope=\"col\" class=\"n\">users"
             "</thead><tbody>\n",
             metric);
    while (has_row) {
        is_cold = is_cold || strcmp(db_column_text(query, 0, NULL), "cold_items") == 0;
        add_group(query, out);
        TRY(db_step(query, &has_row, status));
    }
    buf_add_text(out, "</tbody>");
    table_end(out);
    if (is_cold) {
        buf_add_text(out,
                     "<p class=\"hint\">Items new to the training are ranked among themselves "
                     "alone, by their side data: their figures compare with each other, not with "
                     "the lines above. Popularity knows nothing of them, so it is chance; where "
                     "no side data are configured nightjar has no order of them, and 0.</p>\n");
    }
    section_end(out);
done:
    db_finalize(query);
    return code;
}
