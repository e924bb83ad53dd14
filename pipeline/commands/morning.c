/* Findings as lines, and the published database that they need. */
#include "commands/morning.h"

#include "base/path.h"
#include "publishing/generation.h"
#include "run/findings.h"

/* NULL: there is no such file, or it cannot be read: the history is what one looks at then. The
 * caller's to close. */
static struct db *open_output(const struct plan *plan)
{
    const struct plan_settings *settings = &plan->settings;
    struct status unreadable = {0};
    struct db *db = NULL;
    if (settings->output.database != NULL && !path_is_empty(settings->output.database) &&
        db_open(settings->output.database, DB_READ, settings->source.busy_timeout, &db,
                &unreadable) == STATUS_OK) {
        db_leave_checkpoints(db);
    }
    return db;
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
    struct db *output = open_output(plan);
    struct buf text = {0};
    enum status_code code;
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
    if (morning_shown(plan) != 0) {
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

int64_t morning_shown(const struct plan *plan)
{
    struct published_info current = {0};
    struct status unreadable = {0};
    struct db *output = open_output(plan);
    if (output == NULL ||
        publish_current(output, plan->settings.output.prefix, &current, &unreadable) != STATUS_OK) {
        current.generation = 0;
    }
    db_close(output);
    return current.generation;
}
