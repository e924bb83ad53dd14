/* model/split: what sizes are understood, and the parts of a log. Time and leave-last splits are
 * compared with naive ones in test_extract; here are random splits and the edges. */
#include "events/split.h"

#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N_USERS = 400, N_ITEMS = 50 };

static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

static void add(struct event_log *log, int64_t user, int64_t item, int64_t time)
{
    struct status status = {0};
    int32_t u = 0, i = 0;
    assert_ok(vocabulary_add_integer(&log->users, user, &u, &status), &status);
    assert_ok(vocabulary_add_integer(&log->items, item, &i, &status), &status);
    assert_ok(event_log_add(log, u, i, 1, time, PART_TRAIN, &status), &status);
}

static void sort(struct event_log *log)
{
    struct status status = {0};
    assert_ok(event_log_sort(log, DUPLICATES_SUM, &status), &status);
}

/* Each user has between one and N_ITEMS items, every third of them twice. */
static void fill(struct event_log *log, int64_t first_user)
{
    for (int64_t user = first_user; user < N_USERS; user++) {
        for (int64_t item = 0; item <= user % N_ITEMS; item++) {
            add(log, user, item, 0);
            if (item % 3 == 0) {
                add(log, user, item, 0);
            }
        }
    }
    sort(log);
}

static const struct split_settings random_split = {
    .by = SPLIT_RANDOM, .valid = {SPLIT_FRACTION, 0.2}, .test = {SPLIT_FRACTION, 0.1}, .seed = 42};

static void random_parts_have_their_expected_sizes_and_keep_pairs_together(void **state)
{
    (void)state;
    struct event_log log = {0};
    struct status status = {0};
    double n[PART_LOG + 1] = {0}, n_pairs = 0;
    fill(&log, 0);
    assert_ok(split_assign(&random_split, &log, &status), &status);
    for (size_t e = 0, end; e < log.n; e = end) {
        end = event_log_pair_end(&log, e);
        for (size_t i = e; i < end; i++) {
            assert_int_equal(log.parts[i], log.parts[e]);
        }
        n[log.parts[e]]++;
        n_pairs++;
    }
    /* 10,200 pairs, so a standard deviation of .004 */
    assert_true(fabs(n[PART_VALID] / n_pairs - 0.2) < 0.015);
    assert_true(fabs(n[PART_TEST] / n_pairs - 0.1) < 0.015);
    for (size_t user = 0; user < log.users.n; user++) {
        bool has_train = false;
        for (int64_t e = log.user_start[user]; e < log.user_start[user + 1]; e++) {
            has_train = has_train || log.parts[e] == PART_TRAIN;
        }
        assert_true(has_train);
    }
    event_log_release(&log);
}

/* The parts of user 399's events, one character each. */
static void parts_of_last_user(int64_t first_user, uint64_t seed, char out[128])
{
    struct event_log log = {0};
    struct status status = {0};
    struct split_settings settings = random_split;
    settings.seed = seed;
    fill(&log, first_user);
    assert_ok(split_assign(&settings, &log, &status), &status);
    size_t n = 0;
    for (int64_t e = log.user_start[log.users.n - 1]; e < log.user_start[log.users.n]; e++) {
        out[n++] = (char)('0' + log.parts[e]);
    }
    out[n] = '\0';
    event_log_release(&log);
}

static void a_users_random_part_depends_on_the_seed_and_on_no_other_user(void **state)
{
    (void)state;
    char with_others[128], alone[128], other_seed[128];
    parts_of_last_user(0, 42, with_others);
    parts_of_last_user(N_USERS - 1, 42, alone);
    parts_of_last_user(0, 43, other_seed);
    assert_string_equal(with_others, alone);
    assert_string_not_equal(with_others, other_seed);
}

static void leave_last_takes_the_order_of_rows_where_there_are_no_times(void **state)
{
    (void)state;
    struct event_log log = {0};
    struct status status = {0};
    struct split_settings settings = {
        .by = SPLIT_LEAVE_LAST, .valid = {SPLIT_COUNT, 1}, .test = {SPLIT_COUNT, 1}, .seed = 0};
    static const int64_t items[] = {5, 9, 2, 7, 5}; /* 5 comes again, so 2 and 7 precede it */
    for (int64_t i = 0; i < 5; i++) {
        add(&log, 1, items[i], i);
    }
    add(&log, 2, 1, 5); /* two items are too few to leave one in train */
    add(&log, 2, 2, 6);
    sort(&log);
    assert_ok(split_assign(&settings, &log, &status), &status);
    for (size_t e = 0; e < log.n; e++) {
        int64_t user = log.users.integers[log.user_codes[e]];
        int64_t item = log.items.integers[log.item_codes[e]];
        int expected = user == 2   ? PART_TRAIN
                       : item == 5 ? PART_TEST
                       : item == 7 ? PART_VALID
                                   : PART_TRAIN;
        assert_int_equal(log.parts[e], expected);
    }
    event_log_release(&log);
}

static void a_time_split_counts_back_from_the_newest_event(void **state)
{
    (void)state;
    struct event_log log = {.has_times = true};
    struct status status = {0};
    struct split_settings settings = {
        .by = SPLIT_TIME, .valid = {SPLIT_SECONDS, 10}, .test = {SPLIT_SECONDS, 5}, .seed = 0};
    const int64_t newest = 1700000000;
    for (int64_t age = 0; age < 20; age++) {
        add(&log, 1, age, newest - age);
    }
    sort(&log);
    assert_ok(split_assign(&settings, &log, &status), &status);
    for (size_t e = 0; e < log.n; e++) {
        int64_t age = newest - log.times[e];
        int expected = age < 5 ? PART_TEST : age < 15 ? PART_VALID : PART_TRAIN;
        assert_int_equal(log.parts[e], expected);
    }
    event_log_release(&log);
}

/* Of the newest ten of a hundred events `n_known` are of items that their user had before. */
static bool repeats(const struct split_settings *settings, const struct event_log *log,
                    double *share)
{
    struct status status = {0};
    bool do_repeat = false;
    assert_ok(split_repeats(settings, log, &do_repeat, share, &status), &status);
    return do_repeat;
}

static void repeats_count_where_a_quarter_of_the_newest_events_are_some(void **state)
{
    (void)state;
    const struct split_settings time = {.by = SPLIT_TIME, .repeats = CHOICE_AUTO};
    for (int64_t n_known = 0; n_known <= 4; n_known++) {
        struct event_log log = {.has_times = true};
        double share = -1;
        for (int64_t e = 0; e < 90; e++) {
            add(&log, 1 + e % 3, e / 3, 1700000000 + e);
        }
        for (int64_t e = 0; e < 10; e++) { /* within the newest tenth nothing is had before it */
            add(&log, 4, e < n_known ? 1 : 100 + e % 2, 1700000090 + e);
        }
        add(&log, 4, 1, 1700000000);
        sort(&log);
        assert_true(repeats(&time, &log, &share) == (n_known >= 3));
        assert_true(fabs(share - (double)n_known / 10) < 1e-12);
        struct split_settings other = time;
        other.by = SPLIT_LEAVE_LAST; /* nothing of a held-out pair is left to come back to */
        assert_false(repeats(&other, &log, &share));
        other.repeats = CHOICE_TRUE;
        assert_true(repeats(&other, &log, &share));
        log.has_times = false;
        assert_false(repeats(&time, &log, &share));
        assert_true(share == 0);
        event_log_release(&log);
    }
}

static void events_of_one_second_are_never_parted_by_a_fraction(void **state)
{
    (void)state;
    struct event_log log = {.has_times = true};
    struct status status = {0};
    struct split_settings settings = {
        .by = SPLIT_TIME, .valid = {0}, .test = {SPLIT_FRACTION, 0.3}, .seed = 0};
    for (int64_t i = 0; i < 10; i++) {
        add(&log, 1, i, 1700000000 + (i >= 6 ? 1 : 0)); /* the newest four are one second */
    }
    sort(&log);
    assert_ok(split_assign(&settings, &log, &status), &status);
    for (size_t e = 0; e < log.n; e++) {
        assert_int_equal(log.parts[e], PART_TRAIN);
    }
    settings.test.value = 0.4;
    assert_ok(split_assign(&settings, &log, &status), &status);
    for (size_t e = 0; e < log.n; e++) {
        assert_int_equal(log.parts[e], log.times[e] > 1700000000 ? PART_TEST : PART_TRAIN);
    }
    event_log_release(&log);
}

static void a_split_longer_than_the_log_is_refused_with_its_dates(void **state)
{
    (void)state;
    struct event_log log = {.has_times = true};
    struct status status = {0};
    struct split_settings settings = {
        .by = SPLIT_TIME, .valid = {0}, .test = {SPLIT_SECONDS, 86400}, .seed = 0};
    add(&log, 1, 1, 1700000000);
    add(&log, 1, 2, 1700003600);
    sort(&log);
    assert_int_equal(split_assign(&settings, &log, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "no event is left for training"));
    assert_non_null(strstr(status.message, "2023-11-14T23:13:20Z"));
    assert_non_null(strstr(status.message, "2023-11-13T23:13:20Z"));
    event_log_release(&log);
}

static void a_time_split_without_times_is_a_mistake_of_the_configuration(void **state)
{
    (void)state;
    struct event_log log = {0};
    struct status status = {0};
    struct split_settings settings = {
        .by = SPLIT_TIME, .valid = {0}, .test = {SPLIT_SECONDS, 1}, .seed = 0};
    add(&log, 1, 1, 0);
    sort(&log);
    assert_int_equal(split_assign(&settings, &log, &status), STATUS_CONFIG);
    assert_non_null(strstr(status.message, "split.by: time needs a column of times"));
    assert_int_equal(log.parts[0], PART_TRAIN);
    event_log_release(&log);
}

static void events_of_a_given_part_stay_where_they_are(void **state)
{
    (void)state;
    struct event_log log = {0};
    struct status status = {0};
    fill(&log, 0);
    for (size_t e = 0; e < log.n; e += 2) {
        log.parts[e] = PART_VALID;
    }
    struct split_settings settings = {
        .by = SPLIT_RANDOM, .valid = {0}, .test = {SPLIT_FRACTION, 0.5}, .seed = 1};
    assert_ok(split_assign(&settings, &log, &status), &status);
    size_t n_test = 0;
    for (size_t e = 0; e < log.n; e++) {
        assert_true((log.parts[e] == PART_VALID) == (e % 2 == 0));
        n_test += log.parts[e] == PART_TEST;
    }
    assert_true(n_test > 0);
    event_log_release(&log);
}

struct amount_case {
    enum split_by by;
    const char *text;
    int kind;
    double value;
};

static void sizes_are_read_as_the_kind_of_split_asks(void **state)
{
    (void)state;
    static const struct amount_case cases[] = {
        {SPLIT_TIME, "7d", SPLIT_SECONDS, 604800}, {SPLIT_TIME, "0.25", SPLIT_FRACTION, 0.25},
        {SPLIT_TIME, "0", SPLIT_NOTHING, 0},       {SPLIT_LEAVE_LAST, "3", SPLIT_COUNT, 3},
        {SPLIT_LEAVE_LAST, "0", SPLIT_NOTHING, 0}, {SPLIT_RANDOM, "0.1", SPLIT_FRACTION, 0.1},
        {SPLIT_AUTO, "0.5", SPLIT_FRACTION, 0.5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct split_amount amount;
        char why[512];
        assert_true(split_amount_parse(cases[i].by, cases[i].text, &amount, why, sizeof why));
        assert_int_equal(amount.kind, cases[i].kind);
        assert_true(amount.value == cases[i].value);
    }
}

static void other_sizes_are_refused_with_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        enum split_by by;
        const char *text, *why;
    } cases[] = {
        {SPLIT_TIME, "7", "neither a duration of at least a second (7d, 12h) nor a fraction"},
        {SPLIT_TIME, "-7d", "'-7d' is neither"},
        {SPLIT_TIME, "1", "'1' is neither"},
        {SPLIT_LEAVE_LAST, "0.5", "'0.5' is no number of pairs"},
        {SPLIT_LEAVE_LAST, "-1", "whole number from 0"},
        {SPLIT_RANDOM, "7d", "by: random takes a number from 0 to below 1"},
        {SPLIT_RANDOM, "nan", "'nan' is no fraction"},
        {SPLIT_AUTO, "7d", "by: auto takes a number"},
        {SPLIT_NONE, "0.1", "by: none cuts nothing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct split_amount amount = {SPLIT_COUNT, 77};
        char why[512] = "";
        assert_false(split_amount_parse(cases[i].by, cases[i].text, &amount, why, sizeof why));
        assert_non_null(strstr(why, cases[i].why));
        assert_true(amount.kind == SPLIT_COUNT && amount.value == 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_parts_have_their_expected_sizes_and_keep_pairs_together),
        cmocka_unit_test(a_users_random_part_depends_on_the_seed_and_on_no_other_user),
        cmocka_unit_test(leave_last_takes_the_order_of_rows_where_there_are_no_times),
        cmocka_unit_test(a_time_split_counts_back_from_the_newest_event),
        cmocka_unit_test(repeats_count_where_a_quarter_of_the_newest_events_are_some),
        cmocka_unit_test(events_of_one_second_are_never_parted_by_a_fraction),
        cmocka_unit_test(a_split_longer_than_the_log_is_refused_with_its_dates),
        cmocka_unit_test(a_time_split_without_times_is_a_mistake_of_the_configuration),
        cmocka_unit_test(events_of_a_given_part_stay_where_they_are),
        cmocka_unit_test(sizes_are_read_as_the_kind_of_split_asks),
        cmocka_unit_test(other_sizes_are_refused_with_what_is_allowed),
    };
    return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
