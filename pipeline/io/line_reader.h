/* The lines of a plain or gzip-compressed text file, with their positions. line_reader.c is the
 * only file that sees zlib.h.
 *
 * Lines end with LF or CRLF; a file whose beginning has CRs and no LF is read with CR line ends. A
 * UTF-8 BOM is dropped. Memory is one fixed buffer: a line that is longer comes in several pieces.
 */
#ifndef NIGHTJAR_IO_LINE_READER_H
#define NIGHTJAR_IO_LINE_READER_H

#include "base/watch.h"

struct line_reader;

/* A line, or a part of one that does not fit the buffer. Lives until the next call. */
struct line_piece {
    const char *text;
    size_t length; /* with its line end; 0: end of the file */
    size_t line;   /* one-based */
    size_t column; /* zero-based offset of text[0] in the line */
    bool ends_line;
    bool ends_in_bare_cr; /* a CR that is no line end in this file; the piece is cut behind it */
};

/* "-" is standard input. `watch` (may be NULL) is asked while there is nothing to read, and must
 * outlive the reader. Errors: STATUS_NO_INPUT (cannot open), STATUS_DATA (UTF-16 or UTF-32, not
 * gzip although named .gz, damaged gzip data, something else behind them), STATUS_IO. */
MUST_CHECK enum status_code line_reader_open(const char *path, const struct watch *watch,
                                             struct line_reader **out, struct status *status);
/* A piece is never cut inside a UTF-8 sequence. */
MUST_CHECK enum status_code line_reader_next(struct line_reader *reader, struct line_piece *out,
                                             struct status *status);
const char *line_reader_path(const struct line_reader *reader);
/* Compressed bytes consumed and total; total 0: unknown, as for a pipe. */
void line_reader_position(const struct line_reader *reader, int64_t *consumed, int64_t *total);
void line_reader_close(struct line_reader *reader); /* NULL allowed */

#endif
