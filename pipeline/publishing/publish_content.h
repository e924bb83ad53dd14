/* What a generation is made of, and where it goes. */
#ifndef NIGHTJAR_PUBLISHING_PUBLISH_CONTENT_H
#define NIGHTJAR_PUBLISHING_PUBLISH_CONTENT_H

#include "base/watch.h"
#include "ranks/ranks.h"
#include "store/db.h"

/* The ids of users or items, in code order: row c of a table refers to code c. Integers ascend with
 * the codes, so that rows are written in the order of their keys; texts had better, by bytes. */
struct publish_ids {
    bool is_text;
    size_t n;
    const int64_t *integers;     /* when !is_text */
    const int64_t *text_offsets; /* when is_text: id c is text_bytes[offsets[c] .. offsets[c+1]) */
    const char *text_bytes;
};

/* Why a row is there; stored as a small integer, shown as text by the view. */
enum publish_source {
    PUBLISH_MODEL,
    PUBLISH_COLD,
    PUBLISH_POPULAR,
    PUBLISH_RELAXED,
    PUBLISH_N_SOURCES
};
extern const char *const publish_source_names[PUBLISH_N_SOURCES];

struct publish_metric {
    const char *name;  /* "ndcg@20" */
    const char *model; /* "nightjar", "popularity", "item_item" */
    const char *group; /* "all", "users:1-4", ... */
    double value;
    double error; /* of metric_rows; above 0 where it is known: for the run's history alone */
};

/* What only later nights know of a generation that was published before. */
struct publish_outcome {
    int64_t generation, run_started; /* of the history: one of another database is left alone */
    struct publish_metric metric;
};

/* Of what scores are the sum: weight times the value that a row has. */
struct publish_part {
    const char *name; /* "cosine", "transitions:4" */
    double weight;
};

enum { PUBLISH_N_PAIRS = 3 }; /* evidence, transitions, ridge */
enum publish_fact { FACT_KNOWN, FACT_TIME, FACT_HAS_TIMES, FACT_REPEATS, PUBLISH_N_FACTS };

/* Everything that a generation holds. All arrays are the caller's. */
struct publish_content {
    struct publish_ids users, items;
    /* recommendations: for served user s, entries [s * top, (s + 1) * top); item -1 ends the list
     */
    size_t n_served, top;
    const int32_t *served;      /* (n_served) user codes, ascending */
    const int32_t *rec_items;   /* (n_served, top) item codes */
    const float *rec_scores;    /* (n_served, top) */
    const uint8_t *rec_sources; /* (n_served, top) enum publish_source */
    /* why: entries [e * n_reasons, (e + 1) * n_reasons) of list entry e, largest first; -1 ends */
    size_t n_reasons;
    const int32_t *reason_items; /* (n_served, top, n_reasons) item codes */
    const float *reason_scores;  /* the same shape */
    /* what the scores are made of; values of 0 are no rows */
    size_t n_parts;
    const struct publish_part *parts; /* (n_parts) */
    const float *part_values;         /* (n_served, top, n_parts) */
    size_t n_popular;
    const int32_t *popular_items; /* (n_popular) */
    const float *popular_scores;
    /* the same by segment, whose names stand like those of the categories below */
    size_t n_segment_rows;
    const int32_t *segment_items, *segment_codes, *segment_ranks;
    const float *segment_scores;
    const int64_t *segment_offsets;
    const uint8_t *segment_bytes;
    size_t n_similar_anchors, similar_top;
    const int32_t *similar_anchors; /* (n_similar_anchors) item codes, ascending */
    const int32_t *similar_items;   /* (n_similar_anchors, similar_top), -1 ends */
    const float *similar_scores;
    /* rows of lists, by days and category (-1: of all items); of category c the name is
       category_bytes[category_offsets[c] .. category_offsets[c + 1]) */
    size_t n_trending;
    const int32_t *trending_items, *trending_users, *trending_days, *trending_ranks;
    const int32_t *trending_categories;
    const int64_t *category_offsets;
    const uint8_t *category_bytes;
    size_t n_similar_users, similar_users_top;
    const int32_t *similar_user_anchors; /* (n_similar_users) user codes, ascending */
    const int32_t *similar_users;        /* (n_similar_users, similar_users_top), -1 ends */
    const float *similar_user_scores;
    /* what it takes to score; candidates are numbered in an order of their own */
    size_t n_score_items, n_segments;
    const int32_t *score_item_codes, *score_item_users; /* (n_score_items) */
    const float *score_item_boosts;
    const uint8_t *score_eligible; /* (n_score_items, n_segments), or nothing */
    size_t n_score_users;
    const int32_t *score_user_codes, *score_user_segments; /* (n_score_users) codes ascending */
    const int64_t *history_offsets, *barred_offsets;       /* (n_score_users + 1) */
    const int32_t *history_items, *barred_items;           /* candidates */
    const float *history_weights;
    const int64_t *history_times;
    size_t n_pair_rows[PUBLISH_N_PAIRS]; /* 0: no such pairs */
    const int64_t *pair_offsets[PUBLISH_N_PAIRS];
    const int32_t *pair_items[PUBLISH_N_PAIRS];
    const float *pair_weights[PUBLISH_N_PAIRS];
    double score_facts[PUBLISH_N_FACTS];
    size_t dimension;
    int64_t sequence_dimension; /* of these the last (towers/embeddings.h); -1: not known */
    size_t n_user_vectors, n_item_vectors;
    const int32_t *user_vector_codes, *item_vector_codes;     /* ascending */
    const float *user_vectors, *item_vectors;                 /* (n, dimension), unit length */
    const uint8_t *user_vector_sources, *item_vector_sources; /* (n) enum publish_source */
    const float *item_bias;                                   /* (n_item_vectors) */
    double temperature, popularity_weight;                    /* tau, beta: in the generation row */
    double evidence_weight, evidence_exponent;                /* gamma, p: the same */
    const char *chosen;      /* settings that a search chose (tuning/auto_settings.h); NULL: none */
    const char *score_parts; /* JSON of the further parts: the same; NULL: [] */
    size_t n_metrics;
    const struct publish_metric *metrics;
    size_t n_outcomes;
    const struct publish_outcome *outcomes; /* by generation; each one's names are written anew */
    /* the run row */
    const char *pipeline, *config_hash, *version;
    int64_t seed, run_started, n_interactions;
};

struct publish_target {
    struct db *db;       /* of rank 0, the others have none */
    struct ranks *ranks; /* NULL: one */
    const char *prefix;
    int64_t keep;
    /* fencing: what publish_latest gave when the run began. When it is another one by the time of
       the switch, a run that does not share our lock was faster: STATUS_BUSY. NULL: no check. */
    const int64_t *expected_latest;
    struct watch watch; /* told in rows, between chunks; can stop before the commit point only */
    /* gets the reason when old generations could not be dropped after the switch, which is no error
       of the publish: the next one tries again. May be NULL. */
    struct status *drop_status;
};

#endif
