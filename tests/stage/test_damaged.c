/* Work databases whose arrays were changed and whose hashes were made to fit again: whatever a
 * stage then reads, the run ends well or with STATUS_DATA, and the program stands. */
#include "base/mem.h"
#include "run/runner.h"
#include "tests/support/stage_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

extern const struct stage stage_interactions, stage_features, stage_pairs, stage_negatives,
    stage_train, stage_calibrate, stage_evaluate, stage_refit, stage_recommend, stage_gate,
    stage_publish, stage_report;
static const struct stage *const stages[] = {
    &stage_interactions, &stage_features, &stage_pairs, &stage_negatives, &stage_train,
    &stage_calibrate,    &stage_evaluate, &stage_refit, &stage_recommend, &stage_gate,
    &stage_publish,      &stage_report,   NULL};
static const struct stage_registry registry = {stages};

static const char pipeline[] =
    "pipeline: test\nseed: 7\nthreads: 1\n"
    "source: {database: source.db, interactions: 'SELECT user_id, item_id, created_at FROM "
    "events'}\n"
    "output: {database: output.db}\nwork: {database: work.db}\nstages:\n"
    "  - interactions: {split: {by: time, valid: 3d, test: 3d}}\n"
    "  - features: {items: {query: 'SELECT item_id, category FROM items'}}\n"
    "  - pairs: {item_item: {window: 7d, top: 5}, evidence: {top: 5}}\n"
    "  - negatives: {strategy: uniform, count: 4, stored: 3, shared: false}\n"
    "  - train: {dimension: 8, epochs: 1, co_interaction: {weight: 0.1}}\n"
    "  - calibrate: {}\n"
    "  - evaluate: {metrics: [ndcg@5]}\n"
    "  - refit: {}\n"
    "  - recommend: {top: 3, similar: 2, explain: 1}\n"
    "  - gate: {}\n"
    "  - publish: {}\n"
    "  - report: {path: page.html}\n";

static enum status_code run(void **state, struct status *status)
{
    char path[STORE_PATH_MAX];
    struct plan *plan = NULL;
    struct run_result result = {0};
    *status = (struct status){0};
    store_path(state, "pipeline.yaml", path);
    enum status_code code = plan_load(path, &registry, NULL, 0, &plan, status);
    if (code == STATUS_OK) {
        const struct run_request request = {.plan = plan, .version = "test"};
        code = runner_run(&request, &result, status);
    }
    plan_free(plan);
    return code;
}

static void copy_file(void **state, const char *from, const char *to)
{
    char path[STORE_PATH_MAX];
    static char bytes[1 << 20];
    size_t n;
    store_path(state, from, path);
    FILE *in = fopen(path, "rb");
    store_path(state, to, path);
    FILE *out = fopen(path, "wb");
    assert_non_null(in);
    assert_non_null(out);
    while ((n = fread(bytes, 1, sizeof bytes, in)) > 0) {
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    }
    fclose(in);
    fclose(out);
}

enum damage { LESS, MORE, SHORTER, NO_NUMBER, N_DAMAGES };

/* One element, in the middle, far below or above what it may be, or not a number; or a row less. */
static void do_damage(struct array *array, enum damage damage)
{
    const size_t n = array->rows * array->columns;
    if (n == 0) {
        return;
    }
    if (damage == SHORTER) {
        array->rows--;
    } else if (damage == NO_NUMBER) {
        if (array->type == ARRAY_F32) {
            ((float *)array->data)[n / 2] = NAN;
        } else if (array->type == ARRAY_F64) {
            ((double *)array->data)[n / 2] = (double)NAN;
        }
    } else if (array->type == ARRAY_I32) {
        ((int32_t *)array->data)[n / 2] = damage == LESS ? -7 : INT32_MAX;
    } else if (array->type == ARRAY_I64) {
        ((int64_t *)array->data)[n / 2] = damage == LESS ? -7 : INT64_C(1) << 40;
    } else if (array->type == ARRAY_F64 && n == 1) {
        ((double *)array->data)[0] = damage == LESS ? -7 : 1e12;
    }
}

/* Damages array `a` of the slot; false when there is no such array. */
static bool damage_slot(void **state, const char *slot, size_t a, enum damage damage)
{
    struct status status = {0};
    copy_file(state, "sound.db", "work.db");
    struct artifact artifact = stage_artifact_of(state, slot);
    const bool found = a < artifact.n_arrays;
    if (found) {
        struct db *work = stage_work(state);
        do_damage(&artifact.arrays[a], damage);
        assert_int_equal(artifact_save(work, slot, &artifact, &status), STATUS_OK);
        db_close(work);
    }
    artifact_release(&artifact);
    return found;
}

static void damaged_arrays_end_with_bad_data(void **state)
{
    static const char *const slots[] = {"interactions/interactions",
                                        "features/features",
                                        "pairs/pairs",
                                        "pairs/evidence",
                                        "negatives/negatives",
                                        "train/towers",
                                        "train/training",
                                        "calibrate/calibration",
                                        "evaluate/metrics",
                                        "refit/towers",
                                        "recommend/recommendations"};
    const size_t every = getenv("NIGHTJAR_SOAK") != NULL ? 1 : 11;
    static struct status status;
    char path[STORE_PATH_MAX];
    size_t n = 0, n_refused = 0;
    stage_shop(state, 30, 12, 500);
    store_path(state, "pipeline.yaml", path);
    store_write_file(path, pipeline, sizeof pipeline - 1);
    if (run(state, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    copy_file(state, "work.db", "sound.db");
    for (size_t s = 0; s < sizeof slots / sizeof *slots; s++) {
        bool found = true;
        for (size_t a = 0; found; a++) {
            for (int d = 0; found && d < N_DAMAGES; d++) {
                if (n++ % every != 0) {
                    continue;
                }
                found = damage_slot(state, slots[s], a, (enum damage)d);
                const enum status_code code = found ? run(state, &status) : STATUS_OK;
                n_refused += code == STATUS_DATA;
                if (code != STATUS_OK && code != STATUS_DATA) {
                    fail_msg("%s, array %zu, damage %d: %d: %s", slots[s], a, d, (int)code,
                             status.message);
                }
            }
        }
    }
    assert_true(n_refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damaged_arrays_end_with_bad_data, store_folder_setup,
                                        store_folder_teardown),
    };
    return cmocka_run_group_tests_name("damaged", tests, NULL, NULL);
}
