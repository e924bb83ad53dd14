/* The training curve in artifacts and the table training_curve, old and new. */
#include "training/curve.h"

#include "base/mem.h"
#include "store/embedded_sql.h"
#include "store/migrate.h"
#include "tests/support/store_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

static void every_figure_of_a_point_has_one_column_and_starts_unknown(void **state)
{
    (void)state;
    struct curve_point point = {0};
    assert_int_equal(sizeof point, sizeof(double) * (1 + CURVE_COLUMNS)); /* none is left out */
    curve_point_init(&point, 7);
    assert_int_equal(point.epoch, 7);
    for (size_t c = 0; c < CURVE_COLUMNS; c++) {
        assert_true(isnan(curve_value(&point, c)));
        for (size_t other = 0; other < c; other++) {
            assert_true(curve_columns[c].offset != curve_columns[other].offset);
            assert_string_not_equal(curve_columns[c].name, curve_columns[other].name);
        }
    }
}

static void a_curve_survives_an_artifact(void **state)
{
    (void)state;
    struct status status = {0};
    struct artifact artifact;
    struct curve_point curve[3], *loaded = NULL;
    size_t n = 0;
    memset(curve, 0, sizeof curve);
    for (size_t e = 0; e < 3; e++) {
        curve_point_init(&curve[e], e + 1);
        curve[e].loss = 3.5 / (double)(e + 1);
        curve[e].participation = (double)e;
    }
    curve[1].metric = 0.25;
    artifact_init(&artifact, "test");
    assert_int_equal(curve_save(curve, 3, &artifact, &status), STATUS_OK);
    assert_int_equal(curve_load(&loaded, &n, &artifact, &status), STATUS_OK);
    assert_int_equal(n, 3);
    assert_memory_equal(loaded, curve, sizeof curve);
    mem_free(loaded);
    artifact_release(&artifact);
}

static void a_curve_without_a_column_or_with_a_short_one_is_refused(void **state)
{
    (void)state;
    const double two[2] = {0.0};
    for (size_t kind = 0; kind < 2; kind++) {
        struct status status = {0};
        struct artifact artifact;
        struct curve_point point = {.epoch = 1}, *loaded = NULL;
        size_t n = 77;
        artifact_init(&artifact, "test");
        assert_int_equal(curve_save(&point, 1, &artifact, &status), STATUS_OK);
        struct array *last = &artifact.arrays[artifact.n_arrays - 1];
        snprintf(last->name, sizeof last->name, "other");
        if (kind == 1) {
            assert_int_equal(
                artifact_copy(&artifact, "curve.participation", ARRAY_F64, 2, 1, two, &status),
                STATUS_OK);
        }
        assert_int_equal(curve_load(&loaded, &n, &artifact, &status), STATUS_DATA);
        assert_non_null(strstr(status.message, "curve.participation"));
        assert_true(loaded == NULL && n == 77);
        artifact_release(&artifact);
    }
}

static struct db *open_fresh(void **state)
{
    char path[STORE_PATH_MAX];
    store_path(state, "test.db", path);
    return store_open(path, DB_CREATE);
}

static void the_table_has_the_columns_of_the_curve_in_their_order(void **state)
{
    struct status status = {0};
    struct db *db = open_fresh(state);
    struct buf want = {0};
    buf_add_text(&want, "run\nstage\nepoch\n");
    for (size_t c = 0; c < CURVE_COLUMNS; c++) {
        buf_addf(&want, "%s\n", curve_columns[c].name);
    }
    assert_int_equal(migrate_apply(db, MIGRATE_WORK, "", &status), STATUS_OK);
    store_assert_rows(db, "SELECT name FROM pragma_table_info('training_curve')", buf_text(&want));
    buf_release(&want);
    db_close(db);
}

static void the_curves_of_a_first_version_are_carried_over(void **state)
{
    struct status status = {0};
    struct db *db = open_fresh(state);
    for (const struct embedded_sql *file = embedded_sql; file->name != NULL; file++) {
        if (strcmp(file->name, "0001_work_init") == 0) {
            store_exec(db, file->sql);
        }
    }
    store_exec(db, "INSERT INTO nightjar_schema VALUES ('work', 1, '0001_work_init', 0);"
                   "INSERT INTO training_curve VALUES (3, 'train', 1, 'loss', 2.5),"
                   " (3, 'train', 1, 'learning_rate', 0.01), (3, 'train', 2, 'loss', 2.25),"
                   " (3, 'train', 2, 'validation', 0.5), (4, 'refit', 1, 'loss', 1.5)");
    assert_int_equal(migrate_apply(db, MIGRATE_WORK, "", &status), STATUS_OK);
    store_assert_rows(db,
                      "SELECT run, stage, epoch, loss, learning_rate, validation, alignment"
                      " FROM training_curve",
                      "3|train|1|2.5|0.01|NULL|NULL\n3|train|2|2.25|NULL|0.5|NULL\n"
                      "4|refit|1|1.5|NULL|NULL|NULL\n");
    assert_int_equal(
        store_int64(db, "SELECT count(*) FROM sqlite_temp_schema WHERE name = 'curve_before'"), 0);
    db_close(db);
}

#define STORE_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, store_folder_setup, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_of_a_point_has_one_column_and_starts_unknown),
        cmocka_unit_test(a_curve_survives_an_artifact),
        cmocka_unit_test(a_curve_without_a_column_or_with_a_short_one_is_refused),
        STORE_TEST(the_table_has_the_columns_of_the_curve_in_their_order),
        STORE_TEST(the_curves_of_a_first_version_are_carried_over),
    };
    return cmocka_run_group_tests_name("curve", tests, NULL, NULL);
}
