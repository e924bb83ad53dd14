/* stages/report: texts, axes and charts of the page. The page itself is looked at in a browser by
 * tests/cli/page.sh. */
#include "stages/report/report_chart.h"
#include "stages/report/report_html.h"
#include "stages/report/report_page.h"
#include "stages/report/report_svg.h"

#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void texts_are_escaped_and_keep_their_line_ends(void **state)
{
    (void)state;
    struct buf out = {0};
    html_add_text(&out, "the gate refused the run:\nndcg@20 is <0.1> & \"low\"\x01\x7f\xC3\xA9");
    assert_string_equal(buf_text(&out), "the gate refused the run:<br>ndcg@20 is &lt;0.1&gt; &amp; "
                                        "&quot;low&quot;\xC3\xA9");
    buf_release(&out);
}

static void numbers_have_separators_and_no_needless_digits(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},
                 {1956, "1,956"},
                 {106853.4, "106,853"},
                 {0.09031, "0.0903"},
                 {1.25, "1.25"},
                 {12.5e6, "12.5M"},
                 {0.000012, "1.2e-05"},
                 {-1119, "-1,119"},
                 {NAN, "\xE2\x80\x93"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct buf out = {0};
        html_add_number(&out, cases[i].value);
        assert_string_equal(buf_text(&out), cases[i].text);
        buf_release(&out);
    }
}

static void times_are_dates(void **state)
{
    (void)state;
    struct buf out = {0};
    char text[HTML_DATE_MAX];
    html_add_time(&out, 1796040845); /* 2026-11-30T12:14:05Z */
    assert_string_equal(buf_text(&out), "30 Nov 2026, 12:14");
    html_format_date(1796040845, false, false, text);
    assert_string_equal(text, "30 Nov");
    html_format_date(1796040845, true, false, text);
    assert_string_equal(text, "12:14");
    html_format_date(1796040845, true, true, text);
    assert_string_equal(text, "12:14:05");
    buf_release(&out);
}

/* An axis that holds the values, settled. */
static struct axis axis_of(enum axis_kind kind, const double *values, size_t n)
{
    struct axis axis = axis_empty("label", kind);
    axis_hold(&axis, values, n);
    axis_settle(&axis);
    return axis;
}

static void axes_contain_their_data_and_end_at_ticks(void **state)
{
    (void)state;
    for (int seed = 1; seed < 400; seed++) {
        const double values[] = {seed * 1.7e-3 * pow(10, seed % 9), 0.3 * seed, 1956.0 / seed, NAN};
        const struct axis axis = axis_of(seed % 2 == 0 ? AXIS_NUMBER : AXIS_WHOLE, values, 4);
        for (size_t i = 0; i < 3; i++) {
            assert_true(axis.from <= values[i] + 1e-9 && values[i] <= axis.to + 1e-9);
        }
        assert_true(axis.step > 0 && (axis.to - axis.from) / axis.step < 8);
        assert_true(fabs(remainder(axis.to, axis.step)) < 1e-6 * axis.step);
        assert_true(fabs(remainder(axis.from, axis.step)) < 1e-6 * axis.step);
        assert_true(seed % 2 == 0 || axis.step >= 1);
    }
    const double users[] = {0, 1956};
    assert_true(axis_of(AXIS_NUMBER, users, 2).to >= 1956);
}

static void one_value_has_an_axis_that_a_person_can_read(void **state)
{
    (void)state;
    static const double zeros[] = {0, 0}, loss[] = {5.2}, whole[] = {3}, none[] = {NAN};
    struct axis axis = axis_of(AXIS_NUMBER, zeros, 2);
    assert_true(axis.from == 0.0 && axis.to == 1.0);
    axis = axis_of(AXIS_NUMBER, none, 1);
    assert_true(axis.from == 0.0 && axis.to == 1.0);
    axis = axis_of(AXIS_NUMBER, loss, 1);
    assert_true(axis.from > 3 && axis.from < 5.2 && axis.to > 5.2 && axis.to < 7);
    axis = axis_of(AXIS_WHOLE, whole, 1);
    assert_true(axis.from >= 0 && axis.from < 3 && axis.to > 3);
}

/* All ticks, a space behind each. */
static void assert_ticks(enum axis_kind kind, double from, double to, const char *expected)
{
    const double values[] = {from, to};
    const struct axis axis = axis_of(kind, values, 2);
    struct buf out = {0};
    for (double tick = axis_first_tick(&axis); tick <= axis.to + 1e-9 * axis.step;
         tick += axis.step) {
        axis_add_tick(&axis, tick, &out);
        buf_add_char(&out, ';');
    }
    assert_string_equal(buf_text(&out), expected);
    buf_release(&out);
}

static void ticks_are_round_numbers_and_round_times(void **state)
{
    (void)state;
    assert_ticks(AXIS_NUMBER, 0, 0.139, "0;0.05;0.1;0.15;");
    assert_ticks(AXIS_NUMBER, 0, 1956, "0;500;1,000;1,500;2,000;");
    assert_ticks(AXIS_WHOLE, 1, 3, "1;2;3;");
    assert_ticks(AXIS_TIME, 1796040000, 1796040000 + 9 * 86400, "1 Dec;3 Dec;5 Dec;7 Dec;9 Dec;");
    assert_ticks(AXIS_TIME, 1796040000, 1796040000 + 7200, "12:00;13:00;14:00;");
}

static void a_chart_has_its_figures_as_a_table(void **state)
{
    (void)state;
    struct status status = {0};
    struct series *series = NULL;
    struct buf out = {0};
    assert_int_equal(chart_new(&series, &status), STATUS_OK);
    series[0] = (struct series){
        .name = "nightjar", .n = 2, .x = {1796040000, 1796126400}, .y = {0.25, 1956}};
    series[1] =
        (struct series){.name = "item-item", .color = 1, .n = 1, .x = {1796040000}, .y = {7}};
    series[2] = (struct series){.name = "nowhere", .color = 2, .n = 1, .x = {1}, .y = {NAN}};
    const struct chart chart = {.title = "a <title>",
                                .x_label = "run of",
                                .y_label = "recall@20",
                                .x_kind = AXIS_TIME,
                                .n = 3,
                                .series = series};
    chart_add(&chart, &out);
    assert_non_null(strstr(buf_text(&out), "aria-label=\"a &lt;title&gt;\""));
    assert_non_null(strstr(buf_text(&out), "<title>nightjar: 1,956, 1 Dec 2026, 12:00</title>"));
    assert_non_null(strstr(buf_text(&out), "<tr><th scope=\"row\">1 Dec 2026, 12:00"
                                           "<td class=\"n\">1,956<td class=\"n\">\xE2\x80\x93\n"
                                           "<tr><th scope=\"row\">30 Nov 2026, 12:00"
                                           "<td class=\"n\">0.2500<td class=\"n\">7\n"));
    assert_null(strstr(buf_text(&out), "nowhere"));
    buf_clear(&out);
    series[0].n = 1; /* a point is no line: there is nothing to draw */
    chart_add(&chart, &out);
    assert_int_equal(out.length, 0);
    buf_release(&out);
    mem_free(series);
}

/* What a person without red, or without green, cones sees of a colour (Machado, Oliveira and
 * Fernandes, 2009), as CIE L*a*b*. kind 0: as it is. */
static void seen_color(const char *hex, int kind, double lab[3])
{
    static const double matrices[3][3][3] = {{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
                                             {{0.152286, 1.052583, -0.204868},
                                              {0.114503, 0.786281, 0.099216},
                                              {-0.003882, -0.048116, 1.051998}},
                                             {{0.367322, 0.860646, -0.227968},
                                              {0.280085, 0.672501, 0.047413},
                                              {-0.011820, 0.042940, 0.968881}}};
    static const double to_xyz[3][3] = {
        {.4124, .3576, .1805}, {.2126, .7152, .0722}, {.0193, .1192, .9505}};
    static const double white[3] = {0.95047, 1, 1.08883};
    const long value = strtol(hex, NULL, 16);
    double linear[3], seen[3], f[3];
    for (int i = 0; i < 3; i++) {
        const double c = (double)((value >> (16 - 8 * i)) & 255) / 255;
        linear[i] = c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
    }
    for (int i = 0; i < 3; i++) {
        const double *row = matrices[kind][i];
        seen[i] = fmin(fmax(row[0] * linear[0] + row[1] * linear[1] + row[2] * linear[2], 0), 1);
    }
    for (int i = 0; i < 3; i++) {
        const double t =
            (to_xyz[i][0] * seen[0] + to_xyz[i][1] * seen[1] + to_xyz[i][2] * seen[2]) / white[i];
        f[i] = t > 0.008856 ? cbrt(t) : 7.787 * t + 16.0 / 116;
    }
    lab[0] = 116 * f[1] - 16;
    lab[1] = 500 * (f[0] - f[1]);
    lab[2] = 200 * (f[1] - f[2]);
}

/* A difference of 2.3 can just be seen side by side; these are apart, and small. */
static void colours_are_told_apart_without_red_and_without_green(void **state)
{
    (void)state;
    struct buf out = {0};
    page_add_styles(&out);
    const char *styles = buf_text(&out);
    for (int theme = 0; theme < 2; theme++) {
        double lab[SVG_COLORS][3];
        for (int kind = 0; kind < 3; kind++) {
            const char *at =
                theme == 0 ? styles : strstr(styles, "@media(prefers-color-scheme:dark)");
            for (int c = 0; c < SVG_COLORS; c++) {
                char name[32];
                snprintf(name, sizeof name, "--c%d:#", c);
                at = strstr(at, name);
                assert_non_null(at);
                seen_color(at + strlen(name), kind, lab[c]);
                for (int other = 0; other < c; other++) {
                    const double distance =
                        sqrt(pow(lab[c][0] - lab[other][0], 2) + pow(lab[c][1] - lab[other][1], 2) +
                             pow(lab[c][2] - lab[other][2], 2));
                    if (distance < 12) {
                        fail_msg("theme %d, eye %d: c%d and c%d are %.1f apart", theme, kind, other,
                                 c, distance);
                    }
                }
            }
        }
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_escaped_and_keep_their_line_ends),
        cmocka_unit_test(numbers_have_separators_and_no_needless_digits),
        cmocka_unit_test(times_are_dates),
        cmocka_unit_test(axes_contain_their_data_and_end_at_ticks),
        cmocka_unit_test(one_value_has_an_axis_that_a_person_can_read),
        cmocka_unit_test(ticks_are_round_numbers_and_round_times),
        cmocka_unit_test(a_chart_has_its_figures_as_a_table),
        cmocka_unit_test(colours_are_told_apart_without_red_and_without_green),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
