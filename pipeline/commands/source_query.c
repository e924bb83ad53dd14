/* The pipeline's own query on its source. */
#include "commands/source_query.h"

enum status_code source_query_open(const struct plan_source *source, struct db *db,
                                   struct db_query **rows, struct event_columns *columns,
                                   struct status *status)
{
    struct event_query query;
    enum status_code code = event_query_of_source(source, &query, status);
    if (code != STATUS_OK) {
        return code;
    }
    const struct event_rules no_rules = {.since = INT64_MIN, .until = INT64_MIN};
    return event_columns_open(db, &query, &no_rules, rows, columns, status);
}
