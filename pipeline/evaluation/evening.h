/* The dataset of an evening: what was known then, and what was chosen behind it. Histories and what
 * is left out are those of the moment; towers, pairs and weights stay what they were when the train
 * part ended.
 *
 *     the train part      a later part         the newest event
 *     --------------------|-----e1--------e2--------e3--------|
 *                               |  day 1  |  day 2  |  day 3  |
 *
 * Days are counted back from the newest event, 24 hours each, in no time zone: so they are whole.
 *
 * A pair of the train part or of an event before the evening is in the history; its time is that of
 * its newest event, its value the sum of the values. A held-out item is one with an event of the
 * time behind the evening which is not in the history and not barred, once; where repeats count
 * (struct dataset), every item of that time. Items without a column are misses, users without a row
 * unknown, pairs whose last word is a dislike count for nothing.
 *
 * Under several ranks each has an evening of its own users, and everything below is a collective.
 */
#ifndef NIGHTJAR_EVALUATION_EVENING_H
#define NIGHTJAR_EVALUATION_EVENING_H

#include "dataset/crowd.h"
#include "base/clock.h"
#include "events/late_events.h"

struct evening_source {
    const struct dataset *dataset;           /* the basis, with times */
    const struct sparse *barred;             /* what the part's lists leave out; NULL: nothing */
    const struct interactions *interactions; /* that the dataset is a basis of */
    const struct late_events *events;
    struct crowd crowd; /* whose rows the dataset has */
    int64_t seconds;    /* so long behind an evening is asked; CLOCK_DAY for a day */
    /* (n_users of the basis) rows that may be asked. NULL: all, and all of them have a row. Else
       only those who are asked have one, and evening_popularity stands for the others. */
    const uint8_t *wanted;
};

/* Zero-initialise. What is not made anew is the basis's own. */
struct evening {
    struct dataset dataset; /* train: the histories; test: what is asked */
    int32_t *rows;          /* (n_users of the dataset) of the basis; NULL: the same rows */
    int32_t *unknown;       /* (n_users of the dataset) */
    size_t unknown_users;   /* of all ranks */
    bool asks_anybody;      /* on any rank */
    /* Of everybody's pairs since the train part; where there are `wanted` */
    size_t n_changes;
    struct evening_change {
        int32_t column;
        int64_t time, trained; /* newest by then; of the train part, INT64_MIN: it has none */
    } * changes;
    int64_t now; /* newest time of all histories */
    struct ranks *ranks;
};
/* The evening at `time` (Unix seconds). */
MUST_CHECK enum status_code evening_init(struct evening *evening,
                                         const struct evening_source *source, int64_t time,
                                         struct status *status);
void evening_release(struct evening *evening);

/* p (n_items) holds crowd_popularity of the basis's train part, whose newest time is `trained`,
 * and becomes that of all histories of the evening, which has to be of a `wanted` source. */
MUST_CHECK enum status_code evening_popularity(const struct evening *evening, double half_life_days,
                                               int64_t trained, double *p, struct status *status);

#endif
