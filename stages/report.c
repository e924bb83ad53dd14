/* report: one page about the run, for people. Sections out of the run history are in
 * report/report_history.c; this file has those about lists, items and a few users. */
#include "base/path.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/output_file.h"
#include "io/whole_file.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"
#include "serving/recommendations.h"
#include "serving/served_ids.h"
#include "catch_up/merged.h"
#include "stages/report/report_history.h"
#include "stages/report/report_items.h"
#include "stages/report/report_page.h"

#include <math.h>
#include <stdlib.h>

enum { MAP_ITEMS = 1500, LORENZ_POINTS = 101, SHOWN = 5, NAMED_CATEGORIES = SVG_COLORS - 1 };

struct report_options {
    const char *path, *items;
    int64_t users, runs;
};

static const struct option options[] = {
    OPT_PATH(report_options, "path", path, "The HTML file that is written, replaced as a whole.",
             .required = true),
    OPT_TEXT(report_options, "items", items, NULL,
             "A query on the source that gives item_id, and title and category: SELECT item_id, "
             "title, category FROM products. Without it items are shown by their ids."),
    OPT_INT(report_options, "users", users, "5", 0, 100,
            "Users whose history is shown beside their recommendations, without their ids.",
            .unit = "users"),
    OPT_INT(report_options, "runs", runs, "60", 1, 1000, "How far back the history goes.",
            .unit = "runs"),
    OPT_END};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "towers"},
    {.name = "news", .help = "what is new since the last full run", .optional = true},
    {.name = "recommendations"},
    {.name = "features", .help = "ids that only the side data have", .optional = true},
    {.name = NULL},
};

/* What the page is made of. */
struct page {
    const struct report_options *options;
    struct merged merged;
    struct embeddings embeddings;
    struct features features;
    struct served_ids users, items;
    struct recommendations lists;
    struct item_names names;
    double *n_users; /* (items) users in the log, by served code */
    double *n_lists; /* (items) lists that have the item */
    struct buf out;
};

static void page_release(struct page *page)
{
    buf_release(&page->out);
    mem_free(page->n_users);
    mem_free(page->n_lists);
    item_names_release(&page->names);
    served_ids_release(&page->users);
    served_ids_release(&page->items);
    features_release(&page->features);
    merged_release(&page->merged);
    recommendations_release(&page->lists);
}

static enum status_code load(struct context *context, struct page *page, struct status *status)
{
    const struct artifact *artifact;
    struct db *db = NULL;
    enum status_code code;
    TRY(merged_load(&page->merged, context, MERGED_LOG, status));
    TRY(context_input(context, "towers", &artifact, status));
    TRY(embeddings_load(&page->embeddings, artifact, status));
    TRY(context_input(context, "recommendations", &artifact, status));
    TRY(recommendations_load(&page->lists, artifact, status));
    TRY(context_input(context, "features", &artifact, status));
    TRY(served_ids_load(&page->users, &page->items, &page->merged.interactions, &page->embeddings,
                        artifact, &page->features, status));
    TRY(recommendations_check(&page->lists, page->users.ids.n, page->items.ids.n, status));
    TRY(context_source(context, &db, status));
    TRY(item_names_read(&page->names, db, page->options->items,
                        context_settings(context)->source.query_timeout, &page->items, status));
done:
    context_source_done(context);
    return code;
}

static enum status_code count(struct page *page, struct status *status)
{
    const struct recommendations *lists = &page->lists;
    const struct sparse *log = &page->merged.interactions.log.matrix;
    enum status_code code;
    TRY(MEM_NEW(&page->n_users, page->items.ids.n, status));
    TRY(MEM_NEW(&page->n_lists, page->items.ids.n, status));
    for (size_t e = 0; e < sparse_entries(log); e++) {
        page->n_users[page->items.served_of[log->columns[e]]]++;
    }
    for (size_t e = 0; e < lists->n_served * lists->top; e++) {
        if (lists->items[e] >= 0) {
            page->n_lists[lists->items[e]]++;
        }
    }
done:
    return code;
}

/* ---- how evenly items are shown ---- */

static enum status_code add_lorenz(struct page *page, struct status *status)
{
    static const char *const names[] = {"recommendations", "the log", "evenly"};
    double x[LORENZ_POINTS], lists[LORENZ_POINTS], log[LORENZ_POINTS];
    struct svg_chart chart = {
        .out = &page->out,
        .x = {0, 100, "items, least shown first (%)", false},
        .y = {0, 100, "share of the rows (%)", false},
    };
    const size_t n = page->items.ids.n;
    double *counts = NULL;
    enum status_code code;
    TRY(MEM_NEW(&counts, n, status));
    memcpy(counts, page->n_lists, n * sizeof *counts);
    const double gini = lorenz_curve(counts, n, lists, LORENZ_POINTS);
    memcpy(counts, page->n_users, n * sizeof *counts);
    const double gini_log = lorenz_curve(counts, n, log, LORENZ_POINTS);
    for (size_t p = 0; p < LORENZ_POINTS; p++) {
        x[p] = 100.0 * (double)p / (LORENZ_POINTS - 1);
        lists[p] *= 100;
        log[p] *= 100;
    }
    section_begin(&page->out, "How evenly items are recommended", NULL);
    svg_begin(&chart, "Lorenz curves of recommendations and of the log");
    svg_line(&chart, x, lists, LORENZ_POINTS, 0, names[0]);
    svg_line(&chart, x, log, LORENZ_POINTS, 1, names[1]);
    svg_line(&chart, x, x, LORENZ_POINTS, 7, names[2]);
    svg_end(&chart);
    svg_legend(&page->out, names, 2);
    buf_addf(&page->out,
             "<p class=\"hint\">The nearer to the straight line, the more even. Gini %.2f, "
             "of the log %.2f.</p>\n",
             gini, gini_log);
    if (page->lists.users_index.n_probes > 0) {
        buf_addf(&page->out,
                 "<p class=\"hint\">Found by inverted lists, %.0f of %.0f a user: %.1f %% of what "
                 "exact lists have, on a sample.</p>\n",
                 page->lists.users_index.n_probes, page->lists.users_index.n_lists,
                 100.0 * page->lists.users_index.recall);
    }
    section_end(&page->out);
done:
    mem_free(counts);
    return code;
}

/* ---- the map ---- */

/* The row of an item on the map. */
struct mapped {
    double n_users;
    int32_t row;  /* of the towers */
    int32_t item; /* served code */
};

static int compare_mapped(const void *a, const void *b)
{
    const struct mapped *x = a, *y = b;
    if (x->n_users > y->n_users || x->n_users < y->n_users) {
        return x->n_users > y->n_users ? -1 : 1;
    }
    return (x->item > y->item) - (x->item < y->item);
}

/* The categories with most of the mapped items; names end by a NUL. */
struct legend {
    size_t n, counts[MAP_ITEMS];
    char names[MAP_ITEMS][48];
};

static size_t category_of(struct page *page, int32_t item, struct legend *legend)
{
    char name[sizeof legend->names[0]];
    size_t length;
    const char *text = strings_get(&page->names.categories, (size_t)item, &length);
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1),
             text);
    size_t c = 0;
    while (c < legend->n && strcmp(legend->names[c], name) != 0) {
        c++;
    }
    if (c == legend->n && c < MAP_ITEMS) {
        legend->n++;
        memcpy(legend->names[c], name, sizeof name);
    }
    return c;
}

/* rank (n) of each category by its number of items, most first. */
static void rank_categories(const struct legend *legend, size_t *rank)
{
    for (size_t c = 0; c < legend->n; c++) {
        rank[c] = 0;
        for (size_t other = 0; other < legend->n; other++) {
            const size_t theirs = legend->counts[other], own = legend->counts[c];
            rank[c] += theirs > own || (theirs == own && other < c);
        }
    }
}

/* The names of the categories that have a colour of their own; returns how many entries there are.
 */
static size_t name_colors(const struct legend *legend, const size_t *rank,
                          const char *names[SVG_COLORS])
{
    size_t n = legend->n < NAMED_CATEGORIES ? legend->n : NAMED_CATEGORIES;
    for (size_t c = 0; c < legend->n; c++) {
        if (rank[c] < NAMED_CATEGORIES) {
            names[rank[c]] = legend->names[c][0] == '\0' ? "no category" : legend->names[c];
        }
    }
    if (legend->n > NAMED_CATEGORIES) {
        names[n++] = "others";
    }
    return n;
}

static void add_dots(struct page *page, struct svg_chart *chart, const struct mapped *mapped,
                     const double *places, size_t n, struct legend *legend, const size_t *rank)
{
    for (size_t i = n; i-- > 0;) { /* the most popular on top */
        struct buf tip = {0};
        size_t length;
        const char *title = strings_get(&page->names.titles, (size_t)mapped[i].item, &length);
        const size_t color = rank[category_of(page, mapped[i].item, legend)];
        buf_add(&tip, title, length);
        svg_dot(chart, places[2 * i], places[2 * i + 1],
                color < NAMED_CATEGORIES ? color : SVG_COLORS - 1, buf_text(&tip));
        buf_release(&tip);
    }
}

/* The n most popular items of the towers (mapped has room for all), and where they stand:
 * places (n, 2). */
static enum status_code place_items(struct page *page, size_t n, struct mapped *mapped,
                                    double *places, struct status *status)
{
    const struct const_matrix items = page->embeddings.items;
    const struct dataset *dataset = &page->merged.interactions.basis[page->embeddings.basis];
    const size_t d = items.columns;
    float *vectors = NULL;
    enum status_code code;
    TRY(MEM_NEW(&vectors, n * d, status));
    for (size_t i = 0; i < items.rows; i++) {
        const int32_t item = page->items.served_of[dataset->items[i]];
        mapped[i] = (struct mapped){page->n_users[item], (int32_t)i, item};
    }
    qsort(mapped, items.rows, sizeof *mapped, compare_mapped);
    for (size_t i = 0; i < n; i++) {
        memcpy(vectors + i * d, items.data + (size_t)mapped[i].row * items.stride,
               d * sizeof *vectors);
    }
    TRY(item_map(const_matrix_of(vectors, n, d), places, status));
done:
    mem_free(vectors);
    return code;
}

static enum status_code add_map(struct page *page, struct status *status)
{
    const size_t n_items = page->embeddings.items.rows;
    const size_t n = n_items < MAP_ITEMS ? n_items : MAP_ITEMS;
    struct svg_chart chart = {.out = &page->out};
    struct mapped *mapped = NULL;
    struct legend *legend = NULL;
    double *places = NULL;
    size_t *rank = NULL;
    const char *names[SVG_COLORS];
    enum status_code code;
    TRY(MEM_NEW(&mapped, n_items, status));
    TRY(MEM_NEW(&legend, 1, status));
    TRY(MEM_NEW(&places, 2 * n, status));
    TRY(MEM_NEW(&rank, MAP_ITEMS, status));
    TRY(place_items(page, n, mapped, places, status));
    for (size_t i = 0; i < n; i++) {
        legend->counts[category_of(page, mapped[i].item, legend)]++;
    }
    rank_categories(legend, rank);
    chart.x = chart.y = svg_axis_empty(NULL, false);
    for (size_t i = 0; i < n; i++) {
        svg_axis_hold(&chart.x, &places[2 * i], 1);
        svg_axis_hold(&chart.y, &places[2 * i + 1], 1);
    }
    section_begin(&page->out, "A map of the items",
                  "Their vectors on the first two principal components: near items are liked by "
                  "the same people. Point at one to see its title.");
    svg_begin(&chart, "map of the item embeddings");
    add_dots(page, &chart, mapped, places, n, legend, rank);
    svg_end(&chart);
    svg_legend(&page->out, names, name_colors(legend, rank, names));
    section_end(&page->out);
done:
    mem_free(mapped);
    mem_free(legend);
    mem_free(places);
    mem_free(rank);
    return code;
}

/* ---- users ---- */

static void add_title(struct page *page, int32_t item)
{
    size_t length;
    const char *text = strings_get(&page->names.titles, (size_t)item, &length);
    html_add(&page->out, text, length);
    text = strings_get(&page->names.categories, (size_t)item, &length);
    if (length > 0) {
        buf_add_text(&page->out, " <span class=\"hint\">");
        html_add(&page->out, text, length);
        buf_add_text(&page->out, "</span>");
    }
    buf_add_text(&page->out, "<br>");
}

/* The newest items of the history; without times the first ones. */
static void add_history(struct page *page, size_t user)
{
    const struct history *log = &page->merged.interactions.log;
    int64_t shown[SHOWN];
    size_t n = 0;
    for (int64_t e = user < log->matrix.n_rows ? log->matrix.offsets[user] : 0;
         user < log->matrix.n_rows && e < log->matrix.offsets[user + 1]; e++) {
        size_t at = n < SHOWN ? n++ : SHOWN;
        while (at > 0 && log->times != NULL && log->times[e] > log->times[shown[at - 1]]) {
            if (at < SHOWN) {
                shown[at] = shown[at - 1];
            }
            at--;
        }
        if (at < SHOWN) {
            shown[at] = e;
        }
    }
    for (size_t i = 0; i < n; i++) {
        add_title(page, page->items.served_of[log->matrix.columns[shown[i]]]);
    }
}

static void add_users(struct page *page)
{
    const struct recommendations *lists = &page->lists;
    const size_t n = (size_t)page->options->users < lists->n_served ? (size_t)page->options->users
                                                                    : lists->n_served;
    if (n == 0) {
        return;
    }
    section_begin(&page->out, "A few users", "The newest of their history, and what they get");
    buf_add_text(&page->out, "<div class=\"scroll\"><table><tr><th><th>history<th>recommended"
                             "</tr>\n");
    for (size_t i = 0; i < n; i++) {
        const size_t list = i * lists->n_served / n;
        buf_addf(&page->out, "<tr><td>%zu<td>", i + 1);
        add_history(page, (size_t)page->users.source_of[lists->served[list]]);
        buf_add_text(&page->out, "<td>");
        for (size_t r = 0; r < SHOWN && r < lists->top; r++) {
            if (lists->items[list * lists->top + r] >= 0) {
                add_title(page, lists->items[list * lists->top + r]);
            }
        }
        buf_add_text(&page->out, "</tr>\n");
    }
    buf_add_text(&page->out, "</table></div>\n");
    section_end(&page->out);
}

/* ---- the page ---- */

static void add_lead(const struct context *context, struct page *page)
{
    const struct plan_settings *settings = context_settings(context);
    char time[CLOCK_TEXT_MAX];
    clock_format(context_run_started(context), time);
    buf_addf(&page->out,
             "<p class=\"lead\">Run %lld of %s. %zu users with lists, %zu items, %zu pairs of user "
             "and item in the log. nightjar %s, seed %lld, configuration %.12s.</p><main>\n",
             (long long)context_run_number(context), time, page->lists.n_served, page->items.ids.n,
             sparse_entries(&page->merged.interactions.log.matrix), context_version(context),
             (long long)settings->seed, context_config_hash(context));
}

static enum status_code write_page(struct context *context, struct page *page,
                                   struct status *status)
{
    const struct report_history history = {.work = context_work(context),
                                           .run = context_run_number(context),
                                           .n_runs = page->options->runs};
    struct buf title = {0};
    enum status_code code;
    buf_addf(&title, "nightjar: %s", context_settings(context)->pipeline);
    page_begin(&page->out, buf_text(&title));
    add_lead(context, page);
    TRY(history_metrics(&history, &page->out, status));
    TRY(history_nights(&history, context_overruled(context), &page->out, status));
    TRY(history_stages(&history, &page->out, status));
    TRY(history_groups(&history, &page->out, status));
    TRY(history_curves(&history, &page->out, status));
    TRY(add_lorenz(page, status));
    TRY(add_map(page, status));
    TRY(history_data(&history, &page->out, status));
    add_users(page);
    page_end(&page->out);
    TRY(buf_check(&page->out, status));
    TRY(whole_file_write(page->options->path, OUTPUT_PRIVATE, &page->out, status));
done:
    buf_release(&title);
    return code;
}

static enum status_code report_run(struct context *context, const void *values,
                                   struct status *status)
{
    struct page page = {.options = values};
    enum status_code code;
    TRY(load(context, &page, status));
    TRY(count(&page, status));
    TRY(write_page(context, &page, status));
done:
    page_release(&page);
    return code;
}

/* The page and the query, before hours of training. */
static enum status_code report_check(struct context *context, const void *values,
                                     struct status *status)
{
    const struct report_options *o = values;
    struct db *db = NULL;
    enum status_code code = STATUS_OK;
    TRY(path_check_writable(o->path, PATH_TEXT, status));
    if (o->items != NULL && !context_settings(context)->source.is_imported) {
        TRY(context_source(context, &db, status));
        TRY(item_names_check(db, o->items, context_settings(context)->source.query_timeout,
                             status));
    }
done:
    context_source_done(context);
    return code;
}

extern const struct stage stage_report;
const struct stage stage_report = {
    .name = "report",
    .summary = "Writes one self-contained HTML page about the run: metrics, gate, training, items, "
               "a few users.",
    .version = 1,
    .options_size = sizeof(struct report_options),
    .options = options,
    .inputs = inputs,
    .outputs = (const struct stage_artifact[]){{.name = NULL}},
    .check = report_check,
    /* It tells of the run itself, which is another one every night. */
    .fingerprint = context_always_run,
    .reads_delta = true,
    .run = report_run,
};
