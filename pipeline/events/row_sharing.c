/* Rows as bytes: a head, then the two ids. */
#include "events/row_sharing.h"

#include "ranks/shards.h"

struct row_head {
    int64_t time;
    float weight;
    uint32_t user_bytes, item_bytes;
    uint8_t log, part, user_is_text, item_is_text;
};

void row_sharing_release(struct row_sharing *sharing)
{
    outbox_release(&sharing->outbox);
}

static size_t rank_of(const struct row_sharing *sharing, const struct row_id *user)
{
    return ranks_owner(sharing->ranks, shard_of_key(vocabulary_key_of(user)));
}

bool row_sharing_is_own(const struct row_sharing *sharing, const struct row_id *user)
{
    return rank_of(sharing, user) == ranks_mine(sharing->ranks);
}

static const void *id_bytes(const struct row_id *id, uint32_t *n)
{
    *n = (uint32_t)(id->is_text ? id->length : sizeof id->integer);
    return id->is_text ? (const void *)id->text : &id->integer;
}

enum status_code row_sharing_send(struct row_sharing *sharing, const struct event_log *log,
                                  const struct row_id *user, const struct row_id *item,
                                  float weight, int64_t time, enum event_part part,
                                  struct status *status)
{
    struct row_head head = {.time = time,
                            .weight = weight,
                            .part = (uint8_t)part,
                            .user_is_text = user->is_text,
                            .item_is_text = item->is_text};
    const void *user_bytes = id_bytes(user, &head.user_bytes);
    const void *item_bytes = id_bytes(item, &head.item_bytes);
    struct buf *out = &sharing->outbox.to[rank_of(sharing, user)];

    while (sharing->logs[head.log] != log) {
        head.log++;
    }
    buf_add(out, (const char *)&head, sizeof head);
    buf_add(out, user_bytes, head.user_bytes);
    buf_add(out, item_bytes, head.item_bytes);
    return out->failed ? buf_check(out, status) : STATUS_OK;
}

static struct row_id id_at(const char *bytes, uint32_t n, bool is_text)
{
    struct row_id id = {.is_text = is_text, .text = bytes, .length = n};
    if (!is_text) {
        memcpy(&id.integer, bytes, sizeof id.integer);
    }
    return id;
}

enum status_code row_sharing_deliver(struct row_sharing *sharing, struct status *status)
{
    enum status_code code = STATUS_OK;

    TRY(outbox_deliver(&sharing->outbox, sharing->ranks, status));
    const char *at = sharing->outbox.data;
    const char *end = at + sharing->outbox.n;
    while (at < end) {
        struct row_head head;
        int32_t user, item;
        memcpy(&head, at, sizeof head);
        at += sizeof head;
        const struct row_id user_id = id_at(at, head.user_bytes, head.user_is_text);
        at += head.user_bytes;
        const struct row_id item_id = id_at(at, head.item_bytes, head.item_is_text);
        at += head.item_bytes;
        struct event_log *log = sharing->logs[head.log];
        TRY(vocabulary_add(&log->users, &user_id, &user, status));
        TRY(vocabulary_add(&log->items, &item_id, &item, status));
        TRY(event_log_add(log, user, item, head.weight, head.time, (enum event_part)head.part,
                          status));
    }
done:
    return code;
}
