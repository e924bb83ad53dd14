/* What a stage may ask and tell the run that it is part of. The runner makes the context; a stage
 * sees only these functions, those of run/context_data.h (what it reads, makes and keeps) and those
 * of run/context_databases.h (source, output and work database).
 *
 *      static enum status_code thing_run(struct context *context, const void *options, ...)
 *      {
 *          TRY(context_input(context, "interactions", &in, status));
 *          for (...) {
 *              TRY(context_check_stop(context, status));
 *              ...
 *          }
 *          context_set_rows(context, n);
 *          TRY(context_output(context, &made, status));
 *      }
 */
#ifndef NIGHTJAR_RUN_CONTEXT_H
#define NIGHTJAR_RUN_CONTEXT_H

#include "base/hash.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/watch.h"
#include "config/plan.h"
#include "evaluation/metric_rows.h"
#include "io/progress.h"
#include "publishing/generation.h"

struct context;

const struct plan *context_plan(const struct context *context);
const struct plan_settings *context_settings(const struct context *context); /* of the plan */
uint64_t context_seed(const struct context *context);
const char *context_label(const struct context *context); /* of the running stage */
/* A hash of all that decides about the running stage's outputs, save what it reads outside. */
const char *context_key(const struct context *context);
struct pool *context_pool(const struct context *context);
/* Who carry the run out together; NULL: this process alone. */
struct ranks *context_ranks(const struct context *context);
struct log *context_log(const struct context *context);
struct progress *context_progress(const struct context *context); /* never NULL */
int64_t context_run_started(const struct context *context);     /* Unix seconds: for records only */
const char *context_config_hash(const struct context *context); /* of all resolved options */

/* Seconds that a stage which trains may take: its share of what --max-time leaves, the stages
 * behind it that train get the same; INFINITY without a limit, <= 0: none is left. */
double context_training_time(const struct context *context);
/* Says that the stage's outputs are usable but not what they would be without the limit: the next
 * run goes on from the stage's checkpoint. */
void context_set_cut_short(struct context *context);

/* STATUS_SIGNAL once a stop was asked for. Long loops call it at least once a second. */
MUST_CHECK enum status_code context_check_stop(struct context *context, struct status *status);
/* For work that is watched: its progress is shown in the bar that the stage has started, a stop
 * asked for ends it. The second shows nothing. */
struct watch context_watch(struct context *context);
struct watch context_stop_watch(struct context *context);

/* The `fingerprint` of a stage that must run every time. */
MUST_CHECK enum status_code context_always_run(struct context *context, const void *options,
                                               char out[HASH_TEXT_MAX], struct status *status);
/* How many rows the stage read or wrote: shown by run, kept in the history. */
void context_set_rows(struct context *context, int64_t rows);
/* One metric of the run: kept in the work database's history, published by the publish stage. */
MUST_CHECK enum status_code context_add_metric(struct context *context,
                                               const struct publish_metric *metric,
                                               struct status *status);
/* All metrics of the run so far, those of unchanged stages included; *n of them. They live until
 * the next context_add_metric. */
const struct publish_metric *context_metrics(const struct context *context, size_t *n);
/* The metrics of the newest run before this one that published; none without such a run. What was
 * judged by another protocol (JUDGING_PROTOCOL) is left out. Zeroed `out`, the caller's to release.
 */
MUST_CHECK enum status_code context_previous_metrics(struct context *context,
                                                     struct metric_rows *out,
                                                     struct status *status);
/* What a gate does with its STATUS_REFUSED: returns it, with "nothing is published" in front of the
 * reason, or STATUS_OK with --publish-anyway, when the reason is a warning and stays in the run's
 * record. */
MUST_CHECK enum status_code context_refused(struct context *context, struct status *status);
/* What gates had to say in this run and were overruled in; "" when they passed. */
const char *context_overruled(const struct context *context);
/* The running run's number in the work database. */
int64_t context_run_number(const struct context *context);
/* The generation that the stage has published: part of the run's result and record. */
void context_set_generation(struct context *context, int64_t generation);
bool context_is_forced(const struct context *context);      /* everything is to be made anew */
const char *context_version(const struct context *context); /* of nightjar */

#endif
