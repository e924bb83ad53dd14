/* Last night's tower, its items found by id; train's, by their codes. */
#include "sequence/sequence_warm.h"

#include "base/mem.h"
#include "run/context_data.h"
#include "sequence/sequence_kept.h"

/* Adds a sentence to `why` where the tower is another than today's. */
static void compare(const struct sequence_facts *facts, const struct vocabulary *before,
                    const struct sequence_settings *settings, int64_t published, struct buf *why)
{
    if (facts->layers != settings->layers || facts->dimension != settings->dimension) {
        buf_addf(why, "the last one has %zu layers of %zu, today's %zu of %zu", facts->layers,
                 facts->dimension, settings->layers, settings->dimension);
    } else if (facts->run_started == 0 || before->n != facts->n_items) {
        buf_add_text(why, "the last one is an older nightjar's and does not name its items");
    } else if (facts->run_started > published) {
        buf_add_text(why, "what is published was made without the last one");
    }
}

/* Its row of each of today's items. */
static enum status_code find_rows(struct sequence_warm *warm, const struct training *training,
                                  const struct vocabulary *before, struct buf *why,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct interactions *interactions = &training->interactions;
    const struct dataset *dataset = &interactions->basis[training->basis];
    int32_t *row_of = NULL;
    size_t n_known = 0;
    TRY(MEM_NEW(&row_of, interactions->items.n, status));
    TRY(MEM_NEW(&warm->rows, dataset->n_items, status));
    vocabulary_locate(&interactions->items, before, row_of);
    for (size_t i = 0; i < dataset->n_items; i++) {
        warm->rows[i] = row_of[dataset->items[i]];
        n_known += warm->rows[i] >= 0;
    }
    if (2 * n_known < dataset->n_items) {
        buf_addf(why, "the last one knows %zu of the %zu items, fewer than half", n_known,
                 dataset->n_items);
    } else {
        log_write(context_log(training->context), LOG_INFO,
                  "%s: sequences go on from the last tower, which knows %zu of the %zu items",
                  context_label(training->context), n_known, dataset->n_items);
    }
done:
    mem_free(row_of);
    return code;
}

static enum status_code read_last(struct sequence_warm *warm, const struct training *training,
                                  int64_t published, struct buf *why, struct status *status)
{
    enum status_code code;
    struct sequence_facts facts;
    struct vocabulary before;
    TRY(sequence_facts_load(&facts, &warm->artifact, status));
    TRY(sequence_kept_items(&before, &warm->artifact, status));
    compare(&facts, &before, &training->settings.sequence, published, why);
    if (why->length == 0) {
        TRY(find_rows(warm, training, &before, why, status));
    }
    TRY(buf_check(why, status));
    warm->start = (struct sequence_start){&warm->artifact, facts.n_items, warm->rows};
    warm->is_warm = why->length == 0;
done:
    return code;
}

enum status_code sequence_warm_open(struct sequence_warm *warm, const struct training *training,
                                    int64_t published, struct status *status)
{
    enum status_code code;
    struct log *log = context_log(training->context);
    const char *label = context_label(training->context);
    struct buf why = {0};
    bool found = false;
    TRY(context_last_output(training->context, "sequence", &warm->artifact, &found, status));
    if (!found || published == 0) {
        log_write(log, LOG_INFO,
                  "%s: sequences start from train's tower: no night before has left one", label);
        goto done;
    }
    TRY(read_last(warm, training, published, &why, status));
    if (!warm->is_warm) {
        log_write(log, LOG_WARNING, "%s: sequences start from train's tower: %s", label,
                  buf_text(&why));
    }
done:
    buf_release(&why);
    return code;
}

enum status_code sequence_warm_of_train(struct sequence_warm *warm, const struct training *training,
                                        const struct artifact *weights, struct status *status)
{
    enum status_code code;
    const struct interactions *interactions = &training->interactions;
    const struct dataset *fit = &interactions->basis[BASIS_FIT];
    const struct dataset *dataset = &interactions->basis[training->basis];
    int32_t *row_of = NULL;
    TRY(MEM_NEW(&row_of, interactions->items.n, status));
    TRY(MEM_NEW(&warm->rows, dataset->n_items, status));
    dataset_invert(fit->items, fit->n_items, interactions->items.n, row_of);
    for (size_t i = 0; i < dataset->n_items; i++) {
        warm->rows[i] = row_of[dataset->items[i]];
    }
    warm->start = (struct sequence_start){weights, fit->n_items, warm->rows};
    warm->is_warm = true;
done:
    mem_free(row_of);
    return code;
}

void sequence_warm_release(struct sequence_warm *warm)
{
    artifact_release(&warm->artifact);
    mem_free(warm->rows);
    *warm = (struct sequence_warm){0};
}
