/* nightjar recommend: one user's published recommendations. */
#include "commands/published.h"

static enum status_code print_recommendations(const struct command_environment *environment,
                                              const struct plan *plan, struct db *db,
                                              const struct published_query *query,
                                              struct status *status)
{
    enum status_code code;
    size_t n_rows;
    TRY(published_print(db, plan, query, environment->out, &n_rows, status));
    if (n_rows == 0) {
        fprintf(
            environment->err,
            "note: user \"%s\" has no recommendations of its own; these are the popular items\n",
            query->id);
        const struct published_query popular = {
            .before = "SELECT rank, item_id, score, 'popular' AS source FROM ",
            .view = "popular_items",
            .after = " ORDER BY rank LIMIT ?2",
            .limit = query->limit,
            .json = query->json};
        TRY(published_print(db, plan, &popular, environment->out, &n_rows, status));
    }
done:
    return code;
}

static enum status_code run_recommend(const struct command_environment *environment,
                                      const struct command_line *line, struct status *status)
{
    enum status_code code;
    struct plan *plan = NULL;
    struct db *db = NULL;
    struct published_query query = {.before = "SELECT rank, item_id, score, source FROM ",
                                    .view = "recommendations",
                                    .after = " WHERE user_id = ?1 ORDER BY rank LIMIT ?2",
                                    .id = command_flag_value(line, "--user"),
                                    .limit = 10,
                                    .json = command_flag_count(line, "--json") > 0};
    if (query.id == NULL || query.id[0] == '\0') {
        return status_set(status, STATUS_USAGE, "recommend: --user ID is needed");
    }
    TRY(command_flag_int64(line, "--top", 1, 1000000, &query.limit, status));
    TRY(command_load_plan(environment, line, &plan, status));
    TRY(published_open(plan, &db, status));
    TRY(print_recommendations(environment, plan, db, &query, status));
    TRY(command_flush(environment->out, status));
done:
    db_close(db);
    plan_free(plan);
    return code;
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
