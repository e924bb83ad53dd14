/* nightjar export: what is published, as a file: lists as CSV or JSON lines, vectors as a NumPy
 * array with a file of their ids. Row by row, out of one snapshot. */
#include "commands/published.h"

#include "base/num.h"
#include "base/output_file.h"
#include "base/utf8.h"
#include "io/whole_file.h"
#include "publishing/generation.h"

#include <inttypes.h>

enum file_format { FORMAT_CSV, FORMAT_JSON_LINES, FORMAT_NPY, N_FORMATS };
static const char *const suffixes[N_FORMATS] = {".csv", ".jsonl", ".npy"};

/* How far apart two looks at whether to stop are. */
enum { ROWS_PER_LOOK = 4096 };

struct export
{
    const struct command_environment *environment;
    const char *view, *path;
    enum file_format format;
    int vector_column;      /* left out of the rows; -1: none */
    struct whole_file rows; /* the lists, or the ids */
    struct whole_file vectors;
    size_t dimension;
    int64_t n_rows;
    struct buf line;
};

/* ---- the command line ---- */

static bool has_suffix(const char *path, const char *suffix)
{
    const size_t length = strlen(path), n = strlen(suffix);
    return length > n && strcmp(path + length - n, suffix) == 0;
}

static enum status_code check_view(const char *view, struct status *status)
{
    struct buf names = {0};
    enum status_code code = STATUS_OK;
    for (size_t i = 0; publish_view_name(i) != NULL; i++) {
        if (strcmp(view, publish_view_name(i)) == 0) {
            buf_release(&names);
            return STATUS_OK;
        }
        buf_addf(&names, "%s%s", i > 0 ? ", " : "", publish_view_name(i));
    }
    TRY(buf_check(&names, status));
    code = status_set(status, STATUS_USAGE, "export: \"%s\" is no view of nightjar's: %s", view,
                      buf_text(&names));
done:
    buf_release(&names);
    return code;
}

/* The format that the file's name asks for. */
static enum status_code find_format(struct export *export, struct status *status)
{
    const bool has_vectors = has_suffix(export->view, "_embeddings");
    for (int f = 0; f < N_FORMATS; f++) {
        if (has_suffix(export->path, suffixes[f]) && has_vectors == (f == FORMAT_NPY)) {
            export->format = (enum file_format)f;
            return STATUS_OK;
        }
    }
    return status_set(status, STATUS_USAGE,
                      has_vectors
                          ? "export: vectors go into a file whose name ends in .npy, not \"%s\""
                          : "export: lists go into a file whose name ends in .csv or .jsonl, not "
                            "\"%s\"",
                      export->path);
}

/* ---- rows ---- */

static void add_csv_text(struct buf *line, const char *text, size_t length)
{
    bool is_plain = true;
    for (size_t i = 0; i < length; i++) {
        is_plain = is_plain && strchr(",\"\r\n", text[i]) == NULL;
    }
    buf_add_text(line, is_plain ? "" : "\"");
    for (size_t i = 0; i < length; i++) {
        buf_add_text(line, text[i] == '"' ? "\"" : "");
        buf_add_char(line, text[i]);
    }
    buf_add_text(line, is_plain ? "" : "\"");
}

static void add_text(const struct export *export, struct buf *line, const char *text, size_t length)
{
    if (export->format == FORMAT_JSON_LINES) {
        buf_add_char(line, '"');
        utf8_add_json(line, text, length, false);
        buf_add_char(line, '"');
    } else {
        add_csv_text(line, text, length);
    }
}

static void add_value(const struct export *export, struct buf *line, struct db_query *query,
                      int column)
{
    char number[NUM_TEXT_MAX];
    struct db_cell cell;
    db_column_cell(query, column, &cell);
    switch (cell.type) {
    case DB_INTEGER:
        buf_addf(line, "%" PRId64, cell.integer);
        break;
    case DB_FLOAT:
        num_format_double(cell.real, number);
        buf_add_text(line, number);
        break;
    case DB_TEXT:
    case DB_BLOB:
        add_text(export, line, cell.text, cell.length);
        break;
    case DB_NULL:
        buf_add_text(line, export->format == FORMAT_JSON_LINES ? "null" : "");
        break;
    }
}

/* A row of values; `names`: the header of a CSV file. */
static enum status_code write_row(struct export *export, struct db_query *query, bool names,
                                  struct status *status)
{
    const bool is_json = export->format == FORMAT_JSON_LINES;
    struct buf *line = &export->line;
    enum status_code code;
    const char *separator = is_json ? "{" : "";
    buf_clear(line);
    for (int c = 0; c < db_column_count(query); c++) {
        const char *name = db_column_name(query, c);
        if (c == export->vector_column) {
            continue;
        }
        buf_add_text(line, separator);
        separator = ",";
        if (names || is_json) {
            add_text(export, line, name, strlen(name));
        }
        buf_add_text(line, is_json ? ":" : "");
        if (!names) {
            add_value(export, line, query, c);
        }
    }
    buf_add_text(line, is_json ? "}\n" : "\n");
    TRY(buf_check(line, status));
    TRY(whole_file_add(&export->rows, buf_text(line), line->length, status));
done:
    return code;
}

/* The format's version 1.0 (numpy.lib.format): magic, length of the header, the header, padded to
 * 64 bytes; then little-endian float32, row by row. */
static void add_npy_head(const struct export *export, struct buf *head)
{
    enum { HEAD_BYTES = 128, PREFIX_BYTES = 10 };
    const unsigned length = HEAD_BYTES - PREFIX_BYTES;
    buf_clear(head);
    buf_add(head, "\x93NUMPY\x01", 7);
    buf_add_char(head, '\0');
    buf_add_char(head, (char)(length & 255));
    buf_add_char(head, (char)(length >> 8));
    buf_addf(head, "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %zu), }",
             (long long)export->n_rows, export->dimension);
    while (head->length < HEAD_BYTES - 1) {
        buf_add_char(head, ' ');
    }
    buf_add_char(head, '\n');
}

static enum status_code write_vector(struct export *export, struct db_query *query,
                                     struct status *status)
{
    struct db_cell cell;
    db_column_cell(query, export->vector_column, &cell);
    if (cell.type != DB_BLOB || cell.length != export->dimension * sizeof(float)) {
        return status_set(status, STATUS_DATA,
                          "%s: row %lld holds no vector of dimension %zu: it was changed since it "
                          "was published",
                          export->view, (long long)export->n_rows + 1, export->dimension);
    }
    return whole_file_add(&export->vectors, cell.text, cell.length, status);
}

static enum status_code write_rows(struct export *export, struct db_query *query,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    bool has_row;
    if (export->format != FORMAT_JSON_LINES) {
        TRY(write_row(export, query, true, status));
    }
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        if (export->n_rows % ROWS_PER_LOOK == 0) {
            TRY(command_check_stop(export->environment, "export", "the file is as it was", status));
        }
        if (export->vector_column >= 0) {
            TRY(write_vector(export, query, status));
        }
        TRY(write_row(export, query, false, status));
        export->n_rows++;
    }
done:
    return code;
}

/* ---- files ---- */

/* vectors.npy has its ids in vectors.ids.csv. */
static enum status_code open_files(struct export *export, struct buf *ids, struct status *status)
{
    enum status_code code;
    if (export->format != FORMAT_NPY) {
        TRY(whole_file_open(&export->rows, export->path, OUTPUT_PRIVATE, status));
        return code;
    }
    if (output_file_is_device(export->path)) {
        return status_set_at(status, STATUS_CANNOT_CREATE, export->path, 0, 0,
                             "vectors go into a regular file");
    }
    buf_add(ids, export->path, strlen(export->path) - strlen(suffixes[FORMAT_NPY]));
    buf_add_text(ids, ".ids.csv");
    TRY(buf_check(ids, status));
    TRY(whole_file_open(&export->rows, buf_text(ids), OUTPUT_PRIVATE, status));
    TRY(whole_file_open(&export->vectors, export->path, OUTPUT_PRIVATE, status));
    add_npy_head(export, &export->line);
    TRY(buf_check(&export->line, status));
    TRY(whole_file_add(&export->vectors, buf_text(&export->line), export->line.length, status));
done:
    return code;
}

static enum status_code commit_files(struct export *export, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (export->format == FORMAT_NPY) {
        add_npy_head(export, &export->line);
        TRY(buf_check(&export->line, status));
        TRY(whole_file_put_head(&export->vectors, buf_text(&export->line), export->line.length,
                                status));
    }
    TRY(whole_file_commit(&export->rows, status));
    if (export->format == FORMAT_NPY) {
        TRY(whole_file_commit(&export->vectors, status));
    }
done:
    return code;
}

/* The query of the view over the generation, its first step not yet taken. */
static enum status_code open_query(struct export *export, struct db *db, const char *prefix,
                                   int64_t generation, struct db_query **query,
                                   struct status *status)
{
    struct buf sql = {0};
    struct published_info shown;
    int64_t dimension = 0;
    bool found;
    enum status_code code;
    if (generation == 0) {
        TRY(publish_current(db, prefix, &shown, status));
        generation = shown.generation;
    }
    TRY(publish_get_int64(db, prefix,
                          "SELECT dimension FROM $nightjar_generations WHERE generation = ?1",
                          generation, &dimension, &found, status));
    TRY(publish_select(db, prefix, export->view, generation, &sql, status));
    TRY(db_prepare(db, buf_text(&sql), query, status));
    export->dimension = (size_t)dimension;
    export->vector_column = -1;
    for (int c = 0; c < db_column_count(*query); c++) {
        if (strcmp(db_column_name(*query, c), "embedding") == 0) {
            export->vector_column = c;
        }
    }
done:
    buf_release(&sql);
    return code;
}

static enum status_code run_export(const struct command_environment *environment,
                                   const struct command_line *line, struct status *status)
{
    struct export export = {
        .environment = environment, .view = line->arguments[1], .path = line->arguments[2]};
    struct plan *plan = NULL;
    struct db *db = NULL;
    struct db_query *query = NULL;
    struct buf ids = {0};
    int64_t generation = 0;
    enum status_code code;
    TRY(check_view(export.view, status));
    TRY(find_format(&export, status));
    TRY(command_flag_int64(line, "--generation", 1, INT64_MAX, &generation, status));
    TRY(command_load_plan(environment, line, &plan, status));
    TRY(published_open(plan, &db, status));
    TRY(db_begin_read(db, status));
    TRY(open_query(&export, db, plan->settings.output.prefix, generation, &query, status));
    TRY(open_files(&export, &ids, status));
    TRY(write_rows(&export, query, status));
    TRY(commit_files(&export, status));
done:
    whole_file_release(&export.rows);
    whole_file_release(&export.vectors);
    db_finalize(query);
    db_close(db);
    plan_free(plan);
    buf_release(&ids);
    buf_release(&export.line);
    return code;
}

static const struct command_flag flags[] = {
    {.name = "--generation", .value = "N", .help = "this one, not the one that the views show"},
    COMMAND_FLAG_SET,
    {.name = NULL}};

const struct command command_export = {
    .name = "export",
    .summary = "write lists or vectors into a file",
    .usage = "CONFIG VIEW FILE [options]",
    .description =
        "Writes what a view (recommendations, similar_items, ...) shows into a file, whose name "
        "says how: .csv; .jsonl, a JSON object a line; or, of user_embeddings and item_embeddings, "
        ".npy, a NumPy array of float32. Beside items.npy stands items.ids.csv, with a row for "
        "each of its rows: the id, and what else the view has. A file is written under another "
        "name and renamed when it is complete. While it is read, a publisher into a database "
        "without a WAL has to wait. A new file is its owner's alone, for there are people's ids in "
        "it, and forget does not know it.",
    .min_arguments = 3,
    .max_arguments = 3,
    .flags = flags,
    .run = run_export};
