/* The table backtest of the work database. */
#include "commands/backtest_kept.h"

#include "base/clock.h"
#include "base/path.h"
#include "store/lock.h"
#include "store/migrate.h"

static enum status_code write_rows(struct db *work, const int64_t *evenings, const int64_t *users,
                                   const double *means, size_t n,
                                   const struct backtest_column *columns, size_t n_columns,
                                   struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;
    TRY(db_begin_write(work, status));
    TRY(db_exec(work, "DELETE FROM backtest", status));
    TRY(db_prepare(work,
                   "INSERT OR REPLACE INTO backtest (evening, name, model, value, n_users, made)"
                   " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                   &query, status));
    TRY(db_bind_int64(query, 6, clock_unix(), status));
    for (size_t i = 0; i < n * n_columns; i++) {
        const char *name = columns[i % n_columns].name; /* "ndcg@20:nightjar" */
        const char *model = strchr(name, ':') + 1;
        TRY(db_bind_int64(query, 1, evenings[i / n_columns], status));
        TRY(db_bind_text(query, 2, name, (size_t)(model - name) - 1, true, status));
        TRY(db_bind_string(query, 3, model, status));
        TRY(db_bind_double(query, 4, means[i], status));
        TRY(db_bind_int64(query, 5, users[i / n_columns], status));
        TRY(db_run(query, status));
    }
    TRY(db_commit(work, status));
done:
    db_finalize(query);
    db_rollback(work);
    return code;
}

enum status_code backtest_keep(const struct plan *plan, const int64_t *evenings,
                               const int64_t *users, const double *means, size_t n,
                               const struct backtest_column *columns, size_t n_columns,
                               struct status *status)
{
    const struct plan_settings *settings = &plan->settings;
    struct lock lock = {.fd = -1};
    struct db *work = NULL;
    enum status_code code;
    if (path_is_empty(settings->work.database)) {
        return STATUS_OK;
    }
    TRY(lock_pipeline(settings->work.database, NULL, &lock, status));
    TRY(db_open(settings->work.database, DB_WRITE, settings->source.busy_timeout, &work, status));
    TRY(migrate_apply(work, MIGRATE_WORK, "", status));
    TRY(write_rows(work, evenings, users, means, n, columns, n_columns, status));
done:
    db_close(work);
    lock_release(&lock);
    return code;
}
