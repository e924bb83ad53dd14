/* catch_up: what is new since the last full run, on a night that leaves that as it is
 * (interactions.refresh). Reads the rows behind the last key, and trains the users who have some a
 * little further from the vectors at hand; stages below see base and delta as one
 * (catch_up/merged.h).
 *
 *      full night    nothing is behind the last key: no output, `embeddings` of refit go through
 *      small night   towers (of base and delta, with the delta that they know) and the delta
 */
#include "base/mem.h"
#include "events/interactions_options.h"
#include "catch_up/new_rows.h"
#include "catch_up/catch_up_training.h"
#include "catch_up/merged.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"

#include <math.h>

struct catch_up_options {
    int64_t epochs;
    double rate;
};

static const struct option options[] = {
    OPT_INT(
        catch_up_options, "epochs", epochs, "2", 1, 10000,
        "Epochs of a small night, each over the users with new events, all of whose events count.",
        .unit = "epochs"),
    OPT_FLOAT(catch_up_options, "rate", rate, "0.5", 1e-6, 10,
              "Learning rate, as a share of that of a cold start. Items that nobody touched move "
              "little at a low one."),
    OPT_END};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "reading", .help = "how far the log was read"},
    {.name = "features", .optional = true},
    {.name = "pairs", .optional = true},
    {.name = "negatives"},
    {.name = "training", .help = "settings that train chose"},
    {.name = "towers", .help = "the vectors to go on from"},
    {.name = "sequence", .optional = true, .help = "what reads the newest events of users"},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "towers", .help = "the served vectors, those of new users and items too", true},
    {.name = "news", .help = "the new events, folded", true},
    {.name = NULL},
};

static bool reads_interactions(const struct stage *stage)
{
    const struct stage_artifact *input = stage->inputs;

    while (input != NULL && input->name != NULL && strcmp(input->name, "interactions") != 0) {
        input++;
    }
    return input != NULL && input->name != NULL;
}

static void catch_up_validate_plan(const struct plan *plan, const struct plan_stage *self,
                                   struct option_report *report)
{
    const struct plan_stage *interactions = plan_find(plan, "interactions");

    if (plan->settings.source.key == NULL) {
        option_mistake(report, "", "it stands without source.key, by which new rows are found");
    }
    if (interactions_options_of(plan)->refresh <= 0) {
        option_mistake(report, "",
                       "it stands without refresh in stage interactions (line %zu): every run "
                       "would read everything, and leave nothing new",
                       interactions->line);
    }
    for (size_t i = 0; i < plan->n_stages; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        if (i < self->position && stage->stage->reads_delta) {
            option_mistake(report, "",
                           "stage %s in line %zu would not see what is new: put it below",
                           stage->label, stage->line);
        }
        if (i > self->position && reads_interactions(stage->stage) && !stage->stage->reads_delta) {
            option_mistake(report, "",
                           "stage %s in line %zu knows nothing of what is new: put it above",
                           stage->label, stage->line);
        }
    }
}

/* As many users as a day has; merging goes through the log once. */
static void catch_up_estimate(const void *values, const struct stage_sizes *sizes,
                              struct stage_estimate *out)
{
    const struct catch_up_options *o = values;
    const double share = 0.05;
    const struct trainer_settings settings = {.dimension = (size_t)sizes->dimension,
                                              .batch_users = 512,
                                              .strip_bytes = (size_t)256 << 20};
    struct stage_sizes active = *sizes;
    const double vectors = (sizes->n_users + sizes->n_items) * 4 * sizes->dimension;

    active.n_users *= share;
    active.n_interactions *= share;
    if (!sizes->sequence.alone) {
        trainer_estimate(&settings, &active, (double)o->epochs, out);
    }
    out->memory_bytes += sizes->n_interactions * 32 + 2 * vectors;
    out->result_bytes = vectors;
    out->disk_bytes = vectors + active.n_interactions * 24;
    out->seconds += sizes->n_interactions * 5e-8;
    out->rows = active.n_interactions;
}

static enum status_code catch_up_fingerprint(struct context *context, const void *values,
                                             char out[HASH_TEXT_MAX], struct status *status)
{
    const struct artifact *reading = NULL;
    struct extraction *base = NULL; /* on the heap: a report is large */
    bool fits = false;
    enum status_code code;

    (void)values;
    out[0] = '\0';
    TRY(MEM_NEW(&base, 1, status));
    TRY(context_input(context, "reading", &reading, status));
    TRY(event_state_get(reading, "", base, &fits, status));
    if (fits) {
        TRY(source_log_newest(context, base->log.last_key, out, status));
    }
done:
    mem_free(base);
    return code;
}

/* All that a small night goes through. Zero-initialise. */
struct catch_up {
    struct new_rows rows;
    struct artifact log; /* what is needed of the base */
    struct interactions base, now;
    struct catch_up_start start;
    struct vocabulary updated; /* users with rows that the towers have not seen */
    struct delta delta;
    struct artifact embeddings, made_delta; /* outputs; the delta is called "news" there */
    struct catch_up_result result;
};

static void catch_up_release(struct catch_up *work)
{
    artifact_release(&work->made_delta);
    artifact_release(&work->embeddings);
    delta_release(&work->delta);
    vocabulary_release(&work->updated);
    catch_up_start_release(&work->start);
    interactions_release(&work->now);
    interactions_release(&work->base);
    artifact_release(&work->log);
    new_rows_release(&work->rows);
}

static enum status_code read_new_rows(struct context *context, struct catch_up *work,
                                      struct extract_request *request, struct status *status)
{
    enum status_code code;
    const struct artifact *reading = NULL;
    struct forgotten forgotten = {0};

    TRY(context_input(context, "reading", &reading, status));
    TRY(context_forgotten(context, &forgotten, status));
    TRY(interactions_request(interactions_options_of(context_plan(context)),
                             &context_settings(context)->source, context_seed(context), request,
                             status));
    request->rules.forgotten = &forgotten;
    TRY(new_rows_read(&work->rows, context, reading, request, status));
done:
    request->rules.forgotten = NULL;
    forgotten_release(&forgotten);
    return code;
}

/* Adds the users of rows [first, n). */
static enum status_code add_users(const struct event_log *log, size_t first, struct vocabulary *out,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t ignored;

    for (size_t e = first; e < log->n; e++) {
        const struct row_id user = vocabulary_id(&log->users, (size_t)log->user_codes[e]);
        TRY(vocabulary_add(out, &user, &ignored, status));
    }
done:
    return code;
}

/* Before the delta is built, which uses the rows up. */
static enum status_code list_updated(struct catch_up *work, struct status *status)
{
    enum status_code code;
    const struct extraction *rows = &work->rows.extraction;
    int32_t *ignored = NULL;

    TRY(add_users(&rows->log, work->start.known.n_events, &work->updated, status));
    TRY(add_users(&rows->dislikes, work->start.known.n_dislikes, &work->updated, status));
    TRY(MEM_NEW(&ignored, work->updated.n, status));
    TRY(vocabulary_sort(&work->updated, ignored, status));
done:
    mem_free(ignored);
    return code;
}

static enum status_code train(struct context *context, const struct catch_up_options *o,
                              struct catch_up *work, struct status *status)
{
    enum status_code code;
    const struct catch_up_request request = {.context = context,
                                             .base = &work->base,
                                             .now = &work->now,
                                             .start = &work->start,
                                             .updated = &work->updated,
                                             .epochs = (size_t)o->epochs,
                                             .rate = o->rate};

    TRY(interactions_merge(&work->base, &work->delta, context_settings(context)->work.database,
                           &work->now, status));
    TRY(context_check_stop(context, status));
    TRY(delta_remember_core(&work->delta, &work->now, status));
    TRY(catch_up_train(&request, &work->embeddings, &work->result, status));
done:
    return code;
}

/* The towers say themselves what they know, so that one write makes both: a run that dies between
 * two artifacts leaves towers that can be gone on from. */
static enum status_code output_trained(struct context *context, struct catch_up *work,
                                       struct status *status)
{
    enum status_code code;

    artifact_init(&work->made_delta, "news");
    TRY(extract_save_facts(&work->rows.extraction.report, &work->made_delta, status));
    TRY(delta_save(&work->delta, &work->made_delta, status));
    for (size_t a = 0; a < work->made_delta.n_arrays; a++) {
        const struct array *array = &work->made_delta.arrays[a];
        TRY(artifact_copy(&work->embeddings, array->name, array->type, array->rows, array->columns,
                          array->data, status));
    }
    TRY(catch_up_start_sign(context, &work->embeddings, status));
    TRY(context_output(context, &work->embeddings, status));
    TRY(context_output(context, &work->made_delta, status));
done:
    return code;
}

/* The towers know all rows already: a run died after they were saved. */
static enum status_code output_previous(struct context *context, struct catch_up *work,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact *previous = &work->start.previous;

    artifact_init(&work->made_delta, "news");
    for (size_t a = 0; a < previous->n_arrays; a++) {
        const struct array *array = &previous->arrays[a];
        if (strncmp(array->name, "news.", 5) == 0 || strncmp(array->name, "facts.", 6) == 0) {
            TRY(artifact_copy(&work->made_delta, array->name, array->type, array->rows,
                              array->columns, array->data, status));
        }
    }
    work->result = (struct catch_up_result){.drift = {NAN, NAN}}; /* nothing was trained */
    TRY(context_output(context, &work->start.previous, status));
    TRY(context_output(context, &work->made_delta, status));
done:
    return code;
}

static enum status_code add_metric(struct context *context, const char *name, double value,
                                   struct status *status)
{
    const struct publish_metric metric = {name, "data", "all", value, 0};
    return isnan(value) ? STATUS_OK : context_add_metric(context, &metric, status);
}

static enum status_code record(struct context *context, const struct catch_up *work,
                               struct status *status)
{
    enum status_code code;
    const struct catch_up_result *result = &work->result;

    TRY(add_metric(context, "news_rows", (double)work->rows.n_read, status));
    TRY(add_metric(context, "news_anchors", (double)result->n_anchors, status));
    TRY(add_metric(context, "news_new_users", (double)result->n_new[SIDE_USERS], status));
    TRY(add_metric(context, "news_new_items", (double)result->n_new[SIDE_ITEMS], status));
    TRY(add_metric(context, "news_drift_users", result->drift[SIDE_USERS], status));
    TRY(add_metric(context, "news_drift_items", result->drift[SIDE_ITEMS], status));
    const struct extraction *rows = &work->rows.extraction;
    log_write(context_log(context), LOG_INFO,
              "catch_up: %lld rows are new, %lld of them bad; %zu users trained, %zu users and %zu "
              "items new to the towers",
              (long long)work->rows.n_read,
              (long long)(rows->report.n_rejected - rows->n_rejected_before), result->n_anchors,
              result->n_new[SIDE_USERS], result->n_new[SIDE_ITEMS]);
    if (result->has_sequences) {
        const struct catch_up_read *read = &result->read;
        TRY(add_metric(context, "news_steps", (double)(read->n_on_steps + read->n_anew_steps),
                       status));
        log_write(context_log(context), LOG_INFO,
                  "catch_up: sequences of %zu users read on by %zu steps, of %zu users from the "
                  "start by %zu",
                  read->n_on, read->n_on_steps, read->n_anew, read->n_anew_steps);
    }
    context_set_rows(context, work->rows.n_read);
done:
    return code;
}

static enum status_code run_small_night(struct context *context, const struct catch_up_options *o,
                                        struct catch_up *work, struct status *status)
{
    enum status_code code;
    struct extract_request request;
    const struct extraction *rows = &work->rows.extraction;

    TRY(read_new_rows(context, work, &request, status));
    context_set_rows(context, work->rows.n_read);
    if (rows->log.n + rows->dislikes.n + rows->seen.n == 0) {
        goto done; /* nothing that counts is new: what stands above goes through */
    }
    TRY(context_input_without(context, "interactions", merge_without, &work->log, status));
    TRY(interactions_load(&work->base, &work->log, status));
    TRY(extract_load_half_life(&request.dataset, &work->log, status));
    TRY(catch_up_start_open(&work->start, context, &work->base, work->rows.is_anew, status));
    TRY(list_updated(work, status));
    if (work->updated.n == 0 && rows->seen.n == work->start.known.n_seen) {
        TRY(output_previous(context, work, status));
    } else {
        TRY(delta_build(&work->rows.extraction, &request.dataset, &work->delta, status));
        TRY(train(context, o, work, status));
        TRY(output_trained(context, work, status));
    }
    TRY(record(context, work, status));
done:
    return code;
}

static enum status_code catch_up_run(struct context *context, const void *values,
                                     struct status *status)
{
    enum status_code code;
    struct catch_up *work = NULL;

    TRY(MEM_NEW(&work, 1, status));
    code = run_small_night(context, values, work, status);
    catch_up_release(work);
done:
    mem_free(work);
    return code;
}

extern const struct stage stage_catch_up;
const struct stage stage_catch_up = {
    .name = "catch_up",
    .summary = "Adds what is new since the last full run: reads the rows behind the last key and "
               "trains the users who have some from the vectors at hand.",
    .version = 3,
    .options_size = sizeof(struct catch_up_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .validate_plan = catch_up_validate_plan,
    .estimate = catch_up_estimate,
    .fingerprint = catch_up_fingerprint,
    .run = catch_up_run,
};
