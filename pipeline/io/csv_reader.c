/* Feeds the lines of a file to libcsv one at a time and collects the fields of a record. The only
 * file that sees csv.h.
 *
 * Why line by line: libcsv reports neither positions nor where a record began, drops blank lines
 * silently, and its callbacks cannot stop it. One call per line keeps the line count ours and makes
 * sure that a call completes one record at most. What becomes of a bad record, and what the fields
 * mean, is left to the caller.
 */
#include "io/csv_reader.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/num.h"
#include "io/line_reader.h"
#include "base/utf8.h"

#include <assert.h>
#include <csv.h>
#include <stdarg.h>

enum {
    FIELD_STEP = 16 * 1024, /* libcsv's own default grows a field by 128 bytes at a time */
    PROBLEM_MAX = 160
};

struct csv_reader {
    struct line_reader *lines;
    struct csv_settings settings;
    struct csv_parser parser;
    bool has_parser;

    struct arena names;
    size_t n_columns; /* 0 while the header is read */
    size_t header_line;
    char **columns;

    /* The record under way. Fields are kept as offsets: `bytes` moves when it grows. */
    char *bytes;
    size_t n_bytes, bytes_capacity;
    size_t slots; /* fields that are kept */
    size_t *offsets, *lengths;
    const char **fields;
    size_t n_seen; /* fields so far, those not kept included */
    bool in_record, is_complete;
    bool has_first;   /* the first record of a file without a header waits to be given out */
    bool is_in_place; /* fields point into the line, not into `bytes` */
    bool is_skipping; /* broken: the rest of its line is dropped unread */
    size_t record_line, last_line;
    size_t quote_line, quote_column; /* of the quote that is open at the end of a line */
    char problem[PROBLEM_MAX];
    size_t problem_line, problem_column;
    char saved[CSV_TEXT_MAX]; /* the start of a record whose first piece is gone from `input` */
    const char *text;
    size_t text_length;

    /* libcsv's callbacks return nothing: their first error waits here */
    enum status_code callback_code;
    struct status *callback_status;
};

/* ---- one record ---- */

static void note_problem(struct csv_reader *reader, size_t line, size_t column, const char *format,
                         ...) PRINTF_LIKE(4, 5);

/* The first problem of a record wins. */
static void note_problem(struct csv_reader *reader, size_t line, size_t column, const char *format,
                         ...)
{
    if (reader->problem[0] != '\0') {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reader->problem, sizeof reader->problem, format, arguments);
    va_end(arguments);
    reader->problem_line = line;
    reader->problem_column = column;
}

static void start_record(struct csv_reader *reader, size_t line)
{
    reader->n_bytes = 0;
    reader->n_seen = 0;
    reader->in_record = true;
    reader->is_complete = false;
    reader->is_skipping = false;
    reader->is_in_place = false;
    reader->record_line = line;
    reader->problem[0] = '\0';
    reader->text_length = 0;
}

/* After an error libcsv still holds half a record: csv_fini without callbacks drops it, once the
 * option that makes it refuse an open quote is off. */
static void reset_parser(struct csv_reader *reader)
{
    (void)csv_set_opts(&reader->parser, 0);
    (void)csv_fini(&reader->parser, NULL, NULL, NULL);
    (void)csv_set_opts(&reader->parser, CSV_STRICT | CSV_STRICT_FINI);
}

static enum status_code reserve_slots(struct csv_reader *reader, size_t n, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(MEM_RESIZE(&reader->offsets, reader->slots, n, status));
    TRY(MEM_RESIZE(&reader->lengths, reader->slots, n, status));
    TRY(MEM_RESIZE(&reader->fields, reader->slots, n, status));
    reader->slots = n;
done:
    return code;
}

static enum status_code keep_field(struct csv_reader *reader, size_t index, const char *text,
                                   size_t length, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (index >= reader->slots) { /* in the header only */
        TRY(reserve_slots(reader, 2 * index + 16, status));
    }
    size_t needed = reader->n_bytes + length;
    if (needed >= reader->bytes_capacity) { /* also for a first field that is empty */
        size_t capacity = needed + needed / 2 + 256;
        TRY(MEM_RESIZE(&reader->bytes, reader->bytes_capacity, capacity, status));
        reader->bytes_capacity = capacity;
    }
    memcpy(reader->bytes + reader->n_bytes, text, length);
    reader->offsets[index] = reader->n_bytes;
    reader->lengths[index] = length;
    reader->n_bytes = needed;
done:
    return code;
}

/* All fields of a record together may hold this much: 2,000 fields at their limit would be two
 * thousand times the memory that one is allowed. */
static size_t record_limit(const struct csv_reader *reader)
{
    return 4 * reader->settings.max_field_bytes + 1024 * 1024;
}

static bool check_length(struct csv_reader *reader, size_t index, size_t length)
{
    if (length > reader->settings.max_field_bytes) {
        note_problem(reader, reader->record_line, 0, "field %zu is longer than %zu bytes",
                     index + 1, reader->settings.max_field_bytes);
        return false;
    }
    return true;
}

static void on_field(void *text, size_t length, void *data)
{
    struct csv_reader *reader = data;
    size_t index = reader->n_seen++;
    size_t limit = reader->n_columns > 0 ? reader->n_columns : CSV_COLUMNS_MAX;
    if (index >= limit || reader->callback_code != STATUS_OK) {
        return;
    }
    length = check_length(reader, index, length) ? length : 0;
    if (reader->n_bytes + length > record_limit(reader)) {
        note_problem(reader, reader->record_line, 0, "the record is longer than %zu bytes",
                     record_limit(reader));
        length = 0;
    }
    reader->callback_code = keep_field(reader, index, text, length, reader->callback_status);
}

static void on_record(int terminator, void *data)
{
    struct csv_reader *reader = data;
    (void)terminator;
    reader->is_complete = true;
}

static int is_never_space(unsigned char c)
{
    (void)c;
    return 0;
}

/* One-based column of the quote that is still open at the end of the piece, which starts a line.
 * A quote opens a field where a field may start; all others toggle or are doubled. */
static size_t find_open_quote(const struct csv_reader *reader, const struct line_piece *piece,
                              bool starts_quoted)
{
    bool is_quoted = starts_quoted;
    size_t opened = 0;
    for (size_t i = 0; i < piece->length; i++) {
        if (piece->text[i] != reader->settings.quote) {
            continue;
        }
        is_quoted = !is_quoted;
        if (is_quoted && (i == 0 || piece->text[i - 1] == reader->settings.delimiter)) {
            opened = i + 1;
        }
    }
    return opened;
}

/* libcsv stopped at text[at]. When the field began on an earlier line, the reader's eye belongs
 * there: most often the quote that opened it should not be, or has lost its partner. */
static void note_syntax_problem(struct csv_reader *reader, const struct line_piece *piece,
                                size_t at, bool in_quoted_lines)
{
    size_t column = piece->column + at + 1;
    if (in_quoted_lines) {
        note_problem(reader, reader->quote_line, reader->quote_column,
                     "unterminated quote: the next one, at %zu:%zu, is followed by text",
                     piece->line, column - 1);
    } else if (piece->text[at] == reader->settings.quote) {
        note_problem(reader, piece->line, column,
                     "a quote inside field %zu, which does not start with one; quote the field and "
                     "double the quote",
                     reader->n_seen + 1);
    } else {
        note_problem(reader, piece->line, column, "text after the closing quote of field %zu",
                     reader->n_seen + 1);
    }
}

/* Feeds text[from, to) of the piece. `seen_before`: fields that were complete when the piece began;
 * `is_continued`: the record began before it. */
static enum status_code parse_bytes(struct csv_reader *reader, const struct line_piece *piece,
                                    size_t from, size_t to, size_t seen_before, bool is_continued,
                                    struct status *status)
{
    struct csv_parser *parser = &reader->parser;
    reader->callback_code = STATUS_OK;
    reader->callback_status = status;
    size_t done = csv_parse(parser, piece->text + from, to - from, on_field, on_record, reader);
    reader->callback_status = NULL;
    if (reader->callback_code != STATUS_OK) {
        return reader->callback_code;
    }
    if (done < to - from) {
        if (csv_error(parser) != CSV_EPARSE) {
            return status_set_at(status, STATUS_NO_MEMORY, line_reader_path(reader->lines),
                                 piece->line, 0, "out of memory for a field: %s",
                                 csv_strerror(csv_error(parser)));
        }
        bool in_quoted_lines = is_continued && piece->column == 0 && reader->n_seen == seen_before;
        note_syntax_problem(reader, piece, from + done, in_quoted_lines);
        reader->is_skipping = true;
    }
    /* A field that is too long already need not be held: what is cut off here only keeps it too
       long. The two bytes beyond the limit are the one that breaks it and a closing quote. */
    size_t enough = reader->settings.max_field_bytes + 2;
    parser->entry_pos = parser->entry_pos > enough ? enough : parser->entry_pos;
    return STATUS_OK;
}

static enum status_code parse_piece(struct csv_reader *reader, const struct line_piece *piece,
                                    bool is_continued, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t seen_before = reader->n_seen;
    size_t bad = utf8_valid_length(piece->text, piece->length);
    const char *nul = memchr(piece->text, '\0', bad);
    bad = nul != NULL ? (size_t)(nul - piece->text) : bad;
    TRY(parse_bytes(reader, piece, 0, bad, seen_before, is_continued, status));
    if (bad < piece->length && !reader->is_skipping) {
        note_problem(reader, piece->line, piece->column + bad + 1, "%s in field %zu%s",
                     nul != NULL ? "a NUL byte" : "invalid UTF-8", reader->n_seen + 1,
                     nul != NULL ? "" : "; is it Latin-1? iconv -f LATIN1 -t UTF-8");
        /* without quoting, NUL is what libcsv was told to take for a quote */
        reader->is_skipping = nul != NULL && reader->settings.quote == '\0';
    }
    if (bad < piece->length && !reader->is_skipping) {
        TRY(parse_bytes(reader, piece, bad, piece->length, seen_before, is_continued, status));
    }
    if (!reader->is_complete && (!is_continued || reader->n_seen != seen_before)) {
        reader->quote_line = piece->line;
        reader->quote_column =
            piece->column == 0 ? find_open_quote(reader, piece, is_continued) : 0;
    }
done:
    return code;
}

/* Keeps the start of the record: a view while its only piece is in the buffer, else a copy. */
static void keep_text(struct csv_reader *reader, const struct line_piece *piece, bool is_continued)
{
    size_t room = CSV_TEXT_MAX - reader->text_length;
    size_t length = piece->length < room ? piece->length : room;
    if (!is_continued && reader->is_complete) {
        reader->text = piece->text;
    } else {
        memcpy(reader->saved + reader->text_length, piece->text, length);
        reader->text = reader->saved;
    }
    reader->text_length += length;
}

/* A whole line without a quote, a NUL or invalid UTF-8 is a record, and its delimiters are where
 * its fields end: nothing to copy, nothing to ask libcsv about. Most lines of most files are such;
 * it takes a quarter off the time of an import. False: the line is not such a one. */
static bool split_plain_line(struct csv_reader *reader, const struct line_piece *piece)
{
    size_t length = piece->length;
    if (!piece->ends_line || piece->column != 0 || reader->n_columns == 0 ||
        memchr(piece->text, reader->settings.quote, length) != NULL ||
        memchr(piece->text, '\0', length) != NULL ||
        utf8_valid_length(piece->text, length) != length) {
        return false;
    }
    length--;
    length -= length > 0 && piece->text[length - 1] == '\r' ? 1 : 0;
    const char *field = piece->text, *end = piece->text + length;
    while (field != NULL) {
        const char *delimiter = memchr(field, reader->settings.delimiter, (size_t)(end - field));
        size_t field_length = (size_t)((delimiter != NULL ? delimiter : end) - field);
        size_t index = reader->n_seen++;
        if (index < reader->n_columns) {
            check_length(reader, index, field_length);
            reader->fields[index] = field;
            reader->lengths[index] = field_length;
        }
        field = delimiter != NULL ? delimiter + 1 : NULL;
    }
    reader->is_in_place = true;
    reader->is_complete = true;
    return true;
}

static enum status_code feed(struct csv_reader *reader, const struct line_piece *piece,
                             struct status *status)
{
    enum status_code code = STATUS_OK;
    bool is_continued = reader->in_record;
    reader->last_line = piece->line;
    if (!is_continued) {
        const bool is_blank =
            piece->text[0] == '\n' || (piece->text[0] == '\r' && piece->length <= 2);
        if (is_blank && reader->n_columns != 1) {
            return STATUS_OK; /* of a single column it is an empty field */
        }
        start_record(reader, piece->line);
    }
    bool is_split = !is_continued && split_plain_line(reader, piece);
    if (!is_split && !reader->is_skipping) {
        TRY(parse_piece(reader, piece, is_continued, status));
    }
    if (reader->is_complete && piece->ends_in_bare_cr) {
        note_problem(reader, piece->line, piece->column + piece->length,
                     "a carriage return without a line feed, outside quotes");
        reader->is_complete = false;
        reader->is_skipping = true;
    }
    if (reader->is_skipping && piece->ends_line) {
        reset_parser(reader);
        reader->is_complete = true;
    }
    keep_text(reader, piece, is_continued);
    reader->in_record = !reader->is_complete;
done:
    return code;
}

/* The file ended inside a record: its last line has no line end, or a quote is open. */
static enum status_code end_record(struct csv_reader *reader, struct status *status)
{
    reader->callback_code = STATUS_OK;
    reader->callback_status = status;
    if (!reader->is_skipping && csv_fini(&reader->parser, on_field, on_record, reader) != 0) {
        note_problem(reader, reader->quote_line, reader->quote_column,
                     "unterminated quote: the file ends before it closes");
    }
    reader->callback_status = NULL;
    reset_parser(reader);
    reader->is_complete = true;
    reader->in_record = false;
    return reader->callback_code;
}

static void describe_record(struct csv_reader *reader, struct csv_row *row)
{
    if (reader->n_columns > 0 && reader->n_seen != reader->n_columns) {
        note_problem(reader, reader->record_line, 0, "%zu field%s, the header has %zu",
                     reader->n_seen, reader->n_seen == 1 ? "" : "s", reader->n_columns);
    }
    size_t kept = reader->n_seen < reader->slots ? reader->n_seen : reader->slots;
    for (size_t i = 0; i < kept && !reader->is_in_place; i++) {
        reader->fields[i] = reader->bytes + reader->offsets[i];
    }
    while (reader->text_length > 0 && (reader->text[reader->text_length - 1] == '\n' ||
                                       reader->text[reader->text_length - 1] == '\r')) {
        reader->text_length--;
    }
    bool is_bad = reader->problem[0] != '\0';
    *row = (struct csv_row){.line = reader->record_line,
                            .n_lines = reader->last_line - reader->record_line + 1,
                            .n_fields = reader->n_seen,
                            .fields = reader->fields,
                            .lengths = reader->lengths,
                            .problem = is_bad ? reader->problem : NULL,
                            .problem_line = is_bad ? reader->problem_line : 0,
                            .problem_column = is_bad ? reader->problem_column : 0,
                            .text = reader->text,
                            .text_length = reader->text_length};
}

enum status_code csv_reader_next(struct csv_reader *reader, struct csv_row *row, bool *has_row,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    struct line_piece piece;
    reader->is_complete = reader->has_first;
    reader->has_first = false;
    while (!reader->is_complete) {
        TRY(line_reader_next(reader->lines, &piece, status));
        if (piece.length > 0) {
            TRY(feed(reader, &piece, status));
        } else if (reader->in_record) {
            TRY(end_record(reader, status));
        } else {
            break;
        }
    }
    if (reader->is_complete) {
        describe_record(reader, row);
    }
    *has_row = reader->is_complete;
done:
    return code;
}

/* ---- opening and closing ---- */

/* A file of another delimiter, or without a header, would be read without a word, and wrongly. */
static enum status_code check_first_record(const struct csv_reader *reader,
                                           const struct csv_row *row, struct status *status)
{
    const char *path = line_reader_path(reader->lines);
    bool is_numeric = true;
    for (size_t i = 0; i < row->n_fields; i++) {
        double unused;
        is_numeric = is_numeric && num_parse_double(row->fields[i], row->lengths[i], &unused);
    }
    for (const char *other = ";\t|"; row->n_fields == 1 && *other != '\0'; other++) {
        if (memchr(row->fields[0], *other, row->lengths[0]) != NULL) {
            const char name[] = {*other, '\0'};
            const char *shown = *other == '\t' ? "tab" : name;
            return status_set_at(status, STATUS_DATA, path, row->line, 0,
                                 "the first line has no delimiter '%c', but '%s'; if that is the "
                                 "delimiter, say so: --delimiter '%s', in a pipeline `delimiter`",
                                 reader->settings.delimiter, shown, shown);
        }
    }
    if (is_numeric && !reader->settings.no_header) {
        return status_set_at(status, STATUS_DATA, path, row->line, 0,
                             "the header is nothing but numbers: for a file without one give "
                             "--no-header, in a pipeline `no_header: true`; its columns are called "
                             "c1, c2 and so on");
    }
    return STATUS_OK;
}

static enum status_code read_header(struct csv_reader *reader, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct csv_row row;
    bool has_row = false;
    TRY(csv_reader_next(reader, &row, &has_row, status));
    if (!has_row) {
        TRY(status_set_at(status, STATUS_DATA, line_reader_path(reader->lines), 1, 0,
                          "the file is empty; a header with the names of the columns is needed"));
    }
    if (row.problem != NULL) {
        TRY(status_set_at(status, STATUS_DATA, line_reader_path(reader->lines), row.problem_line,
                          row.problem_column, "header: %s", row.problem));
    }
    if (row.n_fields > CSV_COLUMNS_MAX) {
        TRY(status_set_at(status, STATUS_DATA, line_reader_path(reader->lines), row.line, 0,
                          "header: %zu columns, at most %d are allowed", row.n_fields,
                          CSV_COLUMNS_MAX));
    }
    TRY(check_first_record(reader, &row, status));
    TRY(MEM_NEW(&reader->columns, row.n_fields, status));
    for (size_t i = 0; i < row.n_fields; i++) {
        char name[24];
        const int length = snprintf(name, sizeof name, "c%zu", i + 1);
        const bool has_header = !reader->settings.no_header;
        TRY(arena_copy_text(&reader->names, has_header ? row.fields[i] : name,
                            has_header ? row.lengths[i] : (size_t)length, &reader->columns[i],
                            status));
    }
    reader->n_columns = row.n_fields;
    reader->header_line = row.line;
    reader->has_first = reader->settings.no_header;
    code = reserve_slots(reader, row.n_fields, status);
done:
    return code;
}

static enum status_code start_parser(struct csv_reader *reader, struct status *status)
{
    if (csv_init(&reader->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        return status_set(status, STATUS_INTERNAL, "libcsv does not start");
    }
    reader->has_parser = true;
    csv_set_delim(&reader->parser, (unsigned char)reader->settings.delimiter);
    csv_set_quote(&reader->parser, (unsigned char)reader->settings.quote);
    csv_set_space_func(&reader->parser, is_never_space);
    csv_set_blk_size(&reader->parser, FIELD_STEP);
    return STATUS_OK;
}

enum status_code csv_reader_open(const char *path, const struct csv_settings *settings,
                                 struct csv_reader **out, struct status *status)
{
    assert(settings->delimiter != settings->quote && settings->delimiter != '\0');
    assert(settings->max_field_bytes > 0 && settings->max_field_bytes < SIZE_MAX / 8);
    enum status_code code = STATUS_OK;
    struct csv_reader *reader = NULL;
    TRY(MEM_NEW(&reader, 1, status));
    reader->settings = *settings;
    TRY(line_reader_open(path, &reader->lines, status));
    TRY(start_parser(reader, status));
    TRY(read_header(reader, status));
    *out = reader;
    reader = NULL;
done:
    csv_reader_close(reader);
    return code;
}

size_t csv_reader_n_columns(const struct csv_reader *reader)
{
    return reader->n_columns;
}

size_t csv_reader_header_line(const struct csv_reader *reader)
{
    return reader->header_line;
}

const char *csv_reader_column(const struct csv_reader *reader, size_t index)
{
    assert(index < reader->n_columns);
    return reader->columns[index];
}

size_t csv_reader_field_column(const struct csv_reader *reader, const struct csv_row *row,
                               size_t index)
{
    bool is_quoted = false;
    size_t field = 0, column = 1;
    for (size_t i = 0; i < row->text_length && field < index; i++) {
        char c = row->text[i];
        if (c == '\n' || c == '\r') {
            return 0;
        }
        is_quoted = c == reader->settings.quote ? !is_quoted : is_quoted;
        if (c == reader->settings.delimiter && !is_quoted) {
            field++;
            column = i + 2;
        }
    }
    return field == index ? column : 0;
}

void csv_reader_position(const struct csv_reader *reader, int64_t *consumed, int64_t *total)
{
    line_reader_position(reader->lines, consumed, total);
}

void csv_reader_close(struct csv_reader *reader)
{
    if (reader == NULL) {
        return;
    }
    line_reader_close(reader->lines);
    if (reader->has_parser) {
        csv_free(&reader->parser);
    }
    arena_release(&reader->names);
    mem_free(reader->columns);
    mem_free(reader->offsets);
    mem_free(reader->lengths);
    mem_free(reader->fields);
    mem_free(reader->bytes);
    mem_free(reader);
}
