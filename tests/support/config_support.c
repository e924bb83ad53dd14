/* A folder for configuration files, and stages that stand for real ones. */
#include "tests/support/config_support.h"

#include <dirent.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <unistd.h>

int config_folder_setup(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(CONFIG_PATH_MAX);
    if (path == NULL) {
        return -1;
    }
    (void)snprintf(path, CONFIG_PATH_MAX, "%s/nightjar-config-XXXXXX",
                   base == NULL ? "/tmp" : base);
    *state = path;
    return mkdtemp(path) == NULL ? -1 : 0;
}

int config_folder_teardown(void **state)
{
    char path[CONFIG_PATH_MAX];
    DIR *folder = opendir(*state);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            config_path(state, entry->d_name, path);
            (void)unlink(path);
        }
    }
    (void)closedir(folder);
    int code = rmdir(*state);
    free(*state);
    return code;
}

void config_path(void **state, const char *name, char out[CONFIG_PATH_MAX])
{
    int length = snprintf(out, CONFIG_PATH_MAX, "%s/%s", (const char *)*state, name);
    assert_in_range(length, 1, CONFIG_PATH_MAX - 1);
}

const char *config_write(void **state, const void *bytes, size_t length)
{
    static char path[CONFIG_PATH_MAX];
    config_path(state, "pipeline.yaml", path);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char *const sweets[] = {"honey", "sugar", "syrup", NULL};
static const char *const metrics[] = {"recall@20", "ndcg@20", "hit@10", NULL};

static const struct option split_table[] = {{.name = "valid",
                                             .type = OPTION_DURATION,
                                             .offset = offsetof(struct brew_split, valid),
                                             .required = true,
                                             .help = "Time kept for validation."},
                                            {.name = "test",
                                             .type = OPTION_DURATION,
                                             .offset = offsetof(struct brew_split, test),
                                             .default_text = "7d",
                                             .min = 0,
                                             .max = 86400 * 365,
                                             .help = "Time kept for the test."},
                                            {.name = NULL}};

static const struct option rule_table[] = {{.name = "over",
                                            .type = OPTION_FLOAT,
                                            .offset = offsetof(struct brew_rule, over),
                                            .default_text = "1",
                                            .min = 0,
                                            .max = 10,
                                            .help = "Least ratio."},
                                           {.name = "label",
                                            .type = OPTION_TEXT,
                                            .offset = offsetof(struct brew_rule, label),
                                            .help = "Its name."},
                                           {.name = NULL}};

const struct option brew_table[] = {{.name = "cups",
                                     .type = OPTION_INT,
                                     .offset = offsetof(struct brew_options, cups),
                                     .default_text = "4",
                                     .min = 1,
                                     .max = 100,
                                     .unit = "cups",
                                     .help = "How many cups."},
                                    {.name = "strength",
                                     .type = OPTION_FLOAT,
                                     .offset = offsetof(struct brew_options, strength),
                                     .default_text = "0.5",
                                     .min = 0,
                                     .max = 1,
                                     .help = "Share of leaves | water."},
                                    {.name = "iced",
                                     .type = OPTION_BOOL,
                                     .offset = offsetof(struct brew_options, iced),
                                     .default_text = "true",
                                     .help = "With ice."},
                                    {.name = "heat",
                                     .type = OPTION_AUTO,
                                     .offset = offsetof(struct brew_options, heat),
                                     .default_text = "auto",
                                     .min = 0,
                                     .max = 100,
                                     .help = "Degrees."},
                                    {.name = "half_life",
                                     .type = OPTION_DURATION,
                                     .offset = offsetof(struct brew_options, half_life),
                                     .default_text = "30d",
                                     .help = "Cooling."},
                                    {.name = "cache",
                                     .type = OPTION_BYTES,
                                     .offset = offsetof(struct brew_options, cache),
                                     .default_text = "64M",
                                     .help = "Size of the pot."},
                                    {.name = "since",
                                     .type = OPTION_TIME,
                                     .offset = offsetof(struct brew_options, since),
                                     .help = "Oldest leaves."},
                                    {.name = "title",
                                     .type = OPTION_TEXT,
                                     .offset = offsetof(struct brew_options, title),
                                     .help = "What it says on the pot."},
                                    {.name = "file",
                                     .type = OPTION_PATH,
                                     .offset = offsetof(struct brew_options, file),
                                     .help = "The recipe."},
                                    {.name = "sweet",
                                     .type = OPTION_CHOICE,
                                     .offset = offsetof(struct brew_options, sweet),
                                     .default_text = "sugar",
                                     .choices = sweets,
                                     .help = "What to add."},
                                    {.name = "metrics",
                                     .type = OPTION_TEXT_LIST,
                                     .offset = offsetof(struct brew_options, metrics),
                                     .default_text = "[recall@20, ndcg@20]",
                                     .choices = metrics,
                                     .help = "What to measure."},
                                    {.name = "weights",
                                     .type = OPTION_NUMBER_MAP,
                                     .offset = offsetof(struct brew_options, weights),
                                     .min = 0,
                                     .max = 1000,
                                     .help = "Weights by name."},
                                    {.name = "columns",
                                     .type = OPTION_TEXT_MAP,
                                     .offset = offsetof(struct brew_options, columns),
                                     .help = "Columns by name."},
                                    {.name = "split",
                                     .type = OPTION_GROUP,
                                     .offset = offsetof(struct brew_options, split),
                                     .group = split_table,
                                     .group_size = sizeof(struct brew_split),
                                     .help = "Parts."},
                                    {.name = "gate",
                                     .type = OPTION_GROUP_MAP,
                                     .offset = offsetof(struct brew_options, gate),
                                     .group = rule_table,
                                     .group_size = sizeof(struct brew_rule),
                                     .help = "Rules by metric."},
                                    {.name = NULL}};

static void validate_brew(const void *options, struct option_report *report)
{
    const struct brew_options *brew = options;
    if (brew->iced && brew->cups > 50) {
        option_mistake(report, "cups", "%lld cups do not fit on ice; allowed: 50",
                       (long long)brew->cups);
    }
    if (brew->split.given && brew->split.test > brew->split.valid * 100) {
        option_mistake(report, "split.test", "too long beside split.valid");
    }
    if (brew->gate.n > 2) {
        option_mistake(report, "gate", "at most 2 rules");
    }
}

struct load_options {
    const char *file;
};

static const struct option load_table[] = {{.name = "file",
                                            .type = OPTION_PATH,
                                            .offset = offsetof(struct load_options, file),
                                            .required = true,
                                            .help = "What to load."},
                                           {.name = NULL}};
static const struct option no_options[] = {{.name = NULL}};

static const struct stage_artifact nothing[] = {{.name = NULL}};
static const struct stage_artifact rows[] = {{.name = "rows", .help = "what was loaded"},
                                             {.name = NULL}};
static const struct stage_artifact tea[] = {{.name = "tea", .help = "hot"}, {.name = NULL}};
static const struct stage_artifact milk[] = {{.name = "milk"}, {.name = NULL}};
static const struct stage_artifact tea_and_milk[] = {
    {.name = "tea", .help = "hot"}, {.name = "milk", .optional = true}, {.name = NULL}};

static const struct stage stage_load = {.name = "load",
                                        .summary = "Loads rows.",
                                        .options_size = sizeof(struct load_options),
                                        .options = load_table,
                                        .inputs = nothing,
                                        .outputs = rows,
                                        .repeatable = true};
static const struct stage stage_brew = {.name = "brew",
                                        .summary = "Makes tea of rows.",
                                        .options_size = sizeof(struct brew_options),
                                        .options = brew_table,
                                        .inputs = rows,
                                        .outputs = tea,
                                        .validate = validate_brew};
static const struct stage stage_pour = {.name = "pour",
                                        .summary = "Pours tea.",
                                        .options_size = 1,
                                        .options = no_options,
                                        .inputs = tea_and_milk,
                                        .outputs = nothing};
static const struct stage stage_farm = {.name = "farm",
                                        .summary = "Fetches milk.",
                                        .options_size = 1,
                                        .options = no_options,
                                        .inputs = nothing,
                                        .outputs = milk};

static const struct stage *const stages[] = {&stage_load, &stage_brew, &stage_pour, &stage_farm,
                                             NULL};
const struct stage_registry config_registry = {stages};
