/* What became of the rows that were read: accepted, left out by a rule of the configuration, or
 * rejected because they are wrong; with exact counts, and the first rows of each reason. */
#ifndef NIGHTJAR_EVENTS_ROW_REPORT_H
#define NIGHTJAR_EVENTS_ROW_REPORT_H

#include "base/buf.h"
#include "ranks/ranks.h"
#include "store/db.h"

/* Rules that a sound row falls under: counted, never an error by themselves. */
enum row_filter {
    FILTER_EVENT,
    FILTER_RATING,
    FILTER_SINCE,
    FILTER_UNTIL,
    FILTER_FORGOTTEN,
    N_ROW_FILTERS
};
extern const char *const row_filter_names[N_ROW_FILTERS]; /* the option's name, or the command's */

/* Faults of a row. */
enum row_fault {
    FAULT_USER_NULL,
    FAULT_USER_BLOB,
    FAULT_USER_EMPTY,
    FAULT_USER_FRACTION,
    FAULT_USER_TYPE,
    FAULT_ITEM_NULL,
    FAULT_ITEM_BLOB,
    FAULT_ITEM_EMPTY,
    FAULT_ITEM_FRACTION,
    FAULT_ITEM_TYPE,
    FAULT_EVENT,
    FAULT_EVENT_UNKNOWN,
    FAULT_WEIGHT_NULL,
    FAULT_WEIGHT_TYPE,
    FAULT_WEIGHT_RANGE,
    FAULT_TIME_NULL,
    FAULT_TIME_TYPE,
    FAULT_TIME_RANGE,
    N_ROW_FAULTS
};
extern const char *const row_fault_names[N_ROW_FAULTS];

enum { ROW_KEPT_MAX = 10000, ROW_VALUE_MAX = 64 };

/* Where a row stands: its rowid where the source gives one, else its number in the query's result.
 * Of one of several ranks that numbers only its own rows, its key where there is one. */
struct row_place {
    const char *query; /* "source.interactions", "split.test_query" */
    bool has_rowid;
    bool has_key; /* `rowid` is its key */
    uint8_t part; /* 1 + the rank whose part of the source it stands in; 0: there are no parts */
    int64_t rowid;
    int64_t number; /* one-based */
};

struct rejected_row {
    enum row_fault fault;
    struct row_place place;
    char value[ROW_VALUE_MAX]; /* the value seen, shortened */
};

/* The first ROW_KEPT_MAX rows of each fault. Zero-initialise. */
struct rejected_rows {
    size_t n, capacity;
    struct rejected_row *rows;
};
void rejected_rows_release(struct rejected_rows *rejected);

/* Zero-initialise; holds no memory of its own. */
struct row_report {
    int64_t n_rows, n_accepted, n_rejected;
    int64_t n_dislikes; /* sound rows that are dislikes, beside the accepted ones */
    int64_t filtered[N_ROW_FILTERS];
    int64_t faults[N_ROW_FAULTS];
    struct rejected_row first[N_ROW_FAULTS];
    struct rejected_rows *rejected; /* gets the rows, too; NULL: nobody keeps them */
};

MUST_CHECK enum status_code row_report_fault(struct row_report *report, enum row_fault fault,
                                             const struct row_place *place, const char *value,
                                             struct status *status);
/* Adds what another query, or another rank, came to. */
void row_report_join(struct row_report *report, const struct row_report *other);
/* report = what all ranks' together come to; places are of `query`. */
MUST_CHECK enum status_code row_report_unite(struct ranks *ranks, const char *query,
                                             struct row_report *report, struct status *status);
/* The value of a cell of the current row for a message; "" for NULL and a BLOB. */
void row_value_describe(struct db_query *query, int column, char out[ROW_VALUE_MAX]);
/* "row 17 of source.interactions", "rowid 17 of ...", "key 17 of ..."; with "in the part of rank 3"
 * behind it. */
void row_place_add(const struct row_place *place, struct buf *out);
/* Rows whose user or item is of another type than those before. */
int64_t row_report_mixed(const struct row_report *report);
/* "7 dislikes, min_rating took 12 rows, since 3; 4 rejected: 3 x user_id is NULL (row 2 of ...)".
 * "" when every row was accepted. */
void row_report_add(const struct row_report *report, struct buf *out);

#endif
