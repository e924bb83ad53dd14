/* model/dataset: the artifact "interactions" and the small maps over a dataset. That the content is
 * right is shown in test_extract. */
#include "dataset/dataset.h"

#include "base/mem.h"
#include "dataset/crowd.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

/* A matrix whose row r holds columns r % 2, r % 2 + 2, ... */
static struct history make_history(size_t n_rows, size_t n_columns, bool with_times)
{
    struct history history = {0};
    struct status status = {0};
    size_t n = 0;
    assert_ok(sparse_init(&history.matrix, n_rows, n_columns, n_rows * n_columns, true, &status),
              &status);
    if (with_times) {
        assert_ok(MEM_NEW(&history.times, n_rows * n_columns, &status), &status);
    }
    for (size_t row = 0; row < n_rows; row++) {
        for (size_t column = row % 2; column < n_columns; column += 2) {
            history.matrix.columns[n] = (int32_t)column;
            history.matrix.values[n] = (float)(row + 1);
            if (with_times) {
                history.times[n] = 1600000000 + (int64_t)n;
            }
            n++;
        }
        history.matrix.offsets[row + 1] = (int64_t)n;
    }
    return history;
}

/* The same without values and times. */
static struct sparse make_pattern(size_t n_rows, size_t n_columns)
{
    struct history history = make_history(n_rows, n_columns, false);
    mem_free(history.matrix.values);
    history.matrix.values = NULL;
    return history.matrix;
}

static int32_t *make_codes(size_t n, int32_t step)
{
    struct status status = {0};
    int32_t *codes = NULL;
    assert_ok(MEM_NEW(&codes, n, &status), &status);
    for (size_t i = 0; i < n; i++) {
        codes[i] = (int32_t)i * step;
    }
    return codes;
}

/* Nine users, seven items; FIT has validation and test, ALL neither. */
static struct interactions make_interactions(bool with_times)
{
    struct interactions made = {.has_times = with_times,
                                .newest_time = with_times ? 1700000000 : 0,
                                .n_rows = 5000000000,
                                .n_rejected = 3};
    struct status status = {0};
    int32_t code;
    for (int64_t id = 0; id < 9; id++) {
        assert_ok(vocabulary_add_text(&made.users, &"abcdefghi"[id], 1, &code, &status), &status);
    }
    for (int64_t id = 0; id < 7; id++) {
        assert_ok(vocabulary_add_integer(&made.items, id * 100, &code, &status), &status);
    }
    made.log = make_history(9, 7, with_times);
    for (size_t b = 0; b < N_BASES; b++) {
        struct dataset *set = &made.basis[b];
        set->n_users = 4 + b;
        set->n_items = 3 + b;
        set->users = make_codes(set->n_users, 2 - (int32_t)b);
        set->items = make_codes(set->n_items, 1);
        set->train = make_history(set->n_users, set->n_items, with_times);
        set->repeats = with_times;
    }
    struct dataset *fit = &made.basis[BASIS_FIT];
    fit->cold = (struct cold_part){.n_users = 5,
                                   .users = make_codes(5, 1),
                                   .history = make_history(5, 3, with_times),
                                   .held_out = make_pattern(5, 3),
                                   .unknown = make_codes(5, 2),
                                   .n_items = 2,
                                   .items = make_codes(2, 5),
                                   .item_held_out = make_pattern(4, 2),
                                   .item_seen = make_pattern(4, 2)};
    fit->valid = make_history(4, 3, with_times);
    fit->valid_unknown = make_codes(4, 3);
    fit->test = make_history(4, 3, with_times);
    fit->test_unknown = make_codes(4, 1);
    fit->valid_unknown_users = 2;
    fit->test_unknown_users = 11;
    return made;
}

static void check_history(const struct history *loaded, const struct history *expected)
{
    size_t entries = sparse_entries(&expected->matrix);
    assert_int_equal(loaded->matrix.n_rows, expected->matrix.n_rows);
    assert_int_equal(loaded->matrix.n_columns, expected->matrix.n_columns);
    assert_int_equal(sparse_entries(&loaded->matrix), entries);
    assert_memory_equal(loaded->matrix.columns, expected->matrix.columns,
                        entries * sizeof(int32_t));
    assert_memory_equal(loaded->matrix.values, expected->matrix.values, entries * sizeof(float));
    assert_int_equal(loaded->times == NULL, expected->times == NULL);
    if (expected->times != NULL) {
        assert_memory_equal(loaded->times, expected->times, entries * sizeof(int64_t));
    }
}

static void check_pattern(const struct sparse *loaded, const struct sparse *expected)
{
    size_t entries = sparse_entries(expected);
    assert_int_equal(loaded->n_rows, expected->n_rows);
    assert_int_equal(loaded->n_columns, expected->n_columns);
    assert_memory_equal(loaded->offsets, expected->offsets,
                        (expected->n_rows + 1) * sizeof(int64_t));
    assert_memory_equal(loaded->columns, expected->columns, entries * sizeof(int32_t));
    assert_null(loaded->values);
}

static void check_cold(const struct cold_part *loaded, const struct cold_part *expected)
{
    assert_int_equal(loaded->n_users, 5);
    assert_int_equal(loaded->n_items, 2);
    assert_memory_equal(loaded->users, expected->users, 5 * sizeof(int32_t));
    assert_memory_equal(loaded->unknown, expected->unknown, 5 * sizeof(int32_t));
    assert_memory_equal(loaded->items, expected->items, 2 * sizeof(int32_t));
    check_history(&loaded->history, &expected->history);
    check_pattern(&loaded->held_out, &expected->held_out);
    check_pattern(&loaded->item_held_out, &expected->item_held_out);
    check_pattern(&loaded->item_seen, &expected->item_seen);
}

static void check_round_trip(bool with_times)
{
    struct interactions made = make_interactions(with_times), loaded = {0};
    struct interactions expected = make_interactions(with_times);
    struct artifact artifact = {0};
    struct status status = {0};
    artifact_init(&artifact, "interactions");
    assert_ok(interactions_save(&made, &artifact, &status), &status);
    assert_true(made.is_view);
    check_history(&made.log, &expected.log);
    assert_ok(interactions_load(&loaded, &artifact, &status), &status);
    check_history(&loaded.log, &expected.log);
    assert_int_equal(loaded.has_times, with_times);
    assert_int_equal(loaded.newest_time, expected.newest_time);
    assert_int_equal(loaded.n_rows, 5000000000);
    assert_int_equal(loaded.n_rejected, 3);
    assert_int_equal(vocabulary_find_text(&loaded.users, "d", 1), 3);
    assert_int_equal(vocabulary_find_integer(&loaded.items, 600), 6);
    for (size_t b = 0; b < N_BASES; b++) {
        const struct dataset *set = &loaded.basis[b];
        assert_int_equal(set->n_users, 4 + b);
        assert_int_equal(set->n_items, 3 + b);
        assert_int_equal(set->users[3], 3 * (2 - (int)b));
        check_history(&set->train, &expected.basis[b].train);
        assert_int_equal(set->valid.matrix.n_rows, b == BASIS_FIT ? 4 : 0);
        assert_true(set->repeats == with_times);
    }
    check_history(&loaded.basis[BASIS_FIT].valid, &expected.basis[BASIS_FIT].valid);
    assert_int_equal(loaded.basis[BASIS_FIT].valid_unknown[3], 9);
    assert_int_equal(loaded.basis[BASIS_FIT].test_unknown[3], 3);
    assert_int_equal(loaded.basis[BASIS_FIT].valid_unknown_users, 2);
    assert_int_equal(loaded.basis[BASIS_FIT].test_unknown_users, 11);
    assert_null(loaded.basis[BASIS_ALL].test_unknown);
    check_cold(&loaded.basis[BASIS_FIT].cold, &expected.basis[BASIS_FIT].cold);
    assert_int_equal(loaded.basis[BASIS_ALL].cold.n_users, 0);
    assert_int_equal(loaded.basis[BASIS_ALL].cold.held_out.n_rows, 0);
    interactions_release(&loaded);
    interactions_release(&made);
    interactions_release(&expected);
    artifact_release(&artifact);
}

static void what_is_saved_is_loaded(void **state)
{
    (void)state;
    check_round_trip(true);
}

static void what_is_saved_without_times_is_loaded_without_times(void **state)
{
    (void)state;
    check_round_trip(false);
}

static void an_artifact_whose_arrays_do_not_fit_is_refused(void **state)
{
    (void)state;
    struct interactions made = make_interactions(true), loaded = {.n_rows = 77};
    struct artifact artifact = {0};
    struct status status = {0};
    artifact_init(&artifact, "interactions");
    assert_ok(interactions_save(&made, &artifact, &status), &status);
    made.log.matrix.offsets[9]++;
    assert_int_equal(interactions_load(&loaded, &artifact, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "do not fit together"));
    assert_int_equal(loaded.n_rows, 77);
    interactions_release(&made);
    artifact_release(&artifact);
}

static void an_empty_artifact_is_refused(void **state)
{
    (void)state;
    struct interactions loaded = {.n_rows = 77};
    struct artifact artifact = {0};
    struct status status = {0};
    artifact_init(&artifact, "interactions");
    assert_int_equal(interactions_load(&loaded, &artifact, &status), STATUS_DATA);
    assert_int_equal(loaded.n_rows, 77);
    artifact_release(&artifact);
}

static void saving_over_an_array_that_is_there_fails_and_frees_the_rest(void **state)
{
    (void)state;
    struct interactions made = make_interactions(true);
    struct artifact artifact = {0};
    struct status status = {0};
    artifact_init(&artifact, "interactions");
    assert_ok(
        artifact_take(&artifact, "fit.train.columns", ARRAY_I32, 1, 1, make_codes(1, 1), &status),
        &status);
    assert_int_equal(interactions_save(&made, &artifact, &status), STATUS_INTERNAL);
    assert_int_equal(made.n_rows, 0);
    assert_null(made.log.matrix.offsets);
    artifact_release(&artifact);
}

static void maps_are_inverted_and_items_counted(void **state)
{
    (void)state;
    static const int32_t codes[] = {1, 4, 5};
    int32_t map[7];
    int64_t counts[3];
    struct interactions made = make_interactions(false);
    dataset_invert(codes, 3, 7, map);
    const int32_t expected[] = {-1, 0, -1, -1, 1, 2, -1};
    assert_memory_equal(map, expected, sizeof map);
    dataset_item_counts(&made.basis[BASIS_FIT], counts); /* rows 0 2: columns 0 2; rows 1 3: 1 */
    assert_int_equal(counts[0], 2);
    assert_int_equal(counts[1], 2);
    assert_int_equal(counts[2], 2);
    interactions_release(&made);
}

static void popularity_halves_with_age(void **state)
{
    (void)state;
    int64_t offsets[] = {0, 2, 3}, times[] = {1000 * 86400, 990 * 86400, 980 * 86400};
    int32_t columns[] = {0, 1, 0};
    struct history history = {.matrix = {2, 3, offsets, columns, NULL}, .times = times};
    const struct crowd crowd = {0};
    struct status status = {0};
    double popularity[3];
    assert_int_equal(crowd_popularity(&crowd, &history, 10, popularity, &status), STATUS_OK);
    assert_true(fabs(popularity[0] - 1.25) < 1e-12 && fabs(popularity[1] - 0.5) < 1e-12);
    assert_true(popularity[2] == 0);
    assert_int_equal(crowd_popularity(&crowd, &history, 0, popularity, &status), STATUS_OK);
    assert_true(popularity[0] == 2 && popularity[1] == 1 && popularity[2] == 0);
    history.times = NULL;
    assert_int_equal(crowd_popularity(&crowd, &history, 10, popularity, &status), STATUS_OK);
    assert_true(popularity[0] == 2 && popularity[1] == 1 && popularity[2] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_is_loaded),
        cmocka_unit_test(what_is_saved_without_times_is_loaded_without_times),
        cmocka_unit_test(an_artifact_whose_arrays_do_not_fit_is_refused),
        cmocka_unit_test(an_empty_artifact_is_refused),
        cmocka_unit_test(saving_over_an_array_that_is_there_fails_and_frees_the_rest),
        cmocka_unit_test(maps_are_inverted_and_items_counted),
        cmocka_unit_test(popularity_halves_with_age),
    };
    return cmocka_run_group_tests_name("dataset", tests, NULL, NULL);
}
