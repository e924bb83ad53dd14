/* Arrays in files: the same as memory, and nothing left on the disk. */

#include "base/mem.h"
#include "store/artifact.h"
#include "store/migrate.h"

#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>
#include <cmocka.h>

enum { N = 1 << 20 };

static char folder[] = "/tmp/nightjar-spill.XXXXXX";
static char beside[64];

static int make_folder(void **state)
{
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    spill_set_least(1024);
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    snprintf(beside, sizeof beside, "%s/work.db", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a file is left */
}

static size_t count_files(void)
{
    size_t n = 0;
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    while (readdir(listing) != NULL) {
        n++;
    }
    closedir(listing);
    return n - 2; /* . and .. */
}

static void a_spilled_block_keeps_what_is_written(void **state)
{
    (void)state;
    struct status status = {0};
    int32_t *blocks[3] = {NULL};
    for (int b = 0; b < 3; b++) {
        assert_int_equal(spill_new(beside, N, sizeof *blocks[b], (void **)&blocks[b], &status),
                         STATUS_OK);
        for (int i = 0; i < N; i++) {
            assert_int_equal(blocks[b][i], 0);
            blocks[b][i] = i * (b + 1);
        }
        spill_rest(blocks[b]);
    }
    assert_int_equal(count_files(), 0);
    mem_free(blocks[1]);
    for (int i = 0; i < N; i++) {
        assert_int_equal(blocks[0][i], i);
        assert_int_equal(blocks[2][i], 3 * i);
    }
    mem_free(blocks[0]);
    mem_free(blocks[2]);
}

static void small_blocks_and_those_without_a_folder_are_memory(void **state)
{
    (void)state;
    struct status status = {0};
    char *small = NULL, *homeless = NULL, *spilled = NULL;
    assert_int_equal(spill_new(beside, 1023, 1, (void **)&small, &status), STATUS_OK);
    assert_int_equal(spill_new(NULL, 4096, 1, (void **)&homeless, &status), STATUS_OK);
    assert_int_equal(spill_new(beside, 4096, 1, (void **)&spilled, &status), STATUS_OK);
    small[1022] = homeless[4095] = spilled[4095] = 1;
    spill_rest(small);
    spill_rest(homeless);
    assert_int_equal(small[1022], 1);
    assert_int_equal(homeless[4095], 1);
    mem_free(small);
    mem_free(homeless);
    mem_free(spilled);
    mem_free(NULL);
}

/* What comes back from a database comes back in files, the same bytes. */
static void an_artifact_is_loaded_into_files(void **state)
{
    (void)state;
    struct status status = {0};
    struct artifact saved = {0}, loaded = {0};
    struct db *db = NULL;
    int32_t *data = NULL;
    float *few = NULL;
    bool found = false;
    char saved_hash[HASH_TEXT_MAX], loaded_hash[HASH_TEXT_MAX];
    assert_int_equal(MEM_NEW(&data, N, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&few, 3, &status), STATUS_OK);
    for (int i = 0; i < N; i++) {
        data[i] = 7 * i;
    }
    artifact_init(&saved, "things");
    assert_int_equal(artifact_take(&saved, "data", ARRAY_I32, N, 1, data, &status), STATUS_OK);
    assert_int_equal(artifact_take(&saved, "few", ARRAY_F32, 3, 1, few, &status), STATUS_OK);
    assert_int_equal(artifact_memory(&saved), artifact_bytes(&saved));
    assert_int_equal(artifact_hash(&saved, saved_hash, &status), STATUS_OK);
    assert_int_equal(db_open(beside, DB_CREATE, 1, &db, &status), STATUS_OK);
    assert_int_equal(migrate_apply(db, MIGRATE_WORK, "", &status), STATUS_OK);
    assert_int_equal(artifact_save(db, "a/things", &saved, &status), STATUS_OK);
    assert_int_equal(artifact_load(db, "a/things", &loaded, &found, &status), STATUS_OK);
    assert_true(found);
    assert_int_equal(artifact_memory(&loaded), 3 * sizeof(float));
    assert_int_equal(artifact_hash(&loaded, loaded_hash, &status), STATUS_OK);
    assert_string_equal(saved_hash, loaded_hash);
    artifact_release(&saved);
    artifact_release(&loaded);
    db_close(db);
    unlink(beside);
}

static void no_room_and_no_folder_are_errors(void **state)
{
    (void)state;
    struct status status = {0};
    struct rlimit before, few = {0};
    char untouched, *block = &untouched;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    few = (struct rlimit){1 << 20, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &few), 0);
    assert_int_equal(spill_new(beside, 8 << 20, 1, (void **)&block, &status), STATUS_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_ptr_equal(block, &untouched);
    assert_string_equal(status.file, beside);
    assert_non_null(strstr(status.message, "no file of 8 MiB in this folder: File too large"));
    status_clear(&status);
    assert_int_equal(spill_new("/nowhere/at/all/work.db", 4096, 1, (void **)&block, &status),
                     STATUS_IO);
    assert_non_null(strstr(status.message, "No such file or directory"));
    assert_ptr_equal(block, &untouched);
    assert_int_equal(count_files(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spilled_block_keeps_what_is_written),
        cmocka_unit_test(small_blocks_and_those_without_a_folder_are_memory),
        cmocka_unit_test(an_artifact_is_loaded_into_files),
        cmocka_unit_test(no_room_and_no_folder_are_errors),
    };
    return cmocka_run_group_tests_name("spill", tests, make_folder, remove_folder);
}
