/* nightjar similar: the published neighbours of an item. */
#include "commands/published.h"

static enum status_code run_similar(const struct command_environment *environment,
                                    const struct command_line *line, struct status *status)
{
    enum status_code code;
    struct plan *plan = NULL;
    struct db *db = NULL;
    size_t n_rows;
    struct published_query query = {.before = "SELECT rank, similar_item_id, score FROM ",
                                    .view = "similar_items",
                                    .after = " WHERE item_id = ?1 ORDER BY rank LIMIT ?2",
                                    .id = command_flag_value(line, "--item"),
                                    .limit = 10,
                                    .json = command_flag_count(line, "--json") > 0};
    if (query.id == NULL || query.id[0] == '\0') {
        return status_set(status, STATUS_USAGE, "similar: --item ID is needed");
    }
    TRY(command_flag_int64(line, "--top", 1, 1000000, &query.limit, status));
    TRY(command_load_plan(environment, line, &plan, status));
    TRY(published_open(plan, &db, status));
    TRY(published_print(db, plan, &query, environment->out, &n_rows, status));
    if (n_rows == 0) {
        TRY(status_set_at(status, STATUS_DATA, db_path(db), 0, 0,
                          "item \"%s\" has no similar items: it is not in the data, or too few "
                          "users have it",
                          query.id));
    }
    TRY(command_flush(environment->out, status));
done:
    db_close(db);
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--item", .value = "ID", .help = "the item's id, as in the source"},
    {.name = "--top", .value = "N", .help = "at most N items; 10 when not given"},
    {.name = "--json", .help = "a JSON list instead of a table"},
    COMMAND_FLAG_SET,
    {.name = NULL}};

const struct command command_similar = {
    .name = "similar",
    .summary = "print an item's published neighbours",
    .usage = "CONFIG --item ID [options]",
    .description = "Prints the items that the newest published generation holds as similar to one "
                   "item, best first. An item without neighbours is exit code 65. Reads the "
                   "output database only.",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = flags,
    .run = run_similar};
