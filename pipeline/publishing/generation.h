/* Generations in the output database: tables NAME_g<N> built in short transactions, verified, then
 * made visible at once by replacing the views. What people query is written at the top of
 * generation.c. A reader sees the whole old generation or the whole new one. */
#ifndef NIGHTJAR_PUBLISHING_GENERATION_H
#define NIGHTJAR_PUBLISHING_GENERATION_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/watch.h"
#include "store/db.h"

/* The ids of users or items, in code order: row c of a table refers to code c. Integers ascend with
 * the codes, so that rows are written in the order of their keys. */
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
};

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
    size_t n_popular;
    const int32_t *popular_items; /* (n_popular) */
    const float *popular_scores;
    size_t n_similar_anchors, similar_top;
    const int32_t *similar_anchors; /* (n_similar_anchors) item codes, ascending */
    const int32_t *similar_items;   /* (n_similar_anchors, similar_top), -1 ends */
    const float *similar_scores;
    size_t dimension;
    size_t n_user_vectors, n_item_vectors;
    const int32_t *user_vector_codes, *item_vector_codes;     /* ascending */
    const float *user_vectors, *item_vectors;                 /* (n, dimension), unit length */
    const uint8_t *user_vector_sources, *item_vector_sources; /* (n) enum publish_source */
    const float *item_bias;                                   /* (n_item_vectors) */
    double temperature, popularity_weight;                    /* tau, beta: in the generation row */
    double evidence_weight, evidence_exponent;                /* gamma, p: the same */
    size_t n_metrics;
    const struct publish_metric *metrics;
    /* the run row */
    const char *pipeline, *config_hash, *version;
    int64_t seed, run_started, n_interactions;
};

struct publish_target {
    struct db *db;
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

/* Looks for foreign tables or views under our names, and for our own ones of a newer version:
 * STATUS_CONFIG, naming them. Changes nothing. */
MUST_CHECK enum status_code publish_check_names(struct db *db, const char *prefix,
                                                struct status *status);
/* publish_check_names, then our fixed tables at this program's version (migrate_apply). */
MUST_CHECK enum status_code publish_migrate(struct db *db, const char *prefix,
                                            struct status *status);
/* Makes our fixed tables where they are missing, once the content is known to be sound: what cannot
 * be published leaves the database untouched. Then builds, verifies, switches, drops generations
 * beyond `keep` and the remains of unfinished ones. *generation gets the new number. On error the
 * previous generation stays as it was. */
MUST_CHECK enum status_code publish_generation(const struct publish_target *target,
                                               const struct publish_content *content,
                                               int64_t *generation, struct status *status);
/* Points the views at an older generation (or back at a newer one) whose tables are still there:
 * else STATUS_NO_INPUT. Nothing is deleted. One transaction. */
MUST_CHECK enum status_code publish_rollback(struct db *db, const char *prefix, int64_t generation,
                                             struct status *status);
/* Drops the generations that are not kept, and the remains of unfinished ones. */
MUST_CHECK enum status_code publish_prune(const struct publish_target *target,
                                          struct status *status);
/* A query with a row for every generation that has tables: generation, published (UTC), decision
 * ("keep", "drop"), why. The caller's to finalize. */
MUST_CHECK enum status_code publish_decisions(struct db *db, const char *prefix, int64_t keep,
                                              struct db_query **query, struct status *status);
/* The current generation, or 0 when nothing is published (also when our tables do not exist).
 * `checksum` (may be NULL) gets the content checksum stored with it. */
MUST_CHECK enum status_code publish_current(struct db *db, const char *prefix, int64_t *generation,
                                            char checksum[HASH_TEXT_MAX], struct status *status);

/* The same for what was published last, though a rollback may show an older generation. */
MUST_CHECK enum status_code publish_latest(struct db *db, const char *prefix, int64_t *generation,
                                           char checksum[HASH_TEXT_MAX], struct status *status);

/* What the history says of the current generation. */
struct published_info {
    int64_t generation; /* 0: nothing is published */
    int64_t dimension;
    int64_t run_started; /* of the run that published it, Unix seconds */
    char checksum[HASH_TEXT_MAX];
};
MUST_CHECK enum status_code publish_current_info(struct db *db, const char *prefix,
                                                 struct published_info *info,
                                                 struct status *status);
/* Two pipelines under the same names take over each other's views night after night: when the
 * current generation is of another one than `pipeline`, adds a line that says so. */
MUST_CHECK enum status_code publish_describe_takeover(struct db *db, const char *prefix,
                                                      const char *pipeline, struct buf *line,
                                                      struct status *status);

#endif
