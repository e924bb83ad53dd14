/* The search behind `nightjar tune`: that of search/joint_search.h over the options' ranges, from
 * the configuration as it is, judged on the validation part of the data. A trial runs the stages
 * that `calibrate` (or without it `train`) needs, through the runner, in a work database of its
 * own; the test part is read by no stage of a trial. All trials see the same rows, extracted once.
 * Finished trials are kept there, so that a search goes on where it stopped.
 *
 *     const struct tune_request request = {.plan = plan,             as plan_load gave it
 *                                          .registry = registry,
 *                                          .log = log,
 *                                          .n_trials = 27};
 *     struct tune_result result = {0};
 *     TRY(tune_run(&request, &result, status));
 *     const struct tune_trial *best = &result.trials[result.winner];
 *     if (result.is_better) {                                        into the file that plan is of
 *         TRY(plan_edit(&text, plan->file, best->settings, best->n_settings, status));
 *     }
 *     tune_result_release(&result);
 *
 * Inside: trial_plan.h the stages of a trial; tune_data.h the rows; tune_store.h what is known. The
 * room's other search is auto_settings.h, inside a run: what the configuration leaves to `auto`. */
#ifndef NIGHTJAR_TUNING_TUNE_H
#define NIGHTJAR_TUNING_TUNE_H

#include "tuning/tune_request.h"

/* Zero-initialise; release with tune_result_release. */
struct tune_result {
    char metric[64]; /* "ndcg@20" */
    size_t epochs;   /* of a trial in full */
    size_t n_trials;
    struct tune_trial *trials; /* (n_trials) the longest of each settings, best first, those in
                                  full before shorter ones */
    size_t winner, baseline;   /* into trials, both in full; the configuration as it is */
    bool is_better;            /* the winner beats the configuration beyond chance */
    double gain, error; /* of the winner over it: mean of the users' paired differences, and its
                           standard error; NAN where the stages tell no values of users */
    bool out_of_time;
    double seconds; /* of all trials, those of earlier calls included */
    struct arena arena;
};

/* The configuration itself runs first, in full as the winner does, and only a gain beyond one
 * standard error over it counts. Out of time, the best of what has finished is taken. A trial that
 * fails by its settings (STATUS_DATA, STATUS_CONFIG, STATUS_USAGE, STATUS_NO_MEMORY) loses; of
 * trial 0 it is the search's error. Other errors: STATUS_CONFIG without a train stage or a
 * validation part, STATUS_USAGE for ranges, STATUS_BUSY when another tune of the pipeline runs,
 * STATUS_SIGNAL when stopped, and those of the stages. */
MUST_CHECK enum status_code tune_run(const struct tune_request *request, struct tune_result *result,
                                     struct status *status);
void tune_result_release(struct tune_result *result);

#endif
