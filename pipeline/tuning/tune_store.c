/* The table tune_trial. */
#include "tuning/tune_store.h"

#include "base/clock.h"
#include "store/migrate.h"

#include <math.h>

enum status_code tune_store_open(const char *path, double busy_seconds, struct db **out,
                                 struct status *status)
{
    enum status_code code;
    struct db *db = NULL;
    TRY(db_open_private(path, busy_seconds, &db, status));
    TRY(migrate_apply(db, MIGRATE_WORK, "", status));
    *out = db;
    db = NULL;
done:
    db_close(db);
    return code;
}

/* Parameters 1 to 4: what a row is found by. */
static enum status_code bind_key(struct db_query *query, const struct tune_identity *identity,
                                 const struct tune_trial *trial, struct status *status)
{
    enum status_code code;
    struct buf settings = {0};
    for (size_t i = 0; i < trial->n_settings; i++) {
        buf_addf(&settings, "%s\n", trial->settings[i]);
    }
    TRY(buf_check(&settings, status));
    TRY(db_bind_string(query, 1, identity->config, status));
    TRY(db_bind_string(query, 2, identity->data, status));
    TRY(db_bind_text(query, 3, buf_text(&settings), settings.length, false, status));
    TRY(db_bind_int64(query, 4, (int64_t)trial->epochs, status));
done:
    buf_release(&settings);
    return code;
}

enum status_code tune_store_find(struct db *db, const struct tune_identity *identity,
                                 struct tune_trial *trial, struct arena *arena, bool *found,
                                 struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    TRY(db_prepare(db,
                   "SELECT value, message, seconds, user_values FROM tune_trial"
                   " WHERE config = ?1 AND data = ?2 AND settings = ?3 AND epochs = ?4",
                   &query, status));
    TRY(bind_key(query, identity, trial, status));
    TRY(db_step(query, found, status));
    if (!*found) {
        goto done;
    }
    bool has_value = db_column_type(query, 0) != DB_NULL;
    trial->value = has_value ? db_column_double(query, 0) : (double)NAN;
    trial->seconds = db_column_double(query, 2);
    size_t length;
    const void *values = db_column_blob(query, 3, &length);
    if (has_value && values != NULL && length % sizeof(double) == 0) {
        void *copied = NULL;
        trial->n_users = length / sizeof(double);
        TRY(arena_new(arena, trial->n_users, sizeof(double), &copied, status));
        memcpy(copied, values, length);
        trial->user_values = copied;
    }
    if (!has_value) {
        char *copy = NULL;
        const char *message = db_column_text(query, 1, &length);
        TRY(arena_copy_text(arena, message != NULL ? message : "", message != NULL ? length : 0,
                            &copy, status));
        trial->message = copy;
    }
done:
    db_finalize(query);
    return code;
}

enum status_code tune_store_put(struct db *db, const struct tune_identity *identity,
                                const struct tune_trial *trial, struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    TRY(db_prepare(
        db,
        "INSERT OR REPLACE INTO tune_trial (config, data, settings, epochs, value,"
        " message, seconds, finished, user_values) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        &query, status));
    TRY(bind_key(query, identity, trial, status));
    if (isnan(trial->value)) {
        TRY(db_bind_null(query, 5, status));
        TRY(db_bind_string(query, 6, trial->message, status));
    } else {
        TRY(db_bind_double(query, 5, trial->value, status));
        TRY(db_bind_null(query, 6, status));
    }
    TRY(db_bind_double(query, 7, trial->seconds, status));
    TRY(db_bind_int64(query, 8, clock_unix(), status));
    if (trial->n_users > 0) {
        TRY(db_bind_blob(query, 9, trial->user_values, trial->n_users * sizeof *trial->user_values,
                         false, status));
    }
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}

enum status_code tune_store_forget(struct db *db, const struct tune_identity *identity,
                                   struct status *status)
{
    enum status_code code;
    struct db_query *query = NULL;
    TRY(db_prepare(db, "DELETE FROM tune_trial WHERE config = ?1", &query, status));
    TRY(db_bind_string(query, 1, identity->config, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}
