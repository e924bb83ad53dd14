/* Every loss of the table through the kernel: its value against a loop written from the formula in
 * double, its gradients against finite differences of that loop; with shared negatives, with lists,
 * with both; with and without exclusions and offsets; over several tiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bfloat16.h"
#include "base/mem.h"
#include "math/blas.h"
#include "tests/support/contrast_problem.h"
#include "tests/support/random_matrix.h"

#include <math.h>

static const enum problem_negatives every_kind[] = {SHARED, LISTED, BOTH};

/* Moves a value by h both ways and takes the difference of the naive loss. */
static double slope(const struct problem *p, double *value)
{
    const double h = 1e-6;
    double kept = *value;
    *value = kept + h;
    double up = naive_loss(p);
    *value = kept - h;
    double down = naive_loss(p);
    *value = kept;
    return (up - down) / (2.0 * h);
}

/* Up to n_points of an array of `total` slopes. */
static void check_slopes(const struct problem *p, const float *got, double *values, size_t total,
                         size_t n_points)
{
    for (size_t i = 0; i < total; i += 1 + total / n_points) {
        double want = slope(p, &values[i]);
        assert_true(fabs((double)got[i] - want) <= 2e-4 * (1.0 + fabs(want)));
    }
}

static void check_problem(const struct problem *p, size_t n_points)
{
    struct contrast_result result = run_kernel(p, 1);
    double want = naive_loss(p);
    assert_true(fabs(result.loss - want) <= 2e-5 * (1.0 + fabs(want)));
    check_slopes(p, result.anchors.data, p->wide_anchors, p->b * p->d, n_points);
    check_slopes(p, result.candidates.data, p->wide_candidates, p->m * p->d, n_points);
    release_result(&result);
}

static void every_loss_and_its_slopes_match_the_formula(void **state)
{
    (void)state;
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        for (size_t v = 0; v < 12; v++) {
            struct problem p = make_problem(9, 40, 8, 30, every_kind[v % 3], 100 + v);
            p.settings.loss = &loss_table[l];
            p.with_offsets = (v / 3) % 2 == 0;
            p.with_excluded = v / 6 == 0;
            check_problem(&p, 40);
            release_problem(&p);
        }
    }
}

static void every_setting_of_a_loss_enters_as_written(void **state)
{
    (void)state;
    const struct {
        const char *loss;
        struct loss_settings settings;
    } rows[] = {
        {"softmax", {DENOMINATORS_ALL, 1.22, 0, 0, 0, 2.0}},
        {"softmax", {DENOMINATORS_DECOUPLED, 1.22, 0, 0, 0, 2.0}},
        {"bsl", {DENOMINATORS_ALL, 1.22, 0, 0, 0, 2.0}},
        {"slk", {DENOMINATORS_ALL, 0.8, 0, 0, 0, 2.0}},
        {"slk", {DENOMINATORS_DECOUPLED, 1.0, 0, 0, 0, 2.0}},
        {"triplet", {DENOMINATORS_ALL, 1.0, -0.3, 9, 9, 2.0}},
        {"triplet", {DENOMINATORS_ALL, 1.0, 1.5, 9, 9, 2.0}},
        {"warp", {DENOMINATORS_ALL, 1.0, 0.05, 9, 9, 2.0}},
        {"ccl", {DENOMINATORS_ALL, 1.0, 0.6, 150, 9, 2.0}},
        {"logistic", {DENOMINATORS_ALL, 1.0, 9, 5, 9, 2.0}},
        {"directau", {DENOMINATORS_ALL, 1.0, 9, 9, 0.4, 2.0}},
    };
    for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
        struct problem p = make_problem(9, 40, 8, 30, BOTH, 200 + r);
        p.settings.loss = loss_called(rows[r].loss);
        p.settings.loss_settings = rows[r].settings;
        check_problem(&p, 20);
        release_problem(&p);
    }
}

static void slk_without_thresholds_is_softmax(void **state)
{
    (void)state;
    struct problem p = make_problem(9, 40, 8, 30, SHARED, 7);
    struct contrast_result plain = run_kernel(&p, 1);
    p.settings.loss = loss_called("slk");
    p.with_thresholds = false;
    struct contrast_result slk = run_kernel(&p, 1);
    assert_true(plain.loss == slk.loss);
    assert_memory_equal(plain.candidates.data, slk.candidates.data, p.m * p.d * sizeof(float));
    release_result(&plain);
    release_result(&slk);
    release_problem(&p);
}

static void several_tiles_match_kept_or_recomputed(void **state)
{
    (void)state;
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        struct problem p = make_problem(7, 700, 8, 600, BOTH, 300 + l);
        p.settings.loss = &loss_table[l];
        check_problem(&p, 6);
        p.settings.strip_bytes = RECOMPUTED;
        check_problem(&p, 2);
        release_problem(&p);
    }
}

static void assert_same_bytes(const struct contrast_result *x, const struct contrast_result *y)
{
    assert_true(x->loss == y->loss);
    assert_memory_equal(x->anchors.data, y->anchors.data,
                        x->anchors.rows * x->anchors.columns * sizeof(float));
    assert_memory_equal(x->candidates.data, y->candidates.data,
                        x->candidates.rows * x->candidates.columns * sizeof(float));
}

static void threads_and_strip_change_no_byte(void **state)
{
    (void)state;
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        struct problem p = make_problem(130, 1500, 16, 1400, BOTH, 8);
        p.settings.loss = &loss_table[l];
        struct contrast_result one = run_kernel(&p, 1), three = run_kernel(&p, 3);
        p.settings.strip_bytes = RECOMPUTED;
        struct contrast_result again = run_kernel(&p, 3);
        assert_same_bytes(&one, &three);
        assert_same_bytes(&one, &again);
        release_result(&one);
        release_result(&three);
        release_result(&again);
        release_problem(&p);
    }
}

/* Rows [first, last) of m, with offsets of their own. */
static struct sparse rows_of(const struct sparse *m, size_t first, size_t last)
{
    struct sparse out = {.n_rows = last - first, .n_columns = m->n_columns};
    struct status status = {0};
    assert_int_equal(MEM_NEW(&out.offsets, out.n_rows + 1, &status), STATUS_OK);
    for (size_t r = 0; r <= out.n_rows; r++) {
        out.offsets[r] = m->offsets[first + r] - m->offsets[first];
    }
    out.columns = m->columns + m->offsets[first];
    out.values = m->values == NULL ? NULL : m->values + m->offsets[first];
    return out;
}

/* The kernel on the leaves [first, last) of a problem alone. */
static struct contrast_result run_leaves(const struct problem *p, size_t first, size_t last,
                                         struct contrast_parts *parts)
{
    const size_t row = p->leaves[first], end = p->leaves[last];
    struct problem part = *p;
    size_t leaves[9];
    for (size_t l = first; l <= last; l++) {
        leaves[l - first] = p->leaves[l] - row;
    }
    part.b = end - row;
    part.anchors = p->anchors + row * p->d;
    part.thresholds = p->thresholds + row;
    part.positives = rows_of(&p->positives, row, end);
    part.excluded = rows_of(&p->excluded, row, end);
    part.listed = rows_of(&p->listed, row, end);
    part.n_leaves = last - first;
    part.leaves = leaves;
    part.parts = parts;
    struct contrast_result result = run_kernel(&part, 2);
    mem_free(part.positives.offsets);
    mem_free(part.excluded.offsets);
    mem_free(part.listed.offsets);
    return result;
}

/* Two halves of the leaves worked on apart: what they give is added up as the kernel does it. */
static void check_leaves_apart(const struct problem *p)
{
    struct contrast_parts parts[2] = {{0}}, *const none = NULL;
    struct contrast_result whole = run_leaves(p, 0, 8, none);
    struct contrast_result halves[2] = {run_leaves(p, 0, 4, &parts[0]),
                                        run_leaves(p, 4, 8, &parts[1])};
    const size_t split = p->leaves[4] * p->d;
    assert_true(whole.loss == halves[0].loss + halves[1].loss);
    assert_memory_equal(whole.anchors.data, halves[0].anchors.data, split * sizeof(float));
    assert_memory_equal(whole.anchors.data + split, halves[1].anchors.data,
                        (p->b * p->d - split) * sizeof(float));
    for (size_t i = 0; i < p->m * p->d; i++) {
        float *sum = &halves[0].candidates.data[i], other = halves[1].candidates.data[i];
        *sum = p->settings.rounds ? bfloat16_round(*sum) + bfloat16_round(other) : *sum + other;
    }
    for (size_t h = 0; h < 2; h++) {
        assert_true(parts[h].n > 0);
        for (size_t i = 0; i < parts[h].n; i++) {
            const size_t at = (size_t)parts[h].columns[i] * p->d;
            for (size_t j = 0; j < p->d; j++) {
                const float part = parts[h].values[i * p->d + j];
                assert_true(!p->settings.rounds || bfloat16_round(part) == part);
                halves[0].candidates.data[at + j] += part;
            }
        }
    }
    assert_memory_equal(whole.candidates.data, halves[0].candidates.data,
                        p->m * p->d * sizeof(float));
    release_result(&whole);
    release_result(&halves[0]);
    release_result(&halves[1]);
    release_parts(&parts[0]);
    release_parts(&parts[1]);
}

/* What is rounded stays within the errors of so many roundings of what is not. */
static void check_rounded(const struct problem *p)
{
    struct problem exact = *p;
    exact.settings.rounds = false;
    struct contrast_result got = run_kernel(p, 1), want = run_kernel(&exact, 1);
    double error = 0.0, size = 0.0;
    for (size_t i = 0; i < p->m * p->d; i++) {
        const double value = (double)want.candidates.data[i];
        const double difference = (double)got.candidates.data[i] - value;
        error += difference * difference;
        size += value * value;
    }
    assert_true(error > 0.0 && error < 1e-5 * size);
    assert_memory_equal(got.anchors.data, want.anchors.data, p->b * p->d * sizeof(float));
    release_result(&got);
    release_result(&want);
}

static void leaves_apart_summed_along_the_tree_give_the_same_bytes(void **state)
{
    (void)state;
    /* some empty, some longer than the block that the kernel works on at once */
    static const size_t leaves[] = {0, 0, 30, 150, 151, 151, 290, 300, 300};
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        const enum loss_kind kind = loss_table[l].kind;
        if (kind != LOSS_UNIFORM) {
            struct problem p =
                make_problem(300, 700, 17, 600, kind == LOSS_SOFTMAX ? BOTH : SHARED, 40 + l);
            p.settings.loss = &loss_table[l];
            p.n_leaves = 8;
            p.leaves = leaves;
            check_problem(&p, 1);
            check_leaves_apart(&p);
            p.settings.rounds = true;
            check_leaves_apart(&p);
            check_rounded(&p);
            release_problem(&p);
        }
    }
}

/* Anchors 0 and 2 have every shared negative excluded; with lists, these are all they have. */
static void exclude_all_of_some(struct problem *p)
{
    struct rng rng;
    rng_init(&rng, 1, "test.all", 0, 0);
    sparse_release(&p->excluded);
    p->excluded = random_sparse(&rng, p->b, p->n_negatives, 1.1, false);
    int64_t kept = 0;
    for (size_t a = 0; a < p->b; a++) {
        int64_t first = p->excluded.offsets[a];
        p->excluded.offsets[a] = kept;
        for (int64_t e = first; e < p->excluded.offsets[a + 1] && a % 2 == 0; e++) {
            p->excluded.columns[kept++] = p->excluded.columns[e];
        }
    }
    p->excluded.offsets[p->b] = kept;
}

static void an_anchor_without_negatives_has_no_loss_whatever_the_loss(void **state)
{
    (void)state;
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        struct problem p = make_problem(4, 300, 8, 280, SHARED, 2);
        p.settings.loss = &loss_table[l];
        if (loss_table[l].kind == LOSS_UNIFORM) {
            p.n_negatives = 1; /* exclusions are not its business */
        } else {
            exclude_all_of_some(&p);
        }
        struct contrast_result result = run_kernel(&p, 1);
        assert_int_equal(result.n_empty, loss_table[l].kind == LOSS_UNIFORM ? 4 : 2);
        double want = naive_loss(&p);
        assert_true(fabs(result.loss - want) <= 2e-5 * (1.0 + fabs(want)));
        for (size_t i = 0; i < p.d; i++) {
            assert_true(result.anchors.data[i] == 0.0f);
            assert_true(result.anchors.data[2 * p.d + i] == 0.0f);
        }
        release_result(&result);
        release_problem(&p);
    }
}

static void no_negatives_at_all_give_zeros(void **state)
{
    (void)state;
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        struct problem p = make_problem(4, 30, 8, 0, SHARED, 2);
        p.settings.loss = &loss_table[l];
        struct contrast_result result = run_kernel(&p, 2);
        assert_int_equal(result.n_empty, 4);
        assert_true(result.loss == 0.0);
        for (size_t i = 0; i < p.m * p.d; i++) {
            assert_true(result.candidates.data[i] == 0.0f);
            assert_true(i >= p.b * p.d || result.anchors.data[i] == 0.0f);
        }
        release_result(&result);
        release_problem(&p);
    }
}

static void anchors_without_positives_and_batches_without_anchors_are_fine(void **state)
{
    (void)state;
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        for (size_t b = 0; b < 3; b += 2) {
            struct problem p = make_problem(b, 40, 8, 30, BOTH, 2);
            p.settings.loss = &loss_table[l];
            memset(p.positives.offsets, 0, (b + 1) * sizeof *p.positives.offsets);
            struct contrast_result result = run_kernel(&p, 2);
            assert_int_equal(result.n_empty, 0);
            assert_true(result.loss == 0.0);
            for (size_t i = 0; i < p.m * p.d; i++) {
                assert_true(result.candidates.data[i] == 0.0f);
            }
            release_result(&result);
            release_problem(&p);
        }
    }
}

static void twice_the_weights_give_twice_the_loss(void **state)
{
    (void)state;
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        struct problem p = make_problem(9, 40, 8, 30, BOTH, 5);
        p.settings.loss = &loss_table[l];
        struct contrast_result one = run_kernel(&p, 1);
        for (size_t e = 0; e < sparse_entries(&p.positives); e++) {
            p.positives.values[e] *= 2.0f;
        }
        struct contrast_result two = run_kernel(&p, 1);
        assert_true(fabs(two.loss - 2.0 * one.loss) <= 1e-6 * fabs(one.loss));
        release_result(&one);
        release_result(&two);
        release_problem(&p);
    }
}

static void large_offsets_and_logits_do_not_overflow(void **state)
{
    (void)state;
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        struct problem p = make_problem(8, 300, 8, 300, BOTH, 6);
        p.settings.loss = &loss_table[l];
        p.settings.temperature = 0.001; /* logits up to 1,000 */
        for (size_t c = 0; c < p.n_negatives; c++) {
            p.offsets[c] += 100.0f;
        }
        struct contrast_result result = run_kernel(&p, 1);
        assert_true(isfinite(result.loss));
        for (size_t i = 0; i < p.m * p.d; i++) {
            assert_true(isfinite(result.candidates.data[i]));
        }
        release_result(&result);
        release_problem(&p);
    }
}

static void nan_in_an_embedding_reaches_every_loss(void **state)
{
    (void)state;
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        for (size_t side = 0; side < 2; side++) {
            struct problem p = make_problem(8, 30, 8, 20, SHARED, 6);
            p.settings.loss = &loss_table[l];
            p.with_excluded = false;
            (side == 0 ? p.anchors : p.candidates)[5] = NAN;
            struct contrast_result result = run_kernel(&p, 1);
            assert_true(!isfinite(result.loss));
            release_result(&result);
            release_problem(&p);
        }
    }
}

static void diagnostics_match_plain_loops_and_change_nothing(void **state)
{
    (void)state;
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        struct problem p = make_problem(7, 700, 8, 600, every_kind[l % 3], 40 + l);
        p.settings.loss = &loss_table[l];
        struct contrast_result plain = run_kernel(&p, 2);
        p.settings.diagnose = true;
        struct contrast_result result = run_kernel(&p, 2);
        assert_same_bytes(&plain, &result);
        double cosines = 0.0, effective = 0.0, count = 0.0;
        for (size_t a = 0; a < p.b; a++) {
            size_t n = 0;
            cosines += naive_negative_cosines(&p, a, &n);
            count += (double)n;
            effective += naive_effective_negatives(&p, a) / (double)p.b;
        }
        const struct contrast_diagnostics *got = &result.diagnostics;
        assert_true(fabs(contrast_mean(got->negative_cosine) - cosines / count) <= 1e-6);
        assert_true(fabs(contrast_mean(got->effective_negatives) - effective) <= 1e-4 * effective);
        assert_true(fabs(contrast_mean(got->positive_cosine)) <= 1.0);
        release_result(&plain);
        release_result(&result);
        release_problem(&p);
    }
}

static void the_mean_positive_cosine_is_that_of_the_entries(void **state)
{
    (void)state;
    struct problem p = make_problem(5, 40, 8, 30, SHARED, 12);
    p.settings.diagnose = true;
    struct contrast_result result = run_kernel(&p, 1);
    double sum = 0.0;
    for (size_t a = 0; a < p.b; a++) {
        for (int64_t e = p.positives.offsets[a]; e < p.positives.offsets[a + 1]; e++) {
            for (size_t j = 0; j < p.d; j++) {
                sum += p.wide_anchors[a * p.d + j] *
                       p.wide_candidates[(size_t)p.positives.columns[e] * p.d + j];
            }
        }
    }
    double want = sum / (double)sparse_entries(&p.positives);
    assert_true(fabs(contrast_mean(result.diagnostics.positive_cosine) - want) <= 1e-6);
    release_result(&result);
    release_problem(&p);
}

int main(void)
{
    blas_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_loss_and_its_slopes_match_the_formula),
        cmocka_unit_test(every_setting_of_a_loss_enters_as_written),
        cmocka_unit_test(slk_without_thresholds_is_softmax),
        cmocka_unit_test(several_tiles_match_kept_or_recomputed),
        cmocka_unit_test(threads_and_strip_change_no_byte),
        cmocka_unit_test(leaves_apart_summed_along_the_tree_give_the_same_bytes),
        cmocka_unit_test(an_anchor_without_negatives_has_no_loss_whatever_the_loss),
        cmocka_unit_test(no_negatives_at_all_give_zeros),
        cmocka_unit_test(anchors_without_positives_and_batches_without_anchors_are_fine),
        cmocka_unit_test(twice_the_weights_give_twice_the_loss),
        cmocka_unit_test(large_offsets_and_logits_do_not_overflow),
        cmocka_unit_test(nan_in_an_embedding_reaches_every_loss),
        cmocka_unit_test(diagnostics_match_plain_loops_and_change_nothing),
        cmocka_unit_test(the_mean_positive_cosine_is_that_of_the_entries),
    };
    return cmocka_run_group_tests_name("contrast_losses", tests, NULL, NULL);
}
