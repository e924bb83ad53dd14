/* Findings as lines, and the published database that they need. */
#include "commands/morning.h"

#include "base/path.h"
#include "publishing/generation.h"
#include "run/findings.h"
#include "store/migrate.h"

/* *out = NULL: there is no such file, or it cannot be read: the history is what one looks at then.
 * But what a newer nightjar has written there may not mean what this one knows. */
static enum status_code open_output(const struct plan *plan, struct db **out, struct status *status)
{
    const struct plan_settings *settings = &plan->settings;
    struct status unreadable = {0};
    struct db *db = NULL;
    int64_t version;
    enum status_code code = STATUS_OK;
    *out = NULL;
    if (settings->output.database == NULL || path_is_empty(settings->output.database) ||
        db_open(settings->output.database, DB_READ, settings->source.busy_timeout, &db,
                &unreadable) != STATUS_OK) {
        return STATUS_OK;
    }
    db_leave_checkpoints(db);
    code =
        migrate_version(db, MIGRATE_OUTPUT, settings->output.prefix, &version, NULL, &unreadable);
    if (code == STATUS_CONFIG) {
        *status = unreadable;
        db_close(db);
        return code;
    }
    *out = db;
    return STATUS_OK;
}

/* As a shell takes it: between quotes where it has more than plain characters. */
static void add_word(struct buf *out, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";
    if (word[strspn(word, plain)] == '\0') {
        buf_add_text(out, word);
        return;
    }
    buf_add_char(out, '\'');
    for (; *word != '\0'; word++) {
        if (*word == '\'') {
            buf_add_text(out, "'\\''");
        } else {
            buf_add_char(out, *word);
        }
    }
    buf_add_char(out, '\'');
}

/* Adds the line "NAME  TEXT", with text empty nothing; empties it. */
static void add_line(struct buf *out, const char *name, struct buf *text)
{
    if (text->length > 0) {
        buf_addf(out, "  %-9s %s\n", name, buf_text(text));
    }
    out->failed = out->failed || text->failed;
    buf_clear(text);
}

enum status_code morning_add(const struct plan *plan, struct db *work, int64_t run, struct buf *out,
                             struct status *status)
{
    const struct plan_settings *settings = &plan->settings;
    struct findings findings;
    struct findings_outcome outcome;
    struct db *output = NULL;
    struct buf text = {0};
    int64_t shown = 0;
    enum status_code code;
    TRY(open_output(plan, &output, status));
    TRY(findings_read(work, output, settings->output.prefix, run, &findings, status));
    TRY(findings_read_outcome(work, run, &outcome, status));
    findings_add_quality(&findings, &text);
    add_line(out, "quality", &text);
    findings_add_change(&findings, &text);
    add_line(out, "since", &text);
    findings_add_outcome(&outcome, &text);
    add_line(out, "outcome", &text);
    TRY(findings_add_variants(work, run, &text, status));
    add_line(out, "variants", &text);
    findings_add_counts(&findings, &text);
    add_line(out, "lists", &text);
    TRY(morning_shown(plan, &shown, status));
    if (shown != 0) {
        buf_add_text(&text, "sqlite3 -box ");
        add_word(&text, settings->output.database);
        buf_addf(&text, " 'SELECT * FROM %srecommendations ORDER BY user_id, rank LIMIT 20'",
                 settings->output.prefix);
        add_line(out, "to see", &text);
    }
    TRY(buf_check(out, status));
done:
    buf_release(&text);
    db_close(output);
    return code;
}

enum status_code morning_shown(const struct plan *plan, int64_t *generation, struct status *status)
{
    struct published_info current = {0};
    struct status unreadable = {0};
    struct db *output = NULL;
    enum status_code code;
    *generation = 0;
    TRY(open_output(plan, &output, status));
    if (output != NULL &&
        publish_current(output, plan->settings.output.prefix, &current, &unreadable) == STATUS_OK) {
        *generation = current.generation;
    }
done:
    db_close(output);
    return code;
}
