/* Ids out of options, a file or a query, looked up in what nightjar has written and in the log. */
#include "commands/forget_wanted.h"

#include "base/mem.h"
#include "commands/source_query.h"
#include "dataset/vocabulary.h"
#include "events/source_database.h"
#include "io/line_reader.h"
#include "store/artifact.h"

#include <stdlib.h>
#include <string.h>

/* ---- who is meant ---- */

/* One id a line; empty lines count for nothing. */
static enum status_code add_file(struct wanted *wanted, const char *path,
                                 const struct command_environment *environment,
                                 struct status *status)
{
    struct line_reader *reader = NULL;
    struct line_piece piece;
    enum status_code code;
    const struct watch watch = {.check_stop = command_check_waiting, .data = &environment};
    TRY(line_reader_open(path, &watch, &reader, status));
    for (;;) {
        TRY(line_reader_next(reader, &piece, status));
        if (piece.length == 0) {
            break;
        }
        size_t length = piece.length;
        while (length > 0 && (piece.text[length - 1] == '\n' || piece.text[length - 1] == '\r')) {
            length--;
        }
        if (piece.column > 0 || (!piece.ends_line && length == piece.length && length > 4096)) {
            TRY(status_set_at(status, STATUS_DATA, path, piece.line, piece.column + 1,
                              "the line is too long for an id"));
        }
        if (length > 0) {
            TRY(strings_add(&wanted->texts, piece.text, length, status));
        }
    }
done:
    line_reader_close(reader);
    return code;
}

/* The first column of the query's rows. */
static enum status_code add_query(struct wanted *wanted, const struct plan *plan, const char *sql,
                                  struct status *status)
{
    const struct plan_source *source = &plan->settings.source;
    struct db *db = NULL;
    struct db_query *query = NULL;
    struct row_id id;
    char digits[24];
    bool has_row;
    enum status_code code;
    TRY(source_database_open(plan, &db, status));
    TRY(db_prepare_user(db, "--query", sql, source->query_timeout, &query, status));
    for (size_t row = 1;; row++) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        const enum row_id_fault fault = row_id_read(query, 0, &id);
        if (fault != ROW_ID_SOUND) {
            TRY(status_set(status, STATUS_DATA, "--query, row %zu: %s %s", row,
                           db_column_name(query, 0), row_id_faults[fault]));
        }
        if (!id.is_text) {
            id.length = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)id.integer);
            id.text = digits;
        }
        TRY(strings_add(&wanted->texts, id.text, id.length, status));
    }
done:
    db_finalize(query);
    db_close(db);
    return code;
}

static int compare_forms(const void *a, const void *b)
{
    const struct form *x = a, *y = b;
    return row_id_compare(&x->id, &y->id);
}

/* For 7 the text 7.0, and the other way round: a log whose column is TEXT may have either. Empty
 * for anything else, 007 among it, which may be somebody of its own. */
static enum status_code add_twin(struct wanted *wanted, size_t given, struct status *status)
{
    char whole[24], real[28];
    size_t length;
    int64_t integer;
    const char *text = strings_get(&wanted->texts, given, &length);
    if (!row_id_of_text(text, length, &integer)) {
        return strings_add(&wanted->twins, "", 0, status);
    }
    snprintf(whole, sizeof whole, "%lld", (long long)integer);
    snprintf(real, sizeof real, "%s.0", whole);
    const char *twin = length == strlen(whole) && memcmp(text, whole, length) == 0 ? real
                       : length == strlen(real) && memcmp(text, real, length) == 0 ? whole
                                                                                   : "";
    return strings_add(&wanted->twins, twin, strlen(twin), status);
}

/* The forms of all ids, in order; texts stay those of `wanted`, which does not grow any more. */
static enum status_code make_forms(struct wanted *wanted, struct status *status)
{
    enum status_code code;
    TRY(MEM_NEW(&wanted->is_here, wanted->texts.n, status));
    TRY(MEM_NEW(&wanted->is_known, wanted->texts.n, status));
    TRY(MEM_NEW(&wanted->forms, 3 * wanted->texts.n, status));
    for (size_t g = 0; g < wanted->texts.n; g++) {
        TRY(add_twin(wanted, g, status));
    }
    for (size_t g = 0; g < wanted->texts.n; g++) {
        struct form text = {.given = g, .id = {.is_text = true}}, twin = text,
                    number = {.given = g};
        text.id.text = strings_get(&wanted->texts, g, &text.id.length);
        wanted->forms[wanted->n_forms++] = text;
        twin.id.text = strings_get(&wanted->twins, g, &twin.id.length);
        if (twin.id.length > 0) {
            wanted->forms[wanted->n_forms++] = twin;
        }
        if (row_id_of_text(text.id.text, text.id.length, &number.id.integer)) {
            wanted->forms[wanted->n_forms++] = number;
        }
    }
    if (wanted->n_forms > 0) {
        qsort(wanted->forms, wanted->n_forms, sizeof *wanted->forms, compare_forms);
    }
done:
    return code;
}

enum status_code wanted_collect(const struct command_environment *environment,
                                const struct command_line *line, const struct plan *plan,
                                struct wanted *wanted, struct status *status)
{
    const char *file = command_flag_value(line, "--file");
    const char *query = command_flag_value(line, "--query");
    size_t n;
    const char *const *ids = command_flag_values(line, "--user", &n);
    enum status_code code = STATUS_OK;
    if (n == 0 && file == NULL && query == NULL) {
        return status_set(status, STATUS_USAGE,
                          "forget: who? give --user ID, --file FILE or --query SQL");
    }
    for (size_t i = 0; i < n; i++) {
        if (ids[i][0] == '\0') {
            return status_set(status, STATUS_USAGE, "forget: --user is empty");
        }
        TRY(strings_add(&wanted->texts, ids[i], strlen(ids[i]), status));
    }
    if (file != NULL) {
        TRY(add_file(wanted, file, environment, status));
    }
    if (query != NULL) {
        TRY(add_query(wanted, plan, query, status));
    }
    TRY(make_forms(wanted, status));
done:
    return code;
}

/* ---- who is known ---- */

void wanted_meet(struct wanted *wanted, const struct row_id *id)
{
    const struct form key = {.id = *id};
    size_t low = 0, high = wanted->n_forms;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare_forms(&wanted->forms[middle], &key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < wanted->n_forms && compare_forms(&wanted->forms[low], &key) == 0; low++) {
        const size_t given = wanted->forms[low].given;
        wanted->is_here[given] |= !wanted->in_source || !wanted->is_known[given];
        wanted->is_known[given] = true;
    }
}

size_t wanted_count(const struct wanted *wanted, const bool *flags)
{
    size_t n = 0;
    for (size_t g = 0; g < wanted->texts.n; g++) {
        n += flags[g];
    }
    return n;
}

/* Meets the ids in a column of all rows. */
static enum status_code meet_rows(struct wanted *wanted, struct db_query *query, int column,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct row_id id;
    bool has_row = true;
    while (has_row) {
        TRY(db_step(query, &has_row, status));
        if (has_row && row_id_read(query, column, &id) == ROW_ID_SOUND) {
            wanted_meet(wanted, &id);
        }
    }
done:
    return code;
}

/* Those who have side data alone: they have no place in the table of users. */
static enum status_code meet_side_data(struct wanted *wanted, const struct plan *plan,
                                       struct db *work, struct status *status)
{
    static const char *const without[] = {"items.", "users.matrix", NULL};
    enum status_code code = STATUS_OK;
    struct artifact artifact = {0};
    struct vocabulary extra = {0};
    struct buf slot = {0};
    bool found = false;
    for (size_t s = 0; s < plan->n_stages; s++) {
        if (strcmp(plan->stages[s].stage->name, "features") == 0) {
            artifact_slot_name(plan->stages[s].label, "features", &slot);
            break;
        }
    }
    if (slot.length > 0) {
        TRY(buf_check(&slot, status));
        TRY(artifact_load_without(work, buf_text(&slot), without, &artifact, &found, status));
    }
    if (found) {
        TRY(vocabulary_load(&extra, &artifact, "users.extra", status));
    }
    for (size_t c = 0; c < extra.n; c++) {
        const struct row_id id = vocabulary_id(&extra, c);
        wanted_meet(wanted, &id);
    }
done:
    vocabulary_release(&extra);
    artifact_release(&artifact);
    buf_release(&slot);
    return code;
}

enum status_code wanted_meet_work(struct wanted *wanted, const struct plan *plan, struct db *work,
                                  struct status *status)
{
    struct db_query *query = NULL;
    struct buf type = {0};
    struct status ignored = {0};
    enum status_code code;
    TRY(db_object_type(work, "users", &type, status));
    if (strcmp(buf_text(&type), "table") == 0) {
        TRY(db_prepare(work, "SELECT user_id FROM users", &query, status));
        TRY(meet_rows(wanted, query, 0, status));
    }
    if (wanted_count(wanted, wanted->is_here) < wanted->texts.n &&
        meet_side_data(wanted, plan, work, &ignored) != STATUS_OK) {
        status_clear(&ignored);
    }
done:
    db_finalize(query);
    buf_release(&type);
    return code;
}

void wanted_meet_source(struct wanted *wanted, const struct plan *plan)
{
    const struct plan_source *source = &plan->settings.source;
    struct status *unread = &wanted->unread;
    struct db *db = NULL;
    struct db_query *rows = NULL;
    struct event_columns columns;
    enum status_code code = STATUS_OK;
    if (source->database == NULL) {
        return;
    }
    wanted->in_source = true;
    TRY(source_database_open(plan, &db, unread));
    TRY(source_query_open(source, db, &rows, &columns, unread));
    TRY(meet_rows(wanted, rows, columns.index[COLUMN_USER], unread));
done:
    db_finalize(rows);
    db_close(db);
}

void wanted_release(struct wanted *wanted)
{
    strings_release(&wanted->texts);
    strings_release(&wanted->twins);
    mem_free(wanted->forms);
    mem_free(wanted->is_here);
    mem_free(wanted->is_known);
    *wanted = (struct wanted){0};
}
