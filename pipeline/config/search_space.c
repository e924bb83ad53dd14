/* Ranges out of the option tables and of the command line, as axes. Points are search_draw.c's. */
#include "config/search_space.h"

#include "base/buf.h"
#include "base/num.h"
#include "config/option_read.h"

enum { VALUES_MAX = 64 };

/* One scalar of any searchable type; the option is read into it with offset 0. */
union scalar_value {
    bool truth;
    int64_t whole;
    double number;
    int choice;
};

static bool is_number(enum option_type type)
{
    return type == OPTION_INT || type == OPTION_FLOAT || type == OPTION_AUTO ||
           type == OPTION_AUTO_INT;
}

static bool is_searchable(enum option_type type)
{
    return is_number(type) || type == OPTION_BOOL || type == OPTION_DURATION ||
           type == OPTION_AUTO_DURATION || type == OPTION_BYTES || type == OPTION_CHOICE;
}

/* The option's value as the file would have it. */
static void format_value(const struct option *option, const void *options, struct buf *out)
{
    const void *place = (const char *)options + option->offset;
    char text[NUM_TEXT_MAX];
    int64_t whole;
    switch (option->type) {
    case OPTION_BOOL:
        buf_add_text(out, *(const bool *)place ? "true" : "false");
        break;
    case OPTION_CHOICE:
        buf_add_text(out, option->choices[*(const int *)place]);
        break;
    case OPTION_INT:
    case OPTION_BYTES:
        memcpy(&whole, place, sizeof whole);
        buf_addf(out, "%lld", (long long)whole);
        break;
    default:
        option_format_number(option->type, option_number(option, options), text);
        buf_add_text(out, text);
        break;
    }
}

static bool copy_buf(const struct buf *text, struct arena *arena, const char **out)
{
    struct status ignored = {0};
    char *copy = NULL;
    if (text->failed ||
        arena_copy_text(arena, buf_text(text), text->length, &copy, &ignored) != STATUS_OK) {
        return false;
    }
    *out = copy;
    return true;
}

/* Reads one value and writes it back in its usual form, so that equal values are equal texts. */
static bool read_value(const struct search_axis *axis, const char *text, size_t length,
                       struct arena *arena, const char **canonical, double *number, char *why,
                       size_t why_capacity)
{
    struct option probe = *axis->option;
    union scalar_value value = {0};
    struct buf buf = {0};
    while (length > 0 && *text == ' ') {
        text++;
        length--;
    }
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    probe.offset = 0;
    if (!option_parse(&probe, text, length, &value, NULL, arena, why, why_capacity)) {
        return false;
    }
    *number = option_number(&probe, &value);
    format_value(&probe, &value, &buf);
    bool copied = copy_buf(&buf, arena, canonical);
    buf_release(&buf);
    if (!copied) {
        (void)snprintf(why, why_capacity, "out of memory");
    }
    return copied;
}

/* LOW..HIGH; `dots` stands at the first of the two. */
static bool parse_range(const char *text, const char *dots, size_t length, struct search_axis *axis,
                        struct arena *arena, char *why, size_t why_capacity)
{
    const char *ignored = NULL;
    if (!is_number(axis->option->type)) {
        (void)snprintf(why, why_capacity,
                       "a range is for numbers only; name values with commas between them");
        return false;
    }
    if (!read_value(axis, text, (size_t)(dots - text), arena, &ignored, &axis->low, why,
                    why_capacity) ||
        !read_value(axis, dots + 2, (size_t)(text + length - dots - 2), arena, &ignored,
                    &axis->high, why, why_capacity)) {
        return false;
    }
    /* auto has no place on a line of numbers */
    if (!(axis->low < axis->high)) {
        (void)snprintf(why, why_capacity, "LOW..HIGH needs two numbers, the lower one first");
        return false;
    }
    if (axis->kind == SEARCH_LOG && axis->low <= 0) {
        (void)snprintf(why, why_capacity, "a log range needs a lower end above 0, not %g",
                       axis->low);
        return false;
    }
    return true;
}

static bool parse_values(const char *text, struct search_axis *axis, struct arena *arena, char *why,
                         size_t why_capacity)
{
    const char *values[VALUES_MAX];
    struct status ignored = {0};
    void *memory = NULL;
    double number;
    axis->kind = SEARCH_VALUES;
    for (size_t n = 0;; n++) {
        size_t length = strcspn(text, ",");
        if (n == VALUES_MAX) {
            (void)snprintf(why, why_capacity, "more than %d values", VALUES_MAX);
            return false;
        }
        if (!read_value(axis, text, length, arena, &values[n], &number, why, why_capacity)) {
            return false;
        }
        axis->n_values = n + 1;
        if (text[length] == '\0') {
            break;
        }
        text += length + 1;
    }
    if (arena_new(arena, axis->n_values, sizeof *values, &memory, &ignored) != STATUS_OK) {
        (void)snprintf(why, why_capacity, "out of memory");
        return false;
    }
    memcpy(memory, values, axis->n_values * sizeof *values);
    axis->values = memory;
    return true;
}

static bool ends_with(const char *text, size_t length, const char *end)
{
    size_t n = strlen(end);
    return length >= n && memcmp(text + length - n, end, n) == 0;
}

bool search_range_parse(const char *text, struct search_axis *axis, struct arena *arena, char *why,
                        size_t why_capacity)
{
    static const char log_mark[] = " log";
    const char *dots = strstr(text, "..");
    size_t length = strlen(text);
    if (!is_searchable(axis->option->type)) {
        (void)snprintf(why, why_capacity, "only numbers, true and false, and choices can be tried");
        return false;
    }
    axis->range = text;
    if (dots == NULL) {
        return parse_values(text, axis, arena, why, why_capacity);
    }
    bool is_log = ends_with(text, length, log_mark);
    axis->kind = is_log ? SEARCH_LOG : SEARCH_LINEAR;
    length -= is_log ? strlen(log_mark) : 0;
    return parse_range(text, dots, length, axis, arena, why, why_capacity);
}

static struct search_axis *find_axis(const struct search_space *space, const char *path)
{
    for (size_t i = 0; i < space->n; i++) {
        if (strcmp(space->axes[i].path, path) == 0) {
            return &space->axes[i];
        }
    }
    return NULL;
}

/* Adds an axis, or replaces the one that has its path. */
static enum status_code put_axis(struct search_space *space, const struct search_axis *axis,
                                 struct status *status)
{
    struct search_axis *same = find_axis(space, axis->path);
    void *memory = NULL;
    if (same != NULL) {
        *same = *axis;
        return STATUS_OK;
    }
    /* few enough that copying them each time costs nothing */
    enum status_code code =
        arena_new(&space->arena, space->n + 1, sizeof *space->axes, &memory, status);
    if (code == STATUS_OK) {
        if (space->n > 0) {
            memcpy(memory, space->axes, space->n * sizeof *space->axes);
        }
        space->axes = memory;
        space->axes[space->n++] = *axis;
    }
    return code;
}

static enum status_code set_texts(struct search_space *space, struct search_axis *axis,
                                  const char *path, const char *options, struct status *status)
{
    struct buf current = {0};
    char *copy = NULL;
    enum status_code code;
    format_value(axis->option, options, &current);
    TRY(arena_copy_text(&space->arena, path, strlen(path), &copy, status));
    axis->path = copy;
    TRY(buf_check(&current, status));
    TRY(arena_copy_text(&space->arena, buf_text(&current), current.length, &copy, status));
    axis->current = copy;
done:
    buf_release(&current);
    return code;
}

/* The options of one table that have a range of their own, as deep as the groups of the file. */
static enum status_code add_table(struct search_space *space, const struct option *table,
                                  const char *options, const char *prefix, const char *resource,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf path = {0};
    char why[WHY_MAX];
    for (const struct option *row = table; row->name != NULL; row++) {
        buf_clear(&path);
        buf_addf(&path, "%s.%s", prefix, row->name);
        TRY(buf_check(&path, status));
        if (row->type == OPTION_GROUP && *(const bool *)(options + row->offset)) {
            TRY(add_table(space, row->group, options + row->offset, buf_text(&path), resource,
                          status));
        }
        if (row->search == NULL || (resource != NULL && strcmp(buf_text(&path), resource) == 0)) {
            continue;
        }
        struct search_axis axis = {.option = row};
        if (!search_range_parse(row->search, &axis, &space->arena, why, sizeof why)) {
            code = status_set(status, STATUS_INTERNAL, "%s: the table's range \"%s\": %s",
                              buf_text(&path), row->search, why);
            goto done;
        }
        TRY(set_texts(space, &axis, buf_text(&path), options, status));
        TRY(put_axis(space, &axis, status));
    }
done:
    buf_release(&path);
    return code;
}

static enum status_code add_defaults(struct search_space *space,
                                     const struct search_request *request, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf prefix = {0};
    for (size_t i = request->first; i < request->plan->n_stages; i++) {
        const struct plan_stage *stage = &request->plan->stages[i];
        buf_clear(&prefix);
        buf_addf(&prefix, "stages.%s", stage->label);
        TRY(buf_check(&prefix, status));
        TRY(add_table(space, stage->stage->options, stage->options, buf_text(&prefix),
                      request->resource, status));
    }
done:
    buf_release(&prefix);
    return code;
}

/* Takes out the axes at or below the path. */
static enum status_code fix(struct search_space *space, const char *path, struct status *status)
{
    size_t length = strlen(path);
    size_t kept = 0;
    for (size_t i = 0; i < space->n; i++) {
        const char *other = space->axes[i].path;
        bool below =
            strncmp(other, path, length) == 0 && (other[length] == '\0' || other[length] == '.');
        if (!below) {
            space->axes[kept++] = space->axes[i];
        }
    }
    if (kept == space->n) {
        struct buf paths = {0};
        for (size_t i = 0; i < space->n; i++) {
            buf_addf(&paths, "%s%s", i == 0 ? "" : ", ", space->axes[i].path);
        }
        enum status_code code =
            status_set(status, STATUS_USAGE, "--fix %s: nothing below it is varied; varied are %s",
                       path, space->n == 0 ? "no options" : buf_text(&paths));
        buf_release(&paths);
        return code;
    }
    space->n = kept;
    return STATUS_OK;
}

/* The stage whose label begins the rest of a path behind "stages."; *rest is behind its dot. */
static const struct plan_stage *match_stage(const struct plan *plan, const char *path,
                                            const char **rest)
{
    const struct plan_stage *best = NULL;
    size_t best_length = 0;
    for (size_t i = 0; i < plan->n_stages; i++) {
        const char *label = plan->stages[i].label;
        size_t length = strlen(label);
        if (length > best_length && strncmp(path, label, length) == 0 && path[length] == '.') {
            best = &plan->stages[i];
            best_length = length;
            *rest = path + length + 1;
        }
    }
    return best;
}

/* Why an option cannot be varied, or NULL. */
static const char *refusal(const struct search_request *request, const struct plan_stage *stage,
                           const char *path)
{
    if (stage->position < request->first) {
        return "its stage makes the data that trials are compared on";
    }
    if (request->resource != NULL && strcmp(path, request->resource) == 0) {
        return "the search itself sets it, as a share of what the file has";
    }
    return NULL;
}

/* One --vary, split into `path` and `range`. */
static enum status_code vary(struct search_space *space, const struct search_request *request,
                             const char *path, const char *range, struct status *status)
{
    static const char stages[] = "stages.";
    enum status_code code = STATUS_OK;
    const char *rest = NULL;
    const struct plan_stage *stage = NULL;
    size_t holder = 0;
    bool is_given = true;
    char why[WHY_MAX];
    if (strncmp(path, stages, strlen(stages)) == 0) {
        stage = match_stage(request->plan, path + strlen(stages), &rest);
    }
    if (stage == NULL) {
        return status_set(status, STATUS_USAGE,
                          "--vary %s: not an option of a stage that a trial runs; say "
                          "stages.STAGE.OPTION, the stage being one up to train and calibrate",
                          path);
    }
    const struct option *option =
        option_at(stage->stage->options, stage->options, rest, &holder, &is_given);
    if (option == NULL) {
        const char *nearest = option_nearest(stage->stage->options, rest, strlen(rest));
        return status_set(status, STATUS_USAGE, "--vary %s: %s has no such option%s%s%s", path,
                          stage->label, nearest != NULL ? "; did you mean " : "",
                          nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
    }
    const char *refused = refusal(request, stage, path);
    if (refused != NULL) {
        return status_set(status, STATUS_USAGE, "--vary %s: %s", path, refused);
    }
    struct search_axis axis = {.option = option};
    if (!search_range_parse(range, &axis, &space->arena, why, sizeof why)) {
        return status_set(status, STATUS_USAGE, "--vary %s=%s: %s", path, range, why);
    }
    /* a narrower range of an option that is searched by its logarithm is so, too */
    const char *own = option->search;
    if (axis.kind == SEARCH_LINEAR && axis.low > 0 && own != NULL &&
        ends_with(own, strlen(own), " log")) {
        axis.kind = SEARCH_LOG;
    }
    TRY(set_texts(space, &axis, path, (const char *)stage->options + holder, status));
    if (!is_given) {
        axis.current = ""; /* no value equals "not there" */
    }
    TRY(put_axis(space, &axis, status));
done:
    return code;
}

static enum status_code vary_text(struct search_space *space, const struct search_request *request,
                                  const char *text, struct status *status)
{
    const char *equals = strchr(text, '=');
    char *path = NULL, *range = NULL;
    enum status_code code;
    if (equals == NULL || equals == text) {
        return status_set(status, STATUS_USAGE,
                          "--vary %s: not of the form PATH=RANGE, say "
                          "stages.train.temperature=0.1..0.2",
                          text);
    }
    TRY(arena_copy_text(&space->arena, text, (size_t)(equals - text), &path, status));
    TRY(arena_copy_text(&space->arena, equals + 1, strlen(equals + 1), &range, status));
    TRY(vary(space, request, path, range, status));
done:
    return code;
}

enum status_code search_space_init(struct search_space *space, const struct search_request *request,
                                   struct status *status)
{
    enum status_code code;
    TRY(add_defaults(space, request, status));
    for (size_t i = 0; i < request->n_fix; i++) {
        TRY(fix(space, request->fix[i], status));
    }
    for (size_t i = 0; i < request->n_vary; i++) {
        TRY(vary_text(space, request, request->vary[i], status));
    }
    if (space->n == 0) {
        code = status_set(status, STATUS_USAGE,
                          "nothing to vary: name a range with --vary PATH=RANGE");
    }
done:
    return code;
}

void search_space_release(struct search_space *space)
{
    arena_release(&space->arena);
    *space = (struct search_space){0};
}
