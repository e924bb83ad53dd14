/* The gate: compares measured rows with rules. What happens to a refused run is the runner's
 * business. */
#include "model/gate.h"

#include "base/buf.h"

/* One metric against one baseline (NULL: against the bare number). */
struct comparison {
    const char *metric; /* as it stands in the rows, with prefix */
    const char *baseline;
    double least; /* value, or multiple of the baseline's */
};

static enum status_code value_of(const struct metric_rows *rows, const char *metric,
                                 const char *model, double *value, struct status *status)
{
    if (metric_rows_find(rows, metric, model, "all", value)) {
        return STATUS_OK;
    }
    return status_set(status, STATUS_INTERNAL, "gate: %s of %s was not measured", metric, model);
}

/* Adds a line to `failures` when the comparison fails. The negated test lets a NaN fail, too. */
static enum status_code compare(const struct comparison *comparison, const struct metric_rows *rows,
                                struct buf *failures, struct status *status)
{
    double value, baseline = 1.0;
    enum status_code code = STATUS_OK;
    if (comparison->least <= 0.0) {
        return STATUS_OK;
    }
    TRY(value_of(rows, comparison->metric, "nightjar", &value, status));
    if (comparison->baseline != NULL) {
        TRY(value_of(rows, comparison->metric, comparison->baseline, &baseline, status));
    }
    if (value >= comparison->least * baseline) {
        return STATUS_OK;
    }
    buf_addf(failures, "\n%s is %.5f, the gate asks for at least %.5f", comparison->metric, value,
             comparison->least * baseline);
    if (comparison->baseline != NULL) {
        buf_addf(failures, " (%g times %s's %.5f)", comparison->least, comparison->baseline,
                 baseline);
    }
done:
    return code;
}

enum status_code gate_check(const char *const *names, const struct gate_rule *rules, size_t n,
                            const struct metric_rows *rows, const char *prefix,
                            struct status *status)
{
    struct buf failures = {0}, metric = {0};
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < n; i++) {
        buf_clear(&metric);
        buf_addf(&metric, "%s%s", prefix, names[i]);
        TRY(buf_check(&metric, status));
        const struct comparison comparisons[] = {
            {buf_text(&metric), NULL, rules[i].min},
            {buf_text(&metric), "popularity", rules[i].over_popular},
            {buf_text(&metric), "item_item", rules[i].over_item_item},
        };
        for (size_t c = 0; c < sizeof comparisons / sizeof *comparisons; c++) {
            TRY(compare(&comparisons[c], rows, &failures, status));
        }
    }
    TRY(buf_check(&failures, status));
    if (failures.length > 0) {
        code = status_set(status, STATUS_REFUSED,
                          "evaluate: the gate refused the model, nothing is published:%s",
                          buf_text(&failures));
    }
done:
    buf_release(&failures);
    buf_release(&metric);
    return code;
}
