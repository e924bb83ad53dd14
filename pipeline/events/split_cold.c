/* Users and items held out on purpose: a log whose k-core takes nobody has no cold entities to
 * judge on. */
#include "events/split.h"

#include "base/mem.h"
#include "base/rng.h"

#include <assert.h>

/* Of a drawn user's pairs one in so many, the last ones, is asked. */
enum { ASKED_ONE_IN = 5 };

/* A pair of the user who is looked at, with an item that stays. */
struct own_pair {
    size_t first, end; /* its events */
    int64_t newest;
    int32_t item;
    uint64_t tie;
};

static int compare_own_pairs(const void *left, const void *right)
{
    const struct own_pair *a = left, *b = right;

    if (a->newest != b->newest) {
        return a->newest < b->newest ? -1 : 1;
    }
    return (a->tie > b->tie) - (a->tie < b->tie);
}

static bool is_drawn(const struct split_settings *settings, const char *purpose, double share,
                     const struct vocabulary *vocabulary, size_t code)
{
    struct rng rng;

    rng_init(&rng, settings->seed, purpose, 0, vocabulary_key(vocabulary, code));
    return rng_double(&rng) < share;
}

static void set_parts(struct event_log *log, size_t first, size_t end, enum event_part part)
{
    for (size_t e = first; e < end; e++) {
        log->parts[e] = (uint8_t)part;
    }
}

/* Every event of a drawn item leaves. */
static void hold_out_items(const struct split_settings *settings, struct event_log *log)
{
    for (size_t i = 0; i < log->items.n; i++) {
        log->cold_items[i] =
            is_drawn(settings, "interactions.cold_items", settings->cold_items, &log->items, i);
    }
    for (size_t e = 0; e < log->n; e++) {
        if (log->cold_items[log->item_codes[e]]) {
            log->parts[e] = PART_COLD_ASKED;
        }
    }
}

/* pairs gets the user's pairs with items that stay, in item order; returns how many. */
static size_t list_own_pairs(const struct event_log *log, size_t user, struct own_pair *pairs)
{
    size_t n = 0, last = (size_t)log->user_start[user + 1];

    for (size_t e = (size_t)log->user_start[user], end; e < last; e = end) {
        struct own_pair pair = {.first = e, .newest = log->times[e], .item = log->item_codes[e]};
        end = pair.end = event_log_pair_end(log, e);
        for (size_t i = e; i < end; i++) {
            pair.newest = log->times[i] > pair.newest ? log->times[i] : pair.newest;
        }
        if (!log->cold_items[pair.item]) {
            pairs[n++] = pair;
        }
    }
    return n;
}

/* order (n) = places in `pairs`, the asked ones last. */
static void order_pairs(const struct split_settings *settings, const struct event_log *log,
                        size_t user, struct own_pair *pairs, size_t n, uint32_t *order)
{
    struct rng rng;

    if (log->has_times) {
        for (size_t i = 0; i < n; i++) {
            pairs[i].tie = history_tie(settings->seed, vocabulary_key(&log->users, user),
                                       vocabulary_key(&log->items, (size_t)pairs[i].item));
        }
        qsort(pairs, n, sizeof *pairs, compare_own_pairs);
        for (size_t i = 0; i < n; i++) {
            order[i] = (uint32_t)i;
        }
        return;
    }
    rng_init(&rng, settings->seed, "interactions.cold_history", 0,
             vocabulary_key(&log->users, user));
    rng_permutation(&rng, n, order);
}

static void hold_out_user(const struct split_settings *settings, struct event_log *log, size_t user,
                          struct own_pair *pairs, size_t n, uint32_t *order)
{
    size_t n_asked = n / ASKED_ONE_IN > 0 ? n / ASKED_ONE_IN : 1;

    order_pairs(settings, log, user, pairs, n, order);
    for (size_t i = 0; i < n; i++) {
        const struct own_pair *pair = &pairs[order[i]];
        set_parts(log, pair->first, pair->end, i < n - n_asked ? PART_COLD_KNOWN : PART_COLD_ASKED);
    }
}

static enum status_code hold_out_users(const struct split_settings *settings, struct event_log *log,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    struct own_pair *pairs = NULL;
    uint32_t *order = NULL;
    size_t longest = 0;

    for (size_t user = 0; user < log->users.n; user++) {
        size_t n = (size_t)(log->user_start[user + 1] - log->user_start[user]);
        longest = n > longest ? n : longest;
    }
    TRY(MEM_NEW(&pairs, longest, status));
    TRY(MEM_NEW(&order, longest, status));
    for (size_t user = 0; user < log->users.n; user++) {
        if (is_drawn(settings, "interactions.cold_users", settings->cold_users, &log->users,
                     user)) {
            size_t n = list_own_pairs(log, user, pairs);
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

static bool any_left(const struct event_log *log)
{
    for (size_t e = 0; e < log->n; e++) {
        if (log->parts[e] == PART_TRAIN) {
            return true;
        }
    }
    return false;
}

enum status_code split_hold_out_cold(const struct split_settings *settings, struct event_log *log,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;

    assert(log->user_start != NULL && log->cold_items == NULL);
    if (settings->cold_users <= 0 && settings->cold_items <= 0) {
        return STATUS_OK;
    }
    TRY(MEM_NEW(&log->cold_items, log->items.n, status));
    hold_out_items(settings, log);
    TRY(hold_out_users(settings, log, status));
    if (!any_left(log)) {
        code =
            status_set(status, STATUS_DATA,
                       "split: cold_users: %g and cold_items: %g hold out every event of the log "
                       "(%zu users, %zu items), nothing is left to train on; lower them",
                       settings->cold_users, settings->cold_items, log->users.n, log->items.n);
    }
done:
    return code;
}
