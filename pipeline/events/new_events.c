/* Gathering, and the artifact. */
#include "events/new_events.h"

#include "base/clock.h"
#include "base/mem.h"

static size_t count(const struct event_log *log, int64_t since)
{
    size_t n = 0;
    for (size_t e = 0; e < log->n; e++) {
        n += log->times[e] >= since ? 1 : 0;
    }
    return n;
}

enum status_code new_events_gather(const struct event_log *log, int64_t since,
                                   struct artifact *artifact, struct status *status)
{
    int32_t *users = NULL, *items = NULL;
    int64_t *times = NULL;
    uint8_t *had = NULL;
    enum status_code code = STATUS_OK;
    if (!log->has_times) {
        return code;
    }
    const size_t n = count(log, since);
    size_t to = 0;
    TRY(MEM_NEW(&users, n, status));
    TRY(MEM_NEW(&items, n, status));
    TRY(MEM_NEW(&times, n, status));
    TRY(MEM_NEW(&had, n, status));
    for (size_t e = 0, end; e < log->n; e = end) {
        bool is_old = false;
        end = event_log_pair_end(log, e);
        for (size_t i = e; i < end; i++) {
            is_old = is_old || log->times[i] < since;
        }
        for (size_t i = e; i < end; i++) {
            if (log->times[i] >= since) {
                users[to] = log->user_codes[i];
                items[to] = log->item_codes[i];
                times[to] = log->times[i];
                had[to++] = is_old;
            }
        }
    }
    artifact_init(artifact, "new_events");
    TRY(artifact_set_number(artifact, "since", (double)since, status));
    TRY(artifact_copy(artifact, "users", ARRAY_I32, n, 1, users, status));
    TRY(artifact_copy(artifact, "items", ARRAY_I32, n, 1, items, status));
    TRY(artifact_copy(artifact, "times", ARRAY_I64, n, 1, times, status));
    TRY(artifact_copy(artifact, "had", ARRAY_U8, n, 1, had, status));
done:
    mem_free(users);
    mem_free(items);
    mem_free(times);
    mem_free(had);
    if (code != STATUS_OK) {
        artifact_release(artifact);
    }
    return code;
}

bool event_pairs_ascend(const int32_t *users, const int32_t *items, size_t n, size_t n_users,
                        size_t n_items)
{
    bool ascend = true;
    for (size_t e = 0; e < n && ascend; e++) {
        const bool same_user = e > 0 && users[e] == users[e - 1];
        ascend = users[e] >= 0 && (size_t)users[e] < n_users && items[e] >= 0 &&
                 (size_t)items[e] < n_items &&
                 (e == 0 || (same_user ? items[e] >= items[e - 1] : users[e] > users[e - 1]));
    }
    return ascend;
}

enum status_code new_events_load(struct new_events *events, const struct artifact *artifact,
                                 size_t n_users, size_t n_items, struct status *status)
{
    const void *users, *items, *times, *had;
    double since;
    size_t n;
    enum status_code code;
    TRY(artifact_get_number(artifact, "since", &since, status));
    TRY(artifact_get(artifact, "users", ARRAY_I32, &users, &n, NULL, status));
    TRY(artifact_get_sized(artifact, "items", ARRAY_I32, n, 1, &items, status));
    TRY(artifact_get_sized(artifact, "times", ARRAY_I64, n, 1, &times, status));
    TRY(artifact_get_sized(artifact, "had", ARRAY_U8, n, 1, &had, status));
    const struct new_events view = {n, users, items, times, had, (int64_t)since, true};
    if (!event_pairs_ascend(users, items, n, n_users, n_items)) {
        TRY(artifact_misfit(artifact, "users, items", "they are out of range or order", status));
    }
    *events = view;
done:
    return code;
}

bool new_events_are_days(const struct new_events *events)
{
    bool are_days = events->n > 0;
    for (size_t e = 0; e < events->n && are_days; e++) {
        are_days = events->times[e] % CLOCK_DAY == 0;
    }
    return are_days;
}

void new_events_release(struct new_events *events)
{
    if (!events->is_view) {
        mem_free((void *)events->users);
        mem_free((void *)events->items);
        mem_free((void *)events->times);
        mem_free((void *)events->had);
    }
    *events = (struct new_events){0};
}
