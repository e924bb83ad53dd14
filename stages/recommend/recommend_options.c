/* What may be asked of the lists, and what that costs. */
#include "stages/recommend/recommend_options.h"

#include <math.h>

/* Cosine, popularity, evidence, boost, and half of what calibrate offers. */
enum { USUAL_PARTS = 8 };

static const char *const index_names[] = {"exact", "ivf", "auto", NULL};

const struct option recommend_option_table[] = {
    OPT_INT(
        recommend_options, "top", top, "50", 1, 10000,
        "Recommendations per user: exactly as many, unless the user has seen all but fewer items.",
        .unit = "items"),
    OPT_CHOICE(recommend_options, "exclude_seen", exclude_seen, "true", option_false_true_auto,
               "Leaves out items that the user already has a row with, whatever its weight, rating "
               "or age: "
               "also one that the options of `interactions` leave out. `auto` does so unless "
               "repeats count (the `split` of the interactions stage)."),
    OPT_BOOL(recommend_options, "exclude_disliked", exclude_disliked, "true",
             "Leaves out items that the user's newest event with them was a dislike of (the "
             "`dislikes` of the interactions stage), even where `exclude_seen` is false."),
    OPT_BOOL(recommend_options, "cold_items", cold_items, "true",
             "Lets items that training did not know stand in lists and among similar items, as "
             "rows of the source `cold`, where their side data (the `features` stage) gave them a "
             "vector. Their embeddings are published either way."),
    OPT_BOOL(recommend_options, "cold_users", cold_users, "true",
             "Makes lists for users without any event, too, where their side data gave them a "
             "vector; false leaves them to the popular items. Users with events always get lists."),
    OPT_INT(recommend_options, "similar", similar, "20", 0, 10000,
            "Similar items per item, by the cosine of their vectors. 0: no such lists.",
            .unit = "items"),
    OPT_INT(recommend_options, "similar_users", similar_users, "0", 0, 10000,
            "Similar users per user, by the cosine of their vectors, of all whom training knows. "
            "Every pair is looked at: a second or two for 30,000 users, the square of that for "
            "more. 0: no such lists.",
            .unit = "users"),
    OPT_INT(recommend_options, "popular", popular, "100", 0, 1000000,
            "Length of the list of popular items, for users that the log does not know, and of "
            "each list of trending_items.",
            .unit = "items"),
    OPT_CHOICE(recommend_options, "index", index, "auto", index_names,
               "How the best items are found: by the score of every item (`exact`), or by inverted "
               "lists, which look only into the parts of the catalogue that suit a user best and "
               "find nearly the same (`ivf`). `auto` is exact unless that would take more than "
               "some five minutes on two cores."),
    OPT_FLOAT(recommend_options, "min_recall", min_recall, "0.98", 0.5, 0.9999,
              "What inverted lists must find of the exact lists' items, measured each run on a "
              "sample of users and items; where they find less, lists are made exactly.",
              .unit = "share"),
    OPT_TEXT(recommend_options, "eligible", rules[RULE_ELIGIBLE], NULL,
             "A query on the source whose item_id are the items that may be recommended, popular "
             "and similar ones included: SELECT item_id FROM products WHERE in_stock. With a "
             "column segment, a row offers its item to that segment alone (`segments`), and with "
             "NULL there to everybody. Without the query, all of them."),
    OPT_TEXT(recommend_options, "segments", rules[RULE_SEGMENTS], NULL,
             "A query on the source that gives user_id and segment: a country, a price list, an "
             "age group. Users without a vector get what is popular in their segment, and "
             "segment_popular_items has that list of each: shrunk to that of all users, the more "
             "so the fewer events a segment has and the less segments differ. It also says which "
             "rows of `eligible` count for whom; users without a segment, and popular_items and "
             "similar items, have the rows for everybody."),
    OPT_TEXT(recommend_options, "exclude", rules[RULE_EXCLUDE], NULL,
             "A query on the source that gives user_id and item_id of what this user shall not be "
             "recommended, beside what `exclude_seen` leaves out."),
    OPT_TEXT(recommend_options, "boosts", rules[RULE_BOOSTS], NULL,
             "A query on the source that gives item_id and boost, a number that is added to the "
             "item's score in every list but the similar ones: 0.7 makes it about twice as likely "
             "to be chosen, -0.7 half as likely."),
    OPT_TEXT(recommend_options, "categories", rules[RULE_CATEGORIES], NULL,
             "A query on the source that gives item_id and category, one row for each category of "
             "the item: what `max_per_category` counts, and trending_items has lists of."),
    OPT_INT(recommend_options, "max_per_category", max_per_category, "0", 0, 10000,
            "A list has no more items of one category. Where too few others are left, the list is "
            "filled all the same, with rows of the source `relaxed`. 0: no cap.",
            .unit = "items"),
    OPT_TEXT(recommend_options, "new_items", rules[RULE_NEW_ITEMS], NULL,
             "A query on the source whose item_id are new: what `min_new` counts."),
    OPT_FLOAT(recommend_options, "min_new", min_new, "0", 0, 1,
              "At least this share of each list's rows are new items, as long as there are so many "
              "that the user may get; they take the last places where they would not stand in the "
              "list anyway.",
              .unit = "share"),
    OPT_FLOAT(recommend_options, "diversity", diversity, "0", 0, 0.99,
              "Weighs unlikeness to what already stands in the list against the score (maximal "
              "marginal relevance, among the best four times `top`): 0 is the score alone, 0.3 a "
              "mild and 0.7 a strong mixture."),
    OPT_INT(recommend_options, "explain", explain, "0", 0, 100,
            "Publishes for each row so many items of the user's history, those that gave most to "
            "its score, in recommendation_reasons: \"because you liked\".",
            .unit = "items"),
    OPT_BOOL(recommend_options, "parts", parts, "false",
             "Publishes what each score is the sum of, in recommendation_parts: cosine, "
             "popularity, evidence, each further part that `calibrate` weighed, boost."),
    OPT_BOOL(recommend_options, "live", live, "false",
             "Publishes what nightjar_recommend of the extension scores with: everybody's history "
             "and what they are not to get, and the pairs behind evidence. `plan` says how large "
             "that is; forget erases it."),
    OPT_TEXT(recommend_options, "users", rules[RULE_USERS], NULL,
             "A query on the source whose user_id are the users who get lists. Without it, all of "
             "them; every user's embedding is published either way."),
    OPT_DURATION(recommend_options, "active_within", active_within, "0s", 0, 1e10,
                 "Only users get lists whose newest event is no older than this, seen from the "
                 "newest event of the log (90d). 0s: any age."),
    OPT_END};

/* Of two options that mean nothing alone, names the one that is missing. */
static void check_pair(struct option_report *report, bool has_query, const char *query,
                       bool has_number, const char *number)
{
    if (has_query != has_number) {
        option_mistake(report, has_query ? query : number, "it stands without %s, which %s",
                       has_query ? number : query,
                       has_query ? "says how many" : "says which items they are");
    }
}

void recommend_validate(const void *values, struct option_report *report)
{
    const struct recommend_options *o = values;
    if (o->max_per_category > 0 && o->rules[RULE_CATEGORIES] == NULL) {
        option_mistake(report, "max_per_category",
                       "it stands without categories, which says which items they are");
    }
    check_pair(report, o->rules[RULE_NEW_ITEMS] != NULL, "new_items", o->min_new > 0, "min_new");
}

void recommend_refuse_ranks(const void *values, struct option_report *report)
{
    const struct recommend_options *o = values;
    if (o->similar_users > 0) {
        option_mistake(
            report, "similar_users",
            "every user is compared with every other, and no rank has them all: leave it "
            "at 0, or run in one process");
    }
}

void recommend_sizes(const void *values, struct stage_sizes *sizes)
{
    const struct recommend_options *o = values;
    sizes->top = (double)o->top;
    sizes->reasons = (double)o->explain;
    sizes->parts = o->parts ? USUAL_PARTS : 0;
    sizes->similar = (double)o->similar;
    sizes->live = o->live;
    sizes->similar_users = (double)o->similar_users;
}

void recommend_estimate(const void *values, const struct stage_sizes *sizes,
                        struct stage_estimate *out)
{
    const struct recommend_options *o = values;
    double anchors = sizes->n_users + (o->similar > 0 ? sizes->n_items : 0.0);
    const double top = fmin((double)o->top, sizes->n_items);
    out->rows = sizes->n_users * top + sizes->n_items * fmin((double)o->similar, sizes->n_items) +
                sizes->n_users * fmin((double)o->similar_users, sizes->n_users);
    const double reasons =
        sizes->n_users * top *
        (fmin((double)o->explain, sizes->n_items) * 8.0 + (o->parts ? USUAL_PARTS * 4.0 : 0.0));
    out->memory_bytes = out->rows * 9.0 + reasons +
                        (sizes->n_interactions + 2.0 * sizes->n_seen) * 8.0 +
                        (sizes->n_users + sizes->n_items) * 32.0 +
                        3 * fmin((double)o->popular, sizes->n_items) * 20.0;
    out->result_bytes = out->rows * 9.0 + reasons + stage_live_bytes(sizes);
    out->memory_bytes += stage_live_bytes(sizes);
    out->disk_bytes = 2.0 * (out->rows * 9.0 + reasons); /* also while they are made: SPILL_NEW */
    /* an index needs the item vectors once more, and looks at some eighth of the products */
    const double products = anchors * sizes->n_items * sizes->dimension;
    const bool has_index = serving_uses_index((enum serving_index)o->index, products);
    out->memory_bytes += has_index ? sizes->n_items * sizes->dimension * 4.0 : 0.0;
    /* the evidence of some partners of each item of the history, and the rows themselves */
    out->seconds =
        anchors * sizes->n_items * (has_index ? 0.125 : 1.0) * sizes->speeds.ranking +
        (o->similar_users > 0 ? sizes->n_users * sizes->n_users * sizes->speeds.ranking : 0.0) +
        (sizes->n_interactions * 650.0 + out->rows * 125.0) * sizes->speeds.addition /
            fmax(sizes->n_threads, 1.0);
}
