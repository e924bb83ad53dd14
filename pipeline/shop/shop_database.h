/* Writes a made-up shop into a new SQLite file: tables users, items (of a living shop with a column
 * left_at, NULL: it stays; with vectors a column image, little-endian float32), events, and oracle
 * when asked for. */
#ifndef NIGHTJAR_SHOP_SHOP_DATABASE_H
#define NIGHTJAR_SHOP_SHOP_DATABASE_H

#include "io/progress.h"
#include "shop/shop.h"

/* The file is made beside `path` under another name and moved there when it is complete, so `path`
 * is never half a shop. STATUS_CANNOT_CREATE when it exists and `force` is not set.
 *
 * Table oracle(user_id, rank, item_id, score) has, for every user, the items that are most probable
 * under the model over the last 7 days of the log (shop_probabilities, averaged over the days; over
 * the whole log when it is shorter), without those that the user had an event with before: what no
 * recommender can beat on those days but by luck.
 *
 * Of a living shop oracle(user_id, rank, item_id, score, evening, repeats) has such lists for each
 * user with an event on one of the last `oracle_evenings` days, but the log's first: `evening` is
 * the midnight before that day, repeats 1 where any item may stand in the list, 0 where what the
 * user had an event with before that evening is left out. */
MUST_CHECK enum status_code shop_database_write(const char *path,
                                                const struct shop_database_options *options,
                                                struct progress *progress, struct status *status);

#endif
