/* One exchange of what stands for each rank. */
#include "ranks/outbox.h"

enum status_code outbox_deliver(struct outbox *outbox, struct ranks *ranks, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t first[RANKS_MAX + 1] = {0};
    buf_clear(&outbox->packed);
    if (ranks_n(ranks) == 1) { /* it is here, and not copied */
        const struct buf empty = outbox->packed;
        outbox->packed = outbox->to[0];
        outbox->to[0] = empty;
        TRY(buf_check(&outbox->packed, status));
        outbox->data = outbox->packed.data;
        outbox->n = outbox->packed.length;
        goto done;
    }
    for (size_t r = 0; r < ranks_n(ranks); r++) {
        TRY(buf_check(&outbox->to[r], status));
        buf_add(&outbox->packed, buf_text(&outbox->to[r]), outbox->to[r].length);
        first[r + 1] = outbox->packed.length;
        buf_clear(&outbox->to[r]);
    }
    TRY(buf_check(&outbox->packed, status));
    TRY(ranks_exchange(ranks, buf_text(&outbox->packed), first, &outbox->in, status));
    outbox->data = outbox->in.data;
    outbox->n = outbox->in.first[ranks_n(ranks)];
done:
    return code;
}

void outbox_release(struct outbox *outbox)
{
    for (size_t r = 0; r < RANKS_MAX; r++) {
        buf_release(&outbox->to[r]);
    }
    buf_release(&outbox->packed);
    ranks_bytes_release(&outbox->in);
}
