/* Reading a document along an option table: every mistake is noted and reading goes on. */
#include "config/option_read.h"

#include "base/num.h"
#include "config/variables.h"

#include <math.h>

/* One scalar as it will be parsed. */
struct scalar {
    const char *text;
    size_t length;
    bool quoted;
    bool any_type; /* it came from a variable or from --set: its form says nothing of its type */
    bool null;
};

static bool is_boolean_word(const struct scalar *scalar)
{
    static const char *const words[] = {"yes",  "Yes",  "YES",  "no",    "No",    "NO",
                                        "true", "True", "TRUE", "false", "False", "FALSE",
                                        "on",   "On",   "ON",   "off",   "Off",   "OFF"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], scalar->text) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the way it is written fits the type: quotes make a text, bare numbers and the words that
 * YAML programs take for booleans are none. */
static bool check_form(const struct option *option, const struct scalar *scalar, char *why)
{
    char shown[SHOWN_TEXT_MAX];
    double number = 0.0;
    enum option_type type = option->type;

    if (scalar->any_type) {
        return true;
    }
    if (scalar->quoted) {
        bool numeric =
            type == OPTION_INT || type == OPTION_FLOAT || type == OPTION_BOOL ||
            ((type == OPTION_AUTO || type == OPTION_AUTO_INT) && strcmp(scalar->text, "auto") != 0);
        if (numeric) {
            struct buf allowed = {0};
            option_allowed(option, &allowed);
            (void)snprintf(why, WHY_MAX, "%s in quotes is a text; allowed: %s, without quotes",
                           shown_text(scalar->text, scalar->length, shown), buf_text(&allowed));
            buf_release(&allowed);
        }
        return !numeric;
    }
    bool textual = type == OPTION_TEXT || type == OPTION_PATH || type == OPTION_TEXT_LIST ||
                   type == OPTION_TEXT_MAP;
    if (textual && is_boolean_word(scalar)) {
        (void)snprintf(why, WHY_MAX,
                       "%s without quotes may mean a boolean; put it in quotes when the text is "
                       "meant",
                       scalar->text);
        return false;
    }
    if (textual && option->unit == NULL &&
        num_parse_double(scalar->text, scalar->length, &number)) {
        (void)snprintf(why, WHY_MAX,
                       "%s without quotes is a number; put it in quotes when the text is meant",
                       shown_text(scalar->text, scalar->length, shown));
        return false;
    }
    return true;
}

/* Resolves variables. `expanded` owns the text. */
static bool take_scalar(const struct doc_node *node, struct plan_rank rank, struct buf *expanded,
                        struct scalar *out, char *why)
{
    bool used = false;
    bool from_file = node->place.origin == NULL;
    if (from_file &&
        !variables_expand(node->text, node->length, rank, expanded, &used, why, WHY_MAX)) {
        return false;
    }
    if (!from_file) {
        buf_add(expanded, node->text, node->length);
    }
    *out =
        (struct scalar){.text = buf_text(expanded),
                        .length = expanded->length,
                        .quoted = node->quoted,
                        .any_type = used || node->raw,
                        .null = used ? !node->quoted && expanded->length == 0 : doc_is_null(node)};
    return true;
}

/* One scalar of `node` into options at option->offset; a mistake is noted. */
static void read_scalar(const struct option_reader *reader, const struct option *option,
                        const struct doc_node *node, const char *path, void *options)
{
    struct buf expanded = {0};
    struct buf allowed = {0};
    struct scalar scalar = {0};
    char why[WHY_MAX] = "";
    bool good = false;

    if (node->damaged) {
        return;
    }
    option_allowed(option, &allowed);
    if (node->kind != DOC_SCALAR) {
        (void)snprintf(why, sizeof why, "%s stands where a single value is meant; allowed: %s",
                       doc_kind_name(node), buf_text(&allowed));
    } else if (take_scalar(node, reader->rank, &expanded, &scalar, why)) {
        if (scalar.null) {
            (void)snprintf(why, sizeof why, "has no value; allowed: %s", buf_text(&allowed));
        } else if (check_form(option, &scalar, why)) {
            good = option_parse(option, scalar.text, scalar.length, options, reader->directory,
                                reader->arena, why, sizeof why);
        }
        const struct dropped_option *row =
            good ? NULL : dropped_find(path, strlen(path), scalar.text);
        if (row != NULL) {
            (void)snprintf(why, sizeof why, "%s was dropped in version %s; %s", row->value,
                           row->version, row->instead);
        }
    }
    if (!good) {
        mistakes_add(reader->mistakes, node->place, "%s: %s", path, why);
    }
    reader->mistakes->out_of_memory |= expanded.failed || allowed.failed;
    buf_release(&expanded);
    buf_release(&allowed);
}

/* True when `node` may be read as `kind`; null stands for an empty one. */
static bool check_kind(const struct option_reader *reader, const struct option *option,
                       const struct doc_node *node, enum doc_kind kind, const char *path)
{
    char shown[SHOWN_TEXT_MAX];
    struct buf allowed = {0};
    if (node->damaged) {
        return false;
    }
    if (node->kind == kind || doc_is_null(node)) {
        return true;
    }
    option_allowed(option, &allowed);
    mistakes_add(reader->mistakes, node->place, "%s: %s stands where %s is meant; allowed: %s",
                 path,
                 node->kind == DOC_SCALAR ? shown_text(node->text, node->length, shown)
                                          : doc_kind_name(node),
                 kind == DOC_LIST ? "a list" : "a map", buf_text(&allowed));
    buf_release(&allowed);
    return false;
}

static void check_element_choice(const struct option_reader *reader, const struct option *option,
                                 const struct doc_node *node, const char *path, const char *text)
{
    struct option choice = {
        .name = option->name, .type = OPTION_CHOICE, .choices = option->choices};
    char why[WHY_MAX] = "";
    int index = 0;
    if (!option_parse(&choice, text, strlen(text), &index, NULL, reader->arena, why, sizeof why)) {
        mistakes_add(reader->mistakes, node->place, "%s: %s", path, why);
    }
}

static enum status_code read_texts(const struct option_reader *reader, const struct option *option,
                                   const struct doc_node *node, const char *path, void *options,
                                   struct status *status)
{
    const struct option element = {.name = option->name, .type = OPTION_TEXT, .offset = 0};
    void *memory = NULL;
    size_t n = 0;

    if (arena_new(reader->arena, node->n, sizeof(const char *), &memory, status) != STATUS_OK) {
        return status->code;
    }
    const char **values = memory;
    for (const struct doc_node *child = node->first; child != NULL; child = child->next) {
        const char *value = NULL;
        read_scalar(reader, &element, child, path, &value);
        if (value != NULL && option->choices != NULL) {
            check_element_choice(reader, option, child, path, value);
        }
        values[n++] = value;
    }
    const struct option_texts texts = {.n = n, .values = values};
    memcpy((char *)options + option->offset, &texts, sizeof texts);
    return STATUS_OK;
}

/* "PATH.name" */
static enum status_code join_path(const struct option_reader *reader, const char *path,
                                  const char *name, char **out, struct status *status)
{
    struct buf joined = {0};
    buf_addf(&joined, "%s%s%.*s", path, path[0] == '\0' ? "" : ".", SHOWN_TEXT_MAX, name);
    enum status_code code = buf_check(&joined, status);
    if (code == STATUS_OK) {
        code = arena_copy_text(reader->arena, buf_text(&joined), joined.length, out, status);
    }
    buf_release(&joined);
    return code;
}

/* Sets the `given` that a group struct begins with, if it does. */
static void set_given(const struct option *group, void *options)
{
    const bool given = true;
    for (const struct option *o = group; o->name != NULL; o++) {
        if (o->offset == 0) {
            return;
        }
    }
    memcpy(options, &given, sizeof given);
}

/* A map: its names, and their values by the option's type. How deep this goes is given by the
 * table, never by the file. Members without a usable key are left out. */
static enum status_code read_map(const struct option_reader *reader, const struct option *option,
                                 const struct doc_node *node, const char *path, void *options,
                                 struct status *status)
{
    const bool is_numbers = option->type == OPTION_NUMBER_MAP;
    const size_t size = option->type == OPTION_GROUP_MAP ? option->group_size
                        : is_numbers                     ? sizeof(double)
                                                         : sizeof(const char *);
    const struct option element = {.name = option->name,
                                   .type = is_numbers ? OPTION_FLOAT : OPTION_TEXT,
                                   .min = option->min,
                                   .max = option->max,
                                   .unit = is_numbers ? option->unit : NULL};
    struct option_groups map = {0};
    void *memory = NULL;
    enum status_code code = STATUS_OK;

    TRY(arena_new(reader->arena, node->n, sizeof(const char *), &memory, status));
    const char **names = memory;
    map.names = names;
    TRY(arena_new(reader->arena, node->n, size, &map.values, status));
    for (const struct doc_node *child = node->first; child != NULL; child = child->next) {
        char *name = NULL, *place = (char *)map.values + map.n * size;
        if (child->key == NULL) {
            continue;
        }
        TRY(arena_copy_text(reader->arena, child->key, child->key_length, &name, status));
        names[map.n++] = name;
        TRY(join_path(reader, path, child->key, &name, status));
        if (option->type == OPTION_GROUP_MAP) {
            TRY(option_read(reader, option->group, child, name, child->key_place, NULL, place,
                            status));
            set_given(option->group, place);
        } else {
            read_scalar(reader, &element, child, name, place);
        }
    }
    memcpy((char *)options + option->offset, &map, sizeof map);
done:
    return code;
}

/* The value of one option, of whatever type; `path` names it in messages. */
static enum status_code read_value(const struct option_reader *reader, const struct option *option,
                                   const struct doc_node *node, const char *path, void *options,
                                   struct status *status)
{
    if (option->type == OPTION_GROUP) {
        char *group = (char *)options + option->offset;
        memset(group, 0, option->group_size);
        enum status_code code =
            option_read(reader, option->group, node, path, node->key_place, NULL, group, status);
        set_given(option->group, group);
        return code;
    }
    if (option_is_single(option->type)) {
        read_scalar(reader, option, node, path, options);
        return STATUS_OK;
    }
    const bool is_list = option->type == OPTION_TEXT_LIST;
    if (!check_kind(reader, option, node, is_list ? DOC_LIST : DOC_MAP, path)) {
        return STATUS_OK;
    }
    return is_list ? read_texts(reader, option, node, path, options, status)
                   : read_map(reader, option, node, path, options, status);
}

/* ---- defaults: the same parsers as for the file, so that a default obeys its row ---- */

/* Fills in the default of a row that is no group. */
static enum status_code set_default(const struct option *option, const char *directory,
                                    void *options, struct arena *arena, struct status *status)
{
    char why[WHY_MAX] = "empty";
    struct mistakes mistakes = {0};
    const struct option_reader reader = {
        .directory = directory, .arena = arena, .mistakes = &mistakes};
    const char *text = option->default_text;
    struct doc_node *node = NULL;
    bool fits = true;
    enum status_code code = STATUS_OK;

    if (text == NULL) { /* zero, except where zero is a value of its own */
        if (option->type == OPTION_AUTO || option->type == OPTION_AUTO_INT ||
            option->type == OPTION_AUTO_DURATION) {
            option_set_number(option, (double)NAN, options);
        } else if (option->type == OPTION_TIME) {
            memcpy((char *)options + option->offset, &(int64_t){INT64_MIN}, sizeof(int64_t));
        }
    } else if (option_is_single(option->type)) {
        fits = option_parse(option, text, strlen(text), options, directory, arena, why, sizeof why);
    } else {
        TRY(yaml_doc_parse(text, strlen(text), "default", arena, &mistakes, &node, status));
        if (node != NULL) {
            TRY(read_value(&reader, option, node, option->name, options, status));
        }
        fits = node != NULL && mistakes.n == 0;
        if (mistakes.n > 0) {
            (void)snprintf(why, sizeof why, "%s", mistakes.items[0].text);
        }
    }
    if (!fits) {
        code = status_set(status, STATUS_INTERNAL, "option table: wrong default of \"%s\": %s",
                          option->name, why);
    }
done:
    mistakes_release(&mistakes);
    return code;
}

/* option_defaults with relative paths resolved against `directory`. */
static enum status_code set_defaults(const struct option *table, const char *directory,
                                     void *options, struct arena *arena, struct status *status)
{
    enum status_code code = STATUS_OK;
    for (const struct option *o = table; o->name != NULL; o++) {
        if (o->type == OPTION_GROUP) {
            TRY(set_defaults(o->group, directory, (char *)options + o->offset, arena, status));
        } else {
            TRY(set_default(o, directory, options, arena, status));
        }
    }
done:
    return code;
}

enum status_code option_defaults(const struct option *table, void *options, struct arena *arena,
                                 struct status *status)
{
    return set_defaults(table, NULL, options, arena, status);
}

/* ---- a map of options ---- */

void option_refuse_unknown(struct mistakes *mistakes, struct place place,
                           const struct option *table, const char *where, const char *name,
                           size_t length, const struct dropped_option *dropped, const char *more)
{
    const char *colon = where[0] == '\0' ? "" : ": ";
    char shown[SHOWN_TEXT_MAX];
    struct buf names = {0};
    if (dropped != NULL) {
        mistakes_add(mistakes, place, "%s was dropped in version %s; %s", dropped->path,
                     dropped->version, dropped->instead);
        return;
    }
    const char *nearest = option_nearest(table, name, length);
    if (nearest == NULL && more != NULL) {
        nearest = nearest_name(&more, 1, name, length);
    }
    (void)shown_text(name, length, shown);
    if (nearest != NULL) {
        mistakes_add(mistakes, place, "%s%sunknown option %s; did you mean \"%s\"?", where, colon,
                     shown, nearest);
        return;
    }
    for (const struct option *o = table; o->name != NULL; o++) {
        buf_addf(&names, "%s%s", o == table ? "" : ", ", o->name);
    }
    if (more != NULL) {
        buf_addf(&names, ", %s", more);
    }
    mistakes_add(mistakes, place, "%s%sunknown option %s; %s%s", where, colon, shown,
                 names.length == 0 ? "there are no options here" : "the options are ",
                 buf_text(&names));
    buf_release(&names);
}

static void check_required(const struct option_reader *reader, const struct option *table,
                           const struct doc_node *node, const char *path, struct place place)
{
    for (const struct option *o = table; o->name != NULL; o++) {
        if (o->required && doc_find(node, o->name, strlen(o->name)) == NULL) {
            struct buf allowed = {0};
            option_allowed(o, &allowed);
            mistakes_add(reader->mistakes, place, "%s%srequired option \"%s\" is missing: %s", path,
                         path[0] == '\0' ? "" : ": ", o->name, buf_text(&allowed));
            buf_release(&allowed);
        }
    }
}

enum status_code option_read(const struct option_reader *reader, const struct option *table,
                             const struct doc_node *node, const char *path, struct place place,
                             const char *handled, void *options, struct status *status)
{
    char shown[SHOWN_TEXT_MAX];
    enum status_code code = STATUS_OK;

    TRY(set_defaults(table, reader->directory, options, reader->arena, status));
    if (node != NULL && node->kind != DOC_MAP && !doc_is_null(node)) {
        if (!node->damaged) {
            mistakes_add(reader->mistakes, node->place,
                         "%s: %s stands where a map of options is meant, {} where its defaults do",
                         path,
                         node->kind == DOC_SCALAR ? shown_text(node->text, node->length, shown)
                                                  : doc_kind_name(node));
        }
        goto done;
    }
    for (const struct doc_node *child = node == NULL ? NULL : node->first; child != NULL;
         child = child->next) {
        char *name = NULL;
        if (child->key == NULL || (handled != NULL && strcmp(child->key, handled) == 0)) {
            continue;
        }
        const struct option *option = option_find(table, child->key, child->key_length);
        TRY(join_path(reader, path, child->key, &name, status));
        if (option == NULL) {
            option_refuse_unknown(reader->mistakes, child->key_place, table, path, child->key,
                                  child->key_length, dropped_find(name, strlen(name), NULL),
                                  handled);
            continue;
        }
        TRY(read_value(reader, option, child, name, options, status));
    }
    check_required(reader, table, node, path, place);
done:
    return code;
}
