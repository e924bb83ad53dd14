/* What became of lists that were published: the share of their rows that came true.
 *
 * A row (user, item) of a generation comes true when the user has an event with the item while
 * people see that generation: from its publishing, or a rollback to it, to the next one's. Only the
 * lists of users are judged who have any event in that time; the others were not there to be shown
 * anything. Beside it stands what the generation's popular items would have had, in the same lists'
 * length, without what the user had before the run began (with it, where the lists have such items,
 * too). What is shown is chosen more often because it is shown: the popular items were not, so the
 * comparison flatters the lists.
 *
 *     struct outcome outcome = {0};
 *     TRY(outcome_judge(db, prefix, &truth, INT64_MIN, &watch, &outcome, status));
 *     content.outcomes = outcome.rows ...
 *     outcome_release(&outcome);
 *
 * Users ann and bob had lists of two rows each, ann took her second one, bob did nothing:
 * outcome_share is 1 / 2, outcome_per_user 1 / 2 as well (one row, two users with a list). */
#ifndef NIGHTJAR_EVALUATION_OUTCOME_H
#define NIGHTJAR_EVALUATION_OUTCOME_H

#include "base/watch.h"
#include "dataset/dataset.h"
#include "events/new_events.h"
#include "publishing/publish_content.h"
#include "ranks/ranks.h"

/* What users did, as of tonight. */
struct outcome_truth {
    const struct interactions *interactions; /* with their log and its times */
    const struct new_events *events;         /* in their codes */
    struct ranks *ranks; /* over which the users are spread; all of them read the database. NULL:
                            one */
};

/* Rows that came true, user by user over all generations that were judged: those who did nothing
 * count 0. */
struct outcome_total {
    int64_t n_users; /* with a list: the most that a generation has */
    double sum, squares;
};

/* Zero-initialise. */
struct outcome {
    size_t n;
    struct publish_outcome *rows; /* by generation: model "lists", or "popularity", of
        outcome_share    rows that came true, in groups: all, ranks:1-5 ..., source:model ...,
                         users:1-4 ... (items that the user has in the log)
        outcome_hit      users of whom at least one row did
        outcome_per_user rows that came true for each user with a list, and outcome_per_user_error
        outcome_over_popular      how many more for each user judged than of the popular items, and
                                  outcome_over_popular_error
        outcome_users, outcome_rows    judged
        outcome_hours    that people have seen it, to the newest event */
    struct outcome_total total;
};

/* Judges the generations that are kept under `prefix`, of what happened since `since`. One whose
 * time begins before the events do, or that nobody saw who had a list, is left out. Events at whole
 * days do not say which list came before: new_events_are_days. Of several ranks each judges its
 * users, and all tell of all. */
MUST_CHECK enum status_code outcome_judge(struct db *db, const char *prefix,
                                          const struct outcome_truth *truth, int64_t since,
                                          const struct watch *watch, struct outcome *out,
                                          struct status *status);
/* Of n values with this sum and sum of squares; an error of 0 where n is below 2, a mean of NAN
 * where it is 0. */
void outcome_mean(double sum, double squares, int64_t n, double *mean, double *error);
void outcome_release(struct outcome *outcome);

#endif
