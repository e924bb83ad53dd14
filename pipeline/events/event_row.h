/* One row of an interaction query on its way into an event_log: its ids and values by type, and the
 * rules that decide whether it counts. Used by event_reader.c alone. */
#ifndef NIGHTJAR_EVENTS_EVENT_ROW_H
#define NIGHTJAR_EVENTS_EVENT_ROW_H

#include "events/event_columns.h"
#include "events/row_sharing.h"

struct row_reader {
    struct db_query *statement;
    struct event_columns columns;
    const struct event_query *query;
    const struct event_rules *rules;
    struct event_log *log;
    struct row_sharing *sharing; /* with other ranks; NULL: there are none */
    struct row_report *report;
    struct event_clock clock;
    struct row_place place; /* of the current row */
    size_t event;           /* of event_weights: the last one found, likely the next one too */
    struct buf mixed;       /* where ids of two types met first */
    int64_t n_mixed_before, n_rows_before; /* of other queries, which their own ids belong to */
};

/* Adds the current row to the log, or counts in the report why not. */
MUST_CHECK enum status_code row_reader_take(struct row_reader *reader, struct status *status);
/* The first id of a column says of which type all of them are. Where most of the others disagree it
 * was the odd one, and *ids gets their type, and where the first of them stands; else nothing is
 * decided, unless it was so before. `fault`: that an id is of another type. */
bool row_id_is_outvoted(const struct row_report *report, enum row_fault fault,
                        struct id_column *ids);
/* For a number of bad rows that is over the limit: STATUS_DATA. */
enum status_code row_reader_refuse(const struct row_reader *reader, struct status *status);
/* What can be told only when all rows are read: too large a share of bad ones. A stray id of the
 * other type is a bad row; a column in which one id in twenty is, is two columns that were put
 * together. */
MUST_CHECK enum status_code row_reader_check(const struct row_reader *reader,
                                             struct status *status);

#endif
