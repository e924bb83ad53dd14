/* Folding new rows, and the arrays "news.*". How they are merged is delta_merge.c's business. */
#include "catch_up/delta.h"

#include "base/mem.h"
#include "events/dataset_build.h"
#include "events/dislikes.h"

#include <assert.h>

enum status_code delta_build(struct extraction *extraction, const struct dataset_rules *rules,
                             struct delta *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct event_log *log = &extraction->log, *dislikes = &extraction->dislikes;
    struct event_log *seen = &extraction->seen;
    struct delta made = {.rules = *rules,
                         .has_times = log->has_times,
                         .n_rows = extraction->report.n_rows,
                         .n_rejected = extraction->report.n_rejected,
                         .n_events = log->n,
                         .n_dislikes = dislikes->n,
                         .n_seen = seen->n};
    bool found = false;

    if (log->users.type == ID_NONE) { /* dislikes alone */
        log->users.type = dislikes->users.type;
        log->items.type = dislikes->items.type;
    }
    TRY(dislikes_add_ids(dislikes, log, status));
    TRY(event_log_sort(log, rules->duplicates, status));
    TRY(event_log_fold(log, PART_LOG, rules->duplicates, rules->half_life, &made.log, status));
    if (dislikes->n > 0) {
        dislikes->has_times = log->has_times;
        TRY(event_log_sort(dislikes, DUPLICATES_LAST, status));
        TRY(dislikes_fold(dislikes, PART_LOG, &log->users, &log->items, &made.disliked, status));
    }
    if (seen->n > 0) {
        seen->has_times = log->has_times;
        TRY(event_log_sort(seen, DUPLICATES_MAX, status));
        TRY(seen_pairs_fold(seen, &made.seen, status));
    }
    made.newest = log->has_times ? event_log_newest(log, PART_LOG, &found) : 0;
    if (log->has_times) {
        made.events = (struct new_events){
            .n = log->n, .users = log->user_codes, .items = log->item_codes, .times = log->times};
        log->user_codes = log->item_codes = NULL;
        log->times = NULL;
        log->n = log->capacity = 0;
    }
    made.users = log->users;
    made.items = log->items;
    log->users = log->items = (struct vocabulary){0};
    *out = made;
    made = (struct delta){0};
done:
    delta_release(&made);
    return code;
}

/* ---- the arrays ---- */

/* One array of the artifact and its place; its type is known to list_slots alone. */
struct slot {
    const char *name;
    enum array_type type;
    size_t rows;
    void *place; /* address of the pointer to the array */
};

enum { N_SLOTS = 12 };

static void list_slots(struct delta *delta, struct slot out[N_SLOTS])
{
    struct sparse *log = &delta->log.matrix, *disliked = &delta->disliked.matrix;
    const size_t n_disliked = sparse_entries(disliked);
    const struct slot slots[N_SLOTS] = {
        {"news.log.offsets", ARRAY_I64, log->n_rows + 1, &log->offsets},
        {"news.log.columns", ARRAY_I32, sparse_entries(log), &log->columns},
        {"news.log.values", ARRAY_F32, sparse_entries(log), &log->values},
        {"news.log.times", ARRAY_I64, sparse_entries(log), &delta->log.times},
        {"news.disliked.offsets", ARRAY_I64, disliked->n_rows + 1, &disliked->offsets},
        {"news.disliked.columns", ARRAY_I32, n_disliked, &disliked->columns},
        {"news.disliked.times", ARRAY_I64, n_disliked, &delta->disliked.times},
        {"news.core.users", ARRAY_I32, delta->n_core_users, &delta->core_users},
        {"news.core.items", ARRAY_I32, delta->n_core_items, &delta->core_items},
        {"news.events.users", ARRAY_I32, delta->events.n, &delta->events.users},
        {"news.events.items", ARRAY_I32, delta->events.n, &delta->events.items},
        {"news.events.times", ARRAY_I64, delta->events.n, &delta->events.times}};

    memcpy(out, slots, sizeof slots);
}

struct fact {
    const char *name;
    double value;
};

enum { N_FACTS = 13 };

static void list_facts(const struct delta *delta, struct fact out[N_FACTS])
{
    const struct dataset_rules *rules = &delta->rules;
    const struct fact facts[N_FACTS] = {
        {"news.has_times", delta->has_times ? 1 : 0},
        {"news.newest", (double)delta->newest},
        {"news.n_rows", (double)delta->n_rows},
        {"news.n_rejected", (double)delta->n_rejected},
        {"news.n_events", (double)delta->n_events},
        {"news.n_dislikes", (double)delta->n_dislikes},
        {"news.duplicates", (double)rules->duplicates},
        {"news.half_life", rules->half_life},
        {"news.min_user_interactions", (double)rules->min_user_interactions},
        {"news.min_item_interactions", (double)rules->min_item_interactions},
        {"news.max_user_interactions", (double)rules->max_user_interactions},
        {"news.n_pairs", (double)delta->n_pairs},
        {"news.n_seen", (double)delta->n_seen}};

    memcpy(out, facts, sizeof facts);
}

static void apply_facts(struct delta *delta, const struct fact facts[N_FACTS])
{
    delta->has_times = facts[0].value != 0;
    delta->newest = (int64_t)facts[1].value;
    delta->n_rows = (int64_t)facts[2].value;
    delta->n_rejected = (int64_t)facts[3].value;
    delta->n_events = (size_t)facts[4].value;
    delta->n_dislikes = (size_t)facts[5].value;
    delta->rules = (struct dataset_rules){.duplicates = (enum duplicate_policy)facts[6].value,
                                          .half_life = facts[7].value,
                                          .min_user_interactions = (int64_t)facts[8].value,
                                          .min_item_interactions = (int64_t)facts[9].value,
                                          .max_user_interactions = (int64_t)facts[10].value};
    delta->n_pairs = (size_t)facts[11].value;
    delta->n_seen = (size_t)facts[12].value;
}

enum status_code delta_save(struct delta *delta, struct artifact *artifact, struct status *status)
{
    assert(!delta->is_view);
    enum status_code code = STATUS_OK;
    struct slot slots[N_SLOTS];
    struct fact facts[N_FACTS];
    size_t n_moved = 0;

    list_slots(delta, slots);
    list_facts(delta, facts);
    TRY(seen_pairs_save(&delta->seen, artifact, "news.seen", status));
    TRY(vocabulary_save(&delta->users, artifact, "news.users", status));
    TRY(vocabulary_save(&delta->items, artifact, "news.items", status));
    for (size_t i = 0; i < N_FACTS; i++) {
        TRY(artifact_set_number(artifact, facts[i].name, facts[i].value, status));
    }
    for (size_t i = 0; i < N_SLOTS; i++) {
        void *data = mem_pointer_at(slots[i].place);
        n_moved = i + 1; /* moved also when taking fails */
        if (data != NULL) {
            TRY(artifact_take(artifact, slots[i].name, slots[i].type, slots[i].rows, 1, data,
                              status));
        }
    }
    delta->is_view = true;
done:
    if (code != STATUS_OK) {
        delta->seen.pairs = (struct sparse){0}; /* the artifact's, or gone */
    }
    for (size_t i = 0; code != STATUS_OK && i < n_moved; i++) {
        mem_set_pointer(slots[i].place, NULL);
    }
    return code;
}

enum status_code delta_load(struct delta *delta, const struct artifact *artifact, bool *found,
                            struct status *status)
{
    enum status_code code = STATUS_OK;
    struct delta view = {.is_view = true};
    struct slot slots[N_SLOTS];
    struct fact facts[N_FACTS];

    *found = artifact_find(artifact, "news.log.offsets") != NULL;
    if (!*found) {
        goto done;
    }
    list_slots(&view, slots);
    list_facts(&view, facts);
    TRY(vocabulary_load(&view.users, artifact, "news.users", status));
    TRY(vocabulary_load(&view.items, artifact, "news.items", status));
    TRY(seen_pairs_load(&view.seen, artifact, "news.seen", status));
    for (size_t i = 0; i < N_FACTS; i++) {
        TRY(artifact_get_number(artifact, facts[i].name, &facts[i].value, status));
    }
    for (size_t i = 0; i < N_SLOTS; i++) {
        slots[i].rows = 0;
        if (artifact_find(artifact, slots[i].name) != NULL) {
            const void *data = NULL;
            TRY(artifact_get(artifact, slots[i].name, slots[i].type, &data, &slots[i].rows, NULL,
                             status));
            mem_set_pointer(slots[i].place, data); /* a view: nobody writes through it */
        }
    }
    apply_facts(&view, facts);
    view.log.matrix.n_rows = slots[0].rows > 0 ? slots[0].rows - 1 : 0;
    view.disliked.matrix.n_rows = slots[4].rows > 0 ? slots[4].rows - 1 : 0;
    view.log.matrix.n_columns = view.disliked.matrix.n_columns = view.items.n;
    view.n_core_users = slots[7].rows;
    view.n_core_items = slots[8].rows;
    view.events.n = slots[9].rows;
    view.events.is_view = true;
    if (!sparse_is_sound(&view.log.matrix, slots[1].rows) || slots[2].rows != slots[1].rows ||
        slots[3].rows != slots[1].rows || view.log.matrix.n_rows != view.users.n ||
        !sparse_is_sound(&view.disliked.matrix, slots[5].rows) || slots[6].rows != slots[5].rows ||
        (slots[4].rows > 0 && view.disliked.matrix.n_rows != view.users.n) ||
        !codes_are_sound(view.core_users, view.n_core_users, SIZE_MAX) ||
        !codes_are_sound(view.core_items, view.n_core_items, SIZE_MAX) ||
        slots[10].rows != slots[9].rows || slots[11].rows != slots[9].rows ||
        !event_pairs_ascend(view.events.users, view.events.items, view.events.n, view.users.n,
                            view.items.n)) {
        TRY(artifact_misfit(artifact, "news", "its arrays do not fit together", status));
    }
    *delta = view;
done:
    return code;
}

void delta_release(struct delta *delta)
{
    vocabulary_release(&delta->users);
    vocabulary_release(&delta->items);
    if (delta->is_view) {
        delta->seen.pairs = (struct sparse){0};
    }
    seen_pairs_release(&delta->seen);
    if (!delta->is_view) {
        new_events_release(&delta->events);
        history_release(&delta->log);
        history_release(&delta->disliked);
        mem_free((void *)delta->core_users);
        mem_free((void *)delta->core_items);
    }
    *delta = (struct delta){0};
}
