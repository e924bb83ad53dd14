/* What goes over the wire, one behind the other: a header; the users; of each item of the slice
 * that is the receiver's the number of spans and the spans; the entries that they lie in, user by
 * user, and their steps. */
#include "pairs/window_parts.h"

#include "base/mem.h"
#include "ranks/shards.h"

#include <string.h>

/* Of a user's counted entries those that are sent: from `low` to before `high`; none while that is
 * 0. The user is the number-th of those sent. */
struct taken_range {
    int32_t low, high, number;
};

struct header {
    int64_t n_users, n_items, n_spans, n_entries;
};

struct sent_user {
    int64_t share, n_entries;
};

struct sent_span {
    int32_t place, length, user; /* the place among the user's entries */
};

enum status_code window_parts_init(struct window_parts *parts, struct status *status)
{
    enum status_code code;
    TRY(MEM_NEW(&parts->ranges, parts->own->n_users, status));
    TRY(MEM_NEW(&parts->users, parts->own->n_users, status));
    parts->all.n_items = parts->own->n_items;
    TRY(MEM_NEW(&parts->all.item_offsets, parts->own->n_items + 1, status));
done:
    return code;
}

static void release_slice(struct pair_windows *all)
{
    mem_free(all->items);
    mem_free(all->steps);
    mem_free(all->shares);
    mem_free(all->user_offsets);
    mem_free(all->spans);
    all->items = NULL;
    all->steps = NULL;
    all->shares = all->user_offsets = NULL;
    all->spans = NULL;
}

void window_parts_release(struct window_parts *parts)
{
    release_slice(&parts->all);
    mem_free(parts->all.item_offsets);
    mem_free(parts->ranges);
    mem_free(parts->users);
    mem_free(parts->send);
    ranks_bytes_release(&parts->received);
}

/* ---- what an owner needs ---- */

/* Whether there is a partner in it: of PAIR_FOLLOWING the interaction is not in it itself. */
static bool has_partners(const struct pair_windows *own, const struct pair_span *span)
{
    return span->length > (own->steps == NULL ? 1 : 0);
}

/* The range of the span's user is widened to it. Returns whether it is the user's first. */
static bool widen(const struct window_parts *parts, const struct pair_span *span)
{
    const struct pair_windows *own = parts->own;
    struct taken_range *range = &parts->ranges[span->user];
    const int64_t place = span->first - own->user_offsets[span->user];
    const int32_t low = (int32_t)(place - (own->steps == NULL ? 0 : 1)); /* its step, too */
    const int32_t high = (int32_t)(place + span->length);
    const bool is_first = range->high == 0;
    range->low = is_first || low < range->low ? low : range->low;
    range->high = high > range->high ? high : range->high;
    return is_first;
}

/* ranges and users: whatever the spans of the rank's items of the slice lie in. */
static struct header find_ranges(const struct window_parts *parts, size_t rank)
{
    const struct pair_windows *own = parts->own;
    struct header header = {0};
    for (size_t i = parts->first_item; i < parts->end_item; i++) {
        const bool is_theirs = shard_item_owner(parts->ranks, i) == rank;
        header.n_items += is_theirs;
        for (int64_t s = own->item_offsets[i]; is_theirs && s < own->item_offsets[i + 1]; s++) {
            if (has_partners(own, &own->spans[s])) {
                header.n_spans++;
                if (widen(parts, &own->spans[s])) {
                    parts->users[header.n_users++] = own->spans[s].user;
                }
            }
        }
    }
    for (int32_t u = 0; u < header.n_users; u++) {
        struct taken_range *range = &parts->ranges[parts->users[u]];
        range->number = u;
        header.n_entries += range->high - range->low;
    }
    return header;
}

/* ---- over the wire ---- */

/* Where in a rank's bytes the parts begin. */
struct layout {
    size_t users, spans, items, steps, end;
};

static struct layout layout_of(const struct window_parts *parts, const struct header *header)
{
    const size_t of_steps = parts->own->steps == NULL ? 0 : sizeof(struct pair_step);
    struct layout at = {.users = sizeof *header};
    at.spans = at.users + (size_t)header->n_users * sizeof(struct sent_user);
    at.items = at.spans + (size_t)header->n_items * sizeof(int64_t) +
               (size_t)header->n_spans * sizeof(struct sent_span);
    at.steps = at.items + (size_t)header->n_entries * sizeof(int32_t);
    at.end = at.steps + (size_t)header->n_entries * of_steps;
    return at;
}

static void put(char *data, size_t *at, const void *from, size_t bytes)
{
    memcpy(data + *at, from, bytes);
    *at += bytes;
}

static void put_spans(const struct window_parts *parts, size_t rank, char *data, struct layout *at)
{
    const struct pair_windows *own = parts->own;
    for (size_t i = parts->first_item; i < parts->end_item; i++) {
        const bool is_theirs = shard_item_owner(parts->ranks, i) == rank;
        const size_t of_count = at->spans;
        int64_t n = 0;
        at->spans += is_theirs ? sizeof n : 0;
        for (int64_t s = own->item_offsets[i]; is_theirs && s < own->item_offsets[i + 1]; s++) {
            const struct pair_span *span = &own->spans[s];
            if (has_partners(own, span)) {
                const struct taken_range *range = &parts->ranges[span->user];
                const int64_t place = span->first - own->user_offsets[span->user] - range->low;
                const struct sent_span sent = {(int32_t)place, span->length, range->number};
                put(data, &at->spans, &sent, sizeof sent);
                n++;
            }
        }
        if (is_theirs) {
            memcpy(data + of_count, &n, sizeof n);
        }
    }
}

/* Of each user share and entries; no range is taken any more. */
static void put_users(const struct window_parts *parts, size_t n_users, char *data,
                      struct layout *at)
{
    const struct pair_windows *own = parts->own;
    for (size_t u = 0; u < n_users; u++) {
        const int32_t user = parts->users[u];
        struct taken_range *range = &parts->ranges[user];
        const int64_t first = own->user_offsets[user] + range->low;
        const size_t n = (size_t)(range->high - range->low);
        const struct sent_user sent = {own->shares[user], (int64_t)n};
        put(data, &at->users, &sent, sizeof sent);
        put(data, &at->items, own->items + first, n * sizeof *own->items);
        if (own->steps != NULL) {
            put(data, &at->steps, own->steps + first, n * sizeof *own->steps);
        }
        *range = (struct taken_range){0};
    }
}

/* What the rank needs, behind what is there to be sent. */
static enum status_code pack(struct window_parts *parts, size_t rank, struct status *status)
{
    const struct header header = find_ranges(parts, rank);
    struct layout at = layout_of(parts, &header);
    const size_t end = parts->n_sent + at.end;
    enum status_code code = STATUS_OK;
    if (end > parts->room) {
        const size_t room = end + end / 2;
        TRY(MEM_RESIZE(&parts->send, parts->room, room, status));
        parts->room = room;
    }
    char *const data = parts->send + parts->n_sent;
    memcpy(data, &header, sizeof header);
    put_spans(parts, rank, data, &at);
    put_users(parts, (size_t)header.n_users, data, &at);
    parts->n_sent = end;
done:
    return code;
}

/* ---- what came ---- */

static struct header header_of(const struct window_parts *parts, size_t rank)
{
    struct header header;
    memcpy(&header, parts->received.data + parts->received.first[rank], sizeof header);
    return header;
}

/* Room for what all ranks have sent. */
static enum status_code reserve(struct window_parts *parts, struct status *status)
{
    struct pair_windows *all = &parts->all;
    size_t n_users = 0, n_entries = 0, n_spans = 0;
    enum status_code code;
    for (size_t r = 0; r < ranks_n(parts->ranks); r++) {
        const struct header header = header_of(parts, r);
        n_users += (size_t)header.n_users;
        n_entries += (size_t)header.n_entries;
        n_spans += (size_t)header.n_spans;
    }
    release_slice(all);
    all->n_users = n_users;
    TRY(MEM_NEW(&all->shares, n_users, status));
    TRY(MEM_NEW(&all->user_offsets, n_users + 1, status));
    TRY(MEM_NEW(&all->items, n_entries, status));
    if (parts->own->steps != NULL) {
        TRY(MEM_NEW(&all->steps, n_entries, status));
    }
    TRY(MEM_NEW(&all->spans, n_spans, status));
done:
    return code;
}

/* Shares and entries of one rank's users, who follow n_users of others. Returns how many follow
 * them. */
static size_t take_users(struct window_parts *parts, size_t rank, size_t n_users)
{
    struct pair_windows *all = &parts->all;
    const char *data = parts->received.data + parts->received.first[rank];
    const struct header header = header_of(parts, rank);
    const struct layout at = layout_of(parts, &header);
    const int64_t first = all->user_offsets[n_users];
    const size_t n = (size_t)header.n_entries;
    for (size_t u = 0; u < (size_t)header.n_users; u++, n_users++) {
        struct sent_user sent;
        memcpy(&sent, data + at.users + u * sizeof sent, sizeof sent);
        all->shares[n_users] = sent.share;
        all->user_offsets[n_users + 1] = all->user_offsets[n_users] + sent.n_entries;
    }
    if (n > 0) {
        memcpy(all->items + first, data + at.items, n * sizeof *all->items);
    }
    if (n > 0 && all->steps != NULL) {
        memcpy(all->steps + first, data + at.steps, n * sizeof *all->steps);
    }
    return n_users;
}

/* The spans of one rank's users for one item, which begin at *at and follow n of others. Returns
 * how many follow them. */
static int64_t take_spans(struct pair_windows *all, const char *data, size_t *at, size_t n_users,
                          int64_t n)
{
    int64_t count;
    memcpy(&count, data + *at, sizeof count);
    *at += sizeof count;
    for (int64_t k = 0; k < count; k++, *at += sizeof(struct sent_span)) {
        struct sent_span sent;
        memcpy(&sent, data + *at, sizeof sent);
        const size_t user = n_users + (size_t)sent.user;
        all->spans[n++] =
            (struct pair_span){all->user_offsets[user] + sent.place, sent.length, (int32_t)user};
    }
    return n;
}

static enum status_code unpack(struct window_parts *parts, struct status *status)
{
    struct pair_windows *all = &parts->all;
    const size_t n_ranks = ranks_n(parts->ranks);
    size_t at[RANKS_MAX], n_users[RANKS_MAX + 1] = {0}; /* before each rank's */
    int64_t n_spans = 0;
    enum status_code code;
    TRY(reserve(parts, status));
    for (size_t r = 0; r < n_ranks; r++) {
        const struct header header = header_of(parts, r);
        at[r] = parts->received.first[r] + layout_of(parts, &header).spans;
        n_users[r + 1] = take_users(parts, r, n_users[r]);
    }
    for (size_t i = parts->first_item; i < parts->end_item; i++) {
        all->item_offsets[i] = n_spans;
        for (size_t r = 0; shard_item_is_own(parts->ranks, i) && r < n_ranks; r++) {
            n_spans = take_spans(all, parts->received.data, &at[r], n_users[r], n_spans);
        }
    }
    all->item_offsets[parts->end_item] = n_spans;
done:
    return code;
}

enum status_code window_parts_bring(struct window_parts *parts, size_t first_item, size_t end_item,
                                    struct status *status)
{
    size_t first[RANKS_MAX + 1] = {0};
    enum status_code code;
    parts->first_item = first_item;
    parts->end_item = end_item;
    parts->n_sent = 0;
    for (size_t r = 0; r < ranks_n(parts->ranks); r++) {
        TRY(pack(parts, r, status));
        first[r + 1] = parts->n_sent;
    }
    TRY(ranks_exchange(parts->ranks, parts->send, first, &parts->received, status));
    TRY(unpack(parts, status));
done:
    return code;
}
