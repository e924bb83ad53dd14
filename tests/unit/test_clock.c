/* Dates for people, and that clocks run. */
#include "base/clock.h"
#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void dates_are_written_as_iso_8601(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00Z"},
                 {-1, "1969-12-31T23:59:59Z"},
                 {951782400, "2000-02-29T00:00:00Z"},
                 {1795406400, "2026-11-23T04:00:00Z"},
                 {INT64_C(-62167219200), "0000-01-01T00:00:00Z"},
                 {INT64_C(253402300799), "9999-12-31T23:59:59Z"},
                 {INT64_C(253402300800), "253402300800"},
                 {INT64_MIN, "-9223372036854775808"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[CLOCK_TEXT_MAX];
        clock_format(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void every_day_of_ten_centuries_is_read_back(void **state)
{
    (void)state;
    for (int64_t day = -365000; day < 365000; day += 1) {
        char text[CLOCK_TEXT_MAX];
        int64_t back = 0;
        int64_t seconds = day * 86400 + (day & 0xffff);
        clock_format(seconds, text);
        assert_true(num_parse_iso8601(text, strlen(text), &back));
        assert_true(back == seconds);
    }
}

static void clocks_run_forwards(void **state)
{
    (void)state;
    double start = clock_monotonic();
    double cpu = clock_cpu();
    volatile double sum = 0.0;
    while (clock_cpu() - cpu < 0.001) {
        sum = sum + 1.0;
    }
    assert_true(clock_monotonic() >= start);
    assert_true(clock_unix() > 1700000000);
    assert_true(clock_peak_rss() > 100 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_are_written_as_iso_8601),
        cmocka_unit_test(every_day_of_ten_centuries_is_read_back),
        cmocka_unit_test(clocks_run_forwards),
    };
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
