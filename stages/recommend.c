/* recommend: the lists that will be published, for every user of the log, with the similar items
 * and the popular list. How a list is made is written in model/serving.h. */
#include "model/blend.h"
#include "model/calibration.h"
#include "model/serving.h"
#include "run/context.h"

#include <math.h>

struct recommend_options {
    int64_t top;
    bool exclude_seen;
    int64_t similar, popular;
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
    {.name = NULL},
};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "towers"},
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

static enum status_code recommend_run(struct context *context, const void *values,
                                      struct status *status)
{
    const struct recommend_options *o = values;
    const struct artifact *artifact = NULL;
    struct interactions interactions = {0};
    struct towers towers = {0};
    struct recommendations recommendations = {0};
    struct artifact out = {0};
    struct calibration calibration = {0};
    struct evidence evidence = {0};
    bool has_evidence = false;
    enum status_code code;
    TRY(context_input(context, "interactions", &artifact, status));
    TRY(interactions_load(&interactions, artifact, status));
    TRY(context_input(context, "towers", &artifact, status));
    TRY(towers_load(&towers, artifact, status));
    TRY(context_input(context, "calibration", &artifact, status));
    TRY(calibration_load(&calibration, artifact, &towers, status));
    TRY(context_input(context, "evidence", &artifact, status));
    TRY(evidence_load(&evidence, artifact, towers.basis, &interactions.basis[towers.basis],
                      &has_evidence, status));
    TRY(blend_check(&calibration.weights, has_evidence, "recommend", status));
    struct serving_request request = {
        .interactions = &interactions,
        .towers = &towers,
        .weights = calibration.weights,
        .evidence = has_evidence ? &evidence : NULL,
        .top = (size_t)o->top,
        .exclude_seen = o->exclude_seen,
        .similar = (size_t)o->similar,
        .popular = (size_t)o->popular,
        .between = show_progress,
        .data = context,
    };
    progress_start(context_progress(context), "recommending", "lists",
                   (double)towers.users.rows + (o->similar > 0 ? (double)towers.items.rows : 0.0));
    code = serving_run(&request, context_pool(context), &recommendations, status);
    progress_finish(context_progress(context));
    TRY(code);
    context_set_rows(context, (int64_t)(recommendations.n_served * recommendations.top));
    TRY(recommendations_save(&recommendations, &out, status));
    TRY(context_output(context, &out, status));
done:
    artifact_release(&out);
    recommendations_release(&recommendations);
    evidence_release(&evidence);
    interactions_release(&interactions);
    return code;
}

extern const struct stage stage_recommend;
const struct stage stage_recommend = {
    .name = "recommend",
    .summary = "Makes the lists to publish: top items per user, similar items, popular items.",
    .version = 2,
    .options_size = sizeof(struct recommend_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .estimate = recommend_estimate,
    .run = recommend_run,
};
