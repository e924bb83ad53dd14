/* negatives: what the anchors are pushed from. Keeps the sampler's settings for `train` and
 * `refit`, which draw while they run, and on demand draws a fixed number of negatives for each
 * positive now, which training then uses as they are. */
#include "base/mem.h"
#include "base/num.h"
#include "model/dataset.h"
#include "model/sampler.h"
#include "run/context.h"
#include "store/bulk.h"

#include <inttypes.h>
#include <math.h>

enum {
    USERS_PER_BLOCK = 64,
    BLOCKS_BETWEEN_CHECKS = 256,
    REDRAWS = 64 /* of an own positive, before the items that are left are listed */
};

struct negatives_options {
    int strategy;
    int64_t count;
    double alpha;
    bool shared, exclude_own, correct;
    int64_t stored;
};

#define AT(field) offsetof(struct negatives_options, field)

static const struct option options[] = {
    {.name = "strategy",
     .type = OPTION_CHOICE,
     .offset = AT(strategy),
     .default_text = "mixed",
     .choices = negative_strategy_names,
     .help = "Every item (all); draws that are uniform or in proportion to popularity; the batch's "
             "own positives (in_batch); or uniform draws and the batch's positives (mixed)."},
    {.name = "count",
     .type = OPTION_INT,
     .offset = AT(count),
     .default_text = "8192",
     .min = 1,
     .max = 16777216,
     .unit = "draws",
     .help = "Draws for each batch, or with `shared: false` for each positive. Strategies all and "
             "in_batch take no notice of it."},
    {.name = "alpha",
     .type = OPTION_FLOAT,
     .offset = AT(alpha),
     .default_text = "0",
     .min = 0,
     .max = 2,
     .help = "Popular items count more as negatives, in proportion to (1 + interactions)^alpha, so "
             "that the towers learn what popularity does not explain. Choose it on validation."},
    {.name = "shared",
     .type = OPTION_BOOL,
     .offset = AT(shared),
     .default_text = "true",
     .help = "One set of negatives for the whole batch; false: one for each positive, with "
             "strategies uniform and popularity."},
    {.name = "exclude_own",
     .type = OPTION_BOOL,
     .offset = AT(exclude_own),
     .default_text = "true",
     .help = "A user's own positives do not count among the user's negatives. train's denominators "
             "all and decoupled leave them out in any case."},
    {.name = "correct",
     .type = OPTION_BOOL,
     .offset = AT(correct),
     .default_text = "true",
     .help = "Make up for how often each item is drawn (logQ correction), so that every strategy "
             "aims at the weights that alpha says."},
    {.name = "stored",
     .type = OPTION_INT,
     .offset = AT(stored),
     .default_text = "0",
     .min = 0,
     .max = 1000,
     .unit = "negatives",
     .help =
         "Draw this many negatives for each positive once, keep them in the work database, where "
         "`SELECT * FROM negatives` shows them, and train on these alone: `shared` and `count` "
         "then have no say. Strategies uniform and popularity only; 0 stores none."},
    {.name = NULL},
};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = NULL},
};

static const struct stage_artifact outputs[] = {
    {.name = "negatives", .help = "how negatives are drawn, and the stored ones"},
    {.name = NULL},
};

static bool draws_alone(int strategy)
{
    return strategy == NEGATIVES_UNIFORM || strategy == NEGATIVES_POPULARITY;
}

static void negatives_validate(const void *values, struct option_report *report)
{
    const struct negatives_options *o = values;
    const char *strategy = negative_strategy_names[o->strategy];
    if (o->stored > 0 && !draws_alone(o->strategy)) {
        option_mistake(report, "stored",
                       "stored: %" PRId64
                       " with strategy %s: negatives that belong to one positive "
                       "are drawn by strategies uniform and popularity",
                       o->stored, strategy);
    } else if (!o->shared && !draws_alone(o->strategy)) {
        option_mistake(report, "shared",
                       "shared: false with strategy %s: negatives that belong to one positive are "
                       "drawn by strategies uniform and popularity",
                       strategy);
    }
    if (!o->correct && o->alpha > 0 && o->strategy != NEGATIVES_ALL &&
        o->strategy != NEGATIVES_POPULARITY) {
        option_mistake(report, "alpha",
                       "alpha: %g has no effect on strategy %s with `correct: false`; allowed: "
                       "alpha 0, `correct: true`, or strategies all and popularity",
                       o->alpha, strategy);
    }
}

static void negatives_estimate(const void *values, const struct stage_sizes *sizes,
                               struct stage_estimate *out)
{
    const struct negatives_options *o = values;
    const double rows = sizes->n_interactions * (double)o->stored;
    *out = (struct stage_estimate){
        .memory_bytes = 36 * sizes->n_items + N_BASES * 4 * rows,
        .disk_bytes = (N_BASES * 4 + 14) * rows,
        .seconds = 0.01 + 1e-6 * rows,
        .rows = o->stored > 0 ? rows : sizes->n_interactions,
    };
}

/* ---- drawing ---- */

struct store_job {
    const struct sampler *sampler;
    const struct sparse *train;
    uint64_t seed;
    size_t n_stored, first_block;
    int32_t *stored; /* (train entries, n_stored) */
};

/* An item that the user does not have, in proportion to the proposal: walks through all items. When
 * there is none, `positive` itself. */
static int32_t draw_from_rest(const struct store_job *job, struct rng *rng, size_t user,
                              int32_t positive)
{
    const struct sampler *sampler = job->sampler;
    double total = 0;
    int32_t chosen = positive;
    /* reservoir sampling: item c takes the place with probability q_c over the sum so far */
    for (size_t c = 0; c < sampler->n_items; c++) {
        const double q = exp(sampler->log_q[c]);
        if (q > 0 && !sparse_has(job->train, user, (int32_t)c)) {
            total += q;
            chosen = rng_double(rng) * total < q ? (int32_t)c : chosen;
        }
    }
    return chosen;
}

static int32_t draw_other(const struct store_job *job, struct rng *rng, size_t user,
                          int32_t positive)
{
    int32_t item = 0;
    if (sparse_row_length(job->train, user) == job->train->n_columns) {
        return positive;
    }
    for (int redraw = 0; redraw < REDRAWS; redraw++) {
        sampler_draw_each(job->sampler, rng, 1, &item, NULL);
        if (!sparse_has(job->train, user, item)) {
            return item;
        }
    }
    return draw_from_rest(job, rng, user, positive);
}

static void store_task(void *data, size_t block, size_t worker)
{
    const struct store_job *job = data;
    const struct sparse *train = job->train;
    size_t user = (job->first_block + block) * USERS_PER_BLOCK;
    const size_t end =
        user + USERS_PER_BLOCK < train->n_rows ? user + USERS_PER_BLOCK : train->n_rows;
    (void)worker;
    for (; user < end; user++) {
        struct rng rng;
        rng_init(&rng, job->seed, "negatives.stored", 0, user);
        for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
            int32_t *stored = job->stored + (size_t)e * job->n_stored;
            if (!job->sampler->settings.exclude_own) {
                sampler_draw_each(job->sampler, &rng, job->n_stored, stored, NULL);
                continue;
            }
            for (size_t d = 0; d < job->n_stored; d++) {
                stored[d] = draw_other(job, &rng, user, train->columns[e]);
            }
        }
    }
}

static enum status_code run_store_job(struct context *context, struct store_job *job,
                                      struct status *status)
{
    const size_t n_blocks = (job->train->n_rows + USERS_PER_BLOCK - 1) / USERS_PER_BLOCK;
    enum status_code code = STATUS_OK;
    for (; job->first_block < n_blocks; job->first_block += BLOCKS_BETWEEN_CHECKS) {
        const size_t left = n_blocks - job->first_block;
        pool_run(context_pool(context), left < BLOCKS_BETWEEN_CHECKS ? left : BLOCKS_BETWEEN_CHECKS,
                 store_task, job);
        TRY(context_check_stop(context, status));
    }
done:
    return code;
}

static enum status_code add_stored(struct context *context,
                                   const struct negative_settings *settings,
                                   const struct dataset *dataset, const char *slot,
                                   struct artifact *artifact, struct status *status)
{
    struct sampler sampler = {0};
    int64_t *counts = NULL;
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
    struct store_job job = {.sampler = &sampler,
                            .train = &dataset->train.matrix,
                            .seed = context_seed(context),
                            .n_stored = settings->count,
                            .stored = stored};
    TRY(run_store_job(context, &job, status));
    int32_t *taken = stored;
    stored = NULL;
    TRY(artifact_take(artifact, slot, ARRAY_I32, n_entries, settings->count, taken, status));
done:
    mem_free(stored);
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
static enum status_code write_user(struct bulk *bulk, const struct dataset *dataset, size_t user,
                                   const struct array *stored, struct status *status)
{
    const struct sparse *train = &dataset->train.matrix;
    enum status_code code = STATUS_OK;
    TRY(db_bind_int64(bulk->query, 1, dataset->users[user], status));
    for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
        const int32_t *negatives = (const int32_t *)stored->data + (size_t)e * stored->columns;
        TRY(db_bind_int64(bulk->query, 2, dataset->items[train->columns[e]], status));
        for (size_t d = 0; d < stored->columns; d++) {
            TRY(db_bind_int64(bulk->query, 3, (int64_t)d + 1, status));
            TRY(db_bind_int64(bulk->query, 4, dataset->items[negatives[d]], status));
            TRY(bulk_add(bulk, status));
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
    struct bulk bulk = {0};
    enum status_code code = STATUS_OK;
    TRY(db_exec(work, drop_tables, status));
    if (stored == NULL) {
        goto done;
    }
    TRY(db_exec(work, create_table, status));
    TRY(bulk_start(&bulk, work, "INSERT INTO negatives_stored VALUES (?1, ?2, ?3, ?4)", status));
    for (size_t user = 0; user < fit->n_users; user++) {
        TRY(write_user(&bulk, fit, user, stored, status));
        TRY(context_check_stop(context, status));
    }
    TRY(bulk_finish(&bulk, status));
    TRY(db_exec(work, create_view, status));
done:
    bulk_release(&bulk);
    return code;
}

static enum status_code negatives_run(struct context *context, const void *values,
                                      struct status *status)
{
    const struct negatives_options *o = values;
    const bool store = o->stored > 0;
    const struct negative_settings settings = {
        .strategy = (enum negative_strategy)o->strategy,
        .count = (size_t)(store ? o->stored : o->count),
        .alpha = o->alpha,
        .shared = o->shared && !store,
        .exclude_own = o->exclude_own,
        .correct = o->correct,
    };
    const struct artifact *input = NULL;
    struct interactions interactions = {0};
    struct artifact artifact = {0};
    enum status_code code = STATUS_OK;
    artifact_init(&artifact, "negatives");
    TRY(context_input(context, "interactions", &input, status));
    TRY(interactions_load(&interactions, input, status));
    const struct dataset *fit = &interactions.basis[BASIS_FIT];
    const struct dataset *all = &interactions.basis[BASIS_ALL];
    TRY(negative_settings_save(&settings, &artifact, status));
    if (store) {
        TRY(add_stored(context, &settings, fit, negative_stored_slots[BASIS_FIT], &artifact,
                       status));
        TRY(add_stored(context, &settings, all, negative_stored_slots[BASIS_ALL], &artifact,
                       status));
    }
    TRY(write_table(context, fit, &artifact, status));
    context_set_rows(context, (int64_t)sparse_entries(&fit->train.matrix) * o->stored);
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
    .version = 1,
    .options_size = sizeof(struct negatives_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .validate = negatives_validate,
    .estimate = negatives_estimate,
    .run = negatives_run,
};
