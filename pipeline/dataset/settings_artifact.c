/* Option tables walked as lists of numbers. */
#include "dataset/settings_artifact.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { N_KEPT_MAX = 128 };

/* One number: the option, its group's place in the settings, its name in the artifact. */
struct kept_number {
    const struct option *option;
    size_t group;
    char name[ARTIFACT_NAME_MAX];
};

/* Adds the option, unless it is not kept. */
static void add_number(const struct kept_settings *kept, const struct option *option,
                       const struct option *group, struct kept_number *out, size_t *n)
{
    char path[ARTIFACT_NAME_MAX];
    const char *name = path;
    int length = snprintf(path, sizeof path, "%s%s%s", group == NULL ? "" : group->name,
                          group == NULL ? "" : ".", option->name);
    for (const struct kept_name *k = kept->names; k != NULL && k->option != NULL; k++) {
        name = strcmp(k->option, path) == 0 ? k->kept : name;
    }
    if (name == NULL) {
        return;
    }
    assert(*n < N_KEPT_MAX);
    struct kept_number *number = &out[(*n)++];
    number->option = option;
    number->group = group == NULL ? 0 : group->offset;
    length = snprintf(number->name, sizeof number->name, "%s%s",
                      kept->prefix == NULL ? "" : kept->prefix, name);
    assert(length >= 0 && (size_t)length < sizeof number->name);
    (void)length;
}

static size_t list_numbers(const struct kept_settings *kept, struct kept_number out[N_KEPT_MAX])
{
    size_t n = 0;
    for (const struct option *o = kept->table; o->name != NULL; o++) {
        if (o->offset >= kept->size) {
            continue;
        }
        add_number(kept, o, NULL, out, &n);
        if (o->type == OPTION_GROUP) {
            for (const struct option *inner = o->group; inner->name != NULL; inner++) {
                add_number(kept, inner, o, out, &n);
            }
        }
    }
    return n;
}

enum status_code settings_save(const struct kept_settings *kept, const void *settings,
                               struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct kept_number numbers[N_KEPT_MAX];
    const size_t n = list_numbers(kept, numbers);
    for (size_t i = 0; i < n; i++) {
        TRY(artifact_set_number(
            artifact, numbers[i].name,
            option_number(numbers[i].option, (const char *)settings + numbers[i].group), status));
    }
done:
    return code;
}

static enum status_code check_number(const struct kept_number *number, double value,
                                     const struct artifact *artifact, struct status *status)
{
    const struct option *option = number->option;
    double least = option_has_min(option) ? fmin(option->min, 0.0) : 0.0;
    double most = option_has_max(option) ? option->max : 1e15;
    if (option->type == OPTION_CHOICE) {
        for (most = -1.0; option->choices[(size_t)(most + 1.0)] != NULL;) {
            most++;
        }
    } else if (option->type == OPTION_BOOL || option->type == OPTION_GROUP) {
        most = 1.0;
    }
    if ((value >= least && value <= most) || (isnan(value) && option->type == OPTION_AUTO)) {
        return STATUS_OK;
    }
    return status_set(status, STATUS_DATA,
                      "artifact %s: %s is %g, allowed: %g to %g; the work database is of another "
                      "version or damaged: delete it and run again",
                      artifact->name, number->name, value, least, most);
}

enum status_code settings_load(const struct kept_settings *kept, void *settings,
                               const struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct kept_number numbers[N_KEPT_MAX];
    double values[N_KEPT_MAX];
    const size_t n = list_numbers(kept, numbers);
    for (size_t i = 0; i < n; i++) {
        if (artifact_find(artifact, numbers[i].name) != NULL) {
            TRY(artifact_get_number(artifact, numbers[i].name, &values[i], status));
            TRY(check_number(&numbers[i], values[i], artifact, status));
        }
    }
    for (size_t i = 0; i < n; i++) {
        const struct option *option = numbers[i].option;
        char *place = (char *)settings + numbers[i].group, why[8];
        if (artifact_find(artifact, numbers[i].name) != NULL) {
            option_set_number(option, values[i], place);
        } else if (option->type != OPTION_GROUP) {
            bool fits = option_parse(option, option->default_text, strlen(option->default_text),
                                     place, NULL, NULL, why, sizeof why);
            assert(fits);
            (void)fits;
        }
    }
done:
    return code;
}
