/* Colours, spacing, type. The colours of series differ in lightness as well as in hue, so that
 * people who see no red, or no green, tell them apart; tests/cli/page.sh measures it. */
#include "stages/report/report_page.h"
#include "stages/report/report_svg.h"

static const char colors[] =
    ":root{color-scheme:light dark;--back:#f4f4f1;--card:#fff;--ink:#1b1b19;--soft:#5a5a55;"
    "--grid:#dededa;--good:#0b6b43;--warn:#7a5200;--bad:#a3170f;--c0:#0b5cad;--c1:#d06f00;"
    "--c2:#4a1d66;--c3:#00705f;--c4:#8a0f2e;--c5:#5e5600;--c6:#5c8cf0;--c7:#8f8f8a}\n"
    "@media(prefers-color-scheme:dark){:root{--back:#141415;--card:#1f1f21;--ink:#ececea;"
    "--soft:#a9a9a4;--grid:#3a3a3d;--good:#6fd3a3;--warn:#f0c05a;--bad:#ff9a8f;--c0:#6ab0ff;"
    "--c1:#ff9d3c;--c2:#ece2ff;--c3:#52d6a8;--c4:#d04a3f;--c5:#f6ef8a;--c6:#5868d6;--c7:#8f8f8a}}"
    "\n";

static const char frame[] =
    "*{box-sizing:border-box}body{margin:0;padding:24px 16px;background:var(--back);"
    "color:var(--ink);font:16px/1.5 system-ui,sans-serif}header,main,footer{max-width:1100px;"
    "margin:0 auto}main{display:grid;grid-template-columns:minmax(0,1fr);gap:20px}\n"
    ".kicker{margin:0;color:var(--soft);font-size:.95rem}h1{font-size:clamp(1.5rem,4.5vw,2.3rem);"
    "line-height:1.2;margin:4px 0 8px;text-wrap:balance}h1 "
    "span{white-space:nowrap}h2{font-size:1.25rem;margin:0 0 4px}"
    "h3{font-size:1rem;margin:0 0 6px}.lead{font-size:1.08rem;margin:0 0 16px;max-width:75ch}"
    ".state{border-left:5px solid var(--good);padding:8px 14px;margin:0 0 18px;"
    "background:var(--card);border-radius:0 8px 8px 0;overflow-wrap:anywhere}"
    ".state.bad{border-color:var(--bad)}.state b{color:var(--good)}.state.bad b{color:var(--bad)}"
    ".state.warned{border-color:var(--warn)}.state.warned b{color:var(--warn)}\n"
    ".tiles{display:grid;grid-template-columns:repeat(4,1fr);gap:12px;margin:0 0 20px}"
    ".tiles div{background:var(--card);border:1px solid var(--grid);border-radius:10px;"
    "padding:12px 16px}.tiles dt{color:var(--soft);font-size:.9rem}"
    ".tiles dd{margin:0;font-size:1.6rem;font-weight:650;font-variant-numeric:tabular-nums}"
    ".tiles dd.note{font-size:.88rem;font-weight:400;color:var(--soft)}\n"
    "section{background:var(--card);border:1px solid var(--grid);border-radius:10px;"
    "padding:18px 20px;min-width:0}.hint{color:var(--soft);font-size:.92rem;margin:0 0 12px;"
    "max-width:80ch}.scroll+.hint{margin:10px 0 "
    "0}footer{color:var(--soft);font-size:.85rem;margin-top:20px;"
    "overflow-wrap:anywhere}\n"
    ".row{display:flex;flex-wrap:wrap;gap:20px 28px}.figure{flex:1 1 400px;min-width:0}"
    ".three .figure{flex-basis:290px}.figure:only-child{flex-basis:100%}\n";

static const char charts[] =
    "svg{display:block;width:100%;height:auto;overflow:visible}.key{display:inline-block;width:"
    "auto;height:.7em;"
    "margin-right:6px;overflow:visible}.legend{list-style:none;display:flex;flex-wrap:wrap;"
    "gap:2px 16px;margin:4px 0 8px;padding:0;font-size:.9rem}"
    ".t{font-size:12.5px;fill:var(--soft)}.l{font-size:12.5px;fill:var(--ink)}"
    ".g{stroke:var(--grid)}.s{fill:none;stroke-width:2}.s.c0{stroke-width:2.8}\n"
    ".s.c1{stroke-dasharray:7 3}.s.c2{stroke-dasharray:2 3}.s.c3{stroke-dasharray:9 3 2 3}"
    ".s.c4{stroke-dasharray:4 2}.s.c5{stroke-dasharray:1 2}.s.c6{stroke-dasharray:12 4}"
    ".s.c7{stroke-width:1.2}.map .d.c7{opacity:.45}\n";

static const char tables[] =
    ".scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}"
    "th,td{text-align:left;padding:5px 12px 5px 0;border-bottom:1px solid var(--grid);"
    "vertical-align:top}tbody th{font-weight:400}tr.own th,tr.own td{font-weight:650}"
    "td.n,th.n{text-align:right;padding:5px 0 5px 12px;font-variant-numeric:tabular-nums}"
    "td.n{white-space:nowrap}td.n+td,th.n+th{padding-left:14px}.scroll+.row{margin-top:18px}"
    ".bars{width:130px;padding-left:12px}.bar{display:inline-block;height:.7em;background:var(--c0)"
    ";border-radius:2px;"
    "vertical-align:middle}details{margin-top:4px;font-size:.92rem}summary{color:var(--soft);"
    "cursor:pointer}details .scroll{max-height:320px;overflow-y:auto}\n"
    ".nights{display:flex;flex-wrap:wrap;gap:2px;margin:4px 0 8px}.night{width:15px;height:24px;"
    "border-radius:4px;font:700 12px/22px system-ui,sans-serif;text-align:center;"
    "border:1px solid var(--grid);color:var(--soft)}.night.good{background:var(--good);"
    "color:var(--card)}.night.bad{background:var(--bad);color:var(--card)}"
    ".legend .night{display:inline-block;margin-right:6px}\n"
    "@media(max-width:700px){.tiles{grid-template-columns:1fr 1fr}.wide,.bars{display:none}"
    "body{padding:16px 10px}section{padding:14px}th,td{padding-right:6px}"
    "table{font-size:.84rem}td.n,th.n,td.n+td,th.n+th{padding-left:6px}.tiles div{padding:10px "
    "12px}.tiles dd{font-size:1.35rem}}\n"
    "@media print{body{background:none}section{break-inside:avoid}}\n";

void page_add_styles(struct buf *out)
{
    buf_add_text(out, colors);
    buf_add_text(out, frame);
    buf_add_text(out, charts);
    for (int c = 0; c < SVG_COLORS; c++) {
        buf_addf(out, ".s.c%d{stroke:var(--c%d)}.d.c%d{fill:var(--c%d)}\n", c, c, c, c);
    }
    buf_add_text(out, tables);
}
