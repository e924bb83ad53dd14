/* nightjar forget: takes people out of all that nightjar has written (run/written_files.h), and
 * keeps them out.
 *
 *     collect  ->  look (who is known)  ->  keep out  ->  erase  ->  name who is not known
 */
#include "commands/forget_wanted.h"

#include "base/mem.h"
#include "base/path.h"
#include "config/mistakes.h"
#include "publishing/erase.h"
#include "run/written_files.h"
#include "store/lock.h"
#include "publishing/generation.h"
#include "store/migrate.h"

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
    if (!path_is_empty(buf_text(&tune))) {
        TRY(lock_acquire(buf_text(&lock), wait, &written->search, status));
        TRY(migrate_open_work(buf_text(&tune), DB_WRITE, patience, &written->tune, status));
    }
    if (!path_is_empty(buf_text(&tried_output)) || !path_is_empty(buf_text(&tried_work))) {
        TRY(lock_pipeline(buf_text(&tried_output), wait, &written->backtest, status));
        TRY(db_open(buf_text(&tried_output), DB_CREATE, patience, &written->tried_output, status));
        TRY(publish_migrate(written->tried_output, "", status));
    }
    if (!path_is_empty(buf_text(&tried_work))) {
        TRY(migrate_open_work(buf_text(&tried_work), DB_WRITE, patience, &written->tried_work,
                              status));
    }
    if (!path_is_empty(work)) {
        TRY(migrate_open_work(work, DB_WRITE, patience, &written->work, status));
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
            wanted_meet(wanted, &form->id);
        }
    }
    *n_published = wanted_count(wanted, wanted->is_here);
    TRY(forgotten_load(&forgotten, written->output, prefix, status));
    for (size_t f = 0; f < wanted->n_forms; f++) {
        wanted->is_known[wanted->forms[f].given] |= forgotten_has(&forgotten, &wanted->forms[f].id);
    }
    struct db *const work[] = {written->work, written->tune, written->tried_work};
    for (size_t w = 0; w < sizeof work / sizeof *work; w++) {
        if (work[w] != NULL) {
            TRY(wanted_meet_work(wanted, plan, work[w], status));
        }
    }
    if (wanted_count(wanted, wanted->is_known) < wanted->texts.n) {
        wanted_meet_source(wanted, plan);
    }
done:
    forgotten_release(&forgotten);
    return code;
}

static enum status_code erase_rank_works(const struct plan_settings *settings, bool is_here,
                                         struct status *status)
{
    enum status_code code;
    struct strings paths = {0};
    struct db *work = NULL;
    size_t length;
    TRY(written_rank_works(settings->work.database, &paths, status));
    for (size_t i = 0; i < paths.n; i++) {
        TRY(migrate_open_work(strings_get(&paths, i, &length), DB_WRITE,
                              settings->source.busy_timeout, &work, status));
        TRY(is_here ? erase_work(work, status) : erase_wal(work, status));
        db_close(work);
        work = NULL;
    }
done:
    db_close(work);
    strings_release(&paths);
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
    const bool is_here = wanted_count(wanted, wanted->is_here) > 0;
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
    TRY(erase_rank_works(settings, is_here, status));
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
    const size_t n = wanted->texts.n - wanted_count(wanted, wanted->is_known);
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
    TRY(wanted_collect(environment, line, plan, &wanted, status));
    if (wanted.texts.n > 0) {
        TRY(written_open(&written, &plan->settings, &wait, status));
        TRY(look(&wanted, plan, &written, &n_published, status));
        TRY(forget(&wanted, &plan->settings, &written, also_unknown, status));
    }
    const size_t n = also_unknown ? wanted.texts.n : wanted_count(&wanted, wanted.is_known);
    command_print(
        environment->err,
        "forgot %zu user%s, %zu of them had recommendations or embeddings; later runs leave "
        "them out%s\n",
        n, n == 1 ? "" : "s", n_published,
        wanted_count(&wanted, wanted.is_here) > 0 ? ", the next one trains anew" : "");
    if (!also_unknown) {
        TRY(name_unknown(&wanted, environment->err, status));
    }
done:
    written_close(&written);
    wanted_release(&wanted);
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
