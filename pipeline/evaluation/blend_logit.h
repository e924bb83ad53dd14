/* A multinomial logit with weights that are not negative (blend_fit.c), by Newton steps. */
#ifndef NIGHTJAR_EVALUATION_BLEND_LOGIT_H
#define NIGHTJAR_EVALUATION_BLEND_LOGIT_H

#include "base/pool.h"

enum { LOGIT_COLUMNS_MAX = 32 };

/* The choices of one case: the first n_chosen rows, each against all rows from there on, of which
 * those from n_sure on are a sample and each stand for so many. */
struct logit_choice {
    size_t n, n_chosen, n_sure; /* 0: the case does not count */
    double stands_for;
    size_t n_relevant; /* what a list could find: the chosen, and what has no row */
    float *x;          /* (n, n_columns); NULL beside n > 0: there was no memory for it */
};

/* Zero-initialise. */
struct logit {
    size_t n_users, n_columns;
    const int64_t *offsets;          /* (n_users + 1) of each user's cases */
    struct logit_choice *choices;    /* (offsets[n_users]) each owns its x */
    struct logit_sums *blocks;       /* of one pass over the users */
    size_t n_weighed;                /* numbers in the greatest x */
    float *weighed;                  /* (threads, n_weighed) */
    double *scores;                  /* (threads, rows of the greatest x) */
    double scale[LOGIT_COLUMNS_MAX]; /* a column's standard deviation; x is divided by it */
};

/* Which users count. */
enum logit_users { LOGIT_EVEN, LOGIT_ODD, LOGIT_ALL };
static inline bool logit_counts(enum logit_users users, size_t user)
{
    return users == LOGIT_ALL || (user % 2 == 0) == (users == LOGIT_EVEN);
}

struct logit_fit {
    double w[LOGIT_COLUMNS_MAX];     /* in: where to begin; out: the weights */
    double error[LOGIT_COLUMNS_MAX]; /* out: standard error of each; 0 of what is out or at its
                                        least */
    double least[LOGIT_COLUMNS_MAX]; /* >= 0: no weight is smaller */
    bool is_out[LOGIT_COLUMNS_MAX];  /* weight 0 */
    double loss;
};

/* The offsets are borrowed. Cases of one user may depend on each other, users do not. */
MUST_CHECK enum status_code logit_init(struct logit *logit, const int64_t *offsets, size_t n_users,
                                       size_t n_columns, struct status *status);
/* Once every choice is filled in: columns get one scale. `pool` is the one to fit with. A choice
 * without its x: STATUS_NO_MEMORY. */
MUST_CHECK enum status_code logit_ready(struct logit *logit, const struct pool *pool,
                                        struct status *status);
/* The minimum of the loss that blend_fit.c writes down. The same bytes for any number of threads.
 */
void logit_fit(const struct logit *logit, enum logit_users users, struct pool *pool,
               struct logit_fit *fit);
void logit_release(struct logit *logit);

#endif
