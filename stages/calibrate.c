/* calibrate: how much popularity, evidence and further parts count at scoring time (the formula is
 * in ranking/score.h). The weights are chosen on the validation part, 0 being a legal answer,
 * evening by evening where that was cut by time (evaluation/exam.h). The stage reads the FIT basis'
 * train and validation parts and nothing of its test part. The search is in
 * evaluation/calibration.c, the fit of all parts at once in evaluation/blend_fit.c. */
#include "evaluation/calibration.h"
#include "run/context.h"
#include "run/context_data.h"

#include <assert.h>
#include <math.h>

struct scoring_options {
    bool given;
    double popularity, half_life, evidence, exponent; /* NAN: auto */
    bool parts;
};

struct calibrate_options {
    struct scoring_options scoring;
    double from, to, step;
    const char *metric;
    int64_t users;
};

static const struct option scoring_options[] = {
    OPT_AUTO(
        scoring_options, "popularity", popularity, "auto", -10, 10,
        "Weight beta of log(1 + users of the item) in the score, users of late counting more by "
        "the half_life. auto chooses it on the validation part; a number is taken as it is."),
    OPT_AUTO(scoring_options, "half_life", half_life, "auto", 0, 36500,
             "Days in which a user of an item loses half of the weight in its popularity; 0: "
             "never. auto chooses it on the validation part, where the log has times.",
             .unit = "days"),
    OPT_AUTO(
        scoring_options, "evidence", evidence, "auto", 0, 1000,
        "Weight gamma of the co-interaction evidence, whose best item counts 1. auto chooses it on "
        "the validation part and is 0 where pairs made no evidence; a number is taken as it is."),
    OPT_AUTO(scoring_options, "exponent", exponent, "auto", -2, 2,
             "Exponent p of the item's number of users, by whose power its evidence is multiplied. "
             "auto chooses it on the validation part."),
    OPT_BOOL(
        scoring_options, "parts", parts, "true",
        "Where pairs made learned evidence (`ridge`), let it take the place of co-interaction "
        "if it ranks better, or stand beside it; and where the log has times or its users "
        "come back to items, weigh further parts, too, all at once by what users of the "
        "validation part chose: evidence of late, transitions, ridge, own items. What does not "
        "help is left out. A number given above turns it off."),
    OPT_END};

static const struct option options[] = {
    OPT_GROUP(calibrate_options, "scoring", scoring, scoring_options,
              "What is added to the cosine of the vectors. Any of these may be given as a number; "
              "without a validation part auto is the exponent of the training for popularity and 0 "
              "for the evidence."),
    OPT_FLOAT(calibrate_options, "from", from, "0", -10, 10,
              "Smallest popularity weight that auto tries."),
    OPT_FLOAT(
        calibrate_options, "to", to, "1.4", -10, 10,
        "Largest popularity weight that auto tries; with a half-life up to three times that."),
    OPT_FLOAT(calibrate_options, "step", step, "0.1", 0.001, 10,
              "Distance of the popularity weights that auto tries; around the best it tries again "
              "in steps five times smaller."),
    OPT_TEXT(calibrate_options, "metric", metric, "ndcg@20",
             "Validation metric to maximise, such as ndcg@20 or recall@50.",
             .pattern = METRIC_PATTERN),
    OPT_INT(calibrate_options, "users", users, "10000", 1, INT32_MAX,
            "Users ranked for every weight, a seeded sample when there are more.", .unit = "users"),
    OPT_END};

static const struct stage_artifact inputs[] = {
    {.name = "interactions", .help = "train and validation parts; the test part is not read"},
    {.name = "towers", .help = "of the train stage: those of refit have seen the validation part"},
    {.name = "evidence", .help = "item-item pairs for scoring", .optional = true},
    {.name = "transitions", .help = "what followed what, for scoring", .optional = true},
    {.name = "ridge", .help = "learned item-item evidence, for scoring", .optional = true},
    {.name = "late_events", .help = "what came after the train part, by time", .optional = true},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "calibration", .help = "the weights of the score and every setting tried"},
    {.name = NULL},
};

enum { GRID_POINTS_MAX = 100 };

static void calibrate_validate(const void *values, struct option_report *report)
{
    const struct calibrate_options *o = values;
    const struct metric *metric;
    size_t k;
    if (!metric_parse(o->metric, strlen(o->metric), &metric, &k)) {
        option_mistake(report, "metric", "%s is not a metric such as ndcg@20", o->metric);
    }
    if (o->from > o->to) {
        option_mistake(report, "from", "%g is above to: %g", o->from, o->to);
    } else if ((o->to - o->from) / o->step > GRID_POINTS_MAX) {
        option_mistake(report, "step", "%g makes more than %d weights between %g and %g", o->step,
                       GRID_POINTS_MAX, o->from, o->to);
    }
}

static void calibrate_validate_plan(const struct plan *plan, const struct plan_stage *self,
                                    struct option_report *report)
{
    const struct calibrate_options *o = self->options;
    if (o->scoring.evidence > 0 && !plan_has_group(plan, self->position, "evidence", "evidence")) {
        option_mistake(report, "scoring.evidence",
                       "%g, but there is no evidence: put `- pairs: {evidence: {}}` above",
                       o->scoring.evidence);
    }
    if (embeddings_know_all(plan, self->position)) {
        option_mistake(report, "",
                       "it stands below refit, whose towers know the validation part "
                       "too: put it between train and refit");
    }
}

/* What is given is not argued with. */
static bool is_auto(const struct scoring_options *o)
{
    return isnan(o->popularity) && isnan(o->half_life) && isnan(o->evidence) && isnan(o->exponent);
}

static void calibrate_estimate(const void *values, const struct stage_sizes *sizes,
                               struct stage_estimate *out)
{
    const struct calibrate_options *o = values;
    double users =
        fmin((double)o->users / fmax(sizes->n_ranks, 1), stage_asked(sizes, sizes->n_valid_users));
    double points = (o->to - o->from) / o->step + 1.0;
    /* evaluation/calibration.c: the grid, 8 finer points, 30 with evidence, 12 with what ridge
       learned, 9 with both and 2 for all parts for every user, 73, 18 and 32 for a part of them;
       and the evidence of 500 partners an item of the history */
    const bool may_blend = o->scoring.parts && is_auto(&o->scoring);
    const double of_all = may_blend ? 61.0 : 38.0, of_part = may_blend ? 123.0 : 73.0;
    const double ranked = (may_blend ? 6.0 : 3.0) * users + fmin(users, 2500.0);
    const double varied = (points + of_all) * users + of_part * fmin(users, 2500.0) - ranked;
    double pairs = sizes->n_interactions / fmax(sizes->n_users, 1.0) * 500.0 * users;
    const struct metric *metric;
    size_t k = 0;
    (void)metric_parse(o->metric, strlen(o->metric), &metric, &k); /* validated */
    const double block = fmin(fmin((double)o->users, sizes->n_users), 2048.0);
    points += of_all + of_part;
    out->seconds =
        sizes->n_items * (ranked * sizes->speeds.ranking + varied * sizes->speeds.variant) +
        pairs * 10.0 * sizes->speeds.addition / fmax(sizes->n_threads, 1.0);
    /* evaluation/blend_fit.c: 1,500 cases at the most, some hundred items each under ten columns,
       in about 100 steps of Newton and of the lists, for all of them and for two halves */
    const bool has_further = may_blend && sizes->has_times > 0;
    out->seconds += has_further ? fmin(users, 1500.0) * 8e5 * sizes->speeds.addition /
                                      fmax(sizes->n_threads, 1.0)
                                : 0.0;
    out->provided = isnan(sizes->n_valid_users) ? STAGE_HALF_ASKED : NULL;
    out->memory_bytes =
        points * (users * 8.0 + block * fmin((double)k, sizes->n_items) * 8.0) +
        (30.0 * 4.0 + 12.0 * 8.0) * sizes->n_items +
        fmin(2e8,
             34.0 * sizes->n_interactions) + /* evaluation/exam.c: what came since, by evening */
        fmax(sizes->n_threads, 1.0) * 128.0 * 8.0 * fmin(sizes->n_items, pairs / fmax(users, 1.0));
    out->rows = users;
}

/* What is taken where there is nothing to choose on. */
static struct calibration unmeasured(const struct context *context, const struct scoring_options *o,
                                     bool has_evidence, const struct embeddings *embeddings)
{
    const bool is_auto = isnan(o->popularity);
    const double beta = is_auto ? embeddings->alpha : o->popularity;
    const double half_life = isnan(o->half_life) ? 0 : o->half_life;
    const double gamma = isnan(o->evidence) || !has_evidence ? 0 : o->evidence;
    log_write(context_log(context), LOG_INFO,
              "calibrate: no validation part to choose the score's weights on; popularity %g, %s; "
              "evidence %g",
              beta, is_auto ? "the exponent of the training" : "as given", gamma);
    return (struct calibration){
        .weights = {.beta = beta,
                    .gamma = gamma,
                    .exponent = isnan(o->exponent) || gamma == 0 ? 0 : o->exponent,
                    .half_life = half_life},
        .towers_beta = beta,
        .towers_half_life = half_life,
        .popular_half_life = half_life,
        .alpha = embeddings->alpha,
        .value = (double)NAN,
        .towers_value = (double)NAN};
}

static void tell(struct context *context, const struct calibrate_options *o,
                 const struct exam *exam, const struct calibration *made)
{
    const struct score_weights *weights = &made->weights;
    struct log *log = context_log(context);
    if (exam->sittings[0].evening != NULL) {
        log_write(log, LOG_INFO,
                  "calibrate: judged on %zu evenings of the validation part, by %zu lists",
                  exam->n_sittings, exam->n_cases);
    }
    log_write(log, LOG_INFO,
              "calibrate: popularity %g (training used %g), half-life %g days (0: of all time), "
              "evidence %g, exponent %g: validation %s %.5f on %zu users; towers alone, "
              "popularity %g: %.5f",
              weights->beta, made->alpha, weights->half_life, weights->gamma, weights->exponent,
              o->metric, made->value, exam->n_users, made->towers_beta, made->towers_value);
    if (made->blended_base > 0) {
        log_write(log, LOG_INFO,
                  "calibrate: further parts %s: %s %.5f, without them %.5f, on users whom the "
                  "weights were not fitted on",
                  made->is_blended ? "help" : "are left out", o->metric, made->blended_value,
                  made->blended_base);
    }
    for (size_t p = 0; p < weights->n_parts; p++) {
        const struct score_part *part = &weights->parts[p];
        log_write(log, LOG_INFO,
                  "calibrate: %s, half-life %g days, %g places (0: all): weight %.4g",
                  score_part_names[part->kind], part->half_life, part->half_places, part->weight);
    }
}

/* What each part is worth, for the log and the report. */
static enum status_code record_worth(struct context *context, const struct calibrate_options *o,
                                     const struct calibration *made, struct status *status)
{
    struct publish_metric metric = {
        .name = o->metric, .model = "nightjar", .group = "validation", .value = made->value};
    char group[sizeof made->worth.parts[0].name + 16];
    enum status_code code = STATUS_OK;
    if (made->worth.n > 0) {
        TRY(context_add_metric(context, &metric, status));
    }
    for (size_t p = 0; p < made->worth.n; p++) {
        metric.value = made->worth.parts[p].without;
        snprintf(group, sizeof group, "without:%s", made->worth.parts[p].name);
        metric.group = group;
        TRY(context_add_metric(context, &metric, status));
        log_write(context_log(context), LOG_INFO,
                  "calibrate: without %s: validation %s %.5f, %.5f %s", made->worth.parts[p].name,
                  o->metric, metric.value, fabs(made->value - metric.value),
                  metric.value > made->value ? "more" : "less");
    }
done:
    return code;
}

/* The weights as given, measured where there is a validation part, or searched for. */
static enum status_code choose(struct context *context, const struct calibrate_options *o,
                               const struct exam *exam, const struct embeddings *embeddings,
                               const struct score_sources *sources, struct calibration *out,
                               struct status *status)
{
    const struct calibration_request request = {.exam = exam,
                                                .embeddings = embeddings,
                                                .sources = *sources,
                                                .popularity = {o->from, o->to, o->step},
                                                .given = {.beta = o->scoring.popularity,
                                                          .gamma = o->scoring.evidence,
                                                          .exponent = o->scoring.exponent,
                                                          .half_life = o->scoring.half_life},
                                                .blends = o->scoring.parts && is_auto(&o->scoring),
                                                .seed = context_seed(context),
                                                .watch = context_watch(context)};
    if (exam->n_users == 0) {
        *out = unmeasured(context, &o->scoring, sources->evidence != NULL, embeddings);
        return STATUS_OK;
    }
    progress_start(context_progress(context), "calibrating", "users", 2.0 * (double)exam->n_own);
    enum status_code code = calibration_search(&request, context_pool(context), out, status);
    progress_finish(context_progress(context));
    if (code == STATUS_OK) {
        tell(context, o, exam, out);
        code = record_worth(context, o, out, status);
    }
    return code;
}

/* Who is asked: on the evenings of the validation part where it was cut by time. */
static enum status_code load_exam(struct context *context, const struct interactions *interactions,
                                  const struct validation *validation, struct exam *exam,
                                  struct status *status)
{
    const struct dataset *fit = &interactions->basis[BASIS_FIT];
    const struct artifact *artifact = NULL;
    struct late_events events = {0};
    bool has_evenings = false;
    const struct evening_source evenings = {.dataset = fit,
                                            .crowd = validation->crowd,
                                            .barred = &fit->valid_barred,
                                            .interactions = interactions,
                                            .events = &events,
                                            .seconds = CLOCK_DAY};
    enum status_code code;
    TRY(context_input(context, "late_events", &artifact, status));
    if (artifact != NULL) {
        TRY(late_events_load(&events, artifact, interactions->users.n, interactions->items.n,
                             status));
    }
    has_evenings = artifact != NULL && fit->train.times != NULL;
    TRY(ranks_any(context_ranks(context), &has_evenings, status));
    TRY(exam_init(exam, validation, has_evenings ? &evenings : NULL, status));
done:
    return code;
}

static enum status_code calibrate_run(struct context *context, const void *values,
                                      struct status *status)
{
    const struct calibrate_options *o = values;
    const struct artifact *artifact = NULL;
    struct interactions interactions = {0};
    struct embeddings embeddings = {0};
    struct validation validation = {0};
    struct exam exam = {0};
    struct score_products products = {0};
    struct calibration calibration = {0};
    struct artifact out = {0};
    bool has_evidence = false, found = false;
    enum status_code code;
    TRY(context_input(context, "towers", &artifact, status));
    TRY(embeddings_load(&embeddings, artifact, status));
    assert(embeddings.basis == BASIS_FIT); /* by the plan */
    TRY(context_input(context, "interactions", &artifact, status));
    TRY(interactions_load(&interactions, artifact, status));
    TRY(embeddings_check_rows(&embeddings, interactions.basis[BASIS_FIT].n_users,
                              interactions.basis[BASIS_FIT].n_items, status));
    const struct crowd crowd =
        crowd_of(context_ranks(context), &interactions, &interactions.basis[BASIS_FIT]);
    TRY(validation_init(&validation, &interactions.basis[BASIS_FIT], &crowd, o->metric,
                        (size_t)o->users, context_seed(context), status));
    TRY(context_input(context, "evidence", &artifact, status));
    TRY(evidence_load(&products.evidence, EVIDENCE_CO_INTERACTION, artifact, BASIS_FIT,
                      &interactions.basis[BASIS_FIT], &has_evidence, status));
    TRY(context_input(context, "transitions", &artifact, status));
    TRY(evidence_load(&products.transitions, EVIDENCE_TRANSITIONS, artifact, BASIS_FIT,
                      &interactions.basis[BASIS_FIT], &found, status));
    TRY(context_input(context, "ridge", &artifact, status));
    TRY(evidence_load(&products.ridge, EVIDENCE_RIDGE, artifact, BASIS_FIT,
                      &interactions.basis[BASIS_FIT], &found, status));
    if (interactions.basis[BASIS_FIT].repeats) {
        TRY(evidence_of_own(&products.own, embeddings.items.rows, status));
    }
    const struct score_sources sources = score_sources_of(&products);
    TRY(load_exam(context, &interactions, &validation, &exam, status));
    TRY(choose(context, o, &exam, &embeddings, &sources, &calibration, status));
    TRY(calibration_save(&calibration, o->metric, &out, status));
    context_set_rows(context, (int64_t)exam.n_users);
    TRY(context_output(context, &out, status));
done:
    artifact_release(&out);
    calibration_release(&calibration);
    score_products_release(&products);
    exam_release(&exam);
    validation_release(&validation);
    interactions_release(&interactions);
    return code;
}

extern const struct stage stage_calibrate;
const struct stage stage_calibrate = {
    .name = "calibrate",
    .summary = "Chooses how much popularity and co-interaction evidence count, on validation data.",
    .version = 9,
    .options_size = sizeof(struct calibrate_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .validate = calibrate_validate,
    .validate_plan = calibrate_validate_plan,
    .works_in_ranks = true,
    .estimate = calibrate_estimate,
    .run = calibrate_run,
};
