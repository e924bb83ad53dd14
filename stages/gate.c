/* gate: the last look at what will be published, after the lists are made: how many users and rows,
 * how much of the catalogue, whether one item is everywhere, how old the newest event is, how many
 * rows of the log could not be read. Rules on how good the model is stand in evaluate.
 */
#include "base/mem.h"
#include "base/num.h"
#include "dataset/dataset.h"
#include "evaluation/gate_rules.h"
#include "run/context.h"
#include "run/context_data.h"
#include "serving/recommendations.h"
#include "serving/served_ids.h"
#include "catch_up/merged.h"

struct gate_options {
    struct option_groups rules; /* name -> struct gate_rule */
    double max_age;
};

static const char *const measured[] = {"users",         "rows",     "coverage",
                                       "item_exposure", "rejected", NULL};
enum { N_MEASURED = sizeof measured / sizeof *measured - 1 };

static const struct option options[] = {
    OPT_GROUPS(
        gate_options, "rules", rules, gate_rule_options, gate_rule,
        "Rules, by what is measured: `users` with a list, `rows` of all lists, `coverage` (the "
        "share of the known items that stand in a list), `item_exposure` (the share of the lists "
        "that have the item most shown), `rejected` (the share of the log's rows that could not be "
        "read). When one fails, the run ends with exit code 79 and what was published before "
        "stays. Example: {users: {of_previous: 0.9}, item_exposure: {max: 0.5}}.",
        .choices = measured),
    OPT_DURATION(gate_options, "max_age", max_age, "0s", 0, 1e10,
                 "The newest event may be so old when the run starts (3d): an older one says that "
                 "the log is no longer filled. 0s: any age."),
    OPT_END};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "news", .help = "what is new since the last full run", .optional = true},
    {.name = "recommendations"},
    {.name = "towers", .help = "which items can be shown"},
    {.name = "features", .help = "ids that only the side data have", .optional = true},
    {.name = NULL},
};

static void gate_validate(const void *values, struct option_report *report)
{
    const struct gate_options *o = values;
    for (size_t g = 0; g < o->rules.n; g++) {
        const struct gate_rule *rule = &((const struct gate_rule *)o->rules.values)[g];
        bool known = false;
        for (size_t m = 0; m < N_MEASURED; m++) {
            known = known || strcmp(o->rules.names[g], measured[m]) == 0;
        }
        if (!known) {
            option_mistake(report, "rules",
                           "%s is not one of users, rows, coverage, item_exposure, rejected",
                           o->rules.names[g]);
        }
        if (rule->over_popular > 0.0 || rule->over_recent > 0.0 || rule->over_item_item > 0.0) {
            option_mistake(report, "rules",
                           "%s has no baseline; over_popular, over_recent and over_item_item are "
                           "rules of evaluate's gate",
                           o->rules.names[g]);
        }
    }
}

static double share(double part, double whole)
{
    return whole > 0.0 ? part / whole : 0.0;
}

/* rows: the five values, of the model "lists". `most_shown` becomes the served code of the item
 * that most lists have, and `shown_by` the number of those. */
static enum status_code measure(const struct interactions *interactions, size_t n_items,
                                const struct recommendations *lists, struct metric_rows *rows,
                                int32_t *most_shown, int64_t *shown_by, struct status *status)
{
    int64_t *shown = NULL;
    size_t n_rows = 0, n_shown = 0;
    int32_t most = 0;
    enum status_code code;
    TRY(MEM_NEW(&shown, n_items + 1, status));
    for (size_t i = 0; i < lists->n_served * lists->top; i++) {
        const int32_t item = lists->items[i];
        if (item >= 0) {
            n_rows++;
            n_shown += shown[item] == 0;
            shown[item]++;
            most = shown[item] > shown[most] ? item : most;
        }
    }
    const double values[N_MEASURED] = {
        (double)lists->n_served, (double)n_rows, share((double)n_shown, (double)n_items),
        share((double)shown[most], (double)lists->n_served),
        share((double)interactions->n_rejected, (double)interactions->n_rows)};
    for (size_t m = 0; m < N_MEASURED; m++) {
        TRY(metric_rows_add(rows, measured[m], "lists", "all", values[m], status));
    }
    *most_shown = most;
    *shown_by = shown[most];
done:
    mem_free(shown);
    return code;
}

static enum status_code record(struct context *context, const struct metric_rows *rows,
                               struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t m = 0; m < N_MEASURED; m++) {
        const struct publish_metric metric = {measured[m], "lists", "all", rows->values[m], 0};
        TRY(context_add_metric(context, &metric, status));
    }
done:
    return code;
}

/* Why the newest event is too old, with the query that shows it; empty when it is not. */
static enum status_code check_age(const struct context *context, double max_age,
                                  const struct interactions *interactions, struct buf *failure,
                                  struct status *status)
{
    char age_text[NUM_TEXT_MAX], allowed[NUM_TEXT_MAX];
    const double age = (double)(context_run_started(context) - interactions->newest_time);
    if (max_age <= 0.0) {
        return STATUS_OK;
    }
    if (!interactions->has_times) {
        return status_set(status, STATUS_CONFIG,
                          "max_age needs times, the interactions have none; give the query a "
                          "column created_at");
    }
    if (age > max_age) {
        num_format_duration(age, age_text);
        num_format_duration(max_age, allowed);
        buf_addf(failure,
                 "the newest event is %s old, the gate asks for at most %s; to see it: SELECT "
                 "max(created_at) FROM (%s)",
                 age_text, allowed, context_settings(context)->source.interactions);
    }
    return buf_check(failure, status);
}

static enum status_code gate_run(struct context *context, const void *values, struct status *status)
{
    const struct gate_options *o = values;
    const struct artifact *artifact = NULL;
    struct merged merged = {0};
    struct embeddings embeddings = {0};
    struct features features = {0};
    struct served_ids users = {0}, items = {0};
    struct recommendations lists = {0};
    struct metric_rows rows = {0}, previous = {0};
    struct buf failure = {0}, exposed = {0};
    int32_t most_shown = 0;
    int64_t shown_by = 0;
    enum status_code code;
    TRY(merged_load(&merged, context, MERGED_IDS, status));
    TRY(context_input(context, "towers", &artifact, status));
    TRY(embeddings_load(&embeddings, artifact, status));
    TRY(context_input(context, "features", &artifact, status));
    TRY(served_ids_load(&users, &items, &merged.interactions, &embeddings, artifact, &features,
                        status));
    TRY(context_input(context, "recommendations", &artifact, status));
    TRY(recommendations_load(&lists, artifact, status));
    TRY(recommendations_check(&lists, users.ids.n, items.ids.n, status));
    TRY(measure(&merged.interactions, items.ids.n, &lists, &rows, &most_shown, &shown_by, status));
    TRY(record(context, &rows, status));
    TRY(context_previous_metrics(context, &previous, status));
    TRY(check_age(context, o->max_age, &merged.interactions, &failure, status));
    if (shown_by > 0) {
        buf_add_text(&exposed, ": item " PRIVATE_BEGIN);
        vocabulary_format(&items.ids, most_shown, &exposed);
        buf_addf(&exposed, PRIVATE_END " is in %lld of %zu lists", (long long)shown_by,
                 lists.n_served);
        TRY(buf_check(&exposed, status));
    }
    const struct gate_request request = {.stage = "gate",
                                         .n = o->rules.n,
                                         .names = o->rules.names,
                                         .rules = o->rules.values,
                                         .prefix = "",
                                         .model = "lists",
                                         .rows = &rows,
                                         .previous = &previous,
                                         .noted = "item_exposure",
                                         .note = buf_text(&exposed),
                                         .failure = failure.length > 0 ? buf_text(&failure) : NULL};
    code = gate_check(&request, status);
    if (code == STATUS_REFUSED) {
        code = context_refused(context, status);
    }
done:
    buf_release(&failure);
    buf_release(&exposed);
    metric_rows_release(&previous);
    metric_rows_release(&rows);
    recommendations_release(&lists);
    served_ids_release(&users);
    served_ids_release(&items);
    features_release(&features);
    merged_release(&merged);
    return code;
}

extern const struct stage stage_gate;
const struct stage stage_gate = {
    .name = "gate",
    .summary = "Looks at the lists before they are published: users, rows, coverage, exposure, age "
               "of the log; may refuse.",
    .version = 1,
    .options_size = sizeof(struct gate_options),
    .options = options,
    .inputs = inputs,
    .outputs = (const struct stage_artifact[]){{.name = NULL}},
    .validate = gate_validate,
    /* The age changes with the clock, the last run with every night: the gate always looks. */
    .fingerprint = context_always_run,
    .reads_delta = true,
    .run = gate_run,
};
