/* report: one page about the run, for people, whether it has published or not. What the run history
 * tells is in report/report_history.h, the lists, items and a few users in report/report_lists.h.
 */
#include "base/mem.h"
#include "base/output_file.h"
#include "base/path.h"
#include "io/whole_file.h"
#include "run/context.h"
#include "run/context_data.h"
#include "run/context_databases.h"
#include "stages/report/report_history.h"
#include "stages/report/report_lists.h"

struct report_options {
    const char *path, *items;
    int64_t users, runs;
};

static const struct option options[] = {
    OPT_PATH(report_options, "path", path, "The HTML file that is written, replaced as a whole.",
             .required = true),
    OPT_TEXT(report_options, "items", items, NULL,
             "A query on the source that gives item_id, and title and category: SELECT item_id, "
             "title, category FROM products. Without it items are shown by their ids."),
    OPT_INT(report_options, "users", users, "5", 0, 100,
            "Users whose history is shown beside their recommendations, without their ids.",
            .unit = "users"),
    OPT_INT(report_options, "runs", runs, "60", 1, 1000, "How far back the history goes.",
            .unit = "runs"),
    OPT_END};

static const struct stage_artifact inputs[] = {
    {.name = "interactions"},
    {.name = "towers"},
    {.name = "news", .help = "what is new since the last full run", .optional = true},
    {.name = "recommendations"},
    {.name = "features", .help = "ids that only the side data have", .optional = true},
    {.name = NULL},
};

static void lists_release(struct report_lists *page)
{
    mem_free(page->n_users);
    mem_free(page->n_lists);
    item_names_release(&page->names);
    served_ids_release(&page->users);
    served_ids_release(&page->items);
    features_release(&page->features);
    merged_release(&page->merged);
    recommendations_release(&page->lists);
}

static enum status_code load(struct context *context, const struct report_options *o,
                             struct report_lists *page, struct status *status)
{
    const struct artifact *artifact;
    struct db *db = NULL;
    enum status_code code;
    TRY(merged_load(&page->merged, context, MERGED_LOG, status));
    TRY(context_input(context, "towers", &artifact, status));
    TRY(embeddings_load(&page->embeddings, artifact, status));
    TRY(context_input(context, "recommendations", &artifact, status));
    TRY(recommendations_load(&page->lists, artifact, status));
    TRY(context_input(context, "features", &artifact, status));
    TRY(served_ids_load(&page->users, &page->items, &page->merged.interactions, &page->embeddings,
                        artifact, &page->features, status));
    TRY(recommendations_check(&page->lists, page->users.ids.n, page->items.ids.n, status));
    if (!ranks_is_first(context_ranks(context))) {
        goto done;
    }
    TRY(context_source(context, &db, status));
    TRY(item_names_read(&page->names, db, o->items, context_settings(context)->source.query_timeout,
                        &page->items, status));
done:
    context_source_done(context);
    return code;
}

/* Over all ranks. */
static enum status_code count(struct report_lists *page, struct ranks *ranks, struct status *status)
{
    const struct recommendations *lists = &page->lists;
    const struct sparse *log = &page->merged.interactions.log.matrix;
    enum status_code code;
    TRY(MEM_NEW(&page->n_users, page->items.ids.n, status));
    TRY(MEM_NEW(&page->n_lists, page->items.ids.n, status));
    for (size_t e = 0; e < sparse_entries(log); e++) {
        page->n_users[page->items.served_of[log->columns[e]]]++;
    }
    for (size_t e = 0; e < lists->n_served * lists->top; e++) {
        if (lists->items[e] >= 0) {
            page->n_lists[lists->items[e]]++;
        }
    }
    /* whole numbers: the order of the sum does not matter */
    TRY(ranks_tree_sum(ranks, page->n_users, page->items.ids.n, status));
    TRY(ranks_tree_sum(ranks, page->n_lists, page->items.ids.n, status));
done:
    return code;
}

/* ---- the page ---- */

static enum status_code add_foot(struct context *context, struct buf *out, struct status *status)
{
    const struct plan_settings *settings = context_settings(context);
    struct buf foot = {0};
    enum status_code code;
    buf_addf(&foot, "nightjar %s, seed %lld, configuration %.12s", context_version(context),
             (long long)settings->seed, context_config_hash(context));
    TRY(buf_check(&foot, status));
    page_end(out, buf_text(&foot));
done:
    buf_release(&foot);
    return code;
}

/* lists NULL: there are none, for `outcome` ended the run. */
static enum status_code write_page(struct context *context, const struct report_options *o,
                                   struct report_lists *lists, const struct status *outcome,
                                   struct status *status)
{
    const struct plan_settings *settings = context_settings(context);
    struct report_history history = {0};
    struct db *output = NULL;
    struct buf title = {0}, out = {0};
    char failure[STATUS_FILE_MAX + 1024];
    enum status_code code;
    code = context_published_db(context, &output, status);
    if (code != STATUS_OK && outcome != NULL) {
        status_clear(status); /* it may be damaged, and why the run has failed */
    } else {
        TRY(code);
    }
    TRY(history_init(&history, context_work(context), output, settings->output.prefix,
                     context_run_number(context), o->runs, status));
    history.pipeline = settings->pipeline;
    history.n_ranks = context_plan(context)->rank.n;
    history.overruled = context_overruled(context);
    if (outcome != NULL) {
        status_format(outcome, failure, sizeof failure);
        private_hide(failure); /* the page is kept, beyond what forget reaches */
        history.failure = failure;
        history.is_refused = outcome->code == STATUS_REFUSED;
    }
    buf_addf(&title, "nightjar: %s", settings->pipeline);
    page_begin(&out, buf_text(&title));
    TRY(history_head(&history, &out, status));
    page_begin_sections(&out);
    TRY(history_quality(&history, &out, status));
    TRY(history_evenings(&history, &out, status));
    TRY(history_outcome(&history, &out, status));
    TRY(history_nights(&history, &out, status));
    TRY(history_groups(&history, &out, status));
    TRY(history_worth(&history, &out, status));
    if (lists != NULL) {
        TRY(lists_add_items(lists, &out, status));
        lists_add_users(lists, (size_t)o->users, context_plan(context)->rank.n, &out);
    }
    TRY(history_work(&history, &out, status));
    TRY(add_foot(context, &out, status));
    TRY(buf_check(&out, status));
    TRY(whole_file_write(o->path, OUTPUT_PRIVATE, &out, status));
done:
    strings_release(&history.warnings);
    buf_release(&title);
    buf_release(&out);
    db_close(output);
    return code;
}

static enum status_code report_run(struct context *context, const void *values,
                                   struct status *status)
{
    struct report_lists lists = {0};
    enum status_code code;
    TRY(load(context, values, &lists, status));
    TRY(count(&lists, context_ranks(context), status));
    if (ranks_is_first(context_ranks(context))) {
        TRY(write_page(context, values, &lists, NULL, status));
    }
done:
    lists_release(&lists);
    return code;
}

/* The page of the night before must not go on saying that all is well. */
static enum status_code report_failed(struct context *context, const void *values,
                                      const struct status *outcome, struct status *status)
{
    return write_page(context, values, NULL, outcome, status);
}

/* The page and the query, before hours of training. */
static enum status_code report_check(struct context *context, const void *values,
                                     struct status *status)
{
    const struct report_options *o = values;
    struct db *db = NULL;
    enum status_code code = STATUS_OK;
    if (!ranks_is_first(context_ranks(context))) {
        goto done;
    }
    TRY(path_check_writable(o->path, PATH_TEXT, status));
    if (o->items != NULL && !context_settings(context)->source.is_imported) {
        TRY(context_source(context, &db, status));
        TRY(item_names_check(db, o->items, context_settings(context)->source.query_timeout,
                             status));
    }
done:
    context_source_done(context);
    return code;
}

extern const struct stage stage_report;
const struct stage stage_report = {
    .name = "report",
    .summary = "Writes one self-contained HTML page about the run, also of one that is refused or "
               "fails: quality, nights, groups, items, a few users, training.",
    .version = 1,
    .options_size = sizeof(struct report_options),
    .options = options,
    .inputs = inputs,
    .outputs = (const struct stage_artifact[]){{.name = NULL}},
    .check = report_check,
    /* It tells of the run itself, which is another one every night. */
    .fingerprint = context_always_run,
    .works_in_ranks = true,
    .reads_delta = true,
    .run = report_run,
    .failed = report_failed,
};
