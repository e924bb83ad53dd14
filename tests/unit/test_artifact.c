/* store/artifact and artifact_store: what goes in comes out, and damage is noticed. */
#include "store/artifact.h"

#include "base/mem.h"
#include "store/migrate.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { BIG = ARTIFACT_CHUNK_BYTES / 4 * 5 + 3 }; /* floats: 5 chunks and a bit */

static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

static struct db *open_work(void **state)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, "work.db", path);
    struct db *work = store_open(path, DB_CREATE);
    store_exec(work, "PRAGMA synchronous = OFF");
    assert_ok(migrate_apply(work, MIGRATE_WORK, "", &status), &status);
    return work;
}

/* One array of each type, a number, texts, empty ones, and one of several chunks. */
static void fill(struct artifact *artifact, float first)
{
    static const double doubles[2] = {0.1, -1e300};
    static const int32_t ints[3] = {INT32_MIN, 0, 7};
    static const int64_t longs[6] = {INT64_MIN, 1, 2, 3, 4, INT64_MAX};
    static const uint8_t bytes[1] = {255};
    struct status status = {0};
    struct strings strings = {0};
    float *big = NULL;
    artifact_init(artifact, "everything");
    assert_ok(MEM_NEW(&big, BIG, &status), &status);
    for (size_t i = 0; i < BIG; i++) {
        big[i] = first + (float)(i % 1000);
    }
    assert_ok(artifact_take(artifact, "big", ARRAY_F32, BIG, 1, big, &status), &status);
    assert_ok(artifact_copy(artifact, "doubles", ARRAY_F64, 2, 1, doubles, &status), &status);
    assert_ok(artifact_copy(artifact, "ints", ARRAY_I32, 1, 3, ints, &status), &status);
    assert_ok(artifact_copy(artifact, "longs", ARRAY_I64, 2, 3, longs, &status), &status);
    assert_ok(artifact_copy(artifact, "bytes", ARRAY_U8, 1, 1, bytes, &status), &status);
    assert_ok(artifact_copy(artifact, "none", ARRAY_F32, 0, 64, NULL, &status), &status);
    assert_ok(artifact_set_number(artifact, "tau", 0.15, &status), &status);
    assert_ok(artifact_set_strings(artifact, "no texts", &strings, &status), &status);
    assert_ok(strings_add(&strings, "Amsel", 5, &status), &status);
    assert_ok(strings_add(&strings, "", 0, &status), &status);
    assert_ok(strings_add(&strings, "a\0b", 3, &status), &status);
    assert_ok(artifact_set_strings(artifact, "texts", &strings, &status), &status);
    strings_release(&strings);
}

static void save_filled(struct db *work, const char *slot, float first)
{
    struct status status = {0};
    struct artifact artifact;
    fill(&artifact, first);
    assert_ok(artifact_save(work, slot, &artifact, &status), &status);
    artifact_release(&artifact);
}

/* The first element of "big" in the slot. */
static float loaded_first(struct db *work, const char *slot)
{
    struct status status = {0};
    struct artifact artifact = {0};
    const void *data = NULL;
    bool found = false;
    assert_ok(artifact_load(work, slot, &artifact, &found, &status), &status);
    assert_true(found);
    assert_ok(artifact_get(&artifact, "big", ARRAY_F32, &data, NULL, NULL, &status), &status);
    float first = *(const float *)data;
    artifact_release(&artifact);
    return first;
}

static void an_artifact_comes_back_as_it_was_saved(void **state)
{
    struct status status = {0};
    struct artifact before, after = {0};
    struct strings texts;
    char hash_before[HASH_TEXT_MAX], hash_after[HASH_TEXT_MAX], saved[HASH_TEXT_MAX];
    double tau = 0;
    size_t length;
    bool found = false;
    struct db *work = open_work(state);
    fill(&before, 1);
    assert_ok(artifact_save(work, "train/everything", &before, &status), &status);
    assert_ok(artifact_load(work, "train/everything", &after, &found, &status), &status);
    assert_true(found);
    assert_string_equal(after.name, "everything");
    assert_int_equal(after.n_arrays, before.n_arrays);
    for (size_t i = 0; i < before.n_arrays; i++) {
        const struct array *a = &before.arrays[i], *b = &after.arrays[i];
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->type, b->type);
        assert_int_equal(a->rows, b->rows);
        assert_int_equal(a->columns, b->columns);
    }
    assert_memory_equal(before.arrays[0].data, after.arrays[0].data, BIG * sizeof(float));
    assert_int_equal(artifact_bytes(&before), artifact_bytes(&after));
    assert_ok(artifact_hash(&before, hash_before, &status), &status);
    assert_ok(artifact_hash(&after, hash_after, &status), &status);
    assert_ok(artifact_saved_hash(work, "train/everything", saved, &found, &status), &status);
    assert_string_equal(hash_before, hash_after);
    assert_string_equal(hash_before, saved);
    assert_ok(artifact_get_number(&after, "tau", &tau, &status), &status);
    assert_true(tau == 0.15);
    assert_ok(artifact_get_strings(&after, "texts", &texts, &status), &status);
    assert_int_equal(texts.n, 3);
    assert_memory_equal(strings_get(&texts, 2, &length), "a\0b", 3);
    assert_int_equal(length, 3);
    assert_ok(artifact_get_strings(&after, "no texts", &texts, &status), &status);
    assert_int_equal(texts.n, 0);
    artifact_release(&before);
    artifact_release(&after);
    db_close(work);
}

static void the_hash_covers_names_types_shapes_and_bytes(void **state)
{
    struct status status = {0};
    char hash[6][HASH_TEXT_MAX];
    int32_t values[4] = {1, 2, 3, 4}, other[4] = {1, 2, 3, 5};
    const struct {
        const char *artifact, *name;
        enum array_type type;
        size_t rows, columns;
        const void *data;
    } cases[6] = {{"a", "x", ARRAY_I32, 2, 2, values}, {"b", "x", ARRAY_I32, 2, 2, values},
                  {"a", "y", ARRAY_I32, 2, 2, values}, {"a", "x", ARRAY_F32, 2, 2, values},
                  {"a", "x", ARRAY_I32, 4, 1, values}, {"a", "x", ARRAY_I32, 2, 2, other}};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct artifact artifact;
        artifact_init(&artifact, cases[i].artifact);
        assert_ok(artifact_copy(&artifact, cases[i].name, cases[i].type, cases[i].rows,
                                cases[i].columns, cases[i].data, &status),
                  &status);
        assert_ok(artifact_hash(&artifact, hash[i], &status), &status);
        artifact_release(&artifact);
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(hash[i], hash[j]);
        }
    }
}

static void a_wrong_use_is_our_bug_and_changes_nothing(void **state)
{
    struct status status = {0};
    struct artifact artifact;
    struct strings texts = {.n = 77};
    const void *data = &status;
    int32_t values[2] = {1, 2};
    double number = 5;
    (void)state;
    artifact_init(&artifact, "a");
    assert_ok(artifact_copy(&artifact, "x", ARRAY_I32, 2, 1, values, &status), &status);
    assert_int_equal(artifact_copy(&artifact, "x", ARRAY_I32, 2, 1, values, &status),
                     STATUS_INTERNAL);
    status_clear(&status);
    void *block = NULL; /* taken over, and freed, although it fails */
    assert_ok(mem_new(8, 1, &block, &status), &status);
    assert_int_equal(artifact_take(&artifact, "x", ARRAY_U8, 8, 1, block, &status),
                     STATUS_INTERNAL);
    status_clear(&status);
    assert_int_equal(artifact_copy(&artifact, "huge", ARRAY_F64, SIZE_MAX / 4, 3, NULL, &status),
                     STATUS_NO_MEMORY);
    assert_int_equal(artifact.n_arrays, 1);
    status_clear(&status);
    assert_int_equal(artifact_get(&artifact, "x", ARRAY_F32, &data, NULL, NULL, &status),
                     STATUS_DATA);
    assert_non_null(strstr(status.message, "its type is i32, not f32"));
    assert_ptr_equal(data, &status);
    status_clear(&status);
    assert_int_equal(artifact_get_number(&artifact, "y", &number, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "missing"));
    assert_true(number == 5);
    status_clear(&status);
    assert_int_equal(artifact_get_strings(&artifact, "x", &texts, &status), STATUS_DATA);
    assert_int_equal(texts.n, 77);
    assert_null(artifact_find(&artifact, "y"));
    artifact_release(&artifact);
}

static void a_save_replaces_what_the_slot_held(void **state)
{
    struct status status = {0};
    struct artifact none = {0};
    char hash[HASH_TEXT_MAX];
    bool found = true;
    struct db *work = open_work(state);
    assert_ok(artifact_load(work, "slot", &none, &found, &status), &status);
    assert_false(found);
    save_filled(work, "slot", 1);
    save_filled(work, "other", 2);
    save_filled(work, "slot", 3);
    assert_true(loaded_first(work, "slot") == 3);
    assert_true(loaded_first(work, "other") == 2);
    assert_int_equal(store_int64(work, "SELECT count(*) FROM artifact"), 2);
    assert_ok(artifact_delete(work, "slot", &status), &status);
    assert_ok(artifact_delete(work, "never there", &status), &status);
    assert_ok(artifact_saved_hash(work, "slot", hash, &found, &status), &status);
    assert_false(found);
    assert_true(loaded_first(work, "other") == 2);
    assert_int_equal(store_int64(work, "SELECT count(*) FROM artifact_chunk WHERE artifact NOT IN"
                                       " (SELECT artifact FROM artifact)"),
                     0);
    db_close(work);
}

static void a_failed_save_leaves_the_old_content(void **state)
{
    struct status status = {0};
    struct artifact artifact;
    struct db *work = open_work(state);
    save_filled(work, "slot", 1);
    /* fails in the last transaction, when all chunks of the new version are written */
    store_exec(work, "CREATE TRIGGER stop BEFORE UPDATE ON artifact"
                     " BEGIN SELECT raise(ABORT, 'disk on fire'); END");
    fill(&artifact, 2);
    assert_int_equal(artifact_save(work, "slot", &artifact, &status), STATUS_INTERNAL);
    assert_non_null(strstr(status.message, "saving slot: disk on fire"));
    artifact_release(&artifact);
    assert_true(loaded_first(work, "slot") == 1);
    /* what it left goes with the next save */
    assert_int_equal(store_int64(work, "SELECT count(*) FROM artifact WHERE current = 0"), 1);
    store_exec(work, "DROP TRIGGER stop");
    save_filled(work, "slot", 3);
    assert_int_equal(store_int64(work, "SELECT count(*) FROM artifact"), 1);
    assert_int_equal(store_int64(work, "SELECT count(DISTINCT artifact) FROM artifact_chunk"), 1);
    assert_true(loaded_first(work, "slot") == 3);
    db_close(work);
}

static void damage_of_any_kind_is_bad_data(void **state)
{
    static const char *const damages[] = {
        ("UPDATE artifact_chunk SET bytes = zeroblob(length(bytes)) WHERE position = 0 AND"
         " number = 3"),
        "DELETE FROM artifact_chunk WHERE position = 0 AND number = 1",
        "UPDATE artifact_chunk SET number = 9 WHERE position = 0 AND number = 1",
        "UPDATE artifact_array SET n_rows = 1000000000000 WHERE position = 0",
        "UPDATE artifact_array SET n_rows = -1 WHERE position = 0",
        "UPDATE artifact_array SET type = 'f16' WHERE position = 0",
        "UPDATE artifact_array SET name = 'bug' WHERE position = 0",
        "DELETE FROM artifact_array WHERE position = 5",
        "UPDATE artifact SET hash = 'x'",
    };
    struct db *work = open_work(state);
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct status status = {0};
        struct artifact artifact = {0};
        bool found = false;
        save_filled(work, "slot", 1);
        store_exec(work, damages[i]);
        assert_int_equal(artifact_load(work, "slot", &artifact, &found, &status), STATUS_DATA);
        assert_string_equal(status.file, db_path(work));
        assert_non_null(strstr(status.message, "\"slot\" is damaged"));
        assert_int_equal(artifact.n_arrays, 0);
        assert_false(found);
    }
    db_close(work);
}

static void a_part_is_loaded_and_checked_alone(void **state)
{
    static const char *const without[] = {"big", "t", NULL};
    struct db *work = open_work(state);
    struct artifact part = {0};
    struct status status = {0};
    double tau = 0;
    bool found = false;
    save_filled(work, "slot", 1);
    assert_ok(artifact_load_without(work, "slot", without, &part, &found, &status), &status);
    assert_true(found);
    assert_null(artifact_find(&part, "big"));
    assert_null(artifact_find(&part, "texts.bytes"));
    assert_non_null(artifact_find(&part, "longs"));
    assert_ok(artifact_get_number(&part, "tau", &tau, &status), &status); /* numbers always */
    assert_true(tau == 0.15);
    artifact_release(&part);
    part = (struct artifact){0};
    /* damage elsewhere goes unseen, damage here does not */
    store_exec(work, "UPDATE artifact_chunk SET bytes = zeroblob(length(bytes)) WHERE position ="
                     " (SELECT position FROM artifact_array WHERE name = 'big')");
    assert_ok(artifact_load_without(work, "slot", without, &part, &found, &status), &status);
    artifact_release(&part);
    part = (struct artifact){0};
    store_exec(work, "UPDATE artifact_chunk SET bytes = zeroblob(length(bytes)) WHERE position ="
                     " (SELECT position FROM artifact_array WHERE name = 'longs')");
    assert_int_equal(artifact_load_without(work, "slot", without, &part, &found, &status),
                     STATUS_DATA);
    assert_int_equal(part.n_arrays, 0);
    db_close(work);
}

static void a_result_of_an_earlier_version_is_loaded_whole(void **state)
{
    static const char *const without[] = {"big", NULL};
    struct db *work = open_work(state);
    struct artifact whole = {0};
    struct status status = {0};
    bool found = false;
    save_filled(work, "slot", 1);
    store_exec(work, "UPDATE artifact_array SET hash = NULL");
    assert_ok(artifact_load_without(work, "slot", without, &whole, &found, &status), &status);
    assert_non_null(artifact_find(&whole, "big"));
    artifact_release(&whole);
    db_close(work);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_artifact_comes_back_as_it_was_saved),
        TEST(the_hash_covers_names_types_shapes_and_bytes),
        TEST(a_wrong_use_is_our_bug_and_changes_nothing),
        TEST(a_save_replaces_what_the_slot_held),
        TEST(a_failed_save_leaves_the_old_content),
        TEST(damage_of_any_kind_is_bad_data),
        TEST(a_part_is_loaded_and_checked_alone),
        TEST(a_result_of_an_earlier_version_is_loaded_whole),
    };
    return cmocka_run_group_tests_name("artifact", tests, NULL, NULL);
}
