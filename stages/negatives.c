/* negatives: what the anchors are pushed from. Keeps the sampler's settings for `train` and
 * `refit`, which draw while they run, and on demand draws a fixed number of negatives for each
 * positive now, which training then uses as they are. */
#include "base/mem.h"
#include "base/num.h"
#include "dataset/dataset.h"
#include "negatives/sampler.h"
#include "negatives/stored_negatives.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"
#include "store/row_batch.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

struct hard_options {
    bool given;
    double count; /* a whole number; NAN: auto */
    int64_t pool, skip, from_epoch, every;
    double share; /* NAN: auto */
};

struct negatives_options {
    int strategy;
    int64_t count;
    double alpha;
    bool shared, exclude_own, correct;
    int64_t stored;
    double dislike_weight;
    struct hard_options hard;
};

static const struct option hard_options[] = {
    OPT_AUTO(hard_options, "count", count, "16", 0, 10000,
             "Hard negatives of each user and batch, a whole number, drawn anew in every epoch; 0: "
             "none. auto lets train try whether 16 help.",
             .unit = "negatives", .whole = true),
    OPT_INT(hard_options, "pool", pool, "200", 1, 10000,
            "They are drawn from this many of the user's best-scoring items that are no positives.",
            .unit = "items"),
    OPT_INT(
        hard_options, "skip", skip, "10", 0, 10000,
        "The pool begins below this many of the very best ones, many of which the user would take.",
        .unit = "items"),
    OPT_INT(hard_options, "from_epoch", from_epoch, "5", 1, 100000,
            "First epoch with hard negatives: before, the scores say little.", .unit = "epochs"),
    OPT_INT(
        hard_options, "every", every, "5", 1, 100000,
        "Epochs until the pools are made anew, which costs about as much as validating every user.",
        .unit = "epochs"),
    OPT_AUTO(hard_options, "share", share, "auto", 1e-6, 1,
             "What a user's hard negatives weigh together, before scores, as a share of all items. "
             "`auto` is the pool's share of the catalogue: each drawn one then stands for its part "
             "of the pool."),
    OPT_END};

static const struct option options[] = {
    OPT_CHOICE(negatives_options, "strategy", strategy, "mixed", negative_strategy_names,
               "Every item (all); draws that are uniform or in proportion to popularity; the "
               "batch's own positives (in_batch), together with uniform draws (mixed) or with the "
               "positives of the batches before it (queue).",
               .search = "uniform, mixed"),
    OPT_INT(negatives_options, "count", count, "8192", 1, 16777216,
            "Draws for each batch, or with `shared: false` for each positive; for strategy queue "
            "the positives of earlier batches that are remembered. Strategies all and in_batch "
            "take no notice of it; uniform becomes all where there are no more items than draws.",
            .unit = "draws", .search = "2048, 4096, 8192"),
    OPT_AUTO(negatives_options, "alpha", alpha, "0", 0, 2,
             "Popular items count more as negatives, in proportion to (1 + interactions)^alpha, so "
             "that the towers learn what popularity does not explain. auto lets train choose it on "
             "validation.",
             .search = "0..1"),
    OPT_BOOL(negatives_options, "shared", shared, "true",
             "One set of negatives for the whole batch; false: one for each positive, with "
             "strategies uniform and popularity."),
    OPT_BOOL(negatives_options, "exclude_own", exclude_own, "true",
             "A user's own positives do not count among the user's negatives. train's denominators "
             "all and decoupled leave them out in any case."),
    OPT_BOOL(negatives_options, "correct", correct, "true",
             "Make up for how often each item is drawn (logQ correction), so that every strategy "
             "aims at the weights that alpha says."),
    OPT_INT(negatives_options, "stored", stored, "0", 0, 1000,
            "Draw this many negatives for each positive once, keep them in the work database, "
            "where `SELECT * FROM negatives` shows them, and train on these alone: `shared` and "
            "`count` then have no say. Strategies uniform and popularity only; 0 stores none.",
            .unit = "negatives"),
    OPT_FLOAT(negatives_options, "dislike_weight", dislike_weight, "10", 0, 1e6,
              "An item that the user dislikes (the interactions stage's `dislikes` and "
              "`dislike_rating`) is one more negative of the user in each batch and weighs as this "
              "many average items; 0 ignores dislikes.",
              .unit = "items"),
    OPT_GROUP(negatives_options, "hard", hard, hard_options,
              "Hard negatives beside those of the strategy: items that the towers rank high for "
              "the user and that are no positives. None when this group is not given; `hard: {}` "
              "takes the defaults."),
    OPT_END};

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

/* The most there can be. */
static double hard_count(const struct hard_options *hard)
{
    return isnan(hard->count) ? HARD_COUNT_AUTO : hard->count;
}

static void validate_hard(const struct negatives_options *o, struct option_report *report)
{
    const struct hard_options *hard = &o->hard;
    const double count = hard_count(hard);
    if (!hard->given || count == 0) {
        return;
    }
    if (count != floor(count)) {
        option_mistake(report, "hard.count", "%g is not a whole number from 0 to pool", count);
    }
    if (count > (double)hard->pool) {
        option_mistake(report, "hard.count",
                       "%g hard negatives cannot be drawn from pool: %" PRId64
                       " items; allowed: 0 to pool",
                       count, hard->pool);
    }
    if (!o->correct && o->strategy != NEGATIVES_ALL) {
        option_mistake(report, "hard",
                       "hard negatives beside strategy %s need `correct: true`, which makes the "
                       "drawn ones weigh as all items do: hard.share is a share of that",
                       negative_strategy_names[o->strategy]);
    }
}

/* Draws that are made or weighed here cannot wait for train to choose alpha. */
static void validate_auto_alpha(const struct negatives_options *o, struct option_report *report)
{
    const char *strategy = negative_strategy_names[o->strategy];
    if (!isnan(o->alpha)) {
        return;
    }
    if (o->stored > 0) {
        option_mistake(report, "alpha",
                       "auto with stored: %" PRId64
                       ": these negatives are drawn before train can choose; give a number",
                       o->stored);
    } else if (!o->correct && o->strategy != NEGATIVES_ALL && o->strategy != NEGATIVES_POPULARITY) {
        option_mistake(report, "alpha",
                       "auto has nothing to choose: with `correct: false` alpha has no "
                       "effect on strategy %s",
                       strategy);
    }
}

static void negatives_validate(const void *values, struct option_report *report)
{
    const struct negatives_options *o = values;
    const char *strategy = negative_strategy_names[o->strategy];
    validate_auto_alpha(o, report);
    if (o->stored > 0 && !draws_alone(o->strategy)) {
        option_mistake(report, "stored",
                       "%" PRId64 " with strategy %s: negatives that belong to one positive "
                       "are drawn by strategies uniform and popularity",
                       o->stored, strategy);
    } else if (!o->shared && !draws_alone(o->strategy)) {
        option_mistake(report, "shared",
                       "false with strategy %s: negatives that belong to one positive are "
                       "drawn by strategies uniform and popularity",
                       strategy);
    }
    if (!o->correct && o->alpha > 0 && o->strategy != NEGATIVES_ALL &&
        o->strategy != NEGATIVES_POPULARITY) {
        option_mistake(report, "alpha",
                       "%g has no effect on strategy %s with `correct: false`; allowed: "
                       "alpha 0, `correct: true`, or strategies all and popularity",
                       o->alpha, strategy);
    }
    validate_hard(o, report);
}

static void negatives_sizes(const void *values, struct stage_sizes *sizes)
{
    const struct negatives_options *o = values;
    sizes->in_batch = o->strategy == NEGATIVES_IN_BATCH || o->strategy == NEGATIVES_MIXED ||
                      o->strategy == NEGATIVES_QUEUE;
    if (o->strategy != NEGATIVES_ALL && o->strategy != NEGATIVES_IN_BATCH) {
        sizes->batch_negatives = (double)o->count;
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

/* ---- stored negatives ---- */

static enum status_code add_stored(struct context *context,
                                   const struct negative_settings *settings,
                                   const struct dataset *dataset, enum basis basis,
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
    const struct stored_request request = {.sampler = &sampler,
                                           .train = &dataset->train.matrix,
                                           .blocked = settings->exclude_own ? &dataset->train.matrix
                                                                            : NULL,
                                           .seed = context_seed(context),
                                           .n_stored = settings->count,
                                           .watch = context_stop_watch(context)};
    TRY(stored_negatives_draw(&request, context_pool(context), stored, status));
    int32_t *taken = stored;
    stored = NULL;
    TRY(artifact_take(artifact, negative_stored_slots[basis], ARRAY_I32, n_entries, settings->count,
                      taken, status));
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

static struct negative_settings settings_of(const struct negatives_options *o)
{
    const bool store = o->stored > 0;
    return (struct negative_settings){
        .strategy = (enum negative_strategy)o->strategy,
        .count = (size_t)(store ? o->stored : o->count),
        .alpha = o->alpha,
        .shared = o->shared && !store,
        .exclude_own = o->exclude_own,
        .correct = o->correct,
        .dislike_weight = o->dislike_weight,
        .hard = {.count = o->hard.given ? (size_t)hard_count(&o->hard) : 0,
                 .pool = (size_t)o->hard.pool,
                 .skip = (size_t)o->hard.skip,
                 .from_epoch = (size_t)o->hard.from_epoch,
                 .every = (size_t)o->hard.every,
                 .share = o->hard.share,
                 .is_choice = o->hard.given && isnan(o->hard.count)},
    };
}

static enum status_code negatives_run(struct context *context, const void *values,
                                      struct status *status)
{
    const struct negatives_options *o = values;
    const struct negative_settings settings = settings_of(o);
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
        TRY(add_stored(context, &settings, &interactions.basis[b], (enum basis)b, &artifact,
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
    .version = 4,
    .options_size = sizeof(struct negatives_options),
    .options = options,
    .inputs = inputs,
    .outputs = outputs,
    .validate = negatives_validate,
    .sizes = negatives_sizes,
    .estimate = negatives_estimate,
    .run = negatives_run,
};
