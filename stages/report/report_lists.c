/* Lists, items and users as figures. */
#include "stages/report/report_lists.h"

#include "base/mem.h"
#include "stages/report/report_svg.h"

#include <stdlib.h>

enum { MAP_ITEMS = 1000, LORENZ_POINTS = 101, SHOWN = 5, NAMED_CATEGORIES = SVG_COLORS - 1 };

/* ---- how evenly items are shown ---- */

static enum status_code add_lorenz(struct report_lists *page, struct figures *figures,
                                   struct status *status)
{
    static const char *const names[] = {"recommendations", "the log", "evenly"};
    static const size_t colors[] = {0, 1, SVG_COLORS - 1};
    double x[LORENZ_POINTS], shares[3][LORENZ_POINTS];
    struct buf *out = &figures->html;
    struct svg_chart chart = {
        .out = out,
        .x = {.from = 0, .to = 100, .label = "items, least shown first (%)"},
        .y = {.from = 0, .to = 100, .label = "share of the rows (%)"},
    };
    const size_t n = page->items.ids.n;
    double *counts = NULL;
    enum status_code code;
    TRY(MEM_NEW(&counts, n, status));
    memcpy(counts, page->n_lists, n * sizeof *counts);
    const double gini = lorenz_curve(counts, n, shares[0], LORENZ_POINTS);
    memcpy(counts, page->n_users, n * sizeof *counts);
    const double gini_log = lorenz_curve(counts, n, shares[1], LORENZ_POINTS);
    for (size_t p = 0; p < LORENZ_POINTS; p++) {
        x[p] = shares[2][p] = 100.0 * (double)p / (LORENZ_POINTS - 1);
        shares[0][p] *= 100;
        shares[1][p] *= 100;
    }
    figure_begin(figures, "How evenly items are shown");
    svg_begin(&chart, "Lorenz curves of recommendations and of the log");
    for (size_t line = 3; line-- > 0;) {
        svg_line(&chart, x, shares[line], LORENZ_POINTS, colors[line], names[line]);
    }
    svg_end(&chart);
    buf_add_text(out, "<ul class=\"legend\">");
    for (size_t line = 0; line < 3; line++) {
        svg_key(out, colors[line], true, names[line]);
    }
    buf_addf(
        out,
        "</ul><p class=\"hint\">The nearer to the straight line, the more even. The tenth of "
        "the items that is shown most has %.0f %% of the rows of all lists, in the log %.0f %%. "
        "Gini %.2f, of the log %.2f.</p>\n",
        100 - shares[0][LORENZ_POINTS * 9 / 10], 100 - shares[1][LORENZ_POINTS * 9 / 10], gini,
        gini_log);
    if (page->lists.users_index.n_probes > 0) {
        buf_addf(out,
                 "<p class=\"hint\">Found by inverted lists, %.0f of %.0f a user: %.1f %% of what "
                 "exact lists have, on a sample.</p>\n",
                 page->lists.users_index.n_probes, page->lists.users_index.n_lists,
                 100.0 * page->lists.users_index.recall);
    }
    figure_end(figures);
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

static size_t category_of(struct report_lists *page, int32_t item, struct legend *legend)
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

/* The marks of the categories that have a colour, or those of the rest. */
static void add_marks(struct report_lists *page, struct svg_chart *chart,
                      const struct mapped *mapped, const double *places, size_t n,
                      struct legend *legend, const size_t *rank, bool is_rest)
{
    for (size_t i = n; i-- > 0;) { /* the most popular on top */
        struct buf tip = {0};
        size_t length;
        const char *title = strings_get(&page->names.titles, (size_t)mapped[i].item, &length);
        const size_t color = rank[category_of(page, mapped[i].item, legend)];
        if ((color < NAMED_CATEGORIES) != is_rest) {
            buf_add(&tip, title, length);
            svg_mark(chart, places[2 * i], places[2 * i + 1],
                     color < NAMED_CATEGORIES ? color : SVG_COLORS - 1, buf_text(&tip));
        }
        buf_release(&tip);
    }
}

/* The n most popular items of the towers (mapped has room for all), and where they stand:
 * places (n, 2). */
static enum status_code place_items(struct report_lists *page, size_t n, struct mapped *mapped,
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

static int compare_places(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* An axis as wide as the middle 96 % of the items need; those beyond it stand at its ends, so that
 * a few far away do not press the rest together. */
static enum status_code frame_map(double *places, size_t n, size_t column, struct axis *axis,
                                  struct status *status)
{
    double *sorted = NULL;
    enum status_code code;
    TRY(MEM_NEW(&sorted, n, status));
    for (size_t i = 0; i < n; i++) {
        sorted[i] = places[2 * i + column];
    }
    qsort(sorted, n, sizeof *sorted, compare_places);
    *axis = axis_empty(NULL, AXIS_NUMBER);
    axis_hold(axis, &sorted[n / 50], n - 2 * (n / 50));
    for (size_t i = 0; i < n; i++) {
        double *place = &places[2 * i + column];
        *place = *place < axis->from ? axis->from : *place > axis->to ? axis->to : *place;
    }
done:
    mem_free(sorted);
    return code;
}

static enum status_code add_map(struct report_lists *page, struct figures *figures,
                                struct status *status)
{
    const size_t n_items = page->embeddings.items.rows;
    const size_t n = n_items < MAP_ITEMS ? n_items : MAP_ITEMS;
    struct svg_chart chart = {.out = &figures->html};
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
    TRY(frame_map(places, n, 0, &chart.x, status));
    TRY(frame_map(places, n, 1, &chart.y, status));
    figure_begin(figures, "A map of the items");
    buf_add_text(&figures->html, "<div class=\"map\">");
    svg_begin(&chart, "map of the item embeddings");
    add_marks(page, &chart, mapped, places, n, legend, rank, true);
    add_marks(page, &chart, mapped, places, n, legend, rank, false);
    svg_end(&chart);
    buf_add_text(&figures->html, "</div><ul class=\"legend\">");
    const size_t n_names = name_colors(legend, rank, names);
    for (size_t c = 0; c < n_names; c++) {
        svg_key(&figures->html, c, false, names[c]);
    }
    buf_add_text(&figures->html,
                 "</ul><p class=\"hint\">Near items are liked by the same people: their vectors on "
                 "the first two principal components. Point at one to see its title.</p>\n");
    figure_end(figures);
done:
    mem_free(mapped);
    mem_free(legend);
    mem_free(places);
    mem_free(rank);
    return code;
}

enum status_code lists_add_items(struct report_lists *page, struct buf *out, struct status *status)
{
    struct figures figures = {0};
    enum status_code code;
    TRY(add_lorenz(page, &figures, status));
    TRY(add_map(page, &figures, status));
    section_begin(out, "The items", NULL);
    figures_end(&figures, out);
    section_end(out);
done:
    buf_release(&figures.html);
    return code;
}

/* ---- users ---- */

static void add_title(struct report_lists *page, int32_t item, struct buf *out)
{
    size_t length;
    const char *text = strings_get(&page->names.titles, (size_t)item, &length);
    html_add(out, text, length);
    text = strings_get(&page->names.categories, (size_t)item, &length);
    if (length > 0) {
        buf_add_text(out, " <span class=\"hint\">");
        html_add(out, text, length);
        buf_add_text(out, "</span>");
    }
    buf_add_text(out, "<br>");
}

/* The newest items of the history; without times the first ones. */
static void add_history(struct report_lists *page, size_t user, struct buf *out)
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
        add_title(page, page->items.served_of[log->matrix.columns[shown[i]]], out);
    }
}

void lists_add_users(struct report_lists *page, size_t n_users, size_t n_ranks, struct buf *out)
{
    const struct recommendations *lists = &page->lists;
    const size_t n = n_users < lists->n_served ? n_users : lists->n_served;
    if (n == 0) {
        return;
    }
    section_begin(out, "A few users",
                  n_ranks > 1 ? "The newest of what they had, and what they get; of the users of "
                                "the first rank, whose ids are left out."
                              : "The newest of what they had, and what they get. Their ids are "
                                "left out.");
    table_begin(out, "a few users");
    buf_add_text(out, "<thead><tr><th scope=\"col\">example<th scope=\"col\">had"
                      "<th scope=\"col\">gets</thead><tbody>\n");
    for (size_t i = 0; i < n; i++) {
        const size_t list = i * lists->n_served / n;
        buf_addf(out, "<tr><th scope=\"row\">%zu<td>", i + 1);
        add_history(page, (size_t)page->users.source_of[lists->served[list]], out);
        buf_add_text(out, "<td>");
        for (size_t r = 0; r < SHOWN && r < lists->top; r++) {
            if (lists->items[list * lists->top + r] >= 0) {
                add_title(page, lists->items[list * lists->top + r], out);
            }
        }
        buf_add_text(out, "\n");
    }
    buf_add_text(out, "</tbody>");
    table_end(out);
    section_end(out);
}
