/* Trials of users who are spread over ranks, against those of one process that has all of them:
 * what they are worth, and that one which is lost on one rank is lost on all, who go on. Alone it
 * is one rank; `mpirun -n 4 test_auto_trial` of a build with MPI is four. */
#include "base/mem.h"
#include "math/blas.h"
#include "tests/support/crowd_case.h"
#include "tuning/auto_trial.h"
#include "tests/support/ranked.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* What a trial came to; of_users (n) in the order of the validation. */
struct outcome {
    double value, popularity, *of_users;
    size_t n;
};

/* A trial of one side, with hard negatives; the weight of the positives of the user with the code
 * `loud` is infinite. */
static struct outcome try_side(struct crowd_case *c, enum crowd_side side, int loss, int32_t loud)
{
    static const struct trial_size whole = {.share = 1.0};
    static const struct trainer_hooks none = {0};
    const struct trainer_settings settings = {
        .dimension = CROWD_DIMENSION,
        .loss = loss,
        .loss_settings = {.denominators = DENOMINATORS_DECOUPLED, .t2 = 1.1, .slk_width = 5.0},
        .slk_top_k = 10,
        .temperature = 0.2,
        .learning_rate = 0.05,
        .schedule = {.shape = SCHEDULE_COSINE, .final_rate = 0.05},
        .epochs = 3,
        .batch_users = 256,
        .init_scale = 0.1,
        .strip_bytes = 1 << 20};
    const struct negative_settings negatives = {
        .strategy = NEGATIVES_ALL,
        .shared = true,
        .exclude_own = true,
        .correct = true,
        .hard = {.count = 4, .pool = 20, .from_epoch = 2, .every = 1, .share = NAN}};
    const struct dataset *fit = crowd_case_fit(c, side);
    const struct crowd *crowd = &c->part[side].crowd;
    struct history train = fit->train;
    struct validation validation = {0};
    struct outcome outcome = {0};
    struct status status = {0};
    float *weights;
    uint64_t *keys;
    int64_t *counts;
    assert_int_equal(MEM_NEW(&weights, sparse_entries(&train.matrix), &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&keys, fit->n_users, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&counts, fit->n_items, &status), STATUS_OK);
    for (size_t u = 0; u < fit->n_users; u++) {
        keys[u] = crowd_key(crowd, u);
        for (int64_t e = train.matrix.offsets[u]; e < train.matrix.offsets[u + 1]; e++) {
            weights[e] = crowd->codes[u] == loud ? INFINITY : 1.0F;
        }
    }
    train.matrix.values = weights;
    dataset_item_counts(fit, counts);
    assert_int_equal(
        validation_init(&validation, fit, crowd, "ndcg@10", CROWD_USERS / 2, 1, &status),
        STATUS_OK);
    outcome.n = validation.n_all;
    assert_int_equal(MEM_NEW(&outcome.of_users, outcome.n, &status), STATUS_OK);
    const struct trainer_input input = {.settings = &settings,
                                        .negatives = &negatives,
                                        .train = &train,
                                        .item_counts = counts,
                                        .validation = &validation,
                                        .seed = 5,
                                        .user_keys = keys,
                                        .ranks = crowd->ranks};
    if (auto_trial_run(&input, &whole, &none, NULL, &outcome.value, &outcome.popularity,
                       outcome.of_users, &status) != STATUS_OK) {
        fail_msg("%s", status.message);
    }
    validation_release(&validation);
    mem_free(weights);
    mem_free(keys);
    mem_free(counts);
    return outcome;
}

static void assert_equal(struct outcome *here, struct outcome *alone)
{
    assert_true(here->value > 0.0 && here->value == alone->value);
    assert_true(here->popularity == alone->popularity);
    assert_int_equal(here->n, CROWD_USERS / 2);
    assert_int_equal(here->n, alone->n);
    assert_memory_equal(here->of_users, alone->of_users, here->n * sizeof *here->of_users);
    mem_free(here->of_users);
    mem_free(alone->of_users);
}

static void trials_do_not_depend_on_where_users_are(void **state)
{
    (void)state;
    struct crowd_case c;
    crowd_case_init(&c, ranks, 1);
    static const int losses[] = {LOSS_ROW_softmax, LOSS_ROW_slk, LOSS_ROW_bsl};
    for (size_t l = 0; l < sizeof losses / sizeof *losses; l++) {
        struct outcome here = try_side(&c, CROWD_HERE, losses[l], -1);
        struct outcome alone = try_side(&c, CROWD_ALONE, losses[l], -1);
        assert_equal(&here, &alone);
    }
    crowd_case_release(&c);
}

/* Only the rank of that user sees a loss that is not finite. */
static void one_that_is_lost_on_one_rank_is_lost_on_all_and_the_next_is_not(void **state)
{
    (void)state;
    struct crowd_case c;
    crowd_case_init(&c, ranks, 2);
    struct outcome lost = try_side(&c, CROWD_HERE, LOSS_ROW_softmax, CROWD_USERS / 2);
    assert_true(isnan(lost.value) && isnan(lost.popularity));
    for (size_t u = 0; u < lost.n; u++) {
        assert_true(isnan(lost.of_users[u]));
    }
    mem_free(lost.of_users);
    struct outcome here = try_side(&c, CROWD_HERE, LOSS_ROW_softmax, -1);
    struct outcome alone = try_side(&c, CROWD_ALONE, LOSS_ROW_softmax, -1);
    assert_equal(&here, &alone);
    crowd_case_release(&c);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trials_do_not_depend_on_where_users_are),
        cmocka_unit_test(one_that_is_lost_on_one_rank_is_lost_on_all_and_the_next_is_not),
    };
    return cmocka_run_group_tests(tests, ranked_open, ranked_close);
}
