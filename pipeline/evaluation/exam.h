/* What the weights of the score are judged on: users of a validation part, asked once about all of
 * it, or on each of its evenings (evening.h) about the day behind. A case is a user who is asked; a
 * user's value is the sum of his cases' times n_users / n_cases, so that the mean over users is the
 * mean over cases, and users, not cases, are compared.
 *
 * Under several ranks an exam is of the users of all of them, who have one place each, and every
 * rank asks its own. What makes or measures an exam is a collective. */
#ifndef NIGHTJAR_EVALUATION_EXAM_H
#define NIGHTJAR_EVALUATION_EXAM_H

#include "base/pool.h"
#include "base/watch.h"
#include "evaluation/evening.h"
#include "evaluation/validation.h"
#include "ranking/score.h"

/* One question: what comes next? Histories and what is asked have the same rows. */
struct exam_sitting {
    const struct history *histories, *held_out;
    const int32_t *unknown;        /* (rows) or NULL */
    const struct sparse *exclude;  /* (rows, n_items) what no list has */
    const struct evening *evening; /* NULL: the basis's train part */
    size_t n;                      /* cases, of this rank's users */
    int32_t *rows, *users;         /* (n) of the histories; of the basis, ascending */
    int32_t *places, *cases;       /* (n) which of the exam's users, and cases */
};

/* Zero-initialise. */
struct exam {
    const struct dataset *dataset; /* the basis */
    struct crowd crowd;            /* whose rows it has */
    const struct metric *metric;
    size_t k;
    const uint32_t *tie_rank; /* (n_items) */
    size_t n_users, n_cases;  /* of all ranks */
    size_t n_own;             /* cases of this one's users */
    int64_t *offsets;         /* (n_users + 1) of each user's cases */
    size_t n_sittings;
    struct exam_sitting *sittings;
    int64_t trained;            /* newest time of the train part; INT64_MIN: it has none */
    struct exam_memory *memory; /* evenings, and popularity once it is asked for */
    bool shares_memory;         /* with an exam that it was made of */
};

/* Of a validation with users, which must outlive it. Asked are all of them, once; or, where
 * `evenings` is given (its `wanted` is set here) and the part is newer than the train part, about
 * as many cases in all, but everybody who comes on an evening at least on one. */
MUST_CHECK enum status_code exam_init(struct exam *exam, const struct validation *validation,
                                      const struct evening_source *evenings, struct status *status);
/* The same with fewer users, evenly taken, or with every other one; `exam` must outlive it. */
enum exam_users { EXAM_EVEN, EXAM_ODD, EXAM_ALL };
/* Which of n users is number i of n_kept that are evenly taken. */
static inline size_t exam_taken(size_t i, size_t n, size_t n_kept)
{
    return i * n / n_kept;
}
MUST_CHECK enum status_code exam_thin(const struct exam *exam, size_t most_cases,
                                      enum exam_users users, struct exam *out,
                                      struct status *status);
void exam_release(struct exam *exam);
/* Whether the train part has times, on any rank. */
bool exam_has_times(const struct exam *exam);

/* p (n_items): the popularity with that half-life when the sitting began. */
MUST_CHECK enum status_code exam_popularity(const struct exam *exam,
                                            const struct exam_sitting *sitting, double half_life,
                                            double *p, struct status *status);

/* What is asked: towers of the exam's dataset, and sources of that dataset, too. */
struct exam_scoring {
    const struct embeddings *embeddings;
    struct score_sources sources;
};
/* score_init of the moment. */
MUST_CHECK enum status_code exam_score(const struct exam *exam, const struct exam_sitting *sitting,
                                       const struct exam_scoring *scoring,
                                       const struct score_weights *weights, struct score *score,
                                       struct status *status);
/* The ranking of cases [first, first + n), whose vectors are written to anchors (n, d); score_apply
 * with sitting->rows + first does the rest. Lists hold exam_list_length items. */
struct ranking exam_ranking(const struct exam *exam, const struct exam_sitting *sitting,
                            const struct embeddings *embeddings, size_t first, size_t n,
                            float *anchors);
size_t exam_list_length(const struct exam *exam); /* k, or all items */
/* Adds the metric of cases [first, first + n) with these lists (n, list_k) to the values (n_users)
 * of their users, which crowd_join makes those of all. */
void exam_add(const struct exam *exam, const struct exam_sitting *sitting, size_t first, size_t n,
              const int32_t *lists, size_t list_k, double *values);

struct exam_progress {
    struct watch watch; /* told in cases */
    double done, total; /* over all measurements */
};
/* values (n, n_users) of the metric under each setting, in one pass over the products. Settings
 * have the same parts but for their weights; those that share an exponent, and among these a gamma,
 * should stand side by side. */
MUST_CHECK enum status_code exam_measure(const struct exam *exam,
                                         const struct exam_scoring *scoring,
                                         const struct score_weights *settings, size_t n,
                                         struct pool *pool, struct exam_progress *progress,
                                         double *values, struct status *status);

#endif
