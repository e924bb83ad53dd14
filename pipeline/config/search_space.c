/* Options of the tables and of the command line, as axes. */
#include "config/search_space.h"

#include "base/buf.h"
#include "config/option_read.h"

/* Adds the axis of this path, or puts it in the place of the one that has it. */
static enum status_code put_axis(struct search_space *space, const struct space_axis *axis,
                                 const char *path, struct status *status)
{
    enum status_code code = STATUS_OK;
    void *memory = NULL;
    char *copy = NULL;
    size_t at = 0;
    while (at < space->n && strcmp(space->axes[at].path, path) != 0) {
        at++;
    }
    TRY(arena_copy_text(&space->arena, path, strlen(path), &copy, status));
    if (at == space->n) {
        /* few enough that copying them each time costs nothing */
        TRY(arena_new(&space->arena, space->n + 1, sizeof *space->axes, &memory, status));
        if (space->n > 0) {
            memcpy(memory, space->axes, space->n * sizeof *space->axes);
        }
        space->axes = memory;
        space->n++;
    }
    space->axes[at] = *axis;
    space->axes[at].path = copy;
done:
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
        struct space_axis axis = {.option = row};
        if (!search_range_read(row->search, options, &axis, &space->arena, why, sizeof why)) {
            code = status_set(status, STATUS_INTERNAL, "%s: the table's range \"%s\": %s",
                              buf_text(&path), row->search, why);
            goto done;
        }
        TRY(put_axis(space, &axis, buf_text(&path), status));
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
    struct space_axis axis = {.option = option};
    if (!search_range_read(range, is_given ? (const char *)stage->options + holder : NULL, &axis,
                           &space->arena, why, sizeof why)) {
        return status_set(status, STATUS_USAGE, "--vary %s=%s: %s", path, range, why);
    }
    return put_axis(space, &axis, path, status);
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

enum status_code search_space_settings(const struct search_space *space, const size_t *choice,
                                       struct arena *arena, const char **settings,
                                       size_t *n_settings, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf text = {0};
    size_t n = 0;
    for (size_t a = 0; a < space->n; a++) {
        const struct space_axis *axis = &space->axes[a];
        char *copy = NULL;
        if (choice[a] != axis->own) {
            buf_clear(&text);
            buf_addf(&text, "%s=%s", axis->path, axis->values[choice[a]]);
            TRY(buf_check(&text, status));
            TRY(arena_copy_text(arena, buf_text(&text), text.length, &copy, status));
            settings[n++] = copy;
        }
    }
    *n_settings = n;
done:
    buf_release(&text);
    return code;
}
