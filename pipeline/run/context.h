/* What a stage may touch while it runs. Made by the runner; stages see only these functions. */
#ifndef NIGHTJAR_RUN_CONTEXT_H
#define NIGHTJAR_RUN_CONTEXT_H

#include "base/hash.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/watch.h"
#include "config/plan.h"
#include "io/progress.h"
#include "evaluation/metric_rows.h"
#include "store/artifact.h"
#include "publishing/forgotten.h"
#include "publishing/generation.h"

struct context;

/* Input `name`: a borrowed artifact that lives as long as the run. Where the nearest stage above
 * that writes it has it as an optional output and gave none, the next one above counts. An optional
 * input that no stage above writes gives NULL; a required one is STATUS_INTERNAL (the plan has
 * checked). Loaded from the work database when its stage was skipped. */
MUST_CHECK enum status_code context_input(struct context *context, const char *name,
                                          const struct artifact **out, struct status *status);
/* A required input without the arrays that artifact_load_without leaves out, where it is not in
 * memory anyway: for those who need little of a large one. `out` zeroed, the caller's to release;
 * what is in memory is lent, as long as the run lasts. */
MUST_CHECK enum status_code context_input_without(struct context *context, const char *name,
                                                  const char *const *without, struct artifact *out,
                                                  struct status *status);
/* Output: takes over the artifact (the struct is zeroed), also on error. Hashed and saved by the
 * runner when the stage ends. */
MUST_CHECK enum status_code context_output(struct context *context, struct artifact *artifact,
                                           struct status *status);

/* What the running stage's last run left of its output `name`, before this run replaces it; `out`
 * zeroed, the caller's to release. *found false: nothing that can be read. */
MUST_CHECK enum status_code context_last_output(struct context *context, const char *name,
                                                struct artifact *out, bool *found,
                                                struct status *status);

/* The running stage's output `name`: what it has given in this run, else what its last run left;
 * NULL: neither. Borrowed, until the stage gives another. */
MUST_CHECK enum status_code context_own_output(struct context *context, const char *name,
                                               const struct artifact **out, struct status *status);

const struct plan_settings *context_settings(const struct context *context);
uint64_t context_seed(const struct context *context);
/* The options of the stage called so, which stands in the pipeline, for those who go on with what
 * it does; the struct is that stage's. */
const void *context_options_of(const struct context *context, const char *stage);
const char *context_label(const struct context *context); /* of the running stage */
/* A hash of all that decides about the running stage's outputs, save what it reads outside. */
const char *context_key(const struct context *context);
struct pool *context_pool(const struct context *context);
struct log *context_log(const struct context *context);
struct progress *context_progress(const struct context *context); /* never NULL */
int64_t context_run_started(const struct context *context);     /* Unix seconds: for records only */
const char *context_config_hash(const struct context *context); /* of all resolved options */

/* The work database, open for writing; tables made by a stage are named after it. */
struct db *context_work(const struct context *context);
/* A connection of its own to the source, read-only, in a read transaction that began with the
 * stage's first call: all source queries of a stage read one snapshot. No such file is
 * STATUS_NO_INPUT, not a database STATUS_DATA, locked for longer than source.busy_timeout
 * STATUS_BUSY. */
MUST_CHECK enum status_code context_source(struct context *context, struct db **out,
                                           struct status *status);
/* Ends the source snapshot: called by the stage that has copied its rows out. The fingerprint to
 * remember is taken here, of the same snapshot that the rows came from. */
void context_source_done(struct context *context);
/* Whether a stage of the pipeline makes the source, which may then be missing before the run. */
bool context_imports_source(const struct context *context);
/* The output database, open for writing. */
MUST_CHECK enum status_code context_output_db(struct context *context, struct db **out,
                                              struct status *status);

/* Seconds that a stage which trains may take: its share of what --max-time leaves, the stages
 * behind it that train get the same; INFINITY without a limit, <= 0: none is left. */
double context_training_time(const struct context *context);
/* Says that the stage's outputs are usable but not what they would be without the limit: the next
 * run goes on from the stage's checkpoint. */
void context_set_cut_short(struct context *context);

/* A connection of its own to the output database, read-only, or NULL where no such file is (yet);
 * the caller's to close. */
MUST_CHECK enum status_code context_published_db(struct context *context, struct db **out,
                                                 struct status *status);

/* The people whom `forget` has taken out; `out` zeroed, the caller's to release. */
MUST_CHECK enum status_code context_forgotten(struct context *context, struct forgotten *out,
                                              struct status *status);

/* STATUS_SIGNAL once a stop was asked for. Long loops call it at least once a second. */
MUST_CHECK enum status_code context_check_stop(struct context *context, struct status *status);
/* For work that is watched: its progress is shown in the bar that the stage has started, a stop
 * asked for ends it. The second shows nothing. */
struct watch context_watch(struct context *context);
struct watch context_stop_watch(struct context *context);

/* A checkpoint of the running stage, dropped when the stage ends. Load gives found = false unless
 * it was written with the same options, inputs and identity. */
MUST_CHECK enum status_code context_checkpoint_save(struct context *context,
                                                    const struct artifact *artifact,
                                                    struct status *status);
MUST_CHECK enum status_code context_checkpoint_load(struct context *context, struct artifact *out,
                                                    bool *found, struct status *status);
/* The same under a name of its own, for a stage that keeps more than one. part NULL: the one above.
 */
MUST_CHECK enum status_code context_checkpoint_save_part(struct context *context, const char *part,
                                                         const struct artifact *artifact,
                                                         struct status *status);
MUST_CHECK enum status_code context_checkpoint_load_part(struct context *context, const char *part,
                                                         struct artifact *out, bool *found,
                                                         struct status *status);

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
/* The metrics of the newest run before this one that published; none without such a run. Zeroed
 * `out`, the caller's to release. */
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
/* What was published last when the run began, found by the check of the stage that publishes; 0:
 * nothing. For publish_target. */
void context_set_published_before(struct context *context, int64_t generation);
const int64_t *context_published_before(const struct context *context);
/* The generation that the stage has published: part of the run's result and record. */
void context_set_generation(struct context *context, int64_t generation);
bool context_is_forced(const struct context *context);      /* everything is to be made anew */
const char *context_version(const struct context *context); /* of nightjar */

#endif
