/* publish: a new generation in the output database. What people query is written in
 * publishing/generation.c; this file brings the pipeline's artifacts into its terms: served codes
 * for every user and item. */
#include "serving/recommendations.h"
#include "serving/served_vectors.h"
#include "stages/publish/publish_outcome.h"
#include "towers/embeddings.h"
#include "catch_up/merged.h"

#include "base/mem.h"
#include "base/path.h"
#include "run/context.h"
#include "run/context_data.h"
#include "ranks/ranks.h"
#include "run/context_databases.h"

#include <math.h>

struct publish_options {
    char none; /* an empty struct is no C11 */
};

static const struct option options[] = {{.name = NULL}};

static const struct stage_artifact inputs[] = {
    {.name = "interactions", .help = "the ids of users and items"},
    {.name = "towers", .help = "the embeddings: those of refit, else of train"},
    {.name = "news", .help = "what is new since the last full run", .optional = true},
    {.name = "recommendations", .help = "lists, similar items, popular items, cold users"},
    {.name = "new_events",
     .help = "what became of the lists before",
     .optional = true,
     .aside = true},
    {.name = "features", .help = "ids that only the side data have", .optional = true},
    {.name = "training", .help = "what the search chose, for the next one", .optional = true},
    {.name = "metrics", .help = "for the history of published runs", .optional = true},
    {.name = NULL}};

static const struct stage_artifact outputs[] = {{.name = NULL}};

/* Views over the input artifacts, and what has to be made. */
struct publication {
    struct merged merged;
    struct embeddings embeddings;
    struct features features;
    struct served_ids user_ids, item_ids;
    struct recommendations lists;
    struct served_vectors users, items;
    struct score_term terms[SCORE_TERMS_MAX];
    struct publish_part parts[SCORE_TERMS_MAX]; /* of the terms */
    struct buf score_parts;
    struct buf chosen;          /* by the search of train */
    struct judged_lists before; /* of the generations before */
};

static void release(struct publication *p)
{
    served_vectors_release(&p->users);
    served_vectors_release(&p->items);
    served_ids_release(&p->user_ids);
    served_ids_release(&p->item_ids);
    features_release(&p->features);
    merged_release(&p->merged);
    recommendations_release(&p->lists);
    buf_release(&p->score_parts);
    buf_release(&p->chosen);
    judged_lists_release(&p->before);
}

static enum status_code load(struct context *context, struct publication *p, struct status *status)
{
    enum status_code code;
    const struct artifact *artifact;
    TRY(merged_load(&p->merged, context, MERGED_IDS, status));
    TRY(context_input(context, "towers", &artifact, status));
    TRY(embeddings_load(&p->embeddings, artifact, status));
    TRY(context_input(context, "recommendations", &artifact, status));
    TRY(recommendations_load(&p->lists, artifact, status));
    TRY(context_input(context, "features", &artifact, status));
    TRY(served_ids_load(&p->user_ids, &p->item_ids, &p->merged.interactions, &p->embeddings,
                        artifact, &p->features, status));
    TRY(recommendations_check(&p->lists, p->user_ids.ids.n, p->item_ids.ids.n, status));
    const struct dataset *dataset = &p->merged.interactions.basis[p->embeddings.basis];
    if (p->embeddings.users.rows != dataset->n_users ||
        p->embeddings.items.rows != dataset->n_items ||
        p->lists.n_vectors != dataset->n_items + p->embeddings.cold_items.rows ||
        (p->lists.n_cold > 0 && p->lists.dimension != p->embeddings.users.columns)) {
        TRY(status_set(status, STATUS_DATA,
                       "publish: towers (%zu x %zu), recommendations (%zu items) and interactions "
                       "(%zu x %zu) do not fit together; the work database is of another version "
                       "or damaged: delete it and run again",
                       p->embeddings.users.rows, p->embeddings.items.rows, p->lists.n_vectors,
                       dataset->n_users, dataset->n_items));
    }
done:
    return code;
}

static enum status_code merge_vectors(struct publication *p, bool is_first, struct status *status)
{
    const struct dataset *dataset = &p->merged.interactions.basis[p->embeddings.basis];
    const struct recommendations *lists = &p->lists;
    const struct served_vector_parts users = {
        .known = p->embeddings.users,
        .cold = const_matrix_of(lists->cold_vectors, lists->n_cold, p->embeddings.users.columns),
        .known_codes = dataset->users,
        .cold_codes = lists->cold_users};
    const struct served_vector_parts items = {.known = p->embeddings.items,
                                              .cold = p->embeddings.cold_items,
                                              .known_codes = dataset->items,
                                              .cold_codes = p->embeddings.cold_item_codes,
                                              .cold_are_sources = true,
                                              .bias = lists->item_bias};
    enum status_code code;
    TRY(served_vectors_merge(&users, &p->user_ids, &p->users, status));
    if (is_first) { /* items are the same on all ranks */
        TRY(served_vectors_merge(&items, &p->item_ids, &p->items, status));
    }
done:
    return code;
}

static struct publish_ids ids_of(const struct vocabulary *vocabulary)
{
    return (struct publish_ids){.is_text = vocabulary->type == ID_TEXT,
                                .n = vocabulary->n,
                                .integers = vocabulary->integers,
                                .text_offsets = vocabulary->texts.offsets,
                                .text_bytes = vocabulary->texts.bytes};
}

static enum status_code tell_chosen(struct context *context, struct publication *p,
                                    struct status *status)
{
    enum status_code code;
    const struct artifact *training = NULL;
    struct strings chosen = {0};
    TRY(context_input(context, "training", &training, status));
    if (training != NULL && artifact_find(training, "chosen.bytes") != NULL) {
        TRY(artifact_get_strings(training, "chosen", &chosen, status));
        for (size_t i = 0; i < chosen.n; i++) {
            size_t length = 0;
            const char *text = strings_get(&chosen, i, &length);
            buf_add_text(&p->chosen, i > 0 ? " " : "");
            buf_add(&p->chosen, text, length);
        }
        TRY(buf_check(&p->chosen, status));
    }
done:
    return code;
}

/* What the scores are the sum of. */
static enum status_code tell_parts(struct publication *p, struct status *status)
{
    const size_t n = score_terms(&p->lists.weights, p->lists.temperature, p->terms);
    for (size_t t = 0; t < n; t++) {
        p->parts[t] = (struct publish_part){p->terms[t].name, p->terms[t].weight};
    }
    score_parts_tell(&p->lists.weights, &p->score_parts);
    return buf_check(&p->score_parts, status);
}

static struct publish_content content_of(const struct context *context, const struct publication *p)
{
    const struct plan_settings *settings = context_settings(context);
    struct publish_content content = {.users = ids_of(&p->user_ids.ids),
                                      .items = ids_of(&p->item_ids.ids),
                                      .parts = p->parts,
                                      .dimension = p->embeddings.users.columns,
                                      .sequence_dimension = p->embeddings.sequence_dimension,
                                      .n_user_vectors = p->users.n,
                                      .n_item_vectors = p->items.n,
                                      .user_vector_codes = p->users.codes,
                                      .item_vector_codes = p->items.codes,
                                      .user_vectors = p->users.values,
                                      .item_vectors = p->items.values,
                                      .user_vector_sources = p->users.sources,
                                      .item_vector_sources = p->items.sources,
                                      .item_bias = p->items.bias,
                                      .chosen = buf_text(&p->chosen),
                                      .score_parts = buf_text(&p->score_parts),
                                      .n_outcomes = p->before.outcome.n,
                                      .outcomes = p->before.outcome.rows,
                                      .pipeline = settings->pipeline,
                                      .config_hash = context_config_hash(context),
                                      .version = context_version(context),
                                      .seed = settings->seed,
                                      .run_started = context_run_started(context),
                                      .n_interactions = (int64_t)p->merged.n_pairs};
    recommendations_content(&p->lists, &content);
    content.metrics = context_metrics(context, &content.n_metrics);
    return content;
}

struct publishing {
    struct context *context;
    const struct recommendations *lists;
};

static void show_rows(void *data, double done, double total)
{
    const struct publishing *publishing = data;
    struct progress *progress = context_progress(publishing->context);
    recommendations_rest(publishing->lists);
    progress->total = total;
    progress_update(progress, done, NULL);
}

static enum status_code check_stop(void *data, struct status *status)
{
    return context_check_stop(((const struct publishing *)data)->context, status);
}

static enum status_code run(struct context *context, const void *stage_options,
                            struct status *status)
{
    (void)stage_options;
    enum status_code code;
    struct publication p = {0};
    struct db *db = NULL;
    int64_t generation = 0;
    struct status drop_status = {0};
    struct buf takeover = {0};
    const struct plan_settings *settings = context_settings(context);
    struct ranks *ranks = context_ranks(context);
    if (ranks_is_first(ranks)) {
        TRY(context_output_db(context, &db, status));
        TRY(publish_describe_takeover(db, settings->output.prefix, settings->pipeline, &takeover,
                                      status));
    }
    TRY(publish_outcome_judge(context, &p.before, status));
    TRY(load(context, &p, status));
    TRY(merge_vectors(&p, ranks_is_first(ranks), status));
    TRY(tell_parts(&p, status));
    TRY(tell_chosen(context, &p, status));
    struct publish_content content = content_of(context, &p);
    TRY(ranks_sum_int64(ranks, &content.n_interactions, 1, status));
    struct publishing publishing = {context, &p.lists};
    const struct publish_target target = {.db = db,
                                          .ranks = ranks,
                                          .prefix = settings->output.prefix,
                                          .keep = settings->output.keep,
                                          .expected_latest = context_published_before(context),
                                          .watch = {check_stop, show_rows, &publishing},
                                          .drop_status = &drop_status};
    progress_start(context_progress(context), "publish", "rows", 0);
    TRY(publish_generation(&target, &content, &generation, status));
    context_set_generation(context, generation);
    TRY(publish_outcome_record(context, &p.before, status));
    if (takeover.length > 0) {
        log_write(context_log(context), LOG_WARNING, "publish: %s", buf_text(&takeover));
    }
    if (drop_status.code != STATUS_OK) {
        log_write(context_log(context), LOG_WARNING,
                  "publish: an old generation is still there, the next run drops it: %s",
                  drop_status.message);
    }
    int64_t n_rows = 0;
    for (size_t i = 0; i < content.n_served * content.top; i++) {
        n_rows += content.rec_items[i] >= 0;
    }
    TRY(ranks_sum_int64(ranks, &n_rows, 1, status));
    context_set_rows(context, n_rows);
done:
    progress_finish(context_progress(context));
    buf_release(&takeover);
    release(&p);
    return code;
}

/* Foreign tables under our names; rank 0 alone knows the output database. */
static enum status_code check(struct context *context, const void *stage_options,
                              struct status *status)
{
    (void)stage_options;
    const struct plan_settings *settings = context_settings(context);
    struct db *db = NULL;
    struct published_info latest;
    enum status_code code = STATUS_OK;
    if (!ranks_is_first(context_ranks(context))) {
        goto done;
    }
    /* an error counts here, where nothing has been done yet: with "nothing published" in its place
       the run would end after its training, over a generation that seems to have come meanwhile */
    if (settings->output.database != NULL) {
        TRY(path_check_writable(settings->output.database, PATH_DATABASE, status));
    }
    TRY(context_published_db(context, &db, status));
    if (db != NULL) {
        TRY(publish_check_names(db, settings->output.prefix, status));
        TRY(publish_latest(db, settings->output.prefix, &latest, status));
        context_set_published_before(context, latest.generation);
    }
done:
    db_close(db);
    return code;
}

/* What was published last: when someone has dropped or replaced it, the stage runs again. A
 * generation put away by a rollback is not published anew on an unchanged night. Nothing published,
 * or something missing, is unknown, so it runs. */
static enum status_code hash_published(struct context *context, char out[HASH_TEXT_MAX],
                                       struct status *status)
{
    enum status_code code;
    const struct plan_settings *settings = context_settings(context);
    struct db *db = NULL;
    struct hash_state *hash = NULL;
    struct published_info latest;
    int64_t n_missing = 0;
    bool found = false;
    TRY(context_published_db(context, &db, status));
    if (db == NULL) {
        return STATUS_OK;
    }
    TRY(publish_latest(db, settings->output.prefix, &latest, status));
    if (latest.generation != 0) {
        TRY(publish_get_int64(db, settings->output.prefix,
                              "SELECT count(*) FROM $nightjar_objects AS o WHERE NOT EXISTS (SELECT"
                              " 1 FROM sqlite_schema AS s WHERE s.name = o.name COLLATE NOCASE"
                              " AND s.type = o.type) AND generation <= ?1",
                              INT64_MAX, &n_missing, &found, status));
    }
    if (found && n_missing == 0) {
        TRY(hash_new(&hash, status));
        hash_add_int64(hash, latest.generation);
        hash_add_text(hash, latest.checksum);
        hash_text(hash, out);
    }
done:
    hash_free(hash);
    db_close(db);
    return code;
}

/* Rank 0 knows it for all: where it publishes, the others send. */
static enum status_code fingerprint(struct context *context, const void *stage_options,
                                    char out[HASH_TEXT_MAX], struct status *status)
{
    (void)stage_options;
    if (ranks_is_first(context_ranks(context))) {
        out[0] = '\0';
        return hash_published(context, out, status);
    }
    snprintf(out, HASH_TEXT_MAX, "known to rank 0");
    return STATUS_OK;
}

static void estimate(const void *stage_options, const struct stage_sizes *sizes,
                     struct stage_estimate *out)
{
    (void)stage_options;
    /* narrow rows with their share of the b-tree, those of the lists in an index too, each with the
       id that people search by, which a TEXT makes longer; vectors as BLOBs */
    enum { ROW_BYTES = 26, INDEX_BYTES = 12, INDEX_MEMORY = 64 << 20, VECTOR_ROW_BYTES = 20 };
    const double items = sizes->n_items; /* of which a list has each once at the most */
    const double n_lists = sizes->n_users * fmin(sizes->top, items),
                 n_vectors = sizes->n_users + items;
    const double n_similar = items * fmin(sizes->similar, items);
    /* reasons and parts, whose rows are longer */
    const double n_told = n_lists * (fmin(sizes->reasons, items) + 1.5 * sizes->parts);
    const double index_bytes =
        n_lists * (INDEX_BYTES + sizes->user_id_bytes + sizes->item_id_bytes);
    const double vector_bytes = 4 * sizes->dimension;
    const double n_narrow = n_lists + n_told;
    out->rows = n_lists;
    out->memory_bytes = n_vectors * (vector_bytes + 4) + fmin(index_bytes, INDEX_MEMORY);
    out->output_bytes =
        index_bytes + n_lists * (ROW_BYTES + sizes->user_id_bytes + sizes->item_id_bytes) +
        n_told * (ROW_BYTES + sizes->user_id_bytes) +
        sizes->n_users * fmin(sizes->similar_users, sizes->n_users) *
            (ROW_BYTES + 2 * sizes->user_id_bytes) +
        n_similar * (ROW_BYTES + sizes->item_id_bytes) +
        n_vectors * (vector_bytes + VECTOR_ROW_BYTES) + 1.1 * stage_live_bytes(sizes) +
        2 * (sizes->n_users * sizes->user_id_bytes + 2 * items * sizes->item_id_bytes);
    out->seconds = (n_narrow * 350 + n_lists * 250 + n_vectors * 700) * sizes->speeds.addition;
}

const struct stage stage_publish = {
    .name = "publish",
    .summary = "Writes the recommendations, similar items and embeddings as a new generation into "
               "the output database and shows it through the views, all at once.",
    .version = 2,
    .options_size = sizeof(struct publish_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .estimate = estimate,
    .check = check,
    .fingerprint = fingerprint,
    .works_in_ranks = true,
    .reads_delta = true,
    .run = run};
