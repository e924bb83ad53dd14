/* served_ids: ids of the log and of side data in one ascending numbering. */
#include "serving/served_ids.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static struct vocabulary integers_of(const int64_t *ids, size_t n)
{
    struct status status = {0};
    struct vocabulary made = {0};
    int32_t code;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(vocabulary_add_integer(&made, ids[i], &code, &status), STATUS_OK);
    }
    return made;
}

static struct vocabulary texts_of(const char *const *ids, size_t n)
{
    struct status status = {0};
    struct vocabulary made = {0};
    int32_t code;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(vocabulary_add_text(&made, ids[i], strlen(ids[i]), &code, &status),
                         STATUS_OK);
    }
    return made;
}

static void without_side_data_both_numberings_are_the_same(void **state)
{
    (void)state;
    static const int64_t ids[] = {2, 5, 9};
    static const int32_t cold[] = {1};
    struct status status = {0};
    struct vocabulary master = integers_of(ids, 3);
    struct served_ids served = {0};
    assert_int_equal(served_ids_init(&served, &master, NULL, cold, 1, &status), STATUS_OK);
    assert_int_equal(served.ids.n, 3);
    assert_int_equal(served.n_codes, 3);
    assert_ptr_equal(served.ids.integers, master.integers);
    for (int32_t c = 0; c < 3; c++) {
        assert_int_equal(served.served_of[c], c);
        assert_int_equal(served.source_of[c], c);
    }
    served_ids_release(&served);
    vocabulary_release(&master);
}

/* Extra ids 1, 4, 7, 20 with vectors for all but 7. */
static void integer_ids_with_a_vector_are_merged_by_value(void **state)
{
    (void)state;
    static const int64_t ids[] = {2, 5, 9}, extra[] = {1, 4, 7, 20}, all[] = {1, 2, 4, 5, 9, 20};
    static const int32_t cold[] = {1, 3, 4, 6}, sources[] = {3, 0, 4, 1, 2, 6};
    struct status status = {0};
    struct vocabulary master = integers_of(ids, 3);
    struct feature_table table = {.n_master = 3, .extra = integers_of(extra, 4)};
    struct served_ids served = {0};
    assert_int_equal(served_ids_init(&served, &master, &table, cold, 4, &status), STATUS_OK);
    assert_int_equal(served.ids.n, 6);
    assert_int_equal(served.n_codes, 7);
    assert_memory_equal(served.ids.integers, all, sizeof all);
    assert_memory_equal(served.source_of, sources, sizeof sources);
    for (int32_t c = 0; c < 6; c++) {
        assert_int_equal(served.served_of[sources[c]], c);
    }
    assert_int_equal(served.served_of[5], -1);
    served_ids_release(&served);
    vocabulary_release(&table.extra);
    vocabulary_release(&master);
}

static void text_ids_are_merged_by_bytes(void **state)
{
    (void)state;
    static const char *const ids[] = {"b", "d"}, *const extra[] = {"a", "c", "ca", "e"};
    static const char *const all[] = {"a", "b", "ca", "d", "e"};
    static const int32_t cold[] = {2, 4, 5};
    struct status status = {0};
    struct vocabulary master = texts_of(ids, 2);
    struct feature_table table = {.n_master = 2, .extra = texts_of(extra, 4)};
    struct served_ids served = {0};
    assert_int_equal(served_ids_init(&served, &master, &table, cold, 3, &status), STATUS_OK);
    assert_int_equal(served.ids.n, 5);
    assert_int_equal(served.ids.texts.n, 5);
    for (size_t c = 0; c < 5; c++) {
        size_t length;
        const char *text = strings_get(&served.ids.texts, c, &length);
        assert_int_equal(length, strlen(all[c]));
        assert_memory_equal(text, all[c], length);
    }
    assert_int_equal(served.served_of[3], -1);
    served_ids_release(&served);
    vocabulary_release(&table.extra);
    vocabulary_release(&master);
}

static void a_vector_of_an_id_that_nobody_knows_is_our_error(void **state)
{
    (void)state;
    static const int64_t ids[] = {2, 5, 9};
    static const int32_t cold[] = {1, 3};
    struct status status = {0};
    struct vocabulary master = integers_of(ids, 3);
    struct served_ids served = {0};
    assert_int_equal(served_ids_init(&served, &master, NULL, cold, 2, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "code 3"));
    assert_null(served.served_of);
    vocabulary_release(&master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_side_data_both_numberings_are_the_same),
        cmocka_unit_test(integer_ids_with_a_vector_are_merged_by_value),
        cmocka_unit_test(text_ids_are_merged_by_bytes),
        cmocka_unit_test(a_vector_of_an_id_that_nobody_knows_is_our_error),
    };
    return cmocka_run_group_tests_name("served_ids", tests, NULL, NULL);
}
