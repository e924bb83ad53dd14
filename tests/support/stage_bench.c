/* The stage `given` and the runs around it. */
#include "tests/support/stage_bench.h"

#include "base/mem.h"
#include "config/stage_registry.h"
#include "run/context_data.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum test_kind { TEST_CUT, TEST_GIVEN, TEST_NONE };

struct given_options {
    int basis, test;
    bool valid;
};

static const char *const basis_choices[] = {"fit", "all", NULL};
static const char *const test_choices[] = {"cut", "given", "none", NULL};

static const struct option given_table[] = {
    {.name = "events",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct given_options, basis),
     .default_text = "fit",
     .choices = basis_choices,
     .help = "Of the towers."},
    {.name = "test",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct given_options, test),
     .default_text = "cut",
     .choices = test_choices,
     .help = "Where the test part comes from."},
    {.name = "valid",
     .type = OPTION_BOOL,
     .offset = offsetof(struct given_options, valid),
     .default_text = "true",
     .help = "Whether there is a validation part."},
    {.name = NULL},
};

static const struct stage_artifact given_outputs[] = {
    {.name = "interactions"}, {.name = "towers"}, {.name = NULL}};

void stage_bench_data(struct ranking_data *data, enum basis basis)
{
    ranking_data_init(data, 120, 60, 6, 0.15, basis, 31);
}

static struct sparse copy_of(const struct sparse *m)
{
    struct status status = {0};
    struct sparse turned = {0}, out = {0};
    assert_int_equal(sparse_transpose(m, &turned, &status), STATUS_OK);
    assert_int_equal(sparse_transpose(&turned, &out, &status), STATUS_OK);
    sparse_release(&turned);
    return out;
}

static void drop_part(struct history *history, const int32_t **unknown)
{
    sparse_release(&history->matrix);
    mem_free((void *)(uintptr_t)*unknown);
    *history = (struct history){0};
    *unknown = NULL;
}

static void shape_parts(struct interactions *interactions, const struct given_options *o)
{
    struct dataset *fit = &interactions->basis[BASIS_FIT];
    struct dataset *all = &interactions->basis[BASIS_ALL];
    if (o->test == TEST_GIVEN) {
        interactions->test_is_given = true;
        sparse_release(&all->train.matrix);
        all->train.matrix = copy_of(&fit->train.matrix);
        all->test.matrix = copy_of(&fit->test.matrix);
    } else if (o->test == TEST_NONE) {
        drop_part(&fit->test, &fit->test_unknown);
    }
    if (!o->valid) {
        drop_part(&fit->valid, &fit->valid_unknown);
    }
}

static enum status_code given_run(struct context *context, const void *options,
                                  struct status *status)
{
    const struct given_options *o = options;
    struct ranking_data data;
    struct artifact interactions = {0}, embeddings = {0};
    enum status_code code;
    stage_bench_data(&data, (enum basis)o->basis);
    shape_parts(&data.interactions, o);
    TRY(embeddings_save(&data.embeddings, &embeddings, status));
    TRY(context_output(context, &embeddings, status));
    artifact_init(&interactions, "interactions");
    TRY(interactions_save(&data.interactions, &interactions, status));
    TRY(context_output(context, &interactions, status));
done:
    served_ids_release(&data.users);
    served_ids_release(&data.items);
    interactions_release(&data.interactions);
    mem_free(data.user_vectors);
    mem_free(data.item_vectors);
    return code;
}

static const struct stage given_stage = {
    .name = "given",
    .summary = "Stands in for interactions and train.",
    .version = 1,
    .options_size = sizeof(struct given_options),
    .options = given_table,
    .outputs = given_outputs,
    .run = given_run,
};

/* Every real stage, and `given`. */
static const struct stage *stages[64];
static const struct stage_registry registry = {stages};

static void fill_registry(void)
{
    size_t n = 0;
    for (; stage_registry.stages[n] != NULL; n++) {
        assert_true(n < 62);
        stages[n] = stage_registry.stages[n];
    }
    stages[n] = &given_stage;
}

enum status_code stage_bench_run(void **state, const char *stage_lines, struct buf *log_text,
                                 struct status *status)
{
    char path[STORE_PATH_MAX];
    struct buf file = {0};
    struct plan *plan = NULL;
    char *text = NULL;
    size_t length = 0;
    struct log log = {.stream = open_memstream(&text, &length), .level = LOG_INFO};
    struct run_result result = {0};
    enum status_code code;
    assert_non_null(log.stream);
    fill_registry();
    store_path(state, "pipeline.yaml", path);
    buf_addf(&file, "pipeline: bench\nseed: 7\nthreads: 2\nstages:\n%s", stage_lines);
    store_write_file(path, file.data, file.length);
    code = plan_load(path, &registry, NULL, 0, &plan, status);
    if (code == STATUS_OK) {
        struct run_request request = {.plan = plan, .version = "test", .log = &log};
        code = runner_run(&request, &result, status);
    }
    fclose(log.stream);
    if (log_text != NULL) {
        buf_clear(log_text);
        buf_add(log_text, text, length);
    }
    free(text);
    buf_release(&file);
    plan_free(plan);
    return code;
}

bool stage_bench_artifact(void **state, const char *slot, struct artifact *out)
{
    struct status status = {0};
    char path[STORE_PATH_MAX];
    bool found = false;
    struct db *work;
    store_path(state, "bench.work.db", path);
    work = store_open(path, DB_READ);
    assert_int_equal(artifact_load(work, slot, out, &found, &status), STATUS_OK);
    db_close(work);
    return found;
}
