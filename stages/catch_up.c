/* catch_up: what is new since the last full run, on a night that leaves that as it is
 * (interactions.refresh). Reads the rows behind the last key, and trains the users who have some a
 * little further from the vectors at hand; stages below see base and news as one
 * (catch_up/night.h).
 *
 *      full night    nothing is behind the last key: no output, `towers` of refit go through
 *      small night   towers (of base and news, with the news that they know) and news
 */
#include "base/mem.h"
#include "events/interactions_options.h"
#include "catch_up/catch_up_reading.h"
#include "catch_up/catch_up_training.h"
#include "catch_up/night.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"

#include <math.h>

struct catch_up_options {
    int64_t epochs;
    double rate;
};

#define AT(field) offsetof(struct catch_up_options, field)

static const struct option options[] = {
    {.name = "epochs",
     .type = OPTION_INT,
     .offset = AT(epochs),
     .default_text = "2",
     .min = 1,
     .max = 10000,
     .unit = "epochs",
     .help = "Epochs of a small night, each over the users with new events, all of whose events "
             "count."},
    {.name = "rate",
     .type = OPTION_FLOAT,
     .offset = AT(rate),
     .default_text = "0.5",
     .min = 1e-6,
     .max = 10,
     .help = "Learning rate, as a share of that of a cold start. Items that nobody touched move "
             "little at a low one."},
    {.name = NULL},
};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "reading", .help = "how far the log was read"},
    {.name = "features", .optional = true},
    {.name = "pairs", .optional = true},
    {.name = "negatives"},
    {.name = "training", .help = "settings that train chose"},
    {.name = "towers", .help = "the vectors to go on from"},
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
        if (i < self->position && stage->stage->sees_news) {
            option_mistake(report, "",
                           "stage %s in line %zu would not see what is new: put it below",
                           stage->label, stage->line);
        }
        if (i > self->position && reads_interactions(stage->stage) && !stage->stage->sees_news) {
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
    trainer_estimate(&settings, &active, (double)o->epochs, out);
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
struct small_night {
    struct catch_up_reading reading;
    struct artifact log; /* what is needed of the base */
    struct interactions base, now;
    struct catch_up_start start;
    struct vocabulary fresh; /* users with rows that the towers have not seen */
    struct news news;
    struct artifact towers, carried; /* made; "news" */
    struct catch_up_result result;
};

static void small_night_release(struct small_night *night)
{
    artifact_release(&night->carried);
    artifact_release(&night->towers);
    news_release(&night->news);
    vocabulary_release(&night->fresh);
    catch_up_start_release(&night->start);
    interactions_release(&night->now);
    interactions_release(&night->base);
    artifact_release(&night->log);
    catch_up_reading_release(&night->reading);
}

static enum status_code read_news(struct context *context, struct small_night *night,
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
    TRY(catch_up_read(&night->reading, context, reading, request, status));
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
        const size_t user = (size_t)log->user_codes[e];
        if (log->users.type == ID_INTEGER) {
            TRY(vocabulary_add_integer(out, log->users.integers[user], &ignored, status));
        } else {
            size_t length;
            const char *text = strings_get(&log->users.texts, user, &length);
            TRY(vocabulary_add_text(out, text, length, &ignored, status));
        }
    }
done:
    return code;
}

/* Before the news are built, which uses the rows up. */
static enum status_code list_fresh(struct small_night *night, struct status *status)
{
    enum status_code code;
    const struct extraction *rows = &night->reading.extraction;
    int32_t *ignored = NULL;

    TRY(add_users(&rows->log, night->start.known.n_events, &night->fresh, status));
    TRY(add_users(&rows->dislikes, night->start.known.n_dislikes, &night->fresh, status));
    TRY(MEM_NEW(&ignored, night->fresh.n, status));
    TRY(vocabulary_sort(&night->fresh, ignored, status));
done:
    mem_free(ignored);
    return code;
}

static enum status_code load_base(struct context *context, struct small_night *night,
                                  struct status *status)
{
    enum status_code code;

    TRY(context_input_without(context, "interactions", night_without, &night->log, status));
    TRY(interactions_load(&night->base, &night->log, status));
done:
    return code;
}

static enum status_code train(struct context *context, const struct catch_up_options *o,
                              struct small_night *night, struct status *status)
{
    enum status_code code;
    const struct catch_up_request request = {.context = context,
                                             .base = &night->base,
                                             .now = &night->now,
                                             .start = &night->start,
                                             .fresh = &night->fresh,
                                             .epochs = (size_t)o->epochs,
                                             .rate = o->rate};

    TRY(interactions_merge(&night->base, &night->news, context_settings(context)->work.database,
                           &night->now, status));
    TRY(context_check_stop(context, status));
    TRY(news_keep_core(&night->news, &night->now, status));
    TRY(catch_up_train(&request, &night->towers, &night->result, status));
done:
    return code;
}

static enum status_code carry_news(struct small_night *night, struct status *status)
{
    enum status_code code;

    artifact_init(&night->carried, "news");
    TRY(extract_save_facts(&night->reading.extraction.report, &night->carried, status));
    TRY(news_save(&night->news, &night->carried, status));
done:
    return code;
}

/* The towers say themselves what they know, so that one write makes both: a run that dies between
 * two artifacts leaves towers that can be gone on from. */
static enum status_code hand_on(struct context *context, struct small_night *night,
                                struct status *status)
{
    enum status_code code;

    TRY(carry_news(night, status));
    for (size_t a = 0; a < night->carried.n_arrays; a++) {
        const struct array *array = &night->carried.arrays[a];
        TRY(artifact_copy(&night->towers, array->name, array->type, array->rows, array->columns,
                          array->data, status));
    }
    TRY(catch_up_start_sign(context, &night->towers, status));
    TRY(context_output(context, &night->towers, status));
    TRY(context_output(context, &night->carried, status));
done:
    return code;
}

/* The towers know all rows already: a run died after they were saved. */
static enum status_code hand_on_again(struct context *context, struct small_night *night,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact *previous = &night->start.previous;

    artifact_init(&night->carried, "news");
    for (size_t a = 0; a < previous->n_arrays; a++) {
        const struct array *array = &previous->arrays[a];
        if (strncmp(array->name, "news.", 5) == 0 || strncmp(array->name, "facts.", 6) == 0) {
            TRY(artifact_copy(&night->carried, array->name, array->type, array->rows,
                              array->columns, array->data, status));
        }
    }
    night->result = (struct catch_up_result){.drift = {NAN, NAN}}; /* nothing was trained */
    TRY(context_output(context, &night->start.previous, status));
    TRY(context_output(context, &night->carried, status));
done:
    return code;
}

static enum status_code add_metric(struct context *context, const char *name, double value,
                                   struct status *status)
{
    const struct publish_metric metric = {name, "data", "all", value};
    return isnan(value) ? STATUS_OK : context_add_metric(context, &metric, status);
}

static enum status_code record(struct context *context, const struct small_night *night,
                               struct status *status)
{
    enum status_code code;
    const struct catch_up_result *result = &night->result;

    TRY(add_metric(context, "news_rows", (double)night->reading.n_read, status));
    TRY(add_metric(context, "news_anchors", (double)result->n_anchors, status));
    TRY(add_metric(context, "news_new_users", (double)result->n_new[SIDE_USERS], status));
    TRY(add_metric(context, "news_new_items", (double)result->n_new[SIDE_ITEMS], status));
    TRY(add_metric(context, "news_drift_users", result->drift[SIDE_USERS], status));
    TRY(add_metric(context, "news_drift_items", result->drift[SIDE_ITEMS], status));
    log_write(context_log(context), LOG_INFO,
              "catch_up: %lld rows are new; %zu users trained, %zu users and %zu items new to the "
              "towers",
              (long long)night->reading.n_read, result->n_anchors, result->n_new[SIDE_USERS],
              result->n_new[SIDE_ITEMS]);
    context_set_rows(context, night->reading.n_read);
done:
    return code;
}

static enum status_code run_night(struct context *context, const struct catch_up_options *o,
                                  struct small_night *night, struct status *status)
{
    enum status_code code;
    struct extract_request request;
    const struct extraction *rows = &night->reading.extraction;

    TRY(read_news(context, night, &request, status));
    context_set_rows(context, night->reading.n_read);
    if (rows->log.n + rows->dislikes.n == 0) {
        goto done; /* nothing that counts is new: what stands above goes through */
    }
    TRY(load_base(context, night, status));
    TRY(catch_up_start_open(&night->start, context, &night->base, night->reading.is_anew, status));
    TRY(list_fresh(night, status));
    if (night->fresh.n == 0) {
        TRY(hand_on_again(context, night, status));
    } else {
        TRY(news_build(&night->reading.extraction, &request.dataset, &night->news, status));
        TRY(train(context, o, night, status));
        TRY(hand_on(context, night, status));
    }
    TRY(record(context, night, status));
done:
    return code;
}

static enum status_code catch_up_run(struct context *context, const void *values,
                                     struct status *status)
{
    enum status_code code;
    struct small_night *night = NULL;

    TRY(MEM_NEW(&night, 1, status));
    code = run_night(context, values, night, status);
    small_night_release(night);
done:
    mem_free(night);
    return code;
}

extern const struct stage stage_catch_up;
const struct stage stage_catch_up = {
    .name = "catch_up",
    .summary = "Adds what is new since the last full run: reads the rows behind the last key and "
               "trains the users who have some from the vectors at hand.",
    .version = 1,
    .options_size = sizeof(struct catch_up_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .validate_plan = catch_up_validate_plan,
    .estimate = catch_up_estimate,
    .fingerprint = catch_up_fingerprint,
    .run = catch_up_run,
};
