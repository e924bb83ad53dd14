/* Defaults of option tables: the same parsers as for the file, so that a default obeys its row. */
#include "config/option_read.h"

#include <math.h>

/* What a type holds when there is no default: zero, except where zero is a value of its own. */
static void set_nothing(const struct option *option, void *options)
{
    char *place = (char *)options + option->offset;
    const double not_a_number = (double)NAN;
    const int64_t no_time = INT64_MIN, no_count = (int64_t)OPTION_AUTO_COUNT;
    if (option->type == OPTION_AUTO) {
        memcpy(place, &not_a_number, sizeof not_a_number);
    } else if (option->type == OPTION_AUTO_INT) {
        memcpy(place, &no_count, sizeof no_count);
    } else if (option->type == OPTION_TIME) {
        memcpy(place, &no_time, sizeof no_time);
    }
}

/* A default as the file would hold it, of a list or a map. */
static enum status_code read_default(const struct option *option, const char *directory,
                                     void *options, struct arena *arena, struct status *status)
{
    struct mistakes mistakes = {0};
    const struct option_reader reader = {
        .directory = directory, .arena = arena, .mistakes = &mistakes};
    struct doc_node *node = NULL;
    enum status_code code = STATUS_OK;

    TRY(yaml_doc_parse(option->default_text, strlen(option->default_text), "default", arena,
                       &mistakes, &node, status));
    if (node != NULL) {
        TRY(option_read_value(&reader, option, node, option->name, options, status));
    }
    if (mistakes.n > 0 || node == NULL) {
        code = status_set(status, STATUS_INTERNAL, "option table: wrong default of \"%s\": %s",
                          option->name, mistakes.n > 0 ? mistakes.items[0].text : "empty");
    }
done:
    mistakes_release(&mistakes);
    return code;
}

static enum status_code set_default(const struct option *option, const char *directory,
                                    void *options, struct arena *arena, struct status *status)
{
    char why[WHY_MAX] = "";
    switch (option->type) {
    case OPTION_TEXT_LIST:
    case OPTION_NUMBER_MAP:
    case OPTION_TEXT_MAP:
    case OPTION_GROUP_MAP:
        return read_default(option, directory, options, arena, status);
    default:
        break;
    }
    if (!option_parse(option, option->default_text, strlen(option->default_text), options,
                      directory, arena, why, sizeof why)) {
        return status_set(status, STATUS_INTERNAL, "option table: wrong default of \"%s\": %s",
                          option->name, why);
    }
    return STATUS_OK;
}

enum status_code option_defaults_in(const struct option *table, const char *directory,
                                    void *options, struct arena *arena, struct status *status)
{
    enum status_code code = STATUS_OK;
    for (const struct option *o = table; o->name != NULL; o++) {
        set_nothing(o, options);
        if (o->type == OPTION_GROUP) {
            TRY(option_defaults_in(o->group, directory, (char *)options + o->offset, arena,
                                   status));
        } else if (o->default_text != NULL) {
            TRY(set_default(o, directory, options, arena, status));
        }
    }
done:
    return code;
}

enum status_code option_defaults(const struct option *table, void *options, struct arena *arena,
                                 struct status *status)
{
    return option_defaults_in(table, NULL, options, arena, status);
}
