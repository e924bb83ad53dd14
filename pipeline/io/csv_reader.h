/* CSV rows from a plain or gzip-compressed file, through libcsv and zlib, with true line numbers
 * and checked shape. Streams: memory is bounded by max_field_bytes, whatever the file holds.
 *
 *   TRY(csv_reader_open(path, &settings, &reader, status));
 *   for (;;) {
 *       TRY(csv_reader_next(reader, &row, &has_row, status));
 *       if (!has_row) {
 *           break;
 *       }
 *       row.problem, or row.fields[0] of row.lengths[0] bytes, ...
 *   }
 *   csv_reader_close(reader);
 *
 * The dialect is RFC 4180, read strictly: a quote stands around a whole field and is doubled inside
 * it; spaces belong to the field. Lines end with LF or CRLF; a file that has CRs and no LF at all
 * is read with CR line ends. Blank lines between records are skipped, and counted; in a file of one
 * column they are empty fields.
 */
#ifndef NIGHTJAR_IO_CSV_READER_H
#define NIGHTJAR_IO_CSV_READER_H

#include "io/csv_record.h"

struct csv_reader;

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
