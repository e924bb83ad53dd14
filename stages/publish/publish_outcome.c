/* Brings the run's artifacts into the terms of evaluation/outcome.h, and tells of what comes out.
 */
#include "stages/publish/publish_outcome.h"

#include "base/mem.h"
#include "catch_up/merged.h"
#include "ranks/ranks.h"
#include "run/context.h"
#include "run/context_databases.h"

static enum status_code judge(struct context *context, struct db *output,
                              const struct outcome_truth *truth, struct judged_lists *out,
                              struct status *status)
{
    const struct plan_output *settings = &context_settings(context)->output;
    const struct watch watch = context_stop_watch(context);
    enum status_code code;
    TRY(outcome_judge(output, settings->prefix, truth, INT64_MIN, &watch, &out->outcome, status));
    if (settings->variant.given) {
        TRY(variants_judge(output, settings->variant.of, truth, &watch, &out->variants, &out->n,
                           status));
        TRY(variants_add(out->variants, out->n, &out->outcome, status));
    }
done:
    return code;
}

/* What is known of the events, over all ranks: any of them may have some. */
struct known {
    int64_t sees;  /* all ranks see the output database */
    int64_t has;   /* events */
    int64_t tells; /* some are not at whole days */
};

static enum status_code find_known(struct ranks *ranks, const struct db *output,
                                   const struct merged *merged, struct known *known,
                                   struct status *status)
{
    int64_t most[] = {output == NULL, merged->has_events,
                      merged->has_events && !new_events_are_days(&merged->events)};
    enum status_code code;
    TRY(ranks_max_int64(ranks, most, 3, status));
    *known = (struct known){!most[0], most[1], most[2]};
done:
    return code;
}

/* Why nothing can be judged of lists that people may have seen; NULL: it can. */
static const char *find_obstacle(const struct merged *merged, const struct known *known)
{
    return !merged->interactions.has_times ? "the log has no times"
           : !known->has                   ? "the next full run reads the events again"
           : !known->tells
               ? "times of the log are whole days, which do not tell what was shown then"
           : !known->sees ? "not every rank sees the output database"
                          : NULL;
}

enum status_code publish_outcome_judge(struct context *context, struct judged_lists *out,
                                       struct status *status)
{
    struct ranks *ranks = context_ranks(context);
    struct merged merged = {0};
    struct known known;
    struct db *output = NULL;
    struct status failure = {0};
    int64_t before = *context_published_before(context);
    enum status_code code;
    TRY(ranks_share(ranks, &before, sizeof before, status));
    if (before == 0) {
        goto done;
    }
    if (context_published_db(context, &output, &failure) != STATUS_OK) {
        status_clear(&failure); /* as if it were not there */
    }
    TRY(merged_load(&merged, context, MERGED_EVENTS, status));
    TRY(find_known(ranks, output, &merged, &known, status));
    const char *obstacle = find_obstacle(&merged, &known);
    const struct outcome_truth truth = {&merged.interactions, &merged.events, ranks};
    if (obstacle != NULL) {
        log_write(context_log(context), LOG_INFO,
                  "publish: what became of the lists before is not judged: %s", obstacle);
    } else if (judge(context, output, &truth, out, &failure) != STATUS_OK) {
        judged_lists_release(out);
        (void)!ranks_leave(ranks, &failure); /* all have heard of it, and go on */
        ranks_go_on(ranks);
        TRY(context_check_stop(context, status));
        log_write(context_log(context), LOG_WARNING,
                  "publish: what became of the lists before is not known: %s", failure.message);
    }
done:
    db_close(output);
    merged_release(&merged);
    return code;
}

/* That the run tells of: the newest of which some users can tell something, else the newest. */
static int64_t find_told(const struct outcome *outcome)
{
    const double enough = 30;
    int64_t generation = outcome->n > 0 ? outcome->rows[outcome->n - 1].generation : 0;
    for (size_t i = 0; i < outcome->n; i++) {
        const struct publish_outcome *row = &outcome->rows[i];
        if (strcmp(row->metric.name, "outcome_users") == 0 && row->metric.value >= enough) {
            generation = row->generation;
        }
    }
    return generation;
}

enum status_code publish_outcome_record(struct context *context, const struct judged_lists *lists,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct outcome *outcome = &lists->outcome;
    const int64_t told = find_told(outcome);
    const struct publish_metric of = {"outcome_generation", "lists", "all", (double)told, 0};
    if (told != 0) {
        TRY(context_add_metric(context, &of, status));
    }
    for (size_t i = 0; i < outcome->n; i++) {
        const struct publish_outcome *row = &outcome->rows[i];
        if (row->generation == told || strncmp(row->metric.name, "outcome_variant", 15) == 0) {
            TRY(context_add_metric(context, &row->metric, status));
        }
    }
done:
    return code;
}

void judged_lists_release(struct judged_lists *lists)
{
    outcome_release(&lists->outcome);
    mem_free(lists->variants);
    *lists = (struct judged_lists){0};
}
