/* The list of stages: which they are, their options, and whether each finds its inputs. */
#include "config/plan_reading.h"

/* What is known of one entry while the list is read. */
struct entry {
    const struct doc_node *options; /* NULL: none written */
    struct place place;
    bool known; /* its stage exists */
};

const char *plan_entry_name(const struct doc_node *entry)
{
    if (entry->kind == DOC_SCALAR) {
        return entry->damaged || doc_is_null(entry) ? NULL : entry->text;
    }
    return entry->kind == DOC_MAP && entry->n == 1 ? entry->first->key : NULL;
}

const struct stage *plan_stage_named(const struct stage_registry *registry, const char *name)
{
    for (size_t i = 0; registry->stages[i] != NULL; i++) {
        if (strcmp(registry->stages[i]->name, name) == 0) {
            return registry->stages[i];
        }
    }
    return NULL;
}

static void refuse_entry(struct plan_reading *reading, const struct doc_node *entry)
{
    char shown[SHOWN_TEXT_MAX];
    if (entry->damaged || (entry->kind == DOC_MAP && entry->n == 1)) {
        return; /* told already: an alias, a tag or such a key */
    }
    if (entry->kind == DOC_MAP && entry->n > 1 && entry->first->next->key != NULL) {
        const struct doc_node *second = entry->first->next;
        mistakes_add(&reading->mistakes, second->key_place,
                     "an entry of `stages` has one key, the stage's name, but here %s follows; "
                     "indent the stage's options below its name",
                     shown_text(second->key, second->key_length, shown));
        return;
    }
    mistakes_add(&reading->mistakes, entry->place,
                 "an entry of `stages` is a stage's name or a map `- name: {options}`, not %s",
                 entry->n == 0 ? "nothing" : doc_kind_name(entry));
}

static void refuse_unknown_stage(struct plan_reading *reading, const char *name, struct place place)
{
    enum { NAMES_MAX = 64 }; /* more stages than this are only searched in part */
    const char *names[NAMES_MAX];
    char shown[SHOWN_TEXT_MAX];
    struct buf all = {0};
    for (size_t i = 0; reading->registry->stages[i] != NULL; i++) {
        buf_addf(&all, "%s%s", i == 0 ? "" : ", ", reading->registry->stages[i]->name);
    }
    size_t n = 0;
    for (; n < NAMES_MAX && reading->registry->stages[n] != NULL; n++) {
        names[n] = reading->registry->stages[n]->name;
    }
    const char *nearest = nearest_name(names, n, name, strlen(name));
    (void)shown_text(name, strlen(name), shown);
    if (nearest != NULL) {
        mistakes_add(&reading->mistakes, place, "unknown stage %s; did you mean \"%s\"?", shown,
                     nearest);
    } else {
        mistakes_add(&reading->mistakes, place, "unknown stage %s; the stages are %s", shown,
                     buf_text(&all));
    }
    buf_release(&all);
}

/* The label of the stage at `position`; a repeated one is counted from 2. */
static enum status_code label_stage(struct plan_reading *reading, size_t position,
                                    const struct entry *entries, struct status *status)
{
    struct plan *plan = reading->plan;
    struct plan_stage *stage = &plan->stages[position];
    size_t count = 1;
    const struct entry *first = NULL;
    char *label = NULL;

    for (size_t i = 0; i < position; i++) {
        if (plan->stages[i].stage == stage->stage) {
            first = first == NULL ? &entries[i] : first;
            count++;
        }
    }
    if (first != NULL && !stage->stage->repeatable) {
        mistakes_add(&reading->mistakes, entries[position].place,
                     "stage `%s` is given twice: in line %zu and in line %zu", stage->stage->name,
                     first->place.line, entries[position].place.line);
    }
    struct buf text = {0};
    buf_add_text(&text, stage->stage->name);
    if (count > 1) {
        buf_addf(&text, ".%zu", count);
    }
    enum status_code code = buf_check(&text, status);
    if (code == STATUS_OK) {
        code = arena_copy_text(&plan->arena, buf_text(&text), text.length, &label, status);
    }
    buf_release(&text);
    stage->label = label;
    return code;
}

/* Fills the options of a known stage and lets it check them. */
static enum status_code read_options(struct plan_reading *reading, size_t position,
                                     const struct entry *entry, struct status *status)
{
    struct plan_stage *stage = &reading->plan->stages[position];
    size_t n_before = reading->mistakes.n;
    void *options = NULL;
    enum status_code code = STATUS_OK;

    TRY(arena_new(&reading->plan->arena, 1, stage->stage->options_size, &options, status));
    TRY(option_read(&reading->reader, stage->stage->options, entry->options, stage->label,
                    entry->place, NULL, options, status));
    stage->options = options;
    /* rules across fields say nothing useful of fields that could not be read */
    if (stage->stage->validate != NULL && reading->mistakes.n == n_before) {
        struct option_report report = {.mistakes = &reading->mistakes,
                                       .node = entry->options,
                                       .place = entry->place,
                                       .path = stage->label};
        stage->stage->validate(options, &report);
    }
done:
    return code;
}

static enum status_code read_entry(struct plan_reading *reading, const struct doc_node *node,
                                   size_t position, struct entry *entries, struct status *status)
{
    struct plan_stage *stage = &reading->plan->stages[position];
    struct entry *entry = &entries[position];
    const char *name = plan_entry_name(node);
    enum status_code code = STATUS_OK;

    entry->place = node->kind == DOC_MAP && node->n == 1 ? node->first->key_place : node->place;
    stage->line = entry->place.line;
    stage->column = entry->place.column;
    stage->position = position;
    if (name == NULL) {
        refuse_entry(reading, node);
        goto done;
    }
    stage->stage = plan_stage_named(reading->registry, name);
    if (stage->stage == NULL) {
        refuse_unknown_stage(reading, name, entry->place);
        goto done;
    }
    entry->known = true;
    entry->options = node->kind == DOC_MAP ? node->first : NULL;
    TRY(label_stage(reading, position, entries, status));
    TRY(read_options(reading, position, entry, status));
done:
    return code;
}

static bool writes(const struct stage *stage, const char *artifact)
{
    for (const struct stage_artifact *a = stage->outputs; a != NULL && a->name != NULL; a++) {
        if (strcmp(a->name, artifact) == 0) {
            return true;
        }
    }
    return false;
}

/* Names the stage that would write the input, where it stands or where it should. */
static void refuse_missing_input(struct plan_reading *reading, size_t position, struct place place,
                                 const char *input)
{
    const struct plan *plan = reading->plan;
    const char *label = plan->stages[position].label;
    for (size_t i = position + 1; i < plan->n_stages; i++) {
        if (plan->stages[i].stage != NULL && writes(plan->stages[i].stage, input)) {
            mistakes_add(&reading->mistakes, place,
                         "stage `%s` needs `%s`, which stage `%s` in line %zu writes: put that one "
                         "above",
                         label, input, plan->stages[i].label, plan->stages[i].line);
            return;
        }
    }
    for (size_t i = 0; reading->registry->stages[i] != NULL; i++) {
        const struct stage *candidate = reading->registry->stages[i];
        if (candidate != plan->stages[position].stage && writes(candidate, input)) {
            mistakes_add(&reading->mistakes, place,
                         "stage `%s` needs `%s`, which no stage above it writes: put stage `%s` "
                         "above",
                         label, input, candidate->name);
            return;
        }
    }
    mistakes_add(&reading->mistakes, place, "stage `%s` needs `%s`, which no stage writes", label,
                 input);
}

/* Below an entry whose stage is unknown nothing is said: that stage may be the writer. */
static void check_inputs(struct plan_reading *reading, const struct entry *entries)
{
    const struct plan *plan = reading->plan;
    for (size_t i = 0; i < plan->n_stages && entries[i].known; i++) {
        for (const struct stage_artifact *input = plan->stages[i].stage->inputs;
             input != NULL && input->name != NULL; input++) {
            if (!input->optional && plan_producer(plan, i, input->name) == SIZE_MAX) {
                refuse_missing_input(reading, i, entries[i].place, input->name);
            }
        }
    }
}

/* What does not work over several ranks. */
static void check_ranks(struct plan_reading *reading, const struct entry *entries)
{
    const struct plan *plan = reading->plan;
    const bool is_sound = reading->mistakes.n == 0;
    for (size_t i = 0; is_sound && plan->rank.n > 1 && i < plan->n_stages; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        struct option_report report = {.mistakes = &reading->mistakes,
                                       .node = entries[i].options,
                                       .place = entries[i].place,
                                       .path = stage->label,
                                       .n_ranks = plan->rank.n};
        if (!stage->stage->works_in_ranks) {
            option_mistake(&report, "",
                           "this stage works in one process, and %zu ranks were asked for: leave "
                           "it out, or run without them",
                           plan->rank.n);
        } else if (stage->stage->refuse_ranks != NULL) {
            stage->stage->refuse_ranks(stage->options, &report);
        }
    }
}

/* Rules across stages say nothing useful of a plan that could not be read. */
static void check_rules(struct plan_reading *reading, const struct entry *entries)
{
    const struct plan *plan = reading->plan;
    const bool is_sound = reading->mistakes.n == 0;
    for (size_t i = 0; is_sound && i < plan->n_stages; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        if (stage->stage->validate_plan != NULL) {
            struct option_report report = {.mistakes = &reading->mistakes,
                                           .node = entries[i].options,
                                           .place = entries[i].place,
                                           .path = stage->label};
            stage->stage->validate_plan(plan, stage, &report);
        }
    }
}

/* The node of `stages`, or NULL with the mistake noted. */
static const struct doc_node *find_list(struct plan_reading *reading)
{
    const struct place start = {.line = 1, .column = 1};
    const struct doc_node *list = doc_find(reading->root, "stages", strlen("stages"));
    if (list == NULL) {
        mistakes_add(&reading->mistakes, start,
                     "required option \"stages\" is missing: the list of stages to run");
        return NULL;
    }
    if (list->kind == DOC_LIST && list->n > 0) {
        return list;
    }
    if (!list->damaged) {
        mistakes_add(&reading->mistakes, list->place,
                     "stages: %s stands where a list of stages is "
                     "meant (`- name: {options}`)",
                     list->kind == DOC_LIST || doc_is_null(list) ? "nothing" : doc_kind_name(list));
    }
    return NULL;
}

enum status_code plan_read_stages(struct plan_reading *reading, struct status *status)
{
    struct plan *plan = reading->plan;
    void *memory = NULL;
    enum status_code code = STATUS_OK;

    const struct doc_node *list = find_list(reading);
    if (list == NULL) {
        goto done;
    }
    TRY(arena_new(reading->arena, list->n, sizeof(struct entry), &memory, status));
    struct entry *entries = memory;
    TRY(arena_new(&plan->arena, list->n, sizeof *plan->stages, &memory, status));
    plan->stages = memory;
    for (const struct doc_node *node = list->first; node != NULL; node = node->next) {
        TRY(read_entry(reading, node, plan->n_stages, entries, status));
        plan->n_stages++;
    }
    check_inputs(reading, entries);
    check_rules(reading, entries);
    check_ranks(reading, entries);
done:
    return code;
}
