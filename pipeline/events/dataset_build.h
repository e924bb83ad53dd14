/* Out of sorted, split events: the two bases of struct interactions. */
#ifndef NIGHTJAR_EVENTS_DATASET_BUILD_H
#define NIGHTJAR_EVENTS_DATASET_BUILD_H

#include "events/dataset_core.h"

/* Decay counts from the newest event of what a basis is trained on, so that nothing of the later
 * parts reaches FIT. Held-out weights do not decay. A held-out pair is dropped when the user has it
 * among the basis's training events (before cap and k-core); from test, also when it is in
 * validation; from either, when it was seen before (log->seen, sorted and split, or NULL); with
 * repeats it never is. Nothing
 * of what is held out on purpose reaches FIT outside its cold part; ALL knows no such difference.
 * `log` is sorted and split; its vocabularies move into `out`. `given_test` (NULL: none) is a
 * sorted log of its own whose vocabularies are compared by id; both bases then get it as their test
 * part, which no dislike and
 * nothing that was only seen changes. Dislikes of log->dislikes (sorted and split, or NULL) are
 * settled with the positives as dislikes.h says. `out` zeroed. Errors: STATUS_DATA when nothing is
 * left to train on, naming what took it. */
MUST_CHECK enum status_code interactions_build(struct event_log *log,
                                               const struct event_log *given_test,
                                               const struct dataset_rules *rules,
                                               struct interactions *out, struct status *status);
/* Moves vocabularies and pairs of rows that were only seen into `out` (zeroed); `seen` is sorted.
 */
MUST_CHECK enum status_code seen_pairs_fold(struct event_log *seen, struct seen_pairs *out,
                                            struct status *status);
/* Ordinal numbers are no times: where the log, or a given test, has none, their arrays go. */
void interactions_drop_ordinals(struct interactions *interactions, bool test_has_times);

#endif
