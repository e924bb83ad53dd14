/* nightjar rollback: shows an older generation again. */
#include "commands/published.h"

#include "base/num.h"
#include "publishing/generation.h"
#include "store/lock.h"

/* The newest generation before the current one whose tables are kept. */
static enum status_code find_previous(struct db *db, const struct plan *plan, int64_t current,
                                      int64_t *generation, struct status *status)
{
    enum status_code code;
    bool found;
    TRY(publish_get_int64(db, plan->settings.output.prefix,
                          "SELECT max(generation) FROM $nightjar_objects"
                          " WHERE generation > 0 AND generation < ?1",
                          current, generation, &found, status));
    if (!found) {
        TRY(status_set_at(status, STATUS_NO_INPUT, db_path(db), 0, 0,
                          "no generation before %lld is kept; output.keep is %lld",
                          (long long)current, (long long)plan->settings.output.keep));
    }
done:
    return code;
}

static enum status_code run_rollback(const struct command_environment *environment,
                                     const struct command_line *line, struct status *status)
{
    enum status_code code;
    struct plan *plan = NULL;
    struct lock held = {.fd = -1};
    struct db *db = NULL;
    struct published_info shown;
    int64_t generation = 0;
    if (line->n_arguments > 1 &&
        (!num_parse_int64(line->arguments[1], strlen(line->arguments[1]), &generation) ||
         generation < 1)) {
        return status_set(status, STATUS_USAGE,
                          "rollback: \"%s\" is no generation; a whole number from 1 is allowed",
                          line->arguments[1]);
    }
    TRY(command_load_plan(environment, line, &plan, status));
    const struct plan_settings *settings = &plan->settings;
    TRY(published_open(plan, &db, status)); /* says so when nothing is published */
    db_close(db);
    db = NULL;
    TRY(lock_pipeline(settings->work.database, NULL, &held, status)); /* no run may publish */
    TRY(db_open(settings->output.database, DB_WRITE, settings->source.busy_timeout, &db, status));
    TRY(publish_current(db, settings->output.prefix, &shown, status));
    const int64_t current = shown.generation;
    if (generation == 0) {
        TRY(find_previous(db, plan, current, &generation, status));
    }
    if (generation != current) {
        TRY(publish_rollback(db, settings->output.prefix, generation, status));
    }
    command_print(environment->err, "%s shows generation %lld%s\n", settings->output.database,
                  (long long)generation, generation == current ? " already" : "");
    if (generation < current) {
        command_print(environment->err, "generation %lld is kept until later ones push it out\n",
                      (long long)current);
    }
done:
    db_close(db);
    lock_release(&held);
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {COMMAND_FLAG_SET, {.name = NULL}};

const struct command command_rollback = {
    .name = "rollback",
    .summary = "show an older generation of recommendations again",
    .usage = "CONFIG [GENERATION] [options]",
    .description = "Points the published views at an older generation whose tables are kept "
                   "(output.keep), all at once; without GENERATION at the one before. Nothing is "
                   "deleted, so a rollback can be taken back. The next run that has something new "
                   "publishes it as ever; an unchanged night leaves the rollback in place.",
    .min_arguments = 1,
    .max_arguments = 2,
    .flags = flags,
    .run = run_rollback};
