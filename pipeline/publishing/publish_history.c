/* The history rows of a generation: what it is, of which run, how good, what became of those before
 * it. Within the transaction of the switch. */
#include "publishing/publish_parts.h"

#include "base/clock.h"

static enum status_code bind_texts(struct db_query *query, int first, const char *const *texts,
                                   int n, struct status *status)
{
    enum status_code code = STATUS_OK;
    for (int i = 0; i < n && code == STATUS_OK; i++) {
        code = db_bind_string(query, first + i, texts[i] != NULL ? texts[i] : "", status);
    }
    return code;
}

static enum status_code bind_integers(struct db_query *query, int first, const int64_t *values,
                                      int n, struct status *status)
{
    enum status_code code = STATUS_OK;
    for (int i = 0; i < n && code == STATUS_OK; i++) {
        code = db_bind_int64(query, first + i, values[i], status);
    }
    return code;
}

static enum status_code write_generation(const struct publish_target *target,
                                         const struct publish_content *content,
                                         const int64_t counts[N_COUNTS], int64_t generation,
                                         const char *checksum, int64_t build_started,
                                         struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    const char *texts[] = {content->pipeline,
                           content->version,
                           content->config_hash,
                           checksum,
                           content->score_parts != NULL ? content->score_parts : "[]",
                           content->chosen != NULL ? content->chosen : ""};
    int64_t integers[] = {generation,
                          clock_unix(),
                          content->seed,
                          content->run_started,
                          build_started,
                          (int64_t)content->dimension,
                          content->sequence_dimension,
                          content->n_interactions,
                          counts[COUNT_SERVED],
                          (int64_t)content->items.n,
                          counts[TABLE_RECOMMENDATIONS],
                          counts[TABLE_POPULAR_ITEMS],
                          counts[TABLE_SIMILAR_ITEMS],
                          counts[TABLE_USER_EMBEDDINGS],
                          counts[TABLE_ITEM_EMBEDDINGS]};
    enum { N_TEXTS = sizeof texts / sizeof texts[0] };
    double reals[] = {content->temperature, content->popularity_weight, content->evidence_weight,
                      content->evidence_exponent};
    enum { N_INTEGERS = sizeof integers / sizeof integers[0] };
    enum { N_REALS = sizeof reals / sizeof reals[0] };
    TRY(publish_prepare(
        target->db, target->prefix,
        "INSERT INTO $nightjar_generations (pipeline, version, config_hash, checksum,"
        " score_parts, chosen, generation, published, seed, run_started, build_started, dimension,"
        " sequence_dimension, n_interactions, n_users, n_items, n_recommendations, n_popular_items,"
        " n_similar_items, n_user_embeddings, n_item_embeddings, temperature,"
        " popularity_weight, evidence_weight, evidence_exponent) VALUES (?, ?, ?, ?, ?, ?, ?,"
        " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        &query, status));
    TRY(bind_texts(query, 1, texts, N_TEXTS, status));
    TRY(bind_integers(query, 1 + N_TEXTS, integers, N_INTEGERS, status));
    for (int i = 0; i < N_REALS; i++) {
        TRY(db_bind_double(query, 1 + N_TEXTS + N_INTEGERS + i, reals[i], status));
    }
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}

static enum status_code write_run(const struct publish_target *target,
                                  const struct publish_content *content, int64_t generation,
                                  struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    const char *texts[] = {content->pipeline, content->version, content->config_hash};
    int64_t integers[] = {generation, content->seed, content->run_started, clock_unix(),
                          content->n_interactions};
    TRY(publish_prepare(
        target->db, target->prefix,
        "INSERT INTO $nightjar_runs (pipeline, version, config_hash, generation, seed,"
        " started, finished, n_interactions) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        &query, status));
    TRY(bind_texts(query, 1, texts, 3, status));
    TRY(bind_integers(query, 4, integers, 5, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}

static enum status_code write_metrics(const struct publish_target *target,
                                      const struct publish_content *content, int64_t generation,
                                      struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(publish_prepare(target->db, target->prefix,
                        "INSERT INTO $nightjar_metrics (generation, name, model, \"group\", value)"
                        " VALUES (?, ?, ?, ?, ?)",
                        &query, status));
    for (size_t i = 0; i < content->n_metrics; i++) {
        const struct publish_metric *metric = &content->metrics[i];
        const char *texts[] = {metric->name, metric->model, metric->group};
        TRY(db_bind_int64(query, 1, generation, status));
        TRY(bind_texts(query, 2, texts, 3, status));
        TRY(db_bind_double(query, 5, metric->value, status));
        TRY(db_run(query, status));
    }
done:
    db_finalize(query);
    return code;
}

/* Of a generation all outcomes at once: what is known of it now stands in place of what was. */
static enum status_code write_outcomes(const struct publish_target *target,
                                       const struct publish_content *content, struct status *status)
{
    static const char *const texts[] = {
        "DELETE FROM $nightjar_metrics WHERE generation = ?1 AND name GLOB 'outcome_*'"
        " AND EXISTS (SELECT 1 FROM $nightjar_generations WHERE generation = ?1"
        "  AND run_started = ?2)",
        "INSERT OR REPLACE INTO $nightjar_metrics (generation, name, model, \"group\", value)"
        " SELECT generation, ?3, ?4, ?5, ?6 FROM $nightjar_generations"
        " WHERE generation = ?1 AND run_started = ?2"};
    struct db_query *queries[2] = {NULL, NULL};
    enum status_code code = STATUS_OK;
    for (int q = 0; q < 2 && content->n_outcomes > 0; q++) {
        TRY(publish_prepare(target->db, target->prefix, texts[q], &queries[q], status));
    }
    for (size_t i = 0; i < content->n_outcomes; i++) {
        const struct publish_outcome *outcome = &content->outcomes[i];
        const struct publish_metric *metric = &outcome->metric;
        const int64_t integers[] = {outcome->generation, outcome->run_started};
        const char *names[] = {metric->name, metric->model, metric->group};
        if (i == 0 || content->outcomes[i - 1].generation != outcome->generation) {
            TRY(bind_integers(queries[0], 1, integers, 2, status));
            TRY(db_run(queries[0], status));
        }
        TRY(bind_integers(queries[1], 1, integers, 2, status));
        TRY(bind_texts(queries[1], 3, names, 3, status));
        TRY(db_bind_double(queries[1], 6, metric->value, status));
        TRY(db_run(queries[1], status));
    }
done:
    db_finalize(queries[0]);
    db_finalize(queries[1]);
    return code;
}

enum status_code publish_set_current(struct db *db, const char *prefix, int64_t generation,
                                     bool is_rollback, struct status *status)
{
    const char *const texts[] = {
        is_rollback ? "UPDATE $nightjar_current SET generation = ?1, switched = ?2,"
                      " instead_of = nullif(coalesce(instead_of, generation), ?1)"
                    : "INSERT OR REPLACE INTO $nightjar_current (id, generation, switched)"
                      " VALUES (1, ?1, ?2)",
        "INSERT INTO $nightjar_switches (generation, switched) VALUES (?1, ?2)"};
    const int64_t values[] = {generation, clock_unix()};
    struct db_query *query = NULL;
    enum status_code code = STATUS_OK;
    for (int t = 0; t < 2; t++) {
        TRY(publish_prepare(db, prefix, texts[t], &query, status));
        TRY(bind_integers(query, 1, values, 2, status));
        TRY(db_run(query, status));
        db_finalize(query);
        query = NULL;
    }
done:
    db_finalize(query);
    return code;
}

enum status_code publish_write_history(const struct publish_target *target,
                                       const struct publish_content *content,
                                       const int64_t counts[N_COUNTS], int64_t generation,
                                       const char *checksum, int64_t build_started,
                                       struct status *status)
{
    enum status_code code;
    TRY(write_generation(target, content, counts, generation, checksum, build_started, status));
    TRY(write_run(target, content, generation, status));
    TRY(write_metrics(target, content, generation, status));
    TRY(write_outcomes(target, content, status));
    TRY(publish_set_current(target->db, target->prefix, generation, false, status));
done:
    return code;
}
