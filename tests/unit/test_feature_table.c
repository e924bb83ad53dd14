/* Side data in the artifact, rows by code, and two layouts against each other. */
#include "base/mem.h"
#include "features/feature_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void add_texts(struct strings *strings, const char *const *texts, size_t n)
{
    struct status status = {0};
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(strings_add(strings, texts[i], strlen(texts[i]), &status), STATUS_OK);
    }
}

/* A table of the columns, without rows. */
static struct feature_table layout(const struct feature_column *columns, const char *const *names,
                                   size_t n, const char *const *values, size_t n_values)
{
    struct status status = {0};
    struct feature_table table = {.n_columns = n};
    assert_int_equal(MEM_NEW(&table.columns, n, &status), STATUS_OK);
    for (size_t c = 0; c < n; c++) {
        table.columns[c] = columns[c];
        table.columns[c].first_token = table.matrix.n_columns;
        table.matrix.n_columns += feature_column_tokens(&columns[c]);
    }
    add_texts(&table.names, names, n);
    add_texts(&table.values, values, n_values);
    return table;
}

/* Items: 2 known, 2 more, a categorical column; users: 3, no side data. */
static struct features small_features(bool text_ids)
{
    static const int64_t offsets[] = {0, 1, 1, 3, 4};
    static const int32_t columns[] = {0, 1, 3, 4};
    static const float values[] = {1, .5f, -.25f, 2};
    struct status status = {0};
    struct features made = {0};
    struct feature_table *items = &made.side[FEATURE_ITEMS], *users = &made.side[FEATURE_USERS];
    int32_t ignored;

    *items = layout(
        &(struct feature_column){
            .type = FEATURE_CATEGORICAL, .n_values = 2, .n_buckets = 2, .mean = .5, .sd = 2},
        (const char *const[]){"category"}, 1, (const char *const[]){"a", "b"}, 2);
    assert_int_equal(sparse_init(&items->matrix, 4, 5, 4, true, &status), STATUS_OK);
    memcpy(items->matrix.offsets, offsets, sizeof offsets);
    memcpy(items->matrix.columns, columns, sizeof columns);
    memcpy(items->matrix.values, values, sizeof values);
    items->n_master = 2;
    for (int64_t id = 7; id < 9; id++) {
        const char *text = id == 7 ? "seven" : "u8";
        assert_int_equal(
            text_ids ? vocabulary_add_text(&items->extra, text, strlen(text), &ignored, &status)
                     : vocabulary_add_integer(&items->extra, id, &ignored, &status),
            STATUS_OK);
    }
    users->n_master = 3;
    assert_int_equal(sparse_init(&users->matrix, 3, 0, 0, true, &status), STATUS_OK);
    return made;
}

static void expect_small(const struct features *features, bool text_ids)
{
    const struct feature_table *items = &features->side[FEATURE_ITEMS];
    const struct feature_table *users = &features->side[FEATURE_USERS];
    size_t length;
    assert_int_equal(items->n_master, 2);
    assert_int_equal(items->extra.n, 2);
    assert_int_equal(text_ids ? vocabulary_find_text(&items->extra, "u8", 2)
                              : vocabulary_find_integer(&items->extra, 8),
                     1);
    assert_int_equal(items->matrix.n_rows, 4);
    assert_int_equal(items->matrix.n_columns, 5);
    assert_true(items->matrix.values[2] == -.25f);
    assert_int_equal(items->n_columns, 1);
    assert_int_equal(items->columns[0].type, FEATURE_CATEGORICAL);
    assert_int_equal(items->columns[0].n_values, 2);
    assert_int_equal(items->columns[0].n_buckets, 2);
    assert_true(items->columns[0].mean == .5 && items->columns[0].sd == 2);
    assert_memory_equal(strings_get(&items->names, 0, &length), "category", 8);
    assert_memory_equal(strings_get(&items->values, 1, &length), "b", 1);
    assert_int_equal(users->n_master, 3);
    assert_int_equal(users->matrix.n_rows, 3);
    assert_int_equal(users->matrix.n_columns, 0);
    assert_int_equal(users->n_columns, 0);
}

static void what_is_saved_is_loaded_as_a_view(void **state)
{
    (void)state;
    for (int text_ids = 0; text_ids < 2; text_ids++) {
        struct status status = {0};
        struct features features = small_features(text_ids), loaded = {0};
        struct artifact artifact = {0};
        artifact_init(&artifact, "features");
        assert_int_equal(features_save(&features, &artifact, &status), STATUS_OK);
        expect_small(&features, text_ids);
        features_release(&features);
        assert_int_equal(features_load(&loaded, &artifact, &status), STATUS_OK);
        expect_small(&loaded, text_ids);
        features_release(&loaded);
        artifact_release(&artifact);
    }
}

static void an_artifact_whose_parts_do_not_fit_is_refused(void **state)
{
    (void)state;
    struct status status = {0};
    struct features features = small_features(false), loaded = {0};
    struct artifact artifact = {0};
    features.side[FEATURE_ITEMS].n_master = 3;
    artifact_init(&artifact, "features");
    assert_int_equal(features_save(&features, &artifact, &status), STATUS_OK);
    assert_int_equal(features_load(&loaded, &artifact, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "array items: its parts do not fit together"));
    assert_null(loaded.side[FEATURE_ITEMS].columns);
    features_release(&features);
    artifact_release(&artifact);
}

static void rows_are_selected_in_the_order_asked_for(void **state)
{
    (void)state;
    struct status status = {0};
    struct features features = small_features(false);
    struct sparse rows = {0};
    assert_int_equal(
        features_select(&features, FEATURE_ITEMS, (int32_t[]){3, 1, 2, 3}, 4, &rows, &status),
        STATUS_OK);
    assert_int_equal(rows.n_rows, 4);
    assert_int_equal(rows.n_columns, 5);
    assert_memory_equal(rows.offsets, ((int64_t[]){0, 1, 1, 3, 4}), 5 * sizeof(int64_t));
    assert_memory_equal(rows.columns, ((int32_t[]){4, 1, 3, 4}), 4 * sizeof(int32_t));
    assert_memory_equal(rows.values, ((float[]){2, .5f, -.25f, 2}), 4 * sizeof(float));
    sparse_release(&rows);
    assert_int_equal(
        features_select(&features, FEATURE_USERS, (int32_t[]){2, 0}, 2, &rows, &status), STATUS_OK);
    assert_int_equal(rows.n_rows, 2);
    assert_int_equal(rows.n_columns, 0);
    sparse_release(&rows);
    features_release(&features);
}

static void a_code_out_of_range_selects_nothing(void **state)
{
    (void)state;
    static const int32_t wrong[] = {4, -1};
    struct features features = small_features(false);
    for (size_t i = 0; i < 2; i++) {
        struct status status = {0};
        struct sparse rows = {0};
        assert_int_equal(features_select(&features, FEATURE_ITEMS, &wrong[i], 1, &rows, &status),
                         STATUS_INTERNAL);
        assert_non_null(strstr(status.message, "there are 4 entities"));
        assert_null(rows.offsets);
    }
    features_release(&features);
}

static void columns_that_vanished_are_named(void **state)
{
    (void)state;
    const struct feature_column before_columns[] = {{.type = FEATURE_NUMERIC},
                                                    {.type = FEATURE_CATEGORICAL},
                                                    {.type = FEATURE_TEXT, .n_buckets = 2},
                                                    {.type = FEATURE_MULTI, .n_buckets = 1},
                                                    {.type = FEATURE_NUMERIC}};
    const struct feature_column now_columns[] = {{.type = FEATURE_CATEGORICAL},
                                                 {.type = FEATURE_NUMERIC},
                                                 {.type = FEATURE_TEXT, .n_buckets = 2},
                                                 {.type = FEATURE_TEXT, .n_buckets = 1},
                                                 {.type = FEATURE_MULTI, .n_buckets = 1}};
    struct feature_table before =
        layout(before_columns,
               (const char *const[]){"price", "category", "title", "tags", "weight"}, 5, NULL, 0);
    struct feature_table now =
        layout(now_columns, (const char *const[]){"category", "price", "title", "weight", "tags"},
               5, NULL, 0);
    struct buf vanished = {0};
    feature_table_vanished(&now, &before, &vanished);
    assert_string_equal(buf_text(&vanished), "weight"); /* of another type is another column */
    buf_clear(&vanished);
    feature_table_vanished(&before, &before, &vanished);
    assert_int_equal(vanished.length, 0);
    now.n_columns = 1;
    feature_table_vanished(&now, &before, &vanished);
    assert_string_equal(buf_text(&vanished), "price, title, tags, weight");
    buf_release(&vanished);
    feature_table_release(&before);
    feature_table_release(&now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_is_loaded_as_a_view),
        cmocka_unit_test(an_artifact_whose_parts_do_not_fit_is_refused),
        cmocka_unit_test(rows_are_selected_in_the_order_asked_for),
        cmocka_unit_test(a_code_out_of_range_selects_nothing),
        cmocka_unit_test(columns_that_vanished_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
