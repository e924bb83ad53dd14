/* The test part judged as lists are used: made every night, so that the truth is the next day. For
 * each of its last days there is a dataset of the evening before (evening.h); towers, pairs and
 * weights stay what they were when the train part ended. */
#ifndef NIGHTJAR_EVALUATION_ROLLING_H
#define NIGHTJAR_EVALUATION_ROLLING_H

#include "evaluation/evaluation.h"
#include "evaluation/evening.h"

enum { ROLLING_DAYS_MAX = 366 };

struct rolling_request {
    /* Of the test part as a whole, whose dataset has times. What an evening has of its own is put
       in its place; its item_weights are those of all evenings, all metrics of the user's list. */
    struct evaluation_request evaluation;
    const struct interactions *interactions; /* that the dataset is a basis of */
    const struct late_events *events;
    size_t days;        /* 1 to ROLLING_DAYS_MAX; fewer where the test part is shorter */
    struct watch watch; /* told in evenings */
};

/* Adds a row for each model and metric and each evening on which anybody is judged, group
 * "evening:2026-11-30", the date (UTC) of its moment; and under the group "evenings" the mean over
 * them, "NAME:error" its standard error (from two evenings on). Of the model "data": users, of each
 * evening and all together, unknown_users, and evenings. *n_evenings: how many were judged. */
MUST_CHECK enum status_code rolling_run(const struct rolling_request *request, struct pool *pool,
                                        struct metric_rows *rows, size_t *n_evenings,
                                        struct status *status);

#endif
