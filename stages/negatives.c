/* negatives: what the anchors are pushed from. Keeps the sampler's settings for `train` and
 * `refit`, which draw while they run, and on demand draws a fixed number of negatives for each
 * positive now, which training then uses as they are. */
#include "base/mem.h"
#include "base/num.h"
#include "dataset/crowd.h"
#include "dataset/dataset_ranks.h"
#include "negatives/negatives_options.h"
#include "negatives/stored_negatives.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"
#include "store/row_batch.h"

#include <assert.h>
#include <inttypes.h>

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "negatives", .help = "how negatives are drawn, and the stored ones"},
    {.name = NULL},
};

static void negatives_sizes(const void *values, struct stage_sizes *sizes)
{
    const struct negatives_options *o = values;
    const enum negative_strategy strategy = o->settings.strategy;
    sizes->in_batch = strategy == NEGATIVES_IN_BATCH || strategy == NEGATIVES_MIXED ||
                      strategy == NEGATIVES_QUEUE;
    const struct negative_settings settings = negatives_options_settings(o);
    if (strategy != NEGATIVES_ALL && strategy != NEGATIVES_IN_BATCH) {
        sizes->batch_negatives = (double)(o->stored > 0 ? o->settings.count : settings.count);
    }
    sizes->own_negatives = settings.shared ? 0 : (double)settings.count;
}

static void negatives_estimate(const void *values, const struct stage_sizes *sizes,
                               struct stage_estimate *out)
{
    const struct negatives_options *o = values;
    const double rows = sizes->n_interactions * (double)o->stored;
    *out = (struct stage_estimate){
        .memory_bytes = 36 * sizes->n_items + N_BASES * 4 * rows,
        .disk_bytes = (N_BASES * 4 + 14) * rows,
        .seconds = 0.01 + 500 * rows * sizes->speeds.addition,
        .rows = o->stored > 0 ? rows : sizes->n_interactions,
    };
}

/* ---- stored negatives ---- */

static enum status_code add_stored(struct context *context,
                                   const struct negative_settings *settings,
                                   const struct interactions *interactions, enum basis basis,
                                   struct artifact *artifact, struct status *status)
{
    const struct dataset *dataset = &interactions->basis[basis];
    const struct crowd crowd = crowd_of(context_ranks(context), interactions, dataset);
    struct sampler sampler = {0};
    int64_t *counts = NULL;
    uint64_t *keys = NULL;
    int32_t *stored = NULL;
    size_t n_values = 0;
    const size_t n_entries = sparse_entries(&dataset->train.matrix);
    enum status_code code = STATUS_OK;
    if (!num_multiply(n_entries, settings->count, &n_values)) {
        n_values = SIZE_MAX; /* refused by MEM_NEW */
    }
    TRY(MEM_NEW(&counts, dataset->n_items, status));
    dataset_item_counts(dataset, counts);
    TRY(sampler_init(&sampler, settings, counts, dataset->n_items, status));
    TRY(MEM_NEW(&stored, n_values, status));
    TRY(MEM_NEW(&keys, dataset->n_users, status));
    for (size_t u = 0; u < dataset->n_users; u++) {
        keys[u] = crowd_key(&crowd, u);
    }
    const struct stored_request request = {.sampler = &sampler,
                                           .train = &dataset->train.matrix,
                                           .blocked = settings->exclude_own ? &dataset->train.matrix
                                                                            : NULL,
                                           .seed = context_seed(context),
                                           .user_keys = keys,
                                           .n_stored = settings->count,
                                           .watch = context_stop_watch(context)};
    TRY(stored_negatives_draw(&request, context_pool(context), stored, status));
    int32_t *taken = stored;
    stored = NULL;
    TRY(artifact_take(artifact, negative_stored_slots[basis], ARRAY_I32, n_entries, settings->count,
                      taken, status));
done:
    mem_free(stored);
    mem_free(keys);
    mem_free(counts);
    sampler_release(&sampler);
    return code;
}

/* ---- the table in the work database: codes of the tables users and items, a view with ids ---- */

static const char drop_tables[] = "DROP VIEW IF EXISTS negatives;"
                                  "DROP TABLE IF EXISTS negatives_stored;";
static const char create_table[] =
    "CREATE TABLE negatives_stored (user INTEGER NOT NULL, positive INTEGER NOT NULL,"
    " draw INTEGER NOT NULL, negative INTEGER NOT NULL, PRIMARY KEY (user, positive, draw))"
    " WITHOUT ROWID";
/* Made last, so that nobody sees a half-filled one. CROSS JOIN keeps the order of the tables: the
 * negatives of one user are one search in their table. */
static const char create_view[] =
    "CREATE VIEW negatives (user_id, positive_id, draw, negative_id) AS"
    " SELECT u.user_id, p.item_id, s.draw, n.item_id FROM users u"
    " CROSS JOIN negatives_stored s ON s.user = u.code"
    " CROSS JOIN items p ON p.code = s.positive"
    " CROSS JOIN items n ON n.code = s.negative";

/* The stored negatives of one user, row `user` of the train matrix. */
static enum status_code write_user(struct row_batch *batch, const struct dataset *dataset,
                                   size_t user, const struct array *stored, struct status *status)
{
    const struct sparse *train = &dataset->train.matrix;
    enum status_code code = STATUS_OK;
    for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
        const int32_t *negatives = (const int32_t *)stored->data + (size_t)e * stored->columns;
        for (size_t d = 0; d < stored->columns; d++) {
            struct batch_cell *row = row_batch_row(batch);
            row[0] = batch_integer(dataset->users[user]);
            row[1] = batch_integer(dataset->items[train->columns[e]]);
            row[2] = batch_integer((int64_t)d + 1);
            row[3] = batch_integer(dataset->items[negatives[d]]);
            TRY(row_batch_put(batch, status));
        }
    }
done:
    return code;
}

/* Of the FIT basis; without stored negatives the table of an earlier run goes. */
static enum status_code write_table(struct context *context, const struct dataset *fit,
                                    const struct artifact *artifact, struct status *status)
{
    struct db *work = context_work(context);
    const struct array *stored = artifact_find(artifact, negative_stored_slots[BASIS_FIT]);
    struct row_batch batch = {0};
    enum status_code code = STATUS_OK;
    TRY(db_exec(work, drop_tables, status));
    if (stored == NULL) {
        goto done;
    }
    TRY(db_exec(work, create_table, status));
    TRY(row_batch_open(&batch, work, "negatives_stored", 4, ROW_BATCH_CHUNK, status));
    for (size_t user = 0; user < fit->n_users; user++) {
        TRY(write_user(&batch, fit, user, stored, status));
        TRY(context_check_stop(context, status));
    }
    TRY(row_batch_write(&batch, status));
    TRY(db_exec(work, create_view, status));
done:
    row_batch_release(&batch);
    return code;
}

static enum status_code negatives_run(struct context *context, const void *values,
                                      struct status *status)
{
    const struct negatives_options *o = values;
    const struct negative_settings settings = negatives_options_settings(o);
    const struct artifact *input = NULL;
    struct interactions interactions = {0};
    struct artifact artifact = {0};
    enum status_code code = STATUS_OK;
    artifact_init(&artifact, "negatives");
    TRY(context_input(context, "interactions", &input, status));
    TRY(interactions_load(&interactions, input, status));
    const struct dataset *fit = &interactions.basis[BASIS_FIT];
    TRY(negative_settings_save(&settings, &artifact, status));
    for (size_t b = 0; b < N_BASES && o->stored > 0; b++) {
        TRY(add_stored(context, &settings, &interactions, (enum basis)b, &artifact, status));
    }
    TRY(write_table(context, fit, &artifact, status));
    context_set_rows(context, dataset_totals(fit).pairs * o->stored);
    TRY(context_output(context, &artifact, status));
done:
    artifact_release(&artifact);
    interactions_release(&interactions);
    return code;
}

extern const struct stage stage_negatives;
const struct stage stage_negatives = {
    .name = "negatives",
    .summary = "Says how negatives are drawn, and on demand draws and stores them.",
    .version = 5,
    .options_size = sizeof(struct negatives_options),
    .options = negatives_options_table,
    .inputs = inputs,
    .outputs = outputs,
    .validate = negatives_options_validate,
    .sizes = negatives_sizes,
    .estimate = negatives_estimate,
    .works_in_ranks = true,
    .run = negatives_run,
};
