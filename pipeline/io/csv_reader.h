/* CSV rows from a plain or gzip-compressed file, through libcsv and zlib, with true line numbers
 * and checked shape. Streams: memory is bounded by max_field_bytes, whatever the file holds.
 * csv_reader.c is the only file that sees csv.h; line_reader.c has zlib.
 *
 * The dialect is RFC 4180, read strictly: a quote stands around a whole field and is doubled inside
 * it; spaces belong to the field. Lines end with LF or CRLF; a file that has CRs and no LF at all
 * is read with CR line ends. Blank lines between records are skipped, and counted; in a file of one
 * column they are empty fields.
 */
#ifndef NIGHTJAR_IO_CSV_READER_H
#define NIGHTJAR_IO_CSV_READER_H

#include "base/status.h"

struct csv_reader;

enum { CSV_COLUMNS_MAX = 2000, CSV_TEXT_MAX = 240 }; /* SQLite's default limit of columns */

struct csv_settings {
    char delimiter;         /* ',' */
    char quote;             /* '"'; '\0': quotes are ordinary characters */
    size_t max_field_bytes; /* longer fields make the row bad, without being held in memory */
    bool no_header;         /* the first record is one of data; columns are called c1, c2 ... */
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

/* Opens and reads the header row (a UTF-8 BOM is dropped); "-" is standard input. Errors:
 * STATUS_NO_INPUT (cannot open), STATUS_DATA (empty file, bad header, one of numbers alone, another
 * delimiter by its look, not gzip although named .gz). */
MUST_CHECK enum status_code csv_reader_open(const char *path, const struct csv_settings *settings,
                                            struct csv_reader **out, struct status *status);
size_t csv_reader_n_columns(const struct csv_reader *reader);
/* Line on which the header starts: 1 unless blank lines come first. */
size_t csv_reader_header_line(const struct csv_reader *reader);
/* Zero-terminated header name; may be empty, and equal to another one's. */
const char *csv_reader_column(const struct csv_reader *reader, size_t index);
/* *has_row false at the end of the file. A bad row is returned with its problem, not as an error:
 * the caller decides. Errors: STATUS_IO, STATUS_DATA (corrupt gzip). */
MUST_CHECK enum status_code csv_reader_next(struct csv_reader *reader, struct csv_row *row,
                                            bool *has_row, struct status *status);
/* One-based byte column where field `index` of the current row starts in its line; 0 when that is
 * beyond the first CSV_TEXT_MAX bytes or on a later line. For messages. */
size_t csv_reader_field_column(const struct csv_reader *reader, const struct csv_row *row,
                               size_t index);
/* Compressed bytes consumed and total (0: unknown, as for a pipe), for progress. */
void csv_reader_position(const struct csv_reader *reader, int64_t *consumed, int64_t *total);
void csv_reader_close(struct csv_reader *reader); /* NULL allowed */

#endif
