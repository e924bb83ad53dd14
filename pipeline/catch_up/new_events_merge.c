/* The events of base and delta as one: both are in order, so that they are gone through once. */
#include "catch_up/delta.h"

#include "base/mem.h"

/* Codes of one side in what is made, and the delta's in the base (-1: not there). */
struct code_maps {
    int32_t *base, *delta, *delta_in_base;
};

static void maps_release(struct code_maps *maps)
{
    mem_free(maps->base);
    mem_free(maps->delta);
    mem_free(maps->delta_in_base);
}

static enum status_code map_codes(const struct vocabulary *base, const struct vocabulary *delta,
                                  const struct vocabulary *merged, struct code_maps *maps,
                                  struct status *status)
{
    enum status_code code;
    TRY(MEM_NEW(&maps->base, base->n, status));
    TRY(MEM_NEW(&maps->delta, delta->n, status));
    TRY(MEM_NEW(&maps->delta_in_base, delta->n, status));
    vocabulary_locate(base, merged, maps->base);
    vocabulary_locate(delta, merged, maps->delta);
    vocabulary_locate(delta, base, maps->delta_in_base);
done:
    return code;
}

/* Whether the base has the pair, which has no event in it since its events begin. */
static bool had_in_base(const struct interactions *base, int32_t user, int32_t item)
{
    size_t n = 0;
    const int32_t *items = user < 0 || item < 0 || base->log.matrix.n_rows == 0
                               ? NULL
                               : sparse_row(&base->log.matrix, (size_t)user, &n);
    return items != NULL && columns_find(items, n, item) < n;
}

/* A pair as a number that ascends as pairs do. */
static int64_t pair_of(const struct new_events *events, size_t e, const int32_t *users,
                       const int32_t *items)
{
    return e == events->n
               ? INT64_MAX
               : ((int64_t)users[events->users[e]] << 32) | (int64_t)items[events->items[e]];
}

struct made_events {
    int32_t *users, *items;
    int64_t *times;
    uint8_t *had;
    size_t n;
};

static void put(struct made_events *made, int64_t pair, int64_t time, bool had)
{
    made->users[made->n] = (int32_t)(pair >> 32);
    made->items[made->n] = (int32_t)(pair & INT32_MAX);
    made->times[made->n] = time;
    made->had[made->n++] = had;
}

static void merge(const struct interactions *base, const struct new_events *before,
                  const struct new_events *since, const struct code_maps *users,
                  const struct code_maps *items, struct made_events *made)
{
    int64_t last = -1; /* the pair of the event before, and whether it is older */
    bool had = false;
    for (size_t b = 0, d = 0; b < before->n || d < since->n;) {
        const int64_t old_pair = pair_of(before, b, users->base, items->base);
        const int64_t new_pair = pair_of(since, d, users->delta, items->delta);
        if (old_pair <= new_pair) {
            had = before->had[b] != 0;
            last = old_pair;
            put(made, last, before->times[b++], had);
            continue;
        }
        if (new_pair != last) {
            had = had_in_base(base, users->delta_in_base[since->users[d]],
                              items->delta_in_base[since->items[d]]);
            last = new_pair;
        }
        put(made, last, since->times[d++], had);
    }
}

enum status_code new_events_merge(const struct interactions *base,
                                  const struct new_events *base_events, const struct delta *delta,
                                  const struct interactions *merged, struct new_events *out,
                                  bool *found, struct status *status)
{
    const size_t n = base_events->n + delta->events.n;
    struct code_maps users = {0}, items = {0};
    struct made_events made = {0};
    enum status_code code = STATUS_OK;
    *found = delta->events.n == delta->n_events;
    if (!*found) {
        goto done;
    }
    TRY(map_codes(&base->users, &delta->users, &merged->users, &users, status));
    TRY(map_codes(&base->items, &delta->items, &merged->items, &items, status));
    TRY(MEM_NEW(&made.users, n, status));
    TRY(MEM_NEW(&made.items, n, status));
    TRY(MEM_NEW(&made.times, n, status));
    TRY(MEM_NEW(&made.had, n, status));
    merge(base, base_events, &delta->events, &users, &items, &made);
    *out = (struct new_events){.n = made.n,
                               .users = made.users,
                               .items = made.items,
                               .times = made.times,
                               .had = made.had,
                               .since = base_events->since};
    made = (struct made_events){0};
done:
    mem_free(made.users);
    mem_free(made.items);
    mem_free(made.times);
    mem_free(made.had);
    maps_release(&users);
    maps_release(&items);
    return code;
}
