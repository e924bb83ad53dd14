/* The pipeline's own query on its source: what check and plan look at before a run. */
#ifndef NIGHTJAR_COMMANDS_SOURCE_QUERY_H
#define NIGHTJAR_COMMANDS_SOURCE_QUERY_H

#include "commands/command.h"
#include "events/event_columns.h"

/* Prepares the query on `db`, without the rules of any stage, and finds its columns. Errors as
 * event_columns_open. Free *rows with db_finalize. */
MUST_CHECK enum status_code source_query_open(const struct plan_source *source, struct db *db,
                                              struct db_query **rows, struct event_columns *columns,
                                              struct status *status);

#endif
