/* discovery: names in words, times in units, texts in YAML, the parts that a log is judged on. */
#include "base/clock.h"
#include "config/variables.h"
#include "config/yaml_doc.h"
#include "discovery/proposal.h"
#include "discovery/yaml_text.h"
#include "tests/support/store_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void names_are_split_into_words(void **state)
{
    static const struct {
        const char *name, *words; /* words by blanks */
        const char *noun;         /* "" none */
        bool is_id;
    } cases[] = {{"user_id", "user id", "user", true},
                 {"userId", "user id", "user", true},
                 {"userID", "user id", "user", true},
                 {"USER_ID", "user id", "user", true},
                 {"HTMLPage", "html page", "page", false},
                 {"movieid", "movie id", "movie", true},
                 {"paid", "paid", "paid", false},
                 {"id", "id", "", true},
                 {"order-items 2", "order items 2", "2", false},
                 {"_created__at", "created at", "at", false},
                 {"B\xc3\xbc"
                  "cherNr",
                  "b\xc3\xbc"
                  "cher nr",
                  "b\xc3\xbc"
                  "cher",
                  true},
                 {"", "", "", false},
                 {"__", "", "", false}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct words words;
        struct buf joined = {0};
        words_split(cases[c].name, &words);
        for (size_t w = 0; w < words.n; w++) {
            buf_addf(&joined, "%s%s", w > 0 ? " " : "", words.text[w]);
        }
        assert_string_equal(buf_text(&joined), cases[c].words);
        assert_string_equal(words_noun(&words), cases[c].noun);
        assert_int_equal(words.is_id, cases[c].is_id);
        buf_release(&joined);
    }
}

/* A name longer than any is cut, in its words as in their number. */
static void long_names_stay_within_their_words(void **state)
{
    char name[4 * WORD_MAX * WORDS_MAX];
    struct words words;
    (void)state;
    memset(name, 'a', sizeof name);
    name[sizeof name - 1] = '\0';
    words_split(name, &words);
    assert_true(words.n == 1 && strlen(words.text[0]) == WORD_MAX - 1);
    for (size_t i = 1; i + 1 < sizeof name; i += 2) {
        name[i] = '_';
    }
    words_split(name, &words);
    assert_int_equal(words.n, WORDS_MAX);
}

static void what_can_be_had_is_never_read_the_other_way_round(void **state)
{
    static const struct {
        const char *name;
        int sign;
    } cases[] = {{"in_stock", 1},
                 {"InStock", 1},
                 {"UnitsInStock", 1},
                 {"stock_count", 1},
                 {"stock_level", 1},
                 {"is_available", 1},
                 {"available_quantity", 1},
                 {"quantity", 1},
                 {"active", 1},
                 {"is_active", 1},
                 {"enabled", 1},
                 {"not_discontinued", 1},
                 {"is_out_of_stock", -1},
                 {"OutOfStock", -1},
                 {"not_available", -1},
                 {"no_longer_available", -1},
                 {"sold_out", -1},
                 {"soldOut", -1},
                 {"unavailable", -1},
                 {"inactive", -1},
                 {"archived", -1},
                 {"out_of_stock_count", 0},
                 {"stock_out", 0},
                 {"not_out_of_stock_not", 0},
                 {"stock_alert_level", 0},
                 {"reserved_stock", 0},
                 {"stock_price", 0},
                 {"last_active", 0},
                 {"active_ingredients", 0},
                 {"in_active", 0},
                 {"stock_id", 0},
                 {"count", 0},
                 {"minimum_quantity", 0},
                 {"active_hidden", 0},
                 {"", 0}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct words words;
        words_split(cases[c].name, &words);
        const int says = words_availability(&words);
        if ((says > 0) - (says < 0) != cases[c].sign) {
            fail_msg("%s: %d", cases[c].name, says);
        }
    }
}

static void numbers_tell_the_unit_of_a_time(void **state)
{
    static const struct {
        double number;
        enum log_time unit;
    } cases[] = {{1700000000, LOG_TIME_SECONDS},
                 {1700000000.5, LOG_TIME_SECONDS},
                 {315532800, LOG_TIME_SECONDS},
                 {315532799, LOG_TIME_UNKNOWN},
                 {7258118399, LOG_TIME_SECONDS},
                 {1700000000000, LOG_TIME_MILLISECONDS},
                 {1700000000e6, LOG_TIME_MICROSECONDS},
                 {1700000000e9, LOG_TIME_NANOSECONDS},
                 {2460000.5, LOG_TIME_JULIAN},
                 {20261130, LOG_TIME_DAY},
                 {20261330, LOG_TIME_UNKNOWN},
                 {20261100, LOG_TIME_UNKNOWN},
                 {0, LOG_TIME_UNKNOWN},
                 {-1700000000, LOG_TIME_UNKNOWN},
                 {INFINITY, LOG_TIME_UNKNOWN},
                 {(double)NAN, LOG_TIME_UNKNOWN}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        assert_int_equal(log_time_of(cases[c].number), cases[c].unit);
    }
}

/* ---- YAML ---- */

static const char *const odd_texts[] = {"plain/path-1.db",
                                        "",
                                        " lead",
                                        "trail ",
                                        "a\nb",
                                        "\n",
                                        "\n\nlead",
                                        "a\rb",
                                        "\ttab",
                                        "\x01\x7f",
                                        "a: b",
                                        "a #b",
                                        "- x",
                                        "? x",
                                        "!t",
                                        "&a",
                                        "*a",
                                        "%d",
                                        "@a",
                                        "`a",
                                        "'",
                                        "\"",
                                        "\\n",
                                        "true",
                                        "No",
                                        "null",
                                        "~",
                                        "12",
                                        "1e5",
                                        "0x1f",
                                        ".5",
                                        "2026-11-30",
                                        "{a}",
                                        "[a]",
                                        "---",
                                        "a\n---\n...\nb",
                                        "$HOME",
                                        "${HOME}",
                                        "$${x}",
                                        "$$$",
                                        "a$",
                                        "${",
                                        "\xc3\xbc",
                                        "\xc2\x85",
                                        "\xe2\x80\xa8",
                                        "\xef\xbb\xbf",
                                        "\xef\xbf\xbf",
                                        "\xf0\x9f\x98\x80",
                                        "SELECT 1\nFROM \"a\n   \n b\"\n"};

/* "a: VALUE", read back, with its variables; the key of {KEY: 1}, which knows none. */
static void assert_read_back(const struct buf *yaml, const char *text, bool is_key)
{
    struct arena arena = {0};
    struct mistakes mistakes = {0};
    struct doc_node *root = NULL;
    struct status status = {0};
    struct buf seen = {0};
    bool used = false;
    char why[256] = "";
    assert_false(yaml->failed);
    assert_int_equal(
        yaml_doc_parse(buf_text(yaml), yaml->length, NULL, &arena, &mistakes, &root, &status),
        STATUS_OK);
    if (mistakes.n > 0) {
        fail_msg("%s: %s", buf_text(yaml), mistakes.items[0].text);
    }
    assert_int_equal(root->n, 1);
    if (is_key) {
        assert_string_equal(root->first->key, text);
    } else {
        assert_true(variables_expand(root->first->text, root->first->length,
                                     (struct plan_rank){.n = 1}, &seen, &used, why, sizeof why));
        assert_false(used);
        assert_string_equal(buf_text(&seen), text);
    }
    buf_release(&seen);
    arena_release(&arena);
    mistakes_release(&mistakes);
}

static void every_text_is_read_back(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof odd_texts / sizeof *odd_texts; t++) {
        const char *text = odd_texts[t];
        struct buf yaml = {0}, lines = {0};
        assert_true(yaml_can_hold(text));
        yaml_add_comment(&yaml, "", text);
        buf_add_text(&yaml, "a: ");
        yaml_add_value(&yaml, text);
        assert_read_back(&yaml, text, false);
        buf_clear(&yaml);
        buf_add_char(&yaml, '{');
        yaml_add_key(&yaml, text);
        buf_add_text(&yaml, ": 1}");
        assert_read_back(&yaml, text, true);
        buf_clear(&yaml);
        buf_addf(&lines, "a%s\n", text); /* ends as a query does */
        buf_add_text(&yaml, "a: ");
        yaml_add_lines(&yaml, "   ", buf_text(&lines));
        const size_t n = lines.length;
        while (lines.length > 1 && lines.data[lines.length - 2] == '\n') {
            lines.data[--lines.length] = '\0'; /* | keeps one line end */
        }
        assert_true(n - lines.length <= 2);
        assert_read_back(&yaml, buf_text(&lines), false);
        buf_release(&yaml);
        buf_release(&lines);
    }
    assert_false(yaml_can_hold("\xff"));
    assert_false(yaml_can_hold("a\xc3"));
}

/* ---- the parts of a log ---- */

static enum status_code choose(void *data, const char *question, const char *const *choices,
                               size_t n, size_t *answer, bool *asked, struct status *status)
{
    (void)data, (void)question, (void)choices, (void)n, (void)answer, (void)status;
    *asked = false;
    return STATUS_OK;
}

/* Days of the two newest parts that a log has whose i-th of n events is i^power / n^power of the
 * way through so many days. */
static int window_of(struct db *db, int n, double days, double power)
{
    const struct proposal_request request = {
        .db = db, .database = "shop.db", .name = "shop", .now = 1800000000, .choose = choose};
    struct proposal proposal = {0};
    struct status status = {0};
    char sql[512];
    snprintf(sql, sizeof sql,
             "DELETE FROM clicks; WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i"
             " WHERE n < %d) INSERT INTO clicks SELECT n %% 37, n %% 53, 1700000000 +"
             " CAST(%.17g * pow(n * 1.0 / %d, %.17g) AS INTEGER) FROM i",
             n, days * CLOCK_DAY, n, power);
    store_exec(db, sql);
    assert_int_equal(proposal_make(&request, &proposal, &status), STATUS_OK);
    const int window = proposal.window;
    proposal_release(&proposal);
    return window;
}

/* The same, by counting. */
static int expected_window(int n, double days, double power)
{
    const double last = floor(days * CLOCK_DAY);
    for (size_t w = 0; w < N_LOG_WINDOWS; w++) {
        const double length = log_window_days[w] * (double)CLOCK_DAY;
        int within = 0, before = 0;
        for (int i = 1; i <= n; i++) {
            const double time = floor(days * CLOCK_DAY * pow(i * 1.0 / n, power));
            within += time > last - length;
            before += time > last - 2 * length && time <= last - length;
        }
        if (within >= 200 && before >= 200 && within + before <= 0.3 * n) {
            return log_window_days[w];
        }
    }
    return 0;
}

static void the_newest_parts_hold_enough_and_not_too_much(void **state)
{
    static const struct {
        int n;
        double days, power;
    } logs[] = {{5000, 100, 1}, {5000, 20, 1}, {400, 100, 1},   {3000, 400, 1},
                {9000, 9, 1},   {4000, 60, 3}, {4000, 300, .4}, {2000, 3000, 1}};
    char path[STORE_PATH_MAX];
    bool seen[2] = {false, false};
    store_path(state, "shop.db", path);
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, "CREATE TABLE clicks (user_id, item_id, created_at)");
    for (size_t l = 0; l < sizeof logs / sizeof *logs; l++) {
        const int expected = expected_window(logs[l].n, logs[l].days, logs[l].power);
        assert_int_equal(window_of(db, logs[l].n, logs[l].days, logs[l].power), expected);
        seen[expected > 0] = true;
    }
    assert_true(seen[0] && seen[1]);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_split_into_words),
        cmocka_unit_test(long_names_stay_within_their_words),
        cmocka_unit_test(what_can_be_had_is_never_read_the_other_way_round),
        cmocka_unit_test(numbers_tell_the_unit_of_a_time),
        cmocka_unit_test(every_text_is_read_back),
        cmocka_unit_test_setup_teardown(the_newest_parts_hold_enough_and_not_too_much,
                                        store_folder_setup, store_folder_teardown),
    };
    return cmocka_run_group_tests_name("discovery", tests, NULL, NULL);
}
