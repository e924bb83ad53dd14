/* recommend: the lists that will be published, for every user of the log, with the similar items
 * and the popular list. How a list is made is written in model/serving.h. */
#include "model/blend.h"
#include "model/calibration.h"
#include "model/serving.h"
#include "run/context.h"

#include <math.h>

struct recommend_options {
    int64_t top;
    bool exclude_seen, exclude_disliked, cold_items, cold_users;
    int64_t similar, popular;
    const char *eligible, *exclude;
};

#define AT(field) offsetof(struct recommend_options, field)

static const struct option options[] = {
    {.name = "top",
     .type = OPTION_INT,
     .offset = AT(top),
     .default_text = "50",
     .min = 1,
     .max = 10000,
     .unit = "items",
     .help = "Recommendations per user: exactly as many, unless the user has seen all but fewer "
             "items."},
    {.name = "exclude_seen",
     .type = OPTION_BOOL,
     .offset = AT(exclude_seen),
     .default_text = "true",
     .help = "Leaves out items that the user already has an event with, whatever its weight or "
             "age."},
    {.name = "exclude_disliked",
     .type = OPTION_BOOL,
     .offset = AT(exclude_disliked),
     .default_text = "true",
     .help = "Leaves out items that the user's newest event with them was a dislike of (the "
             "`dislikes` of the interactions stage), even where `exclude_seen` is false."},
    {.name = "cold_items",
     .type = OPTION_BOOL,
     .offset = AT(cold_items),
     .default_text = "true",
     .help = "Lets items that training did not know stand in lists and among similar items, as "
             "rows of the source `cold`, where their side data (the `features` stage) gave them a "
             "vector. Their embeddings are published either way."},
    {.name = "cold_users",
     .type = OPTION_BOOL,
     .offset = AT(cold_users),
     .default_text = "true",
     .help = "Makes lists for users without any event, too, where their side data gave them a "
             "vector; false leaves them to the popular items. Users with events always get lists."},
    {.name = "similar",
     .type = OPTION_INT,
     .offset = AT(similar),
     .default_text = "20",
     .min = 0,
     .max = 10000,
     .unit = "items",
     .help = "Similar items per item, by the cosine of their vectors. 0: no such lists."},
    {.name = "popular",
     .type = OPTION_INT,
     .offset = AT(popular),
     .default_text = "100",
     .min = 0,
     .max = 1000000,
     .unit = "items",
     .help = "Length of the list of popular items, for users that the log does not know."},
    {.name = "eligible",
     .type = OPTION_TEXT,
     .offset = AT(eligible),
     .help = "A query on the source whose item_id are the items that may be recommended, popular "
             "and similar ones included: SELECT item_id FROM products WHERE in_stock. Without it, "
             "all of them."},
    {.name = "exclude",
     .type = OPTION_TEXT,
     .offset = AT(exclude),
     .help = "A query on the source that gives user_id and item_id of what this user shall not be "
             "recommended, beside what `exclude_seen` leaves out."},
    {.name = NULL},
};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "towers"},
    {.name = "features", .help = "ids that only the side data have", .optional = true},
    {.name = "calibration", .help = "the weights of the score", .optional = true},
    {.name = "evidence", .help = "item-item pairs for scoring", .optional = true},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "recommendations", .help = "lists per user, similar items, popular items"},
    {.name = NULL},
};

static void recommend_estimate(const void *values, const struct stage_sizes *sizes,
                               struct stage_estimate *out)
{
    const struct recommend_options *o = values;
    double anchors = sizes->n_users + (o->similar > 0 ? sizes->n_items : 0.0);
    out->rows = sizes->n_users * (double)o->top + sizes->n_items * (double)o->similar;
    out->memory_bytes =
        out->rows * 9.0 + sizes->n_interactions * 4.0 + (sizes->n_users + sizes->n_items) * 32.0;
    out->disk_bytes = out->rows * 9.0;
    out->seconds =
        2.0 * anchors * sizes->n_items * sizes->dimension / 5e10 / fmax(sizes->n_threads, 1.0);
}

static enum status_code show_progress(void *data, double done, double total, struct status *status)
{
    struct context *context = data;
    (void)total;
    progress_update(context_progress(context), done, NULL);
    return context_check_stop(context, status);
}

/* Views over the inputs, and the two numberings that are made of them. */
struct sources {
    struct interactions interactions;
    struct towers towers;
    struct features features;
    struct served_ids users, items;
    struct calibration calibration;
    struct evidence evidence;
    struct serving_rules rules;
    bool has_evidence;
};

static void sources_release(struct sources *sources)
{
    serving_rules_release(&sources->rules);
    evidence_release(&sources->evidence);
    served_ids_release(&sources->users);
    served_ids_release(&sources->items);
    features_release(&sources->features);
    interactions_release(&sources->interactions);
}

static enum status_code load(struct context *context, struct sources *sources,
                             struct status *status)
{
    const struct artifact *artifact = NULL;
    struct interactions *interactions = &sources->interactions;
    const struct towers *towers = &sources->towers;
    enum status_code code;
    TRY(context_input(context, "interactions", &artifact, status));
    TRY(interactions_load(interactions, artifact, status));
    TRY(context_input(context, "towers", &artifact, status));
    TRY(towers_load(&sources->towers, artifact, status));
    TRY(context_input(context, "features", &artifact, status));
    TRY(served_ids_load(&sources->users, &sources->items, interactions, towers, artifact,
                        &sources->features, status));
    TRY(context_input(context, "calibration", &artifact, status));
    TRY(calibration_load(&sources->calibration, artifact, towers, status));
    TRY(context_input(context, "evidence", &artifact, status));
    TRY(evidence_load(&sources->evidence, artifact, towers->basis,
                      &interactions->basis[towers->basis], &sources->has_evidence, status));
    TRY(blend_check(&sources->calibration.weights, sources->has_evidence, "recommend", status));
done:
    return code;
}

/* ---- rules read from the source ---- */

static enum status_code stop_between(void *data, struct status *status)
{
    return context_check_stop(data, status);
}

/* The queries that are given; returns how many, room is for both. */
static size_t queries_of(const struct recommend_options *o, struct context *context,
                         struct rules_query queries[2])
{
    size_t n = 0;
    const struct rules_query query = {.timeout_seconds =
                                          context_settings(context)->source.query_timeout,
                                      .between = stop_between,
                                      .data = context};
    if (o->eligible != NULL) {
        queries[n] = query;
        queries[n].what = "recommend.eligible";
        queries[n++].sql = o->eligible;
    }
    if (o->exclude != NULL) {
        queries[n] = query;
        queries[n].what = "recommend.exclude";
        queries[n].has_users = true;
        queries[n++].sql = o->exclude;
    }
    return n;
}

static enum status_code load_rules(struct context *context, const struct recommend_options *o,
                                   struct sources *sources, struct status *status)
{
    struct rules_query queries[2];
    struct db *db = NULL;
    const size_t n = queries_of(o, context, queries);
    enum status_code code = STATUS_OK;
    if (n > 0) {
        TRY(context_source(context, &db, status));
    }
    for (size_t q = 0; q < n; q++) {
        TRY(queries[q].has_users
                ? serving_rules_read_excluded(db, &queries[q], &sources->users, &sources->items,
                                              &sources->rules, status)
                : serving_rules_read_eligible(db, &queries[q], &sources->items, &sources->rules,
                                              status));
    }
    if (n > 0) {
        context_source_done(context);
    }
done:
    return code;
}

static enum status_code recommend_check(struct context *context, const void *values,
                                        struct status *status)
{
    struct rules_query queries[2];
    struct db *db = NULL;
    const size_t n = context_imports_source(context) ? 0 : queries_of(values, context, queries);
    enum status_code code = STATUS_OK;
    for (size_t q = 0; q < n; q++) {
        TRY(context_source(context, &db, status));
        TRY(rules_query_check(db, &queries[q], status));
    }
done:
    context_source_done(context);
    return code;
}

/* What the queries give: as long as it is the same, so are the lists. */
static enum status_code recommend_fingerprint(struct context *context, const void *values,
                                              char out[33], struct status *status)
{
    struct rules_query queries[2];
    struct hash_state *hash = NULL;
    struct db *db = NULL;
    const size_t n = queries_of(values, context, queries);
    enum status_code code;
    TRY(hash_new(&hash, status));
    for (size_t q = 0; q < n; q++) {
        TRY(context_source(context, &db, status));
        TRY(rules_query_hash(db, &queries[q], hash, status));
    }
    hash_text(hash, out);
done:
    hash_free(hash);
    return code;
}

static struct serving_request request_of(const struct recommend_options *o,
                                         const struct sources *sources, struct context *context)
{
    return (struct serving_request){
        .interactions = &sources->interactions,
        .towers = &sources->towers,
        .users = &sources->users,
        .items = &sources->items,
        .weights = sources->calibration.weights,
        .evidence = sources->has_evidence ? &sources->evidence : NULL,
        .top = (size_t)o->top,
        .exclude_seen = o->exclude_seen,
        .exclude_disliked = o->exclude_disliked,
        .cold_items = o->cold_items,
        .cold_users = o->cold_users,
        .rules = &sources->rules,
        .similar = (size_t)o->similar,
        .popular = (size_t)o->popular,
        .between = show_progress,
        .data = context,
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
    const struct serving_request request = request_of(o, &sources, context);
    const struct towers *towers = &sources.towers;
    double n_items = (double)(towers->items.rows + (o->cold_items ? towers->cold_items.rows : 0));
    progress_start(context_progress(context), "recommending", "lists",
                   (double)(towers->users.rows + towers->cold_users.rows) +
                       (o->similar > 0 ? n_items : 0.0));
    code = serving_run(&request, context_pool(context), &recommendations, status);
    progress_finish(context_progress(context));
    TRY(code);
    context_set_rows(context, (int64_t)(recommendations.n_served * recommendations.top));
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
    .version = 4,
    .options_size = sizeof(struct recommend_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .estimate = recommend_estimate,
    .check = recommend_check,
    .fingerprint = recommend_fingerprint,
    .run = recommend_run,
};
