/* libyaml's event stream into a tree; the only file that sees yaml.h. Events rather than libyaml's
 * own documents, because those follow aliases, know no limits and lose duplicate keys. */
#include "config/yaml_doc.h"

#include "base/mem.h"

#include <strings.h>
#include <yaml.h>

struct builder {
    yaml_parser_t parser;
    const char *input;
    size_t input_length;
    const char *origin;
    struct arena *arena;
    struct mistakes *mistakes;
    struct doc_node *root;
    struct doc_node *open[DOC_DEPTH_MAX]; /* collections not yet ended, outermost first */
    struct doc_node *key[DOC_DEPTH_MAX];  /* the key that waits for its value; NULL: none */
    size_t depth, n_nodes;
    bool had_document;
    bool stopped; /* a mistake after which reading on makes no sense */
    bool ended;
    struct status *status;
};

static struct place place_of(const struct builder *b, yaml_mark_t mark)
{
    return (struct place){.origin = b->origin, .line = mark.line + 1, .column = mark.column + 1};
}

/* libyaml leaves the mark at the start for encoding errors: count from the byte offset. */
static struct place place_of_offset(const struct builder *b, size_t offset)
{
    struct place place = {.origin = b->origin, .line = 1, .column = 1};
    for (size_t i = 0; i < offset && i < b->input_length; i++) {
        unsigned char c = (unsigned char)b->input[i];
        if (c == '\n') {
            place.line++;
            place.column = 1;
        } else if ((c & 0xc0) != 0x80) {
            place.column++;
        }
    }
    return place;
}

/* Line `line` (one-based) of the input and its length. */
static const char *find_line(const struct builder *b, size_t line, size_t *length)
{
    const char *at = b->input;
    const char *end = b->input + b->input_length;
    for (size_t l = 1; l < line && at < end; l++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline == NULL ? end : newline + 1;
    }
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    *length = (size_t)((newline == NULL ? end : newline) - at);
    return at;
}

/* The brace of a variable ends a plain scalar inside { } or [ ], which libyaml cannot know. */
static const char *variable_hint(const struct builder *b, size_t line)
{
    size_t length = 0;
    const char *text = find_line(b, line, &length);
    for (size_t i = 0; i + 1 < length; i++) {
        if (text[i] == '$' && text[i + 1] == '{') {
            return "; inside { } or [ ] a ${VARIABLE} needs quotes";
        }
    }
    return "";
}

static void add_problem(struct builder *b, struct place place)
{
    const yaml_parser_t *p = &b->parser;
    const char *problem = p->problem == NULL ? "unreadable" : p->problem;
    const char *hint = strstr(problem, "mapping values are not allowed") != NULL
                           ? "; a text with \": \" in it needs quotes"
                           : variable_hint(b, place.line);
    if (p->context == NULL) {
        mistakes_add(b->mistakes, place, "not valid YAML: %s%s", problem, hint);
    } else {
        mistakes_add(b->mistakes, place, "not valid YAML: %s (%s that begins in line %zu)%s",
                     problem, p->context, p->context_mark.line + 1, hint);
    }
}

static void note_parser_error(struct builder *b)
{
    const yaml_parser_t *p = &b->parser;
    size_t length = 0;

    b->stopped = true;
    if (p->error == YAML_MEMORY_ERROR) {
        (void)status_set(b->status, STATUS_NO_MEMORY, "out of memory while reading YAML");
        return;
    }
    if (p->error == YAML_READER_ERROR) {
        mistakes_add(b->mistakes, place_of_offset(b, p->problem_offset),
                     "%s: the file must be UTF-8 text without control characters",
                     p->problem == NULL ? "unreadable bytes" : p->problem);
        return;
    }
    struct place place = place_of(b, p->problem_mark);
    const char *line = find_line(b, place.line, &length);
    size_t n_blanks = 0;
    while (n_blanks < length && line[n_blanks] == ' ') {
        n_blanks++;
    }
    if (n_blanks < length && line[n_blanks] == '\t') {
        place.column = n_blanks + 1;
        mistakes_add(b->mistakes, place, "a tab cannot indent in YAML: use spaces");
        return;
    }
    add_problem(b, place);
}

static struct doc_node *new_node(struct builder *b, enum doc_kind kind, struct place place)
{
    void *memory = NULL;
    if (b->n_nodes == DOC_NODES_MAX) {
        mistakes_add(b->mistakes, place,
                     "more than %d values in one file; a pipeline needs far fewer", DOC_NODES_MAX);
        b->stopped = true;
        return NULL;
    }
    if (arena_new(b->arena, 1, sizeof(struct doc_node), &memory, b->status) != STATUS_OK) {
        b->stopped = true;
        return NULL;
    }
    b->n_nodes++;
    struct doc_node *node = memory;
    node->kind = kind;
    node->place = place;
    node->text = "";
    return node;
}

static const char no_aliases[] = "anchors and aliases are not allowed; write the value out";

/* What the dialect leaves out, where a node has it (`name` not NULL); reading goes on. */
static void refuse(struct builder *b, struct doc_node *node, const char *what,
                   const yaml_char_t *name, const char *advice)
{
    char shown[SHOWN_TEXT_MAX];
    if (name != NULL) {
        const char *text = (const char *)name;
        mistakes_add(b->mistakes, node->place, "%s %s: %s", what,
                     shown_text(text, strlen(text), shown), advice);
        node->damaged = true;
    }
}

static void refuse_properties(struct builder *b, struct doc_node *node, const yaml_char_t *anchor,
                              const yaml_char_t *tag)
{
    refuse(b, node, "anchor", anchor, no_aliases);
    refuse(b, node, "tag", tag, "tags are not allowed; the option decides the type");
}

/* True when the next node is a key of the innermost map. */
static bool expects_key(const struct builder *b)
{
    return b->depth > 0 && b->open[b->depth - 1]->kind == DOC_MAP && b->key[b->depth - 1] == NULL;
}

/* Puts a complete or just opened node where it belongs. */
static void attach(struct builder *b, struct doc_node *node)
{
    if (b->depth == 0) {
        b->root = node;
        return;
    }
    struct doc_node *parent = b->open[b->depth - 1];
    struct doc_node *key = b->key[b->depth - 1];
    if (parent->kind == DOC_MAP) {
        node->key = key->damaged ? NULL : key->text;
        node->key_length = key->length;
        node->key_place = key->place;
        b->key[b->depth - 1] = NULL;
    }
    doc_append(parent, node);
}

static void take_scalar_or_alias(struct builder *b, struct doc_node *node)
{
    if (expects_key(b)) {
        b->key[b->depth - 1] = node;
    } else {
        attach(b, node);
    }
}

/* The first SQL comment in `text` that goes on to the end of it: `--` without a line end behind it,
 * or a comment that is never closed. NULL: none. */
static const char *open_comment(const char *text)
{
    static const char quotes[] = "'\"`[";
    while (*text != '\0') {
        const char *end = text + 1;
        if (strchr(quotes, *text) != NULL) {
            end = strchr(text + 1, *text == '[' ? ']' : *text);
            end = end == NULL ? NULL : end + 1;
        } else if (strncmp(text, "--", 2) == 0 || strncmp(text, "/*", 2) == 0) {
            end = *text == '-' ? strchr(text, '\n') : strstr(text + 2, "*/");
            if (end == NULL || end[strspn(end, " \n")] == '\0') {
                return text;
            }
        }
        if (end == NULL) {
            break; /* a quote that is never closed: SQLite says so */
        }
        text = end;
    }
    return NULL;
}

/* The lines of a query in `>`, or without a `|`, are one when it gets to SQLite: what stands behind
 * a comment is part of it. */
static void doubt_query(struct builder *b, const struct doc_node *node, bool has_lines)
{
    const char *text = node->text + strspn(node->text, " \n(");
    char shown[SHOWN_TEXT_MAX];
    if (node->place.origin != NULL ||
        (strncasecmp(text, "select", 6) != 0 && strncasecmp(text, "with", 4) != 0)) {
        return;
    }
    const char *comment = open_comment(text);
    if (comment == NULL || (*comment == '-' && has_lines)) {
        return;
    }
    buf_addf(&b->mistakes->doubts,
             "%s%zu:%zu: the query ends in a comment, %s: begin it with | instead of >, so that "
             "lines end, or leave the comment out",
             b->mistakes->doubts.length > 0 ? "\n" : "", node->place.line, node->place.column,
             shown_text(comment, strcspn(comment, "\n"), shown));
}

static void on_scalar(struct builder *b, const yaml_event_t *event)
{
    struct doc_node *node = new_node(b, DOC_SCALAR, place_of(b, event->start_mark));
    char *text = NULL;
    if (node == NULL) {
        return;
    }
    const char *value = (const char *)event->data.scalar.value;
    node->length = event->data.scalar.length;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    refuse_properties(b, node, event->data.scalar.anchor, event->data.scalar.tag);
    if (memchr(value, '\0', node->length) != NULL) {
        mistakes_add(b->mistakes, node->place, "a text cannot hold a NUL character");
        node->damaged = true;
    }
    if (arena_copy_text(b->arena, value, node->length, &text, b->status) != STATUS_OK) {
        b->stopped = true;
        return;
    }
    node->text = text;
    doubt_query(b, node, event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE);
    take_scalar_or_alias(b, node);
}

static void on_alias(struct builder *b, const yaml_event_t *event)
{
    struct doc_node *node = new_node(b, DOC_SCALAR, place_of(b, event->start_mark));
    if (node != NULL) {
        refuse(b, node, "alias", event->data.alias.anchor, no_aliases);
        take_scalar_or_alias(b, node);
    }
}

static void on_collection_start(struct builder *b, const yaml_event_t *event)
{
    bool is_map = event->type == YAML_MAPPING_START_EVENT;
    struct place place = place_of(b, event->start_mark);
    if (b->depth == DOC_DEPTH_MAX) {
        mistakes_add(b->mistakes, place, "nested more than %d levels deep", DOC_DEPTH_MAX);
        b->stopped = true;
        return;
    }
    if (expects_key(b)) {
        mistakes_add(b->mistakes, place, "a key must be a single name, not %s",
                     is_map ? "a map" : "a list");
        b->stopped = true;
        return;
    }
    struct doc_node *node = new_node(b, is_map ? DOC_MAP : DOC_LIST, place);
    if (node == NULL) {
        return;
    }
    if (is_map) {
        refuse_properties(b, node, event->data.mapping_start.anchor, event->data.mapping_start.tag);
    } else {
        refuse_properties(b, node, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag);
    }
    attach(b, node);
    b->open[b->depth] = node;
    b->key[b->depth] = NULL;
    b->depth++;
}

/* By key, then by position. */
static int compare_members(const void *left, const void *right)
{
    const struct doc_node *a = *(const struct doc_node *const *)left;
    const struct doc_node *b = *(const struct doc_node *const *)right;
    int order = strcmp(a->key, b->key);
    if (order != 0) {
        return order;
    }
    if (a->key_place.line != b->key_place.line) {
        return a->key_place.line < b->key_place.line ? -1 : 1;
    }
    return (a->key_place.column > b->key_place.column) -
           (a->key_place.column < b->key_place.column);
}

/* Sorting instead of comparing all pairs: a map may have DOC_NODES_MAX / 2 keys. */
static void refuse_duplicates(struct builder *b, const struct doc_node *map)
{
    struct doc_node **members = NULL;
    size_t n = 0;
    char shown[SHOWN_TEXT_MAX];

    if (map->n < 2) {
        return;
    }
    if (MEM_NEW(&members, map->n, b->status) != STATUS_OK) {
        b->stopped = true;
        return;
    }
    for (struct doc_node *child = map->first; child != NULL; child = child->next) {
        if (child->key != NULL) {
            members[n++] = child;
        }
    }
    qsort(members, n, sizeof *members, compare_members);
    const struct doc_node *first = n > 0 ? members[0] : NULL;
    for (size_t i = 1; i < n; i++) {
        if (strcmp(members[i]->key, first->key) != 0) {
            first = members[i];
            continue;
        }
        mistakes_add(b->mistakes, members[i]->key_place,
                     "key %s is given twice: in line %zu and in line %zu",
                     shown_text(first->key, first->key_length, shown), first->key_place.line,
                     members[i]->key_place.line);
        members[i]->damaged = true;
    }
    mem_free(members);
}

static void on_event(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->had_document) {
            mistakes_add(b->mistakes, place_of(b, event->start_mark),
                         "a second document begins here: one file holds one pipeline");
            b->stopped = true;
        }
        b->had_document = true;
        break;
    case YAML_SCALAR_EVENT:
        on_scalar(b, event);
        break;
    case YAML_ALIAS_EVENT:
        on_alias(b, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        on_collection_start(b, event);
        break;
    case YAML_MAPPING_END_EVENT:
        refuse_duplicates(b, b->open[b->depth - 1]);
        b->depth--;
        break;
    case YAML_SEQUENCE_END_EVENT:
        b->depth--;
        break;
    case YAML_STREAM_END_EVENT:
        b->ended = true;
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

enum status_code yaml_doc_parse(const char *text, size_t length, const char *origin,
                                struct arena *arena, struct mistakes *mistakes,
                                struct doc_node **root, struct status *status)
{
    struct builder b = {.input = text,
                        .input_length = length,
                        .origin = origin,
                        .arena = arena,
                        .mistakes = mistakes,
                        .status = status};
    if (status->code != STATUS_OK) {
        return status->code;
    }
    if (!yaml_parser_initialize(&b.parser)) {
        return status_set(status, STATUS_NO_MEMORY, "out of memory while reading YAML");
    }
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)text, length);
    while (!b.stopped && !b.ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(&b.parser, &event)) {
            note_parser_error(&b);
            break;
        }
        on_event(&b, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&b.parser);
    if (status->code == STATUS_OK) {
        *root = b.stopped ? NULL : b.root;
    }
    return status->code;
}
