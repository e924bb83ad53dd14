/* Full-ranking evaluation of towers beside the baselines, overall and by group. The metrics' own
 * definitions are in metrics.c.
 *
 * Who counts: every user of the dataset with at least one held-out pair, of more than max_users a
 * sample. As in lists that were served when the held-out part began, own train items and
 * whatever else the user had before (validation items, when the test is judged; rows that count for
 * nothing) are left out of the ranking; where repeats count, nothing is. The train part of a
 * dataset that evening.h made for that moment has them, too. Held-out items that training does not
 * know count as relevant, so they are misses. Users that training does not know have no row in the
 * dataset and are left out of the means; their number is the row "unknown_users". Equal scores
 * stand in the order of one seeded permutation for all models.
 *
 * Groups, beside "all":
 *   users:1-4, users:5-19, users:20-99, users:100+   by the user's number of train items
 *   items:head, items:middle, items:tail   items in falling order of n_i, cut so that each group
 *        holds a third of the train interactions. The ranking still goes over all items; relevant
 *        are the user's held-out items in the group; users without any are left out. Unknown items
 *        belong to no group.
 * The measures of whole lists (coverage, gini, novelty, popularity) are taken for "all" only.
 *
 * Under several ranks every rank judges its own users, and all have the same rows at the end.
 *
 *     validation_init, validation_run     one metric while towers train (validation.h)
 *     exam_init                           what these weights are judged on (exam.h)
 *     calibration_search, blend_fit       the weights of the score (calibration.h, blend.h)
 *     evaluation_run                      all metrics, models and groups
 *     evaluation_cold_run, rolling_run    who has no row; evening by evening
 *     gate_check                          whether that is good enough (gate_rules.h)
 *
 * What the towers alone are worth on the validation part:
 *
 *     const struct evaluation_request request = {
 *         .dataset = fit, .held_out = &fit->valid, .unknown = fit->valid_unknown,
 *         .barred = &fit->valid_barred, .max_users = 10000, .embeddings = &embeddings,
 *         .weights = {.beta = embeddings.alpha}, .prefix = "valid:",
 *         .n_metrics = 1, .metrics = (const char *[]){"ndcg@20"}};
 *     TRY(evaluation_run(&request, pool, &rows, status));
 *     metric_rows_find(&rows, "valid:ndcg@20", "nightjar", "all", &value);
 */
#ifndef NIGHTJAR_EVALUATION_EVALUATION_H
#define NIGHTJAR_EVALUATION_EVALUATION_H

#include "base/pool.h"
#include "base/watch.h"
#include "evaluation/metric_rows.h"
#include "ranking/score.h"

struct evaluation_request {
    const struct dataset *dataset;  /* the towers' basis */
    struct crowd crowd;             /* whose rows it has */
    const struct history *held_out; /* its test part, or its validation part */
    const int32_t *unknown;         /* that part's unknown items per user; NULL: none */
    size_t unknown_users;           /* of all ranks */
    const struct sparse *barred;    /* what lists leave out beside train, when that part begins */
    size_t max_users;               /* of more, a seeded sample is judged */
    const struct embeddings *embeddings;
    struct score_weights weights;         /* of the model nightjar */
    double towers_beta, towers_half_life; /* of the towers alone */
    double popular_half_life;             /* of popularity alone; of recent_popularity */
    struct score_sources sources;         /* of that basis */
    const char *prefix;                   /* put before every metric's name: "" or "valid:" */
    size_t n_metrics;
    const char *const *metrics; /* that evaluation_knows; repeats are allowed */
    size_t n_judged;
    const char *const *judged; /* of them those whose standard errors are measured */
    uint64_t seed;
    struct watch watch; /* told in users, once for each model */
    /* Judged is one evening after the other (rolling.h): with models that look at time, too */
    bool is_evening;
    int64_t evening;                   /* Unix seconds */
    const struct sparse *item_weights; /* baseline_item_weights, borrowed; NULL: made here */
    /* Takes what was ranked, lists (n, k) of the dataset's rows; NULL: nobody does */
    enum status_code (*take_lists)(const struct evaluation_request *request, const char *model,
                                   const int32_t *rows, size_t n, const int32_t *lists, size_t k,
                                   struct status *status);
    void *take_data;
};

/* How many models are measured: what the watch's total counts each user for. */
size_t evaluation_models(const struct evaluation_request *request);
/* Whether `name` is a metric or list measure with its @k. */
bool evaluation_knows(const char *name);
/* The metrics that a run is told by: of the n names, of which the gate's begin at `gate`, the
 * gate's, else ndcg@20, else the first that has a value for each user. Part of `names`; *n_judged
 * 0: none has. */
const char *const *evaluation_judged(const char *const *names, size_t gate, size_t n,
                                     size_t *n_judged);
/* Adds rows for each group with users and each model: nightjar (the blended score), popularity and
 * item_item; with a popular_half_life also recent_popularity; where repeats count also own (the
 * items of the user's history by log(1 + w 2^(-age / 90 days)), the popular ones behind them), and
 * the row METRIC_REPEATS; with evidence also towers (nightjar with gamma 0 and its own beta) and
 * evidence (nothing but the evidence, with the exponent of nightjar); of an evening
 * item_item_recent (each of the history's items counts half after 30 days) and, with transitions,
 * transitions (what followed the newest item, or its basket). And the counts "users" (each group)
 * and "unknown_users" under the model "data". Over all users a judged metric's rows have their
 * standard error: nightjar's that of its mean, those of the other models that of nightjar's mean
 * difference to them, user by user. `rows` is appended to. A collective. */
MUST_CHECK enum status_code evaluation_run(const struct evaluation_request *request,
                                           struct pool *pool, struct metric_rows *rows,
                                           struct status *status);

#endif
