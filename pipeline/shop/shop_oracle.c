/* The table oracle of a made-up shop: each user's best items by the model that made it. */
#include "shop/shop_oracle.h"

#include "base/mem.h"
#include "math/topk.h"

enum { STEADY_DAYS = 7 };

/* By kind of shop, then without and with text ids. */
static const char *const tables[2][2] = {
    {"CREATE TABLE oracle(user_id INTEGER NOT NULL, rank INTEGER NOT NULL,"
     " item_id INTEGER NOT NULL, score REAL NOT NULL, PRIMARY KEY (user_id, rank)) WITHOUT ROWID",
     "CREATE TABLE oracle(user_id TEXT NOT NULL, rank INTEGER NOT NULL,"
     " item_id TEXT NOT NULL, score REAL NOT NULL, PRIMARY KEY (user_id, rank)) WITHOUT ROWID"},
    {"CREATE TABLE oracle(user_id INTEGER NOT NULL, rank INTEGER NOT NULL,"
     " item_id INTEGER NOT NULL, score REAL NOT NULL, evening INTEGER NOT NULL,"
     " repeats INTEGER NOT NULL, PRIMARY KEY (evening, repeats, user_id, rank)) WITHOUT ROWID",
     "CREATE TABLE oracle(user_id TEXT NOT NULL, rank INTEGER NOT NULL,"
     " item_id TEXT NOT NULL, score REAL NOT NULL, evening INTEGER NOT NULL,"
     " repeats INTEGER NOT NULL, PRIMARY KEY (evening, repeats, user_id, rank)) WITHOUT ROWID"}};

/* Scratch of the oracle, and its statements. */
struct oracle {
    double *day, *mean; /* (n_items) probabilities */
    float *scores;      /* (k) */
    int32_t *items;     /* (k) */
    struct db_query *seen;
    struct row_batch batch;
};

/* Sets the probability of what the user had an event with up to then (Unix seconds) to none. */
static enum status_code drop_seen(struct oracle *oracle, size_t user, int64_t until,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    bool has_row = false;

    TRY(db_bind_int64(oracle->seen, 1, (int64_t)user + 1, status));
    TRY(db_bind_int64(oracle->seen, 2, until, status));
    TRY(db_step(oracle->seen, &has_row, status));
    while (has_row) {
        oracle->mean[db_column_int64(oracle->seen, 0) - 1] = 0.0;
        TRY(db_step(oracle->seen, &has_row, status));
    }
    TRY(db_reset(oracle->seen, status));
done:
    return code;
}

/* The best of oracle->mean as rows; `evening` and `repeats` are of a living shop. */
static enum status_code write_list(struct writing *w, struct oracle *oracle, size_t user,
                                   int64_t evening, bool repeats, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct topk topk;

    topk_init(&topk, w->options->oracle_k, oracle->scores, oracle->items, NULL);
    for (size_t i = 0; i < w->options->shop.n_items; i++) {
        if (oracle->mean[i] > 0.0) {
            topk_offer(&topk, (float)oracle->mean[i], (int32_t)i);
        }
    }
    topk_finish(&topk);
    for (size_t r = 0; r < topk.n; r++) {
        size_t item = (size_t)topk.indices[r];
        struct batch_cell *row = row_batch_row(&oracle->batch);
        writing_set_id(w, &oracle->batch, &row[0], 'u', user);
        row[1] = batch_integer((int64_t)r + 1);
        writing_set_id(w, &oracle->batch, &row[2], 'i', item);
        row[3] = batch_real((double)topk.scores[r]);
        if (w->options->shop.kind == SHOP_LIVING) {
            row[4] = batch_integer(evening);
            row[5] = batch_integer(repeats);
        }
        TRY(row_batch_put(&oracle->batch, status));
    }
done:
    return code;
}

static enum status_code write_steady(struct writing *w, struct oracle *oracle,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct shop_options *shop = &w->options->shop;
    int64_t n_days = shop->n_days < STEADY_DAYS ? shop->n_days : STEADY_DAYS;

    progress_start(w->progress, "oracle", "users", (double)shop->n_users);
    for (size_t u = 0; u < shop->n_users; u++) {
        memset(oracle->mean, 0, shop->n_items * sizeof *oracle->mean);
        for (int64_t day = shop->n_days - n_days; day < shop->n_days; day++) {
            shop_probabilities(w->shop, u, day, oracle->day);
            for (size_t i = 0; i < shop->n_items; i++) {
                oracle->mean[i] += oracle->day[i] / (double)n_days;
            }
        }
        TRY(drop_seen(oracle, u, w->newest - STEADY_DAYS * CLOCK_DAY, status));
        TRY(write_list(w, oracle, u, 0, false, status));
        progress_update(w->progress, (double)(u + 1), NULL);
        TRY(watch_check(&w->options->watch, status));
    }
done:
    return code;
}

/* A second walk through the same log stops at each user's first event of a day. */
static enum status_code write_living(struct writing *w, struct oracle *oracle,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t first_day = w->options->shop.n_days - w->options->oracle_evenings;
    int64_t *done_day = NULL; /* (n_users) the newest with lists; 0: none */
    struct shop *shop = NULL;
    struct shop_event event;
    size_t n_given = 0;

    TRY(MEM_NEW(&done_day, w->options->shop.n_users, status));
    TRY(shop_new(&w->options->shop, &shop, status));
    progress_start(w->progress, "oracle", "events", (double)w->options->shop.n_events);
    while (shop_next_event(shop, &event)) {
        int64_t day = (event.created_at - shop_start(shop)) / CLOCK_DAY;
        int64_t evening = shop_start(shop) + day * CLOCK_DAY;
        TRY(writing_look_up(w, ++n_given, status));
        if (day < first_day || done_day[event.user] == day) {
            continue;
        }
        done_day[event.user] = day;
        shop_probabilities(shop, event.user, day, oracle->mean);
        TRY(write_list(w, oracle, event.user, evening, true, status));
        TRY(drop_seen(oracle, event.user, evening - 1, status));
        TRY(write_list(w, oracle, event.user, evening, false, status));
    }
done:
    shop_free(shop);
    mem_free(done_day);
    return code;
}

enum status_code shop_oracle_write(struct writing *w, struct status *status)
{
    enum status_code code = STATUS_OK;
    bool text_ids = w->options->text_ids;
    bool is_living = w->options->shop.kind == SHOP_LIVING;
    struct oracle oracle = {0};

    TRY(db_exec(w->db, tables[is_living][text_ids], status));
    TRY(db_exec(w->db, "CREATE INDEX events_by_user ON events(user_id, created_at)", status));
    TRY(MEM_NEW(&oracle.day, w->options->shop.n_items, status));
    TRY(MEM_NEW(&oracle.mean, w->options->shop.n_items, status));
    TRY(MEM_NEW(&oracle.scores, w->options->oracle_k, status));
    TRY(MEM_NEW(&oracle.items, w->options->oracle_k, status));
    TRY(db_prepare(w->db,
                   text_ids ? "SELECT CAST(substr(item_id, 2) AS INTEGER) FROM events"
                              " WHERE user_id = 'u' || ? AND created_at <= ?"
                            : "SELECT item_id FROM events WHERE user_id = ? AND created_at <= ?",
                   &oracle.seen, status));
    TRY(row_batch_open(&oracle.batch, w->db, "oracle", is_living ? 6 : 4, ROW_BATCH_CHUNK, status));
    TRY(is_living ? write_living(w, &oracle, status) : write_steady(w, &oracle, status));
    TRY(row_batch_write(&oracle.batch, status));
done:
    row_batch_release(&oracle.batch);
    db_finalize(oracle.seen);
    mem_free(oracle.day);
    mem_free(oracle.mean);
    mem_free(oracle.scores);
    mem_free(oracle.items);
    return code;
}
