/* Agreed between ranks: one may have no late event. */
#include "stages/evaluate/late_parts.h"

#include "dataset/dataset_ranks.h"
#include "run/context_data.h"

enum status_code late_parts_load(struct context *context, const struct interactions *interactions,
                                 const struct judged_part *part, struct late_parts *out,
                                 struct status *status)
{
    const struct artifact *artifact = NULL;
    const bool has_times = dataset_totals(part->dataset).newest != INT64_MIN;
    enum status_code code;
    TRY(context_input(context, "late_events", &artifact, status));
    if (artifact != NULL) {
        TRY(late_events_load(&out->events, artifact, interactions->users.n, interactions->items.n,
                             status));
    }
    int64_t has[] = {late_events_have(&out->events, PART_VALID),
                     late_events_have(&out->events, PART_TEST)};
    TRY(ranks_max_int64(part->crowd.ranks, has, 2, status));
    TRY(ranks_max_int64(part->crowd.ranks, &out->events.before, 1, status));
    out->has_valid = has_times && has[0] > 0;
    out->has_test = has_times && has[1] > 0;
done:
    return code;
}

enum status_code late_parts_begin_test(const struct late_parts *late,
                                       const struct interactions *interactions,
                                       const struct judged_part *part, struct evening *out,
                                       bool *begins, struct status *status)
{
    const bool is_test = part->held_out == &interactions->basis[BASIS_FIT].test;
    const struct evening_source source = {.dataset = part->dataset,
                                          .crowd = part->crowd,
                                          .interactions = interactions,
                                          .events = &late->events};
    *begins = is_test && late->has_valid && (interactions->test_is_given || late->has_test);
    return *begins ? evening_init(out, &source, late->events.before + 1, status) : STATUS_OK;
}
