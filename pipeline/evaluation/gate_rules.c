/* The gate: compares measured rows with rules. What happens to a refused run is the runner's
 * business. */
#include "evaluation/gate_rules.h"

#include "evaluation/metrics.h"

#include <math.h>

/* Of so few users a refusal says how uncertain their mean is: of a thousand, the standard error of
 * a recall of 0.1 is up to a tenth of it. */
enum { FEW_USERS = 1000 };

const struct option gate_rule_options[] = {
    OPT_FLOAT(gate_rule, "min", min, "0", 0, 1e12, "The least value. 0: no such rule."),
    OPT_FLOAT(gate_rule, "max", max, "0", 0, 1e12, "The greatest value. 0: no such rule."),
    OPT_FLOAT(gate_rule, "of_previous", of_previous, "0", 0, 1000,
              "The least share of what the last published run measured; the first run passes. 0: "
              "no such rule."),
    OPT_FLOAT(gate_rule, "over_popular", over_popular, "0", 0, 1000,
              "The least multiple of the popularity baseline's value. 0: no such rule."),
    OPT_FLOAT(gate_rule, "over_recent", over_recent, "0", 0, 1000,
              "The least multiple of what the items that are popular of late reach, by the "
              "half-life that calibrate found best for them alone. 0: no such rule."),
    OPT_FLOAT(gate_rule, "over_item_item", over_item_item, "0", 0, 1000,
              "The least multiple of the item-item baseline's value. 0: no such rule."),
    OPT_FLOAT(gate_rule, "errors", errors, "2", 0, 10,
              "`of_previous` and the three rules about baselines let pass what lies no further "
              "below than so many standard errors of the difference, for that can be chance; they "
              "are known of metrics that evaluate takes user by user. 0: the figures as they are."),
    OPT_END};

/* One value against one bound. */
struct comparison {
    const char *metric; /* as it stands in the rows, with prefix */
    double value;
    const struct metric_rows *rows; /* where the other value stands */
    const char *model, *whose;      /* of the other value; NULL: the bound is a bare number */
    double least;                   /* value, or multiple of the other one; 0: no rule */
    bool is_over;     /* a baseline: as good as one that found nothing is not enough */
    double own_error; /* of the value; 0: unknown */
    double errors;    /* so many standard errors may be missing */
};

/* Of the value less `least` times the other one: its standard error (gate_rules.h); 0: unknown. */
static double comparison_error(const struct comparison *comparison)
{
    const double own = comparison->own_error, least = comparison->least;
    const double other =
        comparison->model == NULL
            ? 0.0
            : metric_rows_error(comparison->rows, comparison->metric, comparison->model, "all");
    if (!(own > 0.0 && other > 0.0)) {
        return 0.0;
    }
    return comparison->is_over ? least * other + fabs(1.0 - least) * own
                               : sqrt(own * own + least * least * other * other);
}

/* The line of a comparison that fails, or that would without the standard errors. */
static void add_line(const struct comparison *comparison, double other, double error,
                     struct buf *out)
{
    const double bound = comparison->least * other, missing = bound - comparison->value;
    const bool one = comparison->errors == 1.0;
    buf_addf(out, "\n%s is %.6g, the gate asks for %s %.6g", comparison->metric, comparison->value,
             missing <= 0.0 ? "more than" : "at least", bound);
    if (comparison->model != NULL) {
        buf_addf(out, " (%g times %s %.6g)", comparison->least, comparison->whose, other);
    }
    if (error > 0.0 && missing > 0.0) {
        buf_addf(out, ": %.2g is missing, and %g standard error%s of the difference %s %.2g",
                 missing, comparison->errors, one ? "" : "s", one ? "is" : "are", error);
    }
}

/* Adds a line to `failures` when the comparison fails, to `excused` (may be NULL) when chance alone
 * explains that it does. The tests let a NaN fail, too. */
static bool compare(const struct comparison *comparison, struct buf *failures, struct buf *excused)
{
    double other = 1.0;
    if (comparison->least <= 0.0) {
        return true;
    }
    if (comparison->model != NULL &&
        !metric_rows_find(comparison->rows, comparison->metric, comparison->model, "all", &other)) {
        return false;
    }
    const double missing = comparison->least * other - comparison->value;
    const double error = comparison->errors * comparison_error(comparison);
    if (!(missing <= error && (comparison->value > 0.0 || !comparison->is_over))) {
        add_line(comparison, other, error, failures);
    } else if (missing > 0.0 && excused != NULL) {
        add_line(comparison, other, error, excused);
    }
    return true;
}

/* Of the mean of n values in [0, 1], the standard error is at most this, whatever their
 * distribution: their variance is at most mean (1 - mean) (Bhatia and Davis, 2000). */
static double standard_error(double mean, size_t n)
{
    return sqrt(fmax(mean * (1.0 - mean), 0.0) / (double)n);
}

/* What stands behind the lines of a metric that failed. */
static void add_note(const struct gate_request *request, size_t index, double value,
                     struct buf *failures)
{
    const char *name = request->names[index];
    const struct metric *metric;
    size_t k;
    if (request->noted != NULL && strcmp(name, request->noted) == 0) {
        buf_add_text(failures, request->note);
    }
    if (request->n_users > 0 && request->n_users < FEW_USERS &&
        metric_parse(name, strlen(name), &metric, &k)) {
        buf_addf(failures,
                 "\n%s%s is a mean over %zu users, its standard error up to %.2g: longer windows "
                 "(`valid` and `test` of `split`) judge more of them",
                 request->prefix, name, request->n_users, standard_error(value, request->n_users));
    }
}

static enum status_code check_metric(const struct gate_request *request, size_t index,
                                     const char *metric, struct buf *failures,
                                     struct status *status)
{
    const struct gate_rule *rule = &request->rules[index];
    const size_t n_before = failures->length;
    const char *missing = NULL;
    double value;
    if (!metric_rows_find(request->rows, metric, request->model, "all", &value)) {
        missing = request->model;
    } else {
        double unused;
        const bool has_recent =
            metric_rows_find(request->rows, metric, "recent_popularity", "all", &unused);
        const double error = metric_rows_error(request->rows, metric, request->model, "all");
        const struct metric_rows *rows = request->rows;
        const struct comparison comparisons[] = {
            {.metric = metric, .value = value, .least = rule->min},
            {metric, value, rows, "popularity", "popularity's", rule->over_popular, true, error,
             rule->errors},
            {metric, value, rows, has_recent ? "recent_popularity" : "popularity",
             has_recent ? "recent_popularity's" : "popularity's", rule->over_recent, true, error,
             rule->errors},
            {metric, value, rows, "item_item", "item_item's", rule->over_item_item, true, error,
             rule->errors},
        };
        const struct comparison before = {.metric = metric,
                                          .value = value,
                                          .rows = request->previous,
                                          .model = request->model,
                                          .whose = "the last published run's",
                                          .least = rule->of_previous,
                                          .own_error = error,
                                          .errors = rule->errors};
        for (size_t c = 0; c < sizeof comparisons / sizeof *comparisons; c++) {
            if (!compare(&comparisons[c], failures, request->excused)) {
                missing = comparisons[c].model;
            }
        }
        (void)compare(&before, failures, request->excused);
        if (rule->max > 0.0 && !(value <= rule->max)) {
            buf_addf(failures, "\n%s is %.6g, the gate asks for at most %.6g", metric, value,
                     rule->max);
        }
        if (failures->length > n_before) {
            add_note(request, index, value, failures);
        }
    }
    if (missing != NULL) {
        return status_set(status, STATUS_INTERNAL, "gate: %s of %s was not measured", metric,
                          missing);
    }
    return STATUS_OK;
}

enum status_code gate_check(const struct gate_request *request, struct status *status)
{
    struct buf failures = {0}, metric = {0};
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < request->n; i++) {
        buf_clear(&metric);
        buf_addf(&metric, "%s%s", request->prefix, request->names[i]);
        TRY(buf_check(&metric, status));
        TRY(check_metric(request, i, buf_text(&metric), &failures, status));
    }
    if (request->failure != NULL) {
        buf_addf(&failures, "\n%s", request->failure);
    }
    TRY(buf_check(&failures, status));
    if (failures.length > 0) {
        code = status_set(status, STATUS_REFUSED, "%s: the gate refused the run:%s", request->stage,
                          buf_text(&failures));
    }
done:
    buf_release(&failures);
    buf_release(&metric);
    return code;
}
