/* Pipelines that share their users by chance (output.variant), and what became of the lists of
 * each: because chance decides who gets which, their difference is due to the lists.
 *
 * Compared are the users with a list, also those who did nothing, by the number of their rows that
 * came true (evaluation/outcome.h) over all kept generations, from when the last of the pipelines
 * began with its share of this trial. */
#ifndef NIGHTJAR_EVALUATION_VARIANTS_H
#define NIGHTJAR_EVALUATION_VARIANTS_H

#include "evaluation/outcome.h"

/* Metrics of a generation that is part of a trial, which is their group; the model is "lists". */
#define VARIANT_SHARE "variant_share"
#define VARIANT_FROM  "variant_from"

enum { VARIANT_TEXT_MAX = 72 };

struct variant {
    char pipeline[VARIANT_TEXT_MAX], prefix[VARIANT_TEXT_MAX];
    int64_t since; /* Unix seconds */
    int64_t n_users;
    double mean, error; /* rows that came true for each of them, and its standard error */
};

/* All whose newest generation in the database is of the trial `of`, by prefix; *n 0: not two of
 * them, or nothing is known of one. *out is the caller's (mem_free). */
MUST_CHECK enum status_code variants_judge(struct db *db, const char *of,
                                           const struct outcome_truth *truth,
                                           const struct watch *watch, struct variant **out,
                                           size_t *n, struct status *status);
/* Adds to the outcomes of the newest judged generation, where there is one, for each variant, whose
 * pipeline is the model: outcome_variant (the mean), outcome_variant_error, outcome_variant_users.
 * The texts stay the variants'. */
MUST_CHECK enum status_code variants_add(const struct variant *variants, size_t n,
                                         struct outcome *out, struct status *status);

#endif
