/* The queries behind the sentences, and the sentences. */
#include "run/findings.h"

#include "base/clock.h"
#include "base/num.h"
#include "evaluation/metric_rows.h"
#include "publishing/generation.h"

#include <math.h>

/* Of so few users no standard error says much. */
enum { FEW_USERS = 30 };
/* ---- reading ---- */

/* The metric that a run is told by; runs of older versions have no errors. */
static const char judged_metric[] =
    "SELECT name, value, error FROM run_metric WHERE run = ?1 AND model = 'nightjar'"
    " AND grp = 'all' AND label LIKE 'evaluate%' AND name NOT GLOB '*coverage@*'"
    " AND name NOT GLOB '*gini@*' AND name NOT GLOB '*novelty@*' AND name NOT GLOB '*popularity@*'"
    " ORDER BY error IS NULL, name NOT LIKE '%ndcg@20', name LIMIT 1";
static const char best_baseline[] =
    "SELECT model, value, error FROM run_metric WHERE run = ?1 AND name = ?2 AND grp = 'all'"
    " AND model IN ('popularity', 'recent_popularity', 'item_item', 'own')"
    " ORDER BY value DESC, model LIMIT 1";
static const char judged_users[] =
    "SELECT 'users', value, NULL FROM run_metric WHERE run = ?1 AND model = 'data' AND grp = 'all'"
    " AND name = CASE WHEN ?2 GLOB 'valid:*' THEN 'valid:users' ELSE 'users' END";
/* Of a run that was judged by this protocol, repeats counted as by run ?3. */
static const char value_before[] =
    "SELECT m.name, m.value, m.error FROM run_metric AS m JOIN run AS r USING (run)"
    " WHERE m.run = ?1 AND m.name = ?2 AND m.model = 'nightjar' AND m.grp = 'all'"
    " AND r.judged_on LIKE '%; protocol ' || ?4 AND (r.judged_on LIKE '%; repeats count;%') ="
    " EXISTS (SELECT 1 FROM run_metric WHERE run = ?3 AND name IN ('repeats', 'valid:repeats'))";

/* A row of name, value, error; the outputs are untouched without one. */
static enum status_code read_value(struct db *work, const char *sql, int64_t run,
                                   const char *metric, int64_t other, char name[FINDINGS_NAME_MAX],
                                   double *value, double *error, struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(work, sql, &query, status));
    TRY(db_bind_int64(query, 1, run, status));
    if (metric != NULL) {
        TRY(db_bind_string(query, 2, metric, status));
    }
    if (other != 0) {
        TRY(db_bind_int64(query, 3, other, status));
        TRY(db_bind_int64(query, 4, JUDGING_PROTOCOL, status));
    }
    TRY(db_step(query, &has_row, status));
    if (has_row) {
        if (name != NULL) {
            snprintf(name, FINDINGS_NAME_MAX, "%s", db_column_text(query, 0, NULL));
        }
        *value = db_column_double(query, 1);
        *error = db_column_type(query, 2) == DB_NULL ? (double)NAN : db_column_double(query, 2);
    }
done:
    db_finalize(query);
    return code;
}

static enum status_code read_run(struct db *work, int64_t run, struct findings *out,
                                 struct status *status)
{
    struct db_query *query = NULL;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(work,
                   "SELECT started, state, coalesce(generation, 0),"
                   " (SELECT max(run) FROM run WHERE run < ?1 AND state = 'published'),"
                   " EXISTS (SELECT 1 FROM run_metric WHERE run = ?1 AND name = 'news_rows') AND"
                   " EXISTS (SELECT 1 FROM stage_run WHERE run = ?1 AND label = 'evaluate'"
                   "  AND state = 'skipped') FROM run WHERE run = ?1",
                   &query, status));
    TRY(db_bind_int64(query, 1, run, status));
    TRY(db_step(query, &has_row, status));
    if (!has_row) {
        TRY(status_set_at(status, STATUS_NO_INPUT, db_path(work), 0, 0, "there is no run %lld",
                          (long long)run));
    }
    out->run = run;
    out->started = db_column_int64(query, 0);
    snprintf(out->state, sizeof out->state, "%s", db_column_text(query, 1, NULL));
    out->generation = db_column_int64(query, 2);
    out->before = db_column_int64(query, 3);
    out->of_full_night = db_column_int64(query, 4) != 0;
done:
    db_finalize(query);
    return code;
}

static enum status_code read_counts(struct db *output, const char *prefix, int64_t generation,
                                    struct findings_counts *out, struct status *status)
{
    const struct {
        const char *sql;
        double *count;
    } columns[] = {
        {"SELECT n_users FROM $nightjar_generations WHERE generation = ?1", &out->users},
        {"SELECT n_recommendations FROM $nightjar_generations WHERE generation = ?1", &out->rows},
        {"SELECT n_items FROM $nightjar_generations WHERE generation = ?1", &out->items},
        {"SELECT n_interactions FROM $nightjar_generations WHERE generation = ?1", &out->pairs},
    };
    enum status_code code = STATUS_OK;
    for (size_t c = 0; generation != 0 && c < sizeof columns / sizeof *columns; c++) {
        int64_t count;
        bool found;
        TRY(publish_get_int64(output, prefix, columns[c].sql, generation, &count, &found, status));
        if (found) {
            *columns[c].count = (double)count;
        }
    }
done:
    return code;
}

/* Of the run before: when, how good, and its generation. */
static enum status_code read_before(struct db *work, struct findings *out, int64_t *generation,
                                    struct status *status)
{
    struct findings before = {0};
    enum status_code code;
    TRY(read_run(work, out->before, &before, status));
    out->before_started = before.started;
    *generation = before.generation;
    TRY(read_value(work, value_before, out->before, out->metric, out->run, NULL, &out->before_value,
                   &out->before_error, status));
done:
    return code;
}

/* Counts of the run's generation, else of the one in place, and of that of the run before. */
static enum status_code read_published(struct db *output, const char *prefix, int64_t before,
                                       struct findings *out, struct status *status)
{
    struct published_info current = {0};
    enum status_code code;
    TRY(publish_current(output, prefix, &current, status));
    TRY(read_counts(output, prefix, out->generation != 0 ? out->generation : current.generation,
                    &out->counts, status));
    TRY(read_counts(output, prefix, before, &out->before_counts, status));
done:
    return code;
}

enum status_code findings_read(struct db *work, struct db *output, const char *prefix, int64_t run,
                               struct findings *findings, struct status *status)
{
    const struct findings_counts unknown = {(double)NAN, (double)NAN, (double)NAN, (double)NAN};
    struct findings out = {.value = (double)NAN,
                           .error = (double)NAN,
                           .baseline_value = (double)NAN,
                           .difference_error = (double)NAN,
                           .n_users = (double)NAN,
                           .before_value = (double)NAN,
                           .before_error = (double)NAN,
                           .counts = unknown,
                           .before_counts = unknown};
    struct status unreadable = {0};
    int64_t generation = 0;
    double ignored;
    enum status_code code;
    TRY(read_run(work, run, &out, status));
    TRY(read_value(work, judged_metric, run, NULL, 0, out.metric, &out.value, &out.error, status));
    TRY(read_value(work, best_baseline, run, out.metric, 0, out.baseline, &out.baseline_value,
                   &out.difference_error, status));
    TRY(read_value(work, judged_users, run, out.metric, 0, NULL, &out.n_users, &ignored, status));
    if (out.before != 0) {
        TRY(read_before(work, &out, &generation, status));
    }
    if (output != NULL &&
        read_published(output, prefix, generation, &out, &unreadable) != STATUS_OK) {
        out.counts = out.before_counts = unknown;
    }
    *findings = out;
done:
    return code;
}

enum status_code findings_read_outcome(struct db *work, int64_t run, struct findings_outcome *out,
                                       struct status *status)
{
    static const char sql[] = "SELECT name, value, NULL FROM run_metric WHERE run = ?1"
                              " AND name GLOB 'outcome_*' AND grp = 'all' AND model || name = ?2";
    struct {
        const char *metric;
        double value;
    } rows[] = {{"listsoutcome_generation", (double)NAN},
                {"listsoutcome_share", (double)NAN},
                {"popularityoutcome_share", (double)NAN},
                {"listsoutcome_users", (double)NAN},
                {"listsoutcome_hours", (double)NAN},
                {"listsoutcome_over_popular", (double)NAN},
                {"listsoutcome_over_popular_error", (double)NAN}};
    double ignored;
    enum status_code code = STATUS_OK;
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        TRY(read_value(work, sql, run, rows[r].metric, 0, NULL, &rows[r].value, &ignored, status));
    }
    *out = (struct findings_outcome){rows[0].value, rows[1].value, rows[2].value, rows[3].value,
                                     rows[4].value, rows[5].value, rows[6].value};
done:
    return code;
}

/* ---- saying ---- */

const char *findings_model(const char *model)
{
    static const char *const names[][2] = {{"item_item", "item-item"},
                                           {"recent_popularity", "recent popularity"},
                                           {"own", "the user's own items"},
                                           {"item_item_recent", "item-item, recent"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i][0], model) == 0) {
            return names[i][1];
        }
    }
    return model;
}

bool findings_is_clear(double difference, double standard_error)
{
    return fabs(difference) > 1.96 * standard_error; /* of a normal distribution */
}

enum findings_verdict findings_verdict(const struct findings *findings)
{
    const double difference = findings->value - findings->baseline_value;
    if (findings->baseline[0] == '\0' || isnan(findings->difference_error)) {
        return FINDINGS_NOT_KNOWN;
    }
    if (findings->n_users < FEW_USERS ||
        !findings_is_clear(difference, findings->difference_error)) {
        return FINDINGS_CHANCE;
    }
    return difference > 0 ? FINDINGS_BETTER : FINDINGS_WORSE;
}

static void add_count(struct buf *out, double count, const char *what)
{
    char text[NUM_TEXT_MAX];
    num_format_count((int64_t)count, text);
    buf_addf(out, "%s %s", text, what);
}

void findings_add_quality(const struct findings *findings, struct buf *out)
{
    static const char *const verdicts[] = {
        [FINDINGS_BETTER] = "; a difference this size is no accident",
        [FINDINGS_WORSE] = "; worse, and a difference this size is no accident",
        [FINDINGS_CHANCE] = "; a difference this size could be chance",
        [FINDINGS_NOT_KNOWN] = ""};
    if (findings->metric[0] == '\0') {
        return;
    }
    buf_addf(out, "%s %.4f", findings->metric, findings->value);
    if (findings->baseline[0] != '\0' && findings->baseline_value > 0) {
        buf_addf(out, ", %.2f times %s (%.4f)", findings->value / findings->baseline_value,
                 findings_model(findings->baseline), findings->baseline_value);
    } else if (findings->baseline[0] != '\0') {
        buf_addf(out, ", where %s finds nothing", findings_model(findings->baseline));
    }
    if (!isnan(findings->n_users)) {
        buf_add_text(out, " on ");
        add_count(out, findings->n_users, findings->n_users == 1.0 ? "user" : "users");
    }
    buf_add_text(out, verdicts[findings_verdict(findings)]);
    if (strncmp(findings->metric, "valid:", strlen("valid:")) == 0) {
        buf_add_text(out, " (on the validation part, on which settings were chosen)");
    }
    if (findings->of_full_night) {
        buf_add_text(out, " (of the last full night: small ones are not judged)");
    }
}

/* ", 12 more lists"; what is as it was, or unknown (NAN), is left out. */
static void add_change_of(struct buf *out, double now, double before, const char *what)
{
    if (now > before || now < before) {
        char text[NUM_TEXT_MAX];
        num_format_count((int64_t)fabs(now - before), text);
        buf_addf(out, ", %s %s %s", text, now > before ? "more" : "fewer", what);
    }
}

void findings_add_change(const struct findings *findings, struct buf *out)
{
    char time[CLOCK_TEXT_MAX];
    if (findings->before == 0 || (isnan(findings->value) && isnan(findings->counts.users))) {
        return;
    }
    clock_format(findings->before_started, time);
    buf_addf(out, "run %lld of %.10s: ", (long long)findings->before, time); /* the day */
    if (findings->of_full_night) {
        buf_add_text(out, "quality not judged anew");
    } else if (!isnan(findings->before_value) && !isnan(findings->value)) {
        const double change = findings->value - findings->before_value;
        const double error = sqrt(findings->error * findings->error +
                                  findings->before_error * findings->before_error);
        const bool is_clear = !(findings->n_users < FEW_USERS) && findings_is_clear(change, error);
        if (fabs(change) < 0.00005) {
            buf_addf(out, "%s as it was", findings->metric);
        } else {
            buf_addf(out, "%s %+.4f%s", findings->metric, change,
                     isnan(error) ? ""
                     : is_clear   ? " (no accident)"
                                  : " (could be chance)");
        }
    } else {
        buf_add_text(out, isnan(findings->value) ? "quality not judged" : "not judged alike");
    }
    add_change_of(out, findings->counts.users, findings->before_counts.users, "lists");
    add_change_of(out, findings->counts.items, findings->before_counts.items, "items");
    add_change_of(out, findings->counts.pairs, findings->before_counts.pairs,
                  "pairs of user and item");
}

void findings_add_counts(const struct findings *findings, struct buf *out)
{
    if (isnan(findings->counts.users)) {
        return;
    }
    add_count(out, findings->counts.users, "users have a list, ");
    add_count(out, findings->counts.rows, "rows of ");
    add_count(out, findings->counts.items, "items; ");
    add_count(out, findings->counts.pairs, "pairs of user and item in the log");
}

void findings_add_outcome(const struct findings_outcome *outcome, struct buf *out)
{
    if (isnan(outcome->share)) {
        return;
    }
    buf_addf(out, "%.2f %% of the rows of ", 100 * outcome->share);
    if (isnan(outcome->generation)) {
        buf_add_text(out, "the lists before");
    } else {
        buf_addf(out, "generation %.0f", outcome->generation);
    }
    buf_add_text(out, " came true, of ");
    add_count(out, outcome->n_users, outcome->n_users == 1.0 ? "user" : "users");
    if (outcome->hours < 0.1) {
        buf_add_text(out, " with events in the few minutes that it was shown");
    } else {
        buf_addf(out, " with events in the %.1f hours that it was shown", outcome->hours);
    }
    if (!isnan(outcome->popular_share)) {
        const bool is_clear =
            outcome->n_users >= FEW_USERS && findings_is_clear(outcome->more, outcome->more_error);
        buf_addf(out, "; of popular items %.2f %%%s (what is shown is chosen more often)",
                 100 * outcome->popular_share, is_clear ? "" : ", which could be chance");
    }
}

enum status_code findings_add_variants(struct db *work, int64_t run, struct buf *out,
                                       struct status *status)
{
    static const char sql[] =
        "SELECT m.model, m.value, e.value, u.value FROM run_metric AS m JOIN run AS r USING (run)"
        " JOIN run_metric AS e ON e.run = m.run AND e.model = m.model"
        "  AND e.name = 'outcome_variant_error'"
        " JOIN run_metric AS u ON u.run = m.run AND u.model = m.model"
        "  AND u.name = 'outcome_variant_users'"
        " WHERE m.run = ?1 AND m.name = 'outcome_variant' ORDER BY m.model <> r.pipeline, m.model";
    struct db_query *query = NULL;
    double own = 0, own_error = 0, fewest = INFINITY;
    bool has_row;
    enum status_code code;
    TRY(db_prepare(work, sql, &query, status));
    TRY(db_bind_int64(query, 1, run, status));
    for (int n = 0;; n++) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const double value = db_column_double(query, 1), error = db_column_double(query, 2);
        const double difference_error = sqrt(own_error * own_error + error * error);
        fewest = fmin(fewest, db_column_double(query, 3));
        buf_addf(out, "%s%s %.4f rows came true for each of ", n > 0 ? "; " : "",
                 db_column_text(query, 0, NULL), value);
        add_count(out, db_column_double(query, 3), "users");
        if (n > 0) {
            const bool is_clear =
                fewest >= FEW_USERS && findings_is_clear(value - own, difference_error);
            buf_addf(out, ", %+.4f", value - own);
            if (fewest > 1) {
                buf_addf(out, ", standard error %.4f", difference_error);
            }
            buf_addf(out, ": %s", is_clear ? "no accident" : "could be chance");
        } else {
            own = value;
            own_error = error;
        }
    }
done:
    db_finalize(query);
    return code;
}
