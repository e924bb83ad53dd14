/* Reading the queries of the interactions stage one after the other, building its output, and its
 * tables in the work database, for people and for joins. */
#include "events/extract.h"

#include "events/dislikes.h"
#include "events/event_row.h"
#include "events/key_ranges.h"
#include "store/row_batch.h"

#include <math.h>

static enum status_code read_given(struct db *source, const struct extract_request *request,
                                   const char *what, const char *sql, enum event_part part,
                                   const struct watch *watch, struct event_log *log,
                                   struct row_report *report, struct status *status)
{
    enum status_code code = STATUS_OK;
    const int64_t n_before = report->n_accepted;
    const bool is_own = request->has_own_source || strstr(sql, ":rank") != NULL;
    const bool in_parts = is_own && ranks_n(request->ranks) > 1;
    struct event_query query = {.what = what,
                                .sql = sql,
                                .timeout_seconds = request->interactions.timeout_seconds,
                                .is_given_part = true,
                                .in_parts = in_parts,
                                .part = part};

    TRY(event_reader_run(source, &query, &request->rules, watch, log, report, status));
    if (report->n_accepted == n_before) {
        code = status_set(status, STATUS_DATA, "%s gives no usable rows", what);
    }
done:
    return code;
}

static enum status_code read_log(struct db *source, const struct extract_request *request,
                                 const struct watch *watch, struct extraction *extraction,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    struct event_query query = request->interactions;
    struct event_log *log = &extraction->log;

    log->ranks = request->ranks;
    log->dislikes = &extraction->dislikes;
    extraction->report.rejected = &extraction->rejected;
    extraction->goes_on = extraction->report.n_rows > 0;
    extraction->n_before = extraction->report.n_rows;
    extraction->n_rejected_before = extraction->report.n_rejected;
    log->seen = &extraction->seen;
    query.after = log->last_key;
    query.n_before = extraction->report.n_rows;
    query.part = PART_TRAIN;
    query.is_given_part = false;
    if (ranks_n(request->ranks) > 1) {
        query.in_parts = request->has_own_rows;
        if (!query.in_parts) {
            TRY(key_range_cut(source, request->ranks, &request->rules, &query, status));
        }
        extraction->is_read_whole = !query.in_parts;
    }
    TRY(event_reader_run(source, &query, &request->rules, watch, log, &extraction->report, status));
done:
    return code;
}

/* Nothing that was read counts but of which type ids are. */
static void start_again(struct extraction *extraction, struct id_column users,
                        struct id_column items)
{
    extraction_release(extraction);
    *extraction = (struct extraction){.log = {.user_ids = users, .item_ids = items}};
}

enum status_code extract_read_log(struct db *source, const struct extract_request *request,
                                  const struct watch *watch, struct extraction *extraction,
                                  struct status *status)
{
    enum status_code code = read_log(source, request, watch, extraction, status);
    struct event_log *log = &extraction->log;
    while (code == STATUS_OK && log->reads_again) {
        start_again(extraction, log->user_ids, log->item_ids);
        code = read_log(source, request, watch, extraction, status);
    }
    struct id_column users = log->user_ids, items = log->item_ids;
    const bool odd_user = row_id_is_outvoted(&extraction->report, FAULT_USER_TYPE, &users);
    const bool odd_item = row_id_is_outvoted(&extraction->report, FAULT_ITEM_TYPE, &items);
    const bool in_parts = ranks_n(request->ranks) > 1 && !extraction->is_read_whole;
    if (code == STATUS_DATA && request->rules.on_bad_row == BAD_ROW_REJECT && !in_parts &&
        !extraction->goes_on && (odd_user || odd_item)) {
        start_again(extraction, users, items);
        status_clear(status);
        code = read_log(source, request, watch, extraction, status);
    }
    return code;
}

enum status_code extract_read(struct db *source, const struct extract_request *request,
                              const struct watch *watch, struct extraction *extraction,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    struct event_log *log = &extraction->log, *test = &extraction->test;
    struct row_report *report = &extraction->report;

    TRY(extract_read_log(source, request, watch, extraction, status));
    if (report->n_rows == 0) {
        TRY(status_set(status, STATUS_DATA, "%s gives no rows", request->interactions.what));
    }
    if (report->n_accepted == 0) {
        struct buf taken = {0};
        row_report_add(report, &taken);
        code =
            status_set(status, STATUS_DATA, "%s: no positive interaction is left of %lld rows: %s",
                       request->interactions.what, (long long)report->n_rows, buf_text(&taken));
        buf_release(&taken);
        goto done;
    }
    if (request->valid_query != NULL) {
        TRY(read_given(source, request, "split.valid_query", request->valid_query, PART_VALID,
                       watch, log, report, status));
    }
    if (request->test_query != NULL) {
        extraction->has_given_test = true;
        test->ranks = log->ranks;
        test->user_ids = log->user_ids; /* the same types are asked of the test */
        test->item_ids = log->item_ids;
        TRY(read_given(source, request, "split.test_query", request->test_query, PART_TEST, watch,
                       test, report, status));
    }
done:
    return code;
}

enum status_code extract_split(struct extraction *extraction, struct extract_request *request,
                               struct status *status)
{
    enum status_code code = STATUS_OK;
    const enum duplicate_policy duplicates = request->dataset.duplicates;
    struct event_log *log = &extraction->log;

    if (log->users.n == 0) { /* of one of several ranks; what it has only dislikes of has a type */
        log->users.type = log->user_ids.type;
        log->items.type = log->item_ids.type;
    }
    TRY(dislikes_add_ids(&extraction->dislikes, &extraction->log, status));
    TRY(event_log_unite_items(&extraction->log, status));
    TRY(event_log_sort(&extraction->log, duplicates, status));
    extraction->dislikes.has_times = extraction->log.has_times;
    TRY(event_log_sort(&extraction->dislikes, DUPLICATES_LAST, status));
    extraction->seen.has_times = extraction->log.has_times;
    TRY(event_log_sort(&extraction->seen, DUPLICATES_MAX, status));
    if (extraction->has_given_test) {
        TRY(event_log_sort(&extraction->test, duplicates, status));
    }
    TRY(split_repeats(&request->split, &extraction->log, &request->dataset.repeats,
                      &extraction->repeat_share, status));
    TRY(split_assign(&request->split, &extraction->log, status));
done:
    return code;
}

enum status_code extract_build(struct extraction *extraction, const struct extract_request *request,
                               struct interactions *out, struct status *status)
{
    enum status_code code;
    const struct event_log *test = extraction->has_given_test ? &extraction->test : NULL;

    TRY(interactions_build(&extraction->log, test, &request->dataset, out, status));
    out->basis[BASIS_FIT].valid_is_random =
        split_is_random(&request->split, extraction->log.has_times) && request->valid_query == NULL;
    out->n_rows = extraction->report.n_rows;
    out->n_rejected = extraction->report.n_rejected;
done:
    return code;
}

void extraction_release(struct extraction *extraction)
{
    event_log_release(&extraction->log);
    event_log_release(&extraction->test);
    event_log_release(&extraction->dislikes);
    rejected_rows_release(&extraction->rejected);
    event_log_release(&extraction->seen);
}

enum status_code extract_save_facts(const struct row_report *report, struct artifact *artifact,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;

    TRY(artifact_set_number(artifact, "facts.rows", (double)report->n_rows, status));
    TRY(artifact_set_number(artifact, "facts.accepted", (double)report->n_accepted, status));
    TRY(artifact_set_number(artifact, "facts.dislikes", (double)report->n_dislikes, status));
    TRY(artifact_set_number(artifact, "facts.rejected", (double)report->n_rejected, status));
    TRY(artifact_set_number(artifact, "facts.unknown_events",
                            (double)report->faults[FAULT_EVENT_UNKNOWN], status));
    for (size_t f = 0; f < N_ROW_FILTERS; f++) {
        char name[ARTIFACT_NAME_MAX];
        snprintf(name, sizeof name, "facts.took.%s", row_filter_names[f]);
        TRY(artifact_set_number(artifact, name, (double)report->filtered[f], status));
    }
done:
    return code;
}

enum status_code extract_save_decisions(const struct extraction *extraction,
                                        const struct dataset_rules *rules,
                                        struct artifact *artifact, struct status *status)
{
    enum status_code code;

    TRY(artifact_set_number(artifact, "facts.half_life", rules->half_life, status));
    TRY(artifact_set_number(artifact, "facts.repeat_share", extraction->repeat_share, status));
done:
    return code;
}

enum status_code extract_load_half_life(struct dataset_rules *rules,
                                        const struct artifact *artifact, struct status *status)
{
    return isnan(rules->half_life)
               ? artifact_get_number(artifact, "facts.half_life", &rules->half_life, status)
               : STATUS_OK;
}

/* ---- tables ---- */

static const char create_ids[] = "DROP TABLE IF EXISTS users;"
                                 "CREATE TABLE users(code INTEGER PRIMARY KEY, user_id NOT NULL);"
                                 "DROP TABLE IF EXISTS items;"
                                 "CREATE TABLE items(code INTEGER PRIMARY KEY, item_id NOT NULL);";
static const char create_left_out[] =
    "DROP TABLE IF EXISTS interactions_left_out;"
    "CREATE TABLE interactions_left_out(kind TEXT NOT NULL, reason TEXT NOT NULL,"
    " n_rows INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS interactions_rejected(query TEXT NOT NULL, row INTEGER NOT NULL, "
    "rowid_of_row"
    " INTEGER, reason TEXT NOT NULL, value TEXT NOT NULL);";

static enum status_code write_ids(struct db *work, const char *table,
                                  const struct vocabulary *vocabulary, const struct watch *watch,
                                  struct status *status)
{
    enum { ROWS_BETWEEN_STEPS = 4096 };
    enum status_code code;
    struct row_batch batch = {0};

    TRY(row_batch_open(&batch, work, table, 2, ROWS_BETWEEN_STEPS, status));
    for (size_t c = 0; c < vocabulary->n; c++) {
        const struct row_id id = vocabulary_id(vocabulary, c);
        struct batch_cell *row = row_batch_row(&batch);
        row[0] = batch_integer((int64_t)c);
        row[1] = id.is_text ? batch_text(id.text, id.length) : batch_integer(id.integer);
        if (row_batch_add(&batch)) {
            TRY(row_batch_insert(&batch, status));
            TRY(watch_step(watch, (double)c, 0.0, status));
        }
    }
    TRY(row_batch_insert(&batch, status));
done:
    row_batch_release(&batch);
    return code;
}

/* A row for each of the n reasons of this kind that left out rows. */
static void add_left_out(struct row_batch *batch, const char *kind, const char *const *reasons,
                         const int64_t *n_rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct batch_cell *row = row_batch_row(batch);
        if (n_rows[i] > 0) {
            row[0] = batch_text(kind, strlen(kind));
            row[1] = batch_text(reasons[i], strlen(reasons[i]));
            row[2] = batch_integer(n_rows[i]);
            (void)row_batch_add(batch);
        }
    }
}

static enum status_code write_left_out(struct db *work, const struct row_report *report,
                                       struct status *status)
{
    enum status_code code;
    struct row_batch batch = {0};

    TRY(row_batch_open(&batch, work, "interactions_left_out", 3,
                       (size_t)N_ROW_FILTERS + N_ROW_FAULTS, status));
    add_left_out(&batch, "rule", row_filter_names, report->filtered, N_ROW_FILTERS);
    add_left_out(&batch, "fault", row_fault_names, report->faults, N_ROW_FAULTS);
    TRY(row_batch_insert(&batch, status));
done:
    row_batch_release(&batch);
    return code;
}

static enum status_code write_rejected(struct db *work, const struct rejected_rows *rejected,
                                       struct status *status)
{
    enum status_code code;
    struct row_batch batch = {0};

    TRY(row_batch_open(&batch, work, "interactions_rejected", 5, 0, status));
    for (size_t r = 0; r < rejected->n; r++) {
        const struct rejected_row *bad = &rejected->rows[r];
        const struct row_place *place = &bad->place;
        const char *reason = row_fault_names[bad->fault];
        struct batch_cell *row = row_batch_row(&batch);
        row[0] = batch_text(place->query, strlen(place->query));
        row[1] = batch_integer(place->number);
        row[2] =
            place->has_rowid ? batch_integer(place->rowid) : (struct batch_cell){.type = DB_NULL};
        row[3] = batch_text(reason, strlen(reason));
        row[4] = batch_text(bad->value, strlen(bad->value));
        if (row_batch_add(&batch)) {
            TRY(row_batch_insert(&batch, status));
        }
    }
    TRY(row_batch_insert(&batch, status));
done:
    row_batch_release(&batch);
    return code;
}

/* Rows behind those of earlier runs that another reading has kept: a small night, or a run that was
 * killed. */
static enum status_code drop_rejected(struct db *work, int64_t n_before, struct status *status)
{
    struct db_query *query = NULL;
    enum status_code code;

    TRY(db_prepare(work, "DELETE FROM interactions_rejected WHERE row > ?1", &query, status));
    TRY(db_bind_int64(query, 1, n_before, status));
    TRY(db_run(query, status));
done:
    db_finalize(query);
    return code;
}

enum status_code extract_write_left_out(struct db *work, const struct extraction *extraction,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;

    TRY(db_begin_write(work, status));
    if (!extraction->goes_on) {
        TRY(db_exec(work, "DROP TABLE IF EXISTS interactions_rejected", status));
    }
    TRY(db_exec(work, create_left_out, status));
    TRY(drop_rejected(work, extraction->n_before, status));
    TRY(write_left_out(work, &extraction->report, status));
    TRY(write_rejected(work, &extraction->rejected, status));
    TRY(db_commit(work, status));
done:
    if (code != STATUS_OK) {
        db_rollback(work);
    }
    return code;
}

void extract_add_bad_share(const struct extraction *extraction, const char *work_database,
                           struct buf *out)
{
    const struct row_report *report = &extraction->report;
    const int64_t n_new = report->n_rows - extraction->n_before;
    const int64_t n_bad = report->n_rejected - extraction->n_rejected_before;

    if (n_bad > 0 && n_bad * 100 >= n_new && extraction->goes_on) {
        buf_addf(out, "%.1f %% of the %lld new rows", 100.0 * (double)n_bad / (double)n_new,
                 (long long)n_new);
    } else if (report->n_rejected > 0 && report->n_rejected * 100 >= report->n_rows) {
        buf_addf(out, "%.1f %% of the rows",
                 100.0 * (double)report->n_rejected / (double)report->n_rows);
    } else {
        return;
    }
    buf_addf(out,
             " were left out as bad; their reasons: sqlite3 %s 'SELECT * FROM "
             "interactions_left_out', rows: interactions_rejected",
             work_database);
}

enum status_code extract_write_tables(struct db *work, const struct interactions *interactions,
                                      const struct watch *watch, struct status *status)
{
    enum status_code code = STATUS_OK;

    TRY(db_begin_write(work, status));
    TRY(db_exec(work, create_ids, status));
    TRY(write_ids(work, "users", &interactions->users, watch, status));
    TRY(write_ids(work, "items", &interactions->items, watch, status));
    TRY(db_commit(work, status));
done:
    if (code != STATUS_OK) {
        db_rollback(work);
    }
    return code;
}
