/* Making the plan of a step: its candidates, then the entries of its contrasts. */
#include "training/step_plan.h"

enum status_code step_plan_init(struct step_plan *plan, const struct planner *planner,
                                struct status *status)
{
    return candidate_set_init(&plan->candidates, &planner->sampler, status);
}

void step_plan_release(struct step_plan *plan)
{
    candidate_set_release(&plan->candidates);
    contrast_entries_release(&plan->user_items);
    contrast_entries_release(&plan->item_pairs);
}

enum status_code step_plan_make(struct step_plan *plan, struct planner *planner,
                                const struct train_step *step, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = planner->input;
    struct rng rng;
    planner->plan = plan;
    planner->step = step;
    plan->view = (struct view){.training = true,
                               .seed = input->seed,
                               .epoch = step->epoch,
                               .step = step->number,
                               .change = VIEW_NONE};
    rng_init(&rng, input->seed, "train.shared", step->epoch, step->number);
    if (planner->own_lists) {
        candidate_set_clear(&plan->candidates);
    } else {
        candidate_set_draw(&plan->candidates, &planner->sampler, &rng, planner->positives,
                           planner->n_positives);
    }
    TRY(planner_add_user_items(planner, status));
    TRY(planner_add_pairs(planner, status));
done:
    planner->plan = NULL;
    planner->step = NULL;
    return code;
}
