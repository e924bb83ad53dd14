/* The options of an import, and how they fit the header of a file. */
#include "import/csv_import.h"

#include "base/mem.h"
#include "base/num.h"

#include <strings.h>

static const char *const empty_names[] = {"as_null", "as_text", NULL};
static const char *const bad_row_names[] = {"fail", "reject", NULL};
static const char *const exists_names[] = {"fail", "replace", "append", NULL};
static const char *const type_names[] = {"text", "integer", "real", NULL};
const char *const csv_type_sql[] = {"TEXT", "INTEGER", "REAL"};

const struct option csv_import_table[] = {
    OPT_PATH(csv_import_options, "file", file,
             "The CSV file, plain or gzip, UTF-8, with a header row.", .required = true),
    OPT_TEXT(csv_import_options, "table", table, NULL,
             "The table of the source database to write. Its rejected rows go to TABLE_rejected.",
             .required = true, .pattern = "^."),
    OPT_TEXT(csv_import_options, "delimiter", delimiter, ",",
             "The character between two fields, or tab.", .pattern = "^(.|tab)$"),
    OPT_TEXT(csv_import_options, "quote", quote, "\"",
             "The character around a field that holds delimiters or line ends, or none: then "
             "quotes are ordinary characters.",
             .pattern = "^(.|none)$"),
    OPT_PAIRS(csv_import_options, "columns", columns,
              "Which columns to take: name in the file -> column of the table. Without it all are "
              "taken under their own names."),
    OPT_PAIRS(csv_import_options, "types", types,
              "Column of the table -> integer, real or text. A column that is not named is text. A "
              "field that is not a number of its type makes the row bad.",
              .choices = type_names),
    OPT_CHOICE(
        csv_import_options, "empty", empty, "as_null", empty_names,
        "What an empty field becomes: NULL, or text of length 0 (then a number may not be empty)."),
    OPT_CHOICE(
        csv_import_options, "on_bad_row", on_bad_row, "fail", bad_row_names,
        "What to do with a bad row: stop, and leave the table as it was, or go on and keep the row "
        "with its line and the reason in TABLE_rejected, which every such import makes anew."),
    OPT_INT(csv_import_options, "max_bad_rows", max_bad_rows, "1000", 0, 1e15,
            "With on_bad_row: reject, how many bad rows are too many. A bad row over several "
            "lines, as after a lost quote, counts once a line.",
            .unit = "rows"),
    OPT_BOOL(csv_import_options, "no_header", no_header, "false",
             "The file has no header: its first line is a row, its columns are called c1, c2 and "
             "so on; `columns` gives them other names."),
    OPT_BYTES(csv_import_options, "max_field_bytes", max_field_bytes, "1M",
              "A longer field makes the row bad; it is never held in memory.", .unit = "bytes",
              .min = 1, .max = 512.0 * 1024 * 1024),
    OPT_CHOICE(
        csv_import_options, "if_exists", if_exists, "fail", exists_names,
        "When the table exists: stop; replace it by one with the file's columns (its indexes and "
        "triggers are made again); or append the rows to it, all of them or none."),
    OPT_END};

/* ---- rules ---- */

/* The one byte that `text` stands for, or -1. `word` is its special value, which stands for
 * `meaning`. */
static int read_character(const char *text, const char *word, int meaning)
{
    if (strcmp(text, word) == 0) {
        return meaning;
    }
    unsigned char c = (unsigned char)text[0];
    bool is_one = c != '\0' && text[1] == '\0';
    return is_one && (c == '\t' || (c >= 0x20 && c < 0x7f)) ? c : -1;
}

/* Index into type_names, or -1. */
static int read_type(const char *name)
{
    for (int i = 0; type_names[i] != NULL; i++) {
        if (strcmp(type_names[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

void csv_import_check(const struct csv_import_options *options, csv_import_report *report,
                      void *data)
{
    enum { WHY_MAX = 256 };
    char why[WHY_MAX];
    int delimiter = read_character(options->delimiter, "tab", '\t');
    int quote = read_character(options->quote, "none", '\0');
    if (delimiter < 0) {
        snprintf(why, sizeof why, "\"%.40s\" is not a delimiter: one ASCII character, or tab",
                 options->delimiter);
        report(data, "delimiter", why);
    }
    if (quote < 0) {
        snprintf(why, sizeof why, "\"%.40s\" is not a quote: one ASCII character, or none",
                 options->quote);
        report(data, "quote", why);
    }
    if (delimiter >= 0 && delimiter == quote) {
        snprintf(why, sizeof why, "quote and delimiter are both \"%s\"; they must differ",
                 options->quote);
        report(data, "quote", why);
    }
    if (options->table != NULL &&
        (options->table[0] == '\0' || strncasecmp(options->table, "sqlite_", 7) == 0)) {
        snprintf(why, sizeof why,
                 "\"%.40s\" cannot be the name of a table: it is empty, or starts with sqlite_, "
                 "which SQLite keeps for itself",
                 options->table);
        report(data, "table", why);
    }
    for (size_t i = 0; i < options->types.n; i++) {
        if (read_type(options->types.values[i]) < 0) {
            snprintf(why, sizeof why,
                     "\"%.40s\" is not a type for column \"%.60s\"; allowed: integer, real, text",
                     options->types.values[i], options->types.names[i]);
            report(data, "types", why);
        }
    }
}

void csv_import_dialect(const struct csv_import_options *options, struct csv_settings *out)
{
    out->delimiter = (char)read_character(options->delimiter, "tab", '\t');
    out->quote = (char)read_character(options->quote, "none", '\0');
    out->no_header = options->no_header;
    out->max_field_bytes = (size_t)options->max_field_bytes;
}

/* ---- the header ---- */

/* Finds the field called `name`; there must be one, and one only. */
static enum status_code find_field(const struct csv_import_options *options,
                                   const struct csv_reader *reader, const char *name, size_t *field,
                                   struct status *status)
{
    const char *names[CSV_COLUMNS_MAX];
    size_t n = csv_reader_n_columns(reader), found = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        names[i] = csv_reader_column(reader, i);
        if (strcmp(names[i], name) != 0) {
            continue;
        }
        if (found != SIZE_MAX) {
            return status_set_at(status, STATUS_DATA, options->file, csv_reader_header_line(reader),
                                 0, "the header has \"%s\" twice, as column %zu and as column %zu",
                                 name, found + 1, i + 1);
        }
        found = i;
    }
    if (found == SIZE_MAX) {
        const char *nearest = nearest_name(names, n, name, strlen(name));
        return status_set_at(status, STATUS_DATA, options->file, csv_reader_header_line(reader), 0,
                             "the header has no column \"%s\"%s%s%s", name,
                             nearest != NULL ? "; did you mean \"" : "",
                             nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
    }
    *field = found;
    return STATUS_OK;
}

static enum status_code check_names(const struct csv_import_options *options, size_t header_line,
                                    const struct csv_import_column *columns, size_t n,
                                    struct status *status)
{
    for (size_t i = 0; i < n; i++) {
        if (columns[i].name[0] == '\0') {
            return status_set_at(status, STATUS_DATA, options->file, header_line, 0,
                                 "column %zu of the header has no name; give it one in the file, "
                                 "or list the columns to take (columns)",
                                 columns[i].field + 1);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcasecmp(columns[i].name, columns[j].name) == 0) {
                return status_set_at(status, STATUS_DATA, options->file, header_line, 0,
                                     "columns %zu and %zu of the file are both called \"%s\" in "
                                     "the table (SQLite does not tell capitals from small "
                                     "letters); map them to different names (columns)",
                                     columns[j].field + 1, columns[i].field + 1, columns[i].name);
            }
        }
    }
    return STATUS_OK;
}

static enum status_code set_types(const struct csv_import_options *options, size_t header_line,
                                  struct csv_import_column *columns, size_t n,
                                  struct status *status)
{
    for (size_t t = 0; t < options->types.n; t++) {
        const char *name = options->types.names[t];
        const char *names[CSV_COLUMNS_MAX];
        bool is_found = false;
        for (size_t i = 0; i < n; i++) {
            names[i] = columns[i].name;
            if (strcasecmp(name, columns[i].name) == 0) {
                columns[i].type = (enum csv_type)read_type(options->types.values[t]);
                is_found = true;
            }
        }
        if (!is_found) {
            const char *nearest = nearest_name(names, n, name, strlen(name));
            return status_set_at(status, STATUS_DATA, options->file, header_line, 0,
                                 "types: the table will have no column \"%s\"%s%s%s", name,
                                 nearest != NULL ? "; did you mean \"" : "",
                                 nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
        }
    }
    return STATUS_OK;
}

enum status_code csv_import_columns(const struct csv_import_options *options,
                                    const struct csv_reader *reader,
                                    struct csv_import_column **columns, size_t *n,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    struct csv_import_column *made = NULL;
    size_t count = options->columns.n > 0 ? options->columns.n : csv_reader_n_columns(reader);
    if (count > CSV_COLUMNS_MAX) {
        TRY(status_set(status, STATUS_CONFIG, "columns: %zu are listed, at most %d are allowed",
                       count, CSV_COLUMNS_MAX));
    }
    TRY(MEM_NEW(&made, count, status));
    for (size_t i = 0; i < count; i++) {
        made[i].field = i;
        made[i].type = CSV_TYPE_TEXT;
        if (options->columns.n > 0) {
            made[i].name = options->columns.values[i];
            TRY(find_field(options, reader, options->columns.names[i], &made[i].field, status));
        } else {
            made[i].name = csv_reader_column(reader, i);
        }
    }
    size_t header_line = csv_reader_header_line(reader);
    TRY(check_names(options, header_line, made, count, status));
    TRY(set_types(options, header_line, made, count, status));
    *columns = made;
    *n = count;
    made = NULL;
done:
    mem_free(made);
    return code;
}
