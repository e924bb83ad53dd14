/* Which stages a trial needs, and its plan. */
#include "tuning/trial_plan.h"

#include "base/mem.h"
#include "base/num.h"

#include <math.h>

static const char train_label[] = "train";
static const char calibrate_label[] = "calibrate";
static const char epochs_unit[] = "epochs";
static const char budget_path[] = "stages.train.search.budget";
/* Of a trial in full, where the configuration leaves them open. */
enum { OPEN_EPOCHS = 20 };

static const struct option *epochs_option(const struct plan_stage *train)
{
    const struct option *row = option_find(train->stage->options, "epochs", strlen("epochs"));
    return row != NULL && (row->type == OPTION_INT || row->type == OPTION_AUTO_INT) ? row : NULL;
}

enum status_code trial_target(const struct plan *plan, size_t *position, struct status *status)
{
    const struct plan_stage *train = plan_find(plan, train_label);
    const struct plan_stage *calibrate = plan_find(plan, calibrate_label);
    if (train == NULL || epochs_option(train) == NULL) {
        return status_set_at(status, STATUS_CONFIG, plan->file, 0, 0,
                             "the pipeline has no stage `train`: there is nothing to tune");
    }
    *position = calibrate != NULL ? calibrate->position : train->position;
    return STATUS_OK;
}

size_t trial_epochs(const struct plan *plan)
{
    const struct plan_stage *train = plan_find(plan, train_label);
    const double epochs = option_number(epochs_option(train), train->options);
    return isnan(epochs) ? OPEN_EPOCHS : epochs < 1.0 ? 1 : (size_t)epochs;
}

/* Whether train would search by itself: a trial of `tune` does not. */
static bool is_open(const struct plan *plan)
{
    const struct plan_stage *train = plan_find(plan, train_label);
    return isnan(option_number(epochs_option(train), train->options));
}

/* The view of the stages that are marked in needed (plan->n_stages). */
static enum status_code take_stages(struct trial_view *view, const struct plan *plan,
                                    const bool *needed, struct status *status)
{
    enum status_code code = MEM_NEW(&view->stages, plan->n_stages, status);
    if (code != STATUS_OK) {
        return code;
    }
    view->plan = *plan;
    view->plan.arena = (struct arena){0};
    view->plan.stages = view->stages;
    view->plan.n_stages = 0;
    for (size_t i = 0; i < plan->n_stages; i++) {
        if (needed[i]) {
            view->stages[view->plan.n_stages] = plan->stages[i];
            view->stages[view->plan.n_stages].position = view->plan.n_stages;
            view->plan.n_stages++;
        }
    }
    return STATUS_OK;
}

enum status_code trial_view_init(struct trial_view *view, const struct plan *plan, size_t target,
                                 const char *work_database, struct status *status)
{
    enum status_code code;
    bool *needed = NULL;
    TRY(MEM_NEW(&needed, plan->n_stages, status));
    needed[target] = true;
    /* producers stand above their readers: one way up finds all */
    for (size_t i = target + 1; i-- > 0;) {
        const struct stage_artifact *inputs = plan->stages[i].stage->inputs;
        for (size_t a = 0; needed[i] && inputs != NULL && inputs[a].name != NULL; a++) {
            size_t producer = plan_producer(plan, i, inputs[a].name);
            if (producer != SIZE_MAX) {
                needed[producer] = true;
            }
        }
    }
    TRY(take_stages(view, plan, needed, status));
    view->plan.settings.work.database = work_database;
done:
    mem_free(needed);
    return code;
}

enum status_code trial_view_sources(struct trial_view *view, const struct plan *plan, size_t before,
                                    struct status *status)
{
    enum status_code code;
    bool *needed = NULL;
    TRY(MEM_NEW(&needed, plan->n_stages, status));
    for (size_t i = 0; i < before; i++) {
        const struct stage *stage = plan->stages[i].stage;
        needed[i] = (stage->outputs == NULL || stage->outputs[0].name == NULL) &&
                    (stage->inputs == NULL || stage->inputs[0].name == NULL);
    }
    TRY(take_stages(view, plan, needed, status));
done:
    mem_free(needed);
    return code;
}

void trial_view_release(struct trial_view *view)
{
    mem_free(view->stages);
    *view = (struct trial_view){0};
}

/* Settings that are made here, beside those of the trial. */
struct settings {
    struct arena arena;
    const char **texts;
    size_t n, capacity;
};

static enum status_code add_setting(struct settings *settings, const char *path, const char *value,
                                    struct status *status)
{
    enum status_code code;
    struct buf text = {0};
    char *copy = NULL;
    if (settings->n == settings->capacity) {
        size_t capacity = 2 * settings->capacity + 16;
        TRY(MEM_RESIZE(&settings->texts, settings->capacity, capacity, status));
        settings->capacity = capacity;
    }
    buf_addf(&text, "%s=%s", path, value);
    TRY(buf_check(&text, status));
    TRY(arena_copy_text(&settings->arena, buf_text(&text), text.length, &copy, status));
    settings->texts[settings->n++] = copy;
done:
    buf_release(&text);
    return code;
}

/* The value of an option that counts epochs, times `share`; false where it stays. */
static bool shrink(const struct option *option, const void *place, double share, char *out)
{
    double value;
    if (option->type == OPTION_INT) {
        value = (double)*(const int64_t *)place;
        value = value > 0 ? fmax(round(value * share), 1.0) : 0.0;
    } else if (option->type == OPTION_FLOAT) {
        value = *(const double *)place * share;
    } else {
        return false;
    }
    value = option_has_min(option) ? fmax(value, option->min) : value;
    if (option->type == OPTION_INT) {
        (void)snprintf(out, NUM_TEXT_MAX, "%.0f", value);
    } else {
        (void)num_format_double(value, out);
    }
    return true;
}

/* Settings for every option of the table that counts epochs. */
static enum status_code shrink_table(struct settings *settings, const struct option *table,
                                     const char *options, const char *prefix, double share,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf path = {0};
    char value[NUM_TEXT_MAX];
    for (const struct option *row = table; row->name != NULL; row++) {
        const char *place = options + row->offset;
        buf_clear(&path);
        buf_addf(&path, "%s.%s", prefix, row->name);
        TRY(buf_check(&path, status));
        if (row->type == OPTION_GROUP && *(const bool *)place) {
            TRY(shrink_table(settings, row->group, place, buf_text(&path), share, status));
        }
        bool counts_epochs = row->unit != NULL && strcmp(row->unit, epochs_unit) == 0;
        if (counts_epochs && shrink(row, place, share, value)) {
            TRY(add_setting(settings, buf_text(&path), value, status));
        }
    }
done:
    buf_release(&path);
    return code;
}

static enum status_code shrink_plan(struct settings *settings, const struct plan *plan,
                                    size_t epochs, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf text = {0};
    char value[NUM_TEXT_MAX];
    double share = (double)epochs / (double)trial_epochs(plan);
    for (size_t i = 0; i < plan->n_stages; i++) {
        buf_clear(&text);
        buf_addf(&text, "stages.%s", plan->stages[i].label);
        TRY(buf_check(&text, status));
        TRY(shrink_table(settings, plan->stages[i].stage->options, plan->stages[i].options,
                         buf_text(&text), share, status));
    }
    (void)snprintf(value, sizeof value, "%zu", epochs);
    TRY(add_setting(settings, TRIAL_EPOCHS, value, status)); /* the last one wins */
    if (is_open(plan)) {
        TRY(add_setting(settings, budget_path, "0", status));
    }
done:
    buf_release(&text);
    return code;
}

enum status_code trial_plan_load(const char *file, const struct stage_registry *registry,
                                 const char *const *settings, size_t n_settings, size_t epochs,
                                 struct plan **out, struct status *status)
{
    enum status_code code;
    struct plan *plan = NULL, *shrunk = NULL;
    struct settings all = {0};
    TRY(plan_load(file, registry, settings, n_settings, &plan, status));
    if (epochs == trial_epochs(plan) && !is_open(plan)) {
        *out = plan;
        plan = NULL;
        goto done;
    }
    for (size_t i = 0; i < n_settings; i++) {
        const char *equals = strchr(settings[i], '=');
        char *path = NULL;
        TRY(arena_copy_text(&all.arena, settings[i], (size_t)(equals - settings[i]), &path,
                            status));
        TRY(add_setting(&all, path, equals + 1, status));
    }
    TRY(shrink_plan(&all, plan, epochs, status));
    TRY(plan_load(file, registry, all.texts, all.n, &shrunk, status));
    *out = shrunk;
done:
    plan_free(plan);
    mem_free(all.texts);
    arena_release(&all.arena);
    return code;
}
