/* Writes a made-up shop into a new SQLite file: tables users, items, events, and oracle when asked
 * for. */
#ifndef NIGHTJAR_SHOP_SHOP_DATABASE_H
#define NIGHTJAR_SHOP_SHOP_DATABASE_H

#include "base/watch.h"
#include "io/progress.h"
#include "shop/shop.h"

struct shop_database_options {
    struct shop_options shop;
    bool text_ids;      /* "u1", "i1", ... instead of 1, ... */
    size_t oracle_k;    /* rows a user in the table oracle; 0: no such table */
    bool force;         /* an existing file is replaced */
    struct watch watch; /* asked now and then */
};

/* The file is made beside `path` under another name and moved there when it is complete, so `path`
 * is never half a shop. STATUS_CANNOT_CREATE when it exists and `force` is not set.
 *
 * Table oracle(user_id, rank, item_id, score) has, for every user, the items that are most probable
 * under the model over the last 7 days of the log (shop_probabilities, averaged over the days; over
 * the whole log when it is shorter), without those that the user had an event with before: what no
 * recommender can beat on those days but by luck. */
MUST_CHECK enum status_code shop_database_write(const char *path,
                                                const struct shop_database_options *options,
                                                struct progress *progress, struct status *status);

#endif
