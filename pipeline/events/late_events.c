/* Gathering, and the artifact. */
#include "events/late_events.h"

#include "base/mem.h"
#include "events/new_events.h"

/* *newer: there is something of the parts `late`, and all of it is newer than all of `rest`, of
 * which *before is the newest time. Of all ranks. */
static enum status_code compare_parts(const struct event_log *log, unsigned late, unsigned rest,
                                      int64_t *before, bool *newer, struct status *status)
{
    enum status_code code;
    bool has_rest = false;
    int64_t oldest_negated = INT64_MIN; /* its negative: the greatest is of the oldest */
    TRY(event_log_newest_of_all(log, rest, before, &has_rest, status));
    for (size_t e = 0; e < log->n; e++) {
        if ((log->parts[e] & late) != 0 && -log->times[e] > oldest_negated) {
            oldest_negated = -log->times[e];
        }
    }
    TRY(ranks_max_int64(log->ranks, &oldest_negated, 1, status));
    *newer = log->has_times && oldest_negated != INT64_MIN && has_rest && -oldest_negated > *before;
done:
    return code;
}

enum status_code late_events_gather(const struct event_log *log, struct artifact *artifact,
                                    struct status *status)
{
    int32_t *users = NULL, *items = NULL;
    int64_t *times = NULL;
    float *weights = NULL;
    uint8_t *parts = NULL;
    int64_t trained, before;
    size_t n = 0;
    enum status_code code = STATUS_OK;
    bool is_test_late, is_valid_late;
    TRY(compare_parts(log, PART_TEST, PART_TRAIN | PART_VALID, &before, &is_test_late, status));
    TRY(compare_parts(log, PART_VALID, PART_TRAIN, &trained, &is_valid_late, status));
    if (!is_test_late && !is_valid_late) {
        goto done;
    }
    const unsigned late = PART_VALID | (is_test_late ? PART_TEST : 0U);
    for (size_t e = 0; e < log->n; e++) {
        n += (log->parts[e] & late) != 0 ? 1 : 0;
    }
    TRY(MEM_NEW(&users, n, status));
    TRY(MEM_NEW(&items, n, status));
    TRY(MEM_NEW(&times, n, status));
    TRY(MEM_NEW(&weights, n, status));
    TRY(MEM_NEW(&parts, n, status));
    n = 0;
    for (size_t e = 0, end; e < log->n; e = end) {
        unsigned seen = 0;
        end = event_log_pair_end(log, e);
        for (size_t i = e; i < end; i++) {
            seen |= log->parts[i];
        }
        for (size_t i = e; i < end; i++) {
            if ((log->parts[i] & late) != 0) {
                users[n] = log->user_codes[i];
                items[n] = log->item_codes[i];
                times[n] = log->times[i];
                weights[n] = log->weights[i];
                parts[n++] = (uint8_t)(log->parts[i] | (seen & PART_TRAIN));
            }
        }
    }
    artifact_init(artifact, "late_events");
    TRY(artifact_set_number(artifact, "before", (double)before, status));
    TRY(artifact_copy(artifact, "users", ARRAY_I32, n, 1, users, status));
    TRY(artifact_copy(artifact, "items", ARRAY_I32, n, 1, items, status));
    TRY(artifact_copy(artifact, "times", ARRAY_I64, n, 1, times, status));
    TRY(artifact_copy(artifact, "weights", ARRAY_F32, n, 1, weights, status));
    TRY(artifact_copy(artifact, "parts", ARRAY_U8, n, 1, parts, status));
done:
    mem_free(users);
    mem_free(items);
    mem_free(times);
    mem_free(weights);
    mem_free(parts);
    if (code != STATUS_OK) {
        artifact_release(artifact);
    }
    return code;
}

enum status_code late_events_load(struct late_events *events, const struct artifact *artifact,
                                  size_t n_users, size_t n_items, struct status *status)
{
    const void *users, *items, *times, *weights, *parts;
    double before;
    size_t n;
    enum status_code code;
    TRY(artifact_get_number(artifact, "before", &before, status));
    TRY(artifact_get(artifact, "users", ARRAY_I32, &users, &n, NULL, status));
    TRY(artifact_get_sized(artifact, "items", ARRAY_I32, n, 1, &items, status));
    TRY(artifact_get_sized(artifact, "times", ARRAY_I64, n, 1, &times, status));
    TRY(artifact_get_sized(artifact, "weights", ARRAY_F32, n, 1, &weights, status));
    TRY(artifact_get_sized(artifact, "parts", ARRAY_U8, n, 1, &parts, status));
    const struct late_events view = {n, users, items, times, weights, parts, (int64_t)before};
    if (!event_pairs_ascend(users, items, n, n_users, n_items)) {
        TRY(artifact_misfit(artifact, "users, items", "they are out of range or order", status));
    }
    *events = view;
done:
    return code;
}

bool late_events_have(const struct late_events *events, unsigned parts)
{
    bool any = false;
    for (size_t e = 0; e < events->n; e++) {
        any = any || (events->parts[e] & parts) != 0;
    }
    return any;
}
