/* One CSV record out of the lines it stands on, through libcsv. Used by csv_reader.c, which reads
 * the file; what is in a record has its callers, too. */
#ifndef NIGHTJAR_IO_CSV_RECORD_H
#define NIGHTJAR_IO_CSV_RECORD_H

#include "io/line_reader.h"

enum { CSV_COLUMNS_MAX = 2000, CSV_TEXT_MAX = 240 }; /* SQLite's default limit of columns */

struct csv_settings {
    char delimiter;            /* ',' */
    char quote;                /* '"'; '\0': quotes are ordinary characters */
    size_t max_field_bytes;    /* longer fields make the row bad, without being held in memory */
    bool no_header;            /* the first record is one of data; columns are called c1, c2 ... */
    const struct watch *watch; /* asked while a pipe has nothing; may be NULL */
};

/* One record. Fields point into the reader and live until the next call. */
struct csv_row {
    size_t line;               /* line where the record starts, one-based, true even after embedded
                                  newlines and blank lines */
    size_t n_lines;            /* lines from there to its end; 1 without embedded newlines */
    size_t n_fields;           /* in the file; at most n_columns of them are kept */
    const char *const *fields; /* (min(n_fields, n_columns)) not terminated */
    const size_t *lengths;
    const char *problem;   /* NULL, or why the row is bad: "5 fields, the header has 4", "invalid
                              UTF-8 in field 2", "NUL byte in field 1", "field 3 is longer than
                              ... bytes", "unterminated quote" ... */
    size_t problem_line;   /* line of the problem: of an unterminated quote, where it opened */
    size_t problem_column; /* one-based byte column in that line, 0 unknown */
    const char *text;      /* the start of the record as it stands in the file, not terminated */
    size_t text_length;    /* at most CSV_TEXT_MAX */
};

struct csv_record;

/* `path` is for messages and outlives it. */
MUST_CHECK enum status_code csv_record_new(const struct csv_settings *settings, const char *path,
                                           struct csv_record **out, struct status *status);
/* The records to come should have as many fields; until then any number is right. */
MUST_CHECK enum status_code csv_record_set_columns(struct csv_record *record, size_t n,
                                                   struct status *status);
/* The next piece of the file. *is_complete: it ends a record. */
MUST_CHECK enum status_code csv_record_feed(struct csv_record *record,
                                            const struct line_piece *piece, bool *is_complete,
                                            struct status *status);
/* The file has ended; *is_complete: within a record. */
MUST_CHECK enum status_code csv_record_end(struct csv_record *record, bool *is_complete,
                                           struct status *status);
/* The record that is complete. */
void csv_record_row(struct csv_record *record, struct csv_row *row);
void csv_record_free(struct csv_record *record); /* NULL allowed */

#endif
