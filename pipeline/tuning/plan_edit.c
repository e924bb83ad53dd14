/* Edits one setting after the other, reading the text anew for each, so that positions are always
 * those of the text at hand. */
#include "tuning/plan_edit.h"

#include "base/num.h"
#include "config/plan_reading.h"

/* One setting while it is put into the text. */
struct edit {
    struct buf *text;
    const char *file;
    const char *setting; /* for messages */
    const char *rest;    /* of the path: what is not yet walked, up to `equals` */
    const char *equals;
    const char *value;
    struct status *status;
};

/* Byte offset of a place; columns count characters. */
static size_t offset_of(const struct buf *text, const struct place *place)
{
    const char *data = buf_text(text);
    size_t at = 0;
    for (size_t line = 1; line < place->line && at < text->length;) {
        bool ends = data[at] == '\n' || (data[at] == '\r' && data[at + 1] != '\n');
        line += ends;
        at++;
    }
    for (size_t column = 1; column < place->column && at < text->length; column++) {
        at++;
        while (((unsigned char)data[at] & 0xc0) == 0x80) {
            at++;
        }
    }
    return at;
}

static enum status_code splice(struct buf *text, size_t at, size_t length, const struct buf *with,
                               struct status *status)
{
    enum status_code code;
    struct buf made = {0};
    TRY(buf_check(with, status));
    buf_add(&made, buf_text(text), at);
    buf_add(&made, buf_text(with), with->length);
    buf_add(&made, buf_text(text) + at + length, text->length - at - length);
    TRY(buf_check(&made, status));
    buf_release(text);
    *text = made;
    made = (struct buf){0};
done:
    buf_release(&made);
    return code;
}

/* Takes the next part of the path; its length. */
static size_t take_part(struct edit *edit, const char **part)
{
    size_t length = strcspn(edit->rest, ".=");
    *part = edit->rest;
    edit->rest += length + (edit->rest[length] == '.');
    return length;
}

/* "a: {b: VALUE}" for the path a.b */
static void add_nested(struct edit *edit, const char *part, size_t length, struct buf *out)
{
    size_t depth = 0;
    buf_addf(out, "%.*s: ", (int)length, part);
    while (edit->rest < edit->equals) {
        length = take_part(edit, &part);
        buf_addf(out, "{%.*s: ", (int)length, part);
        depth++;
    }
    buf_add_text(out, edit->value);
    while (depth-- > 0) {
        buf_add_char(out, '}');
    }
}

/* Puts the rest of the path into a map that does not have its first part. */
static enum status_code insert_member(struct edit *edit, const struct doc_node *map,
                                      const char *part, size_t length)
{
    struct buf made = {0};
    const char *data = buf_text(edit->text);
    size_t at = offset_of(edit->text, &map->place);
    bool is_flow = data[at] == '{';
    add_nested(edit, part, length, &made);
    if (is_flow) {
        at++;
        buf_add_text(&made, map->n > 0 ? ", " : "");
    } else {
        at = offset_of(edit->text, &map->first->key_place);
        buf_add_text(&made, strstr(data, "\r\n") != NULL ? "\r\n" : "\n");
        for (size_t i = 1; i < map->first->key_place.column; i++) {
            buf_add_char(&made, ' ');
        }
    }
    enum status_code code = splice(edit->text, at, 0, &made, edit->status);
    buf_release(&made);
    return code;
}

/* Bytes of the scalar that begins at `at`, quotes included; SIZE_MAX when it has another form. */
static size_t scalar_length(const struct buf *text, size_t at, const struct doc_node *node)
{
    const char *start = buf_text(text) + at;
    if (start[0] == '|' || start[0] == '>') {
        return SIZE_MAX;
    }
    if (start[0] != '"' && start[0] != '\'') {
        bool is_plain = !node->quoted && node->length <= text->length - at &&
                        memcmp(start, node->text, node->length) == 0;
        return is_plain ? node->length : SIZE_MAX;
    }
    /* '' inside single quotes is two quoted parts beside one another: both belong to it */
    for (size_t i = 1; start[i] != '\0'; i++) {
        if (start[0] == '"' && start[i] == '\\' && start[i + 1] != '\0') {
            i++;
        } else if (start[i] == start[0]) {
            if (start[0] != '\'' || start[i + 1] != '\'') {
                return i + 1;
            }
            i++;
        }
    }
    return SIZE_MAX;
}

static enum status_code replace_scalar(struct edit *edit, const struct doc_node *node,
                                       const struct buf *with)
{
    size_t at = offset_of(edit->text, &node->place);
    size_t length = scalar_length(edit->text, at, node);
    if (node->kind != DOC_SCALAR || length == SIZE_MAX) {
        return status_set_at(
            edit->status, STATUS_CONFIG, edit->file, node->place.line, node->place.column,
            "cannot write %s here: what stands there is no single value on one line",
            edit->setting);
    }
    return splice(edit->text, at, length, with, edit->status);
}

/* Walks the rest of the path below `node`, the options of a stage or a group. */
static enum status_code put(struct edit *edit, const struct doc_node *node)
{
    enum status_code code;
    struct buf made = {0};
    const char *part = NULL;
    for (;;) {
        size_t length = take_part(edit, &part);
        if (doc_is_null(node)) { /* "train:" with nothing behind it */
            buf_add_text(&made, node->length == 0 ? " {" : "{");
            add_nested(edit, part, length, &made);
            buf_add_char(&made, '}');
            TRY(replace_scalar(edit, node, &made));
            break;
        }
        const struct doc_node *child = doc_find(node, part, length);
        if (child == NULL) {
            TRY(insert_member(edit, node, part, length));
            break;
        }
        if (edit->rest == edit->equals) {
            /* nothing written takes a space behind the colon */
            buf_addf(&made, "%s%s", child->length == 0 ? " " : "", edit->value);
            TRY(replace_scalar(edit, child, &made));
            break;
        }
        node = child;
    }
    code = STATUS_OK;
done:
    buf_release(&made);
    return code;
}

/* "train" alone in the list becomes "train: {...}". */
static enum status_code open_entry(struct edit *edit, const struct doc_node *entry)
{
    struct buf made = {0};
    const char *part = NULL;
    buf_addf(&made, "%s: {", entry->text);
    size_t length = take_part(edit, &part);
    add_nested(edit, part, length, &made);
    buf_add_char(&made, '}');
    enum status_code code = replace_scalar(edit, entry, &made);
    buf_release(&made);
    return code;
}

/* The entry that a label's stage has in the file; takes the label off the path. */
static const struct doc_node *take_entry(struct edit *edit, const struct doc_node *root)
{
    const struct doc_node *list = doc_find(root, "stages", strlen("stages"));
    const char *name = NULL, *part = NULL;
    int64_t ordinal = 1;
    (void)take_part(edit, &name); /* "stages" */
    size_t length = take_part(edit, &name);
    const char *behind = edit->rest;
    size_t part_length = take_part(edit, &part);
    if (!num_parse_int64(part, part_length, &ordinal)) {
        ordinal = 1;
        edit->rest = behind;
    }
    for (const struct doc_node *e = list == NULL ? NULL : list->first; e != NULL; e = e->next) {
        const char *entry_name = plan_entry_name(e);
        if (entry_name != NULL && strlen(entry_name) == length &&
            memcmp(entry_name, name, length) == 0 && --ordinal == 0) {
            return e;
        }
    }
    return NULL;
}

static enum status_code edit_one(struct edit *edit)
{
    enum status_code code;
    struct arena arena = {0};
    struct mistakes mistakes = {0};
    struct doc_node *root = NULL;
    TRY(yaml_doc_parse(buf_text(edit->text), edit->text->length, NULL, &arena, &mistakes, &root,
                       edit->status));
    TRY(mistakes_report(&mistakes, edit->file, edit->status));
    edit->rest = edit->setting;
    edit->equals = strchr(edit->setting, '=');
    edit->value = edit->equals + 1;
    const struct doc_node *entry = take_entry(edit, root);
    if (entry == NULL) {
        code = status_set(edit->status, STATUS_INTERNAL, "%s: no stage has the option %s",
                          edit->file, edit->setting);
        goto done;
    }
    TRY(entry->kind == DOC_SCALAR ? open_entry(edit, entry) : put(edit, entry->first));
done:
    mistakes_release(&mistakes);
    arena_release(&arena);
    return code;
}

enum status_code plan_edit(struct buf *text, const char *file, const char *const *settings,
                           size_t n_settings, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf made = {0};
    struct edit edit = {.text = &made, .file = file, .status = status};
    buf_add(&made, buf_text(text), text->length);
    TRY(buf_check(&made, status));
    /* what is new goes in front of its neighbours: the last one first keeps their order */
    for (size_t i = n_settings; i-- > 0;) {
        edit.setting = settings[i];
        TRY(edit_one(&edit));
    }
    buf_release(text);
    *text = made;
    made = (struct buf){0};
done:
    buf_release(&made);
    return code;
}
