/* One file without any request to elsewhere: styles are here, charts are inline. */
#include "stages/report/report_page.h"

static const char styles[] =
    ":root{color-scheme:light dark;--back:#fbfbfa;--card:#fff;--ink:#1c1c1a;--soft:#5f5f5a;"
    "--grid:#e3e3df;--c0:#0b62b8;--c1:#c2410c;--c2:#15803d;--c3:#7c3aed;--c4:#a16207;"
    "--c5:#0e7490;--c6:#be185d;--c7:#8b8b86}\n"
    "@media(prefers-color-scheme:dark){:root{--back:#161617;--card:#1f1f21;--ink:#ececea;"
    "--soft:#a5a5a0;--grid:#37373a;--c0:#69b1ff;--c1:#ff9a62;--c2:#5fd38a;--c3:#c3a6ff;"
    "--c4:#f0c649;--c5:#4fd3e6;--c6:#ff8cc2;--c7:#8f8f8a}}\n"
    "*{box-sizing:border-box}body{margin:0;padding:16px;background:var(--back);color:var(--ink);"
    "font:16px/1.45 system-ui,sans-serif}main{max-width:1120px;margin:0 auto;display:grid;"
    "gap:16px;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr))}\n"
    "h1{font-size:1.5rem;margin:0 auto 4px;max-width:1120px}h2{font-size:1.05rem;margin:0 0 4px}"
    ".lead{max-width:1120px;margin:0 auto 16px;color:var(--soft)}"
    "section{background:var(--card);border:1px solid var(--grid);border-radius:8px;padding:14px;"
    "min-width:0}.wide{grid-column:1/-1}.hint,.legend{color:var(--soft);font-size:.85rem;"
    "margin:0 0 8px}.legend span{display:inline-block;width:.75em;height:.75em;border-radius:2px;"
    "margin:0 .35em 0 .6em}figure{margin:0 0 8px}svg{display:block;width:100%;height:auto;"
    "max-width:560px}\n"
    ".t{font-size:11px;fill:var(--soft)}.l{font-size:12px;fill:var(--ink)}.g{stroke:var(--grid)}"
    ".s{fill:none;stroke-width:2}.d{stroke:none}";

static const char table_styles[] =
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.9rem}"
    "th,td{text-align:left;padding:3px 10px 3px 0;border-bottom:1px solid var(--grid);"
    "vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}"
    ".bar{display:inline-block;height:.7em;background:var(--c0);border-radius:2px;"
    "vertical-align:middle}.night{display:inline-block;width:10px;height:22px;margin:1px;"
    "border-radius:2px}\n";

void page_begin(struct buf *out, const char *title)
{
    buf_add_text(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                      "<title>");
    html_add_text(out, title);
    buf_add_text(out, "</title><style>\n");
    buf_add_text(out, styles);
    for (int c = 0; c < SVG_COLORS; c++) {
        buf_addf(out, "\n.s.c%d{stroke:var(--c%d)}.d.c%d{fill:var(--c%d)}", c, c, c, c);
        buf_addf(out, "span.c%d{background:var(--c%d)}", c, c);
    }
    buf_add_text(out, "\n");
    buf_add_text(out, table_styles);
    buf_add_text(out, "</style></head><body><h1>");
    html_add_text(out, title);
    buf_add_text(out, "</h1>\n");
}

void page_end(struct buf *out)
{
    buf_add_text(out, "</main></body></html>\n");
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
