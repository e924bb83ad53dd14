/* Segments of an event_store of catch_up's own, in front of them the state in which the base's
 * reading ended: rows go on where that was, as if one run had read them all. */
#include "catch_up/catch_up_reading.h"

#include "base/hash.h"
#include "run/context.h"
#include "run/context_databases.h"

struct kept {
    struct context *context;
    struct event_store store;
    const struct artifact *base;
    const struct extract_request *request;
};

static enum status_code begin_at_base(const struct kept *kept, struct extraction *extraction,
                                      struct status *status)
{
    bool fits = false;
    enum status_code code;

    extraction_release(extraction);
    *extraction = (struct extraction){0};
    TRY(event_state_get(kept->base, kept->request->interactions.what, extraction, &fits, status));
    if (!fits) {
        code = status_set(status, STATUS_INTERNAL,
                          "artifact reading is of another version; run again with --force");
    }
done:
    return code;
}

/* Rows are those of this base alone, read by these rules. */
static enum status_code hash_origin(const struct kept *kept, char out[HASH_TEXT_MAX],
                                    struct status *status)
{
    enum status_code code;
    struct hash_state *hash = NULL;
    char rules[HASH_TEXT_MAX], base[HASH_TEXT_MAX];

    TRY(source_log_hash_rules(kept->context, kept->request, rules, status));
    TRY(artifact_hash(kept->base, base, status));
    TRY(hash_new(&hash, status));
    hash_add_text(hash, rules);
    hash_add_text(hash, base);
    hash_text(hash, out);
done:
    hash_free(hash);
    return code;
}

static enum status_code load_kept(struct kept *kept, struct catch_up_reading *out,
                                  struct status *status)
{
    enum status_code code;
    bool found = false;

    TRY(hash_origin(kept, kept->store.rules, status));
    if (!context_is_forced(kept->context)) {
        TRY(event_store_load(&kept->store, kept->request->interactions.what, &out->extraction,
                             &found, status));
    }
    out->is_anew = !found;
    if (!found) {
        TRY(event_store_clear(&kept->store, status));
        TRY(begin_at_base(kept, &out->extraction, status));
    }
done:
    return code;
}

/* A row that went on from is gone: so are, it may be, others behind the base. */
static enum status_code read_again(struct kept *kept, struct db *source,
                                   struct catch_up_reading *out, struct status *status)
{
    const struct watch watch = context_watch(kept->context);
    enum status_code code;

    log_write(context_log(kept->context), LOG_WARNING,
              "catch_up: the row with source.key: %s = %lld is gone; reading all rows behind the "
              "last full run",
              kept->request->interactions.key, (long long)out->extraction.log.last_key);
    out->is_anew = true;
    TRY(event_store_clear(&kept->store, status));
    TRY(begin_at_base(kept, &out->extraction, status));
    const int64_t n_base = out->extraction.report.n_rows;
    TRY(extract_read_log(source, kept->request, &watch, &out->extraction, status));
    out->n_read = out->extraction.report.n_rows - n_base;
    if (!out->extraction.log.has_last) { /* the next run finds that out and reads everything */
        log_write(context_log(kept->context), LOG_WARNING,
                  "catch_up: the row that the last full run ended with is gone, too");
    }
done:
    return code;
}

enum status_code catch_up_read(struct catch_up_reading *out, struct context *context,
                               const struct artifact *reading,
                               const struct extract_request *request, struct status *status)
{
    enum status_code code;
    struct kept kept = {.context = context,
                        .store = {.work = context_work(context), .label = "catch_up"},
                        .base = reading,
                        .request = request};
    const struct watch watch = context_watch(context);
    struct db *source = NULL;

    TRY(load_kept(&kept, out, status));
    const int64_t n_kept = out->extraction.report.n_rows;
    TRY(context_source(context, &source, status));
    progress_start(context_progress(context), "catch_up", "rows", 0);
    TRY(extract_read_log(source, request, &watch, &out->extraction, status));
    out->n_read = out->extraction.report.n_rows - n_kept;
    if (!out->extraction.log.has_last) {
        TRY(read_again(&kept, source, out, status));
    }
    context_source_done(context);
    if (out->n_read > 0) {
        TRY(event_store_save(&kept.store, &out->extraction, status));
    }
done:
    progress_finish(context_progress(context));
    return code;
}

void catch_up_reading_release(struct catch_up_reading *reading)
{
    extraction_release(&reading->extraction);
    *reading = (struct catch_up_reading){0};
}
