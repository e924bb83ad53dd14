/* Side data of people read by several ranks, each of which keeps its own, against all of them at
 * one: the same tokens, values and words to the people who run it. Started alone it is one rank;
 * `mpirun -n 4` makes it four. */
#include "base/rng.h"
#include "features/feature_build.h"
#include "tests/support/ranked.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PEOPLE = 400, KNOWN = 300, N_TRIALS = 12 };

static const struct feature_rule any = {
    .type = FEATURE_AUTO, .separator = ",", .min_count = 3, .buckets = 16, .components = 3};
static const struct feature_rule multi = {
    .type = FEATURE_MULTI, .separator = ";", .min_count = 5, .buckets = 8};
static const struct feature_rule whole = {.type = FEATURE_VECTOR, .separator = ","};

struct side {
    struct vocabulary master;
    struct feature_rows rows;
    struct feature_table table;
    struct feature_report report;
};

static struct row_id id_of(size_t person, bool is_text, char text[32])
{
    const int length = snprintf(text, 32, "p%zu", person);
    return is_text ? (struct row_id){.is_text = true, .text = text, .length = (size_t)length}
                   : (struct row_id){.integer = (int64_t)person};
}

static bool is_own(const struct row_id *id, struct ranks *of)
{
    return ranks_owner(of, shard_of_key(vocabulary_key_of(id))) == ranks_mine(of);
}

static enum status_code side_make(struct side *side, struct db *db, struct ranks *of, bool is_text,
                                  enum bad_value on_bad_value, struct status *status)
{
    static const char *const names[] = {"likes", "face"};
    enum status_code code = STATUS_OK;
    struct feature_rule listed[] = {multi, whole};
    const struct feature_rules rules = {.columns = {.n = 2, .names = names, .values = listed},
                                        .other = &any,
                                        .what = "features.users.columns",
                                        .on_bad_value = on_bad_value};
    const struct feature_query query = {.what = "features.users.query",
                                        .sql = "SELECT * FROM people",
                                        .id_name = "user_id",
                                        .id_short = "user",
                                        .timeout_seconds = 10,
                                        .ranks = of};
    int32_t ignored;
    char text[32];
    for (size_t p = 0; p < KNOWN; p++) {
        const struct row_id id = id_of(p, is_text, text);
        if (is_own(&id, of)) {
            TRY(vocabulary_add(&side->master, &id, &ignored, status));
        }
    }
    TRY(feature_reader_run(db, &query, NULL, &side->rows, status));
    TRY(feature_table_build(&side->rows, &rules, &side->master, &side->table, &side->report,
                            status));
done:
    return code;
}

static void side_release(struct side *side)
{
    vocabulary_release(&side->master);
    feature_rows_release(&side->rows);
    feature_table_release(&side->table);
    feature_report_release(&side->report);
}

static void add_vector(struct buf *sql, struct rng *rng, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_addf(sql, "%s%.3f", i == 0 ? "'[" : ",", rng_normal(rng));
    }
    buf_addf(sql, "]'");
}

/* Columns of every type; people in any order, some of whom nobody else knows. */
static void fill(struct db *db, struct rng *rng, bool is_text, size_t n)
{
    struct buf sql = {0};
    uint32_t order[PEOPLE];
    char text[32];
    rng_permutation(rng, PEOPLE, order);
    store_exec(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                   "DROP TABLE IF EXISTS people;"
                   "CREATE TABLE people(user_id, age, town, likes, words, image, face, same, odd)");
    buf_addf(&sql, "BEGIN");
    for (size_t i = 0; i < n; i++) {
        const struct row_id id = id_of(order[i], is_text, text);
        is_text ? buf_addf(&sql, "; INSERT INTO people VALUES ('%s'", id.text)
                : buf_addf(&sql, "; INSERT INTO people VALUES (%lld", (long long)id.integer);
        rng_below(rng, 9) == 0 ? buf_addf(&sql, ", NULL")
                               : buf_addf(&sql, ", %.4f", 40 + 12 * rng_normal(rng));
        const int town = (int)rng_below(rng, 60), first = (int)rng_below(rng, 40);
        buf_addf(&sql, ", 'town%d', 'a%d;b%d;c'", town * town / 60, first, (int)rng_below(rng, 9));
        buf_addf(&sql, ", 'word%d and word%d of %u', ", first, town, order[i]);
        add_vector(&sql, rng, 6);
        buf_addf(&sql, ", ");
        rng_below(rng, 5) == 0 ? buf_addf(&sql, "NULL") : add_vector(&sql, rng, 4);
        rng_below(rng, 50) == 0 ? buf_addf(&sql, ", 7, 1e300)")
                                : buf_addf(&sql, ", 7, %.3f)", rng_normal(rng));
    }
    buf_addf(&sql, "; COMMIT");
    store_exec(db, buf_text(&sql));
    buf_release(&sql);
}

static void assert_same_text(const struct strings *a, const struct strings *b)
{
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        size_t n, m;
        const char *x = strings_get(a, i, &n), *y = strings_get(b, i, &m);
        assert_int_equal(n, m);
        assert_memory_equal(x, y, n);
    }
}

static int32_t entity_of(const struct side *side, const struct row_id *id)
{
    const int32_t code = vocabulary_find(&side->master, id);
    const int32_t extra = code < 0 ? vocabulary_find(&side->table.extra, id) : -1;
    return code >= 0 ? code : extra < 0 ? -1 : (int32_t)side->master.n + extra;
}

static void assert_same(const struct side *here, const struct side *alone, bool is_text)
{
    const struct sparse *m = &here->table.matrix, *all = &alone->table.matrix;
    size_t n_own = 0;
    assert_same_text(&here->table.names, &alone->table.names);
    assert_same_text(&here->table.values, &alone->table.values);
    assert_same_text(&here->report.warnings, &alone->report.warnings);
    assert_string_equal(buf_text(&here->report.summary), buf_text(&alone->report.summary));
    assert_int_equal(here->table.n_columns, alone->table.n_columns);
    for (size_t c = 0; c < here->table.n_columns; c++) {
        assert_memory_equal(&here->table.columns[c], &alone->table.columns[c],
                            sizeof *here->table.columns);
    }
    for (size_t p = 0; p < PEOPLE; p++) {
        char text[32];
        const struct row_id id = id_of(p, is_text, text);
        const int32_t ours = entity_of(here, &id), theirs = entity_of(alone, &id);
        if (!is_own(&id, ranks)) {
            assert_int_equal(ours, -1);
            continue;
        }
        n_own += ours >= 0;
        assert_int_equal(ours >= 0, theirs >= 0);
        if (ours >= 0) {
            const size_t n = sparse_row_length(all, (size_t)theirs);
            assert_int_equal(sparse_row_length(m, (size_t)ours), n);
            assert_memory_equal(m->columns + m->offsets[ours], all->columns + all->offsets[theirs],
                                n * sizeof *m->columns);
            assert_memory_equal(m->values + m->offsets[ours], all->values + all->offsets[theirs],
                                n * sizeof *m->values);
        }
    }
    assert_int_equal(m->n_rows, n_own);
}

static void shared_side_data_are_the_same_side_data(void **state)
{
    char path[STORE_PATH_MAX];
    struct rng rng;
    store_path(state, "people.db", path);
    struct db *db = store_open(path, DB_CREATE);
    rng_init(&rng, 5, "test", 0, 0);
    for (int trial = 0; trial < N_TRIALS; trial++) {
        struct side here = {0}, alone = {0};
        struct status status = {0};
        const bool is_text = trial % 2 == 1;
        fill(db, &rng, is_text, trial < 4 ? (size_t)trial : PEOPLE - 17 * (size_t)trial);
        if (side_make(&alone, db, NULL, is_text, BAD_VALUE_IMPUTE, &status) != STATUS_OK ||
            side_make(&here, db, ranks, is_text, BAD_VALUE_IMPUTE, &status) != STATUS_OK) {
            fail_msg("%s", status.message);
        }
        assert_same(&here, &alone, is_text);
        side_release(&here);
        side_release(&alone);
    }
    db_close(db);
}

/* Whoever has the row tells where it is in the query; who else has read it does not. */
static void a_bad_value_is_told_with_its_row_by_its_rank(void **state)
{
    char path[STORE_PATH_MAX];
    struct side here = {0};
    struct status status = {0};
    store_path(state, "people.db", path);
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, "CREATE TABLE people(user_id, age, likes, face);"
                   "INSERT INTO people VALUES (11, 3, 'a', NULL), (12, 4, 'a', NULL),"
                   "(13, 1e999, 'a', NULL), (14, 5, 'a', NULL)");
    enum status_code code = side_make(&here, db, ranks, false, BAD_VALUE_REJECT, &status);
    if (code != STATUS_OK) {
        code = ranks_leave(ranks, &status);
    }
    assert_int_equal(code, STATUS_DATA);
    assert_non_null(strstr(status.message, "features.users.query, row 3: age is infinite"));
    ranks_go_on(ranks);
    side_release(&here);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shared_side_data_are_the_same_side_data, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(a_bad_value_is_told_with_its_row_by_its_rank,
                                        store_folder_setup, store_folder_teardown),
    };
    return cmocka_run_group_tests_name("shared_features", tests, ranked_open, ranked_close);
}
