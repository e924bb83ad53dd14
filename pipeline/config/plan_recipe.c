/* The recipe: what the stages from pairs to training do where the file leaves the length of
 * training open, be it that `train` has no `epochs` or that they are auto. What the file says
 * stays; what it leaves out is put in here, before --set and before anything is read, so that plan,
 * cache and messages know one configuration. A file with a number of epochs is set by hand, and
 * every default is the option's own. */
#include "config/plan_reading.h"

/* A few strong partners teach the towers more than many weak ones; scoring wants them all. Of a
 * catalogue with no more items than draws every item is a negative. */
static const char recipe[] =
    "pairs:\n"
    "  item_item: {weighting: cosine, top: 5}\n"
    "  evidence: {top: 500}\n"
    "  transitions: {}\n"
    "  ridge: {}\n"
    "negatives: {strategy: uniform, count: auto, alpha: auto, hard: {count: auto}}\n"
    "train:\n"
    "  dimension: auto\n"
    "  loss: auto\n"
    "  temperature: auto\n"
    "  degree_exponent: auto\n"
    "  co_interaction: {weight: auto, share: 0.5, samples: 10}\n"
    "  propagation: {hops: auto}\n"
    "  optimizer: adamw\n"
    "  weight_decay: auto\n"
    "  learning_rate: auto\n"
    "  batch_users: 256\n"
    "  epochs: auto\n";

static const char pairs_name[] = "pairs", pairs_option[] = "item_item";
static const char train_name[] = "train", length_option[] = "epochs";
static const char contrast_option[] = "co_interaction";                  /* needs pairs */
static const char stored_option[] = "stored", offset_option[] = "alpha"; /* not auto beside it */

/* The entry of `stages` that has this name, or NULL. */
static struct doc_node *find_entry(const struct plan_reading *reading, const char *name)
{
    const struct doc_node *list = doc_find(reading->root, "stages", strlen("stages"));
    struct doc_node *entry = list == NULL || list->kind != DOC_LIST ? NULL : list->first;
    for (; entry != NULL; entry = entry->next) {
        const char *found = plan_entry_name(entry);
        if (found != NULL && strcmp(found, name) == 0) {
            return entry;
        }
    }
    return NULL;
}

/* Makes `- name` and `- name:` a map of options; NULL where the file has something else. */
static struct doc_node *options_of(struct doc_node *entry, struct arena *arena,
                                   struct status *status)
{
    void *memory = NULL;
    if (entry->kind == DOC_SCALAR) {
        if (arena_new(arena, 1, sizeof(struct doc_node), &memory, status) != STATUS_OK) {
            return NULL;
        }
        struct doc_node *options = memory;
        *options = (struct doc_node){.text = "", .place = entry->place};
        options->key = entry->text;
        options->key_length = entry->length;
        options->key_place = entry->place;
        entry->kind = DOC_MAP;
        entry->n = 0;
        doc_append(entry, options);
    }
    struct doc_node *options = entry->first;
    if (doc_is_null(options)) {
        options->kind = DOC_MAP;
    }
    return options->kind == DOC_MAP ? options : NULL;
}

/* Whoever finds a mistake in it is told where the stage stands that it belongs to. */
static void put_at(struct doc_node *node, struct place place)
{
    node->place = node->key_place = place;
    for (struct doc_node *child = node->first; child != NULL; child = child->next) {
        put_at(child, place);
    }
}

/* Moves what `options` lacks over from `source`, a map of the recipe. */
static void fill_in(struct doc_node *options, struct doc_node *source, bool has_pairs)
{
    const bool is_stored = doc_find(options, stored_option, strlen(stored_option)) != NULL;
    struct doc_node *next = NULL;
    for (struct doc_node *child = source->first; child != NULL; child = next) {
        next = child->next;
        struct doc_node *own = doc_find(options, child->key, child->key_length);
        if (own != NULL && child->kind == DOC_MAP) {
            if (doc_is_null(own)) {
                own->kind = DOC_MAP;
            }
            if (own->kind == DOC_MAP) {
                fill_in(own, child, has_pairs);
            }
        } else if (own == NULL && (has_pairs || strcmp(child->key, contrast_option) != 0) &&
                   !(is_stored && strcmp(child->key, offset_option) == 0)) {
            child->next = NULL;
            doc_append(options, child);
        }
    }
}

/* Whether the registered stage can leave its length open, and the file does. */
static bool is_open(const struct plan_reading *reading)
{
    const struct stage *train = plan_stage_named(reading->registry, train_name);
    const struct doc_node *entry = find_entry(reading, train_name);
    const size_t length = strlen(length_option);
    const struct option *row =
        train == NULL ? NULL : option_find(train->options, length_option, length);
    if (entry == NULL || row == NULL || row->type != OPTION_AUTO_INT) {
        return false;
    }
    const struct doc_node *given =
        entry->kind == DOC_MAP ? doc_find(entry->first, length_option, length) : NULL;
    return given == NULL || (given->kind == DOC_SCALAR && strcmp(given->text, "auto") == 0);
}

enum status_code plan_fill_in_recipe(struct plan_reading *reading, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct doc_node *root = NULL;
    bool has_pairs = false;
    if (!is_open(reading)) {
        goto done;
    }
    TRY(yaml_doc_parse(recipe, strlen(recipe), NULL, reading->arena, &reading->mistakes, &root,
                       status));
    for (struct doc_node *stage = root->first; stage != NULL; stage = stage->next) {
        struct doc_node *entry = find_entry(reading, stage->key);
        struct doc_node *options = entry == NULL ? NULL : options_of(entry, reading->arena, status);
        TRY(status->code);
        if (options != NULL) {
            put_at(stage, options->key_place);
        }
        const bool are_pairs = strcmp(stage->key, pairs_name) == 0;
        /* of pairs all or nothing: what is left out of a list of kinds is not wanted */
        if (options != NULL && (!are_pairs || options->n == 0)) {
            fill_in(options, stage, has_pairs);
        }
        has_pairs = has_pairs ||
                    (are_pairs && doc_find(options, pairs_option, strlen(pairs_option)) != NULL);
    }
done:
    return code;
}
