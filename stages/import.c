/* import: a CSV file into a table of the source database; the only stage that writes there. The
 * options, and the work, are in import/csv_import.c, which the import command shares. */
#include "base/hash.h"
#include "import/csv_import.h"
#include "run/context.h"
#include "store/db.h"

#include <errno.h>
#include <sys/stat.h>

/* Measured on a 2020s core with short rows: reading, checking and inserting. */
static const double bytes_per_second = 20e6;

static void report_mistake(void *data, const char *option, const char *why)
{
    struct option_report *report = data;
    option_mistake(report, option, "%s", why);
}

static void import_validate(const void *values, struct option_report *report)
{
    csv_import_check(values, report_mistake, report);
}

static bool regular_file_size(const char *path, double *size)
{
    struct stat info;
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode)) {
        return false;
    }
    *size = (double)info.st_size;
    return true;
}

static void import_estimate(const void *values, const struct stage_sizes *sizes,
                            struct stage_estimate *out)
{
    const struct csv_import_options *options = values;
    const double fixed_bytes = 8e6; /* input buffers and SQLite's page cache */
    double size = 0;
    (void)sizes;
    (void)regular_file_size(options->file, &size);
    out->memory_bytes = 4.0 * (double)options->max_field_bytes + fixed_bytes;
    out->disk_bytes = 1.2 * size;
    out->seconds = size / bytes_per_second;
    out->rows = 0;
}

static enum status_code hash_file(const char *path, struct hash_state *state, struct status *status)
{
    enum { BLOCK_BYTES = 16384 };
    unsigned char block[BLOCK_BYTES];
    enum status_code code = STATUS_OK;
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return status_set_at(status, STATUS_NO_INPUT, path, 0, 0, "cannot open the CSV file: %s",
                             strerror(errno));
    }
    size_t got = fread(block, 1, sizeof block, file);
    while (got > 0) {
        hash_add(state, block, got);
        got = fread(block, 1, sizeof block, file);
    }
    if (ferror(file)) {
        code = status_set_at(status, STATUS_IO, path, 0, 0, "cannot read the CSV file");
    }
    (void)fclose(file);
    return code;
}

/* What the table is: "table" once it is imported, "" without it or its database. */
static enum status_code target_type(const struct plan_settings *settings, const char *table,
                                    struct buf *type, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db *db = NULL;
    double size = 0;
    if (!regular_file_size(settings->source.database, &size) || size <= 0) {
        return STATUS_OK;
    }
    TRY(db_open(settings->source.database, DB_READ, settings->source.busy_timeout, &db, status));
    code = db_object_type(db, table, type, status);
done:
    db_close(db);
    return code;
}

/* The bytes of the file, and whether the table is there: a table that was dropped since is
 * imported again. A pipe can be read only once, a missing file is for the run to report: both are
 * unknown. */
static enum status_code import_fingerprint(struct context *context, const void *values,
                                           char out[HASH_TEXT_MAX], struct status *status)
{
    const struct csv_import_options *options = values;
    enum status_code code = STATUS_OK;
    struct hash_state *state = NULL;
    struct buf type = {0};
    double size = 0;
    out[0] = '\0';
    if (!regular_file_size(options->file, &size)) {
        return STATUS_OK;
    }
    TRY(hash_new(&state, status));
    TRY(hash_file(options->file, state, status));
    TRY(target_type(context_settings(context), options->table, &type, status));
    hash_add_text(state, buf_text(&type));
    hash_text(state, out);
done:
    hash_free(state);
    buf_release(&type);
    return code;
}

static enum status_code import_run(struct context *context, const void *values,
                                   struct status *status)
{
    const struct csv_import_options *options = values;
    const struct plan_settings *settings = context_settings(context);
    enum status_code code = STATUS_OK;
    struct csv_import_target target = {.database = settings->source.database,
                                       .busy_seconds = settings->source.busy_timeout,
                                       .progress = context_progress(context),
                                       .watch = context_stop_watch(context)};
    struct csv_import_result result = {0};
    TRY(csv_import_run(options, &target, &result, status));
    context_set_rows(context, result.rows);
    if (result.rejected > 0) {
        log_write(context_log(context), LOG_WARNING,
                  "%s: rows rejected: %lld; see the table %s_rejected in %s", options->file,
                  (long long)result.rejected, options->table, settings->source.database);
    }
done:
    return code;
}

const struct stage stage_import = {
    .name = "import",
    .summary = "Loads a CSV file into a table of the source database, all of it or nothing.",
    .version = 1,
    .options_size = sizeof(struct csv_import_options),
    .options = csv_import_table,
    .inputs = (const struct stage_artifact[]){{.name = NULL}},
    .outputs = (const struct stage_artifact[]){{.name = NULL}},
    .repeatable = true,
    .validate = import_validate,
    .estimate = import_estimate,
    .fingerprint = import_fingerprint,
    .run = import_run,
};
