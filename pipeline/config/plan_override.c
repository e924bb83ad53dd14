/* --set PATH=VALUE: each is put into the document where the file would have it, so that one reader
 * checks both. A single value is taken as it is, without variables and quotes; a list or a map is
 * read as YAML. Relative paths start at the configuration's folder, as in the file. */
#include "config/plan_reading.h"

#include "base/num.h"

enum { ORIGIN_MAX = 160 };

/* One --set while its path is walked. */
struct override {
    struct plan_reading *reading;
    struct place place;
    const char *stage; /* where the path names the stage; NULL: it begins at the top level */
    const char *rest;  /* of the path, up to `end`; what is not yet walked */
    const char *end;   /* the equals sign */
    const char *value; /* after it */
    struct status *status;
};

/* Shown in messages: one line, not endless. */
static enum status_code make_origin(struct arena *arena, const char *text, const char **out,
                                    struct status *status)
{
    char origin[ORIGIN_MAX];
    char *copy = NULL;
    int length = snprintf(origin, sizeof origin, "--set %s", text);
    for (char *c = origin; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    if (length >= ORIGIN_MAX) {
        memcpy(origin + ORIGIN_MAX - 4, "...", 4);
    }
    enum status_code code = arena_copy_text(arena, origin, strlen(origin), &copy, status);
    *out = copy;
    return code;
}

/* Takes the next part of the path, up to a dot; returns its length, 0 at the end. */
static size_t take_part(struct override *o, const char **part)
{
    const char *dot = memchr(o->rest, '.', (size_t)(o->end - o->rest));
    *part = o->rest;
    size_t length = (size_t)((dot == NULL ? o->end : dot) - o->rest);
    o->rest = dot == NULL ? o->end : dot + 1;
    return length;
}

/* Makes a place for a value: the member `key` of `map`, emptied, or a new one. */
static struct doc_node *claim_member(struct override *o, struct doc_node *map, const char *key,
                                     size_t length)
{
    struct doc_node *node = doc_find(map, key, length);
    char *copy = NULL;
    void *memory = NULL;
    struct arena *arena = o->reading->arena;
    if (arena_copy_text(arena, key, length, &copy, o->status) != STATUS_OK) {
        return NULL;
    }
    if (node == NULL) {
        if (arena_new(arena, 1, sizeof *node, &memory, o->status) != STATUS_OK) {
            return NULL;
        }
        node = memory;
        node->key = copy;
        node->key_length = length;
        doc_append(map, node);
    }
    struct doc_node *next = node->next;
    *node = (struct doc_node){.place = o->place,
                              .text = "",
                              .next = next,
                              .key = copy,
                              .key_length = length,
                              .key_place = o->place};
    return node;
}

/* The member as a map to go on in; NULL when the file has something else there, which its own
 * mistake tells, or without memory. */
static struct doc_node *enter_member(struct override *o, struct doc_node *map, const char *key,
                                     size_t length)
{
    struct doc_node *node = doc_find(map, key, length);
    if (node == NULL) {
        node = claim_member(o, map, key, length);
        if (node != NULL) {
            node->kind = DOC_MAP;
        }
        return node;
    }
    if (doc_is_null(node)) {
        node->kind = DOC_MAP;
    }
    return node->kind == DOC_MAP ? node : NULL;
}

static void put_single(struct override *o, struct doc_node *map, const char *key, size_t length)
{
    char *copy = NULL;
    struct doc_node *node = claim_member(o, map, key, length);
    if (node != NULL && arena_copy_text(o->reading->arena, o->value, strlen(o->value), &copy,
                                        o->status) == STATUS_OK) {
        node->raw = true;
        node->text = copy;
        node->length = strlen(copy);
    }
}

/* A list, a map or a group, written as in the file: [a, b] or {a: 1}. */
static enum status_code put_yaml(struct override *o, struct doc_node *map, const char *key,
                                 size_t length)
{
    struct doc_node *parsed = NULL;
    size_t n_before = o->reading->mistakes.n;
    enum status_code code = STATUS_OK;
    TRY(yaml_doc_parse(o->value, strlen(o->value), o->place.origin, o->reading->arena,
                       &o->reading->mistakes, &parsed, o->status));
    struct doc_node *node = claim_member(o, map, key, length);
    if (node == NULL) {
        code = o->status->code;
        goto done;
    }
    node->damaged = o->reading->mistakes.n > n_before;
    if (parsed != NULL) {
        node->kind = parsed->kind;
        node->text = parsed->text;
        node->length = parsed->length;
        node->quoted = parsed->quoted;
        node->first = parsed->first;
        node->last = parsed->last;
        node->n = parsed->n;
    }
done:
    return code;
}

static enum status_code put_value(struct override *o, const struct option *option,
                                  struct doc_node *map)
{
    size_t length = strlen(option->name);
    if (option_is_single(option->type)) {
        put_single(o, map, option->name, length);
        return o->status->code;
    }
    return put_yaml(o, map, option->name, length);
}

/* Walks the rest of the path inside `map`, which `table` describes, and puts the value there. */
static enum status_code walk(struct override *o, const struct option *table, struct doc_node *map)
{
    const char *part = NULL;
    while (map != NULL) {
        size_t length = take_part(o, &part);
        const struct option *option = option_find(table, part, length);
        if (option == NULL) {
            const char *from = o->stage == NULL ? part : o->stage;
            option_refuse_unknown(&o->reading->mistakes, o->place, table, "", part, length,
                                  dropped_find(from, (size_t)(part + length - from), NULL),
                                  table == plan_options ? "stages.STAGE.OPTION" : NULL);
            break;
        }
        if (o->rest == o->end) {
            return put_value(o, option, map);
        }
        if (option_is_single(option->type) || option->type == OPTION_TEXT_LIST) {
            mistakes_add(&o->reading->mistakes, o->place, "\"%s\" has no options of its own",
                         option->name);
            break;
        }
        map = enter_member(o, map, option->name, length);
        if (map == NULL) {
            break;
        }
        if (option->type == OPTION_NUMBER_MAP || option->type == OPTION_TEXT_MAP) {
            put_single(o, map, o->rest, (size_t)(o->end - o->rest));
            break;
        }
        if (option->type == OPTION_GROUP_MAP) {
            length = take_part(o, &part);
            if (o->rest == o->end) {
                return put_yaml(o, map, part, length);
            }
            map = enter_member(o, map, part, length);
        }
        table = option->group;
    }
    return o->status->code;
}

/* The `ordinal`-th (from 1) entry of that name; *count: how many there are. */
static struct doc_node *find_entry(const struct doc_node *list, const char *name, size_t length,
                                   int64_t ordinal, int64_t *count)
{
    struct doc_node *found = NULL;
    *count = 0;
    for (struct doc_node *entry = list->first; entry != NULL; entry = entry->next) {
        const char *entry_name = plan_entry_name(entry);
        if (entry_name != NULL && strlen(entry_name) == length &&
            memcmp(entry_name, name, length) == 0) {
            (*count)++;
            found = *count == ordinal ? entry : found;
        }
    }
    return found;
}

static void refuse_entry_name(struct override *o, const struct doc_node *list, const char *name,
                              size_t length, int64_t count)
{
    enum { NAMES_MAX = 64 };
    const char *names[NAMES_MAX] = {NULL};
    size_t n = 0;
    char shown[SHOWN_TEXT_MAX];
    struct buf all = {0};

    (void)shown_text(name, length, shown);
    if (count > 0) {
        mistakes_add(&o->reading->mistakes, o->place,
                     "the pipeline has the stage %s only %lld times", shown, (long long)count);
        return;
    }
    for (const struct doc_node *e = list->first; e != NULL && n < NAMES_MAX; e = e->next) {
        const char *entry_name = plan_entry_name(e);
        if (entry_name != NULL) {
            buf_addf(&all, "%s%s", n == 0 ? "" : ", ", entry_name);
            names[n++] = entry_name;
        }
    }
    const char *nearest = nearest_name(names, n, name, length);
    if (nearest != NULL) {
        mistakes_add(&o->reading->mistakes, o->place,
                     "the pipeline has no stage %s; did you mean \"%s\"?", shown, nearest);
    } else {
        mistakes_add(&o->reading->mistakes, o->place,
                     "the pipeline has no stage %s; its stages are %s", shown, buf_text(&all));
    }
    buf_release(&all);
}

/* The options of an entry as a map; NULL when the file is wrong there, or without memory. */
static struct doc_node *enter_entry(struct override *o, struct doc_node *entry)
{
    if (entry->kind == DOC_SCALAR) {
        const char *name = entry->text;
        size_t length = entry->length;
        struct place place = entry->place;
        entry->kind = DOC_MAP;
        struct doc_node *options = enter_member(o, entry, name, length);
        if (options != NULL) {
            options->key_place = place; /* the stage itself stands in the file */
            options->place = place;
        }
        return options;
    }
    return enter_member(o, entry, entry->first->key, entry->first->key_length);
}

/* stages.NAME.OPTION or stages.NAME.N.OPTION */
static enum status_code override_stage(struct override *o)
{
    const struct doc_node *list = doc_find(o->reading->root, "stages", strlen("stages"));
    const char *name = NULL;
    const char *part = NULL;
    int64_t ordinal = 1;
    int64_t count = 0;

    if (list == NULL || list->kind != DOC_LIST) {
        return STATUS_OK; /* told as a mistake of the file */
    }
    size_t length = take_part(o, &name);
    const char *after_name = o->rest;
    o->stage = name;
    size_t part_length = take_part(o, &part);
    if (!num_parse_int64(part, part_length, &ordinal) || ordinal < 1) {
        ordinal = 1;
        o->rest = after_name;
    }
    struct doc_node *entry = find_entry(list, name, length, ordinal, &count);
    if (entry == NULL) {
        refuse_entry_name(o, list, name, length, count);
        return STATUS_OK;
    }
    const struct stage *stage = plan_stage_named(o->reading->registry, plan_entry_name(entry));
    if (stage == NULL) {
        return STATUS_OK; /* told as a mistake of the file */
    }
    if (o->rest == o->end) {
        mistakes_add(&o->reading->mistakes, o->place,
                     "name an option of the stage: "
                     "stages.%s.OPTION=VALUE",
                     stage->name);
        return STATUS_OK;
    }
    return walk(o, stage->options, enter_entry(o, entry));
}

static enum status_code override_one(struct plan_reading *reading, const char *text,
                                     struct status *status)
{
    static const char stages[] = "stages";
    struct override o = {.reading = reading, .rest = text, .status = status};
    const char *part = NULL;
    enum status_code code = STATUS_OK;

    TRY(make_origin(reading->arena, text, &o.place.origin, status));
    o.end = strchr(text, '=');
    if (o.end == NULL || o.end == text) {
        mistakes_add(&reading->mistakes, o.place,
                     "not of the form PATH=VALUE, say stages.train.epochs=3");
        goto done;
    }
    o.value = o.end + 1;
    size_t length = take_part(&o, &part);
    if (length == strlen(stages) && memcmp(part, stages, length) == 0) {
        TRY(override_stage(&o));
    } else {
        o.rest = text;
        TRY(walk(&o, plan_options, reading->root));
    }
    code = status->code;
done:
    return code;
}

enum status_code plan_override(struct plan_reading *reading, const char *const *overrides,
                               size_t n_overrides, struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < n_overrides; i++) {
        TRY(override_one(reading, overrides[i], status));
    }
done:
    return code;
}
