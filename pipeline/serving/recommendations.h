/* What the recommend stage hands to publish: every list that people will query. Users and items are
 * served codes (served_ids.h), never rows of a basis. */
#ifndef NIGHTJAR_SERVING_RECOMMENDATIONS_H
#define NIGHTJAR_SERVING_RECOMMENDATIONS_H

#include "ranking/score.h"
#include "serving/live.h"
#include "store/artifact.h"
#include "publishing/generation.h"

struct index_use {
    double n_lists, n_probes; /* inverted lists, and how many of them a list is made of */
    double recall;
};

/* Lists are best first; item -1 (score 0) ends one that is shorter than its width. Zero-initialise.
 * Arrays belong to the struct (mem_free) until recommendations_save, to the artifact from then on.
 */
struct recommendations {
    size_t n_served, top;
    int32_t *served;  /* (n_served) user codes, ascending */
    int32_t *items;   /* (n_served, top) */
    float *scores;    /* (n_served, top); of each source in serving/serving.h */
    uint8_t *sources; /* (n_served, top) enum publish_source */
    /* why: of the items of the user's history, what each gave to a row's score; n_reasons_all =
       top * n_reasons columns, -1 ends a row's reasons. 0: none were asked for */
    size_t n_reasons, n_reasons_all;
    int32_t *reason_items; /* (n_served, top * n_reasons) */
    float *reason_scores;
    /* what the scores are made of: values of the score_terms of weights and temperature, which sum
       to a row's score by their weights, and are 0 in rows by popularity alone; n_parts_all = top *
       n_parts columns. 0: not asked for */
    size_t n_parts, n_parts_all;
    float *part_values; /* (n_served, top * n_parts) */
    /* for users that the output does not know: the items with the most users in the log */
    size_t n_popular;
    int32_t *popular_items; /* (n_popular) */
    float *popular_scores;  /* (n_popular) log(1 + users of the item in the log) + its boost */
    /* the same by segment: row r is of the segment segment_codes[r] (code of segment_offsets and
       segment_bytes) and stands at segment_ranks[r] */
    size_t n_segment_rows;
    int32_t *segment_items, *segment_codes, *segment_ranks; /* (n_segment_rows) */
    float *segment_scores;
    size_t n_segment_offsets, n_segment_bytes; /* segments + 1 */
    int64_t *segment_offsets;
    uint8_t *segment_bytes;
    double segment_prior; /* mu of serving.h; 0: no segments */
    size_t n_similar_anchors, similar_top;
    int32_t *similar_anchors; /* (n_similar_anchors) item codes, ascending */
    int32_t *similar_items;   /* (n_similar_anchors, similar_top) */
    float *similar_scores;    /* cosine */
    /* what is chosen of late: row r tells of one item that trending_users[r] users took it last
       within trending_days[r] days before the newest event, in the list of a category (code of
       category_offsets and category_bytes) or of all items (-1) */
    size_t n_trending;
    int32_t *trending_items, *trending_users, *trending_days, *trending_ranks; /* (n_trending) */
    int32_t *trending_categories;
    size_t n_category_offsets, n_category_bytes; /* categories + 1 */
    int64_t *category_offsets;
    uint8_t *category_bytes;
    size_t n_similar_users, similar_users_top;
    int32_t *similar_user_anchors; /* (n_similar_users) user codes, ascending */
    int32_t *similar_users;        /* (n_similar_users, similar_users_top) */
    float *similar_user_scores;    /* cosine */
    struct live live;
    /* users without a row in the towers who have a vector all the same */
    size_t n_cold, dimension;
    int32_t *cold_users; /* (n_cold) user codes, ascending */
    float *cold_vectors; /* (n_cold, dimension), unit length */
    size_t n_vectors;    /* items with a vector: the towers' items, then their cold ones */
    float *item_bias;    /* (n_vectors) beta log(1 + n_i), n_i of the towers' basis */
    double temperature;  /* tau */
    struct score_weights weights;
    /* how items were found: inverted lists looked into, and the share of exact lists' items that
       they give, as measured; 0 and 1: every product was made */
    struct index_use users_index, similar_index;
    bool is_view;
};

/* Moves the arrays into the artifact "recommendations"; the struct stays usable as a view. */
MUST_CHECK enum status_code recommendations_save(struct recommendations *recommendations,
                                                 struct artifact *artifact, struct status *status);
/* A view over the artifact, which must outlive it. */
MUST_CHECK enum status_code recommendations_load(struct recommendations *recommendations,
                                                 const struct artifact *artifact,
                                                 struct status *status);
/* Whether their codes are those of so many users and items; else STATUS_DATA. */
MUST_CHECK enum status_code recommendations_check(const struct recommendations *recommendations,
                                                  size_t n_users, size_t n_items,
                                                  struct status *status);
/* Fills in what of a publish's content the lists are. */
void recommendations_content(const struct recommendations *recommendations,
                             struct publish_content *content);
/* Copies of the names' texts, for whoever has no rules; NULL: none. */
MUST_CHECK enum status_code recommendations_copy_names(const struct vocabulary *names,
                                                       int64_t **offsets, size_t *n_offsets,
                                                       uint8_t **bytes, size_t *n_bytes,
                                                       struct status *status);
/* Lists that are in a file (base/mem.h) leave the memory until they are next looked at. */
void recommendations_rest(const struct recommendations *recommendations);
void recommendations_release(struct recommendations *recommendations);

#endif
