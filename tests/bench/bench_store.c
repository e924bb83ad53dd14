/* Reading interactions and publishing, beside bare SQLite calls that move the same rows.
 *     bench_store SHOP.db TEXT_SHOP.db FOLDER
 * SHOP.db from `nightjar generate`, TEXT_SHOP.db the same with TEXT ids; FOLDER for what is
 * published
 */
#include "base/mem.h"
#include "events/event_reader.h"
#include "publishing/generation.h"
#include "store/migrate.h"
#include "tests/support/bench_beside.h"
#include "tests/support/random_matrix.h"

#include <math.h>
#include <sqlite3.h>
#include <unistd.h>

enum {
    N_USERS = 20000,
    N_ITEMS = 10000,
    TOP = 20,
    DIMENSION = 64,
    READ_ROUNDS = 15,
    PUBLISH_ROUNDS = 5,
    PATH_TEXT_MAX = 4096
};

static void must(bool is_fine, sqlite3 *db)
{
    if (!is_fine) {
        (void)fprintf(stderr, "bench_store: %s\n", sqlite3_errmsg(db));
        exit(STATUS_IO);
    }
}

/* ---- reading ---- */

static const char events_query[] = "SELECT user_id, item_id, event, created_at FROM events";

struct read_data {
    const char *path;
    int64_t n_rows; /* as the peer counted them */
    int64_t sum;    /* keeps the peer's loop from being optimised away */
};

static void read_peer(void *data)
{
    struct read_data *r = data;
    bool is_text = false;
    sqlite3 *db = NULL;
    sqlite3_stmt *query = NULL;
    int step;

    must(sqlite3_open_v2(r->path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK, db);
    must(sqlite3_prepare_v2(db, events_query, -1, &query, NULL) == SQLITE_OK, db);
    r->n_rows = 0;
    while ((step = sqlite3_step(query)) == SQLITE_ROW) {
        is_text = r->n_rows == 0 ? sqlite3_column_type(query, 0) == SQLITE_TEXT : is_text;
        const unsigned char *event = sqlite3_column_text(query, 2);
        if (is_text) {
            r->sum += sqlite3_column_text(query, 0)[0] + sqlite3_column_bytes(query, 0) +
                      sqlite3_column_text(query, 1)[0] + sqlite3_column_bytes(query, 1);
        } else {
            r->sum += sqlite3_column_int64(query, 0) + sqlite3_column_int64(query, 1);
        }
        r->sum += sqlite3_column_int64(query, 3) + event[0] + sqlite3_column_bytes(query, 2);
        r->n_rows++;
    }
    must(step == SQLITE_DONE, db);
    sqlite3_finalize(query);
    sqlite3_close(db);
}

static void read_own(void *data)
{
    static const char *const events[] = {"view", "cart", "purchase"};
    static const double weights[] = {1, 2, 5};
    const struct read_data *r = data;
    struct status status = {0};
    struct db *db = NULL;
    struct event_log log = {0};
    struct row_report report = {0};
    struct event_query query = {.what = "source.interactions",
                                .sql = events_query,
                                .timeout_seconds = 600,
                                .part = PART_TRAIN};
    struct event_rules rules = {.event_weights = {3, events, weights},
                                .since = INT64_MIN,
                                .until = INT64_MIN,
                                .max_bad_rows = 1000};

    bench_must(db_open(r->path, DB_READ, 1.0, &db, &status), &status);
    bench_must(event_reader_run(db, &query, &rules, NULL, &log, &report, &status), &status);
    if (report.n_accepted == 0 || (r->n_rows > 0 && report.n_accepted != r->n_rows)) {
        (void)fprintf(stderr, "bench_store: accepted %lld rows of %lld\n",
                      (long long)report.n_accepted, (long long)r->n_rows);
        exit(STATUS_INTERNAL);
    }
    event_log_release(&log);
    db_close(db);
}

static void bench_reading(struct bench_program *program, const char *path, const char *ids)
{
    char what[128];
    struct read_data r = {.path = path};

    if (!bench_row_begins(program)) {
        return;
    }
    read_peer(&r);
    (void)snprintf(what, sizeof what, "reading %lld interactions, %s ids", (long long)r.n_rows,
                   ids);
    bench_beside(program, &(struct bench_beside){.what = what,
                                                 .peer_name = "sqlite3_step loop, same query",
                                                 .run = read_own,
                                                 .peer = read_peer,
                                                 .data = &r,
                                                 .rounds = READ_ROUNDS,
                                                 .work = 1e-6 * (double)r.n_rows,
                                                 .unit = "M rows/s"});
}

/* ---- publishing ---- */

struct publish_data {
    char path[PATH_TEXT_MAX];
    struct publish_content content;
    int64_t *user_ids, *item_ids;
    int32_t *codes; /* 0, 1, 2 ... */
    int32_t *lists; /* (N_USERS, TOP), of which the first N_ITEMS rows are the similar items too */
    float *scores;  /* the same */
    uint8_t *sources;
    float *vectors; /* (N_USERS, DIMENSION) */
    float *bias;    /* (N_ITEMS) */
};

static void fill_content(struct publish_data *p)
{
    p->content = (struct publish_content){.users = {.n = N_USERS, .integers = p->user_ids},
                                          .items = {.n = N_ITEMS, .integers = p->item_ids},
                                          .n_served = N_USERS,
                                          .top = TOP,
                                          .served = p->codes,
                                          .rec_items = p->lists,
                                          .rec_scores = p->scores,
                                          .rec_sources = p->sources,
                                          .n_similar_anchors = N_ITEMS,
                                          .similar_top = TOP,
                                          .similar_anchors = p->codes,
                                          .similar_items = p->lists,
                                          .similar_scores = p->scores,
                                          .dimension = DIMENSION,
                                          .n_user_vectors = N_USERS,
                                          .n_item_vectors = N_ITEMS,
                                          .user_vector_codes = p->codes,
                                          .item_vector_codes = p->codes,
                                          .user_vectors = p->vectors,
                                          .item_vectors = p->vectors,
                                          .user_vector_sources = p->sources,
                                          .item_vector_sources = p->sources,
                                          .item_bias = p->bias,
                                          .temperature = 0.12,
                                          .popularity_weight = 0.5,
                                          .pipeline = "bench",
                                          .config_hash = "0",
                                          .version = "0"};
}

static void publish_data_init(struct publish_data *p)
{
    struct status status = {0};
    struct rng rng;
    size_t n_entries = (size_t)N_USERS * TOP;

    rng_init(&rng, 1, "bench-publish", 0, 0);
    bench_must(MEM_NEW(&p->user_ids, N_USERS, &status), &status);
    bench_must(MEM_NEW(&p->item_ids, N_ITEMS, &status), &status);
    bench_must(MEM_NEW(&p->codes, N_USERS, &status), &status);
    bench_must(MEM_NEW(&p->lists, n_entries, &status), &status);
    bench_must(MEM_NEW(&p->scores, n_entries, &status), &status);
    bench_must(MEM_NEW(&p->sources, n_entries, &status), &status);
    p->vectors = random_matrix(&rng, N_USERS, DIMENSION, true);
    p->bias = random_matrix(&rng, 1, N_ITEMS, false);
    for (size_t u = 0; u < N_USERS; u++) {
        p->codes[u] = (int32_t)u;
        p->user_ids[u] = (int64_t)u * 7 + 1;
        p->item_ids[u % N_ITEMS] = (int64_t)(u % N_ITEMS) + 1;
        for (size_t r = 0; r < TOP; r++) {
            p->lists[u * TOP + r] = (int32_t)((u * 31 + r * 97 + 1) % N_ITEMS);
            p->scores[u * TOP + r] = 9.0f - 0.37f * (float)r;
        }
    }
    fill_content(p);
}

static void publish_data_release(struct publish_data *p)
{
    mem_free(p->user_ids);
    mem_free(p->item_ids);
    mem_free(p->codes);
    mem_free(p->lists);
    mem_free(p->scores);
    mem_free(p->sources);
    mem_free(p->vectors);
    mem_free(p->bias);
}

static void publish_prepare(void *data)
{
    const struct publish_data *p = data;
    (void)unlink(p->path);
}

static void publish_own(void *data)
{
    const struct publish_data *p = data;
    struct status status = {0};
    struct db *db = NULL;
    int64_t generation = 0;

    bench_must(db_open(p->path, DB_CREATE, 1.0, &db, &status), &status);
    bench_must(migrate_apply(db, MIGRATE_OUTPUT, "", &status), &status);
    bench_must(publish_generation(&(struct publish_target){.db = db, .prefix = "", .keep = 2},
                                  &p->content, &generation, &status),
               &status);
    db_close(db);
}

static sqlite3_stmt *prepared(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    must(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, db);
    return statement;
}

static void insert(sqlite3 *db, sqlite3_stmt *statement)
{
    must(sqlite3_step(statement) == SQLITE_DONE && sqlite3_reset(statement) == SQLITE_OK, db);
}

/* The lists of the first n rows. */
static void insert_lists(sqlite3 *db, const struct publish_data *p, const char *sql,
                         const int64_t *ids, size_t n, bool with_source)
{
    sqlite3_stmt *statement = prepared(db, sql);
    for (size_t row = 0; row < n; row++) {
        for (size_t r = 0; r < TOP; r++) {
            size_t e = row * TOP + r;
            sqlite3_bind_int64(statement, 1, ids[row]);
            sqlite3_bind_int64(statement, 2, (int64_t)r + 1);
            sqlite3_bind_int64(statement, 3, p->item_ids[p->lists[e]]);
            sqlite3_bind_double(statement, 4, (double)p->scores[e]);
            if (with_source) {
                sqlite3_bind_int64(statement, 5, p->sources[e]);
            }
            insert(db, statement);
        }
    }
    sqlite3_finalize(statement);
}

static void insert_vectors(sqlite3 *db, const struct publish_data *p, const char *sql,
                           const int64_t *ids, size_t n, const float *bias)
{
    sqlite3_stmt *statement = prepared(db, sql);
    for (size_t row = 0; row < n; row++) {
        sqlite3_bind_int64(statement, 1, ids[row]);
        sqlite3_bind_blob(statement, 2, p->vectors + row * DIMENSION, DIMENSION * sizeof(float),
                          SQLITE_STATIC);
        if (bias != NULL) {
            sqlite3_bind_double(statement, 3, (double)bias[row]);
        }
        insert(db, statement);
    }
    sqlite3_finalize(statement);
}

static void publish_peer(void *data)
{
    const struct publish_data *p = data;
    sqlite3 *db = NULL;

    must(sqlite3_open(p->path, &db) == SQLITE_OK, db);
    must(sqlite3_exec(db,
                      "CREATE TABLE recommendations(user INTEGER NOT NULL, rank INTEGER NOT NULL,"
                      " item INTEGER NOT NULL, score REAL NOT NULL, source INTEGER NOT NULL,"
                      " PRIMARY KEY (user, rank)) WITHOUT ROWID;"
                      "CREATE TABLE similar_items(item INTEGER NOT NULL, rank INTEGER NOT NULL,"
                      " similar INTEGER NOT NULL, score REAL NOT NULL,"
                      " PRIMARY KEY (item, rank)) WITHOUT ROWID;"
                      "CREATE TABLE user_embeddings(user INTEGER PRIMARY KEY,"
                      " embedding BLOB NOT NULL);"
                      "CREATE TABLE item_embeddings(item INTEGER PRIMARY KEY,"
                      " embedding BLOB NOT NULL, bias REAL NOT NULL);"
                      "BEGIN IMMEDIATE",
                      NULL, NULL, NULL) == SQLITE_OK,
         db);
    insert_lists(db, p, "INSERT INTO recommendations VALUES (?, ?, ?, ?, ?)", p->user_ids, N_USERS,
                 true);
    insert_lists(db, p, "INSERT INTO similar_items VALUES (?, ?, ?, ?)", p->item_ids, N_ITEMS,
                 false);
    insert_vectors(db, p, "INSERT INTO user_embeddings VALUES (?, ?)", p->user_ids, N_USERS, NULL);
    insert_vectors(db, p, "INSERT INTO item_embeddings VALUES (?, ?, ?)", p->item_ids, N_ITEMS,
                   p->bias);
    must(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, db);
    sqlite3_close(db);
}

static void bench_publishing(struct bench_program *program, const char *folder)
{
    char what[128];
    struct publish_data p = {0};
    size_t n_rows = (size_t)(N_USERS + N_ITEMS) * (TOP + 1);

    if (!bench_row_begins(program)) {
        return;
    }
    (void)snprintf(p.path, sizeof p.path, "%s/published.db", folder);
    publish_data_init(&p);
    (void)snprintf(what, sizeof what, "publishing %zu rows, read back and checked", n_rows);
    bench_beside(program,
                 &(struct bench_beside){.what = what,
                                        .peer_name = "prepared INSERT loop, one transaction",
                                        .run = publish_own,
                                        .peer = publish_peer,
                                        .prepare = publish_prepare,
                                        .data = &p,
                                        .rounds = PUBLISH_ROUNDS,
                                        .work = 1e-6 * (double)n_rows,
                                        .unit = "M rows/s"});
    publish_prepare(&p);
    publish_data_release(&p);
}

int main(int argc, char **argv)
{
    struct bench_program program = bench_program_of(&argc, &argv);

    if (argc != 4) {
        (void)fprintf(stderr, "usage: bench_store SHOP.db TEXT_SHOP.db FOLDER\n");
        return STATUS_USAGE;
    }
    bench_reading(&program, argv[1], "INTEGER");
    bench_reading(&program, argv[2], "TEXT");
    bench_publishing(&program, argv[3]);
    return 0;
}
