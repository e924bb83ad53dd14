/* pairs: the positives. User-item positives with their weights; item-item pairs of co-interaction,
 * which `train` contrasts; the evidence, a longer list of such pairs that serves scoring; the
 * transitions, what followed what; and ridge, the pairs that regressions learn. All are made for
 * both bases. The counting is done in pairs/item_pairs.c, pairs/transitions.c and pairs/ridge.c;
 * who uses the pairs how is not known here. */
#include "base/mem.h"
#include "evaluation/ridge_choice.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"
#include "pairs/pairs_options.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/source_log.h"
#include "stages/pairs/pair_tables.h"

#include <math.h>

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "pairs", .help = "weights of the user-item positives, item-item pairs"},
    {.name = "evidence", .help = "item-item pairs for scoring"},
    {.name = "transitions", .help = "what followed what, for scoring", .optional = true},
    {.name = "ridge", .help = "learned item-item evidence, for scoring", .optional = true},
    {.name = NULL},
};

/* ---- artifacts ---- */

/* No array where every positive weighs 1. */
static enum status_code add_positives(const struct user_item_options *o,
                                      const struct dataset *dataset, const char *slot,
                                      struct artifact *artifact, struct status *status)
{
    const struct sparse *train = &dataset->train.matrix;
    const size_t n = sparse_entries(train);
    float *weights = NULL;
    enum status_code code = STATUS_OK;
    if (o->weights == POSITIVES_ONE || train->values == NULL) {
        return STATUS_OK;
    }
    TRY(MEM_NEW(&weights, n, status));
    pairs_weigh_positives((enum positive_weights)o->weights, train->values, n, weights);
    TRY(artifact_take(artifact, slot, ARRAY_F32, n, 1, weights, status));
done:
    return code;
}

/* In percent: nobody counts in additions. */
static void show_percent(void *data, double done, double total)
{
    progress_update(context_progress(data), 100 * done / fmax(total, 1), NULL);
}

/* A basis of the interactions, and whose it is. */
struct basis_users {
    const struct dataset *dataset;
    struct crowd crowd;
};

static enum status_code add_product(struct context *context, const struct basis_users *users,
                                    struct pair_settings *settings, const char *slot,
                                    struct artifact *artifact, struct status *status)
{
    struct sparse product = {0};
    enum status_code code = STATUS_OK;
    settings->crowd = users->crowd;
    settings->watch = context_watch(context);
    settings->watch.progress = show_percent;
    progress_start(context_progress(context), slot, "%", 100);
    code =
        pairs_item_item(&users->dataset->train, settings, context_pool(context), &product, status);
    progress_finish(context_progress(context));
    return code == STATUS_OK ? sparse_save(&product, artifact, slot, status) : code;
}

static struct pair_settings item_item_settings(const struct item_item_options *o)
{
    return (struct pair_settings){
        .window = o->window > 0      ? PAIR_TIME_GAP
                  : o->positions > 0 ? PAIR_POSITIONS
                                     : PAIR_WHOLE_HISTORY,
        .max_gap = (int64_t)o->window,
        .max_positions = o->positions,
        .weighting = o->weighting,
        .min_count = (double)o->min_count,
        .top = o->top,
        .max_user_items = o->max_user_items,
    };
}

static enum status_code add_transitions(struct context *context, const struct basis_users *users,
                                        const struct transition_settings *o, const char *slot,
                                        struct artifact *artifact, struct status *status)
{
    struct transition_settings settings = *o;
    struct sparse product = {0};
    enum status_code code = STATUS_OK;
    settings.crowd = users->crowd;
    settings.watch = context_watch(context);
    settings.watch.progress = show_percent;
    progress_start(context_progress(context), slot, "%", 100);
    code = transitions_count(&users->dataset->train, &settings, context_pool(context), &product,
                             status);
    progress_finish(context_progress(context));
    return code == STATUS_OK ? sparse_save(&product, artifact, slot, status) : code;
}

/* The regressions of one basis. What is to be chosen is chosen, and left in the settings. */
static enum status_code add_ridge(struct context *context, const struct basis_users *users,
                                  struct ridge_settings *settings, const char *slot,
                                  struct artifact *artifact, struct status *status)
{
    struct ridge ridge = {0};
    struct sparse product = {0};
    struct ridge_choice choice = {0};
    enum status_code code = STATUS_OK;
    settings->crowd = users->crowd;
    if (isnan(settings->half_life)) {
        TRY(ridge_choose_half_life(users->dataset, settings, context_seed(context),
                                   context_pool(context), &settings->half_life, status));
    }
    progress_start(context_progress(context), slot, "%", 100);
    code = ridge_init(&ridge, &users->dataset->train, settings, context_pool(context), status);
    progress_finish(context_progress(context));
    TRY(code);
    if (settings->n_strengths > 1) {
        TRY(ridge_choose(&ridge, users->dataset, &users->crowd, context_seed(context),
                         &settings->watch, context_pool(context), &choice, status));
        char judged[96] = "for want of a validation part with something new to its users";
        if (choice.n_users > 0) {
            (void)snprintf(judged, sizeof judged,
                           "ndcg@20 %.5f by itself, on %zu users of the validation part",
                           choice.value, choice.n_users);
        }
        log_write(context_log(context), LOG_INFO,
                  "pairs: ridge with strength %g, half-life %g days (0: of all time): %s",
                  settings->strengths[choice.strength], settings->half_life, judged);
    }
    TRY(ridge_pairs(&ridge, choice.strength, &product, status));
    TRY(sparse_save(&product, artifact, slot, status));
    settings->strengths += choice.strength;
    settings->n_strengths = 1;
done:
    ridge_release(&ridge);
    return code;
}

static enum status_code make_products(struct context *context, const struct pairs_options *o,
                                      const struct interactions *interactions,
                                      struct pair_products *products, struct status *status)
{
    struct pair_settings item_item = item_item_settings(&o->item_item);
    struct pair_settings scoring = {
        .window = PAIR_WHOLE_HISTORY,
        .weighting = o->evidence.weighting,
        .min_count = 1,
        .top = o->evidence.top,
        .max_user_items = o->evidence.max_user_items,
    };
    const bool is_auto = isnan(o->ridge.strength);
    struct ridge_settings ridge = {.partners = o->ridge.partners,
                                   .max_user_items = o->ridge.max_user_items,
                                   .strengths =
                                       is_auto ? pairs_ridge_strengths : &o->ridge.strength,
                                   .n_strengths = is_auto ? N_RIDGE_STRENGTHS : 1,
                                   .half_life = o->ridge.half_life,
                                   .watch = context_watch(context)};
    enum status_code code = STATUS_OK;
    ridge.watch.progress = show_percent;
    for (size_t b = 0; b < N_BASES; b++) {
        const struct dataset *dataset = &interactions->basis[b];
        const struct basis_users users = {dataset,
                                          crowd_of(context_ranks(context), interactions, dataset)};
        TRY(add_positives(&o->user_item, dataset, pairs_positive_slots[b], &products->pairs,
                          status));
        if (o->item_item.given) {
            TRY(add_product(context, &users, &item_item, pairs_item_item_slots[b], &products->pairs,
                            status));
        }
        if (o->evidence.given) {
            TRY(add_product(context, &users, &scoring, pairs_evidence_slots[b], &products->evidence,
                            status));
        }
        if (o->transitions.given && interactions->has_times) {
            TRY(add_transitions(context, &users, &o->transitions, pairs_transition_slots[b],
                                &products->transitions, status));
        }
        if (o->ridge.given) { /* FIT first: ALL has learned the validation part */
            TRY(add_ridge(context, &users, &ridge, pairs_ridge_slots[b], &products->ridge, status));
        }
    }
done:
    if (code != STATUS_OK) {
        (void)status_add_context(status, "pairs");
    }
    return code;
}

static enum status_code pairs_run(struct context *context, const void *values,
                                  struct status *status)
{
    const struct pairs_options *o = values;
    const struct artifact *input = NULL;
    struct interactions interactions = {0};
    struct pair_products products = {0};
    int64_t n_pairs = 0;
    enum status_code code = STATUS_OK;
    artifact_init(&products.pairs, "pairs");
    artifact_init(&products.evidence, "evidence");
    artifact_init(&products.transitions, "transitions");
    artifact_init(&products.ridge, "ridge");
    TRY(context_input(context, "interactions", &input, status));
    TRY(interactions_load(&interactions, input, status));
    TRY(artifact_set_number(&products.pairs, pairs_positive_weights_slot, o->user_item.weights,
                            status));
    if (o->transitions.given && !interactions.has_times) {
        log_write(context_log(context), LOG_INFO,
                  "pairs: the interactions have no times: no transitions");
    }
    if (o->item_item.given) {
        const struct pair_settings settings = item_item_settings(&o->item_item);
        TRY(pairs_settings_save(&settings, &products.pairs, status));
    }
    TRY(make_products(context, o, &interactions, &products, status));
    TRY(pair_tables_write(context, o->queryable, &interactions, &products, &n_pairs, status));
    context_set_rows(context, n_pairs);
    TRY(context_output(context, &products.pairs, status));
    TRY(context_output(context, &products.evidence, status));
    if (o->transitions.given && interactions.has_times) {
        TRY(context_output(context, &products.transitions, status));
    }
    if (o->ridge.given) {
        TRY(context_output(context, &products.ridge, status));
    }
done:
    artifact_release(&products.ridge);
    artifact_release(&products.transitions);
    artifact_release(&products.pairs);
    artifact_release(&products.evidence);
    interactions_release(&interactions);
    return code;
}

static enum status_code pairs_check(struct context *context, const void *values,
                                    struct status *status)
{
    const struct item_item_options *o = &((const struct pairs_options *)values)->item_item;
    return o->window > 0      ? source_log_need_times(context, "pairs.item_item.window", status)
           : o->positions > 0 ? source_log_need_times(context, "pairs.item_item.positions", status)
                              : STATUS_OK;
}

extern const struct stage stage_pairs;
const struct stage stage_pairs = {
    .name = "pairs",
    .summary = "Makes the positives: weighted user-item pairs and item-item co-interaction pairs.",
    .version = 6,
    .options_size = sizeof(struct pairs_options),
    .options = pairs_options_table,
    .inputs = inputs,
    .outputs = outputs,
    .validate = pairs_options_validate,
    .works_in_ranks = true,
    .estimate = pairs_estimate,
    .check = pairs_check,
    .run = pairs_run,
};
