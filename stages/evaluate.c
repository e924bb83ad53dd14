/* evaluate: how good the towers are, on the test part, beside popularity, item-item cosine and the
 * parts of the score, and whether that is good enough to publish. Full rankings, never a sample of
 * the items. What is measured and for which groups is written in evaluation/evaluation.h, the
 * metrics in evaluation/metrics.c.
 */
#include "base/mem.h"
#include "ranking/score.h"
#include "evaluation/baselines.h"
#include "evaluation/calibration.h"
#include "evaluation/evaluation.h"
#include "evaluation/evaluation_cold.h"
#include "evaluation/gate_rules.h"
#include "evaluation/rolling.h"
#include "events/interactions_options.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"
#include "stages/evaluate/evening_lists.h"
#include "stages/evaluate/late_parts.h"
#include "stages/evaluate/score_inputs.h"

#include <assert.h>
#include <math.h>

struct roll_options {
    bool given;
    int64_t days;
    struct option_texts metrics;
    bool lists;
};

struct evaluate_options {
    struct option_texts metrics;
    int64_t users;
    struct roll_options roll;
    struct option_groups gate; /* metric -> struct gate_rule */
};

static const struct option roll_options[] = {
    OPT_INT(roll_options, "days", days, "14", 1, ROLLING_DAYS_MAX,
            "The last so many days of the test part, 24 hours each, counted back from its newest "
            "event. Only whole days count.",
            .unit = "days"),
    OPT_TEXTS(roll_options, "metrics", metrics, "[recall@20, ndcg@20]",
              "What is measured of each: " METRIC_NAMES " with @k, k from 1 to 1000.",
              .pattern = METRIC_PATTERN),
    OPT_BOOL(roll_options, "lists", lists, "false",
             "Leaves all lists in the work database, in evaluate_lists (evening, model, user_id, "
             "rank, item_id), for a judge of your own."),
    OPT_END};

static const struct option options[] = {
    OPT_TEXTS(
        evaluate_options, "metrics", metrics,
        "[recall@10, recall@20, recall@50, ndcg@10, ndcg@20, ndcg@50, hit@10, hit@20, hit@50, "
        "precision@10, precision@20, precision@50, mrr@10, mrr@20, mrr@50, map@10, map@20, "
        "map@50, coverage@10, coverage@20, coverage@50, gini@20, novelty@20, popularity@20]",
        "What is measured: " METRIC_NAMES " (per user, over all users and by group)" MEASURE_NAMES
        " (of the lists shown), each with @k, k from 1 to 1000.",
        .pattern = MEASURE_PATTERN),
    OPT_INT(evaluate_options, "users", users, "100000", 1, INT32_MAX,
            "Users judged, a seeded sample when there are more: each costs a ranking of all items "
            "for every model.",
            .unit = "users"),
    OPT_GROUP(evaluate_options, "roll", roll, roll_options,
              "Also judges as lists are used, made every night, so that the truth is the next day: "
              "for each of the last days histories, popularity and evidence are those of the "
              "evening before, the vectors stay. Needs a split by time with a test part."),
    OPT_GROUPS(evaluate_options, "gate", gate, gate_rule_options, gate_rule,
               "Rules that the model must pass, by metric, over all users; when one fails, the run "
               "ends with exit code 79 and what was published before stays. Example: {recall@20: "
               "{over_popular: 1.2}}.",
               .pattern = MEASURE_PATTERN),
    OPT_END};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "towers", .help = "those of train; those of refit only with a given test table"},
    {.name = "calibration", .help = "the weights of the score", .optional = true},
    {.name = "evidence", .help = "item-item pairs for scoring", .optional = true},
    {.name = "transitions", .help = "what followed what, for scoring", .optional = true},
    {.name = "ridge", .help = "learned item-item evidence, for scoring", .optional = true},
    {.name = "late_events", .help = "what came after the train part", .optional = true},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "metrics", .help = "values by metric, model and group"},
    {.name = NULL},
};

static const char metric_mistake[] =
    "%s is not one of " METRIC_NAMES MEASURE_NAMES " with @k, k from 1 to %d";

static void evaluate_validate(const void *values, struct option_report *report)
{
    const struct evaluate_options *o = values;
    for (size_t m = 0; m < o->metrics.n; m++) {
        if (!evaluation_knows(o->metrics.values[m])) {
            option_mistake(report, "metrics", metric_mistake, o->metrics.values[m], METRIC_K_MAX);
        }
    }
    for (size_t m = 0; m < o->roll.metrics.n; m++) {
        const struct metric *metric;
        const char *name = o->roll.metrics.values[m];
        size_t k;
        if (!metric_parse(name, strlen(name), &metric, &k)) {
            option_mistake(report, "roll.metrics",
                           "%s is not one of " METRIC_NAMES " with @k, k from 1 to %d", name,
                           METRIC_K_MAX);
        }
    }
    for (size_t g = 0; g < o->gate.n; g++) {
        if (!evaluation_knows(o->gate.names[g])) {
            option_mistake(report, "gate", metric_mistake, o->gate.names[g], METRIC_K_MAX);
        }
    }
}

static void evaluate_validate_plan(const struct plan *plan, const struct plan_stage *self,
                                   struct option_report *report)
{
    const struct evaluate_options *o = self->options;
    const struct interactions_options *log = interactions_options_of(plan);
    if (log == NULL) {
        return;
    }
    if (log->split.test_query == NULL && embeddings_know_all(plan, self->position)) {
        option_mistake(report, "",
                       "it stands below refit, whose towers know the test part too: put "
                       "it above refit, or give split.test_query of interactions");
    }
    if (o->gate.n > 0 && !interactions_hold_out(log)) {
        option_mistake(report, "gate",
                       "it needs a test part, and interactions holds out neither a test nor a "
                       "validation part: set its split");
    }
}

static void evaluate_refuse_ranks(const void *values, struct option_report *report)
{
    const struct evaluate_options *o = values;
    if (o->roll.given && o->roll.lists) {
        option_mistake(report, "roll.lists",
                       "each rank would leave the lists of its own users in a work database of its "
                       "own: leave it out, or run in one process");
    }
}

static void evaluate_estimate(const void *values, const struct stage_sizes *sizes,
                              struct stage_estimate *out)
{
    const struct evaluate_options *o = values;
    double per_user = sizes->n_interactions / fmax(sizes->n_users, 1.0);
    const double judged =
        fmin(stage_asked(sizes, sizes->n_test_users), (double)o->users / fmax(sizes->n_ranks, 1));
    const double ranked = judged * sizes->n_items;
    /* the item-item baseline's product; for it and for the evidence of the score and alone some
       partners of each interaction of who is judged; metrics of four to eight models */
    const double products =
        sizes->n_products > 0 ? sizes->n_products : 3.0 * sizes->n_interactions * per_user;
    const double additions = products + 50.0 * sizes->n_interactions + judged * per_user * 800.0 +
                             judged * (double)o->metrics.n * 1200.0;
    /* three or four rankings: the blended score, the towers, the kinds of evidence alone */
    out->seconds = 3.5 * ranked * sizes->speeds.ranking +
                   additions * sizes->speeds.addition / fmax(sizes->n_threads, 1.0);
    out->provided = isnan(sizes->n_test_users) ? STAGE_HALF_ASKED : NULL;
    /* the item-item baseline: its rows while and after they are made, and the history */
    const double rows = fmin(3.0 * sizes->n_interactions * per_user, sizes->n_items * 500.0);
    out->memory_bytes = 16.0 * rows + 24.0 * sizes->n_interactions + sizes->n_items * 64.0 +
                        sizes->n_users * 4.0 +
                        8192.0 * (50.0 * 8.0 + sizes->dimension * 4.0 + 24.0 * 32.0);
    if (o->roll.given) { /* histories and their weights are made anew for each evening */
        out->seconds +=
            (double)o->roll.days * sizes->n_interactions * 100.0 * sizes->speeds.addition;
        out->memory_bytes += 16.0 * sizes->n_interactions;
    }
    out->memory_bytes += 16.0 * judged; /* of the judged metric, each user's values */
    out->rows = judged;
}

static enum status_code choose_part(struct context *context,
                                    const struct interactions *interactions,
                                    const struct embeddings *embeddings, struct judged_part *out,
                                    struct status *status)
{
    const struct dataset *dataset = &interactions->basis[embeddings->basis];
    struct ranks *ranks = context_ranks(context);
    bool has_test = dataset->test.matrix.n_rows > 0, has_valid = dataset->valid.matrix.n_rows > 0;
    enum status_code code;
    assert(embeddings->basis == BASIS_FIT || interactions->test_is_given); /* by the plan */
    TRY(ranks_any(ranks, &has_test, status)); /* one rank may have no users */
    TRY(ranks_any(ranks, &has_valid, status));
    *out = (struct judged_part){
        .dataset = dataset, .crowd = crowd_of(ranks, interactions, dataset), .prefix = ""};
    if (has_test) {
        out->held_out = &dataset->test;
        out->unknown = dataset->test_unknown;
        out->unknown_users = dataset->test_unknown_users;
        out->barred = &dataset->test_barred;
    } else if (has_valid) {
        out->held_out = &dataset->valid;
        out->unknown = dataset->valid_unknown;
        out->unknown_users = dataset->valid_unknown_users;
        out->barred = &dataset->valid_barred;
        out->prefix = "valid:";
    }
done:
    return code;
}

/* What a missing test part means. */
static void tell_part(const struct context *context, const struct judged_part *part)
{
    if (part->held_out == NULL) {
        log_write(context_log(context), LOG_INFO,
                  "evaluate: no test part and no validation part, nothing is measured");
    } else if (part->prefix[0] != '\0') {
        log_write(context_log(context), LOG_INFO,
                  "evaluate: no test part; measured on the validation part, on which settings were "
                  "chosen, under names that begin with \"%s\"",
                  part->prefix);
    }
}

static struct evaluation_request request_of(struct context *context,
                                            const struct evaluate_options *o,
                                            const struct judged_part *part,
                                            const struct embeddings *embeddings,
                                            const struct calibration *calibration,
                                            const struct score_sources *sources)
{
    return (struct evaluation_request){
        .dataset = part->dataset,
        .crowd = part->crowd,
        .held_out = part->held_out,
        .unknown = part->unknown,
        .unknown_users = part->unknown_users,
        .barred = part->barred,
        .max_users = (size_t)o->users,
        .embeddings = embeddings,
        .weights = calibration->weights,
        .towers_beta = calibration->towers_beta,
        .towers_half_life = calibration->towers_half_life,
        .popular_half_life = calibration->popular_half_life,
        .sources = *sources,
        .prefix = part->prefix,
        .seed = context_seed(context),
        .watch = context_stop_watch(context),
    };
}

/* The configured metrics and those of the gate, measured. */
static enum status_code measure(struct context *context, const struct evaluate_options *o,
                                struct evaluation_request request, struct metric_rows *rows,
                                struct status *status)
{
    const char **names = NULL;
    size_t n = 0;
    enum status_code code;
    TRY(MEM_NEW(&names, o->metrics.n + o->gate.n, status));
    for (size_t m = 0; m < o->metrics.n; m++) {
        names[n++] = o->metrics.values[m];
    }
    for (size_t g = 0; g < o->gate.n; g++) {
        names[n++] = o->gate.names[g];
    }
    request.n_metrics = n;
    request.metrics = names;
    request.judged = evaluation_judged(names, o->metrics.n, n, &request.n_judged);
    request.watch = context_watch(context);
    progress_start(context_progress(context), "evaluating", "users",
                   (double)(evaluation_models(&request) * request.dataset->n_users));
    code = evaluation_run(&request, context_pool(context), rows, status);
    progress_finish(context_progress(context));
done:
    mem_free(names);
    return code;
}

/* ---- one evening after the other ---- */

static enum status_code roll(struct context *context, const struct evaluate_options *o,
                             const struct interactions *interactions, const struct late_parts *late,
                             const struct evaluation_request *judged, struct metric_rows *rows,
                             struct status *status)
{
    struct evening_lists lists = {.interactions = interactions};
    struct rolling_request request = {.evaluation = *judged,
                                      .interactions = interactions,
                                      .events = &late->events,
                                      .days = (size_t)o->roll.days,
                                      .watch = context_watch(context)};
    size_t n = 0;
    enum status_code code;
    if (!late->has_test) {
        log_write(context_log(context), LOG_WARNING,
                  "evaluate: roll: there is no test part that is newer than all else, nothing is "
                  "judged by evening; it takes a log with times and split.by: time with a test "
                  "(after an update of nightjar also one run with --force)");
        return STATUS_OK;
    }
    request.evaluation.n_metrics = o->roll.metrics.n;
    request.evaluation.metrics = o->roll.metrics.values;
    TRY(evening_lists_open(&lists, context_work(context), o->roll.lists, &request.evaluation,
                           status));
    progress_start(context_progress(context), "evaluating", "evenings", (double)request.days);
    code = rolling_run(&request, context_pool(context), rows, &n, status);
    progress_finish(context_progress(context));
    if (code == STATUS_OK) {
        code = evening_lists_write(&lists, status);
    }
    if (code == STATUS_OK && n < request.days) {
        log_write(context_log(context), n == 0 ? LOG_WARNING : LOG_INFO,
                  "evaluate: roll: %zu of %zu evenings are judged: the test part is shorter, or "
                  "nobody known chose anything new on a day",
                  n, request.days);
    }
done:
    evening_lists_release(&lists);
    return code;
}

/* Who has no row, on lines of their own. Without a test part only those held out on purpose. */
static enum status_code measure_cold(struct context *context, const struct evaluate_options *o,
                                     const struct judged_part *part,
                                     const struct embeddings *embeddings,
                                     const struct calibration *calibration,
                                     const struct score_sources *sources, struct metric_rows *rows,
                                     struct status *status)
{
    const struct evaluation_cold_request request = {
        .dataset = part->dataset,
        .crowd = part->crowd,
        .embeddings = embeddings,
        .weights = calibration->weights,
        .sources = *sources,
        .n_metrics = o->metrics.n,
        .metrics = o->metrics.values,
        .seed = context_seed(context),
        .watch = context_stop_watch(context),
    };
    return evaluation_cold_run(&request, context_pool(context), rows, status);
}

static enum status_code copy_text(const struct strings *strings, size_t index, struct buf *out,
                                  struct status *status)
{
    size_t length;
    const char *text = strings_get(strings, index, &length);
    buf_clear(out);
    buf_add(out, text, length);
    return buf_check(out, status);
}

/* Into the run's history, from which publish takes them. */
static enum status_code record(struct context *context, const struct metric_rows *rows,
                               struct status *status)
{
    struct buf name = {0}, model = {0}, group = {0};
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < rows->n; i++) {
        TRY(copy_text(&rows->names, i, &name, status));
        TRY(copy_text(&rows->models, i, &model, status));
        TRY(copy_text(&rows->groups, i, &group, status));
        struct publish_metric metric = {buf_text(&name), buf_text(&model), buf_text(&group),
                                        rows->values[i], rows->errors[i]};
        TRY(context_add_metric(context, &metric, status));
    }
done:
    buf_release(&name);
    buf_release(&model);
    buf_release(&group);
    return code;
}

/* users: how many were judged. A gate that saw nobody has no reason to open. */
static enum status_code pass_gate(struct context *context, const struct evaluate_options *o,
                                  const struct judged_part *part, double users,
                                  const struct metric_rows *rows, struct status *status)
{
    enum status_code code;
    struct metric_rows previous = {0};
    struct buf excused = {0};
    if (!ranks_is_first(context_ranks(context))) {
        return STATUS_OK; /* the first knows the runs before, and decides for all */
    }
    TRY(context_previous_metrics(context, &previous, status));
    const struct gate_request request = {.stage = "evaluate",
                                         .n = o->gate.n,
                                         .names = o->gate.names,
                                         .rules = o->gate.values,
                                         .prefix = part->prefix,
                                         .model = "nightjar",
                                         .rows = rows,
                                         .previous = &previous,
                                         .n_users = (size_t)users,
                                         .excused = &excused};
    if (o->gate.n > 0 && users < 1.0) {
        code = status_set(status, STATUS_REFUSED,
                          "evaluate: the gate has nothing to judge: no user that training knows "
                          "has a held-out item (%zu unknown users have)",
                          part->unknown_users);
    } else {
        code = gate_check(&request, status);
    }
    if (code == STATUS_REFUSED) {
        code = context_refused(context, status);
    }
    if (excused.length > 0) {
        log_write(context_log(context), LOG_INFO, "evaluate: the gate lets chance pass:%s",
                  buf_text(&excused));
    }
done:
    buf_release(&excused);
    metric_rows_release(&previous);
    return code;
}

static enum status_code evaluate_run(struct context *context, const void *values,
                                     struct status *status)
{
    const struct evaluate_options *o = values;
    const struct artifact *artifact = NULL;
    struct interactions interactions = {0};
    struct embeddings embeddings = {0};
    struct judged_part part = {0};
    struct metric_rows rows = {0};
    struct artifact out = {0};
    struct calibration calibration = {0};
    struct score_products products = {0};
    struct sparse item_weights = {0};
    struct late_parts late = {0};
    struct evening began = {0};
    bool begins = false;
    double users = 0.0;
    enum status_code code;
    TRY(context_input(context, "towers", &artifact, status));
    TRY(embeddings_load(&embeddings, artifact, status));
    TRY(context_input(context, "interactions", &artifact, status));
    TRY(interactions_load(&interactions, artifact, status));
    TRY(embeddings_check_rows(&embeddings, interactions.basis[embeddings.basis].n_users,
                              interactions.basis[embeddings.basis].n_items, status));
    TRY(context_input(context, "calibration", &artifact, status));
    TRY(calibration_load(&calibration, artifact, &embeddings, status));
    TRY(score_inputs_load(context, &interactions, &embeddings, &products, status));
    const struct score_sources sources = score_sources_of(&products);
    TRY(score_check(&calibration.weights, &sources, "evaluate", status));
    TRY(choose_part(context, &interactions, &embeddings, &part, status));
    tell_part(context, &part);
    TRY(late_parts_load(context, &interactions, &part, &late, status));
    TRY(late_parts_begin_test(&late, &interactions, &part, &began, &begins, status));
    if (part.held_out != NULL) {
        struct evaluation_request request =
            request_of(context, o, &part, &embeddings, &calibration, &sources);
        TRY(baseline_item_weights(part.dataset, &part.crowd, &request.watch, context_pool(context),
                                  &item_weights, status));
        request.item_weights = &item_weights;
        if (o->roll.given) {
            TRY(roll(context, o, &interactions, &late, &request, &rows, status));
        }
        request.dataset = begins ? &began.dataset : part.dataset;
        TRY(measure(context, o, request, &rows, status));
    }
    TRY(measure_cold(context, o, &part, &embeddings, &calibration, &sources, &rows, status));
    TRY(record(context, &rows, status));
    (void)(metric_rows_find(&rows, "users", "data", "all", &users) ||
           metric_rows_find(&rows, "valid:users", "data", "all", &users));
    context_set_rows(context, (int64_t)users);
    TRY(metric_rows_save(&rows, &out, status));
    TRY(context_output(context, &out, status));
    TRY(pass_gate(context, o, &part, users, &rows, status));
done:
    artifact_release(&out);
    metric_rows_release(&rows);
    sparse_release(&item_weights);
    evening_release(&began);
    score_products_release(&products);
    interactions_release(&interactions);
    return code;
}

extern const struct stage stage_evaluate;
const struct stage stage_evaluate = {
    .name = "evaluate",
    .summary =
        "Measures the blended score beside its parts and two baselines on the test part; the "
        "gate may refuse.",
    .version = 7,
    .options_size = sizeof(struct evaluate_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .validate = evaluate_validate,
    .validate_plan = evaluate_validate_plan,
    .works_in_ranks = true,
    .refuse_ranks = evaluate_refuse_ranks,
    .estimate = evaluate_estimate,
    .run = evaluate_run,
};
