/* nightjar similar: the published neighbours of an item. */
#include "commands/published.h"

static enum status_code refuse(const struct command_environment *environment, struct db *db,
                               const struct plan *plan, const struct published_query *query,
                               struct status *status)
{
    (void)environment;
    (void)plan;
    return status_set_at(status, STATUS_DATA, db_path(db), 0, 0,
                         "item \"%s\" has no similar items: it is not in the data, or too few "
                         "users have it",
                         query->id);
}

static enum status_code run_similar(const struct command_environment *environment,
                                    const struct command_line *line, struct status *status)
{
    const struct published_query query = {.before = "SELECT rank, similar_item_id, score FROM ",
                                          .view = "similar_items",
                                          .after = " WHERE item_id = ?1 ORDER BY rank LIMIT ?2"};
    return published_lookup(environment, line, "--item", query, refuse, status);
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
