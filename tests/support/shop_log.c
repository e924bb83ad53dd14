/* Naive counterparts of event_reader.c, event_log.c and dataset_core.c. */
#include "tests/support/shop_log.h"

#include "base/hash.h"

#include "tests/support/store_support.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char *const event_names[] = {"view", "purchase", "other"};

void shop_log_fill(struct shop_log *log, struct rng *rng, size_t n)
{
    *log = (struct shop_log){.text_ids = rng_below(rng, 2) == 1, .has_times = true, .n = n};
    for (size_t r = 0; r < n; r++) {
        /* the smaller of two draws: some users and items are frequent */
        uint64_t user = rng_below(rng, LOG_USERS), other_user = rng_below(rng, LOG_USERS);
        uint64_t item = rng_below(rng, LOG_ITEMS), other_item = rng_below(rng, LOG_ITEMS);
        log->rows[r] = (struct shop_row){.user = user < other_user ? user : other_user,
                                         .item = item < other_item ? item : other_item,
                                         .event = (int)rng_below(rng, 3),
                                         .weight = 0.5 + (double)rng_below(rng, 10),
                                         .time = 1600000000 + (int64_t)rng_below(rng, 60) * 3600,
                                         .part = PART_TRAIN};
    }
}

static void add_id(struct buf *sql, bool is_text, char kind, size_t index)
{
    if (is_text) {
        buf_addf(sql, "'%c%03zu'", kind, index);
    } else {
        buf_addf(sql, "%lld", (long long)index * 10 - 50);
    }
}

uint64_t shop_log_id_key(const struct shop_log *log, bool is_item, size_t index)
{
    struct buf text = {0};
    add_id(&text, log->text_ids, is_item ? 'i' : 'u', index);
    /* a text stands in quotes */
    const uint64_t key = log->text_ids ? hash_bytes64(buf_text(&text) + 1, text.length - 2)
                                       : (uint64_t)strtoll(buf_text(&text), NULL, 10);
    buf_release(&text);
    return key;
}

void shop_log_write(const struct shop_log *log, struct db *db, const char *name)
{
    struct buf sql = {0};
    buf_addf(&sql, "BEGIN; CREATE TABLE %s(user_id, item_id, event, weight, time);", name);
    for (size_t r = 0; r < log->n; r++) {
        const struct shop_row *row = &log->rows[r];
        buf_addf(&sql, "INSERT INTO %s VALUES (", name);
        add_id(&sql, log->text_ids, 'u', row->user);
        buf_add_char(&sql, ',');
        add_id(&sql, log->text_ids, 'i', row->item);
        buf_addf(&sql, ", '%s', %.1f, %lld);", event_names[row->event], row->weight,
                 (long long)row->time);
    }
    buf_add_text(&sql, "COMMIT;");
    store_exec(db, buf_text(&sql));
    buf_release(&sql);
}

static bool keeps(struct shop_row *row, const struct event_rules *rules)
{
    if (rules->event_weights.n > 0) {
        bool listed = false;
        for (size_t i = 0; i < rules->event_weights.n; i++) {
            if (strcmp(rules->event_weights.names[i], event_names[row->event]) == 0) {
                double rating = row->weight;
                listed = true;
                row->weight =
                    rules->event_weights.values[i] * (rules->min_rating > 0 ? 1.0 : row->weight);
                if (rules->min_rating > 0 && rating < rules->min_rating) {
                    return false;
                }
            }
        }
        if (!listed || row->weight == 0) {
            return false;
        }
    } else if (rules->min_rating > 0) {
        if (row->weight < rules->min_rating) {
            return false;
        }
        row->weight = 1;
    }
    return (rules->since == INT64_MIN || row->time >= rules->since) &&
           (rules->until == INT64_MIN || row->time < rules->until);
}

void shop_log_filter(struct shop_log *log, const struct event_rules *rules)
{
    size_t kept = 0;
    for (size_t r = 0; r < log->n; r++) {
        struct shop_row row = log->rows[r];
        if (keeps(&row, rules)) {
            log->rows[kept++] = row;
        }
    }
    log->n = kept;
}

void shop_log_left_out(const struct shop_log *log, const struct event_rules *rules,
                       struct shop_log *out)
{
    *out = *log;
    out->n = 0;
    for (size_t r = 0; r < log->n; r++) {
        struct shop_row row = log->rows[r];
        if (!keeps(&row, rules)) {
            out->rows[out->n++] = log->rows[r];
        }
    }
}

void shop_log_fold(const struct shop_log *log, unsigned parts, const struct dataset_rules *rules,
                   double half_life, struct naive *out)
{
    int64_t now = INT64_MIN;
    memset(out, 0, sizeof *out);
    for (size_t r = 0; r < log->n; r++) {
        if ((log->rows[r].part & parts) != 0 && log->rows[r].time > now) {
            now = log->rows[r].time;
        }
    }
    for (size_t r = 0; r < log->n; r++) {
        const struct shop_row *row = &log->rows[r];
        if ((row->part & parts) == 0) {
            continue;
        }
        double *weight = &out->weight[row->user][row->item];
        int64_t *newest = &out->newest[row->user][row->item];
        bool first = !out->has[row->user][row->item];
        double value =
            row->weight * (half_life > 0 ? pow(0.5, (double)(now - row->time) / half_life) : 1);
        if (rules->duplicates == DUPLICATES_SUM) {
            *weight += value;
        } else if (rules->duplicates == DUPLICATES_MAX) {
            *weight = first || value > *weight ? value : *weight;
        } else if (first || row->time > *newest || (row->time == *newest && value > *weight)) {
            *weight = value;
        }
        *newest = first || row->time > *newest ? row->time : *newest;
        out->events[row->item]++;
        out->has[row->user][row->item] = true;
    }
}

static void cap_user(const struct shop_log *log, struct naive *naive, size_t user, int64_t cap)
{
    const uint64_t key = shop_log_id_key(log, false, user);
    int64_t n = 0;
    for (size_t i = 0; i < LOG_ITEMS; i++) {
        n += naive->has[user][i];
    }
    for (; n > cap; n--) { /* the oldest goes, of equal times the last by history_tie */
        size_t oldest = LOG_ITEMS;
        for (size_t i = 0; i < LOG_ITEMS; i++) {
            if (naive->has[user][i] &&
                (oldest == LOG_ITEMS || naive->newest[user][i] < naive->newest[user][oldest] ||
                 (naive->newest[user][i] == naive->newest[user][oldest] &&
                  history_tie(0, key, shop_log_id_key(log, true, i)) >
                      history_tie(0, key, shop_log_id_key(log, true, oldest))))) {
                oldest = i;
            }
        }
        naive->has[user][oldest] = false;
    }
}

static bool drop_poor(struct naive *naive, const struct dataset_rules *rules)
{
    bool changed = false;
    for (size_t u = 0; u < LOG_USERS; u++) {
        int64_t n = 0;
        for (size_t i = 0; i < LOG_ITEMS; i++) {
            n += naive->has[u][i];
        }
        for (size_t i = 0; n < rules->min_user_interactions && i < LOG_ITEMS; i++) {
            changed = changed || naive->has[u][i];
            naive->has[u][i] = false;
        }
    }
    for (size_t i = 0; i < LOG_ITEMS; i++) {
        int64_t n = 0;
        for (size_t u = 0; u < LOG_USERS; u++) {
            n += naive->has[u][i];
        }
        const bool lasts = rules->repeats && naive->events[i] >= rules->min_item_interactions;
        for (size_t u = 0; n < rules->min_item_interactions && !lasts && u < LOG_USERS; u++) {
            changed = changed || naive->has[u][i];
            naive->has[u][i] = false;
        }
    }
    return changed;
}

void naive_core(const struct shop_log *log, struct naive *naive, const struct dataset_rules *rules)
{
    for (size_t u = 0; rules->max_user_interactions > 0 && u < LOG_USERS; u++) {
        cap_user(log, naive, u, rules->max_user_interactions);
    }
    while (drop_poor(naive, rules)) {
    }
}
