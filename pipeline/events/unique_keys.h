/* Whether the keys of a read are unique, at a few nanoseconds a row: rows most often come in the
 * order of their keys, which needs no memory but that of the keys; else they are sorted at the end.
 *
 *     unique_keys_add() for each row, then unique_keys_end()
 */
#ifndef NIGHTJAR_EVENTS_UNIQUE_KEYS_H
#define NIGHTJAR_EVENTS_UNIQUE_KEYS_H

#include "base/status.h"

/* Zero-initialise. */
struct unique_keys {
    int64_t *keys; /* (n), in the order of the rows */
    size_t n, capacity;
    bool is_unordered;
};

MUST_CHECK enum status_code unique_keys_add(struct unique_keys *keys, int64_t key,
                                            struct status *status);
/* *collide: the rows `first` and `second`, counted from 0, have the same key. */
MUST_CHECK enum status_code unique_keys_end(const struct unique_keys *keys, bool *collide,
                                            size_t *first, size_t *second, struct status *status);
void unique_keys_release(struct unique_keys *keys);

#endif
