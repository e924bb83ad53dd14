/* The published generation as the start of a training, and the memory of which one it was. */
#include "training/warm_training.h"

#include "base/hash.h"
#include "dataset/dataset_ranks.h"
#include "run/context.h"
#include "run/context_databases.h"
#include "store/migrate.h"

/* ---- what was started from: the table warm_start ---- */

struct start_record {
    bool found;
    char fingerprint[HASH_TEXT_MAX];
    int64_t run_started;
};

static enum status_code load_record(struct context *context, struct start_record *record,
                                    struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    const char *label = context_label(context);
    *record = (struct start_record){0};
    TRY(db_prepare(context_work(context),
                   "SELECT fingerprint, run_started FROM warm_start WHERE stage = ?1", &query,
                   status));
    TRY(db_bind_string(query, 1, label, status));
    TRY(db_step(query, &record->found, status));
    if (record->found) {
        const char *text = db_column_text(query, 0, NULL);
        snprintf(record->fingerprint, sizeof record->fingerprint, "%s", text);
        record->run_started = db_column_int64(query, 1);
    }
done:
    db_finalize(query);
    return code;
}

static enum status_code save_record(struct context *context, int64_t generation,
                                    const char *fingerprint, struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    const char *label = context_label(context);
    TRY(db_prepare(context_work(context),
                   "INSERT OR REPLACE INTO warm_start (stage, generation, fingerprint, run_started)"
                   " VALUES (?1, ?2, ?3, ?4)",
                   &query, status));
    TRY(db_bind_string(query, 1, label, status));
    TRY(db_bind_int64(query, 2, generation, status));
    TRY(db_bind_string(query, 3, fingerprint, status));
    TRY(db_bind_int64(query, 4, context_run_started(context), status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}

/* ---- what is published ---- */

static enum status_code hash_info(const struct published_info *info, char out[HASH_TEXT_MAX],
                                  struct status *status)
{
    struct hash_state *hash = NULL;
    enum status_code code = hash_new(&hash, status);
    if (code == STATUS_OK) {
        hash_add_int64(hash, info->generation);
        hash_add_text(hash, info->checksum);
        hash_text(hash, out);
    }
    hash_free(hash);
    return code;
}

enum status_code warm_published_open(struct context *context, struct db **out,
                                     struct published_info *info, struct buf *why,
                                     struct status *status)
{
    enum status_code code;
    const char *prefix = context_settings(context)->output.prefix;
    struct db *db = NULL;
    int64_t version = 0;
    bool is_foreign = false;
    *info = (struct published_info){0};
    TRY(context_published_db(context, &db, status));
    if (db == NULL) {
        goto done;
    }
    TRY(db_begin_read(db, status));
    code = migrate_version(db, MIGRATE_OUTPUT, prefix, &version, &is_foreign, status);
    if (code == STATUS_CONFIG) {
        buf_add_text(why, status->message);
        status_clear(status);
        code = STATUS_OK;
    }
    TRY(code);
    if (version > 0 && !is_foreign) {
        TRY(publish_current(db, prefix, info, status));
    }
    if (info->generation > 0) {
        *out = db;
        db = NULL;
    }
done:
    db_close(db);
    return code;
}

enum status_code warm_training_fingerprint(struct context *context, char out[HASH_TEXT_MAX],
                                           struct status *status)
{
    enum status_code code;
    struct published_info info;
    struct start_record record;
    struct db *db = NULL;
    struct buf ignored = {0};
    TRY(warm_published_open(context, &db, &info, &ignored, status));
    TRY(load_record(context, &record, status));
    TRY(hash_info(&info, out, status));
    /* Published by the run that trained the towers, or by a later one that had no others: made of
       them, so it is no news. That nothing is published any more is none either. */
    if (record.found && (info.generation == 0 || info.run_started >= record.run_started)) {
        memcpy(out, record.fingerprint, sizeof record.fingerprint);
    }
done:
    db_close(db);
    buf_release(&ignored);
    return code;
}

/* ---- the training ---- */

static void tell_bad_rows(const struct warm_training *warm, struct context *context)
{
    static const char *const views[N_SIDES] = {"user_embeddings", "item_embeddings"};
    for (size_t s = 0; s < N_SIDES; s++) {
        const struct warm_side *side = &warm->vectors.side[s];
        if (side->n_bad > 0) {
            log_write(
                context_log(context), LOG_WARNING,
                "%s: not of unit length in %s%s: %zu vectors, the first that of " PRIVATE_BEGIN
                "%s" PRIVATE_END "; they "
                "start anew",
                context_label(context), context_settings(context)->output.prefix, views[s],
                side->n_bad, buf_text(&side->first_bad));
        }
    }
}

static void tell_cold_start(const struct warm_training *warm, struct context *context,
                            const struct buf *why)
{
    if (why->length == 0) {
        log_write(context_log(context), LOG_INFO, "%s: cold start: nothing is published yet",
                  context_label(context));
    } else if (warm->generation == 0) {
        log_write(context_log(context), LOG_WARNING, "%s: cold start: %s", context_label(context),
                  buf_text(why));
    } else {
        log_write(context_log(context), LOG_WARNING, "%s: cold start, not from generation %lld: %s",
                  context_label(context), (long long)warm->generation, buf_text(why));
    }
}

/* What a training starts from: found by the first rank, for all. */
struct start {
    struct published_info info;
    int64_t sequence; /* components of its vectors, see publish_current_sequence */
    char fingerprint[HASH_TEXT_MAX];
    bool is_there, is_other; /* something is published; it is not what the last training began at */
};

static enum status_code find_start(struct context *context, struct db **db, struct start *start,
                                   struct buf *why, struct status *status)
{
    enum status_code code;
    struct start_record record;
    TRY(warm_published_open(context, db, &start->info, why, status));
    TRY(hash_info(&start->info, start->fingerprint, status));
    TRY(load_record(context, &record, status));
    start->is_there = *db != NULL;
    if (start->is_there) {
        TRY(publish_current_sequence(*db, context_settings(context)->output.prefix,
                                     &start->sequence, status));
    }
    start->is_other = !record.found || strcmp(record.fingerprint, start->fingerprint) != 0;
done:
    return code;
}

enum status_code warm_training_begin(struct warm_training *warm, struct training *training,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    struct context *context = training->context;
    struct ranks *ranks = context_ranks(context);
    struct start start = {0};
    struct db *db = NULL;
    struct buf why = {0};
    if (ranks_is_first(ranks)) {
        TRY(find_start(context, &db, &start, &why, status));
    }
    TRY(ranks_share(ranks, &start, sizeof start, status));
    training->ignore_checkpoint = start.is_other;
    TRY(save_record(context, start.info.generation, start.fingerprint, status));
    warm->generation = start.info.generation;
    warm->run_started = start.info.run_started;
    if (start.is_there && !training->without_ids) {
        const struct warm_request request = {
            .db = db,
            .prefix = context_settings(context)->output.prefix,
            .width = start.info.dimension,
            .sequence = start.sequence,
            .ranks = ranks,
            .interactions = &training->interactions,
            .basis = training->basis,
            .dimension = training->settings.dimension,
            .sequence_dimension =
                training->settings.sequence.given ? training->settings.sequence.dimension : 0};
        TRY(warm_vectors_read(&request, &warm->vectors, &why, status));
        tell_bad_rows(warm, context);
    }
    warm->is_warm = start.is_there && why.length == 0;
    if (!warm->is_warm && !training->without_ids) {
        tell_cold_start(warm, context, &why);
    }
    for (size_t s = 0; s < N_SIDES && warm->is_warm && !training->without_ids; s++) {
        training->input.warm[s] = &warm->vectors.side[s].warm;
    }
done:
    db_close(db);
    buf_release(&why);
    return code;
}

static enum status_code add_metric(struct context *context, const char *name, double value,
                                   struct status *status)
{
    const struct publish_metric metric = {name, "data", "all", value, 0};
    return context_add_metric(context, &metric, status);
}

enum status_code warm_training_report(const struct warm_training *warm,
                                      const struct training *training,
                                      const struct trainer_result *result, struct status *status)
{
    static const struct {
        const char *matched, *fresh, *drift;
    } names[N_SIDES] = {
        [SIDE_USERS] = {"warm_matched_users", "warm_new_users", "warm_drift_users"},
        [SIDE_ITEMS] = {"warm_matched_items", "warm_new_items", "warm_drift_items"},
    };
    enum status_code code = STATUS_OK;
    struct context *context = training->context;
    const struct dataset *dataset = &training->interactions.basis[training->basis];
    const size_t n[N_SIDES] = {(size_t)dataset_totals(dataset).users, result->n_items};
    size_t matched[N_SIDES] = {0};
    if (training->without_ids) {
        goto done;
    }
    for (size_t s = 0; s < N_SIDES; s++) {
        matched[s] = warm->is_warm ? warm->vectors.side[s].n_matched : 0;
        TRY(add_metric(context, names[s].matched, (double)matched[s], status));
        TRY(add_metric(context, names[s].fresh, (double)(n[s] - matched[s]), status));
        if (matched[s] > 0) {
            TRY(add_metric(context, names[s].drift, result->drift[s], status));
        }
    }
    if (warm->is_warm) {
        log_write(context_log(context), LOG_INFO,
                  "%s: from generation %lld: %zu of %zu users and %zu of %zu items matched; mean "
                  "cosine with what they started from %.3f and %.3f",
                  context_label(context), (long long)warm->generation, matched[SIDE_USERS],
                  n[SIDE_USERS], matched[SIDE_ITEMS], n[SIDE_ITEMS], result->drift[SIDE_USERS],
                  result->drift[SIDE_ITEMS]);
    }
done:
    return code;
}

void warm_training_release(struct warm_training *warm)
{
    warm_vectors_release(&warm->vectors);
}
