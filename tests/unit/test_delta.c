/* model/news: base and news together are what reading everything at once gives, whatever the rules
 * are. */
#include "base/rng.h"
#include "catch_up/delta.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { ALL_ROWS = 260, USERS = 23, ITEMS = 17 };

/* One way to make a log and to read it. */
struct world {
    bool text_ids, has_times, dislikes;
    size_t n_base; /* rows of the base; the others are news */
    uint64_t seed;
    struct dataset_rules rules;
};

static void assert_ok(enum status_code code, const struct status *status)
{
    if (code != STATUS_OK) {
        fail_msg("code %d: %s", (int)code, status->message);
    }
}

static int32_t code_of(struct vocabulary *ids, bool is_text, uint64_t number)
{
    struct status status = {0};
    int32_t code;
    char text[32];
    if (!is_text) {
        assert_ok(vocabulary_add_integer(ids, (int64_t)number * 7 - 20, &code, &status), &status);
        return code;
    }
    snprintf(text, sizeof text, "id %llu", (unsigned long long)(number * number));
    assert_ok(vocabulary_add_text(ids, text, strlen(text), &code, &status), &status);
    return code;
}

/* Rows [first, end) of the world's log; ids and items of later rows reach further. */
static void read_rows(const struct world *world, size_t first, size_t end, struct extraction *out)
{
    struct status status = {0};
    out->log.has_times = world->has_times;
    out->log.dislikes = &out->dislikes;
    for (size_t row = first; row < end; row++) {
        struct rng rng;
        rng_init(&rng, world->seed, "news.row", row, 0);
        const uint64_t reach = 10 + (row * (USERS - 10)) / ALL_ROWS;
        const uint64_t user = rng_below(&rng, reach), item = rng_below(&rng, reach) % ITEMS;
        const bool is_dislike = world->dislikes && rng_below(&rng, 5) == 0;
        const float weight = is_dislike ? 1 : (float)(1 + rng_below(&rng, 4));
        /* late rows and equal times among them */
        const int64_t time = world->has_times
                                 ? 1600000000 + (int64_t)(row / 3 + rng_below(&rng, 40)) * 3600
                                 : (int64_t)row + 1;
        struct event_log *log = is_dislike ? &out->dislikes : &out->log;
        assert_ok(event_log_add(log, code_of(&log->users, world->text_ids, user),
                                code_of(&log->items, world->text_ids, item), weight, time,
                                PART_TRAIN, &status),
                  &status);
    }
    out->report.n_rows = (int64_t)end;
}

/* With the events since then, where somebody asks for them. */
static void build_since(const struct world *world, size_t end, struct interactions *out,
                        int64_t since, struct artifact *events)
{
    struct extract_request request = {
        .dataset = world->rules,
        .split = {.by = SPLIT_NONE, .seed = 1, .repeats = world->rules.repeats}};
    struct extraction extraction = {0};
    struct status status = {0};
    read_rows(world, 0, end, &extraction);
    assert_ok(extract_split(&extraction, &request, &status), &status);
    assert_ok(extract_build(&extraction, &request, out, &status), &status);
    if (events != NULL) {
        assert_ok(new_events_gather(&extraction.log, since, events, &status), &status);
    }
    extraction_release(&extraction);
}

static void build(const struct world *world, size_t end, struct interactions *out)
{
    build_since(world, end, out, 0, NULL);
}

static void assert_ids(const struct vocabulary *got, const struct vocabulary *expected)
{
    assert_int_equal(got->n, expected->n);
    assert_int_equal(got->type, expected->type);
    for (size_t i = 0; i < got->n; i++) {
        assert_int_equal(vocabulary_compare(got, i, expected, i), 0);
    }
}

/* Weights are folded in two steps: floats in between round. */
static void assert_history(const struct history *got, const struct history *expected)
{
    const size_t n = sparse_entries(&expected->matrix);
    assert_int_equal(got->matrix.n_rows, expected->matrix.n_rows);
    if (expected->matrix.n_rows == 0) {
        return;
    }
    assert_int_equal(got->matrix.n_columns, expected->matrix.n_columns);
    assert_memory_equal(got->matrix.offsets, expected->matrix.offsets,
                        (expected->matrix.n_rows + 1) * sizeof(int64_t));
    assert_memory_equal(got->matrix.columns, expected->matrix.columns, n * sizeof(int32_t));
    assert_int_equal(got->times == NULL, expected->times == NULL);
    if (expected->times != NULL) {
        assert_memory_equal(got->times, expected->times, n * sizeof(int64_t));
    }
    assert_int_equal(got->matrix.values == NULL, expected->matrix.values == NULL);
    for (size_t e = 0; expected->matrix.values != NULL && e < n; e++) {
        const double value = (double)expected->matrix.values[e];
        assert_true(fabs((double)got->matrix.values[e] - value) <= 1e-6 * value);
    }
}

static void assert_codes(const int32_t *got, size_t n_got, const int32_t *expected, size_t n)
{
    assert_int_equal(n_got, n);
    assert_memory_equal(got, expected, n * sizeof *got);
}

static void assert_same(const struct interactions *got, const struct interactions *expected)
{
    const struct dataset *a = &got->basis[BASIS_ALL], *b = &expected->basis[BASIS_ALL];
    assert_ids(&got->users, &expected->users);
    assert_ids(&got->items, &expected->items);
    assert_history(&got->log, &expected->log);
    assert_history(&got->disliked, &expected->disliked);
    assert_codes(a->users, a->n_users, b->users, b->n_users);
    assert_codes(a->items, a->n_items, b->items, b->n_items);
    assert_history(&a->train, &b->train);
    assert_history(&a->dislikes, &b->dislikes);
    assert_codes(a->cold.users, a->cold.n_users, b->cold.users, b->cold.n_users);
    assert_codes(a->cold.items, a->cold.n_items, b->cold.items, b->cold.n_items);
    assert_history(&a->cold.history, &b->cold.history);
    assert_int_equal(got->newest_time, expected->newest_time);
    assert_int_equal(got->has_times, expected->has_times);
    assert_int_equal(got->n_rows, ALL_ROWS);
}

/* Merged, and merged again from what was saved, with the core that was found first. */
static void check_world(const struct world *world)
{
    struct interactions base = {0}, whole = {0}, merged = {0}, again = {0};
    struct extraction rows = {0};
    struct delta delta = {0}, loaded = {0};
    struct artifact artifact = {0};
    struct status status = {0};
    bool found = false;
    build(world, world->n_base, &base);
    build(world, ALL_ROWS, &whole);
    read_rows(world, world->n_base, ALL_ROWS, &rows);
    assert_ok(delta_build(&rows, &world->rules, &delta, &status), &status);
    assert_ok(interactions_merge(&base, &delta, NULL, &merged, &status), &status);
    assert_same(&merged, &whole);

    struct dataset *all = &merged.basis[BASIS_ALL];
    delta.core_users = all->users;
    delta.n_core_users = all->n_users;
    delta.core_items = all->items;
    delta.n_core_items = all->n_items;
    all->users = all->items = NULL;
    artifact_init(&artifact, "news");
    assert_ok(delta_save(&delta, &artifact, &status), &status);
    assert_ok(delta_load(&loaded, &artifact, &found, &status), &status);
    assert_true(found);
    assert_int_equal(loaded.n_events + loaded.n_dislikes, ALL_ROWS - world->n_base);
    assert_ok(interactions_merge(&base, &loaded, NULL, &again, &status), &status);
    assert_same(&again, &whole);

    delta_release(&loaded);
    delta_release(&delta);
    artifact_release(&artifact);
    extraction_release(&rows);
    interactions_release(&again);
    interactions_release(&merged);
    interactions_release(&whole);
    interactions_release(&base);
}

static void base_and_news_are_what_reading_at_once_gives(void **state)
{
    static const enum duplicate_policy policies[] = {DUPLICATES_SUM, DUPLICATES_MAX,
                                                     DUPLICATES_LAST};
    (void)state;
    for (unsigned variant = 0; variant < 3u << 6; variant++) {
        struct world world = {.text_ids = (variant & 1) != 0,
                              .has_times = (variant & 2) != 0,
                              .dislikes = (variant & 4) != 0,
                              .n_base = (variant & 8) != 0 ? ALL_ROWS - 1 : ALL_ROWS - 60,
                              .seed = variant,
                              .rules = {.duplicates = policies[variant >> 6]}};
        if ((variant & 16) != 0) { /* users and items enter the core, and bring others with them */
            world.rules.min_user_interactions = 3;
            world.rules.min_item_interactions = 4;
        }
        if ((variant & 32) != 0 && world.has_times) {
            world.rules.half_life = 86400;
            world.rules.max_user_interactions = (variant & 16) != 0 ? 7 : 4;
        }
        check_world(&world);
    }
}

/* How often it happened then, and whether the pair has anything from before `since`. */
static size_t count_event(const struct new_events *events, int32_t user, int32_t item, int64_t time,
                          bool *had)
{
    size_t n = 0;
    *had = false;
    for (size_t e = 0; e < events->n; e++) {
        if (events->users[e] == user && events->items[e] == item) {
            n += events->times[e] == time;
            *had = *had || events->had[e] != 0 || events->times[e] < events->since;
        }
    }
    return n;
}

static void check_events(const struct world *world, int64_t since)
{
    struct interactions base = {0}, whole = {0}, merged = {0};
    struct artifact base_artifact = {0}, whole_artifact = {0};
    struct new_events before = {0}, all = {0}, made = {0};
    struct extraction rows = {0};
    struct delta delta = {0};
    struct status status = {0};
    bool found = false, had, expected;
    size_t n = 0;
    build_since(world, world->n_base, &base, since, &base_artifact);
    build_since(world, ALL_ROWS, &whole, since, &whole_artifact);
    assert_ok(new_events_load(&before, &base_artifact, base.users.n, base.items.n, &status),
              &status);
    assert_ok(new_events_load(&all, &whole_artifact, whole.users.n, whole.items.n, &status),
              &status);
    read_rows(world, world->n_base, ALL_ROWS, &rows);
    assert_ok(delta_build(&rows, &world->rules, &delta, &status), &status);
    assert_ok(interactions_merge(&base, &delta, NULL, &merged, &status), &status);
    assert_ok(new_events_merge(&base, &before, &delta, &merged, &made, &found, &status), &status);
    assert_true(found &&
                event_pairs_ascend(made.users, made.items, made.n, merged.users.n, merged.items.n));
    assert_int_equal(made.since, since);
    for (size_t e = 0; e < made.n; e++) {
        n += made.times[e] >= since;
    }
    assert_int_equal(n, all.n);
    for (size_t e = 0; e < all.n; e++) {
        assert_int_equal(count_event(&made, all.users[e], all.items[e], all.times[e], &had),
                         count_event(&all, all.users[e], all.items[e], all.times[e], &expected));
        assert_int_equal(had, expected);
    }
    new_events_release(&made);
    delta_release(&delta);
    extraction_release(&rows);
    interactions_release(&merged);
    interactions_release(&whole);
    interactions_release(&base);
    artifact_release(&base_artifact);
    artifact_release(&whole_artifact);
}

/* Times of the log go from 1600000000 over five days; some of the base's are later than some news.
 */
static void events_of_base_and_news_are_those_of_all(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 24; variant++) {
        const struct world world = {.text_ids = (variant & 1) != 0,
                                    .has_times = true,
                                    .dislikes = (variant & 2) != 0,
                                    .n_base = ALL_ROWS - 60,
                                    .seed = variant};
        check_events(&world, 1600000000 + (int64_t)(variant / 4) * 80000);
    }
}

/* Of a delta from before there were events nobody knows what happened. */
static void news_without_events_do_not_tell(void **state)
{
    const struct interactions base = {0}, merged = {0};
    const struct new_events before = {0};
    const struct delta delta = {.n_events = 3};
    struct new_events made = {0};
    struct status status = {0};
    bool found = true;
    (void)state;
    assert_ok(new_events_merge(&base, &before, &delta, &merged, &made, &found, &status), &status);
    assert_false(found);
    assert_null(made.users);
}

/* What the base has for its events' sake, though of one user, is still there with the news. */
static void lasting_items_of_the_base_stay(void **state)
{
    (void)state;
    struct world world = {.has_times = true,
                          .n_base = ALL_ROWS - 60,
                          .seed = 5,
                          .rules = {.repeats = true, .min_item_interactions = 12}};
    struct interactions base = {0}, merged = {0};
    struct extraction rows = {0};
    struct delta delta = {0};
    struct status status = {0};
    size_t n_lasting = 0;
    build(&world, world.n_base, &base);
    read_rows(&world, world.n_base, ALL_ROWS, &rows);
    assert_ok(delta_build(&rows, &world.rules, &delta, &status), &status);
    assert_ok(interactions_merge(&base, &delta, NULL, &merged, &status), &status);
    const struct dataset *before = &base.basis[BASIS_ALL], *now = &merged.basis[BASIS_ALL];
    int64_t counts[ALL_ROWS];
    dataset_item_counts(before, counts);
    assert_true(now->repeats && before->n_items <= now->n_items);
    for (size_t i = 0, j = 0; i < before->n_items; i++, j++) {
        while (j < now->n_items && vocabulary_key(&merged.items, (size_t)now->items[j]) !=
                                       vocabulary_key(&base.items, (size_t)before->items[i])) {
            j++;
        }
        assert_true(j < now->n_items);
        n_lasting += counts[i] < world.rules.min_item_interactions;
    }
    assert_true(n_lasting > 0);
    delta_release(&delta);
    extraction_release(&rows);
    interactions_release(&merged);
    interactions_release(&base);
}

static void news_of_dislikes_alone_take_pairs_away(void **state)
{
    const struct world world = {.has_times = true, .n_base = 200, .seed = 3};
    struct interactions base = {0}, merged = {0};
    struct extraction rows = {0};
    struct delta delta = {0};
    struct status status = {0};
    (void)state;
    build(&world, world.n_base, &base);
    const int32_t item = base.log.matrix.columns[0];
    int32_t code = code_of(&rows.dislikes.users, false, 0), ignored;
    rows.log.has_times = true;
    rows.log.dislikes = &rows.dislikes;
    assert_int_equal(base.users.integers[0], rows.dislikes.users.integers[0]);
    assert_ok(
        vocabulary_add_integer(&rows.dislikes.items, base.items.integers[item], &ignored, &status),
        &status);
    assert_ok(event_log_add(&rows.dislikes, code, ignored, 1, 1700000000, PART_TRAIN, &status),
              &status);
    assert_ok(delta_build(&rows, &world.rules, &delta, &status), &status);
    assert_ok(interactions_merge(&base, &delta, NULL, &merged, &status), &status);
    assert_true(sparse_has(&base.basis[BASIS_ALL].train.matrix, 0, item));
    assert_true(sparse_has(&merged.log.matrix, 0, item)); /* what was seen was seen */
    assert_true(sparse_has(&merged.disliked.matrix, 0, item));
    assert_int_equal(sparse_entries(&merged.basis[BASIS_ALL].train.matrix),
                     sparse_entries(&base.basis[BASIS_ALL].train.matrix) - 1);
    assert_int_equal(merged.newest_time, base.newest_time);
    delta_release(&delta);
    extraction_release(&rows);
    interactions_release(&merged);
    interactions_release(&base);
}

static void an_artifact_without_news_has_none(void **state)
{
    struct artifact artifact = {0};
    struct status status = {0};
    struct delta delta = {0};
    bool found = true;
    (void)state;
    artifact_init(&artifact, "towers");
    assert_ok(delta_load(&delta, &artifact, &found, &status), &status);
    assert_false(found);
    artifact_release(&artifact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base_and_news_are_what_reading_at_once_gives),
        cmocka_unit_test(events_of_base_and_news_are_those_of_all),
        cmocka_unit_test(news_without_events_do_not_tell),
        cmocka_unit_test(lasting_items_of_the_base_stay),
        cmocka_unit_test(news_of_dislikes_alone_take_pairs_away),
        cmocka_unit_test(an_artifact_without_news_has_none),
    };
    return cmocka_run_group_tests_name("news", tests, NULL, NULL);
}
