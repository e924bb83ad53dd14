/* Filled option structs as text, one canonical line an option: what cache keys are made of. */
#include "config/option.h"

#include "base/buf.h"
#include "base/num.h"

#include <math.h>

/* Escaped so that two different values never print the same and a line stays one line. */
static void add_escaped(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            buf_add_char(out, '\\');
            buf_add_char(out, *text);
        } else if (c < 0x20) {
            buf_addf(out, "\\x%02x", c);
        } else {
            buf_add_char(out, *text);
        }
    }
}

static void add_quoted(struct buf *out, const char *text)
{
    if (text == NULL) {
        buf_add_text(out, "none");
        return;
    }
    buf_add_char(out, '"');
    add_escaped(out, text);
    buf_add_char(out, '"');
}

static void add_list(struct buf *out, const struct option_texts *texts)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < texts->n; i++) {
        buf_add_text(out, i == 0 ? "" : ", ");
        add_quoted(out, texts->values[i]);
    }
    buf_add_char(out, ']');
}

/* A map to texts or to numbers; maps are alike but for their values. */
static void add_map(struct buf *out, enum option_type type, const struct option_groups *map)
{
    char text[NUM_TEXT_MAX];
    buf_add_char(out, '{');
    for (size_t i = 0; i < map->n; i++) {
        buf_add_text(out, i == 0 ? "" : ", ");
        add_quoted(out, map->names[i]);
        buf_add_text(out, ": ");
        if (type == OPTION_TEXT_MAP) {
            add_quoted(out, ((const char *const *)map->values)[i]);
        } else {
            option_format_number(OPTION_FLOAT, ((const double *)map->values)[i], text);
            buf_add_text(out, text);
        }
    }
    buf_add_char(out, '}');
}

/* Everything but groups. Values are read through their own types: `place` is the member itself. */
static void add_value(struct buf *out, const struct option *option, const void *options)
{
    const void *place = (const char *)options + option->offset;
    char text[NUM_TEXT_MAX];
    switch (option->type) {
    case OPTION_BOOL:
        buf_add_text(out, *(const bool *)place ? "true" : "false");
        break;
    case OPTION_INT:
    case OPTION_BYTES:
    case OPTION_TIME:
        if (option->type == OPTION_TIME && *(const int64_t *)place == INT64_MIN) {
            buf_add_text(out, "none");
        } else {
            buf_addf(out, "%lld", (long long)*(const int64_t *)place);
        }
        break;
    case OPTION_FLOAT:
    case OPTION_AUTO:
    case OPTION_AUTO_INT:
    case OPTION_DURATION:
    case OPTION_AUTO_DURATION:
        option_format_number(option->type, option_number(option, options), text);
        buf_add_text(out, text);
        break;
    case OPTION_TEXT:
    case OPTION_PATH:
        add_quoted(out, *(const char *const *)place);
        break;
    case OPTION_CHOICE:
        buf_add_text(out, option->choices[*(const int *)place]);
        break;
    case OPTION_TEXT_LIST:
        add_list(out, place);
        break;
    case OPTION_NUMBER_MAP:
    case OPTION_TEXT_MAP:
        add_map(out, option->type, place);
        break;
    case OPTION_GROUP:
        buf_add_text(out, *(const bool *)place ? "given" : "none");
        break;
    case OPTION_GROUP_MAP:
        buf_addf(out, "%zu", ((const struct option_groups *)place)->n);
        break;
    }
}

/* Goes as deep as the tables nest, whatever the file holds. */
static void print_table(const struct option *table, const char *options, const char *prefix,
                        struct buf *out)
{
    for (const struct option *o = table; o->name != NULL; o++) {
        const char *place = options + o->offset;
        buf_addf(out, "%s%s=", prefix, o->name);
        add_value(out, o, options);
        buf_add_char(out, '\n');
        if (o->type != OPTION_GROUP && o->type != OPTION_GROUP_MAP) {
            continue;
        }
        struct buf inner = {0};
        const struct option_groups *groups = (const void *)place;
        size_t n = o->type == OPTION_GROUP ? 1 : groups->n;
        for (size_t i = 0; i < n; i++) {
            buf_clear(&inner);
            buf_addf(&inner, "%s%s.", prefix, o->name);
            if (o->type == OPTION_GROUP_MAP) {
                add_escaped(&inner, groups->names[i]);
                buf_add_char(&inner, '.');
                place = (const char *)groups->values + i * o->group_size;
            }
            print_table(o->group, place, buf_text(&inner), out);
        }
        out->failed = out->failed || inner.failed;
        buf_release(&inner);
    }
}

void option_print(const struct option *table, const void *options, struct buf *out)
{
    print_table(table, options, "", out);
}

/* ---- what differs ---- */

static void add_changed(const struct option *option, const void *options, const void *defaults,
                        const char *prefix, struct buf *out)
{
    struct buf value = {0}, usual = {0};
    add_value(&value, option, options);
    add_value(&usual, option, defaults);
    if (strcmp(buf_text(&value), buf_text(&usual)) != 0) {
        buf_addf(out, "%s%s=%s\n", prefix, option->name, buf_text(&value));
    }
    out->failed = out->failed || value.failed || usual.failed;
    buf_release(&value);
    buf_release(&usual);
}

static enum status_code print_changed(const struct option *table, const char *options,
                                      const char *defaults, const char *prefix, struct buf *out,
                                      struct status *status);

/* One group, called `name` ("gate.ndcg@20"). */
static enum status_code print_group(const struct option *group, const char *options,
                                    const char *defaults, const struct buf *name, bool is_given,
                                    struct buf *out, struct status *status)
{
    const size_t before = out->length;
    struct buf inner = {0};
    enum status_code code;
    buf_addf(&inner, "%s.", buf_text(name));
    TRY(buf_check(&inner, status));
    TRY(print_changed(group, options, defaults, buf_text(&inner), out, status));
    if (out->length == before && is_given) {
        buf_addf(out, "%s={}\n", buf_text(name));
    }
done:
    buf_release(&inner);
    return code;
}

static enum status_code print_group_map(const struct option *option, const char *options,
                                        const char *prefix, struct buf *out, struct status *status)
{
    const struct option_groups *groups = (const void *)(options + option->offset);
    struct arena arena = {0};
    struct buf name = {0};
    void *defaults = NULL;
    enum status_code code;
    TRY(arena_new(&arena, 1, option->group_size, &defaults, status));
    TRY(option_defaults(option->group, defaults, &arena, status));
    for (size_t i = 0; i < groups->n; i++) {
        buf_clear(&name);
        buf_addf(&name, "%s%s.", prefix, option->name);
        add_escaped(&name, groups->names[i]);
        TRY(print_group(option->group, (const char *)groups->values + i * option->group_size,
                        defaults, &name, true, out, status));
    }
done:
    buf_release(&name);
    arena_release(&arena);
    return code;
}

static enum status_code print_changed(const struct option *table, const char *options,
                                      const char *defaults, const char *prefix, struct buf *out,
                                      struct status *status)
{
    struct buf name = {0};
    enum status_code code = STATUS_OK;
    for (const struct option *o = table; o->name != NULL; o++) {
        if (o->type == OPTION_GROUP_MAP) {
            TRY(print_group_map(o, options, prefix, out, status));
        } else if (o->type == OPTION_GROUP) {
            const char *inner = options + o->offset;
            const bool *is_given = (const void *)inner;
            buf_clear(&name);
            buf_addf(&name, "%s%s", prefix, o->name);
            TRY(print_group(o->group, inner, defaults + o->offset, &name, *is_given, out, status));
        } else {
            add_changed(o, options, defaults, prefix, out);
        }
    }
    TRY(buf_check(out, status));
done:
    buf_release(&name);
    return code;
}

enum status_code option_print_changed(const struct option *table, const void *options,
                                      const void *defaults, struct buf *out, struct status *status)
{
    return print_changed(table, options, defaults, "", out, status);
}
