/* Checksums: known values, streaming, framing. */
#include "base/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void text_of(const char *const *parts, size_t n, bool framed, char *out)
{
    struct status status = {0};
    struct hash_state *hash = NULL;
    assert_int_equal(hash_new(&hash, &status), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        if (framed) {
            hash_add_text(hash, parts[i]);
        } else {
            hash_add(hash, parts[i], strlen(parts[i]));
        }
    }
    hash_text(hash, out);
    hash_free(hash);
}

/* The value of empty input is printed in the xxHash specification's tools (xxhsum -H2). */
static void the_empty_hash_is_the_published_one(void **state)
{
    (void)state;
    char text[HASH_TEXT_MAX];
    text_of(NULL, 0, false, text);
    assert_string_equal(text, "99aa06d3014798d86001c324468d497f");
}

static void pieces_hash_as_the_whole_but_texts_keep_their_borders(void **state)
{
    (void)state;
    static const char *const whole[] = {"nightjar"};
    static const char *const pieces[] = {"night", "", "jar"};
    static const char *const other[] = {"nightj", "", "ar"};
    char a[HASH_TEXT_MAX];
    char b[HASH_TEXT_MAX];
    text_of(whole, 1, false, a);
    text_of(pieces, 3, false, b);
    assert_string_equal(a, b);
    assert_int_equal(strlen(a), 32);
    text_of(pieces, 3, true, a);
    text_of(other, 3, true, b);
    assert_string_not_equal(a, b);
    text_of(pieces, 3, true, b);
    assert_string_equal(a, b);
}

static void one_bit_changes_the_hash(void **state)
{
    (void)state;
    unsigned char bytes[300] = {0};
    uint64_t zero = hash_bytes64(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = 1;
        assert_true(hash_bytes64(bytes, sizeof bytes) != zero);
        bytes[i] = 0;
    }
    assert_true(hash_bytes64(bytes, sizeof bytes) == zero);
    assert_true(hash_bytes64(bytes, sizeof bytes - 1) != zero);
    hash_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_empty_hash_is_the_published_one),
        cmocka_unit_test(pieces_hash_as_the_whole_but_texts_keep_their_borders),
        cmocka_unit_test(one_bit_changes_the_hash),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
