/* store/publish under the eyes of a second process: whatever it reads, it reads one whole
 * generation, and never an older one than before. NIGHTJAR_SOAK=1 publishes 2,000 times. */
#include "publishing/generation.h"

#include "store/migrate.h"
#include "tests/support/publish_support.h"
#include "tests/support/store_support.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef __SANITIZE_ADDRESS__ /* many times slower, and there for the memory, not for the moments */
enum { N_PUBLISHES = 20 };
#else
enum { N_PUBLISHES = 50 };
#endif
enum { N_PUBLISHES_SOAK = 2000, COUNT_EVERY = 300, MIN_POLLS = 1000 };

/* one chunk and a bit of recommendations, so that a half-filled generation exists for a while */
static const struct sample_shape shape = {
    .n_users = 300, .n_items = 40, .top = 40, .users_are_text = true};

static int complain(const char *what, const char *seen)
{
    fprintf(stderr, "reader: %s: %s\n", what, seen);
    return 1;
}

/* One statement sees one snapshot. A probe looks at a single row of each view, and is quick enough
 * to fall between two commits of a publish that forgot to make them one; a count takes hundreds of
 * times longer and comes every COUNT_EVERY probes. Columns: lowest and highest number seen (scores
 * and generations are all the number of the publish), then the views' rows in the count. */
#define PROBE                                                                                      \
    "SELECT min(coalesce(v, -1)), max(v) FROM (SELECT generation AS v FROM nightjar_current"       \
    " UNION ALL SELECT (SELECT generation FROM recommendations LIMIT 1)"                           \
    " UNION ALL SELECT (SELECT score FROM recommendations LIMIT 1)"                                \
    " UNION ALL SELECT (SELECT score FROM popular_items LIMIT 1)"                                  \
    " UNION ALL SELECT (SELECT score FROM similar_items LIMIT 1)"                                  \
    " UNION ALL SELECT (SELECT bias FROM item_embeddings LIMIT 1))"
#define COUNT                                                                                      \
    "SELECT min(v), max(v), (SELECT count(*) FROM recommendations),"                               \
    " (SELECT count(*) FROM popular_items), (SELECT count(*) FROM similar_items),"                 \
    " (SELECT count(*) FROM user_embeddings), (SELECT count(*) FROM item_embeddings)"              \
    " FROM (SELECT score AS v FROM recommendations UNION ALL SELECT bias FROM item_embeddings)"

static const int64_t expected_rows[] = {300 * 40 - 39, 3, 40, 300, 40};

/* One look; *last is the generation seen before. */
static int poll_once(struct db_query *query, int64_t *last, struct status *status)
{
    char seen[128];
    bool has_row = false;
    if (db_step(query, &has_row, status) != STATUS_OK || !has_row) {
        return complain("a poll failed", status->message);
    }
    for (int i = 2; i < db_column_count(query); i++) {
        if (db_column_int64(query, i) != expected_rows[i - 2]) {
            snprintf(seen, sizeof seen, "%" PRId64 " rows in view %d", db_column_int64(query, i),
                     i - 2);
            return complain("a view that is not whole", seen);
        }
    }
    int64_t low = db_column_int64(query, 0), high = db_column_int64(query, 1);
    if (low != high || low < *last) {
        snprintf(seen, sizeof seen, "%" PRId64 " to %" PRId64 " after %" PRId64, low, high, *last);
        return complain("generations mixed or going back", seen);
    }
    *last = low;
    return db_reset(query, status) == STATUS_OK ? 0 : complain("a reset failed", status->message);
}

/* The second process: polls until the file `stop` appears, and makes the file `enough` once it has
 * looked often. */
static int poll_views(const char *path, const char *enough, const char *stop)
{
    struct status status = {0};
    struct db *db = NULL;
    struct db_query *probe = NULL, *count = NULL;
    int64_t last = 1, n_polls = 0;
    int result = 0;
    if (db_open(path, DB_READ, 30, &db, &status) != STATUS_OK ||
        db_prepare(db, PROBE, &probe, &status) != STATUS_OK ||
        db_prepare(db, COUNT, &count, &status) != STATUS_OK) {
        result = complain("cannot start", status.message);
    }
    while (result == 0 && access(stop, F_OK) != 0) {
        result = poll_once(n_polls % COUNT_EVERY == 0 ? count : probe, &last, &status);
        if (++n_polls == MIN_POLLS) {
            store_write_file(enough, "", 0);
        }
        if (access(path, F_OK) != 0) { /* the test failed and has cleaned up */
            result = complain("the database went away", path);
        }
    }
    db_finalize(probe);
    db_finalize(count);
    db_close(db);
    return result;
}

static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s: %s", (int)code, status->file, status->message);
    }
}

static void publish_watched(void **state, const char *journal_mode)
{
    const char *soak = getenv("NIGHTJAR_SOAK");
    int n_publishes = soak != NULL && soak[0] == '1' ? N_PUBLISHES_SOAK : N_PUBLISHES;
    char path[STORE_PATH_MAX], enough[STORE_PATH_MAX], stop[STORE_PATH_MAX];
    struct status status = {0};
    struct sample sample;
    pid_t reader = -1;
    store_path(state, "out.db", path);
    store_path(state, "enough", enough);
    store_path(state, "stop", stop);
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, journal_mode);
    store_exec(db, "PRAGMA synchronous = OFF; PRAGMA busy_timeout = 30000");
    assert_ok(migrate_apply(db, MIGRATE_OUTPUT, "", &status), &status);
    struct publish_target target = {.db = db, .prefix = "", .keep = 1};
    for (int i = 1; i <= n_publishes || access(enough, F_OK) != 0; i++) {
        assert_true(i < 100 * n_publishes); /* the reader has died */
        int64_t generation = 0;
        sample_init(&sample, shape, (float)i);
        assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
        assert_int_equal(generation, i);
        sample_release(&sample);
        if (i == 1) {
            const char *const arguments[] = {"poll", path, enough, stop, NULL};
            reader = store_spawn(arguments);
        }
    }
    store_write_file(stop, "", 0);
    assert_int_equal(store_wait(reader), 0);
    db_close(db);
}

static void a_reader_sees_whole_generations_in_wal_mode(void **state)
{
    publish_watched(state, "PRAGMA journal_mode = WAL");
}

static void a_reader_sees_whole_generations_in_rollback_mode(void **state)
{
    publish_watched(state, "PRAGMA journal_mode = DELETE");
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "poll") == 0) {
        return poll_views(argv[2], argv[3], argv[4]);
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_folder_setup, store_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_reader_sees_whole_generations_in_wal_mode),
        TEST(a_reader_sees_whole_generations_in_rollback_mode),
    };
    return cmocka_run_group_tests_name("publish_readers", tests, NULL, NULL);
}
