/* Keyed hashes of people, and the tables that hold them. */
#include "publishing/forgotten.h"

#include "store/migrate.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void the_hash_is_hmac_sha_256(void **state)
{
    (void)state;
    /* python3: hmac.new(bytes(range(32)), b"t" + b"Jefe", "sha256").hexdigest() */
    static const char expected[] =
        "66390b65a475d6401e6e5a1c53202682a7ccfbea1dcb50f368c0d3128d07d434";
    uint8_t key[HASH_KEY_BYTES], hash[KEYED_HASH_BYTES];
    char text[2 * KEYED_HASH_BYTES + 1];
    for (size_t b = 0; b < sizeof key; b++) {
        key[b] = (uint8_t)b;
    }
    keyed_hash(key, 't', "Jefe", 4, hash);
    for (size_t b = 0; b < sizeof hash; b++) {
        snprintf(text + 2 * b, 3, "%02x", hash[b]);
    }
    assert_string_equal(text, expected);
}

static void people_are_known_again_by_type_and_value(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    struct forgotten forgotten = {0};
    const struct row_id text = {.is_text = true, .text = "17", .length = 2};
    const struct row_id longer = {.is_text = true, .text = "170", .length = 3};
    const struct row_id integer = {.integer = 17}, other = {.integer = -17};
    const struct row_id both[] = {text, other};
    store_path(state, "out.db", path);
    struct db *db = store_open(path, DB_CREATE);
    assert_int_equal(forgotten_load(&forgotten, db, "", &status), STATUS_OK);
    assert_int_equal(forgotten.n, 0);
    assert_false(forgotten_has(&forgotten, &text));
    assert_int_equal(migrate_apply(db, MIGRATE_OUTPUT, "", &status), STATUS_OK);
    assert_int_equal(forgotten_add(db, "", both, 2, &status), STATUS_OK);
    assert_int_equal(forgotten_add(db, "", both, 1, &status), STATUS_OK); /* once more */
    assert_int_equal(forgotten_load(&forgotten, db, "", &status), STATUS_OK);
    assert_int_equal(forgotten.n, 2);
    assert_true(forgotten_has(&forgotten, &text));
    assert_true(forgotten_has(&forgotten, &other));
    assert_false(forgotten_has(&forgotten, &integer));
    assert_false(forgotten_has(&forgotten, &longer));
    forgotten_release(&forgotten);
    store_exec(db, "UPDATE nightjar_forgotten_key SET key = x'00'");
    assert_int_equal(forgotten_load(&forgotten, db, "", &status), STATUS_DATA);
    assert_int_equal(forgotten.n, 0);
    db_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_hmac_sha_256),
        cmocka_unit_test_setup_teardown(people_are_known_again_by_type_and_value,
                                        store_folder_setup, store_folder_teardown),
    };
    return cmocka_run_group_tests_name("forgotten", tests, NULL, NULL);
}
