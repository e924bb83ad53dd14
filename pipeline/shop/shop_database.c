/* A made-up shop as tables of an SQLite file. What the shop is like is shop.c's business. */
#include "shop/shop_database.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/output_file.h"
#include "math/topk.h"
#include "store/row_batch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ORACLE_DAYS = 7, ID_TEXT_MAX = 32, STEPS_BETWEEN_LOOKS = 4096 };

static const double busy_seconds = 5.0;

/* The file is thrown away unless it is completed: no journal, one sync at the end. */
static const char *const fast_writing = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;";

static const char *const schema_integer =
    "CREATE TABLE users(user_id INTEGER PRIMARY KEY, segment TEXT NOT NULL,"
    " country TEXT NOT NULL, created_at INTEGER NOT NULL);"
    "CREATE TABLE items(item_id INTEGER PRIMARY KEY, title TEXT NOT NULL,"
    " category TEXT NOT NULL, price REAL NOT NULL, created_at INTEGER NOT NULL);"
    "CREATE TABLE events(event_id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL,"
    " item_id INTEGER NOT NULL, event TEXT NOT NULL, created_at INTEGER NOT NULL);";

static const char *const schema_text =
    "CREATE TABLE users(user_id TEXT PRIMARY KEY, segment TEXT NOT NULL,"
    " country TEXT NOT NULL, created_at INTEGER NOT NULL);"
    "CREATE TABLE items(item_id TEXT PRIMARY KEY, title TEXT NOT NULL,"
    " category TEXT NOT NULL, price REAL NOT NULL, created_at INTEGER NOT NULL);"
    "CREATE TABLE events(event_id INTEGER PRIMARY KEY, user_id TEXT NOT NULL,"
    " item_id TEXT NOT NULL, event TEXT NOT NULL, created_at INTEGER NOT NULL);";

/* What the writers share. */
struct writing {
    const struct shop_database_options *options;
    struct progress *progress;
    struct shop *shop;
    struct db *db;
    int64_t newest; /* Unix seconds of the newest event */
};

static enum status_code look_up(struct writing *w, size_t done, struct status *status)
{
    if (done % STEPS_BETWEEN_LOOKS != 0) {
        return STATUS_OK;
    }
    progress_update(w->progress, (double)done, NULL);
    return watch_check(&w->options->watch, status);
}

static void set_text(struct row_batch *batch, struct batch_cell *cell, const char *text)
{
    row_batch_copy_text(batch, cell, text, strlen(text));
}

/* `number` is zero-based; ids begin at 1. */
static void set_id(const struct writing *w, struct row_batch *batch, struct batch_cell *cell,
                   char kind, size_t number)
{
    *cell = batch_integer((int64_t)number + 1);
    if (w->options->text_ids) {
        char text[ID_TEXT_MAX];
        (void)snprintf(text, sizeof text, "%c%zu", kind, number + 1);
        set_text(batch, cell, text);
    }
}

static enum status_code write_users(struct writing *w, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct row_batch batch = {0};
    size_t n = w->options->shop.n_users;

    TRY(row_batch_open(&batch, w->db, "users", 4, ROW_BATCH_CHUNK, status));
    progress_start(w->progress, "users", "rows", (double)n);
    for (size_t u = 0; u < n; u++) {
        struct shop_user user;
        shop_user(w->shop, u, &user);
        struct batch_cell *row = row_batch_row(&batch);
        set_id(w, &batch, &row[0], 'u', u);
        set_text(&batch, &row[1], user.segment);
        set_text(&batch, &row[2], user.country);
        row[3] = batch_integer(user.created_at);
        TRY(row_batch_put(&batch, status));
        TRY(look_up(w, u + 1, status));
    }
    TRY(row_batch_write(&batch, status));
done:
    row_batch_release(&batch);
    return code;
}

static enum status_code write_items(struct writing *w, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct row_batch batch = {0};
    size_t n = w->options->shop.n_items;

    TRY(row_batch_open(&batch, w->db, "items", 5, ROW_BATCH_CHUNK, status));
    progress_start(w->progress, "items", "rows", (double)n);
    for (size_t i = 0; i < n; i++) {
        struct shop_item item;
        shop_item(w->shop, i, &item);
        struct batch_cell *row = row_batch_row(&batch);
        set_id(w, &batch, &row[0], 'i', i);
        set_text(&batch, &row[1], item.title);
        set_text(&batch, &row[2], item.category);
        row[3] = batch_real((double)item.price_cents / 100.0);
        row[4] = batch_integer(item.created_at);
        TRY(row_batch_put(&batch, status));
        TRY(look_up(w, i + 1, status));
    }
    TRY(row_batch_write(&batch, status));
done:
    row_batch_release(&batch);
    return code;
}

static enum status_code write_events(struct writing *w, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct row_batch batch = {0};
    struct shop_event event;
    size_t n = 0;

    TRY(row_batch_open(&batch, w->db, "events", 5, ROW_BATCH_CHUNK, status));
    progress_start(w->progress, "events", "rows", (double)w->options->shop.n_events);
    w->newest = shop_start(w->shop);
    while (shop_next_event(w->shop, &event)) {
        n++;
        w->newest = event.created_at > w->newest ? event.created_at : w->newest;
        struct batch_cell *row = row_batch_row(&batch);
        row[0] = batch_integer((int64_t)n);
        set_id(w, &batch, &row[1], 'u', event.user);
        set_id(w, &batch, &row[2], 'i', event.item);
        set_text(&batch, &row[3], shop_event_name(event.type));
        row[4] = batch_integer(event.created_at);
        TRY(row_batch_put(&batch, status));
        TRY(look_up(w, n, status));
    }
    TRY(row_batch_write(&batch, status));
done:
    row_batch_release(&batch);
    return code;
}

/* Scratch of the oracle, and its statements. */
struct oracle {
    double *day, *mean; /* (n_items) probabilities */
    float *scores;      /* (k) */
    int32_t *items;     /* (k) */
    struct db_query *seen;
    struct row_batch batch;
};

/* Sets the probability of what the user had an event with before the last days to none. */
static enum status_code drop_seen(struct writing *w, struct oracle *oracle, size_t user,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    bool has_row = false;

    TRY(db_bind_int64(oracle->seen, 1, (int64_t)user + 1, status));
    TRY(db_bind_int64(oracle->seen, 2, w->newest - ORACLE_DAYS * SHOP_DAY_SECONDS, status));
    TRY(db_step(oracle->seen, &has_row, status));
    while (has_row) {
        oracle->mean[db_column_int64(oracle->seen, 0) - 1] = 0.0;
        TRY(db_step(oracle->seen, &has_row, status));
    }
    TRY(db_reset(oracle->seen, status));
done:
    return code;
}

static enum status_code write_oracle_user(struct writing *w, struct oracle *oracle, size_t user,
                                          struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct shop_options *shop = &w->options->shop;
    int64_t n_days = shop->n_days < ORACLE_DAYS ? shop->n_days : ORACLE_DAYS;
    struct topk topk;

    memset(oracle->mean, 0, shop->n_items * sizeof *oracle->mean);
    for (int64_t day = shop->n_days - n_days; day < shop->n_days; day++) {
        shop_probabilities(w->shop, user, day, oracle->day);
        for (size_t i = 0; i < shop->n_items; i++) {
            oracle->mean[i] += oracle->day[i] / (double)n_days;
        }
    }
    TRY(drop_seen(w, oracle, user, status));
    topk_init(&topk, w->options->oracle_k, oracle->scores, oracle->items, NULL);
    for (size_t i = 0; i < shop->n_items; i++) {
        if (oracle->mean[i] > 0.0) {
            topk_offer(&topk, (float)oracle->mean[i], (int32_t)i);
        }
    }
    topk_finish(&topk);
    for (size_t r = 0; r < topk.n; r++) {
        size_t item = (size_t)topk.indices[r];
        struct batch_cell *row = row_batch_row(&oracle->batch);
        set_id(w, &oracle->batch, &row[0], 'u', user);
        row[1] = batch_integer((int64_t)r + 1);
        set_id(w, &oracle->batch, &row[2], 'i', item);
        row[3] = batch_real((double)topk.scores[r]);
        TRY(row_batch_put(&oracle->batch, status));
    }
done:
    return code;
}

static enum status_code write_oracle(struct writing *w, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n_users = w->options->shop.n_users;
    bool text_ids = w->options->text_ids;
    struct oracle oracle = {0};

    TRY(db_exec(w->db,
                text_ids ? "CREATE TABLE oracle(user_id TEXT NOT NULL, rank INTEGER NOT NULL,"
                           " item_id TEXT NOT NULL, score REAL NOT NULL,"
                           " PRIMARY KEY (user_id, rank)) WITHOUT ROWID;"
                           "CREATE INDEX events_by_user ON events(user_id, created_at)"
                         : "CREATE TABLE oracle(user_id INTEGER NOT NULL, rank INTEGER NOT NULL,"
                           " item_id INTEGER NOT NULL, score REAL NOT NULL,"
                           " PRIMARY KEY (user_id, rank)) WITHOUT ROWID;"
                           "CREATE INDEX events_by_user ON events(user_id, created_at)",
                status));
    TRY(MEM_NEW(&oracle.day, w->options->shop.n_items, status));
    TRY(MEM_NEW(&oracle.mean, w->options->shop.n_items, status));
    TRY(MEM_NEW(&oracle.scores, w->options->oracle_k, status));
    TRY(MEM_NEW(&oracle.items, w->options->oracle_k, status));
    TRY(db_prepare(w->db,
                   text_ids ? "SELECT CAST(substr(item_id, 2) AS INTEGER) FROM events"
                              " WHERE user_id = 'u' || ? AND created_at <= ?"
                            : "SELECT item_id FROM events WHERE user_id = ? AND created_at <= ?",
                   &oracle.seen, status));
    TRY(row_batch_open(&oracle.batch, w->db, "oracle", 4, ROW_BATCH_CHUNK, status));
    progress_start(w->progress, "oracle", "users", (double)n_users);
    for (size_t u = 0; u < n_users; u++) {
        TRY(write_oracle_user(w, &oracle, u, status));
        TRY(look_up(w, (u + 1) * STEPS_BETWEEN_LOOKS, status));
    }
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

static enum status_code write_tables(struct writing *w, struct status *status)
{
    enum status_code code = STATUS_OK;

    TRY(db_exec(w->db, fast_writing, status));
    TRY(db_exec(w->db, w->options->text_ids ? schema_text : schema_integer, status));
    TRY(write_users(w, status));
    TRY(write_items(w, status));
    TRY(write_events(w, status));
    if (w->options->oracle_k > 0) {
        TRY(write_oracle(w, status));
    }
done:
    progress_finish(w->progress);
    return code;
}

static enum status_code cannot_create(const char *path, const char *what, struct status *status)
{
    return status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0, "%s: %s", what, strerror(errno));
}

/* Puts the complete file `from` in the place of `to`. */
static enum status_code move_into_place(const char *from, const char *to, struct status *status)
{
    static const char *const companions[] = {"-journal", "-wal", "-shm"};
    enum status_code code = STATUS_OK;
    struct buf name = {0};
    int file = open(from, O_RDONLY);

    if (file < 0 || fsync(file) != 0) {
        code = status_set_at(status, STATUS_IO, from, 0, 0, "cannot bring the file to the disk: %s",
                             strerror(errno));
        goto done;
    }
    /* SQLite would replay what an older database of this name left there into the new one */
    for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
        buf_clear(&name);
        buf_addf(&name, "%s%s", to, companions[i]);
        TRY(buf_check(&name, status));
        if (unlink(buf_text(&name)) != 0 && errno != ENOENT) {
            TRY(cannot_create(buf_text(&name), "cannot remove the leftover file", status));
        }
    }
    if (rename(from, to) != 0) {
        code = cannot_create(to, "cannot put the new database here", status);
    }
done:
    if (file >= 0) {
        (void)close(file);
    }
    buf_release(&name);
    return code;
}

enum status_code shop_database_write(const char *path, const struct shop_database_options *options,
                                     struct progress *progress, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct writing w = {.options = options, .progress = progress};
    struct buf partial = {0};
    struct stat there;
    bool is_made = false;
    int fd = -1;

    if (!options->force && lstat(path, &there) == 0) {
        code = status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                             "the file exists; choose another name, or --force to replace it");
        goto done;
    }
    TRY(shop_new(&options->shop, &w.shop, status));
    buf_addf(&partial, "%s.partial", path);
    TRY(buf_check(&partial, status));
    /* made here, so that SQLite finds it and nobody's link */
    TRY(output_file_open(buf_text(&partial), OUTPUT_NEW, OUTPUT_SHARED, "the new database", &fd,
                         status));
    close(fd);
    is_made = true;
    TRY(db_open(buf_text(&partial), DB_CREATE, busy_seconds, &w.db, status));
    TRY(write_tables(&w, status));
    db_close(w.db);
    w.db = NULL;
    TRY(move_into_place(buf_text(&partial), path, status));
    is_made = false;
done:
    db_close(w.db);
    if (is_made) {
        (void)unlink(buf_text(&partial));
    }
    buf_release(&partial);
    shop_free(w.shop);
    return code;
}
