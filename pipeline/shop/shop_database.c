/* A made-up shop as tables of an SQLite file. What the shop is like is shop.c's business. */
#include "shop/shop_database.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/output_file.h"
#include "shop/shop_oracle.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

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
        writing_set_id(w, &batch, &row[0], 'u', u);
        writing_set_text(&batch, &row[1], user.segment);
        writing_set_text(&batch, &row[2], user.country);
        row[3] = batch_integer(user.created_at);
        TRY(row_batch_put(&batch, status));
        TRY(writing_look_up(w, u + 1, status));
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
    const bool is_living = w->options->shop.kind == SHOP_LIVING;
    const size_t n_numbers = w->options->vector_numbers;
    float *vector = NULL; /* (n_numbers) */

    TRY(MEM_NEW(&vector, n_numbers, status));
    TRY(row_batch_open(&batch, w->db, "items", 5 + (size_t)is_living + (size_t)(n_numbers > 0),
                       ROW_BATCH_CHUNK, status));
    progress_start(w->progress, "items", "rows", (double)n);
    for (size_t i = 0; i < n; i++) {
        struct shop_item item;
        shop_item(w->shop, i, &item);
        struct batch_cell *row = row_batch_row(&batch);
        writing_set_id(w, &batch, &row[0], 'i', i);
        writing_set_text(&batch, &row[1], item.title);
        writing_set_text(&batch, &row[2], item.category);
        row[3] = batch_real((double)item.price_cents / 100.0);
        row[4] = batch_integer(item.created_at);
        if (is_living) {
            row[5] = item.left_at != 0 ? batch_integer(item.left_at)
                                       : (struct batch_cell){.type = DB_NULL};
        }
        if (n_numbers > 0) { /* as they stand in memory: little-endian, as in what is published */
            struct batch_cell *cell = &row[5 + (size_t)is_living];
            shop_item_vector(w->shop, i, n_numbers, vector);
            row_batch_copy_text(&batch, cell, (const char *)vector, n_numbers * sizeof *vector);
            cell->type = DB_BLOB;
        }
        TRY(row_batch_put(&batch, status));
        TRY(writing_look_up(w, i + 1, status));
    }
    TRY(row_batch_write(&batch, status));
done:
    mem_free(vector);
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
        writing_set_id(w, &batch, &row[1], 'u', event.user);
        writing_set_id(w, &batch, &row[2], 'i', event.item);
        writing_set_text(&batch, &row[3], shop_event_name(event.type));
        row[4] = batch_integer(event.created_at);
        TRY(row_batch_put(&batch, status));
        TRY(writing_look_up(w, n, status));
    }
    TRY(row_batch_write(&batch, status));
done:
    row_batch_release(&batch);
    return code;
}

static enum status_code write_tables(struct writing *w, struct status *status)
{
    enum status_code code = STATUS_OK;

    TRY(db_exec(w->db, fast_writing, status));
    TRY(db_exec(w->db, w->options->text_ids ? schema_text : schema_integer, status));
    if (w->options->shop.kind == SHOP_LIVING) {
        TRY(db_exec(w->db, "ALTER TABLE items ADD COLUMN left_at INTEGER", status));
    }
    if (w->options->vector_numbers > 0) {
        TRY(db_exec(w->db, "ALTER TABLE items ADD COLUMN image BLOB", status));
    }
    TRY(write_users(w, status));
    TRY(write_items(w, status));
    TRY(write_events(w, status));
    if (w->options->oracle_k > 0) {
        TRY(shop_oracle_write(w, status));
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
    enum status_code code = STATUS_OK;
    int file = open(from, O_RDONLY);

    if (file < 0 || fsync(file) != 0) {
        code = status_set_at(status, STATUS_IO, from, 0, 0, "cannot bring the file to the disk: %s",
                             strerror(errno));
        goto done;
    }
    TRY(db_remove_companions(to, status));
    if (rename(from, to) != 0) {
        code = cannot_create(to, "cannot put the new database here", status);
    }
done:
    if (file >= 0) {
        (void)close(file);
    }
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

    if (lstat(path, &there) == 0 && (!options->force || !S_ISREG(there.st_mode))) {
        code = status_set_at(status, STATUS_CANNOT_CREATE, path, 0, 0,
                             S_ISREG(there.st_mode)
                                 ? "the file exists; choose another name, or --force to replace it"
                                 : "something stands there that is not a regular file");
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
