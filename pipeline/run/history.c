/* Retention of run, stage_run, run_metric, training_curve and search_trial. */
#include "run/history.h"

/* The runs to drop; %lld is how many are kept. */
static const char beyond[] =
    "SELECT run FROM run WHERE run NOT IN (SELECT run FROM run ORDER BY run DESC LIMIT %lld)"
    " AND run IS NOT (SELECT max(run) FROM run WHERE state = 'published')"
    " AND run NOT IN (SELECT run FROM stage_state)";

static const char *const tables[] = {"stage_run", "run_metric", "training_curve", "search_trial",
                                     "run"}; /* `run` last: it says what goes */

enum status_code history_count(struct db *work, int64_t keep, int64_t *n_known, int64_t *n_beyond,
                               struct status *status)
{
    struct buf sql = {0};
    bool found;
    enum status_code code;
    buf_add_text(&sql, "SELECT count(*) FROM (");
    buf_addf(&sql, beyond, (long long)keep);
    buf_add_text(&sql, ")");
    TRY(buf_check(&sql, status));
    TRY(db_get_int64(work, "SELECT count(*) FROM run", n_known, &found, status));
    TRY(db_get_int64(work, buf_text(&sql), n_beyond, &found, status));
done:
    buf_release(&sql);
    return code;
}

enum status_code history_prune(struct db *work, int64_t keep, struct status *status)
{
    struct buf sql = {0};
    enum status_code code;
    TRY(db_begin_write(work, status));
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++) {
        buf_clear(&sql);
        buf_addf(&sql, "DELETE FROM %s WHERE run IN (", tables[t]);
        buf_addf(&sql, beyond, (long long)keep);
        buf_add_text(&sql, ")");
        TRY(db_exec_buf(work, &sql, status));
    }
    TRY(db_commit(work, status));
done:
    if (code != STATUS_OK) {
        db_rollback(work);
    }
    buf_release(&sql);
    return code;
}
