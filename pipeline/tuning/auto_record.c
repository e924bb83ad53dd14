/* What a search leaves behind: its checkpoint, its rows, its lines. */
#include "tuning/auto_chooser.h"

#include "base/clock.h"
#include "run/context_data.h"
#include "run/context.h"
#include "run/context_databases.h"
#include "training/training_name.h"

#include <math.h>
#include <string.h>

static const char checkpoint_part[] = "trials";

enum status_code chooser_save(const struct chooser *chooser, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct context *context = chooser->training->context;
    struct artifact artifact;
    artifact_init(&artifact, checkpoint_part);
    if (!ranks_is_first(context_ranks(context))) {
        goto done;
    }
    TRY(joint_search_save(&chooser->search, &artifact, status));
    TRY(chooser->name[0] == '\0'
            ? context_checkpoint_save(context, checkpoint_part, &artifact, status)
            : context_checkpoint_keep(context, chooser->name, &artifact, status));
    chooser->training->last_checkpoint = clock_monotonic();
done:
    artifact_release(&artifact);
    return code;
}

/* The training's own name, which has the data and what is not open, and what the walk goes by. */
static enum status_code name_search(struct chooser *chooser, struct status *status)
{
    enum status_code code;
    const struct training *training = chooser->training;
    const struct joint_search *search = &chooser->search;
    const double sizes[] = {search->budget, chooser->size.share, (double)chooser->size.is_narrow,
                            (double)search->n_folds};
    struct hash_state *hash = NULL;
    char name[HASH_TEXT_MAX];
    TRY(training_name(&training->input, &training->interactions, training->basis, training->metric,
                      name, status));
    if (name[0] == '\0') {
        chooser->name[0] = '\0';
        goto done;
    }
    TRY(hash_new(&hash, status));
    hash_add_text(hash, name);
    hash_add(hash, sizes, sizeof sizes);
    for (size_t a = 0; a < chooser->axes.n; a++) {
        hash_add_text(hash, auto_candidates[chooser->axes.settings[a]].name);
        hash_add_int64(hash, (int64_t)search->n_candidates[a]);
        for (size_t s = 0; s < search->n_starts; s++) {
            hash_add_int64(hash, (int64_t)search->starts[s][a]);
        }
    }
    hash_text(hash, chooser->name);
done:
    hash_free(hash);
    return code;
}

static enum status_code load_kept(struct chooser *chooser, struct status *status)
{
    enum status_code code;
    struct context *context = chooser->training->context;
    struct artifact artifact = {0};
    bool found = false;
    TRY(chooser->name[0] == '\0'
            ? context_checkpoint_load(context, checkpoint_part, &artifact, &found, status)
            : context_checkpoint_find(context, chooser->name, 0, ranks_n(context_ranks(context)),
                                      &artifact, &found, status));
    if (found) {
        TRY(joint_search_load(&chooser->search, &artifact, status));
    }
done:
    artifact_release(&artifact);
    return code;
}

enum status_code chooser_load(struct chooser *chooser, struct status *status)
{
    enum status_code code;
    struct ranks *ranks = context_ranks(chooser->training->context);
    TRY(name_search(chooser, status));
    if (ranks_is_first(ranks)) {
        TRY(load_kept(chooser, status));
    }
    TRY(joint_search_share(&chooser->search, ranks, status));
done:
    return code;
}

static const char insert_trial[] =
    "INSERT OR REPLACE INTO search_trial (run, stage, trial, settings, epochs, value, popularity,"
    " seconds, chosen, fold) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

struct trial_size chooser_size(const struct chooser *chooser, const struct search_trial *trial)
{
    struct trial_size size = chooser->size;
    size.share /= (double)search_shortened(trial->is_short);
    return size;
}

size_t chooser_epochs(const struct chooser *chooser, const struct search_trial *trial)
{
    struct trainer_settings settings = chooser->training->settings;
    struct negative_settings negatives = chooser->training->negatives;
    const struct trial_size size = chooser_size(chooser, trial);
    auto_axes_apply(&chooser->axes, trial->choice, &settings, &negatives);
    auto_trial_shrink(&size, &settings, &negatives);
    return settings.epochs;
}

enum status_code chooser_record(const struct chooser *chooser, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct context *context = chooser->training->context;
    struct db *work = context_work(context);
    const char *label = context_label(context);
    struct db_query *query = NULL;
    struct buf text = {0};
    if (!ranks_is_first(context_ranks(context))) {
        return STATUS_OK;
    }
    TRY(db_begin_write(work, status));
    TRY(db_prepare(work, insert_trial, &query, status));
    for (size_t t = 0; t < chooser->search.n; t++) {
        const struct search_trial *trial = &chooser->search.trials[t];
        buf_clear(&text);
        auto_axes_describe(&chooser->axes, trial->choice, &text);
        TRY(buf_check(&text, status));
        TRY(db_bind_int64(query, 1, context_run_number(context), status));
        TRY(db_bind_string(query, 2, label, status));
        TRY(db_bind_int64(query, 3, (int64_t)t + 1, status));
        TRY(db_bind_text(query, 4, buf_text(&text), text.length, true, status));
        TRY(db_bind_int64(query, 5, (int64_t)chooser_epochs(chooser, trial), status));
        TRY(db_bind_number(query, 6, trial->value, status));
        TRY(db_bind_number(query, 7, trial->popularity, status));
        TRY(db_bind_number(query, 8, trial->seconds, status));
        TRY(db_bind_int64(query, 9, t == chooser->search.best_trial ? 1 : 0, status));
        TRY(db_bind_int64(query, 10, (int64_t)trial->fold + 1, status));
        TRY(db_run(query, status));
    }
    TRY(db_commit(work, status));
done:
    db_finalize(query);
    db_rollback(work);
    buf_release(&text);
    return code;
}

enum status_code chooser_log(const struct chooser *chooser, size_t number,
                             const struct search_trial *trial, struct status *status)
{
    struct log *log = context_log(chooser->training->context);
    struct buf text = {0};
    auto_axes_describe(&chooser->axes, trial->choice, &text);
    enum status_code code = buf_check(&text, status);
    if (code == STATUS_OK && isnan(trial->value)) {
        log_write(log, LOG_INFO, "train: trial %zu: %s: the training diverged or collapsed", number,
                  buf_text(&text));
    } else if (code == STATUS_OK) {
        log_write(log, LOG_INFO,
                  "train: trial %zu: %s, %zu epochs, fold %zu: %s %.5f at popularity %g, %.1f s",
                  number, buf_text(&text), chooser_epochs(chooser, trial), trial->fold + 1,
                  chooser->training->metric, trial->value, trial->popularity, trial->seconds);
    }
    buf_release(&text);
    return code;
}
