/* model/vocabulary against a linear search, through sorting, saving and loading. */
#include "dataset/vocabulary.h"
#include "dataset/vocabulary_merge.h"

#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N_ADDED = 20000, N_DIFFERENT = 6000 };

static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

/* The k-th id of the tests: far apart, of either sign. */
static int64_t integer_id(uint64_t k)
{
    return (int64_t)(k * 1024u) - 3000000;
}

/* Texts where one is a prefix of another, with a byte of zero and bytes above 127 among them. */
static size_t text_id(uint64_t k, char out[32])
{
    size_t length = (size_t)snprintf(out, 32, "%llx", (unsigned long long)k);
    if (k % 3 == 1) {
        out[length++] = '\0';
        out[length++] = (char)0xc3;
    }
    return length;
}

static int32_t add(struct vocabulary *vocabulary, bool is_text, uint64_t k)
{
    struct status status = {0};
    int32_t code = -1;
    char text[32];
    if (is_text) {
        size_t length = text_id(k, text);
        assert_ok(vocabulary_add_text(vocabulary, text, length, &code, &status), &status);
    } else {
        assert_ok(vocabulary_add_integer(vocabulary, integer_id(k), &code, &status), &status);
    }
    return code;
}

static int32_t find(const struct vocabulary *vocabulary, bool is_text, uint64_t k)
{
    char text[32];
    return is_text ? vocabulary_find_text(vocabulary, text, text_id(k, text))
                   : vocabulary_find_integer(vocabulary, integer_id(k));
}

/* code_of (N_DIFFERENT) = code of each k, -1 where it was not drawn. */
static void fill(struct vocabulary *vocabulary, bool is_text, int32_t *code_of)
{
    struct rng rng;
    int32_t next = 0;
    rng_init(&rng, 7, "test", 0, is_text);
    for (size_t k = 0; k < N_DIFFERENT; k++) {
        code_of[k] = -1;
    }
    for (size_t i = 0; i < N_ADDED; i++) {
        uint64_t k = rng_below(&rng, N_DIFFERENT);
        int32_t code = add(vocabulary, is_text, k);
        if (code_of[k] < 0) {
            code_of[k] = next++;
        }
        assert_int_equal(code, code_of[k]);
    }
    assert_int_equal(vocabulary->n, next);
}

static void check_found(const struct vocabulary *vocabulary, bool is_text, const int32_t *code_of)
{
    for (uint64_t k = 0; k < N_DIFFERENT; k++) {
        assert_int_equal(find(vocabulary, is_text, k), code_of[k]);
    }
    assert_int_equal(find(vocabulary, is_text, N_DIFFERENT + 5), -1);
    assert_int_equal(find(vocabulary, !is_text, 1), -1);
}

static void check_ascending(const struct vocabulary *vocabulary)
{
    for (size_t c = 1; c < vocabulary->n; c++) {
        if (vocabulary->type == ID_INTEGER) {
            assert_true(vocabulary->integers[c - 1] < vocabulary->integers[c]);
            continue;
        }
        size_t a_length, b_length;
        const char *a = strings_get(&vocabulary->texts, c - 1, &a_length);
        const char *b = strings_get(&vocabulary->texts, c, &b_length);
        size_t common = a_length < b_length ? a_length : b_length;
        int order = memcmp(a, b, common);
        assert_true(order < 0 || (order == 0 && a_length < b_length));
    }
}

static void check_life(bool is_text)
{
    static int32_t code_of[N_DIFFERENT], new_code[N_DIFFERENT];
    struct vocabulary vocabulary = {0}, loaded = {0};
    struct artifact artifact = {0};
    struct status status = {0};

    fill(&vocabulary, is_text, code_of);
    check_found(&vocabulary, is_text, code_of);
    assert_ok(vocabulary_sort(&vocabulary, new_code, &status), &status);
    for (size_t k = 0; k < N_DIFFERENT; k++) {
        code_of[k] = code_of[k] < 0 ? -1 : new_code[code_of[k]];
    }
    check_ascending(&vocabulary);
    check_found(&vocabulary, is_text, code_of);

    artifact_init(&artifact, "test");
    assert_ok(vocabulary_save(&vocabulary, &artifact, "users", &status), &status);
    assert_true(vocabulary.is_view);
    check_found(&vocabulary, is_text, code_of);
    assert_ok(vocabulary_load(&loaded, &artifact, "users", &status), &status);
    check_found(&loaded, is_text, code_of);
    assert_ok(vocabulary_build_index(&loaded, &status), &status);
    check_found(&loaded, is_text, code_of);
    vocabulary_release(&loaded);
    vocabulary_release(&vocabulary);
    artifact_release(&artifact);
}

static void integer_ids_keep_their_codes_through_sort_save_and_load(void **state)
{
    (void)state;
    check_life(false);
}

static void text_ids_keep_their_codes_through_sort_save_and_load(void **state)
{
    (void)state;
    check_life(true);
}

static void codes_after_sorting_do_not_depend_on_the_order_of_adding(void **state)
{
    (void)state;
    struct vocabulary up = {0}, down = {0};
    struct status status = {0};
    int32_t map[100];
    for (uint64_t k = 0; k < 100; k++) {
        add(&up, true, k);
        add(&down, true, 99 - k);
    }
    assert_ok(vocabulary_sort(&up, map, &status), &status);
    assert_ok(vocabulary_sort(&down, map, &status), &status);
    for (uint64_t k = 0; k < 100; k++) {
        assert_int_equal(find(&up, true, k), find(&down, true, k));
    }
    vocabulary_release(&up);
    vocabulary_release(&down);
}

static void ids_can_be_added_after_sorting(void **state)
{
    (void)state;
    struct vocabulary vocabulary = {0};
    struct status status = {0};
    int32_t map[2];
    add(&vocabulary, false, 9);
    add(&vocabulary, false, 4);
    assert_ok(vocabulary_sort(&vocabulary, map, &status), &status);
    assert_int_equal(map[0], 1);
    assert_int_equal(add(&vocabulary, false, 4), 0);
    assert_int_equal(add(&vocabulary, false, 1), 2);
    vocabulary_release(&vocabulary);
}

static void add_expecting(struct vocabulary *vocabulary, int64_t id, int32_t expected)
{
    struct status status = {0};
    int32_t code = -1;
    assert_ok(vocabulary_add_integer(vocabulary, id, &code, &status), &status);
    assert_int_equal(code, expected);
}

static void dense_integers_are_found_before_and_after_one_that_is_far_off(void **state)
{
    (void)state;
    enum { N = 5000, FAR = 3000 };
    static const int64_t far[] = {-1, INT64_MAX, 40000, INT64_MIN};
    for (size_t f = 0; f < sizeof far / sizeof *far; f++) {
        struct vocabulary vocabulary = {0};
        struct status status = {0};
        for (int32_t i = 0; i < N; i++) {
            if (i == FAR) {
                assert_true(vocabulary.is_direct);
                add_expecting(&vocabulary, far[f], FAR);
                assert_false(vocabulary.is_direct);
            }
            add_expecting(&vocabulary, N - i, i + (i >= FAR));
        }
        for (int32_t i = 0; i < N; i++) {
            add_expecting(&vocabulary, N - i, i + (i >= FAR));
        }
        assert_int_equal(vocabulary_find_integer(&vocabulary, far[f]), FAR);
        assert_int_equal(vocabulary_find_integer(&vocabulary, N + 1), -1);
        assert_int_equal(vocabulary_find_integer(&vocabulary, -2), -1);
        vocabulary_drop_index(&vocabulary);
        assert_ok(vocabulary_build_index(&vocabulary, &status), &status);
        assert_int_equal(vocabulary_find_integer(&vocabulary, far[f]), FAR);
        assert_int_equal(vocabulary_find_integer(&vocabulary, 1), N);
        vocabulary_release(&vocabulary);
    }
}

static void extreme_integers_are_ids_like_others(void **state)
{
    (void)state;
    static const int64_t ids[] = {0, INT64_MAX, INT64_MIN, -1};
    struct vocabulary vocabulary = {0};
    struct status status = {0};
    struct buf text = {0};
    int32_t map[4], code = -1;
    for (int32_t i = 0; i < 4; i++) {
        assert_ok(vocabulary_add_integer(&vocabulary, ids[i], &code, &status), &status);
        assert_int_equal(code, i);
    }
    assert_ok(vocabulary_sort(&vocabulary, map, &status), &status);
    assert_int_equal(vocabulary_find_integer(&vocabulary, INT64_MIN), 0);
    assert_int_equal(vocabulary_find_integer(&vocabulary, INT64_MAX), 3);
    vocabulary_format(&vocabulary, 0, &text);
    assert_string_equal(buf_text(&text), "-9223372036854775808");
    buf_release(&text);
    vocabulary_release(&vocabulary);
}

static void an_empty_vocabulary_saves_and_loads(void **state)
{
    (void)state;
    struct vocabulary vocabulary = {0}, loaded = {0};
    struct artifact artifact = {0};
    struct status status = {0};
    artifact_init(&artifact, "test");
    assert_ok(vocabulary_save(&vocabulary, &artifact, "items", &status), &status);
    assert_ok(vocabulary_load(&loaded, &artifact, "items", &status), &status);
    assert_int_equal(loaded.n, 0);
    assert_int_equal(vocabulary_find_integer(&loaded, 1), -1);
    assert_int_equal(vocabulary_find_text(&loaded, "a", 1), -1);
    vocabulary_release(&vocabulary);
    vocabulary_release(&loaded);
    artifact_release(&artifact);
}

static void loading_what_is_not_there_fails_and_leaves_the_vocabulary(void **state)
{
    (void)state;
    struct vocabulary vocabulary = {.n = 77};
    struct artifact artifact = {0};
    struct status status = {0};
    artifact_init(&artifact, "test");
    assert_int_equal(vocabulary_load(&vocabulary, &artifact, "items", &status), STATUS_DATA);
    assert_int_equal(vocabulary.n, 77);
    artifact_release(&artifact);
}

/* Ids of one type: numbers k, or texts of them. */
static void add_ids(struct vocabulary *vocabulary, bool is_text, const int *ids, size_t n)
{
    struct status status = {0};
    int32_t code;
    for (size_t i = 0; i < n; i++) {
        char text[16];
        snprintf(text, sizeof text, "%03d", ids[i]);
        assert_ok(is_text ? vocabulary_add_text(vocabulary, text, 3, &code, &status)
                          : vocabulary_add_integer(vocabulary, ids[i], &code, &status),
                  &status);
    }
}

static void sorted_vocabularies_merge_and_locate_one_another(void **state)
{
    static const int a_ids[] = {1, 4, 6, 9}, b_ids[] = {0, 4, 5, 9, 12};
    static const int all_ids[] = {0, 1, 4, 5, 6, 9, 12};
    static const int32_t a_codes[] = {1, 2, 4, 5}, b_codes[] = {0, 2, 3, 5, 6};
    static const int32_t b_in_a[] = {-1, 1, -1, 3, -1};
    (void)state;
    for (int is_text = 0; is_text < 2; is_text++) {
        struct vocabulary a = {0}, b = {0}, all = {0}, merged = {0}, same = {0}, none = {0};
        struct status status = {0};
        int32_t map_a[4], map_b[5], map[5];
        add_ids(&a, is_text == 1, a_ids, 4);
        add_ids(&b, is_text == 1, b_ids, 5);
        add_ids(&all, is_text == 1, all_ids, 7);
        assert_ok(vocabulary_merge(&a, &b, &merged, map_a, map_b, &status), &status);
        assert_int_equal(merged.n, 7);
        for (size_t i = 0; i < 7; i++) {
            assert_int_equal(vocabulary_compare(&merged, i, &all, i), 0);
        }
        assert_memory_equal(map_a, a_codes, sizeof a_codes);
        assert_memory_equal(map_b, b_codes, sizeof b_codes);
        vocabulary_locate(&b, &a, map);
        assert_memory_equal(map, b_in_a, sizeof b_in_a);
        assert_ok(vocabulary_merge(&none, &a, &same, NULL, map_a, &status), &status);
        assert_int_equal(same.n, 4);
        vocabulary_locate(&b, &none, map);
        assert_int_equal(map[4], -1);
        struct vocabulary *const made[] = {&a, &b, &all, &merged, &same};
        for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
            vocabulary_release(made[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integer_ids_keep_their_codes_through_sort_save_and_load),
        cmocka_unit_test(text_ids_keep_their_codes_through_sort_save_and_load),
        cmocka_unit_test(codes_after_sorting_do_not_depend_on_the_order_of_adding),
        cmocka_unit_test(ids_can_be_added_after_sorting),
        cmocka_unit_test(dense_integers_are_found_before_and_after_one_that_is_far_off),
        cmocka_unit_test(extreme_integers_are_ids_like_others),
        cmocka_unit_test(an_empty_vocabulary_saves_and_loads),
        cmocka_unit_test(loading_what_is_not_there_fails_and_leaves_the_vocabulary),
        cmocka_unit_test(sorted_vocabularies_merge_and_locate_one_another),
    };
    return cmocka_run_group_tests_name("vocabulary", tests, NULL, NULL);
}
