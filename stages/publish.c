/* publish: a new generation in the output database. What people query is written in
 * store/generation.c; this file brings the pipeline's artifacts into its terms: master codes for
 * every user and item. */
#include "model/recommendations.h"
#include "model/towers.h"
#include "run/context.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/path.h"

struct publish_options {
    char none; /* an empty struct is no C11 */
};

static const struct option options[] = {{.name = NULL}};

static const struct stage_artifact inputs[] = {
    {.name = "interactions", .help = "the ids of users and items"},
    {.name = "towers", .help = "the embeddings: those of refit, else of train"},
    {.name = "recommendations", .help = "lists, similar items, popular items, cold users"},
    {.name = "metrics", .help = "for the history of published runs", .optional = true},
    {.name = NULL}};

static const struct stage_artifact outputs[] = {{.name = NULL}};

/* Views over the input artifacts, and the two arrays that have to be made. */
struct publication {
    struct interactions interactions;
    struct towers towers;
    struct recommendations lists;
    size_t n_users;      /* with a vector: of the towers or cold */
    int32_t *user_codes; /* (n_users) */
    float *user_vectors; /* (n_users, dimension) */
};

static void release(struct publication *p)
{
    interactions_release(&p->interactions);
    recommendations_release(&p->lists);
    mem_free(p->user_codes);
    mem_free(p->user_vectors);
}

static enum status_code load(struct context *context, struct publication *p, struct status *status)
{
    enum status_code code;
    const struct artifact *artifact;
    TRY(context_input(context, "interactions", &artifact, status));
    TRY(interactions_load(&p->interactions, artifact, status));
    TRY(context_input(context, "towers", &artifact, status));
    TRY(towers_load(&p->towers, artifact, status));
    TRY(context_input(context, "recommendations", &artifact, status));
    TRY(recommendations_load(&p->lists, artifact, status));
    const struct dataset *dataset = &p->interactions.basis[p->towers.basis];
    if (p->towers.users.rows != dataset->n_users || p->towers.items.rows != dataset->n_items ||
        p->lists.n_vectors != dataset->n_items ||
        (p->lists.n_cold > 0 && p->lists.dimension != p->towers.users.columns)) {
        TRY(status_set(status, STATUS_INTERNAL,
                       "publish: towers (%zu x %zu), recommendations (%zu items) and interactions "
                       "(%zu x %zu) do not fit together; run again with --force",
                       p->towers.users.rows, p->towers.items.rows, p->lists.n_vectors,
                       dataset->n_users, dataset->n_items));
    }
done:
    return code;
}

/* Users of the towers and cold users in one list, by ascending master code. */
static enum status_code merge_users(struct publication *p, struct status *status)
{
    enum status_code code;
    const struct dataset *dataset = &p->interactions.basis[p->towers.basis];
    const struct recommendations *lists = &p->lists;
    size_t d = p->towers.users.columns, warm = 0, cold = 0;
    size_t n = dataset->n_users + lists->n_cold, n_elements;
    if (!num_multiply(n, d, &n_elements)) {
        TRY(status_set(status, STATUS_NO_MEMORY, "publish: %zu user vectors are too many", n));
    }
    TRY(MEM_NEW(&p->user_codes, n, status));
    TRY(MEM_NEW(&p->user_vectors, n_elements, status));
    for (size_t i = 0; i < n; i++) {
        bool take_warm = cold == lists->n_cold || (warm < dataset->n_users &&
                                                   dataset->users[warm] < lists->cold_users[cold]);
        const float *vector = take_warm ? p->towers.users.data + warm * p->towers.users.stride
                                        : lists->cold_vectors + cold * d;
        p->user_codes[i] = take_warm ? dataset->users[warm++] : lists->cold_users[cold++];
        memcpy(p->user_vectors + i * d, vector, d * sizeof *vector);
    }
    p->n_users = n;
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

static struct publish_content content_of(const struct context *context, const struct publication *p)
{
    const struct plan_settings *settings = context_settings(context);
    const struct dataset *dataset = &p->interactions.basis[p->towers.basis];
    const struct recommendations *lists = &p->lists;
    struct publish_content content = {.users = ids_of(&p->interactions.users),
                                      .items = ids_of(&p->interactions.items),
                                      .n_served = lists->n_served,
                                      .top = lists->top,
                                      .served = lists->served,
                                      .rec_items = lists->items,
                                      .rec_scores = lists->scores,
                                      .rec_sources = lists->sources,
                                      .n_popular = lists->n_popular,
                                      .popular_items = lists->popular_items,
                                      .popular_scores = lists->popular_scores,
                                      .n_similar_anchors = lists->n_similar_anchors,
                                      .similar_top = lists->similar_top,
                                      .similar_anchors = lists->similar_anchors,
                                      .similar_items = lists->similar_items,
                                      .similar_scores = lists->similar_scores,
                                      .dimension = p->towers.users.columns,
                                      .n_user_vectors = p->n_users,
                                      .n_item_vectors = dataset->n_items,
                                      .user_vector_codes = p->user_codes,
                                      .item_vector_codes = dataset->items,
                                      .user_vectors = p->user_vectors,
                                      .item_vectors = p->towers.items.data,
                                      .item_bias = lists->item_bias,
                                      .temperature = lists->temperature,
                                      .popularity_weight = lists->weights.beta,
                                      .evidence_weight = lists->weights.gamma,
                                      .evidence_exponent = lists->weights.exponent,
                                      .pipeline = settings->pipeline,
                                      .config_hash = context_config_hash(context),
                                      .version = context_version(context),
                                      .seed = settings->seed,
                                      .run_started = context_run_started(context),
                                      .n_interactions =
                                          (int64_t)sparse_entries(&p->interactions.log.matrix)};
    content.metrics = context_metrics(context, &content.n_metrics);
    return content;
}

static enum status_code between(void *data, double rows_done, double rows_total,
                                struct status *status)
{
    struct context *context = data;
    struct progress *progress = context_progress(context);
    progress->total = rows_total;
    progress_update(progress, rows_done, NULL);
    return context_check_stop(context, status);
}

static enum status_code run(struct context *context, const void *stage_options,
                            struct status *status)
{
    (void)stage_options;
    enum status_code code;
    struct publication p = {0};
    struct db *db;
    int64_t generation = 0;
    struct status drop_status = {0};
    const struct plan_settings *settings = context_settings(context);
    TRY(load(context, &p, status));
    TRY(merge_users(&p, status));
    TRY(context_output_db(context, &db, status));
    const struct publish_content content = content_of(context, &p);
    const struct publish_target target = {.db = db,
                                          .prefix = settings->output.prefix,
                                          .keep = settings->output.keep,
                                          .between = between,
                                          .data = context,
                                          .drop_status = &drop_status};
    progress_start(context_progress(context), "publish", "rows", 0);
    TRY(publish_generation(&target, &content, &generation, status));
    context_set_generation(context, generation);
    if (drop_status.code != STATUS_OK) {
        log_write(context_log(context), LOG_WARNING,
                  "publish: an old generation is still there, the next run drops it: %s",
                  drop_status.message);
    }
    int64_t n_rows = 0;
    for (size_t i = 0; i < content.n_served * content.top; i++) {
        n_rows += content.rec_items[i] >= 0;
    }
    context_set_rows(context, n_rows);
done:
    progress_finish(context_progress(context));
    release(&p);
    return code;
}

/* Foreign tables under our names. */
static enum status_code check(struct context *context, const void *stage_options,
                              struct status *status)
{
    (void)stage_options;
    const struct plan_settings *settings = context_settings(context);
    struct db *db;
    enum status_code code = context_published_db(context, &db, status);
    if (code == STATUS_OK && db != NULL) {
        code = publish_check_names(db, settings->output.prefix, status);
    } else if (path_same_file(settings->output.database, settings->source.database)) {
        status_clear(status); /* the stage that reads the source says what is wrong with it */
        code = STATUS_OK;
    }
    db_close(db);
    return code;
}

/* Whether every table and view that publish has made is still there. */
static enum status_code is_complete(struct db *db, const char *prefix, bool *complete,
                                    struct status *status)
{
    enum status_code code;
    struct buf sql = {0}, name = {0};
    int64_t n_missing = 0;
    bool found;
    buf_addf(&name, "%snightjar_objects", prefix);
    TRY(buf_check(&name, status));
    buf_add_text(&sql, "SELECT count(*) FROM ");
    db_quote(&sql, buf_text(&name));
    buf_add_text(&sql, " AS o WHERE NOT EXISTS (SELECT 1 FROM sqlite_schema AS s"
                       " WHERE s.name = o.name COLLATE NOCASE AND s.type = o.type)");
    TRY(buf_check(&sql, status));
    TRY(db_get_int64(db, buf_text(&sql), &n_missing, &found, status));
    *complete = n_missing == 0;
done:
    buf_release(&sql);
    buf_release(&name);
    return code;
}

/* What was published last: when someone has dropped or replaced it, the stage runs again. A
 * generation put away by a rollback is not published anew on an unchanged night. Nothing published,
 * or something missing, is unknown, so it runs. */
static enum status_code fingerprint(struct context *context, const void *stage_options,
                                    char out[33], struct status *status)
{
    (void)stage_options;
    enum status_code code;
    const struct plan_settings *settings = context_settings(context);
    struct db *db = NULL;
    struct hash_state *hash = NULL;
    int64_t generation = 0;
    bool complete = false;
    char checksum[33] = "";
    out[0] = '\0';
    TRY(context_published_db(context, &db, status));
    if (db == NULL) {
        return STATUS_OK;
    }
    TRY(publish_latest(db, settings->output.prefix, &generation, checksum, status));
    if (generation != 0) {
        TRY(is_complete(db, settings->output.prefix, &complete, status));
    }
    if (complete) {
        TRY(hash_new(&hash, status));
        hash_add_int64(hash, generation);
        hash_add_text(hash, checksum);
        hash_text(hash, out);
    }
done:
    hash_free(hash);
    db_close(db);
    return code;
}

static void estimate(const void *stage_options, const struct stage_sizes *sizes,
                     struct stage_estimate *out)
{
    (void)stage_options;
    /* narrow rows of some 20 bytes with their share of the b-tree, vectors as BLOBs, ids once */
    enum { ROW_BYTES = 24, ID_BYTES = 40 };
    double n_lists = sizes->n_users * sizes->top, n_vectors = sizes->n_users + sizes->n_items;
    double vector_bytes = 4 * sizes->dimension;
    out->rows = n_lists;
    out->memory_bytes = sizes->n_users * (vector_bytes + 4);
    out->disk_bytes = n_lists * ROW_BYTES + n_vectors * (vector_bytes + ID_BYTES);
    out->seconds = n_lists * 1.5e-6 + n_vectors * 3e-6;
}

const struct stage stage_publish = {
    .name = "publish",
    .summary = "Writes the recommendations, similar items and embeddings as a new generation into "
               "the output database and shows it through the views, all at once.",
    .version = 1,
    .options_size = sizeof(struct publish_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .estimate = estimate,
    .check = check,
    .fingerprint = fingerprint,
    .run = run};
