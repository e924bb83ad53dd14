/* A generation whose rows several ranks have: it is the one that a single rank publishes, and a
 * failure of anybody leaves the old one. One rank when started by itself; tests/fault/ranks.sh
 * starts it as several. */
#include "publishing/generation.h"

#include "store/migrate.h"
#include "tests/support/publish_support.h"
#include "tests/support/ranked.h"
#include "tests/support/store_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* reasons come in several pieces a rank */
static const struct sample_shape large = {.n_users = 4000, .n_items = 50, .top = 10};
static const struct sample_shape texts = {
    .n_users = 70, .n_items = 9, .top = 3, .users_are_text = true, .items_are_text = true};
/* some ranks have nobody */
static const struct sample_shape tiny = {.n_users = 2, .n_items = 5, .top = 2};

/* Rows of others are closed over: row i is rank i % n's. Returns how many are left. */
static size_t keep(const void *rows, size_t n, size_t bytes)
{
    char *at = (char *)rows;
    size_t kept = 0;
    for (size_t i = ranks_mine(ranks); i < n; i += ranks_n(ranks)) {
        memmove(at + kept++ * bytes, at + i * bytes, bytes);
    }
    return kept;
}

/* Leaves this rank's users and similar items. */
static void take_part(struct publish_content *c)
{
    const size_t n_users = c->n_served, top = c->top;
    keep(c->rec_items, n_users, top * sizeof *c->rec_items);
    keep(c->rec_scores, n_users, top * sizeof *c->rec_scores);
    keep(c->rec_sources, n_users, top * sizeof *c->rec_sources);
    keep(c->reason_items, n_users, top * c->n_reasons * sizeof *c->reason_items);
    keep(c->reason_scores, n_users, top * c->n_reasons * sizeof *c->reason_scores);
    keep(c->part_values, n_users, top * c->n_parts * sizeof *c->part_values);
    c->n_served = keep(c->served, n_users, sizeof *c->served);
    keep(c->similar_users, n_users, sizeof *c->similar_users);
    keep(c->similar_user_scores, n_users, sizeof *c->similar_user_scores);
    c->n_similar_users = keep(c->similar_user_anchors, n_users, sizeof *c->similar_user_anchors);
    keep(c->user_vectors, n_users, c->dimension * sizeof *c->user_vectors);
    keep(c->user_vector_sources, n_users, sizeof *c->user_vector_sources);
    c->n_user_vectors = keep(c->user_vector_codes, n_users, sizeof *c->user_vector_codes);
    keep(c->similar_items, c->n_similar_anchors, sizeof *c->similar_items);
    keep(c->similar_scores, c->n_similar_anchors, sizeof *c->similar_scores);
    c->n_similar_anchors =
        keep(c->similar_anchors, c->n_similar_anchors, sizeof *c->similar_anchors);
}

static struct db *open_output(void **state, const char *name)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, name, path);
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, "PRAGMA synchronous = OFF");
    assert_int_equal(migrate_apply(db, MIGRATE_OUTPUT, "", &status), STATUS_OK);
    return db;
}

static void assert_same(struct db *a, struct db *b, const char *sql)
{
    struct buf of_a = store_rows(a, sql), of_b = store_rows(b, sql);
    assert_string_equal(buf_text(&of_a), buf_text(&of_b));
    buf_release(&of_a);
    buf_release(&of_b);
}

static void publish_both_ways(void **state, struct sample_shape shape)
{
    static const char *const queries[] = {
        "SELECT * FROM recommendations ORDER BY 1, 2",
        "SELECT * FROM recommendation_reasons ORDER BY 1, 2, 4",
        "SELECT * FROM recommendation_parts ORDER BY 1, 2, 3",
        "SELECT * FROM similar_items ORDER BY 1, 2",
        "SELECT * FROM similar_users ORDER BY 1, 2",
        "SELECT * FROM popular_items ORDER BY 1",
        "SELECT * FROM trending_items ORDER BY 1, 2, 3",
        "SELECT * FROM user_embeddings ORDER BY 1",
        "SELECT * FROM item_embeddings ORDER BY 1",
        "SELECT checksum, n_users, n_recommendations, n_user_embeddings FROM nightjar_generations"};
    const bool is_first = ranks_is_first(ranks);
    struct db *shared = is_first ? open_output(state, "shared.db") : NULL;
    struct db *alone = is_first ? open_output(state, "alone.db") : NULL;
    struct status status = {0};
    struct sample part, whole;
    int64_t generation = 0;
    sample_init(&part, shape, 0.5F);
    take_part(&part.content);
    const struct publish_target target = {.db = shared, .ranks = ranks, .prefix = "", .keep = 2};
    assert_int_equal(publish_generation(&target, &part.content, &generation, &status), STATUS_OK);
    assert_int_equal(generation, 1);
    if (is_first) {
        const struct publish_target own = {.db = alone, .prefix = "", .keep = 2};
        sample_init(&whole, shape, 0.5F);
        assert_int_equal(publish_generation(&own, &whole.content, &generation, &status), STATUS_OK);
        for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
            assert_same(shared, alone, queries[q]);
        }
        sample_release(&whole);
    }
    sample_release(&part);
    db_close(shared);
    db_close(alone);
}

static void rows_of_all_ranks_are_one_generation(void **state)
{
    publish_both_ways(state, large);
}

static void so_are_rows_with_texts(void **state)
{
    publish_both_ways(state, texts);
}

static void a_rank_may_have_nobody(void **state)
{
    publish_both_ways(state, tiny);
}

static enum status_code stop_later(void *data, struct status *status)
{
    int *n_left = data;
    return --*n_left > 0 ? STATUS_OK : status_set(status, STATUS_IO, "the disk is full");
}

enum { NEVER = 1 << 20 };

/* Publishes a first generation, then a second one that must fail with `code` on all ranks. n_left:
 * how often this rank asks whether to stop until it does; 0: as often as it asks at all. */
static void fail_after_one(void **state, int n_left, bool breaks, enum status_code code)
{
    struct db *db = ranks_is_first(ranks) ? open_output(state, "out.db") : NULL;
    int left = NEVER;
    const struct publish_target target = {.db = db,
                                          .ranks = ranks,
                                          .prefix = "",
                                          .keep = 2,
                                          .watch = {.check_stop = stop_later, .data = &left}};
    struct status status = {0};
    struct sample sample;
    int64_t generation = 0;
    sample_init(&sample, large, 0.5F);
    take_part(&sample.content);
    assert_int_equal(publish_generation(&target, &sample.content, &generation, &status), STATUS_OK);
    left = n_left > 0 ? n_left : NEVER - left;
    if (breaks) {
        ((float *)sample.content.user_vectors)[0] = NAN;
    }
    if (publish_generation(&target, &sample.content, &generation, &status) != STATUS_OK) {
        (void)!ranks_leave(ranks, &status);
    }
    assert_int_equal(status.code, code);
    ranks_go_on(ranks);
    if (db != NULL) {
        store_assert_rows(db, "SELECT DISTINCT generation FROM recommendations", "1\n");
        store_assert_rows(db, "SELECT max(generation) FROM nightjar_objects", "1\n");
    }
    sample_release(&sample);
    db_close(db);
}

static bool is_last(void)
{
    return ranks_mine(ranks) == ranks_n(ranks) - 1;
}

static void a_rank_that_fails_leaves_the_old_generation(void **state)
{
    fail_after_one(state, NEVER, is_last(), STATUS_INTERNAL);
}

static void so_does_the_one_that_writes(void **state)
{
    fail_after_one(state, ranks_is_first(ranks) ? 3 : NEVER, false, STATUS_IO);
}

static void one_that_sends_may_stop_it_at_once(void **state)
{
    fail_after_one(state, is_last() ? 2 : NEVER, false, STATUS_IO);
}

static void one_that_sends_may_stop_it_until_the_switch(void **state)
{
    fail_after_one(state, is_last() ? 0 : NEVER, false, STATUS_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_of_all_ranks_are_one_generation, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(so_are_rows_with_texts, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(a_rank_may_have_nobody, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(a_rank_that_fails_leaves_the_old_generation,
                                        store_folder_setup, store_folder_teardown),
        cmocka_unit_test_setup_teardown(so_does_the_one_that_writes, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(one_that_sends_may_stop_it_at_once, store_folder_setup,
                                        store_folder_teardown),
        cmocka_unit_test_setup_teardown(one_that_sends_may_stop_it_until_the_switch,
                                        store_folder_setup, store_folder_teardown),
    };
    return cmocka_run_group_tests(tests, ranked_open, ranked_close);
}
