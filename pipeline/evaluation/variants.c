/* Who takes part is read from what each prefix has published. */
#include "evaluation/variants.h"

#include "base/mem.h"
#include "publishing/shown.h"

#include <string.h>

static enum status_code add_prefix(struct db *db, const char *prefix, const char *of,
                                   struct variant **out, size_t *n, struct status *status)
{
    struct shown_trial trial;
    enum status_code code;
    TRY(shown_read_trial(db, prefix, of, VARIANT_SHARE, VARIANT_FROM, &trial, status));
    if (trial.since == 0) {
        goto done;
    }
    TRY(MEM_RESIZE(out, *n, *n + 1, status));
    struct variant *variant = &(*out)[(*n)++];
    snprintf(variant->pipeline, sizeof variant->pipeline, "%s", trial.pipeline);
    snprintf(variant->prefix, sizeof variant->prefix, "%s", prefix);
    variant->since = trial.since;
done:
    return code;
}

static enum status_code find(struct db *db, const char *of, struct variant **out, size_t *n,
                             struct status *status)
{
    static const char prefixes[] =
        "SELECT substr(name, 1, length(name) - length('nightjar_metrics')) FROM sqlite_schema"
        " WHERE type = 'table' AND name GLOB '*nightjar_metrics' ORDER BY 1";
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(db, prefixes, &query, status));
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        TRY(add_prefix(db, db_column_text(query, 0, NULL), of, out, n, status));
    }
done:
    db_finalize(query);
    return code;
}

enum status_code variants_judge(struct db *db, const char *of, const struct outcome_truth *truth,
                                const struct watch *watch, struct variant **out, size_t *n,
                                struct status *status)
{
    struct variant *made = NULL;
    size_t n_made = 0;
    int64_t since = truth->events->since;
    bool known = true;
    enum status_code code;
    TRY(find(db, of, &made, &n_made, status));
    for (size_t v = 0; v < n_made; v++) {
        since = made[v].since > since ? made[v].since : since;
    }
    for (size_t v = 0; v < n_made && n_made > 1; v++) {
        struct outcome outcome = {0};
        code = outcome_judge(db, made[v].prefix, truth, since, watch, &outcome, status);
        made[v].since = since;
        made[v].n_users = outcome.total.n_users;
        outcome_mean(outcome.total.sum, outcome.total.squares, outcome.total.n_users, &made[v].mean,
                     &made[v].error);
        known = known && outcome.total.n_users > 0;
        outcome_release(&outcome);
        TRY(code);
    }
    *n = n_made > 1 && known ? n_made : 0;
    *out = made;
    made = NULL;
done:
    mem_free(made);
    return code;
}

enum status_code variants_add(const struct variant *variants, size_t n, struct outcome *out,
                              struct status *status)
{
    enum { N_NAMES = 3 };
    static const char *const names[N_NAMES] = {"outcome_variant", "outcome_variant_error",
                                               "outcome_variant_users"};
    const size_t n_before = out->n;
    enum status_code code = STATUS_OK;
    if (n == 0 || n_before == 0) {
        goto done;
    }
    TRY(MEM_RESIZE(&out->rows, n_before, n_before + n * N_NAMES, status));
    for (size_t v = 0; v < n; v++) {
        const double values[N_NAMES] = {variants[v].mean, variants[v].error,
                                        (double)variants[v].n_users};
        for (int i = 0; i < N_NAMES; i++) {
            struct publish_outcome *row = &out->rows[out->n++];
            *row = out->rows[n_before - 1];
            row->metric =
                (struct publish_metric){names[i], variants[v].pipeline, "all", values[i], 0};
        }
    }
done:
    return code;
}
