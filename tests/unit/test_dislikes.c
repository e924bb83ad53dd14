/* Dislikes from a SQLite file to both bases, against dense tables of times: who said what last, as
 * far as each basis may know it. */
#include "events/extract.h"

#include "base/rng.h"
#include "events/dislikes.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { USERS = 12, ITEMS = 10, ROWS = 170, NEVER = -1 };
static const int64_t start = 1600000000;

struct row {
    size_t user, item;
    const char *event;
    int rating;
    int64_t time;
    bool is_positive, is_dislike;
};

/* The newest time of each pair, NEVER: none. */
struct times {
    int64_t at[USERS][ITEMS];
};

struct naive_parts {
    struct times train, valid, test, all;  /* positives */
    struct times train_dislikes, dislikes; /* as far as the train part goes, and all of them */
    struct times seen_early, seen_before;  /* neither of both: before validation, before the test */
};

static const char *const dislike_types[] = {"hide", "block"};

static void must(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

static void fill_rows(struct rng *rng, struct row rows[ROWS])
{
    static const char *const events[] = {"buy", "buy", "view", "hide", "block"};
    uint32_t order[ROWS];
    rng_permutation(rng, ROWS, order);
    for (size_t r = 0; r < ROWS; r++) {
        rows[r] = (struct row){.user = rng_below(rng, USERS),
                               .item = rng_below(rng, ITEMS),
                               .event = events[rng_below(rng, 5)],
                               .rating = 1 + (int)rng_below(rng, 5),
                               .time = start + (int64_t)order[r] * 60};
    }
}

static void write_rows(struct db *db, const struct row rows[ROWS])
{
    struct buf sql = {0};
    buf_add_text(&sql, "BEGIN; DROP TABLE IF EXISTS events;"
                       "CREATE TABLE events(user_id, item_id, event, rating, time);");
    for (size_t r = 0; r < ROWS; r++) {
        buf_addf(&sql, "INSERT INTO events VALUES (%zu, 'i%02zu', '%s', %d, %lld);",
                 rows[r].user * 10, rows[r].item, rows[r].event, rows[r].rating,
                 (long long)rows[r].time);
    }
    buf_add_text(&sql, "COMMIT");
    store_exec(db, buf_text(&sql));
    buf_release(&sql);
}

/* Whether event types, ratings or both say what is a dislike. */
enum { BY_EVENT, BY_RATING, BY_BOTH, N_KINDS };

static struct extract_request make_request(size_t kind, bool has_times)
{
    static const char *const queries[2][N_KINDS] = {
        {"SELECT user_id, item_id, event FROM events ORDER BY time",
         "SELECT user_id, item_id, rating FROM events ORDER BY time",
         "SELECT user_id, item_id, event, rating FROM events ORDER BY time"},
        {"SELECT user_id, item_id, event, time FROM events",
         "SELECT user_id, item_id, rating, time FROM events",
         "SELECT user_id, item_id, event, rating, time FROM events"}};
    struct extract_request request = {.interactions = {.what = "source.interactions",
                                                       .sql = queries[has_times][kind],
                                                       .timeout_seconds = 60},
                                      .rules = {.since = INT64_MIN, .until = INT64_MIN},
                                      .dataset = {.duplicates = DUPLICATES_SUM,
                                                  .min_user_interactions = 1,
                                                  .min_item_interactions = 1},
                                      .split = {.by = SPLIT_NONE}};
    if (kind != BY_RATING) {
        request.rules.dislikes = (struct option_texts){2, dislike_types};
    }
    if (kind != BY_EVENT) {
        request.rules.min_rating = 4;
        request.rules.has_dislike_rating = true;
        request.rules.dislike_rating = 2;
    }
    return request;
}

static void judge_rows(struct row rows[ROWS], size_t kind)
{
    for (size_t r = 0; r < ROWS; r++) {
        struct row *row = &rows[r];
        const bool hidden = strcmp(row->event, "hide") == 0 || strcmp(row->event, "block") == 0;
        row->is_dislike = (kind != BY_RATING && hidden) || (kind != BY_EVENT && row->rating <= 2);
        row->is_positive = !row->is_dislike && (kind == BY_EVENT || row->rating >= 4);
    }
}

static void clear_table(struct times *table)
{
    for (size_t u = 0; u < USERS; u++) {
        for (size_t i = 0; i < ITEMS; i++) {
            table->at[u][i] = NEVER;
        }
    }
}

static void note(struct times *table, const struct row *row)
{
    int64_t *time = &table->at[row->user][row->item];
    *time = row->time > *time ? row->time : *time;
}

/* Per user: the newest pair to test, the one before to validation, when a third is left. */
static void naive_leave_last(struct naive_parts *p, size_t u)
{
    int n = 0;
    for (size_t i = 0; i < ITEMS; i++) {
        n += p->all.at[u][i] != NEVER;
    }
    for (int taken = 0; n > 2 && taken < 2; taken++) {
        size_t last = ITEMS;
        for (size_t i = 0; i < ITEMS; i++) {
            if (p->train.at[u][i] != NEVER &&
                (last == ITEMS || p->train.at[u][i] > p->train.at[u][last])) {
                last = i;
            }
        }
        (taken == 0 ? &p->test : &p->valid)->at[u][last] = p->train.at[u][last];
        p->train.at[u][last] = NEVER;
    }
}

/* Rows that count for nothing: with their pair where it is left out last, else with their time. */
static void naive_seen(const struct row rows[ROWS], enum split_by by, int64_t valid_border,
                       int64_t test_border, struct naive_parts *p)
{
    for (size_t r = 0; r < ROWS; r++) {
        const size_t u = rows[r].user, i = rows[r].item;
        bool in_valid = by == SPLIT_TIME && rows[r].time > valid_border;
        bool in_test = by == SPLIT_TIME && rows[r].time > test_border;
        for (size_t o = 0; o < ROWS && by == SPLIT_LEAVE_LAST; o++) {
            if (rows[o].user == u && rows[o].is_positive && rows[o].time < rows[r].time) {
                in_valid = in_valid || p->valid.at[u][rows[o].item] != NEVER;
                in_test = in_test || p->test.at[u][rows[o].item] != NEVER;
            }
        }
        if (by == SPLIT_LEAVE_LAST && (p->valid.at[u][i] != NEVER || p->test.at[u][i] != NEVER)) {
            in_test = p->test.at[u][i] != NEVER;
            in_valid = !in_test;
        }
        if (!rows[r].is_positive && !rows[r].is_dislike && !in_test) {
            note(&p->seen_before, &rows[r]);
            if (!in_valid) {
                note(&p->seen_early, &rows[r]);
            }
        }
    }
}

static void naive_split(const struct row rows[ROWS], const struct split_settings *split,
                        struct naive_parts *p)
{
    int64_t newest = NEVER, first_held[USERS];
    struct times *const tables[] = {&p->train,      &p->valid,          &p->test,
                                    &p->all,        &p->train_dislikes, &p->dislikes,
                                    &p->seen_early, &p->seen_before};
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        clear_table(tables[t]);
    }
    for (size_t r = 0; r < ROWS; r++) {
        newest = rows[r].is_positive && rows[r].time > newest ? rows[r].time : newest;
    }
    const bool by_time = split->by == SPLIT_TIME;
    const int64_t test_border = newest - (by_time ? (int64_t)split->test.value : 0);
    const int64_t valid_border = test_border - (by_time ? (int64_t)split->valid.value : 0);
    for (size_t r = 0; r < ROWS; r++) {
        if (rows[r].is_positive) {
            note(&p->all, &rows[r]);
            note(rows[r].time > test_border    ? &p->test
                 : rows[r].time > valid_border ? &p->valid
                                               : &p->train,
                 &rows[r]);
        }
    }
    for (size_t u = 0; u < USERS; u++) {
        first_held[u] = INT64_MAX;
        if (split->by == SPLIT_LEAVE_LAST) {
            naive_leave_last(p, u);
        }
    }
    for (size_t r = 0; r < ROWS && split->by == SPLIT_LEAVE_LAST; r++) {
        const size_t u = rows[r].user, i = rows[r].item;
        if (rows[r].is_positive && (p->valid.at[u][i] != NEVER || p->test.at[u][i] != NEVER) &&
            rows[r].time < first_held[u]) {
            first_held[u] = rows[r].time;
        }
    }
    for (size_t r = 0; r < ROWS; r++) {
        if (rows[r].is_dislike) {
            note(&p->dislikes, &rows[r]);
            if (rows[r].time < first_held[rows[r].user] &&
                (!by_time || rows[r].time <= valid_border)) {
                note(&p->train_dislikes, &rows[r]);
            }
        }
    }
    naive_seen(rows, split->by, valid_border, test_border, p);
}

/* Positives that were not disliked since. */
static void keep_liked(const struct times *positives, const struct times *dislikes,
                       struct times *out)
{
    for (size_t u = 0; u < USERS; u++) {
        for (size_t i = 0; i < ITEMS; i++) {
            out->at[u][i] = positives->at[u][i] > dislikes->at[u][i] ? positives->at[u][i] : NEVER;
        }
    }
}

static size_t user_of(const struct interactions *made, int32_t code)
{
    return (size_t)made->users.integers[code] / 10;
}

static size_t item_of(const struct interactions *made, int32_t code)
{
    size_t length;
    const char *text = strings_get(&made->items.texts, (size_t)code, &length);
    return (size_t)(text[1] - '0') * 10 + (size_t)(text[2] - '0');
}

static bool has_row(const struct times *table, size_t u)
{
    for (size_t i = 0; i < ITEMS; i++) {
        if (table->at[u][i] != NEVER) {
            return true;
        }
    }
    return false;
}

static bool has_column(const struct times *table, size_t i)
{
    for (size_t u = 0; u < USERS; u++) {
        if (table->at[u][i] != NEVER) {
            return true;
        }
    }
    return false;
}

/* `history` holds exactly the pairs of `expected` whose user and item stand in `known`. users and
 * items NULL: its numbers are master codes. */
static void check(const struct interactions *made, const struct history *history,
                  const int32_t *users, const int32_t *items, const struct times *expected,
                  const struct times *known)
{
    const struct sparse *m = &history->matrix;
    size_t n = 0;
    for (size_t u = 0; u < USERS; u++) {
        for (size_t i = 0; i < ITEMS; i++) {
            n += expected->at[u][i] != NEVER && has_row(known, u) && has_column(known, i);
        }
    }
    assert_int_equal(sparse_entries(m), n);
    for (size_t r = 0; r < m->n_rows; r++) {
        const size_t u = user_of(made, users == NULL ? (int32_t)r : users[r]);
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            const int32_t column = m->columns[e];
            const size_t i = item_of(made, items == NULL ? column : items[column]);
            assert_true(expected->at[u][i] != NEVER);
            assert_true(!made->has_times || history->times[e] == expected->at[u][i]);
            assert_true(e == m->offsets[r] || column > m->columns[e - 1]);
        }
    }
}

static void check_interactions(const struct interactions *made, const struct naive_parts *p)
{
    const struct dataset *fit = &made->basis[BASIS_FIT], *all = &made->basis[BASIS_ALL];
    struct times train, liked, disliked, train_disliked, valid, test;
    keep_liked(&p->train, &p->train_dislikes, &train);
    keep_liked(&p->all, &p->dislikes, &liked);
    for (size_t u = 0; u < USERS; u++) {
        for (size_t i = 0; i < ITEMS; i++) {
            disliked.at[u][i] = liked.at[u][i] == NEVER ? p->dislikes.at[u][i] : NEVER;
            train_disliked.at[u][i] = train.at[u][i] == NEVER ? p->train_dislikes.at[u][i] : NEVER;
            valid.at[u][i] = train.at[u][i] == NEVER && p->seen_early.at[u][i] == NEVER &&
                                     p->valid.at[u][i] > p->dislikes.at[u][i]
                                 ? p->valid.at[u][i]
                                 : NEVER;
            test.at[u][i] = train.at[u][i] == NEVER && p->seen_before.at[u][i] == NEVER &&
                                    p->test.at[u][i] > p->dislikes.at[u][i] &&
                                    !(p->valid.at[u][i] > p->dislikes.at[u][i])
                                ? p->test.at[u][i]
                                : NEVER;
        }
    }
    check(made, &made->log, NULL, NULL, &p->all, &p->all);
    check(made, &made->disliked, NULL, NULL, &disliked, &disliked);
    check(made, &fit->train, fit->users, fit->items, &train, &train);
    check(made, &fit->dislikes, fit->users, fit->items, &train_disliked, &train);
    check(made, &fit->valid, fit->users, fit->items, &valid, &train);
    check(made, &fit->test, fit->users, fit->items, &test, &train);
    check(made, &all->train, all->users, all->items, &liked, &liked);
    check(made, &all->dislikes, all->users, all->items, &disliked, &liked);
    assert_null(fit->dislikes.matrix.values);
    assert_int_equal(fit->dislikes.times != NULL, made->has_times);
}

/* Saved, loaded and looked at. */
static void check_through_an_artifact(struct interactions *made, const struct naive_parts *p)
{
    struct status status = {0};
    struct artifact artifact = {0};
    struct interactions loaded = {0};
    artifact_init(&artifact, "interactions");
    must(interactions_save(made, &artifact, &status), &status);
    must(interactions_load(&loaded, &artifact, &status), &status);
    check_interactions(&loaded, p);
    interactions_release(&loaded);
    artifact_release(&artifact);
}

static void every_basis_knows_the_dislikes_that_it_may(void **state)
{
    const struct split_settings splits[] = {
        {.by = SPLIT_NONE},
        {.by = SPLIT_TIME,
         .valid = {SPLIT_SECONDS, 60 * ROWS / 5},
         .test = {SPLIT_SECONDS, 60 * ROWS / 6}},
        {.by = SPLIT_LEAVE_LAST, .valid = {SPLIT_COUNT, 1}, .test = {SPLIT_COUNT, 1}}};
    char path[STORE_PATH_MAX];
    store_path(state, "trials.db", path);
    struct db *db = store_open(path, DB_CREATE);
    for (size_t trial = 0; trial < 36; trial++) {
        struct status status = {0};
        struct extraction extraction = {0};
        struct interactions made = {0};
        struct naive_parts parts;
        struct row rows[ROWS];
        struct rng rng;
        const size_t kind = trial % N_KINDS, split = trial / N_KINDS % 3;
        const bool has_times = split == 1 || trial % 2 == 0;
        rng_init(&rng, 5, "test.dislikes", trial, 0);
        fill_rows(&rng, rows);
        write_rows(db, rows);
        judge_rows(rows, kind);
        struct extract_request request = make_request(kind, has_times);
        request.split = splits[split];
        naive_split(rows, &request.split, &parts);
        must(extract_read(db, &request, NULL, &extraction, &status), &status);
        must(extract_split(&extraction, &request, &status), &status);
        must(extract_build(&extraction, &request, &made, &status), &status);
        check_interactions(&made, &parts);
        check_through_an_artifact(&made, &parts);
        interactions_release(&made);
        extraction_release(&extraction);
    }
    db_close(db);
}

/* One query over literal rows. */
static void extract_from(void **state, const char *sql, const struct extract_request *base,
                         struct extraction *extraction, struct interactions *made)
{
    struct status status = {0};
    char path[STORE_PATH_MAX];
    struct extract_request request = *base;
    store_path(state, "literal.db", path);
    struct db *db = store_open(path, DB_CREATE);
    request.interactions.sql = sql;
    must(extract_read(db, &request, NULL, extraction, &status), &status);
    must(extract_split(extraction, &request, &status), &status);
    must(extract_build(extraction, &request, made, &status), &status);
    db_close(db);
}

static void at_the_same_second_the_dislike_counts(void **state)
{
    struct extraction extraction = {0};
    struct interactions made = {0};
    const struct extract_request request = make_request(BY_EVENT, true);
    extract_from(
        state,
        "SELECT 1 AS user_id, 7 AS item_id, 'hide' AS event, 1600000000 AS time"
        " UNION ALL SELECT 1, 7, 'buy', 1600000000 UNION ALL SELECT 1, 8, 'buy', 1600000000"
        " UNION ALL SELECT 2, 7, 'buy', 1600000000",
        &request, &extraction, &made);
    const struct dataset *all = &made.basis[BASIS_ALL];
    assert_int_equal(sparse_entries(&all->train.matrix), 2);
    assert_int_equal(sparse_entries(&all->dislikes.matrix), 1);
    assert_true(sparse_has(&all->dislikes.matrix, 0, 0));
    /* the log still says that user 1 has seen item 7 */
    assert_true(sparse_has(&made.log.matrix, 0, 0));
    assert_true(sparse_has(&made.disliked.matrix, 0, 0));
    interactions_release(&made);
    extraction_release(&extraction);
}

static void users_and_items_that_are_only_disliked_are_known_and_not_trained_on(void **state)
{
    struct extraction extraction = {0};
    struct interactions made = {0};
    const struct extract_request request = make_request(BY_EVENT, true);
    extract_from(state,
                 "SELECT 1 AS user_id, 7 AS item_id, 'buy' AS event, 1600000000 AS time"
                 " UNION ALL SELECT 2, 7, 'hide', 1600000001"
                 " UNION ALL SELECT 1, 9, 'hide', 1600000002",
                 &request, &extraction, &made);
    assert_int_equal(made.users.n, 2);
    assert_int_equal(made.items.n, 2);
    assert_int_equal(sparse_entries(&made.log.matrix), 1);
    assert_int_equal(sparse_entries(&made.disliked.matrix), 2);
    for (size_t b = 0; b < N_BASES; b++) {
        assert_int_equal(made.basis[b].n_users, 1);
        assert_int_equal(made.basis[b].n_items, 1);
    }
    assert_int_equal(extraction.report.n_dislikes, 2);
    assert_int_equal(extraction.report.n_accepted, 1);
    struct buf text = {0};
    row_report_add(&extraction.report, &text);
    assert_string_equal(buf_text(&text), "2 dislikes");
    buf_release(&text);
    interactions_release(&made);
    extraction_release(&extraction);
}

static void the_number_of_a_disliked_row_is_not_looked_at(void **state)
{
    struct extraction extraction = {0};
    struct interactions made = {0};
    const struct extract_request request = make_request(BY_EVENT, true);
    extract_from(state,
                 "SELECT 1 AS user_id, 7 AS item_id, 'buy' AS event, 2 AS weight,"
                 " 1600000000 AS time"
                 " UNION ALL SELECT 2, 7, 'buy', 1, 1600000001"
                 " UNION ALL SELECT 2, 8, 'buy', 1, 1600000001"
                 " UNION ALL SELECT 1, 8, 'hide', NULL, 1600000001",
                 &request, &extraction, &made);
    assert_int_equal(extraction.report.n_rejected, 0);
    assert_int_equal(sparse_entries(&made.disliked.matrix), 1);
    interactions_release(&made);
    extraction_release(&extraction);
}

static void a_given_test_is_judged_as_it_is(void **state)
{
    struct status status = {0};
    struct extraction extraction = {0};
    struct interactions made = {0};
    char path[STORE_PATH_MAX];
    struct extract_request request = make_request(BY_RATING, false);
    store_path(state, "given.db", path);
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, "CREATE TABLE log(user_id, item_id, rating);"
                   "CREATE TABLE judged(user_id, item_id, rating);"
                   "INSERT INTO log VALUES (1,1,5),(1,2,1),(2,2,5),(2,3,4),(2,1,3);"
                   "INSERT INTO judged VALUES (1,2,5),(1,3,1),(2,1,4);");
    request.interactions.sql = "SELECT * FROM log";
    request.test_query = "SELECT * FROM judged";
    must(extract_read(db, &request, NULL, &extraction, &status), &status);
    must(extract_split(&extraction, &request, &status), &status);
    must(extract_build(&extraction, &request, &made, &status), &status);
    /* 1 likes 2 in the test, whatever the log says; the rating of 1 is left out there */
    assert_int_equal(sparse_entries(&made.basis[BASIS_FIT].test.matrix), 2);
    assert_true(sparse_has(&made.basis[BASIS_FIT].test.matrix, 0, 1));
    assert_int_equal(sparse_entries(&made.disliked.matrix), 1);
    assert_int_equal(extraction.report.filtered[FILTER_RATING], 2);
    assert_int_equal(extraction.report.n_dislikes, 1);
    interactions_release(&made);
    extraction_release(&extraction);
    db_close(db);
}

static void types_need_their_column(void **state)
{
    struct status status = {0};
    struct extraction extraction = {0};
    char path[STORE_PATH_MAX];
    struct extract_request request = make_request(BY_EVENT, false);
    store_path(state, "plain.db", path);
    struct db *db = store_open(path, DB_CREATE);
    request.interactions.sql = "SELECT 1 AS user_id, 2 AS item_id";
    assert_int_equal(extract_read(db, &request, NULL, &extraction, &status), STATUS_CONFIG);
    assert_non_null(strstr(status.message, "dislikes needs a column named event"));
    extraction_release(&extraction);
    db_close(db);
}

static void ids_of_another_type_are_left_alone(void **state)
{
    (void)state;
    struct status status = {0};
    struct event_log log = {0}, dislikes = {0};
    int32_t code;
    must(vocabulary_add_integer(&log.users, 1, &code, &status), &status);
    must(vocabulary_add_integer(&log.items, 1, &code, &status), &status);
    must(vocabulary_add_text(&dislikes.users, "2", 1, &code, &status), &status);
    must(vocabulary_add_integer(&dislikes.items, 2, &code, &status), &status);
    must(dislikes_add_ids(&dislikes, &log, &status), &status);
    assert_int_equal(log.users.n, 1);
    assert_int_equal(log.items.n, 2);
    event_log_release(&log);
    event_log_release(&dislikes);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_basis_knows_the_dislikes_that_it_may),
        TEST(at_the_same_second_the_dislike_counts),
        TEST(users_and_items_that_are_only_disliked_are_known_and_not_trained_on),
        TEST(the_number_of_a_disliked_row_is_not_looked_at),
        TEST(a_given_test_is_judged_as_it_is),
        TEST(types_need_their_column),
        cmocka_unit_test(ids_of_another_type_are_left_alone),
    };
    return cmocka_run_group_tests_name("dislikes", tests, NULL, NULL);
}
