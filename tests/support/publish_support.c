#include "tests/support/publish_support.h"

#include "store/migrate.h"
#include "tests/support/store_support.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { N_REASONS = 2, N_PARTS = 3, N_POPULAR = 3, TEXT_MAX = 24 };

static void *block_new(struct sample *sample, size_t count, size_t size)
{
    assert_true(sample->n_blocks < sizeof sample->blocks / sizeof sample->blocks[0]);
    void *block = calloc(count + 1, size);
    assert_non_null(block);
    sample->blocks[sample->n_blocks++] = block;
    return block;
}

static float *floats_new(struct sample *sample, size_t count, float value)
{
    float *values = block_new(sample, count, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        values[i] = value;
    }
    return values;
}

static int32_t *codes_new(struct sample *sample, size_t count)
{
    int32_t *codes = block_new(sample, count, sizeof *codes);
    for (size_t i = 0; i < count; i++) {
        codes[i] = (int32_t)i;
    }
    return codes;
}

/* model, cold, model, cold ... */
static uint8_t *sources_new(struct sample *sample, size_t count)
{
    uint8_t *sources = block_new(sample, count, sizeof *sources);
    for (size_t i = 0; i < count; i++) {
        sources[i] = i % 2 == 0 ? PUBLISH_MODEL : PUBLISH_COLD;
    }
    return sources;
}

static struct publish_ids ids_new(struct sample *sample, size_t n, bool is_text, const char *word,
                                  int64_t step, int64_t start)
{
    int64_t *integers = block_new(sample, n, sizeof *integers);
    int64_t *offsets = block_new(sample, n + 1, sizeof *offsets);
    char *bytes = block_new(sample, n, TEXT_MAX);
    for (size_t i = 0; i < n; i++) {
        integers[i] = start + step * (int64_t)i;
        int length = snprintf(bytes + offsets[i], TEXT_MAX, "%s-%zu", word, i);
        offsets[i + 1] = offsets[i] + length;
    }
    return (struct publish_ids){.is_text = is_text,
                                .n = n,
                                .integers = is_text ? NULL : integers,
                                .text_offsets = is_text ? offsets : NULL,
                                .text_bytes = is_text ? bytes : NULL};
}

static void set_lists(struct sample *sample, struct sample_shape shape, float version)
{
    struct publish_content *content = &sample->content;
    size_t n_entries = shape.n_users * shape.top;
    int32_t *items = block_new(sample, n_entries, sizeof *items);
    uint8_t *sources = block_new(sample, n_entries, sizeof *sources);
    for (size_t i = 0; i < n_entries; i++) {
        size_t user = i / shape.top, rank = i % shape.top;
        items[i] = user == 1 && rank > 0 ? -1 : (int32_t)((user + rank + 1) % shape.n_items);
        sources[i] = (uint8_t)(i % PUBLISH_N_SOURCES);
    }
    content->n_served = shape.n_users;
    content->top = shape.top;
    content->served = codes_new(sample, shape.n_users);
    content->rec_items = items;
    content->rec_scores = floats_new(sample, n_entries, version);
    content->rec_sources = sources;
    content->n_reasons = N_REASONS;
    int32_t *reasons = block_new(sample, n_entries * N_REASONS, sizeof *reasons);
    for (size_t i = 0; i < n_entries * N_REASONS; i++) { /* the odd entries have one */
        const bool ends = items[i / N_REASONS] < 0 || (i / N_REASONS % 2 == 1 && i % N_REASONS > 0);
        reasons[i] = ends ? -1 : (int32_t)((i + 3) % shape.n_items);
    }
    content->reason_items = reasons;
    content->reason_scores = floats_new(sample, n_entries * N_REASONS, version);
    static const struct publish_part parts[N_PARTS] = {
        {"cosine", 8}, {"popularity", 0.5}, {"own:14d", 2}};
    float *values = floats_new(sample, n_entries * N_PARTS, version);
    for (size_t i = 0; i < n_entries * N_PARTS; i++) { /* no row has the second one */
        values[i] = items[i / N_PARTS] < 0 || i % N_PARTS == 1 ? 0 : values[i];
    }
    content->n_parts = N_PARTS;
    content->parts = parts;
    content->part_values = values;
    content->n_popular = N_POPULAR;
    content->popular_items = codes_new(sample, N_POPULAR);
    content->popular_scores = floats_new(sample, N_POPULAR, version);
    content->n_similar_anchors = shape.n_items;
    content->similar_top = 1;
    content->similar_anchors = codes_new(sample, shape.n_items);
    int32_t *similar = codes_new(sample, shape.n_items);
    for (size_t i = 0; i < shape.n_items; i++) {
        similar[i] = (int32_t)((i + 1) % shape.n_items);
    }
    content->similar_items = similar;
    content->similar_scores = floats_new(sample, shape.n_items, version);
}

/* Two windows of all items, and one of a category. */
static void set_trending(struct sample *sample)
{
    static const int64_t offsets[] = {0, 5};
    static const int32_t items[] = {1, 0, 2}, users[] = {5, 4, 2}, days[] = {1, 7, 7};
    static const int32_t ranks[] = {1, 1, 1}, categories[] = {-1, -1, 0};
    struct publish_content *content = &sample->content;
    content->n_trending = 3;
    content->trending_items = items;
    content->trending_users = users;
    content->trending_days = days;
    content->trending_ranks = ranks;
    content->trending_categories = categories;
    content->category_offsets = offsets;
    content->category_bytes = (const uint8_t *)"books";
}

/* Two items of one segment, and the first of them of another. */
static void set_segments(struct sample *sample)
{
    static const int64_t offsets[] = {0, 2, 4};
    static const int32_t items[] = {2, 1, 2}, codes[] = {0, 0, 1}, ranks[] = {1, 2, 1};
    static const float scores[] = {3, 2, 1};
    struct publish_content *content = &sample->content;
    content->n_segment_rows = 3;
    content->segment_items = items;
    content->segment_codes = codes;
    content->segment_ranks = ranks;
    content->segment_scores = scores;
    content->segment_offsets = offsets;
    content->segment_bytes = (const uint8_t *)"atde";
}

/* The next user, and nobody of the last one. */
static void set_similar_users(struct sample *sample, struct sample_shape shape, float version)
{
    struct publish_content *content = &sample->content;
    int32_t *similar = codes_new(sample, shape.n_users);
    for (size_t u = 0; u < shape.n_users; u++) {
        similar[u] = u + 1 < shape.n_users ? (int32_t)u + 1 : -1;
    }
    content->n_similar_users = shape.n_users;
    content->similar_users_top = 1;
    content->similar_user_anchors = codes_new(sample, shape.n_users);
    content->similar_users = similar;
    content->similar_user_scores = floats_new(sample, shape.n_users, version);
}

void sample_init(struct sample *sample, struct sample_shape shape, float version)
{
    struct publish_content *content = &sample->content;
    memset(sample, 0, sizeof *sample);
    content->users = ids_new(sample, shape.n_users, shape.users_are_text, "user", 10, -20);
    content->items = ids_new(sample, shape.n_items, shape.items_are_text, "item", 1, 100);
    set_lists(sample, shape, version);
    set_trending(sample);
    set_segments(sample);
    set_similar_users(sample, shape, version);
    content->dimension = SAMPLE_DIMENSION;
    content->n_user_vectors = shape.n_users;
    content->n_item_vectors = shape.n_items;
    content->user_vector_codes = codes_new(sample, shape.n_users);
    content->item_vector_codes = codes_new(sample, shape.n_items);
    content->user_vectors = floats_new(sample, shape.n_users * SAMPLE_DIMENSION, version);
    content->item_vectors = floats_new(sample, shape.n_items * SAMPLE_DIMENSION, version);
    content->user_vector_sources = sources_new(sample, shape.n_users);
    content->item_vector_sources = sources_new(sample, shape.n_items);
    content->item_bias = floats_new(sample, shape.n_items, version);
    content->temperature = 0.15;
    content->popularity_weight = 0.7;
    content->evidence_weight = 2.5;
    content->evidence_exponent = 0.25;
    content->score_parts = "[{\"part\":\"own:14d\"}]";
    sample->metric = (struct publish_metric){"ndcg@20", "nightjar", "all", 0.25, 0};
    content->n_metrics = 1;
    content->metrics = &sample->metric;
    content->pipeline = "shop";
    content->config_hash = "cafe";
    content->version = "0.1";
    content->seed = 42;
    content->run_started = 1700000000;
    content->n_interactions = 1234;
}

void sample_release(struct sample *sample)
{
    for (size_t i = 0; i < sample->n_blocks; i++) {
        free(sample->blocks[i]);
    }
    memset(sample, 0, sizeof *sample);
}

void publish_assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s: %s", (int)code, status->file, status->message);
    }
}

struct db *publish_open(void **state, const char *prefix)
{
    char path[STORE_PATH_MAX];
    struct status status = {0};
    store_path(state, "out.db", path);
    struct db *db = store_open(path, DB_CREATE);
    store_exec(db, "PRAGMA synchronous = OFF");
    publish_assert_ok(migrate_apply(db, MIGRATE_OUTPUT, prefix, &status), &status);
    return db;
}

int64_t publish_sample(struct db *db, struct sample_shape shape, float version, int64_t keep)
{
    struct status status = {0}, drop_status = {0};
    struct sample sample;
    struct publish_target target = {
        .db = db, .prefix = "", .keep = keep, .drop_status = &drop_status};
    int64_t generation = 0;
    sample_init(&sample, shape, version);
    publish_assert_ok(publish_generation(&target, &sample.content, &generation, &status), &status);
    publish_assert_ok(drop_status.code, &drop_status);
    sample_release(&sample);
    return generation;
}

struct buf publish_dump(struct db *db)
{
    static const char *const queries[] = {
        "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name",
        "SELECT * FROM nightjar_objects ORDER BY name",
        "SELECT generation, checksum FROM nightjar_generations",
        "SELECT run, generation FROM nightjar_runs",
        "SELECT * FROM nightjar_metrics",
        "SELECT generation FROM nightjar_current",
        "SELECT * FROM recommendations",
        "SELECT * FROM item_embeddings"};
    struct buf all = {0};
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++) {
        struct buf rows = store_rows(db, queries[i]);
        buf_add_text(&all, buf_text(&rows));
        buf_release(&rows);
    }
    return all;
}

void publish_assert_dump(struct db *db, const struct buf *before)
{
    struct buf after = publish_dump(db);
    assert_string_equal(buf_text(&after), buf_text(before));
    buf_release(&after);
}
