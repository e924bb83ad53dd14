/* Users and items held out on purpose: a log whose k-core takes nobody has no cold entities to
 * judge on. */
#include "events/split.h"

#include "base/mem.h"
#include "base/rng.h"

#include <assert.h>

/* Of a drawn user's pairs one in so many, the last ones, is asked. */
enum { ASKED_ONE_IN = 5 };

/* Where events are that no drawn item has taken out. */
enum { IN_LOG = PART_TRAIN | PART_VALID | PART_TEST };

static bool is_drawn(const struct split_settings *settings, const char *purpose, double share,
                     const struct vocabulary *vocabulary, size_t code)
{
    struct rng rng;

    rng_init(&rng, settings->seed, purpose, 0, vocabulary_key(vocabulary, code));
    return rng_double(&rng) < share;
}

/* The last pairs are asked, the others known. Without times the order is drawn. */
static void hold_out_user(const struct split_settings *settings, struct event_log *log, size_t user,
                          struct user_pair *pairs, size_t n, uint32_t *order)
{
    const size_t n_asked = n / ASKED_ONE_IN > 0 ? n / ASKED_ONE_IN : 1;
    struct rng rng;

    if (log->has_times) {
        split_order_pairs(settings, log, user, pairs, n);
    } else {
        rng_init(&rng, settings->seed, "interactions.cold_history", 0,
                 vocabulary_key(&log->users, user));
        rng_permutation(&rng, n, order);
    }
    for (size_t i = 0; i < n; i++) {
        split_set_part(log, &pairs[log->has_times ? i : order[i]], IN_LOG,
                       i < n - n_asked ? PART_COLD_KNOWN : PART_COLD_ASKED);
    }
}

static enum status_code hold_out_users(const struct split_settings *settings, struct event_log *log,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    struct user_pair *pairs = NULL;
    uint32_t *order = NULL;
    const size_t longest = split_longest_user(log);

    TRY(MEM_NEW(&pairs, longest, status));
    TRY(MEM_NEW(&order, longest, status));
    for (size_t user = 0; user < log->users.n; user++) {
        if (is_drawn(settings, "interactions.cold_users", settings->cold_users, &log->users,
                     user)) {
            const size_t n = split_list_pairs(log, user, IN_LOG, pairs);
            if (n >= 2) {
                hold_out_user(settings, log, user, pairs, n, order);
            }
        }
    }
done:
    mem_free(pairs);
    mem_free(order);
    return code;
}

enum status_code split_hold_out_cold(const struct split_settings *settings, struct event_log *log,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t counts[2] = {0, (int64_t)log->users.n}; /* events that are left, users */

    assert(log->user_start != NULL && log->cold_items == NULL);
    if (settings->cold_users <= 0 && settings->cold_items <= 0) {
        return STATUS_OK;
    }
    TRY(MEM_NEW(&log->cold_items, log->items.n, status));
    for (size_t i = 0; i < log->items.n; i++) {
        log->cold_items[i] =
            is_drawn(settings, "interactions.cold_items", settings->cold_items, &log->items, i);
    }
    for (size_t e = 0; e < log->n; e++) {
        if (log->cold_items[log->item_codes[e]]) {
            log->parts[e] = PART_COLD_ASKED;
        }
    }
    TRY(hold_out_users(settings, log, status));
    for (size_t e = 0; e < log->n; e++) {
        counts[0] += log->parts[e] == PART_TRAIN;
    }
    TRY(ranks_sum_int64(log->ranks, counts, 2, status));
    if (counts[0] == 0) {
        code = status_set(
            status, STATUS_DATA,
            "split: cold_users: %g and cold_items: %g hold out every event of the log "
            "(%lld users, %zu items), nothing is left to train on; lower them",
            settings->cold_users, settings->cold_items, (long long)counts[1], log->items.n);
    }
done:
    return code;
}
