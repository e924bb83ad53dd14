/* The progress bar: what it shows, how often, and that nothing is left of it. */
#include "io/progress.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct progress bar(struct log *log, double total)
{
    struct progress progress = {.log = log, .enabled = true};
    progress_start(&progress, "import", "rows", total);
    return progress;
}

/* All that was written to a temporary stream. */
static void contents(FILE *stream, char *out, size_t capacity)
{
    fflush(stream);
    rewind(stream);
    out[fread(out, 1, capacity - 1, stream)] = '\0';
}

static void a_line_shows_share_rate_and_time_left(void **state)
{
    char line[PROGRESS_LINE_MAX];
    (void)state;
    FILE *stream = tmpfile();
    struct log log = {.stream = stream};
    struct progress progress = bar(&log, 2e6);
    progress_format(&progress, 5e5, 10, "loss 3.21", line);
    assert_string_equal(line, "import [####------------]  25% 500.0k rows, 50.0k/s, 30.0 s left"
                              "  loss 3.21");
    progress_format(&progress, 2e6, 10, NULL, line);
    assert_string_equal(line, "import [################] 100% 2.00M rows, 200.0k/s");
    fclose(stream);
}

static void without_a_total_there_is_no_bar(void **state)
{
    char line[PROGRESS_LINE_MAX];
    (void)state;
    struct progress progress = bar(NULL, 0);
    progress_format(&progress, 1234, 2, NULL, line);
    assert_string_equal(line, "import 1234 rows, 617/s");
    progress_format(&progress, 0, 2, NULL, line);
    assert_string_equal(line, "import 0 rows");
}

static void no_rate_is_guessed_at_the_start(void **state)
{
    char line[PROGRESS_LINE_MAX];
    (void)state;
    struct progress progress = bar(NULL, 100);
    progress_format(&progress, 10, 0.01, NULL, line);
    assert_string_equal(line, "import [#---------------]  10% 10 rows");
}

static void a_line_never_wraps_or_drives_the_terminal(void **state)
{
    char line[PROGRESS_LINE_MAX], note[200];
    (void)state;
    struct progress progress = bar(NULL, 1e12);
    for (size_t i = 0; i < sizeof note; i++) {
        note[i] = "abcdef "[i % 7];
    }
    note[0] = '\033';
    note[1] = '\n';
    note[sizeof note - 1] = '\0';
    progress_format(&progress, 1e11, 100, note, line);
    assert_true(strlen(line) < PROGRESS_LINE_MAX && strlen(line) > PROGRESS_LINE_MAX - 8);
    assert_string_equal(line + strlen(line) - 4, "cdef"); /* no half words */
    assert_null(strpbrk(line, "\033\n\r"));
    assert_non_null(strstr(line, "??cdef"));
    progress_format(&progress, 2e12, 100, NULL, line); /* more done than there is */
    assert_non_null(strstr(line, "100%"));
    assert_null(strstr(line, "left"));
}

static void drawing_is_limited_and_wiped(void **state)
{
    char text[4096];
    (void)state;
    FILE *stream = tmpfile();
    assert_non_null(stream);
    struct log log = {.stream = stream};
    struct progress progress = bar(&log, 1000);
    for (int i = 0; i < 1000; i++) {
        progress_update(&progress, i, NULL);
    }
    assert_true(log.progress_on_line);
    progress_finish(&progress);
    assert_false(log.progress_on_line);
    contents(stream, text, sizeof text);
    size_t n_drawn = 0;
    for (const char *at = text; (at = strchr(at, '\r')) != NULL; at++) {
        n_drawn++;
    }
    assert_in_range(n_drawn, 2, 4); /* drawn, wiped; a slow machine may take 0.1 s */
    assert_string_equal(text + strlen(text) - 4, "\r\033[K");
    fclose(stream);
}

static void a_message_of_the_log_clears_the_bar_first(void **state)
{
    char text[4096];
    (void)state;
    FILE *stream = tmpfile();
    assert_non_null(stream);
    struct log log = {.stream = stream, .level = LOG_INFO};
    struct progress progress = bar(&log, 10);
    progress_update(&progress, 5, NULL);
    log_write(&log, LOG_INFO, "halfway");
    progress_finish(&progress); /* nothing stands on the line: nothing to wipe */
    contents(stream, text, sizeof text);
    assert_non_null(strstr(text, "\r\033[Khalfway\n"));
    assert_string_equal(text + strlen(text) - 8, "halfway\n");
    fclose(stream);
}

static void a_bar_that_is_not_enabled_writes_nothing(void **state)
{
    char text[16];
    (void)state;
    FILE *stream = tmpfile();
    assert_non_null(stream);
    struct log log = {.stream = stream};
    struct progress progress = {.log = &log};
    progress_start(&progress, "import", "rows", 10);
    progress_update(&progress, 5, "note");
    progress_finish(&progress);
    contents(stream, text, sizeof text);
    assert_string_equal(text, "");
    fclose(stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_shows_share_rate_and_time_left),
        cmocka_unit_test(without_a_total_there_is_no_bar),
        cmocka_unit_test(no_rate_is_guessed_at_the_start),
        cmocka_unit_test(a_line_never_wraps_or_drives_the_terminal),
        cmocka_unit_test(drawing_is_limited_and_wiped),
        cmocka_unit_test(a_message_of_the_log_clears_the_bar_first),
        cmocka_unit_test(a_bar_that_is_not_enabled_writes_nothing),
    };
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
