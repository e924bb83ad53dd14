/* The lists in the terms of a publish. */
#include "serving/recommendations.h"

static void add_live(const struct live *live, struct publish_content *content)
{
    content->n_score_items = live->n_items;
    content->n_segments = live->n_items == 0 ? 0 : live->n_eligible / live->n_items;
    content->score_item_codes = live->item_codes;
    content->score_item_users = live->item_users;
    content->score_item_boosts = live->item_boosts;
    content->score_eligible = live->eligible;
    content->n_score_users = live->n_users;
    content->score_user_codes = live->user_codes;
    content->score_user_segments = live->user_segments;
    content->history_offsets = live->history_offsets;
    content->barred_offsets = live->barred_offsets;
    content->history_items = live->history_items;
    content->history_weights = live->history_weights;
    content->history_times = live->history_times;
    content->barred_items = live->barred_items;
    _Static_assert((int)N_LIVE_SOURCES == (int)PUBLISH_N_PAIRS, "the same, in one order");
    for (int s = 0; s < N_LIVE_SOURCES; s++) {
        const size_t n = live->n_pair_offsets[s];
        content->n_pair_rows[s] = n == 0 ? 0 : n - 1;
        content->pair_offsets[s] = live->pair_offsets[s];
        content->pair_items[s] = live->pair_items[s];
        content->pair_weights[s] = live->pair_weights[s];
    }
    content->score_facts[FACT_KNOWN] = live->n_known;
    content->score_facts[FACT_TIME] = live->time;
    content->score_facts[FACT_HAS_TIMES] = live->has_times;
    content->score_facts[FACT_REPEATS] = live->repeats;
}

void recommendations_content(const struct recommendations *lists, struct publish_content *content)
{
    content->n_served = lists->n_served;
    content->top = lists->top;
    content->served = lists->served;
    content->rec_items = lists->items;
    content->rec_scores = lists->scores;
    content->rec_sources = lists->sources;
    content->n_reasons = lists->n_reasons;
    content->reason_items = lists->reason_items;
    content->reason_scores = lists->reason_scores;
    content->n_parts = lists->n_parts;
    content->part_values = lists->part_values;
    content->n_popular = lists->n_popular;
    content->popular_items = lists->popular_items;
    content->popular_scores = lists->popular_scores;
    content->n_similar_anchors = lists->n_similar_anchors;
    content->similar_top = lists->similar_top;
    content->similar_anchors = lists->similar_anchors;
    content->similar_items = lists->similar_items;
    content->similar_scores = lists->similar_scores;
    content->n_segment_rows = lists->n_segment_rows;
    content->segment_items = lists->segment_items;
    content->segment_codes = lists->segment_codes;
    content->segment_ranks = lists->segment_ranks;
    content->segment_scores = lists->segment_scores;
    content->segment_offsets = lists->segment_offsets;
    content->segment_bytes = lists->segment_bytes;
    content->n_trending = lists->n_trending;
    content->trending_items = lists->trending_items;
    content->trending_users = lists->trending_users;
    content->trending_days = lists->trending_days;
    content->trending_ranks = lists->trending_ranks;
    content->trending_categories = lists->trending_categories;
    content->category_offsets = lists->category_offsets;
    content->category_bytes = lists->category_bytes;
    content->n_similar_users = lists->n_similar_users;
    content->similar_users_top = lists->similar_users_top;
    content->similar_user_anchors = lists->similar_user_anchors;
    content->similar_users = lists->similar_users;
    content->similar_user_scores = lists->similar_user_scores;
    content->temperature = lists->temperature;
    content->popularity_weight = lists->weights.beta;
    content->evidence_weight = lists->weights.gamma;
    content->evidence_exponent = lists->weights.exponent;
    add_live(&lists->live, content);
}
