/* Cache keys and verdicts, without the runner: what changes a key, and when a stage may rest. */
#include "run/cache.h"

#include "store/migrate.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct draw_options {
    int64_t count;
};

static const struct option draw_table[] = {{.name = "count",
                                            .type = OPTION_INT,
                                            .offset = offsetof(struct draw_options, count),
                                            .default_text = "3",
                                            .help = "how many"},
                                           {.name = NULL}};
static const struct option no_options[] = {{.name = NULL}};
static const struct stage_artifact nothing[] = {{.name = NULL}};
static const struct stage_artifact cards[] = {{.name = "cards"}, {.name = NULL}};
static const struct stage_artifact extra[] = {
    {.name = "cards"}, {.name = "joker", .optional = true}, {.name = NULL}};

static enum status_code unused_run(struct context *context, const void *options,
                                   struct status *status)
{
    (void)context, (void)options, (void)status;
    return STATUS_OK;
}

static enum status_code unused_fingerprint(struct context *context, const void *options,
                                           char out[HASH_TEXT_MAX], struct status *status)
{
    (void)context, (void)options, (void)status;
    out[0] = '\0';
    return STATUS_OK;
}

static const struct stage stage_draw = {.name = "draw",
                                        .summary = "Draws.",
                                        .version = 1,
                                        .options_size = sizeof(struct draw_options),
                                        .options = draw_table,
                                        .inputs = nothing,
                                        .outputs = cards,
                                        .fingerprint = unused_fingerprint,
                                        .run = unused_run};
static const struct stage stage_play = {.name = "play",
                                        .summary = "Plays.",
                                        .version = 1,
                                        .options_size = 1,
                                        .options = no_options,
                                        .inputs = extra,
                                        .outputs = nothing,
                                        .run = unused_run};
static const struct stage *const stages[] = {&stage_draw, &stage_play, NULL};
static const struct stage_registry registry = {stages};

/* A context over a work database of its own, as the runner would make it. */
struct fixture {
    struct plan *plan;
    struct run_request request;
    struct context context;
};

static void open_fixture(void **state, struct fixture *fixture, const char *set,
                         const char *version)
{
    static const char text[] = "pipeline: cards\n"
                               "source: {database: source.db, table: t, user: u, item: i}\n"
                               "stages:\n"
                               "  - draw: {}\n"
                               "  - play: {}\n";
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, "cards.yaml", path);
    store_write_file(path, text, sizeof text - 1);
    assert_int_equal(plan_load(path, &registry, &set, set != NULL, &fixture->plan, &status),
                     STATUS_OK);
    fixture->request = (struct run_request){.plan = fixture->plan, .version = version};
    assert_int_equal(context_init(&fixture->context, &fixture->request, &status), STATUS_OK);
    fixture->context.work = store_open(fixture->plan->settings.work.database, DB_CREATE);
    assert_int_equal(migrate_apply(fixture->context.work, MIGRATE_WORK, "", &status), STATUS_OK);
}

static void close_fixture(struct fixture *fixture)
{
    context_release(&fixture->context);
    plan_free(fixture->plan);
}

/* Gives the stage "draw" its output, as if it had run. */
static void save_cards(struct fixture *fixture, double value)
{
    struct status status = {0};
    struct artifact artifact;
    artifact_init(&artifact, "cards");
    assert_int_equal(artifact_set_number(&artifact, "value", value, &status), STATUS_OK);
    assert_int_equal(artifact_save(fixture->context.work, "draw/cards", &artifact, &status),
                     STATUS_OK);
    artifact_release(&artifact);
}

static void key_of(struct fixture *fixture, size_t position, char out[HASH_TEXT_MAX])
{
    struct status status = {0};
    if (cache_key(&fixture->context, position, out, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
}

/* Whether both keys change when the pipeline is loaded with another setting or version. */
static void assert_keys(void **state, const char *set, const char *version, bool draw_changes,
                        bool play_changes)
{
    struct fixture plain, other;
    char before[2][HASH_TEXT_MAX], after[2][HASH_TEXT_MAX];
    open_fixture(state, &plain, NULL, "1");
    save_cards(&plain, 1);
    key_of(&plain, 0, before[0]);
    key_of(&plain, 1, before[1]);
    close_fixture(&plain);
    open_fixture(state, &other, set, version);
    key_of(&other, 0, after[0]);
    key_of(&other, 1, after[1]);
    close_fixture(&other);
    assert_int_equal(strcmp(before[0], after[0]) != 0, draw_changes);
    assert_int_equal(strcmp(before[1], after[1]) != 0, play_changes);
}

static void equal_plans_have_equal_keys(void **state)
{
    assert_keys(state, NULL, "1", false, false);
}

static void a_key_changes_with_what_decides_the_bytes(void **state)
{
    assert_keys(state, "stages.draw.count=4", "1", true, false);
    assert_keys(state, "seed=2", "1", true, true);
    assert_keys(state, NULL, "2", true, true);
}

static void source_settings_count_for_stages_that_read_outside(void **state)
{
    assert_keys(state, "source.item=j", "1", true, false);
    assert_keys(state, "output.prefix=x_", "1", true, false);
}

static void a_key_stays_when_no_byte_depends_on_the_setting(void **state)
{
    assert_keys(state, "threads=2", "1", false, false);
    assert_keys(state, "memory_limit=4G", "1", false, false);
    assert_keys(state, "source.busy_timeout=9s", "1", false, false);
    assert_keys(state, "output.keep=9", "1", false, false);
}

static void a_key_follows_the_content_of_the_inputs(void **state)
{
    struct fixture fixture;
    char keys[3][HASH_TEXT_MAX];
    const double values[] = {1, 2, 1};
    for (size_t i = 0; i < 3; i++) {
        open_fixture(state, &fixture, NULL, "1");
        save_cards(&fixture, values[i]);
        key_of(&fixture, 1, keys[i]);
        close_fixture(&fixture);
    }
    assert_string_not_equal(keys[0], keys[1]);
    assert_string_equal(keys[0], keys[2]);
}

static void a_missing_input_is_our_mistake(void **state)
{
    struct fixture fixture;
    struct status status = {0};
    char key[HASH_TEXT_MAX] = "untouched";
    open_fixture(state, &fixture, NULL, "1");
    assert_int_equal(cache_key(&fixture.context, 1, key, &status), STATUS_INTERNAL);
    assert_non_null(strstr(status.message, "its input \"cards\" is not in the work database"));
    assert_string_equal(key, "untouched");
    close_fixture(&fixture);
}

/* The verdict on "draw", last made by run 7 at time 1000 with key "k" and fingerprint "f". */
static enum cache_verdict verdict(struct fixture *fixture, const struct cache_question *question)
{
    struct status status = {0};
    struct cache_state state;
    enum cache_verdict verdict;
    assert_int_equal(cache_decide(&fixture->context, question, &state, &verdict, &status),
                     STATUS_OK);
    return verdict;
}

static void a_stage_rests_only_when_nothing_has_changed(void **state)
{
    struct fixture fixture;
    struct status status = {0};
    const struct cache_state last = {
        .key = "k", .fingerprint = "f", .run = 7, .finished = 1000, .rows = 5};
    const struct cache_question same = {.key = "k", .fingerprint = "f", .now = 2000};
    struct cache_question question = same;
    open_fixture(state, &fixture, "resume_within=1h", "1");
    assert_int_equal(verdict(&fixture, &question), CACHE_RUN); /* never ran */
    assert_int_equal(cache_remember(fixture.context.work, "draw", &last, &status), STATUS_OK);
    assert_int_equal(verdict(&fixture, &question), CACHE_RUN); /* its output is not there */
    save_cards(&fixture, 1);
    assert_int_equal(verdict(&fixture, &question), CACHE_UNCHANGED);
    question.forced = true;
    assert_int_equal(verdict(&fixture, &question), CACHE_RUN);
    question = same;
    question.key = "other";
    assert_int_equal(verdict(&fixture, &question), CACHE_RUN);
    question = same;
    question.fingerprint = "g";
    assert_int_equal(verdict(&fixture, &question), CACHE_RUN);
    question.fingerprint = "";
    assert_int_equal(verdict(&fixture, &question), CACHE_RUN);
    question.keep_source = true; /* whatever the source has become */
    assert_int_equal(verdict(&fixture, &question), CACHE_UNCHANGED);
    question.key = "other";
    assert_int_equal(verdict(&fixture, &question), CACHE_RUN);
    assert_int_equal(cache_forget(fixture.context.work, "draw", &status), STATUS_OK);
    assert_int_equal(verdict(&fixture, &same), CACHE_RUN);
    close_fixture(&fixture);
}

static void a_young_snapshot_of_the_unfinished_run_is_resumed(void **state)
{
    struct fixture fixture;
    struct status status = {0};
    const struct cache_state last = {.key = "k", .fingerprint = "", .run = 7, .finished = 1000};
    struct cache_question question = {
        .key = "k", .fingerprint = "", .unfinished_run = 7, .now = 1000 + 3599};
    open_fixture(state, &fixture, "resume_within=1h", "1");
    save_cards(&fixture, 1);
    assert_int_equal(cache_remember(fixture.context.work, "draw", &last, &status), STATUS_OK);
    assert_int_equal(verdict(&fixture, &question), CACHE_RESUMED);
    question.now = 1000 + 3600;
    assert_int_equal(verdict(&fixture, &question), CACHE_RUN); /* too old */
    question.now = 999;
    assert_int_equal(verdict(&fixture, &question), CACHE_RUN); /* the clock went back */
    question.now = 1000;
    question.unfinished_run = 8;
    assert_int_equal(verdict(&fixture, &question), CACHE_RUN); /* of another run */
    question.unfinished_run = 0;
    assert_int_equal(verdict(&fixture, &question), CACHE_RUN);
    close_fixture(&fixture);
}

#define TEST(function)                                                                             \
    cmocka_unit_test_setup_teardown(function, store_folder_setup, store_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(equal_plans_have_equal_keys),
        TEST(a_key_changes_with_what_decides_the_bytes),
        TEST(source_settings_count_for_stages_that_read_outside),
        TEST(a_key_stays_when_no_byte_depends_on_the_setting),
        TEST(a_key_follows_the_content_of_the_inputs),
        TEST(a_missing_input_is_our_mistake),
        TEST(a_stage_rests_only_when_nothing_has_changed),
        TEST(a_young_snapshot_of_the_unfinished_run_is_resumed),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
