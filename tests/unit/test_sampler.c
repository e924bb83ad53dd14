/* Draw frequencies by chi-square with fixed seeds; offsets against the formula in sampler.h. */
#include "base/mem.h"
#include "negatives/negatives_options.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { ITEMS = 60, POSITIVES = 90, DRAWS = 40, ROOM = ITEMS };

static const enum negative_strategy sampled[] = {
    NEGATIVES_UNIFORM, NEGATIVES_POPULARITY, NEGATIVES_IN_BATCH, NEGATIVES_MIXED, NEGATIVES_QUEUE};
enum { N_SAMPLED = sizeof sampled / sizeof sampled[0] };

/* A long tail: 200, 100, 66, ... at scattered places. */
static void fill_counts(int64_t counts[ITEMS])
{
    for (int64_t c = 0; c < ITEMS; c++) {
        counts[c * 7 % ITEMS] = 200 / (c + 1) + 1;
    }
}

static struct sampler new_sampler(enum negative_strategy strategy, double alpha, bool correct)
{
    struct status status = {0};
    struct sampler sampler = {0};
    int64_t counts[ITEMS];
    const struct negative_settings settings = {.strategy = strategy,
                                               .count = DRAWS,
                                               .alpha = alpha,
                                               .shared = true,
                                               .exclude_own = true,
                                               .correct = correct};
    fill_counts(counts);
    assert_int_equal(sampler_init(&sampler, &settings, counts, ITEMS, &status), STATUS_OK);
    return sampler;
}

/* Positives as a batch has them: items in proportion to their counts. */
static void draw_positives(struct rng *rng, int32_t positives[POSITIVES])
{
    int64_t counts[ITEMS], total = 0;
    fill_counts(counts);
    for (size_t c = 0; c < ITEMS; c++) {
        total += counts[c];
    }
    for (size_t p = 0; p < POSITIVES; p++) {
        int64_t place = (int64_t)rng_below(rng, (uint64_t)total);
        int32_t item = 0;
        while (place >= counts[item]) {
            place -= counts[item++];
        }
        positives[p] = item;
    }
}

static double chi_square(const int64_t *seen, const double *weights, size_t n, double draws)
{
    double sum = 0, chi = 0;
    for (size_t i = 0; i < n; i++) {
        sum += weights[i];
    }
    for (size_t i = 0; i < n; i++) {
        const double expected = draws * weights[i] / sum;
        if (expected > 0) {
            chi += ((double)seen[i] - expected) * ((double)seen[i] - expected) / expected;
        }
    }
    return chi;
}

static void alias_draws_follow_the_weights(void **state)
{
    (void)state;
    enum { N = 50, N_DRAWS = 400000 };
    struct status status = {0};
    struct alias_table table = {0};
    struct rng rng;
    double weights[N];
    int64_t seen[N] = {0};
    for (size_t i = 0; i < N; i++) {
        weights[i] = i % 10 == 3 ? 0 : exp((double)(i % 13) / 3);
    }
    assert_int_equal(alias_init(&table, weights, N, &status), STATUS_OK);
    rng_init(&rng, 11, "test.alias", 0, 0);
    for (size_t d = 0; d < N_DRAWS; d++) {
        seen[alias_draw(&table, &rng)]++;
    }
    for (size_t i = 3; i < N; i += 10) {
        assert_int_equal(seen[i], 0);
    }
    /* 44 degrees of freedom: 78.7 is the 99.9 % point */
    assert_true(chi_square(seen, weights, N, N_DRAWS) < 78.7);
    alias_release(&table);
    const double one = 5;
    assert_int_equal(alias_init(&table, &one, 1, &status), STATUS_OK);
    assert_int_equal(alias_draw(&table, &rng), 0);
    alias_release(&table);
    alias_release(&table);
}

static void weights_that_are_no_distribution_are_refused(void **state)
{
    (void)state;
    const double bad[][3] = {
        {0, 0, 0}, {1, -1, 3}, {1, NAN, 1}, {INFINITY, 1, 1}, {1.5e308, 1.5e308, 1}};
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        struct status status = {0};
        struct alias_table table = {0};
        assert_int_equal(alias_init(&table, bad[b], 3, &status), STATUS_INTERNAL);
        assert_non_null(strstr(status.message, "allowed"));
        assert_null(table.alias);
        assert_int_equal(table.n, 0);
    }
}

static void proposals_are_drawn_as_they_say(void **state)
{
    (void)state;
    enum { N_DRAWS = 200000 };
    const enum negative_strategy alone[] = {NEGATIVES_UNIFORM, NEGATIVES_POPULARITY};
    for (size_t s = 0; s < 2; s++) {
        struct sampler sampler = new_sampler(alone[s], 0.75, true);
        struct status status = {0};
        struct rng rng;
        int64_t counts[ITEMS], seen[ITEMS] = {0};
        double weights[ITEMS];
        int32_t *items = NULL;
        fill_counts(counts);
        rng_init(&rng, 12, "test.proposal", s, 0);
        assert_int_equal(MEM_NEW(&items, N_DRAWS, &status), STATUS_OK);
        sampler_draw_each(&sampler, &rng, N_DRAWS, items, NULL);
        for (size_t d = 0; d < N_DRAWS; d++) {
            seen[items[d]]++;
        }
        for (size_t c = 0; c < ITEMS; c++) {
            weights[c] = alone[s] == NEGATIVES_UNIFORM ? 1 : pow(1 + (double)counts[c], 0.75);
        }
        double sum = 0;
        for (size_t c = 0; c < ITEMS; c++) {
            sum += weights[c];
        }
        for (size_t c = 0; c < ITEMS; c++) {
            assert_true(fabs(exp(sampler.log_q[c]) - weights[c] / sum) < 1e-12);
        }
        /* 59 degrees of freedom: 98.3 is the 99.9 % point */
        assert_true(chi_square(seen, weights, ITEMS, N_DRAWS) < 98.3);
        mem_free(items);
        sampler_release(&sampler);
    }
}

/* alpha log(1 + n_c) - z, from the counts. */
static double naive_target(int32_t item, double alpha)
{
    int64_t counts[ITEMS];
    double mean = 0;
    fill_counts(counts);
    for (size_t c = 0; c < ITEMS; c++) {
        mean += pow(1 + (double)counts[c], alpha) / ITEMS;
    }
    return alpha * log(1 + (double)counts[item]) - log(mean);
}

/* How often one of the draws is expected to be `item`: m q_c. n_queued: positives of batches
 * before. */
static double naive_expected(enum negative_strategy strategy, int32_t item, double alpha,
                             size_t n_queued)
{
    int64_t counts[ITEMS];
    double total = 0, powers = 0;
    fill_counts(counts);
    for (size_t c = 0; c < ITEMS; c++) {
        total += (double)counts[c];
        powers += pow(1 + (double)counts[c], alpha);
    }
    const double given = (double)(POSITIVES + n_queued) * (double)counts[item] / total;
    switch (strategy) {
    case NEGATIVES_UNIFORM:
        return DRAWS / (double)ITEMS;
    case NEGATIVES_POPULARITY:
        return DRAWS * pow(1 + (double)counts[item], alpha) / powers;
    case NEGATIVES_IN_BATCH:
    case NEGATIVES_QUEUE:
        return given;
    default:
        return DRAWS / (double)ITEMS + given;
    }
}

/* The draws of sampler_draw_shared, counted one by one from a copy of its random stream. */
static void naive_times(const struct sampler *sampler, struct rng rng, const int32_t *positives,
                        int32_t times[ITEMS])
{
    const enum negative_strategy strategy = sampler->settings.strategy;
    const bool takes_batch = strategy == NEGATIVES_IN_BATCH || strategy == NEGATIVES_QUEUE;
    memset(times, 0, ITEMS * sizeof *times);
    for (size_t d = 0; d < DRAWS && !takes_batch; d++) {
        times[strategy == NEGATIVES_POPULARITY ? alias_draw(&sampler->table, &rng)
                                               : (int32_t)rng_below(&rng, ITEMS)]++;
    }
    for (size_t p = 0; p < POSITIVES; p++) {
        times[positives[p]] += takes_batch || strategy == NEGATIVES_MIXED;
    }
}

static void shared_negatives_are_distinct_with_offsets_by_the_formula(void **state)
{
    (void)state;
    const double alphas[] = {0, 0.6, 2};
    for (size_t s = 0; s < N_SAMPLED * 3; s++) {
        const enum negative_strategy strategy = sampled[s / 3];
        const double alpha = alphas[s % 3];
        struct sampler sampler = new_sampler(strategy, alpha, true);
        struct rng rng;
        int32_t positives[POSITIVES] = {0}, times[ITEMS], items[ROOM];
        float offsets[ROOM];
        rng_init(&rng, 21, "test.shared", s, 0);
        for (int repeat = 0; repeat < 5; repeat++) {
            /* the queue is shorter than a batch: it holds the last positives of the one before */
            const size_t n_queued = strategy == NEGATIVES_QUEUE && repeat > 0 ? DRAWS : 0;
            int32_t queued[DRAWS];
            memcpy(queued, positives + POSITIVES - DRAWS, sizeof queued);
            draw_positives(&rng, positives);
            naive_times(&sampler, rng, positives, times);
            for (size_t q = 0; q < n_queued; q++) {
                times[queued[q]]++;
            }
            const size_t n =
                sampler_draw_shared(&sampler, &rng, positives, POSITIVES, items, offsets);
            size_t expected_n = 0;
            for (size_t c = 0; c < ITEMS; c++) {
                expected_n += times[c] > 0;
            }
            assert_int_equal(n, expected_n);
            for (size_t c = 0; c < n; c++) {
                assert_true(c == 0 || items[c] > items[c - 1]);
                assert_true(times[items[c]] > 0);
                const double expected = naive_target(items[c], alpha) -
                                        log(naive_expected(strategy, items[c], alpha, n_queued)) +
                                        log((double)times[items[c]]);
                assert_true(fabs((double)offsets[c] - expected) < 1e-5);
            }
        }
        sampler_release(&sampler);
    }
}

static void offsets_add_up_to_the_number_of_items_on_average(void **state)
{
    (void)state;
    enum { REPEATS = 4000 };
    for (size_t s = 0; s < N_SAMPLED; s++) {
        struct sampler sampler = new_sampler(sampled[s], 0.5, true);
        struct rng rng;
        int32_t positives[POSITIVES], items[ROOM];
        float offsets[ROOM];
        double sum = 0;
        rng_init(&rng, 22, "test.sum", s, 0);
        for (int repeat = 0; repeat < REPEATS; repeat++) {
            draw_positives(&rng, positives);
            const size_t n =
                sampler_draw_shared(&sampler, &rng, positives, POSITIVES, items, offsets);
            for (size_t c = 0; c < n; c++) {
                sum += exp((double)offsets[c]) / REPEATS;
            }
        }
        /* the mean of 4,000 sums scatters by less than 0.5 % */
        assert_true(fabs(sum / ITEMS - 1) < 0.015);
        sampler_release(&sampler);
    }
}

static struct sampler new_queue(size_t length)
{
    struct status status = {0};
    struct sampler sampler = {0};
    int64_t counts[ITEMS];
    const struct negative_settings settings = {
        .strategy = NEGATIVES_QUEUE, .count = length, .shared = true, .correct = true};
    fill_counts(counts);
    assert_int_equal(sampler_init(&sampler, &settings, counts, ITEMS, &status), STATUS_OK);
    return sampler;
}

static void the_queue_gives_the_newest_positives_of_earlier_batches(void **state)
{
    (void)state;
    enum { BATCHES = 12, BATCH = 7 };
    for (size_t length = 1; length <= 30; length += 4) {
        struct sampler sampler = new_queue(length);
        struct rng rng;
        int32_t past[BATCHES * BATCH], items[ROOM];
        float offsets[ROOM];
        rng_init(&rng, 23, "test.queue", length, 0);
        for (size_t b = 0; b < BATCHES; b++) {
            bool expected[ITEMS] = {false};
            size_t n_expected = 0;
            for (size_t p = 0; p < BATCH; p++) {
                past[b * BATCH + p] = (int32_t)rng_below(&rng, ITEMS);
            }
            const size_t n_past = b * BATCH;
            const size_t from = n_past < length ? 0 : n_past - length;
            for (size_t p = from; p < n_past + BATCH; p++) {
                n_expected += !expected[past[p]];
                expected[past[p]] = true;
            }
            const size_t n =
                sampler_draw_shared(&sampler, &rng, past + n_past, BATCH, items, offsets);
            assert_int_equal(n, n_expected);
            for (size_t c = 0; c < n; c++) {
                assert_true(expected[items[c]]);
            }
        }
        sampler_release(&sampler);
    }
}

static void an_epoch_begins_with_an_empty_queue(void **state)
{
    (void)state;
    struct sampler used = new_queue(25), fresh = new_queue(25);
    struct rng rng;
    int32_t positives[POSITIVES], items[2][ROOM];
    float offsets[2][ROOM];
    rng_init(&rng, 24, "test.epoch", 0, 0);
    for (int batch = 0; batch < 3; batch++) {
        draw_positives(&rng, positives);
        (void)sampler_draw_shared(&used, &rng, positives, POSITIVES, items[0], offsets[0]);
    }
    sampler_start_epoch(&used);
    for (int batch = 0; batch < 3; batch++) {
        draw_positives(&rng, positives);
        const size_t n = sampler_draw_shared(&used, &rng, positives, 11, items[0], offsets[0]);
        assert_int_equal(sampler_draw_shared(&fresh, &rng, positives, 11, items[1], offsets[1]), n);
        assert_memory_equal(items[0], items[1], n * sizeof items[0][0]);
        assert_memory_equal(offsets[0], offsets[1], n * sizeof offsets[0][0]);
    }
    sampler_release(&used);
    sampler_release(&fresh);
}

static void as_many_uniform_draws_as_items_become_every_item(void **state)
{
    (void)state;
    int64_t counts[ITEMS];
    struct status status = {0};
    fill_counts(counts);
    struct negative_settings settings = {.strategy = NEGATIVES_UNIFORM,
                                         .count = ITEMS - 1,
                                         .shared = true,
                                         .exclude_own = true,
                                         .correct = true};
    for (int with_all = 0; with_all < 2; with_all++) {
        struct sampler sampler = {0};
        settings.count = with_all ? ITEMS : ITEMS - 1;
        assert_int_equal(sampler_init(&sampler, &settings, counts, ITEMS, &status), STATUS_OK);
        assert_int_equal(sampler.settings.strategy, with_all ? NEGATIVES_ALL : NEGATIVES_UNIFORM);
        sampler_release(&sampler);
        /* drawn for each positive they stay draws */
        settings.shared = false;
        assert_int_equal(sampler_init(&sampler, &settings, counts, ITEMS, &status), STATUS_OK);
        assert_int_equal(sampler.settings.strategy, NEGATIVES_UNIFORM);
        sampler_release(&sampler);
        settings.shared = true;
    }
}

static void strategy_all_gives_every_item_with_its_target(void **state)
{
    (void)state;
    struct sampler sampler = new_sampler(NEGATIVES_ALL, 0.7, true);
    struct rng rng;
    int32_t items[ITEMS];
    float offsets[ITEMS];
    double sum = 0;
    rng_init(&rng, 1, "test.all", 0, 0);
    assert_int_equal(sampler_draw_shared(&sampler, &rng, NULL, 0, items, offsets), ITEMS);
    for (int32_t c = 0; c < ITEMS; c++) {
        assert_int_equal(items[c], c);
        assert_true(fabs((double)offsets[c] - naive_target(c, 0.7)) < 1e-6);
        assert_true(sampler_offset(&sampler, c, 9) == offsets[c]);
        sum += exp((double)offsets[c]);
    }
    assert_true(fabs(sum - ITEMS) < 1e-4);
    assert_null(sampler.log_q);
    sampler_release(&sampler);
}

static void draws_for_one_positive_carry_the_offset_of_their_number(void **state)
{
    (void)state;
    const enum negative_strategy alone[] = {NEGATIVES_UNIFORM, NEGATIVES_POPULARITY};
    for (size_t s = 0; s < 2; s++) {
        struct sampler sampler = new_sampler(alone[s], 0.5, true);
        struct rng rng;
        int32_t items[DRAWS];
        float offsets[DRAWS];
        rng_init(&rng, 31, "test.each", s, 0);
        sampler_draw_each(&sampler, &rng, DRAWS, items, offsets);
        for (size_t d = 0; d < DRAWS; d++) {
            const double expected =
                naive_target(items[d], 0.5) - log(naive_expected(alone[s], items[d], 0.5, 0));
            assert_true(fabs((double)offsets[d] - expected) < 1e-5);
            assert_true(sampler_offset(&sampler, items[d], DRAWS) == offsets[d]);
        }
        sampler_release(&sampler);
    }
}

static void without_correction_every_offset_is_zero(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SAMPLED; s++) {
        struct sampler sampler = new_sampler(sampled[s], 0.5, false);
        struct rng rng;
        int32_t positives[POSITIVES], items[ROOM];
        float offsets[ROOM];
        rng_init(&rng, 41, "test.plain", s, 0);
        draw_positives(&rng, positives);
        const size_t n = sampler_draw_shared(&sampler, &rng, positives, POSITIVES, items, offsets);
        assert_true(n > 10);
        for (size_t c = 0; c < n; c++) {
            assert_true(offsets[c] == 0);
        }
        sampler_release(&sampler);
    }
}

static void equal_streams_give_equal_negatives(void **state)
{
    (void)state;
    struct sampler sampler = new_sampler(NEGATIVES_MIXED, 0.5, true);
    int32_t positives[POSITIVES], items[3][ROOM];
    float offsets[3][ROOM];
    size_t n[3];
    struct rng rng;
    rng_init(&rng, 51, "test.positives", 0, 0);
    draw_positives(&rng, positives);
    for (size_t r = 0; r < 3; r++) {
        rng_init(&rng, 51, "test.equal", r == 2 ? 1 : 0, 4);
        n[r] = sampler_draw_shared(&sampler, &rng, positives, POSITIVES, items[r], offsets[r]);
    }
    assert_int_equal(n[0], n[1]);
    assert_memory_equal(items[0], items[1], n[0] * sizeof items[0][0]);
    assert_memory_equal(offsets[0], offsets[1], n[0] * sizeof offsets[0][0]);
    assert_true(n[2] != n[0] || memcmp(items[0], items[2], n[0] * sizeof items[0][0]) != 0);
    sampler_release(&sampler);
}

static void a_sampler_of_no_items_is_refused(void **state)
{
    (void)state;
    struct status status = {0};
    struct sampler sampler = {0};
    const struct negative_settings settings = {.strategy = NEGATIVES_MIXED, .count = 1};
    const int64_t none = 0;
    assert_int_equal(sampler_init(&sampler, &settings, &none, 0, &status), STATUS_INTERNAL);
    assert_null(sampler.target);
}

static void settings_survive_an_artifact(void **state)
{
    (void)state;
    struct status status = {0};
    struct artifact artifact = {0};
    struct negative_settings back = {0};
    const struct negative_settings settings = {
        .strategy = NEGATIVES_MIXED,
        .count = 8192,
        .alpha = 0.35,
        .shared = true,
        .exclude_own = false,
        .correct = true,
        .dislike_weight = 2.5,
        .hard = {.count = 4, .pool = 50, .skip = 6, .from_epoch = 2, .every = 7, .share = NAN}};
    artifact_init(&artifact, "negatives");
    assert_int_equal(negative_settings_save(&settings, &artifact, &status), STATUS_OK);
    assert_int_equal(negative_settings_load(&back, &artifact, &status), STATUS_OK);
    assert_true(back.strategy == settings.strategy && back.count == settings.count);
    assert_true(back.alpha == settings.alpha && back.shared && !back.exclude_own && back.correct);
    assert_true(back.dislike_weight == 2.5);
    assert_true(back.hard.count == 4 && back.hard.pool == 50 && back.hard.skip == 6);
    assert_true(back.hard.from_epoch == 2 && back.hard.every == 7 && isnan(back.hard.share));
    artifact_release(&artifact);

    struct negative_settings bad = settings;
    bad.strategy = (enum negative_strategy)7;
    artifact_init(&artifact, "negatives");
    assert_int_equal(negative_settings_save(&bad, &artifact, &status), STATUS_OK);
    assert_int_equal(negative_settings_load(&back, &artifact, &status), STATUS_DATA);
    assert_non_null(strstr(status.message, "strategy is 7, allowed: 0 to 5"));
    assert_true(back.strategy == settings.strategy);
    artifact_release(&artifact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alias_draws_follow_the_weights),
        cmocka_unit_test(weights_that_are_no_distribution_are_refused),
        cmocka_unit_test(proposals_are_drawn_as_they_say),
        cmocka_unit_test(shared_negatives_are_distinct_with_offsets_by_the_formula),
        cmocka_unit_test(offsets_add_up_to_the_number_of_items_on_average),
        cmocka_unit_test(the_queue_gives_the_newest_positives_of_earlier_batches),
        cmocka_unit_test(an_epoch_begins_with_an_empty_queue),
        cmocka_unit_test(as_many_uniform_draws_as_items_become_every_item),
        cmocka_unit_test(strategy_all_gives_every_item_with_its_target),
        cmocka_unit_test(draws_for_one_positive_carry_the_offset_of_their_number),
        cmocka_unit_test(without_correction_every_offset_is_zero),
        cmocka_unit_test(equal_streams_give_equal_negatives),
        cmocka_unit_test(a_sampler_of_no_items_is_refused),
        cmocka_unit_test(settings_survive_an_artifact),
    };
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
