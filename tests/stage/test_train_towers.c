/* train with towers of more than ids: features, histories, hidden layers, the graph, views; and
 * what their options do not allow. */
#include "math/blas.h"
#include "towers/embeddings.h"
#include "run/runner.h"
#include "tests/support/stage_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

extern const struct stage stage_interactions, stage_features, stage_pairs, stage_negatives,
    stage_train, stage_refit;
static const struct stage *const registry[] = {
    &stage_interactions, &stage_features, &stage_pairs, &stage_negatives,
    &stage_train,        &stage_refit,    NULL};

/* 60 users, 40 items: user u likes the items of u's parity, which the products tell as their kind.
 * Product 100 is even and 101 odd, and nobody has had them; 102 says nothing; item 0 is no product.
 */
static const char shop[] =
    "CREATE TABLE events (user_id INTEGER, item_id INTEGER);"
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200)"
    " INSERT INTO events SELECT DISTINCT i % 60, i * 7919 % 1009 * 31 % 20 * 2 + i % 2 FROM n;"
    "CREATE TABLE products (item_id INTEGER PRIMARY KEY, kind TEXT, shade TEXT);"
    "INSERT INTO products SELECT DISTINCT item_id, CASE item_id % 2 WHEN 0 THEN 'even' ELSE 'odd'"
    " END, 'shade' || item_id % 3 FROM events WHERE item_id > 0;"
    "INSERT INTO products VALUES (100, 'even', 'shade1'), (101, 'odd', 'never seen'),"
    " (102, NULL, NULL);";

#define SPLIT "- interactions: {split: {by: random, valid: 0.2, test: 0.2}}\n"
#define FEATURES                                                                                   \
    "- features: {items: {query: 'SELECT * FROM products', columns: {"                             \
    "kind: {type: categorical}, shade: {type: categorical}}}}\n"
#define NEGATIVES "- negatives: {strategy: all}\n"
#define TRAIN     "dimension: 8, epochs: 20, batch_users: 16, learning_rate: 0.02"

static void run(void **state, const char *stages)
{
    struct status status;
    if (stage_run(state, registry, stages, 1, &status) != STATUS_OK) {
        fail_msg("%s: %s", stages, status.message);
    }
}

static double cosine(struct const_matrix m, size_t a, size_t b)
{
    double sum = 0.0;
    for (size_t d = 0; d < m.columns; d++) {
        sum += (double)m.data[a * m.stride + d] * (double)m.data[b * m.stride + d];
    }
    return sum;
}

/* An item that only its features tell of lies with the items of its kind; one without any has no
 * kind lies apart; one that is no product trains on its id. */
static void features_give_cold_items_their_place(void **state)
{
    struct embeddings embeddings = {0};
    struct status status = {0};
    stage_source(state, shop);
    run(state, SPLIT FEATURES NEGATIVES "- train: {" TRAIN ", id_dropout: 0.5}\n- refit: {}\n");
    struct artifact artifact = stage_artifact_of(state, "refit/towers");
    assert_int_equal(embeddings_load(&embeddings, &artifact, &status), STATUS_OK);
    assert_int_equal(embeddings.items.rows, 40);
    assert_int_equal(embeddings.cold_items.rows,
                     3); /* of 102: what is missing says something, too */
    assert_int_equal(embeddings.cold_item_codes[0], 40);
    assert_int_equal(embeddings.cold_item_codes[1], 41);
    double same = 0.0, other = 0.0;
    for (size_t u = 0; u < 60; u++) {
        const struct const_matrix cold = embeddings.cold_items, users = embeddings.users;
        for (size_t c = 0; c < 2; c++) {
            double score = 0.0;
            for (size_t d = 0; d < 8; d++) {
                score += (double)users.data[u * users.stride + d] *
                         (double)cold.data[c * cold.stride + d];
            }
            *(u % 2 == c ? &same : &other) += score / 60.0;
        }
    }
    assert_true(same > other + 0.3);
    assert_true(cosine(embeddings.cold_items, 0, 1) < 0.9);
    artifact_release(&artifact);
}

static void every_part_of_the_towers_trains(void **state)
{
    static const char *const options[] = {
        "history: {}",
        "history: {pooling: decay, half_life: 5d}",
        "history: {pooling: attention, newest: 5}",
        "hidden: {layers: 2, units: 16, activation: gelu}",
        "propagation: {hops: 2}",
        "dropout: 0.2",
        "item_bias: true",
        "views: {change: noise}",
        "views: {change: dropout}",
        "history: {}, views: {change: crop}",
        "history: {}, views: {change: mask}",
        "history: {}, views: {change: substitute}",
        "history: {pooling: decay}, views: {change: reorder}",
        "propagation: {}, views: {change: edges}",
        "propagation: {}, views: {change: nodes}",
    };
    char stages[600];
    stage_source(state, shop);
    for (size_t o = 0; o < sizeof options / sizeof *options; o++) {
        snprintf(stages, sizeof stages,
                 SPLIT "- pairs: {item_item: {top: 5}}\n" NEGATIVES "- train: {" TRAIN
                       ", %s}\n- refit: {}\n",
                 options[o]);
        run(state, stages);
        /* far above the .23 of a list drawn by chance */
        double best = stage_number(state, "train/training", "best_metric");
        if (best < 0.4) {
            fail_msg("%s: ndcg@20 %g on validation", options[o], best);
        }
    }
}

static void mistakes_have_their_place_and_leave_nothing(void **state)
{
    static const struct {
        const char *options, *told;
    } rows[] = {
        {"views: {change: crop}",
         "10:52: train.views.change: crop changes histories, and the towers read none"},
        {"history: {}, views: {change: reorder}", "reorder has no effect on history.pooling mean"},
        {"views: {change: edges}", "edges leaves out parts of the graph, and the towers read none"},
        {"views: {change: blur}",
         "allowed: one of noise, dropout, crop, mask, reorder, substitute, edges"},
        {"history: {pooling: max}", "allowed: one of mean, decay, attention"},
        {"history: {hide: 1}", "history.hide"},
        {"hidden: {activation: tanh}", "allowed: one of relu, gelu"},
        {"hidden: {layers: 9}", "hidden.layers"},
        {"propagation: {hops: 4}", "propagation.hops"},
        {"propagation: {hops: 0.5}",
         "\"0.5\" is not a whole number; allowed: auto or a whole number from 0 to 3"},
        {"temperature: soon", "temperature"},
        {"degree_exponent: 2", "degree_exponent"},
    };
    char stages[400], place[STATUS_MESSAGE_MAX + 64];
    struct status status;
    stage_source(state, shop);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        snprintf(stages, sizeof stages, SPLIT NEGATIVES "- train: {dimension: 8, epochs: 2, %s}\n",
                 rows[r].options);
        assert_int_equal(stage_run(state, registry, stages, 1, &status), STATUS_CONFIG);
        snprintf(place, sizeof place, "%zu:%zu: %s", status.line, status.column, status.message);
        if (strstr(place, rows[r].told) == NULL) {
            fail_msg("%s: %s", rows[r].options, place);
        }
        assert_true(status.line > 0 && status.column > 0);
        store_path(state, "work.db", place);
        assert_int_not_equal(access(place, F_OK), 0); /* nothing was begun */
    }
}

static void a_dimension_beyond_the_memory_is_refused_with_both_figures(void **state)
{
    struct status status;
    stage_source(state, shop);
    assert_int_equal(stage_run(state, registry,
                               SPLIT NEGATIVES
                               "- train: {dimension: 512, epochs: 2}\nmemory_limit: 33M\n",
                               1, &status),
                     STATUS_NO_MEMORY);
    assert_non_null(strstr(status.message, "stage train needs about "));
    assert_non_null(strstr(status.message, "memory_limit is 33 MiB"));
    assert_false(stage_has_artifact(state, "train/towers"));
}

/* ---- a column that vanishes ---- */

static void run_again(void **state, const char *query, struct buf *said)
{
    const struct stage_registry stages = {registry};
    struct status status = {0};
    struct run_result result = {0};
    struct plan *plan = NULL;
    char path[STORE_PATH_MAX], override[256], text[4096];
    const char *const overrides[] = {override};
    FILE *stream = tmpfile();
    struct log log = {.stream = stream, .level = LOG_WARNING};
    assert_non_null(stream);
    store_path(state, "pipeline.yaml", path);
    snprintf(override, sizeof override, "stages.features.items.query=%s", query);
    assert_int_equal(plan_load(path, &stages, overrides, 1, &plan, &status), STATUS_OK);
    const struct run_request request = {.plan = plan, .version = "test", .log = &log};
    if (runner_run(&request, &result, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    rewind(stream);
    size_t length = fread(text, 1, sizeof text, stream);
    buf_add(said, text, length);
    fclose(stream);
    plan_free(plan);
}

static void a_column_that_vanishes_between_two_nights_is_told(void **state)
{
    struct buf said = {0};
    stage_source(state, shop);
    run(state, SPLIT "- features: {items: {query: 'SELECT * FROM products'}}\n" NEGATIVES
                     "- train: {" TRAIN "}\n");
    run_again(state, "SELECT item_id, kind FROM products", &said);
    assert_non_null(
        strstr(buf_text(&said), "gone since the last run, or of another type, in items: shade"));
    buf_clear(&said);
    run_again(state, "SELECT item_id, kind FROM products WHERE 1", &said);
    assert_null(strstr(buf_text(&said), "gone since"));
    buf_release(&said);
}

#define STAGE_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, store_folder_setup, store_folder_teardown)

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        STAGE_TEST(features_give_cold_items_their_place),
        STAGE_TEST(every_part_of_the_towers_trains),
        STAGE_TEST(mistakes_have_their_place_and_leave_nothing),
        STAGE_TEST(a_dimension_beyond_the_memory_is_refused_with_both_figures),
        STAGE_TEST(a_column_that_vanishes_between_two_nights_is_told),
    };
    return cmocka_run_group_tests_name("towers of more than ids", tests, NULL, NULL);
}
