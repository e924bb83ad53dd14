/* Between evaluation_models.c, which ranks a block of users, and evaluation_run.c, which judges it.
 */
#ifndef NIGHTJAR_EVALUATION_EVALUATION_INTERNAL_H
#define NIGHTJAR_EVALUATION_EVALUATION_INTERNAL_H

#include "evaluation/evaluation.h"
#include "evaluation/metrics.h"
#include "evaluation/shard_sums.h"

enum {
    N_USER_GROUPS = 4,
    N_ITEM_GROUPS = 3,
    N_SETS = 1 + N_ITEM_GROUPS, /* relevant items: all of them, or one item group's */
    N_GROUPS = 1 + N_USER_GROUPS + N_ITEM_GROUPS
};

/* One asked metric or measure; exactly one of the two pointers is set. */
struct asked {
    const char *name;
    const struct metric *metric;
    const struct list_measure *measure;
    size_t k;
    struct exposure exposure; /* of the measure, refilled for each model */
    double *own, *of_model; /* (n_all) a judged metric's values of nightjar, of the model at hand */
};

/* The asked names, repeats dropped; *asked is the caller's to free. */
MUST_CHECK enum status_code evaluation_parse(const char *const *names, size_t n_names,
                                             struct asked **asked, size_t *n_asked,
                                             struct status *status);

/* Of a shard, or of all: (N_GROUPS, 1 + n_asked) users, and sums of their values. */
static inline double *group_of(double *sums, size_t group, size_t n_asked)
{
    return sums + group * (1 + n_asked);
}

struct evaluation {
    const struct evaluation_request *request;
    struct pool *pool;
    size_t n_asked, max_k;
    struct asked *asked;
    size_t n_rows, n_all;              /* users judged: of this rank, of all */
    int32_t *rows, *places;            /* (n_rows) ascending; among all */
    size_t block;                      /* users ranked at a time */
    uint32_t *tie_rank;                /* (n_items) */
    int64_t *counts;                   /* (n_items) n_i */
    uint8_t *item_group;               /* (n_items) in [0, N_ITEM_GROUPS) */
    struct score score;                /* of the model that runs, where it is one of ours */
    struct sparse joined;              /* dataset_excluded */
    const struct sparse *exclude;      /* what no list has */
    struct sparse made_weights;        /* where the request has none */
    const struct sparse *item_weights; /* of the item-item baseline */
    float *entry_weights;              /* (train entries) of the item-item baseline; NULL: 1 */
    int32_t *order;                    /* (n_items) by the popularity of the model that runs */
    int32_t *lists;                    /* (block, max_k) */
    float *scores;                     /* (block, max_k) */
    float *anchors;                    /* (block, d) */
    double *values;                    /* (block, N_SETS, n_asked) NAN: the user does not count */
    struct shard_sums sums;            /* of the model that runs */
    double *groups;                    /* their total */
    double users_done;                 /* over all models */
};

/* What a model cannot do without. */
enum needs {
    NEEDS_NOTHING,
    NEEDS_PARTS,
    NEEDS_EVIDENCE,
    NEEDS_RIDGE,
    NEEDS_HALF_LIFE,
    NEEDS_REPEATS,
    NEEDS_EVENING,
    NEEDS_TRANSITIONS
};

struct model {
    const char *name;
    enum needs needs;
    enum status_code (*start)(struct evaluation *evaluation, struct status *status);
    /* Fills lists (count, max_k) for the rows from `first` on. */
    enum status_code (*rank)(struct evaluation *evaluation, size_t first, size_t count,
                             struct status *status);
};

/* The first of the models that the request measures behind `model`, with NULL the first of all;
 * NULL: there is none. */
const struct model *evaluation_next_model(const struct evaluation_request *request,
                                          const struct model *model);

#endif
