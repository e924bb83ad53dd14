/* Reading a document along an option table: every mistake is noted and reading goes on. */
#include "config/option_read.h"

#include "base/num.h"
#include "config/dropped.h"
#include "config/variables.h"

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
static bool take_scalar(const struct doc_node *node, struct buf *expanded, struct scalar *out,
                        char *why)
{
    bool used = false;
    bool from_file = node->place.origin == NULL;
    if (from_file && !variables_expand(node->text, node->length, expanded, &used, why, WHY_MAX)) {
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
    } else if (take_scalar(node, &expanded, &scalar, why)) {
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

/* The keys of a map, copied; members without a usable key are left out of *n. */
static enum status_code read_names(const struct option_reader *reader, const struct doc_node *node,
                                   const char *const **out, size_t *n, struct status *status)
{
    void *memory = NULL;
    size_t count = 0;
    enum status_code code = STATUS_OK;
    TRY(arena_new(reader->arena, node->n, sizeof(const char *), &memory, status));
    const char **names = memory;
    for (const struct doc_node *child = node->first; child != NULL; child = child->next) {
        char *name = NULL;
        if (child->key == NULL) {
            continue;
        }
        TRY(arena_copy_text(reader->arena, child->key, child->key_length, &name, status));
        names[count++] = name;
    }
    *out = names;
    *n = count;
done:
    return code;
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

/* Reads every value of a map into `values`, an array of elements of `size` bytes. */
static enum status_code read_values(const struct option_reader *reader,
                                    const struct option *element, const struct doc_node *node,
                                    const char *path, void *values, size_t size,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    char *place = values;
    for (const struct doc_node *child = node->first; child != NULL; child = child->next) {
        char *name = NULL;
        if (child->key == NULL) {
            continue;
        }
        TRY(join_path(reader, path, child->key, &name, status));
        read_scalar(reader, element, child, name, place);
        place += size;
    }
done:
    return code;
}

static enum status_code read_numbers(const struct option_reader *reader,
                                     const struct option *option, const struct doc_node *node,
                                     const char *path, void *options, struct status *status)
{
    struct option element = *option;
    struct option_numbers numbers = {0};
    void *values = NULL;
    enum status_code code = STATUS_OK;

    element.type = OPTION_FLOAT;
    element.offset = 0;
    TRY(read_names(reader, node, &numbers.names, &numbers.n, status));
    TRY(arena_new(reader->arena, numbers.n, sizeof(double), &values, status));
    TRY(read_values(reader, &element, node, path, values, sizeof(double), status));
    numbers.values = values;
    memcpy((char *)options + option->offset, &numbers, sizeof numbers);
done:
    return code;
}

static enum status_code read_pairs(const struct option_reader *reader, const struct option *option,
                                   const struct doc_node *node, const char *path, void *options,
                                   struct status *status)
{
    const struct option element = {.name = option->name, .type = OPTION_TEXT, .offset = 0};
    struct option_pairs pairs = {0};
    void *values = NULL;
    enum status_code code = STATUS_OK;

    TRY(read_names(reader, node, &pairs.names, &pairs.n, status));
    TRY(arena_new(reader->arena, pairs.n, sizeof(const char *), &values, status));
    TRY(read_values(reader, &element, node, path, values, sizeof(const char *), status));
    pairs.values = values;
    memcpy((char *)options + option->offset, &pairs, sizeof pairs);
done:
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

/* How deep option_read goes is given by the table, never by the file. */
static enum status_code read_groups(const struct option_reader *reader, const struct option *option,
                                    const struct doc_node *node, const char *path, void *options,
                                    struct status *status)
{
    struct option_groups groups = {0};
    size_t i = 0;
    enum status_code code = STATUS_OK;

    TRY(read_names(reader, node, &groups.names, &groups.n, status));
    TRY(arena_new(reader->arena, groups.n, option->group_size, &groups.values, status));
    for (const struct doc_node *child = node->first; child != NULL; child = child->next) {
        char *name = NULL;
        if (child->key == NULL) {
            continue;
        }
        char *group = (char *)groups.values + i * option->group_size;
        TRY(join_path(reader, path, child->key, &name, status));
        TRY(option_read(reader, option->group, child, name, child->key_place, NULL, group, status));
        set_given(option->group, group);
        i++;
    }
    memcpy((char *)options + option->offset, &groups, sizeof groups);
done:
    return code;
}

enum status_code option_read_value(const struct option_reader *reader, const struct option *option,
                                   const struct doc_node *node, const char *path, void *options,
                                   struct status *status)
{
    enum doc_kind kind = option->type == OPTION_TEXT_LIST ? DOC_LIST : DOC_MAP;
    switch (option->type) {
    case OPTION_TEXT_LIST:
    case OPTION_NUMBER_MAP:
    case OPTION_TEXT_MAP:
    case OPTION_GROUP_MAP:
        if (!check_kind(reader, option, node, kind, path)) {
            return STATUS_OK;
        }
        break;
    default:
        break;
    }
    switch (option->type) {
    case OPTION_TEXT_LIST:
        return read_texts(reader, option, node, path, options, status);
    case OPTION_NUMBER_MAP:
        return read_numbers(reader, option, node, path, options, status);
    case OPTION_TEXT_MAP:
        return read_pairs(reader, option, node, path, options, status);
    case OPTION_GROUP_MAP:
        return read_groups(reader, option, node, path, options, status);
    case OPTION_GROUP: {
        char *group = (char *)options + option->offset;
        memset(group, 0, option->group_size);
        enum status_code code =
            option_read(reader, option->group, node, path, node->key_place, NULL, group, status);
        set_given(option->group, group);
        return code;
    }
    default:
        read_scalar(reader, option, node, path, options);
        return STATUS_OK;
    }
}

static void refuse_unknown(const struct option_reader *reader, const struct option *table,
                           const struct doc_node *child, const char *path, const char *handled,
                           const char *full_path)
{
    char shown[SHOWN_TEXT_MAX];
    struct buf names = {0};
    const struct dropped_option *row = dropped_find(full_path, strlen(full_path), NULL);
    if (row != NULL) {
        mistakes_add(reader->mistakes, child->key_place, "%s was dropped in version %s; %s",
                     full_path, row->version, row->instead);
        return;
    }
    const char *nearest = option_nearest(table, child->key, child->key_length);
    if (nearest == NULL && handled != NULL) {
        nearest = nearest_name(&handled, 1, child->key, child->key_length);
    }
    (void)shown_text(child->key, child->key_length, shown);
    if (nearest != NULL) {
        mistakes_add(reader->mistakes, child->key_place,
                     "%s%sunknown option %s; did you mean \"%s\"?", path,
                     path[0] == '\0' ? "" : ": ", shown, nearest);
        return;
    }
    for (const struct option *o = table; o->name != NULL; o++) {
        buf_addf(&names, "%s%s", o == table ? "" : ", ", o->name);
    }
    if (handled != NULL) {
        buf_addf(&names, ", %s", handled);
    }
    mistakes_add(reader->mistakes, child->key_place, "%s%sunknown option %s; %s%s", path,
                 path[0] == '\0' ? "" : ": ", shown,
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

    TRY(option_defaults_in(table, reader->directory, options, reader->arena, status));
    if (node != NULL && node->kind != DOC_MAP && !doc_is_null(node)) {
        if (!node->damaged) {
            mistakes_add(reader->mistakes, node->place,
                         "%s: %s stands where a map of options is "
                         "meant",
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
            refuse_unknown(reader, table, child, path, handled, name);
            continue;
        }
        TRY(option_read_value(reader, option, child, name, options, status));
    }
    check_required(reader, table, node, path, place);
done:
    return code;
}
