/* Feeds the lines of a file to libcsv one at a time and collects the fields of a record. The only
 * file that sees csv.h.
 *
 * Why line by line: libcsv reports neither positions nor where a record began, drops blank lines
 * silently, and its callbacks cannot stop it. One call per line keeps the line count ours and makes
 * sure that a call completes one record at most. What becomes of a bad record, and what the fields
 * mean, is left to the caller.
 */
#include "io/csv_record.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <assert.h>
#include <csv.h>
#include <stdarg.h>

enum {
    FIELD_STEP = 16 * 1024, /* libcsv's own default grows a field by 128 bytes at a time */
    PROBLEM_MAX = 160
};

struct csv_record {
    const char *path;
    struct csv_settings settings;
    struct csv_parser parser;
    bool has_parser;
    size_t n_columns; /* 0 while the header is read */

    /* The record under way. Fields are kept as offsets: `bytes` moves when it grows. */
    char *bytes;
    size_t n_bytes, bytes_capacity;
    size_t slots; /* fields that are kept */
    size_t *offsets, *lengths;
    const char **fields;
    size_t n_seen; /* fields so far, those not kept included */
    bool in_record, is_complete;
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

static void note_problem(struct csv_record *record, size_t line, size_t column, const char *format,
                         ...) PRINTF_LIKE(4, 5);

/* The first problem of a record wins. */
static void note_problem(struct csv_record *record, size_t line, size_t column, const char *format,
                         ...)
{
    if (record->problem[0] != '\0') {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(record->problem, sizeof record->problem, format, arguments);
    va_end(arguments);
    record->problem_line = line;
    record->problem_column = column;
}

/* After an error libcsv still holds half a record: csv_fini without callbacks drops it, once the
 * option that makes it refuse an open quote is off. */
static void reset_parser(struct csv_record *record)
{
    (void)csv_set_opts(&record->parser, 0);
    (void)csv_fini(&record->parser, NULL, NULL, NULL);
    (void)csv_set_opts(&record->parser, CSV_STRICT | CSV_STRICT_FINI);
}

static enum status_code reserve_slots(struct csv_record *record, size_t n, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(MEM_RESIZE(&record->offsets, record->slots, n, status));
    TRY(MEM_RESIZE(&record->lengths, record->slots, n, status));
    TRY(MEM_RESIZE(&record->fields, record->slots, n, status));
    record->slots = n;
done:
    return code;
}

static enum status_code keep_field(struct csv_record *record, size_t index, const char *text,
                                   size_t length, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (index >= record->slots) { /* in the header only */
        TRY(reserve_slots(record, 2 * index + 16, status));
    }
    size_t needed = record->n_bytes + length;
    if (needed >= record->bytes_capacity) { /* also for a first field that is empty */
        size_t capacity = needed + needed / 2 + 256;
        TRY(MEM_RESIZE(&record->bytes, record->bytes_capacity, capacity, status));
        record->bytes_capacity = capacity;
    }
    memcpy(record->bytes + record->n_bytes, text, length);
    record->offsets[index] = record->n_bytes;
    record->lengths[index] = length;
    record->n_bytes = needed;
done:
    return code;
}

/* All fields of a record together may hold this much: 2,000 fields at their limit would be two
 * thousand times the memory that one is allowed. */
static size_t record_limit(const struct csv_record *record)
{
    return 4 * record->settings.max_field_bytes + 1024 * 1024;
}

static bool check_length(struct csv_record *record, size_t index, size_t length)
{
    if (length > record->settings.max_field_bytes) {
        note_problem(record, record->record_line, 0, "field %zu is longer than %zu bytes",
                     index + 1, record->settings.max_field_bytes);
        return false;
    }
    return true;
}

static void on_field(void *text, size_t length, void *data)
{
    struct csv_record *record = data;
    size_t index = record->n_seen++;
    size_t limit = record->n_columns > 0 ? record->n_columns : CSV_COLUMNS_MAX;
    if (index >= limit || record->callback_code != STATUS_OK) {
        return;
    }
    length = check_length(record, index, length) ? length : 0;
    if (record->n_bytes + length > record_limit(record)) {
        note_problem(record, record->record_line, 0, "the record is longer than %zu bytes",
                     record_limit(record));
        length = 0;
    }
    record->callback_code = keep_field(record, index, text, length, record->callback_status);
}

static void on_record(int terminator, void *data)
{
    struct csv_record *record = data;
    (void)terminator;
    record->is_complete = true;
}

static int is_never_space(unsigned char c)
{
    (void)c;
    return 0;
}

/* One-based column of the quote that is still open at the end of the piece, which starts a line.
 * A quote opens a field where a field may start; all others toggle or are doubled. */
static size_t find_open_quote(const struct csv_record *record, const struct line_piece *piece,
                              bool starts_quoted)
{
    bool is_quoted = starts_quoted;
    size_t opened = 0;
    for (size_t i = 0; i < piece->length; i++) {
        if (piece->text[i] != record->settings.quote) {
            continue;
        }
        is_quoted = !is_quoted;
        if (is_quoted && (i == 0 || piece->text[i - 1] == record->settings.delimiter)) {
            opened = i + 1;
        }
    }
    return opened;
}

/* libcsv stopped at text[at]. When the field began on an earlier line, the reader's eye belongs
 * there: most often the quote that opened it should not be, or has lost its partner. */
static void note_syntax_problem(struct csv_record *record, const struct line_piece *piece,
                                size_t at, bool in_quoted_lines)
{
    size_t column = piece->column + at + 1;
    if (in_quoted_lines) {
        note_problem(record, record->quote_line, record->quote_column,
                     "unterminated quote: the next one, at %zu:%zu, is followed by text",
                     piece->line, column - 1);
    } else if (piece->text[at] == record->settings.quote) {
        note_problem(record, piece->line, column,
                     "a quote inside field %zu, which does not start with one; quote the field and "
                     "double the quote",
                     record->n_seen + 1);
    } else {
        note_problem(record, piece->line, column, "text after the closing quote of field %zu",
                     record->n_seen + 1);
    }
}

/* Feeds text[from, to) of the piece. `seen_before`: fields that were complete when the piece began;
 * `is_continued`: the record began before it. */
static enum status_code parse_bytes(struct csv_record *record, const struct line_piece *piece,
                                    size_t from, size_t to, size_t seen_before, bool is_continued,
                                    struct status *status)
{
    struct csv_parser *parser = &record->parser;
    record->callback_code = STATUS_OK;
    record->callback_status = status;
    size_t done = csv_parse(parser, piece->text + from, to - from, on_field, on_record, record);
    record->callback_status = NULL;
    if (record->callback_code != STATUS_OK) {
        return record->callback_code;
    }
    if (done < to - from) {
        if (csv_error(parser) != CSV_EPARSE) {
            return status_set_at(status, STATUS_NO_MEMORY, record->path, piece->line, 0,
                                 "out of memory for a field: %s", csv_strerror(csv_error(parser)));
        }
        bool in_quoted_lines = is_continued && piece->column == 0 && record->n_seen == seen_before;
        note_syntax_problem(record, piece, from + done, in_quoted_lines);
        record->is_skipping = true;
    }
    /* A field that is too long already need not be held: what is cut off here only keeps it too
       long. The two bytes beyond the limit are the one that breaks it and a closing quote. */
    size_t enough = record->settings.max_field_bytes + 2;
    parser->entry_pos = parser->entry_pos > enough ? enough : parser->entry_pos;
    return STATUS_OK;
}

static enum status_code parse_piece(struct csv_record *record, const struct line_piece *piece,
                                    bool is_continued, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t seen_before = record->n_seen;
    size_t bad = utf8_valid_length(piece->text, piece->length);
    const char *nul = memchr(piece->text, '\0', bad);
    bad = nul != NULL ? (size_t)(nul - piece->text) : bad;
    TRY(parse_bytes(record, piece, 0, bad, seen_before, is_continued, status));
    if (bad < piece->length && !record->is_skipping) {
        note_problem(record, piece->line, piece->column + bad + 1, "%s in field %zu%s",
                     nul != NULL ? "a NUL byte" : "invalid UTF-8", record->n_seen + 1,
                     nul != NULL ? "" : "; is it Latin-1? iconv -f LATIN1 -t UTF-8");
        /* without quoting, NUL is what libcsv was told to take for a quote */
        record->is_skipping = nul != NULL && record->settings.quote == '\0';
    }
    if (bad < piece->length && !record->is_skipping) {
        TRY(parse_bytes(record, piece, bad, piece->length, seen_before, is_continued, status));
    }
    if (!record->is_complete && (!is_continued || record->n_seen != seen_before)) {
        record->quote_line = piece->line;
        record->quote_column =
            piece->column == 0 ? find_open_quote(record, piece, is_continued) : 0;
    }
done:
    return code;
}

/* Keeps the start of the record: a view while its only piece is in the buffer, else a copy. */
static void keep_text(struct csv_record *record, const struct line_piece *piece, bool is_continued)
{
    size_t room = CSV_TEXT_MAX - record->text_length;
    size_t length = piece->length < room ? piece->length : room;
    if (!is_continued && record->is_complete) {
        record->text = piece->text;
    } else {
        memcpy(record->saved + record->text_length, piece->text, length);
        record->text = record->saved;
    }
    record->text_length += length;
}

/* A whole line without a quote, a NUL or invalid UTF-8 is a record, and its delimiters are where
 * its fields end: nothing to copy, nothing to ask libcsv about. Most lines of most files are such;
 * it takes a quarter off the time of an import. False: the line is not such a one. */
static bool split_plain_line(struct csv_record *record, const struct line_piece *piece)
{
    size_t length = piece->length;
    if (!piece->ends_line || piece->column != 0 || record->n_columns == 0 ||
        memchr(piece->text, record->settings.quote, length) != NULL ||
        memchr(piece->text, '\0', length) != NULL ||
        utf8_valid_length(piece->text, length) != length) {
        return false;
    }
    length--;
    length -= length > 0 && piece->text[length - 1] == '\r' ? 1 : 0;
    const char *field = piece->text, *end = piece->text + length;
    while (field != NULL) {
        const char *delimiter = memchr(field, record->settings.delimiter, (size_t)(end - field));
        size_t field_length = (size_t)((delimiter != NULL ? delimiter : end) - field);
        size_t index = record->n_seen++;
        if (index < record->n_columns) {
            check_length(record, index, field_length);
            record->fields[index] = field;
            record->lengths[index] = field_length;
        }
        field = delimiter != NULL ? delimiter + 1 : NULL;
    }
    record->is_in_place = true;
    record->is_complete = true;
    return true;
}

enum status_code csv_record_feed(struct csv_record *record, const struct line_piece *piece,
                                 bool *is_complete, struct status *status)
{
    enum status_code code = STATUS_OK;
    const bool is_continued = record->in_record;
    *is_complete = false;
    record->last_line = piece->line;
    if (!is_continued) {
        const bool is_blank =
            piece->text[0] == '\n' || (piece->text[0] == '\r' && piece->length <= 2);
        if (is_blank && record->n_columns != 1) {
            return STATUS_OK; /* of a single column it is an empty field */
        }
        record->n_bytes = record->n_seen = record->text_length = 0;
        record->is_complete = record->is_skipping = record->is_in_place = false;
        record->record_line = piece->line;
        record->problem[0] = '\0';
    }
    if ((is_continued || !split_plain_line(record, piece)) && !record->is_skipping) {
        TRY(parse_piece(record, piece, is_continued, status));
    }
    if (record->is_complete && piece->ends_in_bare_cr) {
        note_problem(record, piece->line, piece->column + piece->length,
                     "a carriage return without a line feed, outside quotes");
        record->is_complete = false;
        record->is_skipping = true;
    }
    if (record->is_skipping && piece->ends_line) {
        reset_parser(record);
        record->is_complete = true;
    }
    keep_text(record, piece, is_continued);
    record->in_record = !record->is_complete;
    *is_complete = record->is_complete;
done:
    return code;
}

/* Inside a record its last line has no line end, or a quote is open. */
enum status_code csv_record_end(struct csv_record *record, bool *is_complete, struct status *status)
{
    *is_complete = record->in_record;
    if (!record->in_record) {
        return STATUS_OK;
    }
    record->callback_code = STATUS_OK;
    record->callback_status = status;
    if (!record->is_skipping && csv_fini(&record->parser, on_field, on_record, record) != 0) {
        note_problem(record, record->quote_line, record->quote_column,
                     "unterminated quote: the file ends before it closes");
    }
    record->callback_status = NULL;
    reset_parser(record);
    record->in_record = false;
    return record->callback_code;
}

void csv_record_row(struct csv_record *record, struct csv_row *row)
{
    if (record->n_columns > 0 && record->n_seen != record->n_columns) {
        note_problem(record, record->record_line, 0, "%zu field%s, the header has %zu",
                     record->n_seen, record->n_seen == 1 ? "" : "s", record->n_columns);
    }
    size_t kept = record->n_seen < record->slots ? record->n_seen : record->slots;
    for (size_t i = 0; i < kept && !record->is_in_place; i++) {
        record->fields[i] = record->bytes + record->offsets[i];
    }
    while (record->text_length > 0 && (record->text[record->text_length - 1] == '\n' ||
                                       record->text[record->text_length - 1] == '\r')) {
        record->text_length--;
    }
    bool is_bad = record->problem[0] != '\0';
    *row = (struct csv_row){.line = record->record_line,
                            .n_lines = record->last_line - record->record_line + 1,
                            .n_fields = record->n_seen,
                            .fields = record->fields,
                            .lengths = record->lengths,
                            .problem = is_bad ? record->problem : NULL,
                            .problem_line = is_bad ? record->problem_line : 0,
                            .problem_column = is_bad ? record->problem_column : 0,
                            .text = record->text,
                            .text_length = record->text_length};
}

enum status_code csv_record_set_columns(struct csv_record *record, size_t n, struct status *status)
{
    record->n_columns = n;
    return reserve_slots(record, n, status);
}

enum status_code csv_record_new(const struct csv_settings *settings, const char *path,
                                struct csv_record **out, struct status *status)
{
    assert(settings->delimiter != settings->quote && settings->delimiter != '\0');
    assert(settings->max_field_bytes > 0 && settings->max_field_bytes < SIZE_MAX / 8);
    enum status_code code = STATUS_OK;
    struct csv_record *record = NULL;
    TRY(MEM_NEW(&record, 1, status));
    record->settings = *settings;
    record->path = path;
    if (csv_init(&record->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
        TRY(status_set(status, STATUS_INTERNAL, "libcsv does not start"));
    }
    record->has_parser = true;
    csv_set_delim(&record->parser, (unsigned char)settings->delimiter);
    csv_set_quote(&record->parser, (unsigned char)settings->quote);
    csv_set_space_func(&record->parser, is_never_space);
    csv_set_blk_size(&record->parser, FIELD_STEP);
    *out = record;
    record = NULL;
done:
    csv_record_free(record);
    return code;
}

void csv_record_free(struct csv_record *record)
{
    if (record == NULL) {
        return;
    }
    if (record->has_parser) {
        csv_free(&record->parser);
    }
    mem_free(record->offsets);
    mem_free(record->lengths);
    mem_free(record->fields);
    mem_free(record->bytes);
    mem_free(record);
}
