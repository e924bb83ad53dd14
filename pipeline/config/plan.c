/* What a plan is asked for once it is made (plan_load.c). */
#include "config/plan.h"

#include "base/mem.h"

#include <math.h>

void plan_free(struct plan *plan)
{
    if (plan != NULL) {
        arena_release(&plan->arena);
        mem_free(plan);
    }
}

size_t plan_producer(const struct plan *plan, size_t position, const char *name)
{
    for (size_t i = position; i > 0; i--) {
        const struct stage *stage = plan->stages[i - 1].stage;
        const struct stage_artifact *output = stage == NULL ? NULL : stage->outputs;
        for (; output != NULL && output->name != NULL; output++) {
            if (strcmp(output->name, name) == 0) {
                return i - 1;
            }
        }
    }
    return SIZE_MAX;
}

const struct plan_stage *plan_find(const struct plan *plan, const char *label)
{
    for (size_t i = 0; i < plan->n_stages; i++) {
        if (strcmp(plan->stages[i].label, label) == 0) {
            return &plan->stages[i];
        }
    }
    return NULL;
}

double plan_stage_number(const struct plan_stage *stage, const char *path)
{
    size_t holder;
    bool is_given;
    const struct option *option =
        option_at(stage->stage->options, stage->options, path, &holder, &is_given);
    return option == NULL ? (double)NAN
                          : option_number(option, (const char *)stage->options + holder);
}

bool plan_has_group(const struct plan *plan, size_t position, const char *output, const char *group)
{
    const size_t producer = plan_producer(plan, position, output);
    return producer != SIZE_MAX && plan_stage_number(&plan->stages[producer], group) == 1;
}
