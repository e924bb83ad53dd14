/* Small random interaction logs and a naive reading of them: dense arrays and repeated loops, to
 * compare the interactions stage with. User u and item i have ids that ascend with u and i. */
#ifndef NIGHTJAR_TESTS_SHOP_LOG_H
#define NIGHTJAR_TESTS_SHOP_LOG_H

#include "base/rng.h"
#include "events/extract.h"

enum { LOG_USERS = 24, LOG_ITEMS = 18, LOG_ROWS = 400 };

struct shop_row {
    size_t user, item;
    int event; /* index of event_names */
    double weight;
    int64_t time;
    enum event_part part; /* of the naive split */
};

struct shop_log {
    bool text_ids, has_times;
    size_t n;
    struct shop_row rows[LOG_ROWS];
};

/* One naive history. */
struct naive {
    bool has[LOG_USERS][LOG_ITEMS];
    double weight[LOG_USERS][LOG_ITEMS];
    int64_t newest[LOG_USERS][LOG_ITEMS];
    int64_t events[LOG_ITEMS];
};

void shop_log_fill(struct shop_log *log, struct rng *rng, size_t n);
/* Writes table NAME(user_id, item_id, event, weight, time), the row number as rowid. */
void shop_log_write(const struct shop_log *log, struct db *db, const char *name);
/* Drops the rows that the rules leave out; weights become final. */
void shop_log_filter(struct shop_log *log, const struct event_rules *rules);
/* The rows that the rules leave out. */
void shop_log_left_out(const struct shop_log *log, const struct event_rules *rules,
                       struct shop_log *out);
/* Folds the rows of `parts`. */
void shop_log_fold(const struct shop_log *log, unsigned parts, const struct dataset_rules *rules,
                   double half_life, struct naive *out);
/* The naive cap and k-core: pairs outside lose `has`. */
void naive_core(const struct shop_log *log, struct naive *naive, const struct dataset_rules *rules);
/* What stands for the id of user or item `index` in random streams. */
uint64_t shop_log_id_key(const struct shop_log *log, bool is_item, size_t index);

#endif
