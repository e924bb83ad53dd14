/* The test part judged as lists are used: made every night, so that the truth is the next day. For
 * each of its last days there is a dataset of the evening before: histories, popularity and what is
 * left out are those of that evening, and asked is what came in the 24 hours behind it. Towers,
 * pairs and weights stay what they were when the train part ended.
 *
 *     before the test part        the test part            the newest event
 *     --------------------|-----e1--------e2--------e3--------|
 *                               |  day 1  |  day 2  |  day 3  |
 *
 * Days are counted back from the newest event, 24 hours each, in no time zone: so they are whole.
 *
 * Of an evening: a pair of the train part or of an event before it is in the history; its time is
 * that of its newest event, its value the sum of the values. A held-out item is one with an event
 * of that day which is not in the history and not barred, once; where repeats count (struct
 * dataset), every item of the day. Items without a column are misses, users without a row unknown,
 * pairs whose last word is a dislike count for nothing. */
#ifndef NIGHTJAR_EVALUATION_ROLLING_H
#define NIGHTJAR_EVALUATION_ROLLING_H

#include "evaluation/evaluation.h"
#include "events/late_events.h"

enum { ROLLING_DAY = 86400, ROLLING_DAYS_MAX = 366 };

struct rolling_request {
    /* Of the test part as a whole, whose dataset has times. What an evening has of its own is put
       in its place; its item_weights are those of all evenings, all metrics of the user's list. */
    struct evaluation_request evaluation;
    const struct interactions *interactions; /* that the dataset is a basis of */
    const struct late_events *events;
    size_t days;        /* 1 to ROLLING_DAYS_MAX; fewer where the test part is shorter */
    struct watch watch; /* told in evenings */
};

/* Zero-initialise. What is not made anew is the basis's own. */
struct evening {
    struct dataset dataset; /* train: the histories; test: the day's */
    int32_t *unknown;       /* (n_users) */
    size_t unknown_users;
};
/* The dataset of the evening at `time` (Unix seconds). */
MUST_CHECK enum status_code evening_init(struct evening *evening,
                                         const struct rolling_request *request, int64_t time,
                                         struct status *status);
void evening_release(struct evening *evening);

/* Adds a row for each model and metric and each evening on which anybody is judged, group
 * "evening:2026-11-30", the date (UTC) of its moment; and under the group "evenings" the mean over
 * them, "NAME:error" its standard error (from two evenings on). Of the model "data": users, of each
 * evening and all together, unknown_users, and evenings. *n_evenings: how many were judged. */
MUST_CHECK enum status_code rolling_run(const struct rolling_request *request, struct pool *pool,
                                        struct metric_rows *rows, size_t *n_evenings,
                                        struct status *status);

#endif
