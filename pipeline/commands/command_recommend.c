/* nightjar recommend: one user's published recommendations. */
#include "commands/published.h"

static enum status_code print_popular(const struct command_environment *environment, struct db *db,
                                      const struct plan *plan, const struct published_query *query,
                                      struct status *status)
{
    const struct published_query popular = {
        .before = "SELECT rank, item_id, score, 'popular' AS source FROM ",
        .view = "popular_items",
        .after = " ORDER BY rank LIMIT ?2",
        .limit = query->limit,
        .json = query->json};
    size_t n_rows;
    fprintf(environment->err,
            "note: user \"%s\" has no recommendations of its own; these are the popular items\n",
            query->id);
    return published_print(db, plan, &popular, environment->out, &n_rows, status);
}

static enum status_code run_recommend(const struct command_environment *environment,
                                      const struct command_line *line, struct status *status)
{
    const struct published_query query = {.before = "SELECT rank, item_id, score, source FROM ",
                                          .view = "recommendations",
                                          .after = " WHERE user_id = ?1 ORDER BY rank LIMIT ?2"};
    return published_lookup(environment, line, "--user", query, print_popular, status);
}

static const struct command_flag flags[] = {
    {.name = "--user", .value = "ID", .help = "the user's id, as in the source"},
    {.name = "--top", .value = "N", .help = "at most N items; 10 when not given"},
    {.name = "--json", .help = "a JSON list instead of a table"},
    COMMAND_FLAG_SET,
    {.name = NULL}};

const struct command command_recommend = {
    .name = "recommend",
    .summary = "print a user's published recommendations",
    .usage = "CONFIG --user ID [options]",
    .description = "Prints the newest published recommendations of one user: rank, item, score and "
                   "where the row comes from. A user who is not in the data gets the popular "
                   "items, with a note on stderr. Reads the output database only.",
    .min_arguments = 1,
    .max_arguments = 1,
    .flags = flags,
    .run = run_recommend};
