/* recommend: the lists that will be published, for every user of the log, with the similar items
 * and the popular list. How a list is made is written in serving/serving.h. */
#include "ranking/score.h"
#include "evaluation/calibration.h"
#include "evaluation/variants.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"
#include "run/source_log.h"
#include "serving/serving.h"
#include "serving/variant.h"
#include "stages/recommend/recommend_options.h"
#include "base/mem.h"
#include "catch_up/merged.h"

#include <math.h>

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "towers"},
    {.name = "news", .help = "what is new since the last full run", .optional = true},
    {.name = "features", .help = "ids that only the side data have", .optional = true},
    {.name = "calibration", .help = "the weights of the score", .optional = true},
    {.name = "evidence", .help = "item-item pairs for scoring", .optional = true},
    {.name = "transitions", .help = "what followed what, for scoring", .optional = true},
    {.name = "ridge", .help = "learned item-item evidence, for scoring", .optional = true},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "recommendations", .help = "lists per user, similar items, popular items"},
    {.name = NULL},
};

/* Views over the inputs, and the two numberings that are made of them. */
struct sources {
    struct merged merged;
    struct embeddings embeddings;
    struct features features;
    struct served_ids users, items;
    struct calibration calibration;
    struct score_products products;
    struct score_sources scored_from; /* of the products */
    struct serving_rules rules;
};

static void sources_release(struct sources *sources)
{
    serving_rules_release(&sources->rules);
    score_products_release(&sources->products);
    served_ids_release(&sources->users);
    served_ids_release(&sources->items);
    features_release(&sources->features);
    merged_release(&sources->merged);
}

static enum status_code load(struct context *context, struct sources *sources,
                             struct status *status)
{
    const struct artifact *artifact = NULL;
    const struct interactions *interactions = &sources->merged.interactions;
    const struct embeddings *embeddings = &sources->embeddings;
    bool found;
    enum status_code code;
    TRY(merged_load(&sources->merged, context, MERGED_LOG, status));
    TRY(context_input(context, "towers", &artifact, status));
    TRY(embeddings_load(&sources->embeddings, artifact, status));
    TRY(context_input(context, "features", &artifact, status));
    TRY(served_ids_load(&sources->users, &sources->items, interactions, embeddings, artifact,
                        &sources->features, status));
    TRY(context_input(context, "calibration", &artifact, status));
    TRY(calibration_load(&sources->calibration, artifact, embeddings, status));
    TRY(context_input(context, "evidence", &artifact, status));
    TRY(merged_evidence(&sources->merged, EVIDENCE_CO_INTERACTION, artifact, embeddings->basis,
                        &sources->products.evidence, &found, status));
    TRY(context_input(context, "transitions", &artifact, status));
    TRY(merged_evidence(&sources->merged, EVIDENCE_TRANSITIONS, artifact, embeddings->basis,
                        &sources->products.transitions, &found, status));
    TRY(context_input(context, "ridge", &artifact, status));
    TRY(merged_evidence(&sources->merged, EVIDENCE_RIDGE, artifact, embeddings->basis,
                        &sources->products.ridge, &found, status));
    TRY(evidence_of_own(&sources->products.own, embeddings->items.rows, status));
    sources->scored_from = score_sources_of(&sources->products);
    TRY(score_check(&sources->calibration.weights, &sources->scored_from, "recommend", status));
done:
    return code;
}

/* ---- rules read from the source ---- */

/* The queries that are given, in their order; returns how many. */
static size_t queries_of(const struct recommend_options *o, struct context *context,
                         struct rules_query queries[N_SERVING_RULES])
{
    size_t n = 0;
    for (int rule = 0; rule < N_SERVING_RULES; rule++) {
        if (o->rules[rule] != NULL) {
            queries[n++] = (struct rules_query){.rule = (enum serving_rule)rule,
                                                .sql = o->rules[rule],
                                                .has_segments = o->rules[RULE_SEGMENTS] != NULL,
                                                .timeout_seconds =
                                                    context_settings(context)->source.query_timeout,
                                                .watch = context_stop_watch(context)};
        }
    }
    return n;
}

/* Of those that are served, leaves the users whose newest event is not too old. */
static enum status_code keep_active(const struct recommend_options *o, struct sources *sources,
                                    struct status *status)
{
    const struct history *log = &sources->merged.interactions.log;
    uint8_t **served = &sources->rules.served;
    const bool all = *served == NULL;
    enum status_code code = STATUS_OK;
    if (o->active_within <= 0) {
        return code;
    }
    if (log->times == NULL) {
        return status_set(status, STATUS_CONFIG,
                          "recommend.active_within: the events have no times, so nobody is known "
                          "to be active");
    }
    if (all) {
        TRY(MEM_NEW(served, sources->users.n_codes, status));
    }
    for (size_t u = 0; u < sources->users.n_codes; u++) {
        bool active = false;
        for (int64_t e = u < log->matrix.n_rows ? log->matrix.offsets[u] : 0;
             u < log->matrix.n_rows && e < log->matrix.offsets[u + 1]; e++) {
            active = active || (double)(sources->merged.interactions.newest_time - log->times[e]) <=
                                   o->active_within;
        }
        (*served)[u] = (all || (*served)[u]) && active;
    }
done:
    return code;
}

/* Of those that are served, leaves the pipeline's share. */
static enum status_code keep_variant(const struct plan_variant *variant, struct sources *sources,
                                     struct status *status)
{
    uint8_t **served = &sources->rules.served;
    const bool all = *served == NULL;
    enum status_code code = STATUS_OK;
    if (!variant->given) {
        return code;
    }
    if (all) {
        TRY(MEM_NEW(served, sources->users.n_codes, status));
    }
    for (size_t u = 0; u < sources->users.n_codes; u++) {
        const int32_t code_of = sources->users.served_of[u];
        double place = 1;
        if (code_of >= 0) {
            const struct row_id id = vocabulary_id(&sources->users.ids, (size_t)code_of);
            TRY(variant_place(variant->of, &id, &place, status));
        }
        (*served)[u] = (all || (*served)[u]) && variant_serves(variant, place);
    }
done:
    return code;
}

/* So that what is published says which share it is for. */
static enum status_code record_variant(struct context *context, const struct plan_variant *variant,
                                       struct status *status)
{
    const struct publish_metric share = {VARIANT_SHARE, "lists", variant->of, variant->share, 0};
    const struct publish_metric from = {VARIANT_FROM, "lists", variant->of, variant->from, 0};
    enum status_code code = STATUS_OK;
    if (variant->given) {
        TRY(context_add_metric(context, &share, status));
        TRY(context_add_metric(context, &from, status));
    }
done:
    return code;
}

static enum status_code load_rules(struct context *context, const struct recommend_options *o,
                                   struct sources *sources, struct status *status)
{
    struct rules_query queries[N_SERVING_RULES];
    struct db *db = NULL;
    const size_t n = queries_of(o, context, queries);
    struct ranks *ranks = context_ranks(context);
    enum status_code code = STATUS_OK;
    if (n > 0 && ranks_is_first(ranks)) {
        TRY(context_source(context, &db, status));
    }
    for (size_t q = 0; q < n; q++) {
        TRY(serving_rules_read(db, &queries[q], ranks, &sources->users, &sources->items,
                               &sources->rules, status));
    }
    if (n > 0) {
        context_source_done(context);
    }
    TRY(keep_active(o, sources, status));
    TRY(keep_variant(&context_settings(context)->output.variant, sources, status));
done:
    return code;
}

static enum status_code recommend_check(struct context *context, const void *values,
                                        struct status *status)
{
    struct rules_query queries[N_SERVING_RULES];
    struct db *db = NULL;
    const bool asks = ranks_is_first(context_ranks(context)) && /* for all */
                      !context_settings(context)->source.is_imported;
    const size_t n = asks ? queries_of(values, context, queries) : 0;
    const struct recommend_options *o = values;
    enum status_code code = STATUS_OK;
    for (size_t q = 0; q < n; q++) {
        TRY(context_source(context, &db, status));
        TRY(rules_query_check(db, &queries[q], status));
    }
    if (o->active_within > 0) {
        TRY(source_log_need_times(context, "recommend.active_within", status));
    }
done:
    context_source_done(context);
    return code;
}

/* What the queries give, and the share of the users: as long as both are the same, so are the
 * lists.
 */
static enum status_code recommend_fingerprint(struct context *context, const void *values,
                                              char out[HASH_TEXT_MAX], struct status *status)
{
    struct rules_query queries[N_SERVING_RULES];
    const struct plan_variant *variant = &context_settings(context)->output.variant;
    struct hash_state *hash = NULL;
    struct db *db = NULL;
    /* rank 0 asks for all: where it makes them anew, so do the others */
    const bool asks = ranks_is_first(context_ranks(context));
    const size_t n = asks ? queries_of(values, context, queries) : 0;
    enum status_code code;
    TRY(hash_new(&hash, status));
    for (size_t q = 0; q < n; q++) {
        TRY(context_source(context, &db, status));
        TRY(rules_query_hash(db, &queries[q], hash, status));
    }
    if (variant->given) {
        hash_add_text(hash, variant->of);
        hash_add(hash, &variant->from, sizeof variant->from);
        hash_add(hash, &variant->share, sizeof variant->share);
    }
    hash_text(hash, out);
done:
    hash_free(hash);
    return code;
}

/* What an index found, or that it did not do; nothing where none was tried. */
static void tell_use(struct log *log, const char *what, const struct index_use *use)
{
    if (use->n_lists > 0 && use->n_probes > 0) {
        log_write(log, LOG_INFO,
                  "recommend: %s: %.0f of %.0f inverted lists looked into, recall %.4f of the "
                  "exact lists' items",
                  what, use->n_probes, use->n_lists, use->recall);
    } else if (use->n_lists > 0) {
        log_write(log, LOG_INFO,
                  "recommend: %s: inverted lists do not reach min_recall (they find %.4f with a "
                  "quarter of %.0f lists at the most); made exactly",
                  what, use->recall, use->n_lists);
    }
}

static void tell_index(void *data, const struct recommendations *made)
{
    struct log *log = context_log(data);
    tell_use(log, "lists", &made->users_index);
    tell_use(log, "similar items", &made->similar_index);
}

/* No list is longer than there are items, so no room is made for more. */
static size_t at_most(int64_t asked, size_t n_items)
{
    return (size_t)asked < n_items ? (size_t)asked : n_items;
}

/* `auto` where the log or the protocol decides: without what was had before, unless repeats count.
 */
static bool excludes_seen(const struct recommend_options *o, const struct sources *sources)
{
    const bool repeats = sources->merged.interactions.basis[BASIS_ALL].repeats;
    return o->exclude_seen == CHOICE_AUTO ? !repeats : o->exclude_seen == CHOICE_TRUE;
}

/* exclude_seen: auto. */
static enum status_code tell_seen(struct context *context, bool excludes, struct status *status)
{
    const struct artifact *artifact = NULL;
    double share = 0;
    enum status_code code;
    TRY(context_input(context, "interactions", &artifact, status));
    if (artifact_find(artifact, "facts.repeat_share") == NULL) { /* the base of an older version */
        goto done;
    }
    TRY(artifact_get_number(artifact, "facts.repeat_share", &share, status));
    log_write(
        context_log(context), LOG_INFO,
        "recommend: exclude_seen: auto: %s; %.1f %% of the newest tenth's events are of items "
        "that their users had before, and by split.repeats of interactions %s",
        excludes ? "lists leave out what was seen" : "lists may have what was seen", 100 * share,
        excludes ? "they do not count" : "they count");
done:
    return code;
}

static struct serving_request request_of(const struct recommend_options *o,
                                         const struct sources *sources, struct context *context)
{
    const size_t n_items = sources->items.ids.n;
    return (struct serving_request){
        .ranks = context_ranks(context),
        .interactions = &sources->merged.interactions,
        .embeddings = &sources->embeddings,
        .users = &sources->users,
        .items = &sources->items,
        .weights = sources->calibration.weights,
        .popular_half_life = sources->calibration.popular_half_life,
        .sources = sources->scored_from,
        .top = at_most(o->top, n_items > 0 ? n_items : 1),
        .exclude_seen = excludes_seen(o, sources),
        .exclude_disliked = o->exclude_disliked,
        .cold_items = o->cold_items,
        .cold_users = o->cold_users,
        .rules = &sources->rules,
        .max_per_category = (size_t)o->max_per_category,
        .min_new = o->min_new,
        .diversity = o->diversity,
        .explain = at_most(o->explain, n_items),
        .parts = o->parts,
        .live = o->live,
        .similar = at_most(o->similar, n_items),
        .similar_users = at_most(o->similar_users, sources->users.ids.n),
        .popular = at_most(o->popular, n_items),
        .index = (enum serving_index)o->index,
        .min_recall = o->min_recall,
        .seed = context_seed(context),
        .spill = context_settings(context)->work.database,
        .index_made = tell_index,
        .data = context,
        .watch = context_watch(context),
    };
}

static enum status_code recommend_run(struct context *context, const void *values,
                                      struct status *status)
{
    const struct recommend_options *o = values;
    struct sources sources = {0};
    struct recommendations recommendations = {0};
    struct artifact out = {0};
    enum status_code code;
    TRY(load(context, &sources, status));
    TRY(load_rules(context, o, &sources, status));
    TRY(record_variant(context, &context_settings(context)->output.variant, status));
    if (o->exclude_seen == CHOICE_AUTO) {
        TRY(tell_seen(context, excludes_seen(o, &sources), status));
    }
    const struct serving_request request = request_of(o, &sources, context);
    const struct embeddings *embeddings = &sources.embeddings;
    double n_items =
        (double)(embeddings->items.rows + (o->cold_items ? embeddings->cold_items.rows : 0));
    progress_start(context_progress(context), "recommending", "lists",
                   (double)(embeddings->users.rows + embeddings->cold_users.rows) +
                       (o->similar > 0 ? n_items : 0.0) +
                       (o->similar_users > 0 ? (double)embeddings->users.rows : 0.0));
    code = serving_run(&request, context_pool(context), &recommendations, status);
    progress_finish(context_progress(context));
    TRY(code);
    if (recommendations.segment_prior > 0) {
        log_write(context_log(context), LOG_INFO,
                  "recommend: %zu segments; what is popular in one of %.0f events is half its own, "
                  "half that of all users",
                  sources.rules.segments.n, recommendations.segment_prior);
    }
    int64_t n_rows = 0;
    for (size_t e = 0; e < recommendations.n_served * recommendations.top; e++) {
        n_rows += recommendations.items[e] >= 0;
    }
    TRY(ranks_sum_int64(context_ranks(context), &n_rows, 1, status));
    context_set_rows(context, n_rows);
    TRY(recommendations_save(&recommendations, &out, status));
    TRY(context_output(context, &out, status));
done:
    artifact_release(&out);
    recommendations_release(&recommendations);
    sources_release(&sources);
    return code;
}

extern const struct stage stage_recommend;
const struct stage stage_recommend = {
    .name = "recommend",
    .summary = "Makes the lists to publish: top items per user, similar items, popular items.",
    .version = 9,
    .options_size = sizeof(struct recommend_options),
    .options = recommend_option_table,
    .inputs = inputs,
    .outputs = outputs,
    .validate = recommend_validate,
    .sizes = recommend_sizes,
    .estimate = recommend_estimate,
    .check = recommend_check,
    .fingerprint = recommend_fingerprint,
    .works_in_ranks = true,
    .refuse_ranks = recommend_refuse_ranks,
    .reads_delta = true,
    .run = recommend_run,
};
