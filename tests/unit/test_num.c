/* Numbers out of and into text: hard values, refused texts, locale. */
#include "base/num.h"

#include <float.h>
#include <locale.h>
#include <math.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void whole_numbers_are_read_to_their_limits(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } cases[] = {{"0", 0},
                 {"-0", 0},
                 {"+7", 7},
                 {"007", 7},
                 {"9223372036854775807", INT64_MAX},
                 {"-9223372036854775808", INT64_MIN},
                 {"-9223372036854775807", -INT64_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value = 42;
        assert_true(num_parse_int64(cases[i].text, strlen(cases[i].text), &value));
        assert_int_equal(value, cases[i].value);
    }
}

static void what_is_no_whole_number_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "1e3",
                                      "0x10",
                                      "--1",
                                      "9223372036854775808",
                                      "1\t",
                                      "nan",
                                      "1,0",
                                      "\xd9\xa1",
                                      "-9223372036854775809",
                                      "99999999999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t value = 42;
        assert_false(num_parse_int64(bad[i], strlen(bad[i]), &value));
        assert_int_equal(value, 42);
    }
    int64_t value = 42;
    assert_false(num_parse_int64("1\0", 2, &value));
    assert_true(num_parse_int64("123", 2, &value));
    assert_int_equal(value, 12);
}

static void decimals_are_read_as_strtod_reads_them(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        "-0",
        "0.1",
        ".5",
        "5.",
        "+2.5",
        "1e3",
        "1E-3",
        "1e+22",
        "123456789012345678",
        "0.30000000000000004",
        "9007199254740993",
        "1.7976931348623157e308",
        "5e-324",
        "2.2250738585072014e-308",
        "2.2250738585072011e-308",
        "1e-400",
        "0e999999999999",
        "8.5e-23",
        "1e23",
        "3.14159265358979323846264338327950288419716939937510582097494459",
        "00000000000000000000000000000000000001.5",
        "0.000000000000000000000000000000000000125",
        "179769313486231570000000000000000000000e270",
        "-123.456e-7"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double value = 42.0;
        double expected = strtod(texts[i], NULL);
        assert_true(num_parse_double(texts[i], strlen(texts[i]), &value));
        assert_memory_equal(&value, &expected, sizeof value);
    }
}

static void what_is_no_finite_decimal_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",       ".",     "-",   "e5",  "1e",   "1e+",      "1e-",
                                      "1e5.0",  "nan",   "NaN", "inf", "-inf", "infinity", "1e999",
                                      "-1e309", "0x1p3", "1,5", " 1",  "1 ",   "1..2",     "1.2.3",
                                      "1_000",  "1e 5",  "--1", "1f",  "1d"};
    static char endless[2000];
    double value = 42.0;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(num_parse_double(bad[i], strlen(bad[i]), &value));
        assert_true(value == 42.0);
    }
    memset(endless, '1', sizeof endless);
    assert_false(num_parse_double(endless, sizeof endless, &value));
    assert_true(value == 42.0);
}

/* Every double that is written is read back as the same bits, whatever the process's locale says
 * about decimal points (when the machine has a locale with commas). */
static void doubles_survive_the_way_to_text_and_back(void **state)
{
    (void)state;
    static const char *const comma[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8", "C.UTF-8"};
    for (size_t i = 0; i < sizeof comma / sizeof *comma; i++) {
        if (setlocale(LC_ALL, comma[i]) != NULL) {
            break;
        }
    }
    uint64_t bits = UINT64_C(0x123456789abcdef);
    for (size_t i = 0; i < 20000; i++) {
        double value = 0.0;
        double back = 0.0;
        char text[NUM_TEXT_MAX];
        bits = bits * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        memcpy(&value, &bits, sizeof value);
        if (i < 2000) {
            value = (double)(int)(bits >> 40) / 1000.0;
        }
        if (!isfinite(value)) {
            continue;
        }
        size_t length = num_format_double(value, text);
        assert_int_equal(length, strlen(text));
        assert_null(strchr(text, ','));
        assert_true(num_parse_double(text, length, &back));
        assert_memory_equal(&value, &back, sizeof value);
    }
    (void)setlocale(LC_ALL, "C");
}

static void the_shortest_text_is_chosen(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0.1, "0.1"},         {1.0, "1"},
                 {-0.0, "-0"},         {5e-324, "5e-324"},
                 {1e22, "1e+22"},      {0.1 + 0.2, "0.30000000000000004"},
                 {123456.0, "123456"}, {NAN, "nan"},
                 {-INFINITY, "-inf"},  {DBL_MAX, "1.7976931348623157e+308"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NUM_TEXT_MAX];
        assert_int_equal(num_format_double(cases[i].value, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void durations_and_sizes_need_their_units(void **state)
{
    (void)state;
    static const char *const bad_durations[] = {"",    "30",     "d",    "30 d",  "-1d",   "30x",
                                                "30D", "1e999d", "nand", "1h30m", "1e308w"};
    static const char *const bad_sizes[] = {"",
                                            "K",
                                            "1.5",
                                            "-1",
                                            "-1K",
                                            "1KB",
                                            "1k",
                                            "nanG",
                                            "1e30T",
                                            "8388608T",
                                            "9223372036854775808"};
    double seconds = 42.0;
    int64_t bytes = 42;
    for (size_t i = 0; i < sizeof bad_durations / sizeof *bad_durations; i++) {
        assert_false(num_parse_duration(bad_durations[i], strlen(bad_durations[i]), &seconds));
        assert_true(seconds == 42.0);
    }
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        assert_false(num_parse_bytes(bad_sizes[i], strlen(bad_sizes[i]), &bytes));
        assert_int_equal(bytes, 42);
    }
    assert_true(num_parse_duration("1.5h", 4, &seconds) && seconds == 5400.0);
    assert_true(num_parse_duration("30d", 3, &seconds) && seconds == 2592000.0);
    assert_true(num_parse_duration("2w", 2, &seconds) && seconds == 1209600.0);
    assert_true(num_parse_duration("0s", 2, &seconds) && seconds == 0.0);
    assert_true(num_parse_bytes("16G", 3, &bytes) && bytes == INT64_C(16) << 30);
    assert_true(num_parse_bytes("1.5K", 4, &bytes) && bytes == 1536);
    assert_true(num_parse_bytes("0", 1, &bytes) && bytes == 0);
    assert_true(num_parse_bytes("8388607T", 8, &bytes) && bytes == INT64_C(8388607) << 40);
}

static void dates_become_unix_seconds(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {{"1970-01-01", 0},
                 {"1969-12-31T23:59:59Z", -1},
                 {"2000-02-29", 951782400},
                 {"2024-02-29T12:00", 1709208000},
                 {"0000-01-01", INT64_C(-62167219200)},
                 {"0001-01-01", INT64_C(-62135596800)},
                 {"1900-03-01", INT64_C(-2203891200)},
                 {"9999-12-31 23:59:59", INT64_C(253402300799)},
                 {"2016-12-31T23:59:60Z", 1483228800},
                 {"2017-01-01T05:29:60+05:30", 1483228800},
                 {"2026-11-23T04:00:00.999999Z", 1795406400},
                 {"2026-11-23T04:00:00+0100", 1795402800},
                 {"2026-11-23 04:00:00-05:30", 1795426200},
                 {"2026-11-23 04:00:00+00", 1795406400}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t seconds = 42;
        assert_true(num_parse_iso8601(cases[i].text, strlen(cases[i].text), &seconds));
        assert_int_equal(seconds, cases[i].seconds);
    }
}

static void dates_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "2023-02-29",
                                      "1900-02-29",
                                      "2024-13-01",
                                      "2024-00-01",
                                      "2024-01-00",
                                      "2024-04-31",
                                      "2024-1-1",
                                      "24-01-01",
                                      "2024-01-01T",
                                      "2024-01-01T24:00:00",
                                      "2024-01-01T12",
                                      "2024-01-01T12:60",
                                      "2024-01-01T12:00:61",
                                      "2024-01-01T12:00:60",
                                      "2024-01-01T12:00:00.",
                                      "2024-01-01T12:00:00+",
                                      "2024-01-01T12:00:00+24:00",
                                      "2024-01-01T12:00:00+01:60",
                                      "2024-01-01T12:00:00+1",
                                      "2024-01-01Z",
                                      "2024-01-01 12:00:00 UTC",
                                      "-2024-01-01",
                                      "2024-01-01T12:00:00Zx",
                                      " 2024-01-01",
                                      "2024-01-01 ",
                                      "20240101",
                                      "2024/01/01",
                                      "1704067200",
                                      "2024-01-01T12:00:00+01:"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t seconds = 42;
        assert_false(num_parse_iso8601(bad[i], strlen(bad[i]), &seconds));
        assert_int_equal(seconds, 42);
    }
}

static void amounts_for_people_are_rounded(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *bytes, *duration;
    } cases[] = {{0, "0 bytes", "0 ms"},           {1023, "1023 bytes", "17 min 03 s"},
                 {1536, "1.5 KiB", "25 min 36 s"}, {12288, "12 KiB", "3 h 24 min"},
                 {1048575, "1 MiB", "12 d 03 h"},  {59.96, "60 bytes", "1 min 00 s"},
                 {3.2, "3 bytes", "3.2 s"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NUM_TEXT_MAX];
        assert_int_equal(num_format_bytes(cases[i].value, text), strlen(cases[i].bytes));
        assert_string_equal(text, cases[i].bytes);
        assert_int_equal(num_format_duration(cases[i].value, text), strlen(cases[i].duration));
        assert_string_equal(text, cases[i].duration);
    }
}

static void counts_have_separators(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *text;
    } cases[] = {
        {0, "0"},          {999, "999"},           {1956, "1,956"},
        {-1000, "-1,000"}, {1234567, "1,234,567"}, {INT64_MIN, "-9,223,372,036,854,775,808"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[NUM_TEXT_MAX];
        assert_int_equal(num_format_count(cases[i].value, text), strlen(cases[i].text));
        assert_string_equal(text, cases[i].text);
    }
}

static void products_that_overflow_are_noticed(void **state)
{
    (void)state;
    size_t product = 42;
    assert_false(num_multiply(SIZE_MAX, 2, &product));
    assert_false(num_multiply((size_t)1 << 32, (size_t)1 << 32, &product));
    assert_int_equal(product, 42);
    assert_true(num_multiply(SIZE_MAX, 1, &product) && product == SIZE_MAX);
    assert_true(num_multiply(SIZE_MAX, 0, &product) && product == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_read_to_their_limits),
        cmocka_unit_test(what_is_no_whole_number_is_refused),
        cmocka_unit_test(decimals_are_read_as_strtod_reads_them),
        cmocka_unit_test(what_is_no_finite_decimal_is_refused),
        cmocka_unit_test(doubles_survive_the_way_to_text_and_back),
        cmocka_unit_test(the_shortest_text_is_chosen),
        cmocka_unit_test(durations_and_sizes_need_their_units),
        cmocka_unit_test(dates_become_unix_seconds),
        cmocka_unit_test(dates_that_do_not_exist_are_refused),
        cmocka_unit_test(amounts_for_people_are_rounded),
        cmocka_unit_test(counts_have_separators),
        cmocka_unit_test(products_that_overflow_are_noticed),
    };
    return cmocka_run_group_tests_name("num", tests, NULL, NULL);
}
