/* Users and items without a row: who is drawn (model/split_cold), that FIT is what it would be
 * without them, and the cold part against a naive one that looks at every user and item. */
#include "events/dataset_build.h"
#include "events/split.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N_USERS = 60, N_ITEMS = 40, N_TRIALS = 60 };

static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

struct event {
    int64_t user, item, time;
    float weight;
    uint8_t part;
};

struct events {
    bool has_times;
    size_t n;
    struct event list[2 * N_USERS * N_ITEMS];
};

/* Lower items are more popular, and users differ in how much they do; some events come twice. Each
 * event of a log without times has its own ordinal number. */
static void fill(struct events *events, struct rng *rng, bool has_times, double density)
{
    events->has_times = has_times;
    events->n = 0;
    for (int64_t u = 0; u < N_USERS; u++) {
        for (int64_t i = 0; i < N_ITEMS; i++) {
            double chance = density * (double)(u % 5 + 1) / 3 * (double)(N_ITEMS - i) / N_ITEMS;
            for (int again = 0; again < 2 && rng_double(rng) < chance; again++) {
                events->list[events->n] =
                    (struct event){100 + u, 500 + i,
                                   has_times ? 1600000000 + (int64_t)rng_below(rng, 300) * 3600
                                             : (int64_t)events->n,
                                   (float)(1 + rng_below(rng, 3)), PART_TRAIN};
                events->n++;
            }
        }
    }
}

static void make_log(const struct events *events, struct event_log *log)
{
    struct status status = {0};
    *log = (struct event_log){.has_times = events->has_times};
    for (size_t e = 0; e < events->n; e++) {
        const struct event *event = &events->list[e];
        int32_t user = 0, item = 0;
        assert_ok(vocabulary_add_integer(&log->users, event->user, &user, &status), &status);
        assert_ok(vocabulary_add_integer(&log->items, event->item, &item, &status), &status);
        assert_ok(event_log_add(log, user, item, event->weight, event->time,
                                (enum event_part)event->part, &status),
                  &status);
    }
    assert_ok(event_log_sort(log, DUPLICATES_SUM, &status), &status);
}

/* What is in the log after the split, as events again; `cold` says which of them. */
static void read_log(const struct event_log *log, bool cold, struct events *out)
{
    out->has_times = log->has_times;
    out->n = 0;
    for (size_t e = 0; e < log->n; e++) {
        bool is_cold = (log->parts[e] & (PART_COLD_KNOWN | PART_COLD_ASKED)) != 0;
        if (is_cold == cold) {
            out->list[out->n++] = (struct event){log->users.integers[log->user_codes[e]],
                                                 log->items.integers[log->item_codes[e]],
                                                 log->times[e], log->weights[e], log->parts[e]};
        }
    }
}

static void build(struct event_log *log, const struct event_log *given,
                  const struct dataset_rules *rules, struct interactions *out)
{
    struct status status = {0};
    *out = (struct interactions){0};
    assert_ok(interactions_build(log, given, rules, out, &status), &status);
}

static void compare_history(const struct interactions *a, const struct dataset *x,
                            const struct history *m, const struct interactions *b,
                            const struct dataset *y, const struct history *n)
{
    assert_int_equal(m->matrix.n_rows, n->matrix.n_rows);
    assert_int_equal(sparse_entries(&m->matrix), sparse_entries(&n->matrix));
    for (size_t row = 0; row < m->matrix.n_rows; row++) {
        assert_int_equal(a->users.integers[x->users[row]], b->users.integers[y->users[row]]);
        assert_int_equal(m->matrix.offsets[row + 1], n->matrix.offsets[row + 1]);
    }
    for (size_t e = 0; e < sparse_entries(&m->matrix); e++) {
        assert_int_equal(a->items.integers[x->items[m->matrix.columns[e]]],
                         b->items.integers[y->items[n->matrix.columns[e]]]);
        assert_true(m->matrix.values[e] == n->matrix.values[e]);
        assert_true((m->times == NULL) == (n->times == NULL));
        assert_true(m->times == NULL || !a->has_times || m->times[e] == n->times[e]);
    }
}

/* Everything that training and the warm lines of the evaluation see. */
static void compare_basis(const struct interactions *a, const struct interactions *b,
                          enum basis basis)
{
    const struct dataset *x = &a->basis[basis], *y = &b->basis[basis];
    assert_int_equal(x->n_users, y->n_users);
    assert_int_equal(x->n_items, y->n_items);
    for (size_t i = 0; i < x->n_items; i++) {
        assert_int_equal(a->items.integers[x->items[i]], b->items.integers[y->items[i]]);
    }
    compare_history(a, x, &x->train, b, y, &y->train);
    compare_history(a, x, &x->valid, b, y, &y->valid);
    compare_history(a, x, &x->test, b, y, &y->test);
    for (size_t row = 0; row < x->n_users; row++) {
        assert_true(x->valid_unknown == NULL || x->valid_unknown[row] == y->valid_unknown[row]);
        assert_true(x->test_unknown == NULL || x->test_unknown[row] == y->test_unknown[row]);
    }
}

static void draw_settings(struct rng *rng, bool has_times, struct split_settings *settings,
                          struct dataset_rules *rules)
{
    uint64_t kind = rng_below(rng, 3);
    *settings = (struct split_settings){.by = SPLIT_RANDOM,
                                        .valid = {SPLIT_FRACTION, 0.1},
                                        .test = {SPLIT_FRACTION, 0.2},
                                        .seed = rng_below(rng, 1000),
                                        .cold_users = 0.3,
                                        .cold_items = 0.2};
    if (kind == 0 && has_times) {
        settings->by = SPLIT_TIME;
    } else if (kind == 1) {
        settings->by = SPLIT_LEAVE_LAST;
        settings->valid = settings->test = (struct split_amount){SPLIT_COUNT, 1};
    }
    *rules = (struct dataset_rules){.half_life = has_times ? 2e5 : 0,
                                    .min_user_interactions = 1 + (int64_t)rng_below(rng, 5),
                                    .min_item_interactions = 1 + (int64_t)rng_below(rng, 4)};
}

/* FIT of a log with cold shares is FIT of the log without the events of those who were drawn, and
 * ALL does not notice the shares. */
static void check_that_nothing_leaks(struct rng *rng, bool has_times)
{
    static struct events events, warm;
    struct split_settings settings;
    struct dataset_rules rules;
    struct event_log log, log_without;
    struct interactions with, without, all;
    struct status status = {0};
    fill(&events, rng, has_times, 0.8);
    draw_settings(rng, has_times, &settings, &rules);
    make_log(&events, &log);
    assert_ok(split_assign(&settings, &log, &status), &status);
    read_log(&log, false, &warm);
    assert_true(warm.n > 0 && warm.n < events.n);
    build(&log, NULL, &rules, &with);
    settings.cold_users = settings.cold_items = 0;
    for (size_t e = 0; e < warm.n; e++) {
        warm.list[e].part = PART_TRAIN;
    }
    make_log(&warm, &log_without);
    assert_ok(split_assign(&settings, &log_without, &status), &status);
    build(&log_without, NULL, &rules, &without);
    compare_basis(&with, &without, BASIS_FIT);
    event_log_release(&log);
    event_log_release(&log_without);
    make_log(&events, &log);
    assert_ok(split_assign(&settings, &log, &status), &status);
    build(&log, NULL, &rules, &all);
    compare_basis(&with, &all, BASIS_ALL);
    assert_int_equal(with.basis[BASIS_ALL].cold.n_users, all.basis[BASIS_ALL].cold.n_users);
    assert_int_equal(with.basis[BASIS_ALL].cold.n_items, all.basis[BASIS_ALL].cold.n_items);
    assert_int_equal(sparse_entries(&with.basis[BASIS_ALL].cold.held_out), 0);
    event_log_release(&log);
    interactions_release(&with);
    interactions_release(&without);
    interactions_release(&all);
}

static void fit_is_what_a_log_without_the_drawn_ones_gives(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 21, "test", 0, 0);
    for (int trial = 0; trial < N_TRIALS; trial++) {
        check_that_nothing_leaks(&rng, trial % 2 == 0);
    }
}

/* ---- the cold part by the naive way, in ids ---- */

struct naive_cold {
    bool known[N_USERS][N_ITEMS], asked[N_USERS][N_ITEMS], valid[N_USERS][N_ITEMS];
    bool user_has_row[N_USERS], item_has_row[N_ITEMS], drawn_item[N_ITEMS];
};

static void mark(const struct event_log *log, struct naive_cold *naive)
{
    for (size_t e = 0; e < log->n; e++) {
        size_t u = (size_t)(log->users.integers[log->user_codes[e]] - 100);
        size_t i = (size_t)(log->items.integers[log->item_codes[e]] - 500);
        naive->known[u][i] |= (log->parts[e] & (PART_TRAIN | PART_COLD_KNOWN)) != 0;
        naive->asked[u][i] |= (log->parts[e] & (PART_TEST | PART_COLD_ASKED)) != 0;
        naive->valid[u][i] |= log->parts[e] == PART_VALID;
        naive->drawn_item[i] |= log->cold_items != NULL && log->cold_items[log->item_codes[e]];
    }
}

static void mark_rows(const struct interactions *made, const struct dataset *set,
                      struct naive_cold *naive)
{
    for (size_t row = 0; row < set->n_users; row++) {
        naive->user_has_row[made->users.integers[set->users[row]] - 100] = true;
    }
    for (size_t row = 0; row < set->n_items; row++) {
        naive->item_has_row[made->items.integers[set->items[row]] - 500] = true;
    }
}

static bool is_asked(const struct naive_cold *naive, size_t u, size_t i)
{
    return naive->asked[u][i] && !naive->known[u][i] && !naive->valid[u][i];
}

static void check_users(const struct interactions *made, const struct dataset *set,
                        const struct naive_cold *naive)
{
    const struct cold_part *cold = &set->cold;
    size_t row = 0;
    for (size_t u = 0; u < N_USERS; u++) {
        size_t n_history = 0, n_asked = 0, unknown = 0;
        for (size_t i = 0; i < N_ITEMS; i++) {
            n_history += naive->known[u][i] && naive->item_has_row[i];
            n_asked += is_asked(naive, u, i) && naive->item_has_row[i];
            unknown += is_asked(naive, u, i) && !naive->item_has_row[i] && !naive->drawn_item[i];
        }
        if (naive->user_has_row[u] || n_history == 0) {
            continue;
        }
        assert_true(row < cold->n_users);
        assert_int_equal(made->users.integers[cold->users[row]], 100 + (int64_t)u);
        assert_int_equal(sparse_row_length(&cold->history.matrix, row), n_history);
        assert_int_equal(sparse_row_length(&cold->held_out, row), n_asked);
        assert_int_equal(cold->unknown[row], unknown);
        for (size_t c = 0; c < set->n_items; c++) {
            size_t i = (size_t)(made->items.integers[set->items[c]] - 500);
            assert_true(sparse_has(&cold->history.matrix, row, (int32_t)c) == naive->known[u][i]);
            assert_true(sparse_has(&cold->held_out, row, (int32_t)c) == is_asked(naive, u, i));
        }
        row++;
    }
    assert_int_equal(row, cold->n_users);
}

static void check_items(const struct interactions *made, const struct dataset *set,
                        const struct naive_cold *naive)
{
    const struct cold_part *cold = &set->cold;
    size_t column = 0;
    assert_int_equal(cold->item_held_out.n_rows, set->n_users);
    assert_int_equal(cold->item_seen.n_rows, set->n_users);
    for (size_t m = 0; m < made->items.n; m++) {
        size_t i = (size_t)(made->items.integers[m] - 500);
        if (naive->item_has_row[i]) {
            continue;
        }
        assert_true(column < cold->n_items);
        assert_int_equal(cold->items[column], m);
        for (size_t row = 0; row < set->n_users; row++) {
            size_t u = (size_t)(made->users.integers[set->users[row]] - 100);
            assert_true(sparse_has(&cold->item_held_out, row, (int32_t)column) ==
                        is_asked(naive, u, i));
            assert_true(sparse_has(&cold->item_seen, row, (int32_t)column) ==
                        (naive->known[u][i] || naive->valid[u][i]));
        }
        column++;
    }
    assert_int_equal(column, cold->n_items);
}

static void the_cold_part_agrees_with_a_naive_one(void **state)
{
    (void)state;
    static struct events events;
    static struct naive_cold naive;
    struct rng rng;
    size_t n_asked[2] = {0};
    rng_init(&rng, 22, "test", 0, 0);
    for (int trial = 0; trial < N_TRIALS; trial++) {
        struct split_settings settings;
        struct dataset_rules rules;
        struct event_log log;
        struct interactions made;
        struct status status = {0};
        bool has_times = trial % 2 == 0;
        fill(&events, &rng, has_times, 0.7);
        draw_settings(&rng, has_times, &settings, &rules);
        settings.cold_users = trial % 3 == 0 ? 0 : settings.cold_users;
        settings.cold_items = trial % 4 == 0 ? 0 : settings.cold_items;
        make_log(&events, &log);
        assert_ok(split_assign(&settings, &log, &status), &status);
        memset(&naive, 0, sizeof naive);
        mark(&log, &naive);
        build(&log, NULL, &rules, &made);
        const struct dataset *fit = &made.basis[BASIS_FIT];
        mark_rows(&made, fit, &naive);
        check_users(&made, fit, &naive);
        check_items(&made, fit, &naive);
        assert_true((fit->cold.history.times != NULL) == has_times);
        n_asked[0] += sparse_entries(&fit->cold.held_out);
        n_asked[1] += sparse_entries(&fit->cold.item_held_out);
        event_log_release(&log);
        interactions_release(&made);
    }
    assert_true(n_asked[0] > 500 && n_asked[1] > 500);
}

/* A test of its own asks cold users and items in both bases, and says nothing on the warm lines
 * about items that were held out on purpose. */
static void a_given_test_is_asked_of_cold_users_too(void **state)
{
    (void)state;
    static struct events events, test;
    static struct naive_cold naive;
    struct rng rng;
    struct dataset_rules rules = {.min_user_interactions = 6, .min_item_interactions = 3};
    struct split_settings settings = {.by = SPLIT_NONE, .cold_items = 0.3};
    struct event_log log, given;
    struct interactions made;
    struct status status = {0};
    rng_init(&rng, 23, "test", 0, 0);
    fill(&events, &rng, true, 0.3);
    fill(&test, &rng, true, 0.2);
    make_log(&events, &log);
    make_log(&test, &given);
    assert_ok(split_assign(&settings, &log, &status), &status);
    memset(&naive, 0, sizeof naive);
    mark(&log, &naive);
    for (size_t e = 0; e < test.n; e++) {
        naive.asked[test.list[e].user - 100][test.list[e].item - 500] = true;
    }
    build(&log, &given, &rules, &made);
    const struct dataset *fit = &made.basis[BASIS_FIT];
    mark_rows(&made, fit, &naive);
    check_users(&made, fit, &naive);
    check_items(&made, fit, &naive);
    for (size_t row = 0; row < fit->n_users; row++) {
        size_t u = (size_t)(made.users.integers[fit->users[row]] - 100);
        int32_t unknown = 0;
        for (size_t e = 0; e < given.n; e++) {
            size_t i = (size_t)(given.items.integers[given.item_codes[e]] - 500);
            bool is_first = e == 0 || event_log_pair_end(&given, e - 1) == e;
            unknown += is_first && given.users.integers[given.user_codes[e]] == 100 + (int64_t)u &&
                       !naive.known[u][i] && !naive.item_has_row[i] && !naive.drawn_item[i];
        }
        assert_int_equal(fit->test_unknown[row], unknown);
    }
    const struct cold_part *all = &made.basis[BASIS_ALL].cold;
    assert_true(all->n_users > 0 && sparse_entries(&all->held_out) > 0);
    event_log_release(&log);
    event_log_release(&given);
    interactions_release(&made);
}

static void a_history_is_capped_to_its_newest_pairs(void **state)
{
    (void)state;
    static struct events events;
    struct rng rng;
    struct dataset_rules rules = {.min_user_interactions = 4, .max_user_interactions = 4};
    struct split_settings settings = {
        .by = SPLIT_LEAVE_LAST, .test = {SPLIT_COUNT, 1}, .cold_users = 0.5};
    struct event_log log;
    struct interactions made;
    struct status status = {0};
    rng_init(&rng, 24, "test", 0, 0);
    fill(&events, &rng, true, 0.5);
    make_log(&events, &log);
    assert_ok(split_assign(&settings, &log, &status), &status);
    build(&log, NULL, &rules, &made);
    const struct cold_part *cold = &made.basis[BASIS_FIT].cold;
    size_t n_full = 0;
    for (size_t row = 0; row < cold->n_users; row++) {
        size_t n = sparse_row_length(&cold->history.matrix, row);
        assert_true(n >= 1 && n <= 4);
        n_full += n == 4;
    }
    assert_true(n_full > 5);
    event_log_release(&log);
    interactions_release(&made);
}

/* ---- who is drawn ---- */

/* One letter per event of the user: the part, or '-' for a drawn item. */
static void parts_of_user(const struct events *events, int64_t user, uint64_t seed, char *out)
{
    struct event_log log;
    struct status status = {0};
    struct split_settings settings = {
        .by = SPLIT_NONE, .seed = seed, .cold_users = 0.5, .cold_items = 0.3};
    make_log(events, &log);
    assert_ok(split_assign(&settings, &log, &status), &status);
    int32_t code = vocabulary_find_integer(&log.users, user);
    for (int64_t e = log.user_start[code]; e < log.user_start[code + 1]; e++) {
        *out++ = log.cold_items[log.item_codes[e]] ? '-' : (char)('A' + log.parts[e]);
    }
    *out = '\0';
    event_log_release(&log);
}

static void who_is_drawn_depends_on_the_seed_and_the_id_alone(void **state)
{
    (void)state;
    static struct events events, few;
    struct rng rng;
    char in_all[512], alone[512], other_seed[512];
    size_t n_drawn = 0, n_other = 0;
    rng_init(&rng, 25, "test", 0, 0);
    fill(&events, &rng, false, 0.5);
    for (int64_t user = 100; user < 100 + N_USERS; user++) {
        few.has_times = false;
        few.n = 0;
        for (size_t e = 0; e < events.n; e++) {
            /* somebody else stays, or nothing could be left to train on */
            if (events.list[e].user == user || events.list[e].user % 7 == user % 7) {
                few.list[few.n++] = events.list[e];
            }
        }
        parts_of_user(&events, user, 1, in_all);
        parts_of_user(&few, user, 1, alone);
        parts_of_user(&events, user, 2, other_seed);
        assert_string_equal(in_all, alone);
        n_drawn += strchr(in_all, 'A' + PART_COLD_KNOWN) != NULL;
        n_other += strcmp(in_all, other_seed) != 0;
    }
    assert_true(n_drawn > N_USERS / 4 && n_drawn < N_USERS * 3 / 4);
    assert_true(n_other > N_USERS / 2);
}

/* Ten users with 1 to 10 items, one an hour; the newer item has the lower id. */
static void the_last_fifth_of_a_drawn_user_is_asked(void **state)
{
    (void)state;
    static struct events events = {.has_times = true};
    struct event_log log;
    struct status status = {0};
    struct split_settings settings = {.by = SPLIT_NONE, .seed = 3, .cold_users = 0.9};
    size_t n_drawn = 0;
    events.n = 0;
    for (int64_t u = 0; u < N_USERS; u++) {
        for (int64_t i = 0; i <= u % 12; i++) {
            events.list[events.n++] =
                (struct event){100 + u, 500 + i, 1600000000 - i * 3600, 1, PART_TRAIN};
        }
    }
    /* a given validation part leaves as well */
    events.list[0].part = PART_VALID;
    make_log(&events, &log);
    assert_ok(split_assign(&settings, &log, &status), &status);
    for (size_t u = 0; u < N_USERS; u++) {
        size_t n = u % 12 + 1, n_asked = n / 5 > 0 ? n / 5 : 1;
        int64_t first = log.user_start[u];
        if (log.parts[first] != PART_COLD_ASKED) {
            for (size_t i = 0; i < n; i++) {
                assert_true(log.parts[first + (int64_t)i] ==
                            (first == 0 ? PART_VALID : PART_TRAIN));
            }
            continue;
        }
        assert_true(n >= 2);
        n_drawn++;
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(log.parts[first + (int64_t)i],
                             i < n_asked ? PART_COLD_ASKED : PART_COLD_KNOWN);
        }
    }
    assert_true(n_drawn > N_USERS / 2);
    event_log_release(&log);
}

static void shares_that_leave_nothing_are_refused_with_their_numbers(void **state)
{
    (void)state;
    static struct events events = {.n = 2, .list = {{100, 500, 0, 1, 0}, {100, 501, 1, 1, 0}}};
    struct event_log log;
    struct status status = {0};
    struct split_settings settings = {.by = SPLIT_NONE, .cold_users = 0.999999, .cold_items = 0.25};
    events.list[0].part = events.list[1].part = PART_TRAIN;
    make_log(&events, &log);
    assert_int_equal(split_assign(&settings, &log, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "cold_users: 0.999999 and cold_items: 0.25 hold out "
                                           "every event of the log (1 users, 2 items)"));
    event_log_release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fit_is_what_a_log_without_the_drawn_ones_gives),
        cmocka_unit_test(the_cold_part_agrees_with_a_naive_one),
        cmocka_unit_test(a_given_test_is_asked_of_cold_users_too),
        cmocka_unit_test(a_history_is_capped_to_its_newest_pairs),
        cmocka_unit_test(who_is_drawn_depends_on_the_seed_and_the_id_alone),
        cmocka_unit_test(the_last_fifth_of_a_drawn_user_is_asked),
        cmocka_unit_test(shares_that_leave_nothing_are_refused_with_their_numbers),
    };
    return cmocka_run_group_tests_name("dataset_cold", tests, NULL, NULL);
}
