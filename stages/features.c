/* The features stage: side data of items and users out of the source database, as tokens that the
 * towers learn embeddings of. What columns become is in pipeline/features/feature_table.h, how in
 * feature_reader.c (rows), feature_tokens.c (columns) and feature_build.c (the matrix). */
#include "base/hash.h"
#include "config/plan.h"
#include "dataset/dataset.h"
#include "features/feature_build.h"
#include "features/features_options.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"

#include <string.h>

static const struct stage_artifact inputs[] = {
    {.name = "interactions", .help = "the ids that are known"}, {.name = NULL}};
static const struct stage_artifact outputs[] = {
    {.name = "features", .help = "tokens of items and users, ids that only the side data have"},
    {.name = NULL}};

/* What differs between the sides. */
static const struct {
    const char *query, *columns, *id, *id_short;
} side_texts[N_FEATURE_SIDES] = {
    [FEATURE_ITEMS] = {"features.items.query", "features.items.columns", "item_id", "item"},
    [FEATURE_USERS] = {"features.users.query", "features.users.columns", "user_id", "user"},
};

static struct feature_query query_of(const struct features_options *o, size_t side,
                                     const struct plan_source *source)
{
    return (struct feature_query){.what = side_texts[side].query,
                                  .sql = o->side[side].query,
                                  .id_name = side_texts[side].id,
                                  .id_short = side_texts[side].id_short,
                                  .timeout_seconds = source->query_timeout};
}

static struct feature_rules rules_of(const struct features_options *o, size_t side,
                                     const struct feature_rule *other)
{
    return (struct feature_rules){.columns = o->side[side].columns,
                                  .other = other,
                                  .what = side_texts[side].columns,
                                  .on_bad_value = (enum bad_value)o->on_bad_value};
}

/* The first rows; what they are is told of vectors alone, for other types take the whole column. */
static enum status_code check_side(struct context *context, struct db *source,
                                   const struct features_options *o, size_t side,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    enum { ROWS_LOOKED_AT = 20 };
    const struct plan_source *settings = &context_settings(context)->source;
    struct feature_query query = query_of(o, side, settings);
    struct feature_rule other = {0};
    struct feature_rules rules = rules_of(o, side, &other);
    struct feature_rows rows = {0};
    struct arena texts = {0};
    struct buf seen = {0};

    query.most_rows = ROWS_LOOKED_AT;
    TRY(option_defaults(features_column_table, &other, &texts, status));
    TRY(feature_reader_run(source, &query, NULL, &rows, status));
    TRY(feature_rules_check(&rules, &rows.names, status));
    TRY(feature_vectors_check(&rows, &rules, &seen, status));
    if (seen.length > 0) {
        log_write(context_log(context), LOG_INFO, "%s: %s", side_texts[side].query,
                  buf_text(&seen));
    }
done:
    feature_rows_release(&rows);
    arena_release(&texts);
    buf_release(&seen);
    return code;
}

static enum status_code features_check(struct context *context, const void *options,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct features_options *o = options;
    const struct plan_source *settings = &context_settings(context)->source;
    struct db_query *query = NULL;
    struct db *source = NULL;

    if (context_settings(context)->source.is_imported) {
        return STATUS_OK;
    }
    TRY(context_source(context, &source, status));
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        if (o->side[s].given) {
            TRY(check_side(context, source, o, s, status));
        }
    }
    if (o->fingerprint != NULL) {
        TRY(db_prepare_user(source, "features.fingerprint", o->fingerprint, settings->query_timeout,
                            &query, status));
    }
done:
    db_finalize(query);
    context_source_done(context);
    return code;
}

/* The first row of the option's query; the queries themselves are in the stage's key. */
static enum status_code features_fingerprint(struct context *context, const void *options,
                                             char out[HASH_TEXT_MAX], struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct features_options *o = options;
    struct hash_state *hash = NULL;
    struct db_query *query = NULL;
    struct forgotten forgotten = {0};
    struct db *source = NULL;
    bool has_row = false;

    out[0] = '\0';
    if (o->fingerprint == NULL) {
        goto done;
    }
    TRY(context_forgotten(context, &forgotten, status));
    TRY(context_source(context, &source, status));
    TRY(db_prepare_user(source, "features.fingerprint", o->fingerprint,
                        context_settings(context)->source.query_timeout, &query, status));
    TRY(hash_new(&hash, status));
    TRY(db_step(query, &has_row, status));
    for (int i = 0; has_row && i < db_column_count(query); i++) {
        size_t length;
        const enum db_type type = db_column_type(query, i);
        hash_add_int64(hash, (int64_t)type);
        if (type != DB_NULL) {
            const void *bytes = db_column_blob(query, i, &length);
            hash_add_int64(hash, (int64_t)length);
            hash_add(hash, bytes, length);
        }
    }
    hash_add(hash, forgotten.hashes, forgotten.n * KEYED_HASH_BYTES);
    hash_text(hash, out);
done:
    forgotten_release(&forgotten);
    hash_free(hash);
    db_finalize(query);
    return code;
}

static enum status_code read_sides(struct context *context, const struct features_options *o,
                                   struct feature_rows *rows, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct watch watch = context_watch(context);
    struct forgotten forgotten = {0};
    struct db *source = NULL;

    TRY(context_forgotten(context, &forgotten, status));
    TRY(context_source(context, &source, status));
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        struct feature_query query = query_of(o, s, &context_settings(context)->source);
        if (s == FEATURE_USERS) { /* each rank has its own; items are everybody's */
            query.forgotten = &forgotten;
            query.ranks = context_ranks(context);
        }
        if (o->side[s].given) {
            progress_start(context_progress(context), feature_side_names[s], "rows", 0);
            TRY(feature_reader_run(source, &query, &watch, &rows[s], status));
        }
    }
    context_source_done(context);
done:
    forgotten_release(&forgotten);
    return code;
}

static void tell(struct context *context, const struct feature_report *report)
{
    log_write(context_log(context), LOG_INFO, "%s", buf_text(&report->summary));
    for (size_t i = 0; i < report->warnings.n; i++) {
        size_t length;
        const char *text = strings_get(&report->warnings, i, &length);
        log_write(context_log(context), LOG_WARNING, "%.*s", (int)length, text);
    }
}

/* One side; without a query, a table without tokens over the known entities. */
static enum status_code build_side(struct context *context, const struct features_options *o,
                                   size_t side, const struct feature_rows *rows,
                                   const struct vocabulary *master, struct feature_table *table,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct watch watch = context_stop_watch(context);
    struct feature_report report = {0};
    struct feature_rule other = {0};
    struct arena texts = {0};

    if (!o->side[side].given) {
        table->n_master = master->n;
        TRY(sparse_init(&table->matrix, master->n, 0, 0, true, status));
        goto done;
    }
    TRY(option_defaults(features_column_table, &other, &texts, status));
    struct feature_rules rules = rules_of(o, side, &other);
    rules.watch = &watch;
    TRY(feature_table_build(rows, &rules, master, table, &report, status));
    tell(context, &report);
done:
    feature_report_release(&report);
    arena_release(&texts);
    return code;
}

/* Columns that the towers of the last run have learned from and that are gone, or read as another
 * type: a column renamed in the query would lose what was learned of it unnoticed. */
static enum status_code tell_vanished(struct context *context, const struct features *features,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact = {0};
    struct features before = {0};
    struct status unreadable = {0};
    struct buf names = {0};
    bool found = false;

    TRY(context_last_output(context, "features", &artifact, &found, status));
    if (!found || features_load(&before, &artifact, &unreadable) != STATUS_OK) {
        goto done;
    }
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        buf_clear(&names);
        feature_table_vanished(&features->side[s], &before.side[s], &names);
        TRY(buf_check(&names, status));
        if (names.length > 0) {
            log_write(context_log(context), LOG_WARNING,
                      "features: gone since the last run, or of another type, in %s: %s; what the "
                      "towers learned of it is lost",
                      feature_side_names[s], buf_text(&names));
        }
    }
done:
    features_release(&before);
    artifact_release(&artifact);
    buf_release(&names);
    return code;
}

static enum status_code hand_on(struct context *context, struct features *features,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact = {0};

    artifact_init(&artifact, "features");
    TRY(features_save(features, &artifact, status));
    TRY(context_output(context, &artifact, status));
done:
    artifact_release(&artifact);
    return code;
}

static enum status_code features_run(struct context *context, const void *options,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct features_options *o = options;
    const struct artifact *input = NULL;
    struct interactions interactions = {0};
    struct feature_rows rows[N_FEATURE_SIDES] = {{0}};
    struct features features = {0};

    TRY(context_input(context, "interactions", &input, status));
    TRY(interactions_load(&interactions, input, status));
    TRY(read_sides(context, o, rows, status));
    size_t n_users = rows[FEATURE_USERS].ids.n;
    TRY(ranks_sum_count(context_ranks(context), &n_users, status));
    context_set_rows(context, (int64_t)(rows[FEATURE_ITEMS].ids.n + n_users));
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        const struct vocabulary *master =
            s == FEATURE_ITEMS ? &interactions.items : &interactions.users;
        TRY(build_side(context, o, s, &rows[s], master, &features.side[s], status));
    }
    TRY(tell_vanished(context, &features, status));
    TRY(hand_on(context, &features, status));
done:
    progress_finish(context_progress(context));
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        feature_rows_release(&rows[s]);
    }
    features_release(&features);
    interactions_release(&interactions);
    return code;
}

extern const struct stage stage_features;
const struct stage stage_features = {
    .name = "features",
    .summary = "Reads side data of items and users (categories, lists, numbers, words, vectors) as "
               "tokens that the towers learn embeddings of.",
    .version = 2,
    .options_size = sizeof(struct features_options),
    .options = features_options_table,
    .inputs = inputs,
    .outputs = outputs,
    .validate = features_validate,
    .validate_plan = features_validate_plan,
    .sizes = features_sizes,
    .estimate = features_estimate,
    .check = features_check,
    .fingerprint = features_fingerprint,
    .works_in_ranks = true,
    .run = features_run,
};
