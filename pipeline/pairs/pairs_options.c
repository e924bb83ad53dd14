/* The table of the options. */
#include "pairs/pairs_options.h"

#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"

const double pairs_ridge_strengths[N_RIDGE_STRENGTHS] = {10, 3, 30, 100};

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
    OPT_INT(transition_settings, "reach", reach, "10", 1, 1000,
            "An item counts as what followed another when it stands at most this many places "
            "behind it. Events of one and the same time are one place; three places count "
            "however many events they have, more only while fewer events than this lie between.",
            .unit = "places"),
    OPT_FLOAT(transition_settings, "decay", decay, "0.7", 1e-6, 1,
              "What each further place takes of a pair's weight: decay^(distance - 1)."),
    OPT_FLOAT(transition_settings, "out_exponent", out_exponent, "0.5", 0, 1,
              "A row is divided by its sum to this power: how much items that much followed are "
              "held back."),
    OPT_FLOAT(
        transition_settings, "in_exponent", in_exponent, "0.25", 0, 1,
        "A column is divided by its sum, where that is above 1, to this power: how much items "
        "that follow many are held back."),
    OPT_INT(transition_settings, "top", top, "200", 1, 100000,
            "Strongest following items kept for each item.", .unit = "items"),
    OPT_INT(transition_settings, "max_user_items", max_user_items, "1000", 2, 1000000,
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

const struct option pairs_options_table[] = {
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

void pairs_options_validate(const void *values, struct option_report *report)
{
    const struct pairs_options *o = values;
    if (o->item_item.window > 0 && o->item_item.positions > 0) {
        option_mistake(report, "item_item.positions",
                       "%zu stands beside window: pairs lie within a time gap or "
                       "within a number of positions; give one of the two, or none for the whole "
                       "history",
                       o->item_item.positions);
    }
}
