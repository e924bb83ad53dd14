/* nightjar plan: what a run would do and need. Writes nothing, not even the work database. */
#include "commands/source_query.h"

#include "base/distinct.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/path.h"
#include "base/pool.h"
#include "math/blas.h"
#include "dataset/vocabulary.h"
#include "events/source_database.h"
#include "run/disk_space.h"
#include "run/estimate.h"
#include "run/run_record.h"
#include "run/speeds.h"
#include "tuning/auto_settings.h"
#include "store/migrate.h"

#include <math.h>
#include <unistd.h>

/* Where the sizes of the data come from. */
enum sizes_origin { SIZES_UNKNOWN, SIZES_OF_LAST_RUN, SIZES_COUNTED };

/* For people: a query in one line, without the escapes that keys of a cache need. */
static void print_line(FILE *out, const char *text, size_t length)
{
    static const char line_end[] = "\\x0a";
    const size_t n = sizeof line_end - 1;
    fputs("    ", out);
    for (size_t i = 0; i < length; i++) {
        if (length - i > n && memcmp(text + i, line_end, n) == 0) {
            i += n - 1;
            for (; text[i + 1] == ' '; i++) {
            }
            if (text[i + 1] != '"') {
                fputc(' ', out);
            }
        } else {
            i += text[i] == '\\' && (text[i + 1] == '"' || text[i + 1] == '\\');
            fputc(text[i], out);
        }
    }
    fputc('\n', out);
}

/* The options of one table: all, or those that differ from their defaults. */
static enum status_code print_options(const struct option *table, size_t size, const void *options,
                                      bool all, FILE *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct arena arena = {0};
    struct buf text = {0};
    void *defaults = NULL;
    if (all) {
        option_print(table, options, &text);
        TRY(buf_check(&text, status));
    } else {
        TRY(arena_new(&arena, 1, size, &defaults, status));
        TRY(option_defaults(table, defaults, &arena, status));
        TRY(option_print_changed(table, options, defaults, &text, status));
    }
    for (const char *line = buf_text(&text); *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        print_line(out, line, length);
        line += length + (line[length] == '\n');
    }
done:
    arena_release(&arena);
    buf_release(&text);
    return code;
}

static enum status_code count_id(struct vocabulary *vocabulary, struct db_query *query, int column,
                                 int32_t *code, struct status *status)
{
    size_t length;
    *code = 0;
    if (vocabulary->type != ID_TEXT && db_column_type(query, column) == DB_INTEGER) {
        return vocabulary_add_integer(vocabulary, db_column_int64(query, column), code, status);
    }
    if (vocabulary->type == ID_INTEGER) {
        return STATUS_OK; /* mixed ids: the run will say so, with the row */
    }
    const char *text = db_column_text(query, column, &length);
    return vocabulary_add_text(vocabulary, text, length, code, status);
}

/* One more row of the user. */
static enum status_code count_row(struct buf *counts, size_t user, struct status *status)
{
    static const uint32_t none = 0;
    if (counts->length <= user * sizeof none) {
        buf_add(counts, (const char *)&none, sizeof none);
    }
    const enum status_code code = buf_check(counts, status);
    if (code == STATUS_OK) {
        ((uint32_t *)(void *)counts->data)[user]++;
    }
    return code;
}

/* Counts the rows of the source, their users and items, and about their different pairs: pairs one
 * by one would take more memory than the run. */
static enum status_code scan(const struct command_environment *environment, const struct plan *plan,
                             struct stage_sizes *sizes, struct status *status)
{
    enum status_code code;
    const struct plan_source *source = &plan->settings.source;
    struct event_columns columns;
    struct vocabulary users = {0}, items = {0};
    struct distinct pairs = {0};
    struct db *db = NULL;
    struct db_query *rows = NULL;
    struct buf counts = {0}; /* of the users' rows: uint32_t each */
    double n = 0;
    TRY(source_database_open(plan, &db, status));
    TRY(source_query_open(source, db, &rows, &columns, status));
    for (;;) {
        bool has_row;
        int32_t pair[2];
        TRY(db_step(rows, &has_row, status));
        if (!has_row) {
            break;
        }
        TRY(command_check_stop(environment, "plan", "nothing was written", status));
        TRY(count_id(&users, rows, columns.index[COLUMN_USER], &pair[0], status));
        TRY(count_id(&items, rows, columns.index[COLUMN_ITEM], &pair[1], status));
        distinct_add(&pairs, hash_bytes64(pair, sizeof pair));
        TRY(count_row(&counts, (size_t)pair[0], status));
        n++;
    }
    sizes->n_users = (double)users.n;
    sizes->n_items = (double)items.n;
    sizes->n_rows = n;
    sizes->user_id_bytes = vocabulary_mean_bytes(&users);
    sizes->item_id_bytes = vocabulary_mean_bytes(&items);
    sizes->n_interactions = fmin(round(distinct_count(&pairs)), n);
    sizes->has_times = columns.index[COLUMN_TIME] >= 0;
    for (size_t u = 0; u < users.n; u++) { /* rows come again about as often for every user */
        const double n_rows = (double)((const uint32_t *)(const void *)counts.data)[u];
        sizes->n_products += pow(fmin(n_rows * sizes->n_interactions / n, sizes->n_items), 2);
    }
done:
    buf_release(&counts);
    db_finalize(rows);
    db_close(db);
    vocabulary_release(&users);
    vocabulary_release(&items);
    return code;
}

/* The sizes at the last run, when there was one. */
static enum status_code load_sizes(const struct plan *plan, struct stage_sizes *sizes, bool *known,
                                   struct status *status)
{
    enum status_code code;
    struct db *work = NULL;
    *known = false;
    if (path_is_empty(plan->settings.work.database)) {
        return STATUS_OK;
    }
    TRY(migrate_open_work(plan->settings.work.database, DB_READ, 5, &work, status));
    TRY(estimate_load(work, sizes, known, status));
done:
    db_close(work);
    return code;
}

/* last (n_stages): what each stage took when it was last done; NAN: it never was. */
static enum status_code load_last(const struct plan *plan, double *last, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct db *work = NULL;
    struct buf type = {0};
    for (size_t i = 0; i < plan->n_stages; i++) {
        last[i] = (double)NAN;
    }
    if (path_is_empty(plan->settings.work.database)) {
        return STATUS_OK;
    }
    TRY(migrate_open_work(plan->settings.work.database, DB_READ, 5, &work, status));
    TRY(db_object_type(work, "stage_run", &type, status));
    for (size_t i = 0; strcmp(buf_text(&type), "table") == 0 && i < plan->n_stages; i++) {
        TRY(history_stage_seconds(work, plan->stages[i].label, &last[i], status));
    }
done:
    buf_release(&type);
    db_close(work);
    return code;
}

static void print_estimate(FILE *out, const char *label, const struct stage_estimate *estimate,
                           double last)
{
    char memory[NUM_TEXT_MAX], disk[NUM_TEXT_MAX], duration[NUM_TEXT_MAX], past[NUM_TEXT_MAX] = "-";
    num_format_bytes(estimate->memory_bytes, memory);
    struct disk_need need = {0};
    disk_need_add(&need, estimate);
    num_format_bytes(need.work + need.output, disk);
    num_format_duration(estimate->seconds, duration);
    if (!isnan(last)) {
        num_format_duration(last, past);
    }
    fprintf(out, "%-14s %14.0f %12s %12s %12s %12s\n", label, estimate->rows, memory, disk,
            duration, past);
}

static bool supposes(const struct plan_stage *stage, const struct stage_sizes *sizes,
                     const char *what)
{
    const char *provided = estimate_stage(stage, sizes).provided;
    return provided != NULL && strcmp(provided, what) == 0;
}

/* What the times suppose, with the stages whose times do. */
static void print_provided(const struct plan *plan, const struct stage_sizes *sizes, FILE *out)
{
    static const char *const all[] = {STAGE_ALL_EPOCHS, STAGE_HALF_ASKED};
    for (size_t a = 0; a < sizeof all / sizeof *all; a++) {
        size_t n = 0;
        for (size_t i = 0; i < plan->n_stages; i++) {
            if (supposes(&plan->stages[i], sizes, all[a])) {
                fprintf(out, "%s%s", n++ == 0 ? "(time of " : ", ", plan->stages[i].label);
            }
        }
        if (n > 0) {
            fprintf(out, ": provided that %s)\n", all[a]);
        }
    }
}

/* What a first night spends on settings. */
static void print_search(const struct stage_estimate *total, FILE *out)
{
    char search[NUM_TEXT_MAX], later[NUM_TEXT_MAX];
    if (total->search_seconds > 0) {
        num_format_duration(total->search_seconds, search);
        num_format_duration(total->seconds - (1 - AUTO_PUBLISHED_SHARE) * total->search_seconds,
                            later);
        fprintf(out, "(search: %s of a first night; one that goes on from it takes %s)\n", search,
                later);
    }
}

/* The first stage that a run would be refused for, and the first that the machine is too small for.
 */
static void print_memory(const struct plan *plan, const struct stage_sizes *sizes, FILE *out)
{
    struct status refusal = {0};
    struct buf doubt = {0};
    for (size_t i = 0; i < plan->n_stages; i++) {
        if (refusal.code == STATUS_OK &&
            estimate_check(plan, &plan->stages[i], sizes, &refusal) != STATUS_OK) {
            command_print(out, "note  a run would be refused: %s\n", refusal.message);
        }
        if (doubt.length == 0) {
            estimate_doubt(plan, &plan->stages[i], sizes, &doubt);
        }
    }
    if (doubt.length > 0) {
        command_print(out, "note  %s\n", buf_text(&doubt));
    }
    buf_release(&doubt);
}

static enum status_code print_stages(const struct plan *plan, const struct stage_sizes *sizes,
                                     const double *last, bool known, bool all, FILE *out,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    struct stage_estimate total = {0};
    if (known) {
        fprintf(out, "\n%-14s %14s %12s %12s %12s %12s\n", "stage", "rows", "memory", "disk",
                "time", "last");
    } else {
        fputs("\nstage\n", out);
    }
    for (size_t i = 0; i < plan->n_stages; i++) {
        const struct plan_stage *stage = &plan->stages[i];
        struct stage_estimate estimate = estimate_stage(stage, sizes);
        estimate.memory_bytes = estimate_memory(plan, stage, sizes);
        if (known) {
            print_estimate(out, stage->label, &estimate, last[i]);
        } else {
            fprintf(out, "%s\n", stage->label);
        }
        TRY(print_options(stage->stage->options, stage->stage->options_size, stage->options, all,
                          out, status));
        total.rows += estimate.rows;
        total.disk_bytes += estimate.disk_bytes;
        total.output_bytes += estimate.output_bytes;
        total.seconds += estimate.seconds;
        total.search_seconds += estimate.search_seconds;
        total.memory_bytes =
            estimate.memory_bytes > total.memory_bytes ? estimate.memory_bytes : total.memory_bytes;
    }
    if (known) {
        print_estimate(out, "total", &total, (double)NAN);
        fputs("(memory: what the process needs while the stage runs; the total is the largest)\n"
              "(time: about, by this machine's speed now; last: when the stage was last done)\n",
              out);
        print_provided(plan, sizes, out);
        print_search(&total, out);
        print_memory(plan, sizes, out);
    }
done:
    return code;
}

/* What training sends between ranks, and what that takes beside its own time. */
static void print_wire(const struct plan *plan, const struct stage_sizes *sizes, FILE *out)
{
    static const double gigabits[] = {1, 10, 100};
    char bytes[NUM_TEXT_MAX], duration[NUM_TEXT_MAX];
    for (size_t i = 0; i < plan->n_stages; i++) {
        const struct stage_estimate estimate = estimate_stage(&plan->stages[i], sizes);
        if (estimate.n_steps <= 0) {
            continue;
        }
        num_format_bytes(estimate.step_bytes, bytes);
        fprintf(out, "%s: each rank sends %s a step and gets as much, in %.0f steps%s: ",
                plan->stages[i].label, bytes, estimate.n_steps,
                estimate.search_seconds > 0 ? " with those of a first night's search" : "");
        for (size_t g = 0; g < sizeof gigabits / sizeof *gigabits; g++) {
            num_format_duration(estimate.n_steps * estimate.step_bytes * 8 / (gigabits[g] * 1e9),
                                duration);
            fprintf(out, "%s%s at %.0f Gbit/s", g == 0 ? "" : ", ", duration, gigabits[g]);
        }
        fputc('\n', out);
        if (estimate.graph_bytes > 0) {
            num_format_bytes(estimate.graph_bytes, bytes);
            fprintf(out,
                    "%s: %s of that are propagation's, which takes the vectors of all items in "
                    "every step, however few users are in it: give it large batches\n",
                    plan->stages[i].label, bytes);
        }
    }
}

/* The sizes of the data: of the last run, or counted now when that is asked for or there was none.
 * Unknown only where the source is still to be made. */
static enum status_code find_sizes(const struct command_environment *environment,
                                   const struct plan *plan, bool scan_asked,
                                   struct stage_sizes *sizes, enum sizes_origin *origin,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    const char *source = plan->settings.source.database;
    bool known = false;
    if (!scan_asked) {
        TRY(load_sizes(plan, sizes, &known, status));
    }
    *origin = known ? SIZES_OF_LAST_RUN : SIZES_UNKNOWN;
    bool can_scan =
        source != NULL && access(source, F_OK) == 0 && !plan->settings.source.is_imported;
    if (scan_asked || (!known && can_scan)) {
        TRY(scan(environment, plan, sizes, status));
        *origin = SIZES_COUNTED;
    }
done:
    return code;
}

static enum status_code print_plan(const struct command_environment *environment,
                                   const struct command_line *line, const struct plan *plan,
                                   struct status *status)
{
    enum status_code code;
    FILE *out = environment->out;
    struct stage_sizes sizes;
    struct pool *pool = NULL;
    double *last = NULL;
    enum sizes_origin origin;
    bool all = command_flag_count(line, "--verbose") > 0;
    TRY(blas_check_memory(status));
    blas_init(); /* before threads start */
    TRY(pool_new((size_t)plan->settings.threads, &pool, status));
    TRY(MEM_NEW(&last, plan->n_stages, status));
    TRY(load_last(plan, last, status));
    estimate_init(plan, pool_threads(pool), &sizes);
    TRY(find_sizes(environment, plan, command_flag_count(line, "--scan") > 0, &sizes, &origin,
                   status));
    command_print(out, "pipeline %s of %s\n", plan->settings.pipeline, plan->file);
    TRY(print_options(plan_options, sizeof plan->settings, &plan->settings, all, out, status));
    if (origin == SIZES_UNKNOWN) {
        const char *source = plan->settings.source.database;
        command_print(out, "data: unknown until %s has been made\n",
                      source == NULL ? "the source" : source);
    } else {
        fprintf(out, "data: %.0f users, %.0f items, %.0f interactions, %s%.0f different (%s)\n",
                sizes.n_users, sizes.n_items, sizes.n_rows, origin == SIZES_COUNTED ? "about " : "",
                sizes.n_interactions, origin == SIZES_COUNTED ? "counted now" : "at the last run");
        TRY(speeds_measure((size_t)sizes.dimension, pool, &sizes.speeds, status));
    }
    if (plan->rank.n > 1) {
        fprintf(out,
                "ranks: %zu, of which each has about %.0f of the users; below is what one does\n",
                plan->rank.n, sizes.n_users / (double)plan->rank.n);
        estimate_take_part(&sizes, plan->rank.n);
    }
    TRY(print_stages(plan, &sizes, last, origin != SIZES_UNKNOWN, all, out, status));
    if (plan->rank.n > 1 && origin != SIZES_UNKNOWN) {
        print_wire(plan, &sizes, out);
    }
done:
    mem_free(last);
    pool_free(pool);
    return code;
}

static enum status_code run_plan(const struct command_environment *environment,
                                 const struct command_line *line, struct status *status)
{
    enum status_code code;
    struct plan *plan = NULL;
    TRY(command_load_plan(environment, line, &plan, status));
    TRY(print_plan(environment, line, plan, status));
    TRY(command_flush(environment->out, status));
done:
    plan_free(plan);
    return code;
}

static const struct command_flag flags[] = {
    COMMAND_FLAG_SET,
    COMMAND_FLAG_RANKS,
    {.name = "--scan",
     .help = "count the rows, users and items of the source anew, also when the last "
             "run has left their numbers"},
    {.name = "--verbose", .help = "show every option, not only those that differ from the default"},
    {.name = NULL}};

const struct command command_plan = {
    .name = "plan",
    .summary = "show what a run would do and need",
    .usage = "CONFIG [options]",
    .description = "Prints the resolved stages with their options, their rows and the memory, disk "
                   "and time they will need. The size of the data is that of the last run; before "
                   "the first one the source is read once to count it. Writes nothing.",
    .min_arguments = 1,
    .max_arguments = 1,
    .ranks = RANKS_FIRST,
    .flags = flags,
    .run = run_plan};
