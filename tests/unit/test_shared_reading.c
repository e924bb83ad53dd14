/* A log read by several ranks against the whole of it, of which a rank's users are kept: the same
 * artifacts, counts and errors, whether each rank reads everything, a range of the key, or rows of
 * its own. Started alone it is one rank; `mpirun -n 4` makes it four. */
#include "events/extract.h"

#include "dataset/dataset_ranks.h"
#include "evaluation/weight_half_life.h"
#include "events/late_events.h"
#include "events/new_events.h"
#include "ranks/ranks.h"
#include "tests/support/own_users.h"
#include "tests/support/ranked.h"
#include "tests/support/shop_log.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N_TRIALS = 60 };

enum reading { READ_WHOLE, READ_KEYS, READ_OWN, N_READINGS };

static int n_sound;
/* behind each the same with a key */
static const char *const with_time[] = {"SELECT * FROM log", "SELECT *, rowid AS id FROM log"};
static const char *const without_time[] = {
    "SELECT user_id, item_id, event, weight FROM log",
    "SELECT user_id, item_id, event, weight, rowid AS id FROM log"};

/* Of all ranks at once, for none may wait for another that has given up. */
static void all_must(bool is_so, const char *what, const char *detail)
{
    struct status status = {0};
    int64_t fails = is_so ? 0 : 1;
    if (ranks_max_int64(ranks, &fails, 1, &status) != STATUS_OK) {
        fail_msg("%s: %s", what, status.message);
    }
    if (fails > 0) {
        fail_msg("rank %zu: %s %s: %s", ranks_mine(ranks),
                 is_so ? "another rank fails:" : "FAILS:", what, detail);
    }
}

/* What a reading comes to. */
struct result {
    struct status status;
    struct artifact made[3]; /* interactions, late events, new events */
    struct row_report report;
    double share;
    struct weight_half_life half_life;
};

/* NULL, or what the two do not have alike. */
static const char *difference(const struct artifact *a, const struct artifact *b)
{
    for (size_t i = 0; i < a->n_arrays; i++) {
        const struct array *x = &a->arrays[i], *y = artifact_find(b, x->name);
        if (y == NULL || x->type != y->type || array_bytes(x) != array_bytes(y) ||
            (array_bytes(x) > 0 && memcmp(x->data, y->data, array_bytes(x)) != 0)) {
            return x->name;
        }
    }
    return a->n_arrays == b->n_arrays ? NULL : "number of arrays";
}

static void result_release(struct result *result)
{
    for (size_t i = 0; i < 3; i++) {
        artifact_release(&result->made[i]);
    }
}

/* of_whole: by this rank alone, which then keeps its own users. */
static enum status_code build(struct db *db, struct extract_request request, bool of_whole,
                              struct result *out, struct status *status)
{
    enum status_code code;
    struct extraction extraction = {0};
    struct interactions made = {0};
    request.ranks = of_whole ? NULL : ranks;
    TRY(extract_read(db, &request, NULL, &extraction, status));
    out->report = extraction.report;
    TRY(extract_split(&extraction, &request, status));
    out->share = extraction.repeat_share;
    TRY(weight_half_life_choose(&extraction.log, request.dataset.duplicates, 5, NULL,
                                &out->half_life, status));
    TRY(extract_build(&extraction, &request, &made, status));
    if (of_whole) {
        TRY(own_users_keep(ranks, &made, status));
    }
    TRY(interactions_add_up(ranks, &made, status));
    artifact_init(&out->made[0], "interactions");
    TRY(interactions_save(&made, &out->made[0], status));
    if (!of_whole) { /* their users are numbered as the log's, of which the whole has others */
        TRY(late_events_gather(&extraction.log, &out->made[1], status));
        TRY(new_events_gather(&extraction.log, 1600000000 + 100000, &out->made[2], status));
    }
done:
    interactions_release(&made);
    extraction_release(&extraction);
    return code;
}

static void draw_request(struct rng *rng, struct extract_request *request)
{
    static const char *const names[] = {"view", "purchase"};
    static const double values[] = {1.0, 5.0};
    const bool with_times = rng_below(rng, 5) > 0;
    const enum split_by by = (enum split_by)(1 + rng_below(rng, 3)); /* time, leave_last, random */
    *request = (struct extract_request){
        .interactions = {.what = "source.interactions",
                         .sql = (with_times ? with_time : without_time)[0],
                         .timeout_seconds = 60},
        .rules = {.other_events = OTHER_EVENTS_IGNORE,
                  .min_rating = rng_below(rng, 2) == 0 ? 4 : 0,
                  .since = with_times && rng_below(rng, 3) == 0 ? 1600000000 + 36000 : INT64_MIN,
                  .until = INT64_MIN,
                  .max_bad_share = rng_below(rng, 2) == 0 ? 0.3 : 0,
                  .max_bad_rows = 40},
        .dataset = {.duplicates = (enum duplicate_policy)rng_below(rng, 3),
                    .half_life = !with_times || rng_below(rng, 2) == 0 ? 0 : 40000,
                    .min_user_interactions = 1 + (int64_t)rng_below(rng, 4),
                    .min_item_interactions = 1 + (int64_t)rng_below(rng, 4),
                    .max_user_interactions = rng_below(rng, 2) == 0 ? 0 : 6},
        .split = {.by = with_times ? by : SPLIT_AUTO,
                  .seed = 3,
                  .valid = {SPLIT_FRACTION, 0.2},
                  .test = {SPLIT_FRACTION, 0.1},
                  .cold_users = rng_below(rng, 3) == 0 ? 0.2 : 0,
                  .cold_items = rng_below(rng, 3) == 0 ? 0.1 : 0,
                  .repeats = (int)rng_below(rng, 3)}};
    if (by == SPLIT_LEAVE_LAST && with_times) {
        request->split.valid = request->split.test = (struct split_amount){SPLIT_COUNT, 1};
    }
    if (rng_below(rng, 2) == 0) {
        request->rules.event_weights = (struct option_numbers){2, names, values};
    }
    if (request->rules.min_rating > 0) {
        request->rules.has_dislike_rating = true;
        request->rules.dislike_rating = 2;
    }
    if (rng_below(rng, 3) == 0) {
        request->test_query = with_times ? "SELECT user_id, item_id, weight, time FROM given"
                                         : "SELECT user_id, item_id FROM given";
        request->split.test = (struct split_amount){SPLIT_NOTHING, 0};
    }
    if (rng_below(rng, 3) == 0) {
        request->valid_query = with_times ? "SELECT user_id, item_id, weight, time FROM given"
                                          : "SELECT user_id, item_id FROM given";
        request->split.valid = (struct split_amount){SPLIT_NOTHING, 0};
    }
}

/* Rows that are wrong here and there, and sometimes first ids that are the odd ones. */
static void spoil(struct db *db, struct rng *rng)
{
    static const char *const spoils[] = {
        "UPDATE log SET user_id = NULL WHERE rowid % 29 = 3",
        "UPDATE log SET item_id = x'00' WHERE rowid % 31 = 4",
        "UPDATE log SET weight = 'much' WHERE rowid % 37 = 5",
        "UPDATE log SET time = 12 WHERE rowid % 41 = 6",
        "UPDATE log SET user_id = CASE typeof(user_id) WHEN 'text' THEN 77 ELSE 'x' END"
        " WHERE rowid = 1",
        "UPDATE log SET item_id = CASE typeof(item_id) WHEN 'text' THEN 77 ELSE 'x' END"
        " WHERE rowid % 43 = 7",
        "UPDATE log SET user_id = CASE typeof(user_id) WHEN 'text' THEN 77 ELSE 'x' END"
        " WHERE rowid % 3 = 1",
        "UPDATE log SET time = time * 1000 WHERE rowid = 50"};
    for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
        if (rng_below(rng, i < 6 ? 3 : 12) == 0) {
            store_exec(db, spoils[i]);
        }
    }
}

static bool same_counts(const struct row_report *a, const struct row_report *b)
{
    return a->n_rows == b->n_rows && a->n_accepted == b->n_accepted &&
           a->n_rejected == b->n_rejected && a->n_dislikes == b->n_dislikes &&
           memcmp(a->faults, b->faults, sizeof a->faults) == 0 &&
           memcmp(a->filtered, b->filtered, sizeof a->filtered) == 0;
}

/* Rows of its own: this rank's run of rows, in the place of all of them. */
static void keep_own_rows(struct db *db)
{
    char sql[200];
    for (int t = 0; t < 2; t++) {
        const char *name = t == 0 ? "log" : "given";
        snprintf(sql, sizeof sql,
                 "DELETE FROM %s WHERE (rowid - 1) * %zu / (SELECT max(rowid) FROM %s) <> %zu",
                 name, ranks_n(ranks), name, ranks_mine(ranks));
        store_exec(db, sql);
    }
}

static void check_trial(struct rng *rng, const char *path, int trial)
{
    static struct shop_log log, given;
    struct extract_request request;
    struct result whole = {0};
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                   "DROP TABLE IF EXISTS log; DROP TABLE IF EXISTS given");
    draw_request(rng, &request);
    shop_log_fill(&log, rng, 60 + rng_below(rng, LOG_ROWS - 60));
    shop_log_fill(&given, rng, 60);
    given.text_ids = log.text_ids;
    shop_log_write(&log, db, "log");
    shop_log_write(&given, db, "given");
    spoil(db, rng);
    (void)build(db, request, true, &whole, &whole.status);
    const char *const *sql = request.interactions.sql == with_time[0] ? with_time : without_time;
    /* after an error ranks do nothing together any more */
    const bool is_sound = whole.status.code == STATUS_OK;
    n_sound += is_sound;
    for (enum reading reading = READ_WHOLE; is_sound && reading < N_READINGS; reading++) {
        struct result shared = {0};
        char what[100];
        snprintf(what, sizeof what, "trial %d, reading %d", trial, (int)reading);
        const bool has_key = reading == READ_KEYS;
        request.interactions.key = has_key ? "id" : NULL;
        request.interactions.sql = sql[has_key];
        request.has_own_rows = request.has_own_source = reading == READ_OWN;
        if (reading == READ_OWN) {
            keep_own_rows(db);
        }
        enum status_code code = build(db, request, false, &shared, &shared.status);
        all_must(code == STATUS_OK, what, shared.status.message);
        all_must(same_counts(&shared.report, &whole.report), what, "counts");
        all_must(shared.share == whole.share, what, "share of repeats");
        all_must(memcmp(shared.half_life.values, whole.half_life.values,
                        sizeof whole.half_life.values) == 0 &&
                     shared.half_life.n_users == whole.half_life.n_users,
                 what, "half-life");
        if (reading == READ_WHOLE) {
            for (size_t i = 1; i < 3; i++) { /* how they are to be from now on */
                whole.made[i] = shared.made[i];
                shared.made[i] = (struct artifact){0};
            }
        }
        for (size_t i = 0; i < 3; i++) {
            const bool is_here = i == 0 || reading != READ_WHOLE;
            const char *differs = is_here ? difference(&whole.made[i], &shared.made[i]) : NULL;
            all_must(differs == NULL, what, differs);
        }
        result_release(&shared);
    }
    result_release(&whole);
    db_close(db);
}

static void a_shared_log_is_the_same_log(void **state)
{
    char path[STORE_PATH_MAX];
    struct rng rng;
    store_path(state, "source.db", path);
    rng_init(&rng, 12, "test", 0, 0);
    const int n_trials = N_TRIALS / (int)ranks_n(ranks);
    for (int trial = 0; trial < n_trials; trial++) {
        check_trial(&rng, path, trial);
    }
    assert_true(n_sound > n_trials / 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_shared_log_is_the_same_log, store_folder_setup,
                                        store_folder_teardown),
    };
    return cmocka_run_group_tests_name("shared_reading", tests, ranked_open, ranked_close);
}
