/* pairs: the positives. User-item positives with their weights; item-item pairs of co-interaction,
 * which `train` contrasts; the evidence, a longer list of such pairs that serves scoring; the
 * transitions, what followed what; and ridge, the pairs that regressions learn. All are made for
 * both bases. The counting is done in pairs/item_pairs.c, pairs/transitions.c and pairs/ridge.c;
 * who uses the pairs how is not known here. */
#include "base/mem.h"
#include "evaluation/ridge_choice.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"
#include "pairs/transitions.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/source_log.h"
#include "stages/pairs/pair_tables.h"

#include <inttypes.h>
#include <math.h>

struct user_item_options {
    bool given;
    int weights;
};

struct item_item_options {
    bool given;
    double window; /* seconds; 0: not given */
    int64_t positions;
    int weighting;
    int64_t min_count, top, max_user_items;
};

struct evidence_options {
    bool given;
    int weighting;
    int64_t top, max_user_items;
};

struct transition_options {
    bool given;
    int64_t reach;
    double decay, out_exponent, in_exponent;
    int64_t top, max_user_items;
};

struct ridge_options {
    bool given;
    double strength, half_life; /* NAN: auto */
    int64_t partners, max_user_items;
};

/* What is tried where the strength is `auto`; without a validation part it is the first. */
static const double strengths[] = {10, 3, 30, 100};
enum { N_STRENGTHS = sizeof strengths / sizeof *strengths };

struct pairs_options {
    struct user_item_options user_item;
    struct item_item_options item_item;
    struct evidence_options evidence;
    struct transition_options transitions;
    struct ridge_options ridge;
    bool queryable;
};

static const struct option user_item_options[] = {
    OPT_CHOICE(user_item_options, "weights", weights, "value", positive_weights_names,
               "What a user-item positive counts in training: the interaction's weight (value), "
               "log2(1 + weight), which keeps a weight of 1 at 1 (log), or always 1 (one)."),
    OPT_END};

static const struct option item_item_options[] = {
    OPT_DURATION(item_item_options, "window", window, NULL, 1, 1e10,
                 "Two items of a user are a pair when their events lie at most this far apart. "
                 "Without window and positions the whole history counts."),
    OPT_INT(item_item_options, "positions", positions, NULL, 1, 1000000,
            "Two items of a user are a pair when they stand at most this many places apart in the "
            "history ordered by time. Instead of window.",
            .unit = "positions"),
    OPT_CHOICE(item_item_options, "weighting", weighting, "cosine", pair_weighting_names,
               "How the strength of a pair follows from the users who have both items."),
    OPT_INT(item_item_options, "min_count", min_count, "1", 1, 1000000000,
            "Pairs that fewer users have are dropped.", .unit = "users"),
    OPT_INT(item_item_options, "top", top, "100", 1, 100000,
            "Strongest partners kept for each item.", .unit = "partners"),
    OPT_INT(item_item_options, "max_user_items", max_user_items, "1000", 2, 1000000,
            "Of a longer history only the newest items make pairs, for their number grows with its "
            "square.",
            .unit = "items"),
    OPT_END};

static const struct option evidence_options[] = {
    OPT_CHOICE(evidence_options, "weighting", weighting, "degree_normalised", pair_weighting_names,
               "How the strength of a pair follows from the users who have both items."),
    OPT_INT(evidence_options, "top", top, "500", 1, 100000,
            "Strongest partners kept for each item.", .unit = "partners"),
    OPT_INT(evidence_options, "max_user_items", max_user_items, "1000", 2, 1000000,
            "Of a longer history only the newest items count.", .unit = "items"),
    OPT_END};

static const struct option transition_options[] = {
    OPT_INT(transition_options, "reach", reach, "10", 1, 1000,
            "An item counts as what followed another when it stands at most this many places "
            "behind it. Events of one and the same time are one place; three places count "
            "however many events they have, more only while fewer events than this lie between.",
            .unit = "places"),
    OPT_FLOAT(transition_options, "decay", decay, "0.7", 1e-6, 1,
              "What each further place takes of a pair's weight: decay^(distance - 1)."),
    OPT_FLOAT(transition_options, "out_exponent", out_exponent, "0.5", 0, 1,
              "A row is divided by its sum to this power: how much items that much followed are "
              "held back."),
    OPT_FLOAT(
        transition_options, "in_exponent", in_exponent, "0.25", 0, 1,
        "A column is divided by its sum, where that is above 1, to this power: how much items "
        "that follow many are held back."),
    OPT_INT(transition_options, "top", top, "200", 1, 100000,
            "Strongest following items kept for each item.", .unit = "items"),
    OPT_INT(transition_options, "max_user_items", max_user_items, "1000", 2, 1000000,
            "Of a longer history only the newest items count.", .unit = "items"),
    OPT_END};

static const struct option ridge_options[] = {
    OPT_AUTO(
        ridge_options, "strength", strength, "auto", 1e-3, 1e9,
        "How strongly a partner is held back: strength times the square root of its number of "
        "users is added to that number. auto takes the one of 3, 10, 30 and 100 whose evidence "
        "alone ranks best on the validation part, and 10 where there is none."),
    OPT_AUTO(
        ridge_options, "half_life", half_life, "auto", 0, 36500,
        "Days in which what a user had loses half of its weight in the regressions; 0: never. "
        "auto tries 14 and 60 on the validation part, where the log has times, and takes one that "
        "is clearly better than none.",
        .unit = "days"),
    OPT_INT(ridge_options, "partners", partners, "100", 1, 1000,
            "Items that each item is foretold from, those of the greatest cosine.",
            .unit = "partners"),
    OPT_INT(ridge_options, "max_user_items", max_user_items, "1000", 2, 1000000,
            "Of a longer history only the newest items name partners.", .unit = "items"),
    OPT_END};

static const struct option options[] = {
    OPT_GROUP(pairs_options, "user_item", user_item, user_item_options,
              "The user-item positives: every pair of the train part."),
    OPT_GROUP(pairs_options, "item_item", item_item, item_item_options,
              "Item-item pairs out of what users have in common, for train's co_interaction. None "
              "are made when this group is not given; `item_item: {}` takes the defaults."),
    OPT_GROUP(pairs_options, "evidence", evidence, evidence_options,
              "Item-item pairs over the whole history for scoring. None are made when this group "
              "is not given."),
    OPT_GROUP(pairs_options, "transitions", transitions, transition_options,
              "What followed what in the histories, for scoring. None are made when this group is "
              "not given, or when the interactions have no times."),
    OPT_GROUP(pairs_options, "ridge", ridge, ridge_options,
              "Learned item-item evidence, for scoring: who has an item, foretold by a regression "
              "from who has its strongest partners. None is made when this group is not given; "
              "`ridge: {}` takes the defaults."),
    OPT_BOOL(pairs_options, "queryable", queryable, "true",
             "Write the user-item and item-item pairs, the transitions and the learned pairs that "
             "settings are chosen on to the work database, where `SELECT * FROM pairs` shows them "
             "with their ids."),
    OPT_END};

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

static void pairs_validate(const void *values, struct option_report *report)
{
    const struct pairs_options *o = values;
    if (o->item_item.window > 0 && o->item_item.positions > 0) {
        option_mistake(report, "item_item.positions",
                       "%" PRId64 " stands beside window: pairs lie within a time gap or "
                       "within a number of positions; give one of the two, or none for the whole "
                       "history",
                       o->item_item.positions);
    }
}

/* Partners of an interaction over the whole history. Heavy users make the mean square about three
 * times the square of the mean (Gowalla: 2.8). */
static double whole_history(const struct stage_sizes *sizes)
{
    return 3 * sizes->n_interactions / fmax(sizes->n_users, 1);
}

enum { SLICE_ENTRIES = 1 << 21 }; /* pairs/pair_rows.c */

/* Rows and seconds of one product. */
static void add_product_estimate(const struct stage_sizes *sizes, double partners, double top,
                                 struct stage_estimate *out)
{
    const double n_ranks = fmax(sizes->n_ranks, 1), additions = sizes->n_interactions * partners;
    /* of all ranks, for each has the whole; a slice's parts, sent and received, are less than all
     */
    const double rows = fmin(n_ranks * additions, sizes->n_items * fmin(top, sizes->n_items));
    const double parts = n_ranks > 1 ? 48 * fmin(additions, SLICE_ENTRIES) : 0;
    const double scratch =
        33 * sizes->n_items * sizes->n_threads + 24 * sizes->n_interactions + parts;
    /* of one product while it runs; products follow one another */
    out->memory_bytes = fmax(out->memory_bytes, 8 * rows + scratch);
    out->result_bytes += N_BASES * 8 * rows;
    out->seconds += N_BASES * (additions + 10 * rows) * 15e-9 / fmax(sizes->n_threads, 1);
    out->rows += rows;
}

/* The regressions: partners by a product, then per item its partners' users, and their equations.
 */
static void add_ridge_estimate(const struct stage_sizes *sizes, const struct ridge_options *o,
                               struct stage_estimate *out)
{
    const double partners = fmin((double)o->partners, sizes->n_items);
    const double strengths_tried = isnan(o->strength) ? N_STRENGTHS : 1;
    /* partners are liked more than the mean item */
    const double users =
        fmin(3 * partners * sizes->n_interactions, partners * sizes->n_items * sizes->n_users);
    const double equations =
        sizes->n_items * (strengths_tried + 1) / N_BASES / fmax(sizes->n_ranks, 1);
    const double half_lives_tried = isnan(o->half_life) ? 3 : 0; /* with 30 partners, ranked, too */
    const double ranked = fmin(sizes->n_users, 2500) * sizes->n_items *
                          ((strengths_tried > 1 ? strengths_tried : 0) + half_lives_tried);
    const double running =
        4 * (2 + strengths_tried) * sizes->n_items * partners + 8 * sizes->n_interactions +
        sizes->n_threads * (20 * sizes->n_users + 8 * partners * partners +
                            8 * fmin(sizes->n_interactions, partners * sizes->n_users));
    add_product_estimate(sizes, whole_history(sizes), partners, out);
    out->memory_bytes = fmax(out->memory_bytes, running);
    out->seconds +=
        (N_BASES * (3e-9 * users + 2e-11 * equations * pow(partners, 3)) +
         half_lives_tried * 15e-9 * sizes->n_interactions * whole_history(sizes) + 1e-9 * ranked) /
        fmax(sizes->n_threads, 1);
}

static void pairs_estimate(const void *values, const struct stage_sizes *sizes,
                           struct stage_estimate *out)
{
    const struct pairs_options *o = values;
    *out = (struct stage_estimate){.rows = sizes->n_interactions,
                                   .result_bytes = N_BASES * 4 * sizes->n_interactions};
    if (o->item_item.given) {
        add_product_estimate(sizes, whole_history(sizes), (double)o->item_item.top, out);
    }
    if (o->transitions.given) {
        /* baskets have more events than places; half of a history lies before */
        const double reached = fmin(3 * (double)o->transitions.reach, whole_history(sizes) / 2);
        add_product_estimate(sizes, reached, (double)o->transitions.top, out);
    }
    if (o->ridge.given) {
        add_ridge_estimate(sizes, &o->ridge, out);
    }
    const double queryable_rows = o->queryable ? out->rows : 0;
    out->seconds += 1e-6 * queryable_rows;
    if (o->evidence.given) {
        add_product_estimate(sizes, whole_history(sizes), (double)o->evidence.top, out);
    }
    out->memory_bytes += out->result_bytes;
    out->disk_bytes = out->result_bytes + 18 * queryable_rows;
}

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
        .max_positions = (size_t)o->positions,
        .weighting = o->weighting,
        .min_count = (double)o->min_count,
        .top = (size_t)o->top,
        .max_user_items = (size_t)o->max_user_items,
    };
}

static enum status_code add_transitions(struct context *context, const struct basis_users *users,
                                        const struct transition_options *o, const char *slot,
                                        struct artifact *artifact, struct status *status)
{
    struct transition_settings settings = {.reach = (size_t)o->reach,
                                           .decay = o->decay,
                                           .out_exponent = o->out_exponent,
                                           .in_exponent = o->in_exponent,
                                           .top = (size_t)o->top,
                                           .max_user_items = (size_t)o->max_user_items,
                                           .watch = context_watch(context),
                                           .crowd = users->crowd};
    struct sparse product = {0};
    enum status_code code = STATUS_OK;
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
        .top = (size_t)o->evidence.top,
        .max_user_items = (size_t)o->evidence.max_user_items,
    };
    const bool is_auto = isnan(o->ridge.strength);
    struct ridge_settings ridge = {.partners = (size_t)o->ridge.partners,
                                   .max_user_items = (size_t)o->ridge.max_user_items,
                                   .strengths = is_auto ? strengths : &o->ridge.strength,
                                   .n_strengths = is_auto ? N_STRENGTHS : 1,
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
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .validate = pairs_validate,
    .works_in_ranks = true,
    .estimate = pairs_estimate,
    .check = pairs_check,
    .run = pairs_run,
};
