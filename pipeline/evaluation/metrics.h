/* Ranking metrics over full rankings, never sampled. Definitions, denominators and sources stand
 * beside the tables in metrics.c. */
#ifndef NIGHTJAR_EVALUATION_METRICS_H
#define NIGHTJAR_EVALUATION_METRICS_H

#include "base/pool.h"
#include "dataset/dataset.h"

enum { METRIC_K_MAX = 1000 };

/* Every metric and measure, by the name of its function in metrics.c: the tables, the help,
 * messages and the patterns that editors get (option.h) come from here. */
#define METRICS(FIRST, ROW)                                                                        \
    FIRST(recall)                                                                                  \
    ROW(ndcg)                                                                                      \
    ROW(hit)                                                                                       \
    ROW(precision)                                                                                 \
    ROW(mrr)                                                                                       \
    ROW(map)
#define LIST_MEASURES(ROW)                                                                         \
    ROW(coverage)                                                                                  \
    ROW(gini)                                                                                      \
    ROW(novelty)                                                                                   \
    ROW(popularity)

#define METRIC_NAME(name) #name
#define METRIC_NEXT(name) ", " #name
#define METRIC_OR(name)   "|" #name
#define METRIC_AT         ")@0*([1-9][0-9]{0,2}|1000)$"

#define METRIC_NAMES    METRICS(METRIC_NAME, METRIC_NEXT) /* "recall, ndcg, ..." */
#define MEASURE_NAMES   LIST_MEASURES(METRIC_NEXT)        /* ", coverage, ..." */
#define METRIC_PATTERN  "^(" METRICS(METRIC_NAME, METRIC_OR) METRIC_AT
#define MEASURE_PATTERN "^(" METRICS(METRIC_NAME, METRIC_OR) LIST_MEASURES(METRIC_OR) METRIC_AT

struct metric {
    const char *name; /* "recall" */
    /* hits[r] = 1 when the item at rank r + 1 is relevant; n_relevant > 0 includes unknown items */
    double (*of_user)(const uint8_t *hits, size_t k, size_t n_relevant);
};
extern const struct metric metric_table[]; /* ends with a NULL name */

/* "ndcg@20" -> its row and k in [1, METRIC_K_MAX]; false when it is not a metric. */
bool metric_parse(const char *text, size_t length, const struct metric **metric, size_t *k);

/* Per-user values: out (n_rows) gets metric@k of each anchor whose held-out count is positive,
 * NAN for the others. lists (n_rows, list_k) ranks item columns, -1 ends; rows[a] is the dataset
 * row of anchor a (NULL: a). held_out and unknown as in struct dataset. k <= METRIC_K_MAX; ranks
 * beyond list_k count as misses. */
void metric_per_user(const struct metric *metric, size_t k, const int32_t *lists, size_t list_k,
                     const int32_t *rows, size_t n_rows, const struct sparse *held_out,
                     const int32_t *unknown, double *out);
/* The mean of n > 0 values, each `step` places behind the one before, and its standard error: NAN
 * of a single one. */
void metric_mean_error(const double *values, size_t step, size_t n, double *mean, double *error);

/* Which items the lists show, whether they hit or not. */
struct exposure {
    size_t n_items, n_users; /* of the train part */
    const int64_t *counts;   /* (n_items) n_i: train users of each item; the caller's */
    int64_t *shown;          /* (n_items) lists that show the item among their first k */
    int64_t *ascending;      /* (n_items) the same numbers sorted, once finished */
};

struct list_measure {
    const char *name; /* "coverage" */
    double (*of_exposure)(const struct exposure *exposure);
};
extern const struct list_measure list_measure_table[]; /* ends with a NULL name */

/* "coverage@20", like metric_parse. */
bool list_measure_parse(const char *text, size_t length, const struct list_measure **measure,
                        size_t *k);
MUST_CHECK enum status_code exposure_init(struct exposure *exposure, const int64_t *counts,
                                          size_t n_items, size_t n_users, struct status *status);
/* Counts the first k of each of the n_rows lists (n_rows, list_k); -1 ends a list. */
void exposure_add(struct exposure *exposure, const int32_t *lists, size_t list_k, size_t n_rows,
                  size_t k);
/* After the last addition, before any measure. */
void exposure_finish(struct exposure *exposure);
void exposure_release(struct exposure *exposure);

#endif
