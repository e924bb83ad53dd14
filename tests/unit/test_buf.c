/* Growable text, arena, string list and checked allocation. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/strings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void text_grows_and_stays_terminated(void **state)
{
    (void)state;
    struct buf buf = {0};
    struct status status = {0};
    assert_string_equal(buf_text(&buf), "");
    for (int i = 0; i < 1000; i++) {
        buf_addf(&buf, "%03d", i);
        buf_add_char(&buf, ',');
        assert_int_equal(strlen(buf_text(&buf)), (size_t)(i + 1) * 4);
        assert_true(buf.capacity > buf.length);
    }
    buf_add_text(&buf, "end");
    assert_memory_equal(buf_text(&buf), "000,001,002,", 12);
    assert_string_equal(buf_text(&buf) + 4000, "end");
    assert_int_equal(buf_check(&buf, &status), STATUS_OK);
    buf_clear(&buf);
    assert_string_equal(buf_text(&buf), "");
    buf_add(&buf, "a\0b", 3);
    assert_int_equal(buf.length, 3);
    buf_add(&buf, NULL, 0);
    assert_memory_equal(buf.data, "a\0b\0", 4);
    buf_release(&buf);
    buf_release(&buf);
}

static void every_length_around_the_capacity_fits(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'x', sizeof text);
    for (size_t first = 0; first < 140; first++) {
        struct buf buf = {0};
        buf_add(&buf, text, first);
        buf_add(&buf, text, 200 - first);
        assert_int_equal(buf.length, 200);
        assert_memory_equal(buf.data, text, 200);
        assert_int_equal(buf.data[200], '\0');
        buf_release(&buf);
    }
}

static void a_failed_addition_is_remembered(void **state)
{
    (void)state;
    struct buf buf = {0};
    struct status status = {0};
    buf_add_text(&buf, "kept");
    buf_add(&buf, "x", SIZE_MAX / 2 + 2);
    assert_true(buf.failed);
    buf_add_text(&buf, "more");
    assert_string_equal(buf_text(&buf), "kept");
    assert_int_equal(buf_check(&buf, &status), STATUS_NO_MEMORY);
    buf_clear(&buf);
    buf_add_text(&buf, "again");
    assert_string_equal(buf_text(&buf), "again");
    buf_release(&buf);
}

static void arena_memory_is_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct arena arena = {0};
    struct status status = {0};
    unsigned char *blocks[300];
    for (size_t i = 0; i < 300; i++) {
        void *memory = NULL;
        assert_int_equal(arena_new(&arena, i, 7, &memory, &status), STATUS_OK);
        assert_int_equal((uintptr_t)memory % 16, 0);
        blocks[i] = memory;
        for (size_t j = 0; j < i * 7; j++) {
            assert_int_equal(blocks[i][j], 0);
            blocks[i][j] = (unsigned char)i;
        }
    }
    for (size_t i = 0; i < 300; i++) {
        for (size_t j = 0; j < i * 7; j++) {
            assert_int_equal(blocks[i][j], (unsigned char)i);
        }
    }
    char *copy = NULL;
    assert_int_equal(arena_copy_text(&arena, "nightjar", 5, &copy, &status), STATUS_OK);
    assert_string_equal(copy, "night");
    void *untouched = copy;
    assert_int_equal(arena_new(&arena, SIZE_MAX, 2, &untouched, &status), STATUS_NO_MEMORY);
    assert_ptr_equal(untouched, copy);
    arena_release(&arena);
    arena_release(&arena);
}

static void strings_keep_their_bytes(void **state)
{
    (void)state;
    struct strings strings = {0};
    struct status status = {0};
    char text[32];
    size_t length = 0;
    for (int i = 0; i < 1000; i++) {
        int n = snprintf(text, sizeof text, "item %d", i);
        assert_int_equal(strings_add(&strings, text, (size_t)n, &status), STATUS_OK);
        assert_int_equal(strings_add(&strings, "", 0, &status), STATUS_OK);
    }
    assert_int_equal(strings_add(&strings, "a\0b", 3, &status), STATUS_OK);
    for (int i = 0; i < 1000; i++) {
        int n = snprintf(text, sizeof text, "item %d", i);
        const char *got = strings_get(&strings, 2 * (size_t)i, &length);
        assert_int_equal(length, n);
        assert_memory_equal(got, text, length);
        (void)strings_get(&strings, 2 * (size_t)i + 1, &length);
        assert_int_equal(length, 0);
    }
    assert_memory_equal(strings_get(&strings, 2000, &length), "a\0b", 3);
    assert_int_equal(length, 3);
    strings_release(&strings);
    strings_release(&strings);
}

static void memory_is_zeroed_aligned_and_checked(void **state)
{
    (void)state;
    struct status status = {0};
    int64_t *values = NULL;
    assert_int_equal(MEM_RESIZE(&values, 0, 5, &status), STATUS_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(values[i], 0);
        values[i] = i + 1;
    }
    assert_int_equal(MEM_RESIZE(&values, 5, 3, &status), STATUS_OK);
    assert_int_equal(MEM_RESIZE(&values, 5, 5000, &status), STATUS_OK);
    assert_int_equal((uintptr_t)values % 64, 0);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(values[i], i < 5 ? i + 1 : 0);
    }
    int64_t *before = values;
    assert_int_equal(MEM_RESIZE(&values, 5000, SIZE_MAX / 4, &status), STATUS_NO_MEMORY);
    assert_ptr_equal(values, before);
    assert_non_null(strstr(status.message, "4611686018427387903 elements of 8 bytes"));
    mem_free(values);

    void *empty = NULL;
    status_clear(&status);
    assert_int_equal(mem_new(0, 8, &empty, &status), STATUS_OK);
    assert_non_null(empty);
    mem_free(empty);
    mem_free(NULL);
    empty = NULL;
    assert_int_equal(mem_new((size_t)1 << 33, (size_t)1 << 31, &empty, &status), STATUS_NO_MEMORY);
    assert_null(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows_and_stays_terminated),
        cmocka_unit_test(every_length_around_the_capacity_fits),
        cmocka_unit_test(a_failed_addition_is_remembered),
        cmocka_unit_test(arena_memory_is_zeroed_aligned_and_apart),
        cmocka_unit_test(strings_keep_their_bytes),
        cmocka_unit_test(memory_is_zeroed_aligned_and_checked),
    };
    return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
