/* Words of texts, parts of lists, JSON arrays of texts. */
#include "io/json_tree.h"
#include "features/feature_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Joins the words with "|" and compares. */
static void expect_words(const char *text, size_t length, const char *expected)
{
    struct buf word = {0}, all = {0};
    size_t at = 0;
    while (feature_word_next(text, length, &at, &word)) {
        buf_add_text(&all, all.length > 0 ? "|" : "");
        buf_add(&all, word.data, word.length);
    }
    assert_string_equal(buf_text(&all), expected);
    buf_release(&word);
    buf_release(&all);
}

static void words(const char *text, const char *expected)
{
    expect_words(text, strlen(text), expected);
}

static void words_are_runs_of_letters_and_digits_in_small_letters(void **state)
{
    (void)state;
    words("Red SHOE, size 42!", "red|shoe|size|42");
    words("  ", "");
    words("", "");
    words("--x--", "x");
    words("don't", "don|t");
    expect_words("a\0b", 3, "a|b");
}

static void capitals_beyond_ascii_become_small(void **state)
{
    (void)state;
    words("ÉTÉ Ärger ŁÓDŹ", "été|ärger|łódź");
    words("ΣΟΦΙΑ", "σοφια");
    words("ЁЛКА Москва", "ёлка|москва");
    words("×÷", "");
    words("ß ÿ ẞ", "ß|ÿ|ẞ");
}

static void punctuation_beyond_ascii_separates(void **state)
{
    (void)state;
    words("Rock\u2013Pop", "rock|pop");
    words("\u00abmot\u00bb\u00a0juste", "mot|juste");
    words("\u3010\u65b0\u54c1\u3011\u8336", "\u65b0\u54c1|\u8336");
    words("\U0001f600", "\U0001f600");
}

static void bytes_that_are_not_utf8_count_as_letters(void **state)
{
    (void)state;
    words("A\xff\xc3 B", "a\xff\xc3|b");
    words("\xe2\x80", "\xe2\x80");
}

static void expect_parts(const char *text, const char *separator, const char *expected)
{
    struct buf all = {0};
    const char *part;
    size_t at = 0, length;
    while (feature_part_next(text, strlen(text), separator, &at, &part, &length)) {
        buf_add_text(&all, all.length > 0 ? "/" : "");
        buf_add(&all, part, length);
    }
    assert_string_equal(buf_text(&all), expected);
    buf_release(&all);
}

static void parts_lie_between_separators_without_blanks(void **state)
{
    (void)state;
    expect_parts("a, b c ,,d,", ",", "a/b c/d");
    expect_parts("a||b|c", "||", "a/b|c");
    expect_parts(" \t\n", ",", "");
    expect_parts("", ",", "");
    expect_parts("abc", "abcd", "abc");
}

/* The elements joined with "/", or "none" for what is no such array. */
static void expect_json(const char *text, const char *expected)
{
    struct status status = {0};
    struct strings out = {0};
    struct buf all = {0};
    bool is_such = false;
    assert_int_equal(json_read_texts(text, strlen(text), &out, &is_such, &status), STATUS_OK);
    for (size_t i = 0; i < out.n; i++) {
        size_t length;
        const char *element = strings_get(&out, i, &length);
        buf_add_text(&all, i > 0 ? "/" : "");
        buf_add(&all, element, length);
    }
    assert_string_equal(is_such ? buf_text(&all) : "none", expected);
    assert_true(is_such || out.n == 0);
    buf_release(&all);
    strings_release(&out);
}

static void a_json_array_of_texts_is_read_and_nothing_else(void **state)
{
    (void)state;
    expect_json("[\"a b\", 7, 1.5, true, null, \"\\u00e9\"]", "a b/7/1.5/true/é");
    expect_json("[] \n", "");
    expect_json("[1", "none");
    expect_json("[1] x", "none");
    expect_json("[[1]]", "none");
    expect_json("[\"a\", {}]", "none");
    expect_json("{\"a\": 1}", "none");
    expect_json("\"a\"", "none");
    expect_json("", "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_runs_of_letters_and_digits_in_small_letters),
        cmocka_unit_test(capitals_beyond_ascii_become_small),
        cmocka_unit_test(punctuation_beyond_ascii_separates),
        cmocka_unit_test(bytes_that_are_not_utf8_count_as_letters),
        cmocka_unit_test(parts_lie_between_separators_without_blanks),
        cmocka_unit_test(a_json_array_of_texts_is_read_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
