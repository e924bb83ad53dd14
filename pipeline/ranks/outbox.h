/* Bytes for each rank, put together piece by piece in any order and delivered at once.
 *
 *     struct outbox outbox = {0};
 *     buf_add(&outbox.to[rank], piece, n);                      as often as wanted
 *     TRY(outbox_deliver(&outbox, ranks, status));              on all ranks
 *     outbox.data (outbox.n bytes)                              what all had for this one
 *     outbox_release(&outbox); */
#ifndef NIGHTJAR_RANKS_OUTBOX_H
#define NIGHTJAR_RANKS_OUTBOX_H

#include "base/buf.h"
#include "ranks/ranks.h"

/* Zero-initialise; used again from delivery to delivery. */
struct outbox {
    struct buf to[RANKS_MAX];
    /* of the last delivery, in the order of ranks; to be changed at will */
    char *data;
    size_t n;
    struct buf packed; /* work memory */
    struct ranks_bytes in;
};

MUST_CHECK enum status_code outbox_deliver(struct outbox *outbox, struct ranks *ranks,
                                           struct status *status);
void outbox_release(struct outbox *outbox);

#endif
