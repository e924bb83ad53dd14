/* Segments of an event_store of catch_up's own, in front of them the state in which the base's
 * reading ended: rows go on where that was, as if one run had read them all. */
#include "catch_up/new_rows.h"

#include "base/buf.h"
#include "base/hash.h"
#include "run/context.h"
#include "run/context_databases.h"

struct reader {
    struct context *context;
    struct event_store store;
    const struct artifact *base;
    const struct extract_request *request;
};

static enum status_code begin_at_base(const struct reader *reader, struct extraction *extraction,
                                      struct status *status)
{
    bool fits = false;
    enum status_code code;

    extraction_release(extraction);
    *extraction = (struct extraction){0};
    TRY(event_state_get(reader->base, reader->request->interactions.what, extraction, &fits,
                        status));
    if (!fits) {
        code = status_set(status, STATUS_INTERNAL,
                          "artifact reading is of another version; run again with --force");
    }
done:
    return code;
}

/* Rows are those of this base alone, read by these rules. */
static enum status_code hash_origin(const struct reader *reader, char out[HASH_TEXT_MAX],
                                    struct status *status)
{
    enum status_code code;
    struct hash_state *hash = NULL;
    char rules[HASH_TEXT_MAX], base[HASH_TEXT_MAX];

    TRY(source_log_hash_rules(reader->context, reader->request, rules, status));
    TRY(artifact_hash(reader->base, base, status));
    TRY(hash_new(&hash, status));
    hash_add_text(hash, rules);
    hash_add_text(hash, base);
    hash_text(hash, out);
done:
    hash_free(hash);
    return code;
}

static enum status_code load_stored(struct reader *reader, struct new_rows *out,
                                    struct status *status)
{
    enum status_code code;
    bool found = false;

    TRY(hash_origin(reader, reader->store.rules, status));
    if (!context_is_forced(reader->context)) {
        TRY(event_store_load(&reader->store, reader->request->interactions.what, &out->extraction,
                             &found, status));
    }
    out->is_anew = !found;
    if (!found) {
        TRY(event_store_clear(&reader->store, status));
        TRY(begin_at_base(reader, &out->extraction, status));
    }
done:
    return code;
}

/* A row that went on from is gone: so are, it may be, others behind the base. */
static enum status_code read_again(struct reader *reader, struct db *source, struct new_rows *out,
                                   struct status *status)
{
    const struct watch watch = context_watch(reader->context);
    enum status_code code;

    log_write(context_log(reader->context), LOG_WARNING,
              "catch_up: the row with source.key: %s = %lld is gone; reading all rows behind the "
              "last full run",
              reader->request->interactions.key, (long long)out->extraction.log.last_key);
    out->is_anew = true;
    TRY(event_store_clear(&reader->store, status));
    TRY(begin_at_base(reader, &out->extraction, status));
    const int64_t n_base = out->extraction.report.n_rows;
    TRY(extract_read_log(source, reader->request, &watch, &out->extraction, status));
    out->n_read = out->extraction.report.n_rows - n_base;
    if (!out->extraction.log.has_last) { /* the next run finds that out and reads everything */
        log_write(context_log(reader->context), LOG_WARNING,
                  "catch_up: the row that the last full run ended with is gone, too");
    }
done:
    return code;
}

static void tell_bad_rows(struct context *context, const struct extraction *extraction)
{
    struct buf bad = {0};

    extract_add_bad_share(extraction, context_settings(context)->work.database, &bad);
    if (bad.length > 0) {
        log_write(context_log(context), LOG_WARNING, "catch_up: %s", buf_text(&bad));
    }
    buf_release(&bad);
}

enum status_code new_rows_read(struct new_rows *out, struct context *context,
                               const struct artifact *reading,
                               const struct extract_request *request, struct status *status)
{
    enum status_code code;
    struct reader reader = {.context = context,
                            .store = {.work = context_work(context), .label = "catch_up"},
                            .base = reading,
                            .request = request};
    const struct watch watch = context_watch(context);
    struct db *source = NULL;

    TRY(load_stored(&reader, out, status));
    const int64_t n_stored = out->extraction.report.n_rows;
    TRY(context_source(context, &source, status));
    progress_start(context_progress(context), "catch_up", "rows", 0);
    TRY(extract_read_log(source, request, &watch, &out->extraction, status));
    out->n_read = out->extraction.report.n_rows - n_stored;
    if (!out->extraction.log.has_last) {
        TRY(read_again(&reader, source, out, status));
    }
    context_source_done(context);
    if (out->n_read > 0) {
        TRY(extract_write_left_out(context_work(context), &out->extraction, status));
        tell_bad_rows(context, &out->extraction);
        TRY(event_store_save(&reader.store, &out->extraction, status));
    }
done:
    progress_finish(context_progress(context));
    return code;
}

void new_rows_release(struct new_rows *reading)
{
    extraction_release(&reading->extraction);
    *reading = (struct new_rows){0};
}
