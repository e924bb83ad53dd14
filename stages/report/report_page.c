/* One file without any request to elsewhere: styles are here, charts are inline. */
#include "stages/report/report_page.h"

#include <math.h>

void page_begin(struct buf *out, const char *title)
{
    buf_add_text(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                      "<title>");
    html_add_text(out, title);
    buf_add_text(out, "</title><style>\n");
    page_add_styles(out);
    buf_add_text(out, "</style></head><body><header>");
}

void page_begin_sections(struct buf *out)
{
    buf_add_text(out, "</header>\n<main>\n");
}

void page_end(struct buf *out, const char *foot)
{
    buf_add_text(out, "</main><footer>");
    html_add_text(out, foot);
    buf_add_text(out, "</footer></body></html>\n");
}

void section_begin(struct buf *out, const char *heading, const char *hint)
{
    buf_add_text(out, "<section><h2>");
    html_add_text(out, heading);
    buf_add_text(out, "</h2>");
    if (hint != NULL) {
        buf_add_text(out, "<p class=\"hint\">");
        html_add_text(out, hint);
        buf_add_text(out, "</p>");
    }
    buf_add_text(out, "\n");
}

void section_end(struct buf *out)
{
    buf_add_text(out, "</section>\n");
}

void figure_begin(struct figures *figures, const char *heading)
{
    buf_add_text(&figures->html, "<div class=\"figure\">");
    if (heading != NULL) {
        buf_add_text(&figures->html, "<h3>");
        html_add_text(&figures->html, heading);
        buf_add_text(&figures->html, "</h3>");
    }
    figures->n++;
}

void figure_end(struct figures *figures)
{
    buf_add_text(&figures->html, "</div>\n");
}

void figures_end(struct figures *figures, struct buf *out)
{
    if (figures->n > 0) { /* in twos, or threes and twos, so that no place stays empty */
        buf_addf(out, "<div class=\"row%s\">",
                 figures->n % 3 == 0 || figures->n == 5 ? " three" : "");
        buf_add(out, figures->html.data, figures->html.length);
        buf_add_text(out, "</div>\n");
    }
    out->failed = out->failed || figures->html.failed;
    buf_release(&figures->html);
}

void table_begin(struct buf *out, const char *label)
{
    buf_add_text(out, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"");
    html_add_text(out, label);
    buf_add_text(out, "\"><table>");
}

void page_add_bar(double value, double most, struct buf *out)
{
    buf_addf(out, "<td class=\"bars\"><span class=\"bar\" style=\"width:%.0f%%\"></span>",
             most > 0 && value > 0 ? fmax(100 * value / most, 1) : 0.0);
}

void table_end(struct buf *out)
{
    buf_add_text(out, "</table></div>\n");
}
