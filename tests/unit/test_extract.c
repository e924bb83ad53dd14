/* The whole way from SQLite to struct interactions against the naive one of support/shop_log, for
 * every filter, duplicate policy, cap, k-core and split but the random one (test_split). */
#include "events/extract.h"

#include "tests/support/shop_log.h"
#include "tests/support/store_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N_TRIALS = 300 };

static const char *const weight_names[] = {"view", "purchase"};
static const double weight_values[] = {1.0, 5.0};

static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

/* What the naive way gives. */
struct expected {
    struct shop_log log, test; /* filtered */
    bool test_is_given;
    struct naive all, train, valid, held; /* held: test */
    struct shop_log left_out;             /* of the log */
    struct naive early, before;           /* seen by these before validation, before the test */
    bool has_valid, has_test;
};

static void draw_request(struct rng *rng, struct extract_request *request)
{
    static const double fractions[] = {0.0, 0.1, 0.25};
    enum split_by by = (enum split_by)(1 + rng_below(rng, 2)); /* time, leave_last */
    *request = (struct extract_request){
        .interactions = {.what = "source.interactions",
                         .sql = "SELECT * FROM log",
                         .timeout_seconds = 60},
        .rules = {.other_events = OTHER_EVENTS_IGNORE,
                  .min_rating = rng_below(rng, 3) == 0 ? 4 : 0,
                  .since = rng_below(rng, 3) == 0 ? 1600000000 + 36000 : INT64_MIN,
                  .until = rng_below(rng, 3) == 0 ? 1600000000 + 57 * 3600 : INT64_MIN,
                  .max_bad_rows = 0},
        .dataset = {.duplicates = (enum duplicate_policy)rng_below(rng, 3),
                    .half_life = rng_below(rng, 2) == 0 ? 0 : 40000,
                    .min_user_interactions = 1 + (int64_t)rng_below(rng, 4),
                    .min_item_interactions = 1 + (int64_t)rng_below(rng, 4),
                    .max_user_interactions = rng_below(rng, 2) == 0 ? 0 : 6},
        .split = {.by = by, .seed = 3}};
    request->dataset.repeats = by == SPLIT_TIME && rng_below(rng, 3) == 0;
    request->split.repeats = request->dataset.repeats ? CHOICE_TRUE : CHOICE_FALSE;
    if (rng_below(rng, 2) == 0) {
        request->rules.event_weights = (struct option_numbers){2, weight_names, weight_values};
    }
    struct split_amount *amounts[] = {&request->split.valid, &request->split.test};
    for (size_t i = 0; i < 2; i++) {
        uint64_t pick = rng_below(rng, 3);
        if (by == SPLIT_LEAVE_LAST) {
            *amounts[i] = (struct split_amount){SPLIT_COUNT, (double)pick};
        } else if (rng_below(rng, 2) == 0) {
            *amounts[i] = (struct split_amount){SPLIT_FRACTION, fractions[pick]};
        } else {
            *amounts[i] = (struct split_amount){SPLIT_SECONDS, (double)pick * 5 * 3600};
        }
        if (amounts[i]->value == 0) {
            amounts[i]->kind = SPLIT_NOTHING;
        }
    }
    if (rng_below(rng, 3) == 0) {
        request->test_query = "SELECT user_id, item_id, weight, time FROM given";
        request->split.test = (struct split_amount){SPLIT_NOTHING, 0};
    }
}

/* The latest border below which enough events lie: tried time by time. */
static int64_t naive_border(const struct shop_log *log, const struct split_amount *amount,
                            int64_t end)
{
    if (amount->kind != SPLIT_FRACTION) {
        return end - (int64_t)amount->value;
    }
    for (int64_t border = 1600000000 - 3600;; border += 3600) {
        size_t later = 0, beyond = 0;
        for (size_t r = 0; r < log->n; r++) {
            later += log->rows[r].time > border;
            beyond += log->rows[r].time > end;
        }
        if ((double)later <= (double)beyond + amount->value * (double)log->n) {
            return border;
        }
    }
}

static void naive_split_time(struct shop_log *log, struct shop_log *left_out,
                             const struct split_settings *split)
{
    int64_t newest = INT64_MIN;
    for (size_t r = 0; r < log->n; r++) {
        newest = log->rows[r].time > newest ? log->rows[r].time : newest;
    }
    int64_t test_border = naive_border(log, &split->test, newest);
    int64_t valid_border = naive_border(log, &split->valid, test_border);
    for (size_t r = 0; r < log->n; r++) {
        int64_t time = log->rows[r].time;
        log->rows[r].part = time > test_border    ? PART_TEST
                            : time > valid_border ? PART_VALID
                                                  : PART_TRAIN;
    }
    for (size_t r = 0; r < left_out->n; r++) {
        int64_t time = left_out->rows[r].time;
        left_out->rows[r].part = time > test_border    ? PART_TEST
                                 : time > valid_border ? PART_VALID
                                                       : PART_TRAIN;
    }
}

static void set_pair(struct shop_log *log, size_t user, size_t item, enum event_part part)
{
    for (size_t r = 0; r < log->n; r++) {
        if (log->rows[r].user == user && log->rows[r].item == item) {
            log->rows[r].part = part;
        }
    }
}

static uint64_t tie(const struct shop_log *log, const struct split_settings *split, size_t user,
                    size_t item)
{
    return history_tie(split->seed, shop_log_id_key(log, false, user),
                       shop_log_id_key(log, true, item));
}

/* Takes the newest pair of each user away, as often as parts ask for it. */
static void naive_leave_last(struct shop_log *log, const struct split_settings *split,
                             const struct dataset_rules *rules)
{
    struct naive whole;
    shop_log_fold(log, PART_LOG, rules, 0, &whole);
    for (size_t u = 0; u < LOG_USERS; u++) {
        int n = 0, n_test = (int)split->test.value, n_valid = (int)split->valid.value;
        for (size_t i = 0; i < LOG_ITEMS; i++) {
            n += whole.has[u][i];
        }
        for (int taken = 0; n > n_test + n_valid && taken < n_test + n_valid; taken++) {
            size_t newest = LOG_ITEMS;
            for (size_t i = 0; i < LOG_ITEMS; i++) {
                if (whole.has[u][i] &&
                    (newest == LOG_ITEMS || whole.newest[u][i] > whole.newest[u][newest] ||
                     (whole.newest[u][i] == whole.newest[u][newest] &&
                      tie(log, split, u, i) > tie(log, split, u, newest)))) {
                    newest = i;
                }
            }
            whole.has[u][newest] = false;
            set_pair(log, u, newest, taken < n_test ? PART_TEST : PART_VALID);
        }
    }
}

/* A row goes with its pair, or with the last part that began for its user before it came. */
static void naive_leave_seen(const struct shop_log *log, struct shop_log *left_out)
{
    for (size_t l = 0; l < left_out->n; l++) {
        struct shop_row *row = &left_out->rows[l];
        bool is_held_out = false;
        row->part = PART_TRAIN;
        for (size_t r = 0; r < log->n && !is_held_out; r++) {
            const struct shop_row *other = &log->rows[r];
            if (other->user == row->user && other->part != PART_TRAIN) {
                is_held_out = other->item == row->item;
                if (is_held_out || (other->time <= row->time && other->part > row->part)) {
                    row->part = other->part;
                }
            }
        }
    }
}

static void expect(struct expected *expected, const struct extract_request *request)
{
    struct shop_log *log = &expected->log;
    struct event_rules given_rules = request->rules;
    shop_log_left_out(log, &request->rules, &expected->left_out);
    shop_log_filter(log, &request->rules);
    if (request->split.by == SPLIT_TIME) {
        naive_split_time(log, &expected->left_out, &request->split);
    } else {
        naive_leave_last(log, &request->split, &request->dataset);
        naive_leave_seen(log, &expected->left_out);
    }
    shop_log_fold(&expected->left_out, PART_TRAIN, &request->dataset, 0, &expected->early);
    shop_log_fold(&expected->left_out, PART_TRAIN | PART_VALID, &request->dataset, 0,
                  &expected->before);
    expected->test_is_given = request->test_query != NULL;
    given_rules.event_weights.n = 0;
    given_rules.since = given_rules.until = INT64_MIN;
    shop_log_filter(&expected->test, &given_rules);
    double half_life = request->dataset.half_life;
    shop_log_fold(log, PART_LOG, &request->dataset, half_life, &expected->all);
    shop_log_fold(log, PART_TRAIN, &request->dataset, half_life, &expected->train);
    shop_log_fold(log, PART_VALID, &request->dataset, 0, &expected->valid);
    shop_log_fold(expected->test_is_given ? &expected->test : log,
                  expected->test_is_given ? PART_LOG : PART_TEST, &request->dataset, 0,
                  &expected->held);
    for (size_t r = 0; r < log->n; r++) {
        expected->has_valid = expected->has_valid || log->rows[r].part == PART_VALID;
        expected->has_test = expected->has_test || log->rows[r].part == PART_TEST;
    }
    expected->has_test = expected->has_test || expected->test_is_given;
}

static void id_of(const struct vocabulary *vocabulary, int32_t code, size_t *index)
{
    if (vocabulary->type == ID_INTEGER) {
        *index = (size_t)((vocabulary->integers[code] + 50) / 10);
        return;
    }
    size_t length;
    const char *text = strings_get(&vocabulary->texts, (size_t)code, &length);
    assert_int_equal(length, 4);
    *index = (size_t)(text[1] - '0') * 100 + (size_t)(text[2] - '0') * 10 + (size_t)(text[3] - '0');
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-5 * fabs(b) + 1e-30)) {
        fail_msg("%.9g is not %.9g", a, b);
    }
}

/* Every entry of `history` is in `naive` and the counts are equal, so they are the same. rows and
 * columns map to master codes; NULL: they are the master codes. */
static void check_history(const struct interactions *made, const struct history *history,
                          const int32_t *rows, const int32_t *columns, const struct naive *naive)
{
    const struct sparse *m = &history->matrix;
    size_t n = 0;
    for (size_t u = 0; u < LOG_USERS; u++) {
        for (size_t i = 0; i < LOG_ITEMS; i++) {
            n += naive->has[u][i];
        }
    }
    assert_int_equal(sparse_entries(m), n);
    for (size_t row = 0; row < m->n_rows; row++) {
        for (int64_t e = m->offsets[row]; e < m->offsets[row + 1]; e++) {
            size_t u, i;
            assert_true(e == m->offsets[row] || m->columns[e - 1] < m->columns[e]);
            id_of(&made->users, rows != NULL ? rows[row] : (int32_t)row, &u);
            id_of(&made->items, columns != NULL ? columns[m->columns[e]] : m->columns[e], &i);
            assert_true(naive->has[u][i]);
            assert_near((double)m->values[e], naive->weight[u][i]);
            assert_int_equal(history->times[e], naive->newest[u][i]);
        }
    }
}

/* Drops from `held` what was seen, unless repeats count; what is unknown to `core` is counted and
 * dropped, too. */
static void naive_hold_out(struct naive *held, const struct naive *seen, const struct naive *also,
                           const struct naive *core, bool repeats, int32_t unknown[LOG_USERS],
                           size_t *users)
{
    *users = 0;
    for (size_t u = 0; u < LOG_USERS; u++) {
        bool user_is_known = false, counts = false;
        unknown[u] = 0;
        for (size_t i = 0; i < LOG_ITEMS; i++) {
            user_is_known = user_is_known || core->has[u][i];
        }
        for (size_t i = 0; i < LOG_ITEMS; i++) {
            bool item_is_known = false;
            for (size_t v = 0; v < LOG_USERS; v++) {
                item_is_known = item_is_known || core->has[v][i];
            }
            const bool is_new = !seen->has[u][i] && (also == NULL || !also->has[u][i]);
            const bool stays = held->has[u][i] && (repeats || is_new);
            counts = counts || stays;
            unknown[u] += stays && user_is_known && !item_is_known;
            held->has[u][i] = stays && user_is_known && item_is_known;
        }
        *users += counts && !user_is_known;
    }
}

static void check_held_out(const struct interactions *made, const struct dataset *set,
                           const struct history *part, const int32_t *unknown, size_t n_users,
                           struct naive held, const struct naive *seen, const struct naive *also,
                           const struct naive *core)
{
    int32_t naive_unknown[LOG_USERS];
    size_t naive_users;
    naive_hold_out(&held, seen, also, core, set->repeats, naive_unknown, &naive_users);
    assert_int_equal(part->matrix.n_rows, set->n_users);
    assert_int_equal(part->matrix.n_columns, set->n_items);
    check_history(made, part, set->users, set->items, &held);
    assert_int_equal(n_users, naive_users);
    for (size_t row = 0; row < set->n_users; row++) {
        size_t u;
        id_of(&made->users, set->users[row], &u);
        assert_int_equal(unknown[row], naive_unknown[u]);
    }
}

/* Train and what is barred: all that was had before. Where repeats count nothing is barred. */
static void check_barred(const struct interactions *made, const struct dataset *set,
                         const struct sparse *barred, const struct naive *seen,
                         const struct naive *also)
{
    assert_true(!set->repeats || sparse_entries(barred) == 0);
    for (size_t row = 0; !set->repeats && row < set->n_users; row++) {
        for (size_t column = 0; column < set->n_items; column++) {
            size_t u, i;
            id_of(&made->users, set->users[row], &u);
            id_of(&made->items, set->items[column], &i);
            const bool is_barred = barred->n_rows > 0 && sparse_has(barred, row, (int32_t)column);
            assert_true((is_barred || sparse_has(&set->train.matrix, row, (int32_t)column)) ==
                        (seen->has[u][i] || also->has[u][i]));
        }
    }
}

static void check_basis(const struct interactions *made, enum basis basis,
                        const struct expected *expected, const struct dataset_rules *rules)
{
    const struct dataset *set = &made->basis[basis];
    const struct naive *seen = basis == BASIS_FIT ? &expected->train : &expected->all;
    struct naive core = *seen;
    assert_true(set->repeats == rules->repeats);
    naive_core(&expected->log, &core, rules);
    check_history(made, &set->train, set->users, set->items, &core);
    for (size_t row = 0; row < set->n_users; row++) {
        assert_true(sparse_row_length(&set->train.matrix, row) > 0);
    }
    const struct naive *valid = expected->has_valid ? &expected->valid : NULL;
    struct naive before = expected->before; /* the test: seen, or in validation */
    for (size_t p = 0; p < LOG_USERS * LOG_ITEMS; p++) {
        bool *has = &before.has[p / LOG_ITEMS][p % LOG_ITEMS];
        *has = (*has && !expected->test_is_given) ||
               (valid != NULL && valid->has[p / LOG_ITEMS][p % LOG_ITEMS]);
    }
    if (basis == BASIS_FIT && valid != NULL) {
        check_held_out(made, set, &set->valid, set->valid_unknown, set->valid_unknown_users, *valid,
                       seen, &expected->early, &core);
        check_barred(made, set, &set->valid_barred, seen, &expected->early);
    } else {
        assert_int_equal(set->valid.matrix.n_rows, 0);
        assert_null(set->valid_unknown);
    }
    if (expected->has_test && (basis == BASIS_FIT || expected->test_is_given)) {
        check_held_out(made, set, &set->test, set->test_unknown, set->test_unknown_users,
                       expected->held, seen, &before, &core);
        check_barred(made, set, &set->test_barred, seen, &before);
    } else {
        assert_int_equal(set->test.matrix.n_rows, 0);
        assert_null(set->test_unknown);
    }
}

static bool core_is_empty(const struct shop_log *log, struct naive naive,
                          const struct dataset_rules *rules)
{
    naive_core(log, &naive, rules);
    for (size_t u = 0; u < LOG_USERS; u++) {
        for (size_t i = 0; i < LOG_ITEMS; i++) {
            if (naive.has[u][i]) {
                return false;
            }
        }
    }
    return true;
}

static void check_trial(struct rng *rng, const char *path)
{
    static struct expected expected;
    struct extract_request request;
    struct extraction extraction = {0};
    struct interactions made = {0};
    struct status status = {0};
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                   "DROP TABLE IF EXISTS log; DROP TABLE IF EXISTS given");
    memset(&expected, 0, sizeof expected);
    draw_request(rng, &request);
    shop_log_fill(&expected.log, rng, 60 + rng_below(rng, LOG_ROWS - 60));
    shop_log_fill(&expected.test, rng, 60);
    expected.test.text_ids = expected.log.text_ids;
    shop_log_write(&expected.log, db, "log");
    shop_log_write(&expected.test, db, "given");
    expect(&expected, &request);
    assert_ok(extract_read(db, &request, NULL, &extraction, &status), &status);
    enum status_code code = extract_split(&extraction, &request, &status);
    code = code == STATUS_OK ? extract_build(&extraction, &request, &made, &status) : code;
    if (core_is_empty(&expected.log, expected.train, &request.dataset) ||
        core_is_empty(&expected.log, expected.all, &request.dataset)) {
        assert_int_equal(code, STATUS_DATA);
        assert_null(made.log.matrix.offsets);
    } else {
        assert_ok(code, &status);
        check_history(&made, &made.log, NULL, NULL, &expected.all);
        check_basis(&made, BASIS_FIT, &expected, &request.dataset);
        check_basis(&made, BASIS_ALL, &expected, &request.dataset);
        assert_int_equal(made.test_is_given, expected.test_is_given);
    }
    interactions_release(&made);
    extraction_release(&extraction);
    db_close(db);
}

static void every_filter_split_and_core_agrees_with_the_naive_way(void **state)
{
    char path[STORE_PATH_MAX];
    struct rng rng;
    store_path(state, "source.db", path);
    rng_init(&rng, 11, "test", 0, 0);
    for (int trial = 0; trial < N_TRIALS; trial++) {
        check_trial(&rng, path);
    }
}

/* The artifact of one reading of the log. */
static void extract_hash(struct db *db, const char *sql, enum split_by by, char out[HASH_TEXT_MAX])
{
    struct status status = {0};
    struct extraction extraction = {0};
    struct interactions made = {0}, loaded = {0};
    struct artifact artifact = {0};
    struct split_amount amount = {by == SPLIT_LEAVE_LAST ? SPLIT_COUNT : SPLIT_FRACTION,
                                  by == SPLIT_LEAVE_LAST ? 1 : 0.2};
    struct extract_request request = {
        .interactions = {.what = "source.interactions", .sql = sql, .timeout_seconds = 60},
        .rules = {.since = INT64_MIN, .until = INT64_MIN},
        .dataset = {.half_life = 5e4, .min_user_interactions = 2, .min_item_interactions = 2},
        .split = {.by = by, .valid = amount, .test = amount, .seed = 5}};
    assert_ok(extract_read(db, &request, NULL, &extraction, &status), &status);
    assert_ok(extract_split(&extraction, &request, &status), &status);
    assert_ok(extract_build(&extraction, &request, &made, &status), &status);
    artifact_init(&artifact, "interactions");
    assert_ok(interactions_save(&made, &artifact, &status), &status);
    assert_ok(artifact_hash(&artifact, out, &status), &status);
    assert_ok(interactions_load(&loaded, &artifact, &status), &status);
    assert_int_equal(loaded.basis[BASIS_FIT].n_users, made.basis[BASIS_FIT].n_users);
    assert_int_equal(sparse_entries(&loaded.basis[BASIS_FIT].test.matrix),
                     sparse_entries(&made.basis[BASIS_FIT].test.matrix));
    assert_ptr_equal(loaded.log.times, made.log.times);
    interactions_release(&loaded);
    interactions_release(&made);
    extraction_release(&extraction);
    artifact_release(&artifact);
}

static void the_order_of_rows_changes_nothing(void **state)
{
    static const enum split_by kinds[] = {SPLIT_AUTO, SPLIT_TIME, SPLIT_LEAVE_LAST, SPLIT_RANDOM};
    static struct shop_log log;
    char path[STORE_PATH_MAX], ahead[HASH_TEXT_MAX], back[HASH_TEXT_MAX];
    struct rng rng;
    store_path(state, "source.db", path);
    struct db *db = store_open(path, DB_CREATE);
    rng_init(&rng, 12, "test", 0, 0);
    shop_log_fill(&log, &rng, LOG_ROWS);
    shop_log_write(&log, db, "orders");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        extract_hash(db, "SELECT * FROM orders ORDER BY rowid", kinds[i], ahead);
        extract_hash(db, "SELECT * FROM orders ORDER BY rowid DESC", kinds[i], back);
        assert_string_equal(ahead, back);
    }
    extract_hash(db, "SELECT * FROM orders WHERE rowid > 1", SPLIT_TIME, back);
    assert_string_not_equal(ahead, back);
    db_close(db);
}

static void a_chain_that_unravels_end_by_end_leaves_in_linear_time(void **state)
{
    enum { LINKS = 100000 };
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct extraction extraction = {0};
    struct interactions made = {0};
    struct extract_request request = {
        .interactions = {.what = "source.interactions",
                         .sql = "WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n "
                                "WHERE k < 199999) SELECT (k + 1) / 2 AS user_id, k / 2 AS item_id "
                                "FROM n",
                         .timeout_seconds = 60},
        .rules = {.since = INT64_MIN, .until = INT64_MIN},
        .dataset = {.min_user_interactions = 2, .min_item_interactions = 2},
        .split = {.by = SPLIT_NONE}};
    store_path(state, "source.db", path);
    struct db *db = store_open(path, DB_CREATE);
    assert_ok(extract_read(db, &request, NULL, &extraction, &status), &status);
    assert_int_equal(extraction.log.n, 2 * LINKS);
    assert_ok(extract_split(&extraction, &request, &status), &status);
    assert_int_equal(extract_build(&extraction, &request, &made, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "min_user_interactions: 2 and min_item_interactions: 2 "
                                           "took all of the 200000"));
    extraction_release(&extraction);
    db_close(db);
}

static void one_user_with_a_million_events_works(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct extraction extraction = {0};
    struct interactions made = {0};
    struct extract_request request = {
        .interactions = {.what = "source.interactions",
                         .sql = "WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n "
                                "WHERE k < 999999) SELECT 1 AS user_id, (k * 7919) % 500000 AS "
                                "item_id, 1600000000 + k AS time FROM n",
                         .timeout_seconds = 60},
        .rules = {.since = INT64_MIN, .until = INT64_MIN},
        .dataset = {.max_user_interactions = 1000},
        .split = {.by = SPLIT_LEAVE_LAST, .test = {SPLIT_COUNT, 10}}};
    store_path(state, "source.db", path);
    struct db *db = store_open(path, DB_CREATE);
    assert_ok(extract_read(db, &request, NULL, &extraction, &status), &status);
    assert_ok(extract_split(&extraction, &request, &status), &status);
    assert_ok(extract_build(&extraction, &request, &made, &status), &status);
    assert_int_equal(sparse_entries(&made.log.matrix), 500000);
    assert_int_equal(sparse_entries(&made.basis[BASIS_ALL].train.matrix), 1000);
    /* the capped items of train are known, the ten held-out ones are not */
    assert_int_equal(sparse_entries(&made.basis[BASIS_FIT].train.matrix), 1000);
    assert_int_equal(made.basis[BASIS_FIT].test_unknown[0], 10);
    interactions_release(&made);
    extraction_release(&extraction);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_filter_split_and_core_agrees_with_the_naive_way,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(the_order_of_rows_changes_nothing, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(a_chain_that_unravels_end_by_end_leaves_in_linear_time,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(one_user_with_a_million_events_works, store_folder_setup,
                                        store_folder_teardown),
    };
    return cmocka_run_group_tests_name("extract", tests, NULL, NULL);
}
