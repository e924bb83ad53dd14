/* settings_artifact: settings are kept and loaded by the rows of their option table, and by nothing
 * else: what is tested is that a row is enough. */
#include "dataset/settings_artifact.h"

#include "base/buf.h"

#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

static const char *const mode_names[] = {"still", "moving", NULL};

struct extra_settings {
    bool given;
    size_t layers;
    double weight;
};

struct dummy_settings {
    size_t width;
    double rate;
    enum { STILL, MOVING } mode;
    bool loud;
    struct extra_settings extra;
};

struct dummy_options {
    struct dummy_settings settings;
    const char *who; /* not kept: it stands behind the settings */
};

static const struct option extra_table[] = {
    OPT_AUTO_INT(extra_settings, "layers", layers, "2", 0, 3, "Layers."),
    OPT_FLOAT(extra_settings, "weight", weight, "0.5", 0.01, 1, "Their weight."), OPT_END};

static const struct option table[] = {
    OPT_INT(dummy_options, "width", settings.width, "8", 1, 64, "How wide."),
    OPT_AUTO(dummy_options, "rate", settings.rate, "auto", 0, 2, "How fast."),
    OPT_CHOICE(dummy_options, "mode", settings.mode, "moving", mode_names, "How."),
    OPT_BOOL(dummy_options, "loud", settings.loud, "true", "Whether it is heard."),
    OPT_GROUP(dummy_options, "extra", settings.extra, extra_table, "More of it."),
    OPT_TEXT(dummy_options, "who", who, "nobody", "Who."),
    OPT_END};

static const struct kept_settings kept = {
    .table = table,
    .size = sizeof(struct dummy_settings),
    .prefix = "setting.",
    .names = (const struct kept_name[]){{"extra.layers", "layers"}, {NULL, NULL}}};

static const struct dummy_settings some = {.width = 16,
                                           .rate = 0.25,
                                           .mode = STILL,
                                           .extra = {.given = true, .layers = 3, .weight = 0.75}};

static void what_the_table_has_is_kept_and_loaded(void **state)
{
    (void)state;
    struct status status = {0};
    struct artifact artifact = {0};
    struct dummy_settings loaded = {0};
    double value = 0.0;
    artifact_init(&artifact, "dummy");
    assert_int_equal(settings_save(&kept, &some, &artifact, &status), STATUS_OK);
    assert_int_equal(artifact.n_arrays, 7);
    assert_int_equal(artifact_get_number(&artifact, "setting.layers", &value, &status), STATUS_OK);
    assert_true(value == 3.0);
    assert_int_equal(artifact_get_number(&artifact, "setting.extra", &value, &status), STATUS_OK);
    assert_true(value == 1.0);
    assert_int_equal(settings_load(&kept, &loaded, &artifact, &status), STATUS_OK);
    assert_int_equal(loaded.width, 16);
    assert_true(loaded.rate == 0.25 && loaded.mode == STILL && !loaded.loud && loaded.extra.given);
    assert_true(loaded.extra.layers == 3 && loaded.extra.weight == 0.75);
    artifact_release(&artifact);
}

/* A version without the rows wrote it. */
static void what_an_artifact_does_not_have_gets_its_default(void **state)
{
    (void)state;
    struct status status = {0};
    struct artifact artifact = {0};
    struct dummy_settings loaded = {0};
    artifact_init(&artifact, "dummy");
    assert_int_equal(artifact_set_number(&artifact, "setting.width", 9, &status), STATUS_OK);
    assert_int_equal(settings_load(&kept, &loaded, &artifact, &status), STATUS_OK);
    assert_int_equal(loaded.width, 9);
    assert_true(isnan(loaded.rate) && loaded.mode == MOVING && loaded.loud && !loaded.extra.given);
    assert_true(loaded.extra.layers == 2 && loaded.extra.weight == 0.5);
    artifact_release(&artifact);
}

static void what_an_option_cannot_be_is_refused_and_nothing_is_loaded(void **state)
{
    static const struct {
        const char *name;
        double value;
        const char *told;
    } rows[] = {
        {"setting.width", 65, "artifact dummy: setting.width is 65, allowed: 0 to 64"},
        {"setting.width", NAN, "setting.width"},
        {"setting.mode", 2, "setting.mode is 2, allowed: 0 to 1"},
        {"setting.loud", -1, "setting.loud is -1, allowed: 0 to 1"},
        {"setting.extra", 2, "setting.extra is 2, allowed: 0 to 1"},
        {"setting.layers", NAN, "setting.layers"}, /* auto: somebody should have chosen */
        {"setting.extra.weight", 1.5, "setting.extra.weight is 1.5, allowed: 0 to 1"},
    };
    (void)state;
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        struct status status = {0};
        struct artifact artifact = {0};
        struct dummy_settings loaded = some;
        artifact_init(&artifact, "dummy");
        assert_int_equal(artifact_set_number(&artifact, rows[r].name, rows[r].value, &status),
                         STATUS_OK);
        assert_int_equal(settings_load(&kept, &loaded, &artifact, &status), STATUS_DATA);
        assert_non_null(strstr(status.message, rows[r].told));
        assert_memory_equal(&loaded, &some, sizeof loaded);
        artifact_release(&artifact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_table_has_is_kept_and_loaded),
        cmocka_unit_test(what_an_artifact_does_not_have_gets_its_default),
        cmocka_unit_test(what_an_option_cannot_be_is_refused_and_nothing_is_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
