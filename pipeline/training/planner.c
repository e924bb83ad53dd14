/* What is drawn for a step, and for an anchor. */
#include "training/planner.h"

#include <string.h>

static const struct token_source *hiding_source(const struct tower *tower)
{
    for (size_t p = 0; p < tower->n_parts; p++) {
        const struct token_source *source = tower->parts[p].source;
        if (source->is_history && source->hide > 0.0) {
            return source;
        }
    }
    return NULL;
}

enum status_code planner_init(struct planner *planner, const struct trainer_input *input,
                              const struct tower *user_tower, size_t n_items, struct status *status)
{
    const struct trainer_settings *settings = input->settings;
    const struct negative_settings *negatives = input->negatives;
    /* the other denominators leave own positives out by definition */
    bool has_denominators = (loss_table[settings->loss].uses & LOSS_USES_DENOMINATORS) != 0;
    *planner = (struct planner){
        .input = input,
        .hiding = hiding_source(user_tower),
        .own_lists = !negatives->shared || input->stored_negatives != NULL,
        .exclude_own =
            negatives->exclude_own ||
            (has_denominators && settings->loss_settings.denominators != DENOMINATORS_INFONCE),
    };
    return sampler_init(&planner->sampler, negatives, input->item_counts, n_items, status);
}

void planner_release(struct planner *planner)
{
    sampler_release(&planner->sampler);
    workspace_release(&planner->workspace);
}

struct drawn_list planner_draw(struct planner *planner, struct rng *rng)
{
    size_t n = planner->input->negatives->count;
    sampler_draw_each(&planner->sampler, rng, n, planner->draw_items, planner->draw_offsets);
    return (struct drawn_list){n, planner->draw_items, planner->draw_offsets};
}

bool planner_takes_positives(const struct planner *planner)
{
    const enum negative_strategy strategy = planner->sampler.settings.strategy;
    return !planner->own_lists && (strategy == NEGATIVES_IN_BATCH || strategy == NEGATIVES_MIXED ||
                                   strategy == NEGATIVES_QUEUE);
}

enum status_code planner_own_positives(struct planner *planner, const struct train_step *step,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *train = &planner->input->train->matrix;
    const struct negative_settings *negatives = planner->input->negatives;
    size_t total = 0, draws = negatives->hard.count;
    draws = planner->own_lists && negatives->count > draws ? negatives->count : draws;
    for (size_t i = 0; i < step->n_users; i++) {
        total += sparse_row_length(train, (size_t)step->users[i]);
    }
    workspace_begin(&planner->workspace);
    WORKSPACE_ADD(&planner->workspace, &planner->positives, total);
    WORKSPACE_ADD(&planner->workspace, &planner->draw_items, draws);
    WORKSPACE_ADD(&planner->workspace, &planner->draw_offsets, draws);
    TRY(workspace_reserve(&planner->workspace, status));
    int32_t *out = planner->positives;
    for (size_t i = 0; i < step->n_users; i++) {
        size_t length = sparse_row_length(train, (size_t)step->users[i]);
        memcpy(out, train->columns + train->offsets[step->users[i]], length * sizeof *out);
        out += length;
    }
    planner->n_positives = total;
done:
    return code;
}
