/* What the parts of reading a plan share; seen by plan*.c only. */
#ifndef NIGHTJAR_CONFIG_PLAN_READING_H
#define NIGHTJAR_CONFIG_PLAN_READING_H

#include "config/option_read.h"
#include "config/plan.h"

struct plan_reading {
    struct plan *plan;
    const struct stage_registry *registry;
    struct doc_node *root; /* the file's top level: a map */
    struct arena *arena;   /* of the document: gone when the plan is made */
    struct mistakes mistakes;
    struct option_reader reader; /* its arena is the plan's */
};

/* Puts the --set texts into the document, so that everything after reads one tree. Mistakes are
 * noted with the text as their origin. */
MUST_CHECK enum status_code plan_override(struct plan_reading *reading,
                                          const char *const *overrides, size_t n_overrides,
                                          struct status *status);
/* Puts the recipe into the document where training is left open (plan_recipe.c). */
MUST_CHECK enum status_code plan_fill_in_recipe(struct plan_reading *reading,
                                                struct status *status);
/* plan->settings, rules across its fields, defaults that depend on other settings. */
MUST_CHECK enum status_code plan_read_settings(struct plan_reading *reading, struct status *status);
/* plan->stages, each stage's own rules, and whether every input has its writer. */
MUST_CHECK enum status_code plan_read_stages(struct plan_reading *reading, struct status *status);

/* The name that an entry of `stages` holds, a text or the only key of a map; NULL: neither. */
const char *plan_entry_name(const struct doc_node *entry);
/* The registered stage, or NULL. */
const struct stage *plan_stage_named(const struct stage_registry *registry, const char *name);

#endif
