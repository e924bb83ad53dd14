/* nightjar forget: takes people out of all that nightjar has written (run/written_files.h), and
 * keeps them out.
 *
 *     collect  ->  look (who is known)  ->  keep out  ->  erase  ->  name who is not known
 */
#include "commands/command.h"

#include "base/mem.h"
#include "base/strings.h"
#include "commands/source_query.h"
#include "config/mistakes.h"
#include "dataset/vocabulary.h"
#include "io/line_reader.h"
#include "publishing/erase.h"
#include "run/written_files.h"
#include "store/artifact.h"
#include "store/lock.h"
#include "publishing/generation.h"

#include <stdlib.h>
#include <unistd.h>

/* A way to write an id that was given: its text, the INTEGER that the text names, or for 7 and 7.0
 * the other of the two as a text. */
struct form {
    struct row_id id;
    size_t given; /* the id it stands for */
};

/* Ids as they were given, all as texts, and their forms. */
struct wanted {
    struct strings texts;
    struct strings twins; /* texts of forms that nobody gave */
    struct form *forms;   /* (n_forms), ascending */
    size_t n_forms;
    bool *is_here;        /* (texts.n) something that is still there has the id */
    bool *is_known;       /* (texts.n) or it was forgotten before */
    bool in_source;       /* being looked at: rows that stay, and that later runs leave out */
    struct status unread; /* why the log could not be looked at */
};

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
    TRY(db_open(source->database, DB_READ, source->busy_timeout, &db, status));
    db_leave_checkpoints(db);
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

static enum status_code collect(const struct command_environment *environment,
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

/* Whoever has this id is known. */
static void meet(struct wanted *wanted, const struct row_id *id)
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

static size_t count(const struct wanted *wanted, const bool *flags)
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
            meet(wanted, &id);
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
        meet(wanted, &id);
    }
done:
    vocabulary_release(&extra);
    artifact_release(&artifact);
    buf_release(&slot);
    return code;
}

/* In a work database, whose results may be of another version: then nobody is known by it. */
static enum status_code meet_work(struct wanted *wanted, const struct plan *plan, struct db *work,
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
    if (count(wanted, wanted->is_here) < wanted->texts.n &&
        meet_side_data(wanted, plan, work, &ignored) != STATUS_OK) {
        status_clear(&ignored);
    }
done:
    db_finalize(query);
    buf_release(&type);
    return code;
}

/* In the log itself: somebody who came since it was last read, or before anything was. A source
 * that cannot be read knows nobody, which is told to whoever names one that it may have. */
static void meet_source(struct wanted *wanted, const struct plan *plan)
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
    TRY(db_open(source->database, DB_READ, source->busy_timeout, &db, unread));
    db_leave_checkpoints(db);
    TRY(source_query_open(source, db, &rows, &columns, unread));
    TRY(meet_rows(wanted, rows, columns.index[COLUMN_USER], unread));
done:
    db_finalize(rows);
    db_close(db);
}

/* ---- the way through the list ---- */

/* What is open of the files that nightjar writes. */
struct written {
    struct db *output, *work, *tune, *tried_output, *tried_work; /* NULL: there is none */
    struct lock pipeline, search, backtest;
};

static void written_close(struct written *written)
{
    db_close(written->output);
    db_close(written->work);
    db_close(written->tune);
    db_close(written->tried_output);
    db_close(written->tried_work);
    lock_release(&written->backtest);
    lock_release(&written->search);
    lock_release(&written->pipeline);
}

static enum status_code written_open(struct written *written, const struct plan_settings *settings,
                                     const struct lock_wait *wait, struct status *status)
{
    const char *work = settings->work.database;
    const double patience = settings->source.busy_timeout;
    struct buf tune = {0}, lock = {0}, tried_output = {0}, tried_work = {0};
    enum status_code code;
    TRY(lock_pipeline(work, wait, &written->pipeline, status));
    written_tune_database(work, &tune);
    written_tune_lock(work, &lock);
    written_backtest_output(work, &tried_output);
    written_backtest_work(work, &tried_work);
    TRY(buf_check(&tried_output, status));
    TRY(buf_check(&tried_work, status));
    TRY(buf_check(&tune, status));
    TRY(buf_check(&lock, status));
    if (access(buf_text(&tune), F_OK) == 0) {
        TRY(lock_acquire(buf_text(&lock), wait, &written->search, status));
        TRY(db_open(buf_text(&tune), DB_WRITE, patience, &written->tune, status));
    }
    if (access(buf_text(&tried_output), F_OK) == 0 || access(buf_text(&tried_work), F_OK) == 0) {
        TRY(lock_pipeline(buf_text(&tried_output), wait, &written->backtest, status));
        TRY(db_open(buf_text(&tried_output), DB_CREATE, patience, &written->tried_output, status));
        TRY(publish_migrate(written->tried_output, "", status));
    }
    if (access(buf_text(&tried_work), F_OK) == 0) {
        TRY(db_open(buf_text(&tried_work), DB_WRITE, patience, &written->tried_work, status));
    }
    if (access(work, F_OK) == 0) {
        TRY(db_open(work, DB_WRITE, patience, &written->work, status));
    }
    TRY(db_open(settings->output.database, DB_CREATE, patience, &written->output, status));
    TRY(publish_migrate(written->output, settings->output.prefix, status));
done:
    buf_release(&tune);
    buf_release(&lock);
    buf_release(&tried_output);
    buf_release(&tried_work);
    return code;
}

/* Finds out who is here and who is known. *n_published: how many some generation has. */
static enum status_code look(struct wanted *wanted, const struct plan *plan,
                             const struct written *written, size_t *n_published,
                             struct status *status)
{
    const char *prefix = plan->settings.output.prefix;
    struct forgotten forgotten = {0};
    enum status_code code;
    for (size_t f = 0; f < wanted->n_forms; f++) {
        const struct form *form = &wanted->forms[f];
        bool is_published = false;
        TRY(erase_look(written->output, prefix, &form->id, &is_published, status));
        if (!is_published && written->tried_output != NULL) {
            TRY(erase_look(written->tried_output, "", &form->id, &is_published, status));
        }
        if (is_published) {
            meet(wanted, &form->id);
        }
    }
    *n_published = count(wanted, wanted->is_here);
    TRY(forgotten_load(&forgotten, written->output, prefix, status));
    for (size_t f = 0; f < wanted->n_forms; f++) {
        wanted->is_known[wanted->forms[f].given] |= forgotten_has(&forgotten, &wanted->forms[f].id);
    }
    struct db *const work[] = {written->work, written->tune, written->tried_work};
    for (size_t w = 0; w < sizeof work / sizeof *work; w++) {
        if (work[w] != NULL) {
            TRY(meet_work(wanted, plan, work[w], status));
        }
    }
    if (count(wanted, wanted->is_known) < wanted->texts.n) {
        meet_source(wanted, plan);
    }
done:
    forgotten_release(&forgotten);
    return code;
}

/* First they are kept out, so that a crash on the way leaves no run that would read them again.
 * Where nothing of anybody is left, only what an earlier call had to leave in a WAL goes. */
static enum status_code forget(const struct wanted *wanted, const struct plan_settings *settings,
                               const struct written *written, bool also_unknown,
                               struct status *status)
{
    const char *prefix = settings->output.prefix;
    struct db *const work[] = {written->work, written->tune, written->tried_work};
    const bool is_here = count(wanted, wanted->is_here) > 0;
    struct row_id *people = NULL;
    size_t n = 0;
    enum status_code code;
    TRY(MEM_NEW(&people, wanted->n_forms, status));
    for (size_t f = 0; f < wanted->n_forms; f++) {
        if (wanted->is_known[wanted->forms[f].given] || also_unknown) {
            people[n++] = wanted->forms[f].id;
        }
    }
    if (n > 0) {
        TRY(forgotten_add(written->output, prefix, people, n, status));
    }
    for (size_t w = 0; w < sizeof work / sizeof *work; w++) {
        if (work[w] != NULL) {
            TRY(is_here ? erase_work(work[w], status) : erase_wal(work[w], status));
        }
    }
    if (written->tried_output != NULL) {
        TRY(erase_published(written->tried_output, "", people, is_here ? n : 0, status));
    }
    TRY(erase_published(written->output, prefix, people, is_here ? n : 0, status));
done:
    mem_free(people);
    return code;
}

/* Whoever asked must learn which of the ids was none. */
static enum status_code name_unknown(const struct wanted *wanted, FILE *err, struct status *status)
{
    const size_t n = wanted->texts.n - count(wanted, wanted->is_known);
    for (size_t g = 0; g < wanted->texts.n; g++) {
        char shown[SHOWN_TEXT_MAX];
        size_t length;
        const char *text = strings_get(&wanted->texts, g, &length);
        if (!wanted->is_known[g]) {
            command_print(err, "unknown: %s\n", shown_text(text, length, shown));
        }
    }
    if (n > 0 && wanted->unread.code != STATUS_OK) {
        return status_set(status, wanted->unread.code,
                          "forget: the log, which may have %zu of %zu ids, could not be read: %s",
                          n, wanted->texts.n, wanted->unread.message);
    }
    return n == 0 ? STATUS_OK
                  : status_set(status, STATUS_DATA,
                               "forget: %zu of %zu ids stand neither in the log nor in what "
                               "nightjar has written; --also-unknown keeps them out of later runs "
                               "all the same",
                               n, wanted->texts.n);
}

static enum status_code run_forget(const struct command_environment *environment,
                                   const struct command_line *line, struct status *status)
{
    const bool also_unknown = command_flag_count(line, "--also-unknown") > 0;
    struct plan *plan = NULL;
    struct wanted wanted = {0};
    struct written written = {.pipeline = {.fd = -1}, .search = {.fd = -1}, .backtest = {.fd = -1}};
    struct lock_wait wait = {.stop_signal = environment->stop_signal};
    size_t n_published = 0;
    enum status_code code;
    TRY(command_load_plan(environment, line, &plan, status));
    TRY(command_flag_duration(line, "--wait", &wait.seconds, status));
    TRY(collect(environment, line, plan, &wanted, status));
    if (wanted.texts.n > 0) {
        TRY(written_open(&written, &plan->settings, &wait, status));
        TRY(look(&wanted, plan, &written, &n_published, status));
        TRY(forget(&wanted, &plan->settings, &written, also_unknown, status));
    }
    const size_t n = also_unknown ? wanted.texts.n : count(&wanted, wanted.is_known);
    command_print(
        environment->err,
        "forgot %zu user%s, %zu of them had recommendations or embeddings; later runs leave "
        "them out%s\n",
        n, n == 1 ? "" : "s", n_published,
        count(&wanted, wanted.is_here) > 0 ? ", the next one trains anew" : "");
    if (!also_unknown) {
        TRY(name_unknown(&wanted, environment->err, status));
    }
done:
    written_close(&written);
    strings_release(&wanted.texts);
    strings_release(&wanted.twins);
    mem_free(wanted.forms);
    mem_free(wanted.is_here);
    mem_free(wanted.is_known);
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--user",
     .value = "ID",
     .repeatable = true,
     .help = "a user's id, as it stands in the source"},
    {.name = "--file", .value = "FILE", .help = "a file with one id a line"},
    {.name = "--query",
     .value = "SQL",
     .help = "a query on the source whose first column holds the ids"},
    {.name = "--also-unknown",
     .help = "keep ids out of later runs that stand neither in the log nor in what nightjar has "
             "written"},
    {.name = "--wait",
     .value = "TIME",
     .help = "wait so long (say 10m) for a run to end, instead of exit code 75"},
    COMMAND_FLAG_SET,
    {.name = NULL}};

const struct command command_forget = {
    .name = "forget",
    .summary = "take people out of everything, and keep them out",
    .usage = "CONFIG [options]",
    .description =
        "Deletes a person's recommendations, reasons and embeddings from every generation that is "
        "kept, and all that the work files of `run`, `tune` and `backtest` hold of the log; what "
        "is deleted is "
        "overwritten in the files. Later runs leave the person's rows of the source out: they are "
        "known by a keyed hash in the output database, never by the id. The rows of your own "
        "tables are yours to delete. 7, 7.0 and '7' are one person. An id that stands nowhere is "
        "named and makes the exit code 65, after the others were forgotten. Safe to repeat.",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = flags,
    .run = run_forget};
