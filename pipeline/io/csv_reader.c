/* Reading a CSV file: the header, then record after record. What a record is, csv_record.c knows.
 */
#include "io/csv_reader.h"

#include "base/arena.h"
#include "base/mem.h"
#include "base/num.h"

#include <assert.h>
#include <ctype.h>

struct csv_reader {
    struct line_reader *lines;
    struct csv_settings settings;
    struct csv_record *record;
    bool has_first; /* the first record of a file without a header waits to be given out */

    struct arena names;
    size_t n_columns, header_line;
    char **columns;
};

enum status_code csv_reader_next(struct csv_reader *reader, struct csv_row *row, bool *has_row,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    struct line_piece piece = {.length = 1};
    bool is_complete = reader->has_first;
    reader->has_first = false;
    while (!is_complete && piece.length > 0) {
        TRY(line_reader_next(reader->lines, &piece, status));
        if (piece.length > 0) {
            TRY(csv_record_feed(reader->record, &piece, &is_complete, status));
        } else {
            TRY(csv_record_end(reader->record, &is_complete, status));
        }
    }
    if (is_complete) {
        csv_record_row(reader->record, row);
    }
    *has_row = is_complete;
done:
    return code;
}

/* A file of another delimiter, or without a header, would be read without a word, and wrongly. */
static enum status_code check_first_record(const struct csv_reader *reader,
                                           const struct csv_row *row, struct status *status)
{
    const char *path = line_reader_path(reader->lines);
    bool is_name = false, is_empty = true;
    for (size_t i = 0; i < row->n_fields; i++) {
        double unused;
        const bool is_number = num_parse_double(row->fields[i], row->lengths[i], &unused);
        for (size_t b = 0; b < row->lengths[i]; b++) { /* letters, those beyond ASCII among them */
            const unsigned char c = (unsigned char)row->fields[i][b];
            is_name = is_name || (!is_number && (isalpha(c) || c >= 0x80));
            is_empty = is_empty && (ispunct(c) || isspace(c));
        }
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
    if (!is_name && !is_empty && !reader->settings.no_header) {
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
    code = csv_record_set_columns(reader->record, row.n_fields, status);
done:
    return code;
}

enum status_code csv_reader_open(const char *path, const struct csv_settings *settings,
                                 struct csv_reader **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct csv_reader *reader = NULL;
    TRY(MEM_NEW(&reader, 1, status));
    reader->settings = *settings;
    TRY(line_reader_open(path, settings->watch, &reader->lines, status));
    TRY(csv_record_new(settings, line_reader_path(reader->lines), &reader->record, status));
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
    csv_record_free(reader->record);
    arena_release(&reader->names);
    mem_free(reader->columns);
    mem_free(reader);
}
