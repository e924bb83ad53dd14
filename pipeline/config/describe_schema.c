/* The option tables as a JSON Schema (draft-07) for editors. What a schema cannot say (inputs,
 * rules across fields) is left to `nightjar check`. */
#include "config/describe.h"

#include "base/num.h"
#include "io/json_tree.h"

#define VARIABLE_PATTERN "\\$\\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\\}"
#define DAY_PATTERN                                                                                \
    "(02-[012][0-9]|(0[469]|11)-([012][0-9]|30)|(0[13578]|1[02])-([012][0-9]|3[01]))"

static void put_choices(struct json_tree *tree, struct json *object, const char *const *choices)
{
    struct json *list = json_add_array(tree, object, "enum");
    for (size_t i = 0; choices[i] != NULL; i++) {
        (void)json_add_text(tree, list, NULL, choices[i]);
    }
}

static void put_range(struct json_tree *tree, struct json *object, const struct option *option)
{
    if (option_has_min(option)) {
        (void)json_add_number(tree, object, "minimum", option->min);
    }
    if (option_has_max(option)) {
        (void)json_add_number(tree, object, "maximum", option->max);
    }
}

/* Adds the regular expression of whole numbers below `limit`, leading zeros aside. */
static void add_below(struct buf *out, int64_t limit)
{
    char digits[NUM_TEXT_MAX];
    const size_t n = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)limit);
    if (n > 1) {
        buf_addf(out, "[0-9]{1,%zu}", n - 1);
    }
    for (size_t i = 0; i < n; i++) {
        if (digits[i] > (i == 0 && n > 1 ? '1' : '0')) {
            buf_addf(out, "%s%.*s[%c-%c][0-9]{%zu}", n > 1 || i > 0 ? "|" : "", (int)i, digits,
                     i == 0 && n > 1 ? '1' : '0', digits[i] - 1, n - 1 - i);
        }
    }
}

/* Adds "|NUMBER UNIT" for numbers up to `most`; fractions of the last one, and exponents, pass. */
static void add_up_to(struct buf *out, double most, char unit)
{
    const int64_t whole = most < 1e18 ? (int64_t)most : (int64_t)1e18;
    buf_add_text(out, "|(0*(");
    if (whole > 0) {
        add_below(out, whole);
        buf_add_char(out, '|');
    }
    buf_addf(out, "%lld)(\\.[0-9]+)?|0*\\.[0-9]+|[0-9.]+[eE][-+]?[0-9]+)%c", (long long)whole,
             unit);
}

/* A text that is a number with a unit, up to the option's maximum; a minimum above 0 forbids 0. */
static void put_with_unit(struct json_tree *tree, struct json *object, const char *units,
                          const double *sizes, double most, bool forbids_zero)
{
    struct buf pattern = {0};
    buf_add_text(&pattern, "^(");
    for (size_t i = 0; units[i] != '\0'; i++) {
        struct buf one = {0};
        add_up_to(&one, most / sizes[i], units[i]);
        buf_add_text(&pattern, buf_text(&one) + (i == 0)); /* the first has no bar */
        tree->failed = tree->failed || one.failed;
        buf_release(&one);
    }
    buf_add_text(&pattern, ")$");
    tree->failed = tree->failed || pattern.failed;
    (void)json_add_text(tree, object, "pattern", buf_text(&pattern));
    buf_release(&pattern);
    if (forbids_zero) {
        (void)json_add_text(tree, json_add_object(tree, object, "not"), "pattern", "^[0.]+[a-z]$");
    }
}

static struct json *push_type(struct json_tree *tree, struct json *alternatives, const char *type)
{
    struct json *member = json_add_object(tree, alternatives, NULL);
    (void)json_add_text(tree, member, "type", type);
    return member;
}

/* A text with a form: one with a unit may be a bare number, a share or a count. */
static void put_text(struct json_tree *tree, struct json *any, const struct option *option)
{
    struct json *member = push_type(tree, any, "string");
    if (option->pattern != NULL) {
        (void)json_add_text(tree, member, "pattern", option->pattern);
    }
    if (option->unit == NULL) {
        return;
    }
    if (!option->whole) {
        member = push_type(tree, any, "number");
        (void)json_add_number(tree, member, "minimum", 0);
        (void)json_add_number(tree, member, "maximum", 1);
    }
    member = push_type(tree, any, "integer");
    (void)json_add_number(tree, member, "minimum", 0);
    (void)json_add_number(tree, member, "maximum", 0x1p63);
}

static void put_time(struct json_tree *tree, struct json *any)
{
    struct json *member = push_type(tree, any, "integer");
    (void)json_add_number(tree, member, "minimum", -0x1p63);
    (void)json_add_number(tree, member, "maximum", 0x1p63);
    member = push_type(tree, any, "string");
    (void)json_add_text(tree, member, "pattern",
                        "^(-?[0-9]{1,18}|[0-9]{4}-" DAY_PATTERN "([T ][0-2][0-9]:[0-5][0-9].*)?)$");
}

/* Fills `object` with what one scalar may be. */
static void put_scalar(struct json_tree *tree, struct json *object, const struct option *option)
{
    static const double seconds[] = {1, 60, 3600, 86400, 604800};
    static const double bytes[] = {0x1p10, 0x1p20, 0x1p30, 0x1p40};
    const double most = option_has_max(option) ? option->max : 0x1p63 - 1024;
    struct json *member = NULL;
    const bool is_text = option->type == OPTION_TEXT || option->type == OPTION_PATH;
    if (is_text && option->pattern == NULL && option->unit == NULL) {
        (void)json_add_text(tree, object, "type", "string");
        if (option->type == OPTION_PATH) {
            (void)json_add_number(tree, object, "minLength", 1);
        }
        return;
    }
    struct json *any = json_add_array(tree, object, "anyOf");
    switch (option->type) {
    case OPTION_TEXT:
        put_text(tree, any, option);
        break;
    case OPTION_BOOL:
        (void)push_type(tree, any, "boolean");
        break;
    case OPTION_INT:
        member = push_type(tree, any, "integer");
        put_range(tree, member, option);
        if (!option_has_max(option)) {
            (void)json_add_number(tree, member, "maximum", 0x1p63);
        }
        break;
    case OPTION_AUTO:
    case OPTION_AUTO_INT:
        member = json_add_object(tree, any, NULL);
        (void)json_add_text(tree, member, "const", "auto");
        put_range(tree, push_type(tree, any, option->type == OPTION_AUTO ? "number" : "integer"),
                  option);
        break;
    case OPTION_AUTO_DURATION:
        member = json_add_object(tree, any, NULL);
        (void)json_add_text(tree, member, "const", "auto");
        /* fall through */
    case OPTION_DURATION:
        put_with_unit(tree, push_type(tree, any, "string"), "smhdw", seconds,
                      option_has_max(option) ? option->max : 1e18,
                      option_has_min(option) && option->min > 0);
        break;
    case OPTION_BYTES:
        member = push_type(tree, any, "integer");
        (void)json_add_number(tree, member, "minimum", option_has_min(option) ? option->min : 0);
        (void)json_add_number(tree, member, "maximum", most);
        (void)json_add_text(tree, push_type(tree, any, "string"), "pattern", "^[0-9]{1,18}$");
        put_with_unit(tree, push_type(tree, any, "string"), "KMGT", bytes, most, false);
        break;
    case OPTION_TIME:
        put_time(tree, any);
        break;
    case OPTION_CHOICE:
        put_choices(tree, json_add_object(tree, any, NULL), option->choices);
        if (option->choices == option_false_true_auto) {
            (void)push_type(tree, any, "boolean");
        }
        break;
    default:
        put_range(tree, push_type(tree, any, "number"), option);
        break;
    }
    member = json_add_object(tree, any, NULL);
    (void)json_add_text(tree, member, "$ref", "#/definitions/variable");
}

/* ["object", "null"]: a map whose value may be left empty */
static void put_types(struct json_tree *tree, struct json *object, const char *type)
{
    struct json *types = json_add_array(tree, object, "type");
    (void)json_add_text(tree, types, NULL, type);
    (void)json_add_text(tree, types, NULL, "null");
}

static void put_table(struct json_tree *tree, struct json *object, const struct option *table);

/* Fills `object` with the schema of one option. Groups nest as deep as the tables do. */
static void put_option(struct json_tree *tree, struct json *object, const struct option *option)
{
    struct option element = *option;
    struct json *inner = NULL;
    switch (option->type) {
    case OPTION_GROUP:
        put_table(tree, object, option->group);
        break;
    case OPTION_GROUP_MAP:
        put_types(tree, object, "object");
        if (option->pattern != NULL) {
            inner = json_add_object(tree, object, "propertyNames");
            (void)json_add_text(tree, inner, "pattern", option->pattern);
        }
        if (option->choices == NULL) {
            put_table(tree, json_add_object(tree, object, "additionalProperties"), option->group);
            break;
        }
        (void)json_add_bool(tree, object, "additionalProperties", false);
        inner = json_add_object(tree, object, "properties");
        for (const char *const *name = option->choices; *name != NULL; name++) {
            put_table(tree, json_add_object(tree, inner, *name), option->group);
        }
        break;
    case OPTION_TEXT_LIST:
        put_types(tree, object, "array");
        inner = json_add_object(tree, object, "items");
        element.type = option->choices == NULL ? OPTION_TEXT : OPTION_CHOICE;
        put_scalar(tree, inner, &element);
        break;
    case OPTION_NUMBER_MAP:
    case OPTION_TEXT_MAP:
        put_types(tree, object, "object");
        inner = json_add_object(tree, object, "additionalProperties");
        element.type = option->type == OPTION_NUMBER_MAP ? OPTION_FLOAT
                       : option->choices != NULL         ? OPTION_CHOICE
                                                         : OPTION_TEXT;
        put_scalar(tree, inner, &element);
        break;
    default:
        put_scalar(tree, object, option);
        break;
    }
}

/* The default as JSON where it is a single value; lists and maps say it in their description. */
static void put_default(struct json_tree *tree, struct json *object, const struct option *option)
{
    const char *text = option->default_text;
    const enum option_type type = option->type;
    const bool may_be_number = type == OPTION_INT || type == OPTION_FLOAT || type == OPTION_AUTO ||
                               type == OPTION_AUTO_INT || type == OPTION_BYTES;
    double number = 0.0;
    if (type == OPTION_BOOL) {
        (void)json_add_bool(tree, object, "default", strcmp(text, "true") == 0);
    } else if (may_be_number && num_parse_double(text, strlen(text), &number)) {
        (void)json_add_number(tree, object, "default", number);
    } else if (option_is_single(type)) {
        (void)json_add_text(tree, object, "default", text);
    }
}

static void put_description(struct json_tree *tree, struct json *object,
                            const struct option *option)
{
    struct buf text = {0};
    buf_addf(&text, "%s%sAllowed: ", option->help == NULL ? "" : option->help,
             option->help == NULL ? "" : "\n");
    option_allowed(option, &text);
    buf_add_char(&text, '.');
    if (option->default_text != NULL && option->default_text[0] != '\0') {
        buf_addf(&text, " Default: %s.", option->default_text);
    }
    if (option->search != NULL) {
        buf_addf(&text, " `nightjar tune` tries: %s.", option->search);
    }
    tree->failed = tree->failed || text.failed;
    (void)json_add_text(tree, object, "description", buf_text(&text));
    buf_release(&text);
}

static bool has_required(const struct option *table)
{
    for (; table->name != NULL; table++) {
        if (table->required) {
            return true;
        }
    }
    return false;
}

/* A map with the options of a table and no others; empty is as good as `{}` unless something is
 * required. */
static void put_table(struct json_tree *tree, struct json *object, const struct option *table)
{
    struct json *required = NULL;
    if (has_required(table)) {
        (void)json_add_text(tree, object, "type", "object");
        required = json_add_array(tree, object, "required");
    } else {
        put_types(tree, object, "object");
    }
    (void)json_add_bool(tree, object, "additionalProperties", false);
    struct json *properties = json_add_object(tree, object, "properties");
    for (const struct option *o = table; o->name != NULL; o++) {
        struct json *property = json_add_object(tree, properties, o->name);
        put_description(tree, property, o);
        put_option(tree, property, o);
        if (o->default_text != NULL) {
            put_default(tree, property, o);
        }
        if (o->required) {
            (void)json_add_text(tree, required, NULL, o->name);
        }
    }
}

/* One entry of `stages`: a name, or a map with one of the names as its only key. */
static void put_stage_entry(struct json_tree *tree, struct json *definition,
                            const struct stage_registry *registry)
{
    struct json *any = json_add_array(tree, definition, "anyOf");
    struct json *by_name = json_add_object(tree, any, NULL);
    struct json *names = json_add_array(tree, by_name, "enum");
    struct json *with_options = push_type(tree, any, "object");
    (void)json_add_number(tree, with_options, "minProperties", 1);
    (void)json_add_number(tree, with_options, "maxProperties", 1);
    (void)json_add_bool(tree, with_options, "additionalProperties", false);
    struct json *properties = json_add_object(tree, with_options, "properties");
    for (size_t i = 0; registry->stages[i] != NULL; i++) {
        const struct stage *stage = registry->stages[i];
        struct json *property = json_add_object(tree, properties, stage->name);
        (void)json_add_text(tree, property, "description", stage->summary);
        put_table(tree, property, stage->options);
        if (!has_required(stage->options)) {
            (void)json_add_text(tree, names, NULL, stage->name);
        }
    }
}

static void put_root(struct json_tree *tree, struct json *root,
                     const struct stage_registry *registry)
{
    (void)json_add_text(tree, root, "$schema", "http://json-schema.org/draft-07/schema#");
    (void)json_add_text(tree, root, "title", "nightjar pipeline");
    put_table(tree, root, plan_options);
    (void)json_add_text(tree, json_member(root, "required"), NULL, "stages");
    struct json *stages = json_add_object(tree, json_member(root, "properties"), "stages");
    (void)json_add_text(tree, stages, "description", "The stages, run in this order.");
    (void)json_add_text(tree, stages, "type", "array");
    (void)json_add_number(tree, stages, "minItems", 1);
    struct json *items = json_add_object(tree, stages, "items");
    (void)json_add_text(tree, items, "$ref", "#/definitions/stage");

    struct json *definitions = json_add_object(tree, root, "definitions");
    struct json *variable = json_add_object(tree, definitions, "variable");
    (void)json_add_text(tree, variable, "description",
                        "${VAR} or ${VAR:-default}, replaced from the environment.");
    (void)json_add_text(tree, variable, "type", "string");
    (void)json_add_text(tree, variable, "pattern", VARIABLE_PATTERN);
    put_stage_entry(tree, json_add_object(tree, definitions, "stage"), registry);
}

enum status_code describe_schema(const struct stage_registry *registry, struct buf *out,
                                 struct status *status)
{
    struct json_tree tree = {0};
    put_root(&tree, json_add_object(&tree, NULL, NULL), registry);
    enum status_code code = json_tree_print(&tree, true, out, status);
    json_tree_release(&tree);
    buf_add_char(out, '\n');
    return code == STATUS_OK ? buf_check(out, status) : code;
}
