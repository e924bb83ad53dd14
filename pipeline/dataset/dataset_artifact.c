/* The artifact "interactions": which array stands under which name, written once and used for
 * saving and loading. */
#include "dataset/dataset.h"

#include "base/mem.h"
#include "dataset/sparse_artifact.h"

#include <assert.h>

static const char *const basis_names[N_BASES] = {"fit", "all"};

/* One array of the artifact and its place in the struct; NULL there means that there is none. */
struct slot {
    char name[ARTIFACT_NAME_MAX];
    enum array_type type;
    size_t rows;
    void *place; /* address of the pointer to the array, whose type only list_slots knows */
};

/* Four arrays of each history, two of each pattern, and of each basis two of the codes, two of the
 * unknown counts and one of the items' counts, of its cold part two and one; what is barred is a
 * pattern each. */
enum { SLOTS_MAX = 2 * 4 + N_BASES * (4 * 4 + 5 + 4 + 6 * 2 + 3) };

struct slots {
    size_t n;
    struct slot slot[SLOTS_MAX];
};

static void add_slot(struct slots *slots, const char *prefix, const char *suffix,
                     enum array_type type, size_t rows, void *address)
{
    assert(slots->n < SLOTS_MAX);
    struct slot *slot = &slots->slot[slots->n++];

    *slot = (struct slot){.type = type, .rows = rows, .place = address};
    snprintf(slot->name, sizeof slot->name, "%s.%s", prefix, suffix);
}

static void add_history(struct slots *slots, const char *prefix, struct history *history)
{
    struct sparse *matrix = &history->matrix;
    size_t entries = sparse_entries(matrix);

    add_slot(slots, prefix, "offsets", ARRAY_I64, matrix->n_rows + 1, &matrix->offsets);
    add_slot(slots, prefix, "columns", ARRAY_I32, entries, &matrix->columns);
    add_slot(slots, prefix, "values", ARRAY_F32, entries, &matrix->values);
    add_slot(slots, prefix, "times", ARRAY_I64, entries, &history->times);
}

static void add_pattern(struct slots *slots, const char *prefix, struct sparse *matrix)
{
    add_slot(slots, prefix, "offsets", ARRAY_I64, matrix->n_rows + 1, &matrix->offsets);
    add_slot(slots, prefix, "columns", ARRAY_I32, sparse_entries(matrix), &matrix->columns);
}

static void list_cold(struct cold_part *cold, const char *basis, struct slots *slots)
{
    char prefix[32];

    snprintf(prefix, sizeof prefix, "%s.cold", basis);
    add_slot(slots, prefix, "users", ARRAY_I32, cold->n_users, &cold->users);
    add_slot(slots, prefix, "unknown", ARRAY_I32, cold->n_users, &cold->unknown);
    add_slot(slots, prefix, "items", ARRAY_I32, cold->n_items, &cold->items);
    snprintf(prefix, sizeof prefix, "%s.cold.history", basis);
    add_history(slots, prefix, &cold->history);
    snprintf(prefix, sizeof prefix, "%s.cold.held_out", basis);
    add_pattern(slots, prefix, &cold->held_out);
    snprintf(prefix, sizeof prefix, "%s.cold.barred", basis);
    add_pattern(slots, prefix, &cold->barred);
    snprintf(prefix, sizeof prefix, "%s.cold.item_held_out", basis);
    add_pattern(slots, prefix, &cold->item_held_out);
    snprintf(prefix, sizeof prefix, "%s.cold.item_seen", basis);
    add_pattern(slots, prefix, &cold->item_seen);
}

static void list_slots(struct interactions *interactions, struct slots *slots)
{
    slots->n = 0;
    add_history(slots, "log", &interactions->log);
    add_history(slots, "disliked", &interactions->disliked);
    for (size_t b = 0; b < N_BASES; b++) {
        struct dataset *set = &interactions->basis[b];
        char prefix[32];
        add_slot(slots, basis_names[b], "users", ARRAY_I32, set->n_users, &set->users);
        add_slot(slots, basis_names[b], "items", ARRAY_I32, set->n_items, &set->items);
        snprintf(prefix, sizeof prefix, "%s.totals", basis_names[b]);
        add_slot(slots, prefix, "counts", ARRAY_I64, set->n_items, &set->totals.counts);
        snprintf(prefix, sizeof prefix, "%s.train", basis_names[b]);
        add_history(slots, prefix, &set->train);
        snprintf(prefix, sizeof prefix, "%s.dislikes", basis_names[b]);
        add_history(slots, prefix, &set->dislikes);
        snprintf(prefix, sizeof prefix, "%s.valid", basis_names[b]);
        add_history(slots, prefix, &set->valid);
        add_slot(slots, prefix, "unknown", ARRAY_I32, set->n_users, &set->valid_unknown);
        snprintf(prefix, sizeof prefix, "%s.test", basis_names[b]);
        add_history(slots, prefix, &set->test);
        add_slot(slots, prefix, "unknown", ARRAY_I32, set->n_users, &set->test_unknown);
        snprintf(prefix, sizeof prefix, "%s.valid.barred", basis_names[b]);
        add_pattern(slots, prefix, &set->valid_barred);
        snprintf(prefix, sizeof prefix, "%s.test.barred", basis_names[b]);
        add_pattern(slots, prefix, &set->test_barred);
        list_cold(&set->cold, basis_names[b], slots);
    }
}

/* A number of the artifact that the arrays do not say. */
struct fact {
    const char *name;
    double value;
};

enum { N_FACTS = 11, N_FACTS_ALWAYS = 9 }; /* the others came later */

static void list_facts(const struct interactions *interactions, struct fact facts[N_FACTS])
{
    const struct dataset *fit = &interactions->basis[BASIS_FIT];
    const struct dataset *all = &interactions->basis[BASIS_ALL];
    const struct fact list[N_FACTS] = {
        {"has_times", interactions->has_times ? 1 : 0},
        {"test_is_given", interactions->test_is_given ? 1 : 0},
        {"newest_time", (double)interactions->newest_time},
        {"n_rows", (double)interactions->n_rows},
        {"n_rejected", (double)interactions->n_rejected},
        {"fit.valid.unknown_users", (double)fit->valid_unknown_users},
        {"fit.test.unknown_users", (double)fit->test_unknown_users},
        {"all.valid.unknown_users", (double)all->valid_unknown_users},
        {"all.test.unknown_users", (double)all->test_unknown_users},
        {"repeats", fit->repeats ? 1 : 0},
        {"fit.valid.is_random", fit->valid_is_random ? 1 : 0}};

    memcpy(facts, list, sizeof list);
}

static void apply_facts(struct interactions *interactions, const struct fact facts[N_FACTS])
{
    interactions->has_times = facts[0].value != 0;
    interactions->test_is_given = facts[1].value != 0;
    interactions->newest_time = (int64_t)facts[2].value;
    interactions->n_rows = (int64_t)facts[3].value;
    interactions->n_rejected = (int64_t)facts[4].value;
    interactions->basis[BASIS_FIT].valid_unknown_users = (size_t)facts[5].value;
    interactions->basis[BASIS_FIT].test_unknown_users = (size_t)facts[6].value;
    interactions->basis[BASIS_ALL].valid_unknown_users = (size_t)facts[7].value;
    interactions->basis[BASIS_ALL].test_unknown_users = (size_t)facts[8].value;
    for (size_t b = 0; b < N_BASES; b++) {
        interactions->basis[b].repeats = facts[9].value != 0;
    }
    interactions->basis[BASIS_FIT].valid_is_random = facts[10].value != 0;
}

enum status_code interactions_save(struct interactions *interactions, struct artifact *artifact,
                                   struct status *status)
{
    assert(!interactions->is_view);
    enum status_code code = STATUS_OK;
    struct fact facts[N_FACTS];
    struct slots slots;
    size_t n_moved = 0;

    list_slots(interactions, &slots);
    list_facts(interactions, facts);
    TRY(seen_pairs_save(&interactions->seen, artifact, "seen", status));
    TRY(vocabulary_save(&interactions->users, artifact, "users", status));
    TRY(vocabulary_save(&interactions->items, artifact, "items", status));
    for (size_t b = 0; b < N_BASES; b++) {
        TRY(dataset_totals_save(&interactions->basis[b].totals, artifact, basis_names[b], status));
    }
    if (interactions->n_all_users > 0) {
        TRY(artifact_set_number(artifact, "n_all_users", (double)interactions->n_all_users,
                                status));
    }
    for (size_t i = 0; i < N_FACTS; i++) {
        TRY(artifact_set_number(artifact, facts[i].name, facts[i].value, status));
    }
    for (size_t i = 0; i < slots.n; i++) {
        const struct slot *slot = &slots.slot[i];
        n_moved = i + 1; /* moved also when taking fails */
        void *data = mem_pointer_at(slot->place);
        if (data != NULL) {
            TRY(artifact_take(artifact, slot->name, slot->type, slot->rows, 1, data, status));
        }
    }
    interactions->is_view = true;
done:
    if (code != STATUS_OK) {
        for (size_t i = 0; i < n_moved; i++) {
            mem_set_pointer(slots.slot[i].place, NULL);
        }
        interactions->seen.pairs = (struct sparse){0}; /* the artifact's */
        interactions_release(interactions);
    }
    return code;
}

static size_t slot_rows(const struct slots *slots, const void *address)
{
    for (size_t i = 0; i < slots->n; i++) {
        if (slots->slot[i].place == address) {
            return slots->slot[i].rows;
        }
    }
    assert(false);
    return 0;
}

/* Extents follow from the lengths of the arrays; they must fit together, and what is in them. */
static bool shape_pattern(const struct slots *slots, struct sparse *matrix, size_t n_columns)
{
    const size_t n_offsets = slot_rows(slots, &matrix->offsets);
    const size_t n_entries = slot_rows(slots, &matrix->columns);

    matrix->n_rows = n_offsets == 0 ? 0 : n_offsets - 1;
    matrix->n_columns = n_offsets == 0 ? 0 : n_columns;
    return sparse_is_sound(matrix, n_entries);
}

/* There for each of n, or not at all. */
static bool is_whole(const struct slots *slots, const void *address, const void *array, size_t n)
{
    return array == NULL || slot_rows(slots, address) == n;
}

static bool shape_history(const struct slots *slots, struct history *history, size_t n_columns)
{
    struct sparse *matrix = &history->matrix;
    const size_t n = slot_rows(slots, &matrix->columns);

    return shape_pattern(slots, matrix, n_columns) &&
           is_whole(slots, &matrix->values, matrix->values, n) &&
           is_whole(slots, &history->times, history->times, n);
}

static bool has_rows(const struct sparse *matrix, size_t n)
{
    return matrix->n_rows == 0 || matrix->n_rows == n;
}

static bool shape_cold(const struct slots *slots, struct dataset *set, size_t n_users,
                       size_t n_items)
{
    struct cold_part *cold = &set->cold;

    cold->n_users = slot_rows(slots, &cold->users);
    cold->n_items = slot_rows(slots, &cold->items);
    return shape_history(slots, &cold->history, set->n_items) &&
           shape_pattern(slots, &cold->held_out, set->n_items) &&
           shape_pattern(slots, &cold->barred, set->n_items) &&
           shape_pattern(slots, &cold->item_held_out, cold->n_items) &&
           shape_pattern(slots, &cold->item_seen, cold->n_items) &&
           codes_are_sound(cold->users, cold->n_users, n_users) &&
           codes_are_sound(cold->items, cold->n_items, n_items) &&
           is_whole(slots, &cold->unknown, cold->unknown, cold->n_users) &&
           has_rows(&cold->history.matrix, cold->n_users) &&
           has_rows(&cold->held_out, cold->n_users) && has_rows(&cold->barred, cold->n_users) &&
           has_rows(&cold->item_held_out, set->n_users) && has_rows(&cold->item_seen, set->n_users);
}

static bool shape_dataset(const struct slots *slots, struct dataset *set, size_t n_users,
                          size_t n_items)
{
    set->n_users = slot_rows(slots, &set->users);
    set->n_items = slot_rows(slots, &set->items);
    return codes_are_sound(set->users, set->n_users, n_users) &&
           codes_are_sound(set->items, set->n_items, n_items) &&
           shape_history(slots, &set->train, set->n_items) &&
           shape_history(slots, &set->dislikes, set->n_items) &&
           shape_history(slots, &set->valid, set->n_items) &&
           shape_history(slots, &set->test, set->n_items) &&
           shape_pattern(slots, &set->valid_barred, set->n_items) &&
           shape_pattern(slots, &set->test_barred, set->n_items) &&
           has_rows(&set->valid_barred, set->n_users) &&
           has_rows(&set->test_barred, set->n_users) &&
           has_rows(&set->train.matrix, set->n_users) &&
           has_rows(&set->dislikes.matrix, set->n_users) &&
           has_rows(&set->valid.matrix, set->n_users) &&
           has_rows(&set->test.matrix, set->n_users) &&
           is_whole(slots, &set->valid_unknown, set->valid_unknown, set->n_users) &&
           is_whole(slots, &set->test_unknown, set->test_unknown, set->n_users) &&
           is_whole(slots, &set->totals.counts, set->totals.counts, set->n_items) &&
           shape_cold(slots, set, n_users, n_items);
}

static bool shape_all(const struct slots *slots, struct interactions *interactions)
{
    const size_t n_users = interactions->users.n, n_items = interactions->items.n;
    bool fits = shape_history(slots, &interactions->log, n_items) &&
                shape_history(slots, &interactions->disliked, n_items) &&
                has_rows(&interactions->log.matrix, n_users) &&
                has_rows(&interactions->disliked.matrix, n_users);

    for (size_t b = 0; b < N_BASES; b++) {
        fits = fits && shape_dataset(slots, &interactions->basis[b], n_users, n_items);
    }
    return fits;
}

enum status_code interactions_load(struct interactions *interactions,
                                   const struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct interactions view = {.is_view = true};
    struct fact facts[N_FACTS];
    double n_all_users;
    struct slots slots;

    list_slots(&view, &slots);
    list_facts(&view, facts);
    TRY(vocabulary_load(&view.users, artifact, "users", status));
    TRY(vocabulary_load(&view.items, artifact, "items", status));
    TRY(seen_pairs_load(&view.seen, artifact, "seen", status));
    for (size_t b = 0; b < N_BASES; b++) {
        TRY(dataset_totals_load(&view.basis[b].totals, artifact, basis_names[b], status));
    }
    if (artifact_find(artifact, "n_all_users") != NULL) {
        TRY(artifact_get_number(artifact, "n_all_users", &n_all_users, status));
        view.n_all_users = (int64_t)n_all_users;
    }
    for (size_t i = 0; i < N_FACTS; i++) { /* of an earlier version's artifact some are missing */
        if (i < N_FACTS_ALWAYS || artifact_find(artifact, facts[i].name) != NULL) {
            TRY(artifact_get_number(artifact, facts[i].name, &facts[i].value, status));
        }
    }
    for (size_t i = 0; i < slots.n; i++) {
        struct slot *slot = &slots.slot[i];
        slot->rows = 0;
        if (artifact_find(artifact, slot->name) != NULL) {
            const void *data = NULL;
            TRY(artifact_get(artifact, slot->name, slot->type, &data, &slot->rows, NULL, status));
            mem_set_pointer(slot->place, data); /* a view: nobody writes through it */
        }
    }
    apply_facts(&view, facts);
    if (!shape_all(&slots, &view)) {
        TRY(artifact_misfit(artifact, "users, items, log, fit, all", "they do not fit together",
                            status));
    }
    *interactions = view;
done:
    return code;
}

enum status_code seen_pairs_save(struct seen_pairs *seen, struct artifact *artifact,
                                 const char *prefix, struct status *status)
{
    enum status_code code = STATUS_OK;
    char name[ARTIFACT_NAME_MAX];

    if (seen->pairs.n_rows == 0) {
        return code;
    }
    snprintf(name, sizeof name, "%s.pairs", prefix);
    TRY(sparse_save(&seen->pairs, artifact, name, status));
    snprintf(name, sizeof name, "%s.users", prefix);
    TRY(vocabulary_save(&seen->users, artifact, name, status));
    snprintf(name, sizeof name, "%s.items", prefix);
    TRY(vocabulary_save(&seen->items, artifact, name, status));
done:
    if (code != STATUS_OK) { /* they are the artifact's, or gone */
        seen->pairs = (struct sparse){0};
    }
    return code;
}

enum status_code seen_pairs_load(struct seen_pairs *seen, const struct artifact *artifact,
                                 const char *prefix, struct status *status)
{
    enum status_code code = STATUS_OK;
    char name[ARTIFACT_NAME_MAX];
    bool found = false;

    snprintf(name, sizeof name, "%s.pairs", prefix);
    TRY(sparse_load(&seen->pairs, artifact, name, &found, status));
    if (found) {
        snprintf(name, sizeof name, "%s.users", prefix);
        TRY(vocabulary_load(&seen->users, artifact, name, status));
        snprintf(name, sizeof name, "%s.items", prefix);
        TRY(vocabulary_load(&seen->items, artifact, name, status));
        if (seen->pairs.n_rows != seen->users.n || seen->pairs.n_columns != seen->items.n) {
            code = status_set(status, STATUS_DATA,
                              "artifact %s: what was seen does not fit together; the work database "
                              "is damaged or of another version: delete it and run again",
                              artifact->name);
        }
    }
done:
    return code;
}
