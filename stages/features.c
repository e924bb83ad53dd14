/* The features stage: side data of items and users out of the source database, as tokens that the
 * towers learn embeddings of. What columns become is in pipeline/features/feature_table.h, how in
 * feature_reader.c (rows), feature_tokens.c (columns) and feature_build.c (the matrix). */
#include "base/hash.h"
#include "config/plan.h"
#include "dataset/dataset.h"
#include "features/feature_build.h"
#include "math/components.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"

#include <math.h>
#include <string.h>

struct side_options {
    bool given;
    const char *query;
    struct option_groups columns; /* name -> struct feature_rule */
};

struct features_options {
    struct side_options side[N_FEATURE_SIDES];
    int on_bad_value;
    const char *fingerprint;
};

static const char *const bad_value_names[] = {"reject", "impute", NULL};

static const struct option column_table[] = {
    OPT_CHOICE(
        feature_rule, "type", type, "auto", feature_type_names,
        "what a cell holds: one category, several (a list), a number, words or a vector (a BLOB of "
        "little-endian float32, or a JSON array of numbers). `auto` goes by the cells: vector "
        "where "
        "most are BLOBs or arrays of numbers with fractions, numeric where more are numbers than "
        "texts, multi where every text is a JSON array, categorical where three rows or more share "
        "a text on average, else text"),
    OPT_TEXT(feature_rule, "separator", separator, ",",
             "what stands between the parts of a `multi` cell; a cell that begins with [ is read "
             "as a JSON array instead"),
    OPT_INT(feature_rule, "min_count", min_count, "2", 1, 1e9,
            "a category or a part of a list that fewer rows have gets no embedding of its own: it "
            "shares one of `buckets`, by its hash",
            .unit = "rows"),
    OPT_INT(feature_rule, "buckets", buckets, "0", 0, 16777216,
            "embeddings shared by hash: of the words of a `text` column, of the rare values of a "
            "categorical or multi one. 0 takes 16384 for words and 256 for values",
            .unit = "embeddings"),
    OPT_INT(feature_rule, "dimension", dimension, "0", 0, VECTOR_NUMBERS_MAX,
            "numbers that every vector of a `vector` column must have. 0: as many as the first one",
            .unit = "numbers"),
    OPT_INT(feature_rule, "components", components, "64", 0, VECTOR_NUMBERS_MAX,
            "principal components that are kept of a `vector` column. 0 keeps all numbers as they "
            "are: 8 bytes of memory each, a row",
            .unit = "numbers"),
    OPT_END};

static const struct option side_table[] = {
    OPT_TEXT(side_options, "query", query, NULL,
             "one SELECT with one row an id: the id (`item_id` or `user_id`) and the columns that "
             "describe it. Ids that the interactions do not have may be among them",
             .required = true),
    OPT_GROUPS(side_options, "columns", columns, column_table, feature_rule,
               "how to read a column of the query, such as `tags: {type: multi}`; columns that are "
               "not listed are read as `auto`"),
    OPT_END};

static const struct option option_table[] = {
    OPT_GROUP(features_options, "items", side[FEATURE_ITEMS], side_table, "side data of items"),
    OPT_GROUP(features_options, "users", side[FEATURE_USERS], side_table, "side data of users"),
    OPT_CHOICE(features_options, "on_bad_value", on_bad_value, "reject", bad_value_names,
               "a value that does not fit its column (infinite, a BLOB, no number where numbers "
               "are meant, a broken JSON array) ends the run with its row and id, or counts as "
               "missing and is reported"),
    OPT_TEXT(features_options, "fingerprint", fingerprint, NULL,
             "a SELECT whose result changes whenever the side data do, say `SELECT "
             "max(updated_at), count(*) FROM products`. Without it the rows are read every time; "
             "what follows is redone only when they differ"),
    OPT_END};

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

static void features_validate(const void *options, struct option_report *report)
{
    const struct features_options *o = options;

    if (!o->side[FEATURE_ITEMS].given && !o->side[FEATURE_USERS].given) {
        option_mistake(report, "",
                       "neither items nor users are given: there is nothing to read; give one of "
                       "them a query, or leave the stage out");
    }
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        const struct option_groups *columns = &o->side[s].columns;
        const struct feature_rule *listed = columns->values;
        for (size_t c = 0; c < columns->n; c++) {
            char path[256];
            if (listed[c].separator == NULL || listed[c].separator[0] != '\0') {
                continue;
            }
            (void)snprintf(path, sizeof path, "%s.columns.%s.separator", feature_side_names[s],
                           columns->names[c]);
            option_mistake(report, path, "a separator must have at least one character");
        }
    }
}

/* Every rank reads all rows and keeps what it needs of them. */
static void features_validate_plan(const struct plan *plan, const struct plan_stage *self,
                                   struct option_report *report)
{
    const struct features_options *o = self->options;
    const char *interactions = plan->settings.source.interactions;
    if (plan->rank.n <= 1) {
        return;
    }
    if (plan->source_by_rank && (interactions == NULL || strstr(interactions, ":rank") == NULL)) {
        option_mistake(report, "",
                       "each rank has a source of its own, and side data are read from one that "
                       "all see: leave ${RANK} out of source.database, or run in one process");
    }
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        if (o->side[s].given && strstr(o->side[s].query, ":rank") != NULL) {
            option_mistake(report, s == FEATURE_ITEMS ? "items.query" : "users.query",
                           "every rank reads all rows of side data and keeps those of its own "
                           "users: leave :rank out");
        }
    }
}

/* Numbers and components of a vector of the column; where neither the options nor the source say,
 * those of a common model of texts. */
static void vector_size(const struct feature_rule *rule, double *numbers, double *components)
{
    *numbers = rule->dimension > 0 ? (double)rule->dimension : 768.0;
    *components = rule->components > 0 ? fmin((double)rule->components, *numbers) : *numbers;
}

/* Tokens of a column, as far as its options tell: not the frequent values. */
static double tokens_of(const struct feature_rule *rule)
{
    enum { WORDS = 16384, VALUES = 256 }; /* where `buckets` is 0 */
    double numbers, components;
    vector_size(rule, &numbers, &components);
    switch (rule->type) {
    case FEATURE_VECTOR:
        return components;
    case FEATURE_TEXT:
        return rule->buckets > 0 ? (double)rule->buckets : WORDS;
    case FEATURE_CATEGORICAL:
    case FEATURE_MULTI:
        return rule->buckets > 0 ? (double)rule->buckets : VALUES;
    default:
        return (double)rule->buckets;
    }
}

static void features_sizes(const void *options, struct stage_sizes *sizes)
{
    const struct features_options *o = options;
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        const struct feature_rule *rules = o->side[s].columns.values;
        for (size_t c = 0; c < o->side[s].columns.n; c++) {
            sizes->n_buckets += tokens_of(&rules[c]);
        }
    }
}

/* A cell costs its text, an offset and a number while it is read; a token 8 bytes, once in its
 * column and once in the matrix. How many columns and words there are is not known before: five
 * columns of 24 bytes with eight tokens in all are taken. A vector stands twice in memory while its
 * components are looked for, and those that they are found from twice more. Every rank reads all
 * rows, and keeps those of its users. */
static void features_estimate(const void *options, const struct stage_sizes *sizes,
                              struct stage_estimate *out)
{
    enum { COLUMNS = 5, CELL_BYTES = 24 + 17, TOKENS = 8, TOKEN_BYTES = 8, ID_BYTES = 40 + 8 };
    const struct features_options *o = options;
    const double counts[N_FEATURE_SIDES] = {sizes->n_items, sizes->n_users};
    const double read[N_FEATURE_SIDES] = {sizes->n_items,
                                          sizes->n_users * fmax(sizes->n_ranks, 1.0)};

    *out = (struct stage_estimate){.memory_bytes = 8 * sizes->n_buckets};
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        const struct feature_rule *rules = o->side[s].columns.values;
        double cells = COLUMNS * CELL_BYTES + ID_BYTES, tokens = TOKENS;
        if (!o->side[s].given) {
            continue;
        }
        out->rows += read[s];
        out->seconds += read[s] * COLUMNS * 5e-7;
        for (size_t c = 0; c < o->side[s].columns.n; c++) {
            double numbers, components;
            vector_size(&rules[c], &numbers, &components);
            if (rules[c].type == FEATURE_VECTOR) {
                cells += 2 * numbers * sizeof(float);
                tokens += components;
                out->seconds += counts[s] * numbers * components * 5e-10;
                out->memory_bytes += 2 * fmin(read[s], COMPONENT_ROWS) * numbers * sizeof(float);
            }
        }
        out->memory_bytes += counts[s] * (cells + 2 * tokens * TOKEN_BYTES);
        out->disk_bytes += counts[s] * (tokens * TOKEN_BYTES + 8);
    }
}

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
    TRY(option_defaults(column_table, &other, &texts, status));
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
    TRY(option_defaults(column_table, &other, &texts, status));
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
    size_t n_users;

    TRY(context_input(context, "interactions", &input, status));
    TRY(interactions_load(&interactions, input, status));
    TRY(read_sides(context, o, rows, status));
    TRY(feature_rows_count(&rows[FEATURE_USERS], &n_users, status));
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
    .options = option_table,
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
