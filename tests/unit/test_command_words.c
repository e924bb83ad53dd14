/* Words of a command, against the lists that they should be. */
#include "base/command_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { WORDS_MAX = 4 };

static void a_command_is_cut_into_words(void **state)
{
    static const struct {
        const char *text, *words[WORDS_MAX + 1];
    } cases[] = {{"true", {"true"}},
                 {"  a\tb\n c ", {"a", "b", "c"}},
                 {"curl 'a b' \"c d\"e", {"curl", "a b", "c de"}},
                 {"a '' \"\"", {"a", "", ""}},
                 {"a\\ b \\'c", {"a b", "'c"}},
                 {"a 'b\\c' \"d\\\"e\"", {"a", "b\\c", "d\"e"}},
                 {"a $HOME * | > ;", {"a", "$HOME", "*", "|"}}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct status status = {0};
        char **words = NULL;
        const char *why = "unset";
        size_t n = 0, expected = 0;
        assert_int_equal(command_words(cases[i].text, &arena, &words, &n, &why, &status),
                         STATUS_OK);
        assert_null(why);
        for (; cases[i].words[expected] != NULL; expected++) {
            assert_string_equal(words[expected], cases[i].words[expected]);
        }
        assert_true(n == expected || expected == WORDS_MAX);
        assert_null(words[n]);
        arena_release(&arena);
    }
}

static void what_is_no_command_says_why(void **state)
{
    static const char *const cases[][2] = {{"", "it names no program"},
                                           {" \n", "it names no program"},
                                           {"'' a", "it names no program"},
                                           {"a 'b", "a quote is not closed"},
                                           {"a \"b\\\"", "a quote is not closed"},
                                           {"a\\", "it ends in a \\"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena = {0};
        struct status status = {0};
        char **words = NULL;
        const char *why = NULL;
        size_t n = 7;
        assert_int_equal(command_words(cases[i][0], &arena, &words, &n, &why, &status), STATUS_OK);
        assert_string_equal(why, cases[i][1]);
        assert_null(words);
        assert_int_equal(n, 0);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_command_is_cut_into_words),
                                       cmocka_unit_test(what_is_no_command_says_why)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
