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
#include "run/source_log.h"
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

/* Over the lists of all ranks. */
struct list_counts {
    int64_t *shown; /* (n_items + 1) lists that have the item */
    int64_t n_lists, n_rows;
};

static enum status_code count_lists(struct ranks *ranks, const struct recommendations *lists,
                                    size_t n_items, struct list_counts *out, struct status *status)
{
    enum status_code code;
    TRY(MEM_NEW(&out->shown, n_items + 1, status));
    for (size_t i = 0; i < lists->n_served * lists->top; i++) {
        if (lists->items[i] >= 0) {
            out->n_rows++;
            out->shown[lists->items[i]]++;
        }
    }
    out->n_lists = (int64_t)lists->n_served;
    TRY(ranks_sum_int64(ranks, out->shown, n_items + 1, status));
    TRY(ranks_sum_int64(ranks, &out->n_rows, 1, status));
    TRY(ranks_sum_int64(ranks, &out->n_lists, 1, status));
done:
    return code;
}

/* rows: the five values, of the model "lists". *most_shown becomes the served code of the item that
 * most lists have. */
static enum status_code measure(const struct interactions *interactions, size_t n_items,
                                const struct list_counts *counts, struct metric_rows *rows,
                                size_t *most_shown, struct status *status)
{
    const int64_t *shown = counts->shown;
    size_t n_shown = 0, most = 0;
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < n_items; i++) {
        n_shown += shown[i] > 0;
        most = shown[i] > shown[most] ? i : most;
    }
    const double values[N_MEASURED] = {
        (double)counts->n_lists, (double)counts->n_rows, share((double)n_shown, (double)n_items),
        share((double)shown[most], (double)counts->n_lists),
        share((double)interactions->n_rejected, (double)interactions->n_rows)};
    for (size_t m = 0; m < N_MEASURED; m++) {
        TRY(metric_rows_add(rows, measured[m], "lists", "all", values[m], status));
    }
    *most_shown = most;
done:
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
        const struct plan_source *source = &context_settings(context)->source;
        buf_addf(failure, "the newest event is %s old, the gate asks for at most %s", age_text,
                 allowed);
        if (source->interactions != NULL) { /* else it is a table that one can look into */
            buf_addf(failure, "; to see it: SELECT max(created_at) FROM (%s)",
                     source->interactions);
            source_log_add_rank_hint(context, failure);
        }
    }
    return buf_check(failure, status);
}

/* The rules, by the first rank: it knows the runs before, and decides for all. */
static enum status_code check(struct context *context, const struct gate_options *o,
                              const struct interactions *interactions,
                              const struct metric_rows *rows, const char *exposed,
                              struct status *status)
{
    struct metric_rows previous = {0};
    struct buf failure = {0};
    enum status_code code;
    if (!ranks_is_first(context_ranks(context))) {
        return STATUS_OK;
    }
    TRY(context_previous_metrics(context, &previous, status));
    TRY(check_age(context, o->max_age, interactions, &failure, status));
    const struct gate_request request = {.stage = "gate",
                                         .n = o->rules.n,
                                         .names = o->rules.names,
                                         .rules = o->rules.values,
                                         .prefix = "",
                                         .model = "lists",
                                         .rows = rows,
                                         .previous = &previous,
                                         .noted = "item_exposure",
                                         .note = exposed,
                                         .failure = failure.length > 0 ? buf_text(&failure) : NULL};
    code = gate_check(&request, status);
    if (code == STATUS_REFUSED) {
        code = context_refused(context, status);
    }
done:
    buf_release(&failure);
    metric_rows_release(&previous);
    return code;
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
    struct list_counts counts = {0};
    struct metric_rows rows = {0};
    struct buf exposed = {0};
    size_t most_shown = 0;
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
    TRY(count_lists(context_ranks(context), &lists, items.ids.n, &counts, status));
    TRY(measure(&merged.interactions, items.ids.n, &counts, &rows, &most_shown, status));
    TRY(record(context, &rows, status));
    if (counts.shown[most_shown] > 0) {
        buf_add_text(&exposed, ": item " PRIVATE_BEGIN);
        vocabulary_format(&items.ids, (int32_t)most_shown, &exposed);
        buf_addf(&exposed, PRIVATE_END " is in %lld of %lld lists",
                 (long long)counts.shown[most_shown], (long long)counts.n_lists);
        TRY(buf_check(&exposed, status));
    }
    TRY(check(context, o, &merged.interactions, &rows, buf_text(&exposed), status));
done:
    buf_release(&exposed);
    metric_rows_release(&rows);
    mem_free(counts.shown);
    recommendations_release(&lists);
    served_ids_release(&users);
    served_ids_release(&items);
    features_release(&features);
    merged_release(&merged);
    return code;
}

static enum status_code gate_look_ahead(struct context *context, const void *values,
                                        struct status *status)
{
    const struct gate_options *o = values;
    return o->max_age > 0 ? source_log_need_times(context, "gate.max_age", status) : STATUS_OK;
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
    .works_in_ranks = true,
    .check = gate_look_ahead,
    .run = gate_run,
};
