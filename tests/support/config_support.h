/* For tests of the configuration: files in a folder of their own, and a registry of small stages
 * that never run. */
#ifndef NIGHTJAR_TESTS_CONFIG_SUPPORT_H
#define NIGHTJAR_TESTS_CONFIG_SUPPORT_H

#include "config/plan.h"

enum { CONFIG_PATH_MAX = 512 };

/* A cmocka setup and teardown: *state is a folder of its own, removed with its files. */
int config_folder_setup(void **state);
int config_folder_teardown(void **state);
/* Path of a file in that folder. */
void config_path(void **state, const char *name, char out[CONFIG_PATH_MAX]);
/* Writes pipeline.yaml into the folder and returns its path, valid until the next call. */
const char *config_write(void **state, const void *bytes, size_t length);

enum sweet { SWEET_HONEY, SWEET_SUGAR, SWEET_SYRUP };

struct brew_split {
    bool given;
    double valid, test; /* seconds */
};

struct brew_rule {
    double over;
    const char *label;
};

/* One option of every type. */
struct brew_options {
    int64_t cups;
    double strength;
    bool iced;
    double heat;
    double half_life;
    int64_t cache;
    int64_t since;
    const char *title;
    const char *file;
    int sweet;
    struct option_texts metrics;
    struct option_numbers weights;
    struct option_pairs columns;
    struct brew_split split;
    struct option_groups gate;
};

extern const struct option brew_table[];

/* load (repeatable, needs `file`) writes rows; brew reads rows, writes tea, has one option of every
 * type; pour reads tea and, when there is one, milk, and has no options; farm writes milk. */
extern const struct stage_registry config_registry;

#endif
