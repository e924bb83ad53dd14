/* The tables of the interactions stage in the work database, for people and for joins. */
#include "events/extract.h"

static const char create_tables[] =
    "DROP TABLE IF EXISTS users;"
    "CREATE TABLE users(code INTEGER PRIMARY KEY, user_id NOT NULL);"
    "DROP TABLE IF EXISTS items;"
    "CREATE TABLE items(code INTEGER PRIMARY KEY, item_id NOT NULL);"
    "DROP TABLE IF EXISTS interactions_left_out;"
    "CREATE TABLE interactions_left_out(kind TEXT NOT NULL, reason TEXT NOT NULL,"
    " n_rows INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS interactions_rejected(query TEXT NOT NULL, row INTEGER NOT NULL, "
    "rowid_of_row"
    " INTEGER, reason TEXT NOT NULL, value TEXT NOT NULL);";

static enum status_code write_ids(struct db *work, const char *sql,
                                  const struct vocabulary *vocabulary, const struct watch *watch,
                                  struct status *status)
{
    enum { ROWS_BETWEEN_STEPS = 4096 };
    enum status_code code = STATUS_OK;
    struct db_query *insert = NULL;

    TRY(db_prepare(work, sql, &insert, status));
    for (size_t c = 0; c < vocabulary->n; c++) {
        TRY(db_bind_int64(insert, 1, (int64_t)c, status));
        if (vocabulary->type == ID_INTEGER) {
            TRY(db_bind_int64(insert, 2, vocabulary->integers[c], status));
        } else {
            size_t length;
            const char *text = strings_get(&vocabulary->texts, c, &length);
            TRY(db_bind_text(insert, 2, text, length, true, status));
        }
        TRY(db_run(insert, status));
        if (c % ROWS_BETWEEN_STEPS == 0) {
            TRY(watch_step(watch, (double)c, 0.0, status));
        }
    }
done:
    db_finalize(insert);
    return code;
}

static enum status_code write_count(struct db_query *insert, const char *kind, const char *reason,
                                    int64_t n_rows, struct status *status)
{
    enum status_code code = STATUS_OK;

    if (n_rows > 0) {
        TRY(db_bind_text(insert, 1, kind, strlen(kind), true, status));
        TRY(db_bind_text(insert, 2, reason, strlen(reason), true, status));
        TRY(db_bind_int64(insert, 3, n_rows, status));
        TRY(db_run(insert, status));
    }
done:
    return code;
}

static enum status_code write_counts(struct db *work, const struct row_report *report,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *insert = NULL;

    TRY(db_prepare(work, "INSERT INTO interactions_left_out VALUES (?1, ?2, ?3)", &insert, status));
    for (size_t f = 0; f < N_ROW_FILTERS; f++) {
        TRY(write_count(insert, "rule", row_filter_names[f], report->filtered[f], status));
    }
    for (size_t f = 0; f < N_ROW_FAULTS; f++) {
        TRY(write_count(insert, "fault", row_fault_names[f], report->faults[f], status));
    }
done:
    db_finalize(insert);
    return code;
}

static enum status_code write_rejected(struct db *work, const struct rejected_rows *rejected,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db_query *insert = NULL;

    TRY(db_prepare(work, "INSERT INTO interactions_rejected VALUES (?1, ?2, ?3, ?4, ?5)", &insert,
                   status));
    for (size_t r = 0; r < rejected->n; r++) {
        const struct rejected_row *row = &rejected->rows[r];
        const struct row_place *place = &row->place;
        const char *reason = row_fault_names[row->fault];
        TRY(db_bind_text(insert, 1, place->query, strlen(place->query), true, status));
        TRY(db_bind_int64(insert, 2, place->number, status));
        if (place->has_rowid) {
            TRY(db_bind_int64(insert, 3, place->rowid, status));
        } else {
            TRY(db_bind_null(insert, 3, status));
        }
        TRY(db_bind_text(insert, 4, reason, strlen(reason), true, status));
        TRY(db_bind_text(insert, 5, row->value, strlen(row->value), true, status));
        TRY(db_run(insert, status));
    }
done:
    db_finalize(insert);
    return code;
}

enum status_code extract_write_tables(struct db *work, const struct interactions *interactions,
                                      const struct extraction *extraction,
                                      const struct watch *watch, struct status *status)
{
    enum status_code code = STATUS_OK;

    TRY(db_begin_write(work, status));
    if (!extraction->goes_on) {
        TRY(db_exec(work, "DROP TABLE IF EXISTS interactions_rejected", status));
    }
    TRY(db_exec(work, create_tables, status));
    TRY(write_ids(work, "INSERT INTO users VALUES (?1, ?2)", &interactions->users, watch, status));
    TRY(write_ids(work, "INSERT INTO items VALUES (?1, ?2)", &interactions->items, watch, status));
    TRY(write_counts(work, &extraction->report, status));
    TRY(write_rejected(work, &extraction->rejected, status));
    TRY(db_commit(work, status));
done:
    if (code != STATUS_OK) {
        db_rollback(work);
    }
    return code;
}
