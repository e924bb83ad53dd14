/* Opening the source. */
#include "events/source_database.h"

#include <unistd.h>

/* A newcomer's first run: the database made here, the configuration that came with nightjar
 * elsewhere. */
static void tell_of_namesake(const struct plan *plan, struct status *status)
{
    const char *path = plan->settings.source.database;
    const char *slash = strrchr(plan->file, '/');
    const size_t folder = slash == NULL ? 0 : (size_t)(slash - plan->file) + 1;
    if (folder > 0 && strncmp(path, plan->file, folder) == 0 && access(path, F_OK) != 0 &&
        access(path + folder, F_OK) == 0) {
        status_add_line(
            status,
            "there is a %s where you are, but the paths of a configuration start at its "
            "own folder, %.*s: copy the configuration here",
            path + folder, (int)folder, plan->file);
    }
}

enum status_code source_database_open(const struct plan *plan, struct db **out,
                                      struct status *status)
{
    const struct plan_source *source = &plan->settings.source;
    struct db *db = NULL;
    enum status_code code = db_open(source->database, DB_READ, source->busy_timeout, &db, status);
    if (code != STATUS_OK) {
        tell_of_namesake(plan, status);
        return code;
    }
    db_leave_checkpoints(db);
    *out = db;
    return STATUS_OK;
}
