/* CSV rows from a plain or gzip-compressed file, through libcsv and zlib, with true line numbers
 * and checked shape. Streams: memory is bounded by max_field_bytes, whatever the file holds.
 * csv_reader.c is the only file that sees csv.h and zlib.h. */
#ifndef NIGHTJAR_IO_CSV_READER_H
#define NIGHTJAR_IO_CSV_READER_H

#include "base/status.h"

struct csv_reader;

struct csv_settings {
    char delimiter;         /* ',' */
    char quote;             /* '"' */
    size_t max_field_bytes; /* longer fields make the row bad, without being held in memory */
};

/* One record. Fields point into the reader and live until the next call. */
struct csv_row {
    size_t line; /* line where the record starts, one-based, true even after embedded
                    newlines and blank lines */
    size_t n_fields;
    const char *const *fields; /* not terminated; may contain NUL */
    const size_t *lengths;
    const char *problem;   /* NULL, or why the row is bad: "5 fields, the header has 4", "invalid
                              UTF-8 in field 2", "NUL byte in field 1", "field 3 is longer than
                              ... bytes", "unterminated quote" ... */
    size_t problem_column; /* one-based byte column in the line of the problem, 0 unknown */
};

/* Opens and reads the header row (a UTF-8 BOM is dropped). Errors: STATUS_NO_INPUT (cannot open),
 * STATUS_DATA (empty file, bad header, not gzip although named .gz). */
MUST_CHECK enum status_code csv_reader_open(const char *path, const struct csv_settings *settings,
                                            struct csv_reader **out, struct status *status);
size_t csv_reader_n_columns(const struct csv_reader *reader);
/* Zero-terminated header name. */
const char *csv_reader_column(const struct csv_reader *reader, size_t index);
/* *has_row false at the end of the file. A bad row is returned with its problem, not as an error:
 * the caller decides. Errors: STATUS_IO, STATUS_DATA (corrupt gzip). */
MUST_CHECK enum status_code csv_reader_next(struct csv_reader *reader, struct csv_row *row,
                                            bool *has_row, struct status *status);
/* Compressed bytes consumed and total, for progress. */
void csv_reader_position(const struct csv_reader *reader, int64_t *consumed, int64_t *total);
void csv_reader_close(struct csv_reader *reader);

#endif
