/* Ranking metrics over full rankings, never sampled. Definitions, denominators and sources stand
 * beside the table in metrics.c. */
#ifndef NIGHTJAR_MODEL_METRICS_H
#define NIGHTJAR_MODEL_METRICS_H

#include "base/pool.h"
#include "model/dataset.h"

struct metric {
    const char *name; /* "recall", "ndcg", "hit", "precision", "mrr", "map" */
    /* hits[r] = 1 when the item at rank r + 1 is relevant; n_relevant > 0 includes unknown items */
    double (*of_user)(const uint8_t *hits, size_t k, size_t n_relevant);
};
extern const struct metric metric_table[]; /* ends with a NULL name */

/* "ndcg@20" -> its row and k in [1, 1000]; false when it is not a metric. */
bool metric_parse(const char *text, size_t length, const struct metric **metric, size_t *k);

/* Per-user values: out (n_rows) gets metric@k of each anchor whose held-out count is positive,
 * NAN for the others. lists (n_rows, list_k) ranks item columns, -1 ends; rows[a] is the dataset
 * row of anchor a (NULL: a). held_out and unknown as in struct dataset. */
void metric_per_user(const struct metric *metric, size_t k, const int32_t *lists, size_t list_k,
                     const int32_t *rows, size_t n_rows, const struct sparse *held_out,
                     const int32_t *unknown, double *out);
/* Mean over the values that are not NAN, and how many (may be NULL); 0 of none. */
double metric_mean(const double *values, size_t n, size_t *n_valid);

#endif
