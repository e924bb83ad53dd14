/* Random contrastive problems and their naive losses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/support/contrast_problem.h"

#include "base/mem.h"
#include "tests/support/random_matrix.h"

#include <math.h>

enum { MAX_NEGATIVES = 4096 };

/* The negatives of one anchor. */
struct negatives {
    size_t n;
    double logit[MAX_NEGATIVES], offset[MAX_NEGATIVES];
};

static double *widened(const float *x, size_t n)
{
    struct status status = {0};
    double *out = NULL;
    assert_int_equal(MEM_NEW(&out, n, &status), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        out[i] = (double)x[i];
    }
    return out;
}

const struct loss *loss_called(const char *name)
{
    size_t i = 0;
    while (strcmp(loss_names[i], name) != 0) {
        i++;
    }
    return &loss_table[i];
}

static double naive_logit(const struct problem *p, size_t a, int32_t c)
{
    double dot = 0.0;
    for (size_t j = 0; j < p->d; j++) {
        dot += p->wide_anchors[a * p->d + j] * p->wide_candidates[(size_t)c * p->d + j];
    }
    return dot / p->settings.temperature;
}

struct problem make_problem(size_t b, size_t m, size_t d, size_t n_negatives,
                            enum problem_negatives negatives, uint64_t seed)
{
    struct rng rng;
    struct status status = {0};
    rng_init(&rng, seed, "test.contrast", 0, 0);
    struct problem p = {.b = b, .m = m, .d = d, .negatives = negatives};
    p.n_negatives = (negatives & SHARED) != 0 ? n_negatives : 0;
    p.with_offsets = p.with_excluded = p.with_thresholds = true;
    p.anchors = random_matrix(&rng, b, d, true);
    p.candidates = random_matrix(&rng, m, d, true);
    p.wide_anchors = widened(p.anchors, b * d);
    p.wide_candidates = widened(p.candidates, m * d);
    p.offsets = random_matrix(&rng, 1, m, false);
    p.thresholds = random_matrix(&rng, 1, b, false);
    p.positives = random_sparse(&rng, b, m, 4.0 / (double)m, true);
    p.excluded = random_sparse(&rng, b, n_negatives, 0.1, false);
    p.listed = random_sparse(&rng, b, m, 8.0 / (double)m, true);
    p.settings = (struct contrast_settings){.loss = &loss_table[0],
                                            .loss_settings = {.denominators = DENOMINATORS_INFONCE,
                                                              .t2 = 1.0,
                                                              .margin = 0.2,
                                                              .negative_weight = 3.0,
                                                              .uniformity = 1.5,
                                                              .slk_width = 2.0},
                                            .temperature = 0.2,
                                            .strip_bytes = KEPT};
    assert_int_equal(MEM_NEW(&p.slk_weights, sparse_entries(&p.positives), &status), STATUS_OK);
    for (size_t a = 0; a < b; a++) {
        for (int64_t e = p.positives.offsets[a]; e < p.positives.offsets[a + 1]; e++) {
            double above = naive_logit(&p, a, p.positives.columns[e]) - (double)p.thresholds[a];
            p.slk_weights[e] = 1.0 / (1.0 + exp(-above / p.settings.loss_settings.slk_width));
        }
    }
    return p;
}

void release_problem(struct problem *p)
{
    mem_free(p->anchors);
    mem_free(p->candidates);
    mem_free(p->wide_anchors);
    mem_free(p->wide_candidates);
    mem_free(p->offsets);
    mem_free(p->thresholds);
    mem_free(p->slk_weights);
    sparse_release(&p->positives);
    sparse_release(&p->excluded);
    sparse_release(&p->listed);
}

/* Copies what belongs to the contrast. */
static void keep_parts(struct contrast_parts *parts, size_t d)
{
    struct status status = {0};
    int32_t *columns = NULL, *leaves = NULL;
    float *values = NULL;
    assert_int_equal(MEM_NEW(&columns, parts->n, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&leaves, parts->n, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&values, parts->n * d, &status), STATUS_OK);
    memcpy(columns, parts->columns, parts->n * sizeof *columns);
    memcpy(leaves, parts->leaves, parts->n * sizeof *leaves);
    memcpy(values, parts->values, parts->n * d * sizeof *values);
    *parts = (struct contrast_parts){parts->n, columns, leaves, values};
}

void release_parts(struct contrast_parts *parts)
{
    mem_free((void *)(uintptr_t)parts->columns);
    mem_free((void *)(uintptr_t)parts->leaves);
    mem_free((void *)(uintptr_t)parts->values);
}

struct contrast_result run_kernel(const struct problem *p, size_t threads)
{
    struct status status = {0};
    struct contrast *contrast = NULL;
    struct pool *pool = NULL;
    float *da = NULL, *dc = NULL;
    assert_int_equal(contrast_new(&contrast, &status), STATUS_OK);
    assert_int_equal(pool_new(threads, &pool, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&da, p->b * p->d, &status), STATUS_OK);
    assert_int_equal(MEM_NEW(&dc, p->m * p->d, &status), STATUS_OK);
    memset(da, 0x7f, p->b * p->d * sizeof *da); /* must be overwritten */
    memset(dc, 0x7f, p->m * p->d * sizeof *dc);
    struct contrast_batch batch = {
        .anchors = const_matrix_of(p->anchors, p->b, p->d),
        .candidates = const_matrix_of(p->candidates, p->m, p->d),
        .positives = p->positives,
        .n_negatives = p->n_negatives,
        .offsets = p->with_offsets ? p->offsets : NULL,
        .thresholds = p->with_thresholds ? p->thresholds : NULL,
        .n_leaves = p->n_leaves,
        .leaves = p->leaves,
    };
    if ((p->negatives & LISTED) != 0) {
        batch.listed = p->listed;
    }
    if ((p->negatives & SHARED) != 0 && p->with_excluded) {
        batch.excluded = p->excluded;
    }
    struct contrast_result result = {.anchors = matrix_of(da, p->b, p->d),
                                     .candidates = matrix_of(dc, p->m, p->d),
                                     .parts = p->parts};
    assert_int_equal(contrast_run(contrast, &p->settings, &batch, pool, &result, &status),
                     STATUS_OK);
    if (p->parts != NULL) {
        keep_parts(p->parts, p->d);
    }
    contrast_free(contrast);
    pool_free(pool);
    return result;
}

void release_result(struct contrast_result *result)
{
    mem_free(result->anchors.data);
    mem_free(result->candidates.data);
}

/* ---- the formulas ---- */

static bool is_shared_negative(const struct problem *p, size_t a, int32_t c)
{
    return (size_t)c < p->n_negatives && !(p->with_excluded && sparse_has(&p->excluded, a, c));
}

static double shared_offset(const struct problem *p, size_t c)
{
    return p->with_offsets ? (double)p->offsets[c] : 0.0;
}

static void gather_negatives(const struct problem *p, size_t a, struct negatives *out)
{
    out->n = 0;
    for (size_t c = 0; c < p->n_negatives; c++) {
        if (is_shared_negative(p, a, (int32_t)c)) {
            out->logit[out->n] = naive_logit(p, a, (int32_t)c);
            out->offset[out->n++] = shared_offset(p, c);
        }
    }
    for (int64_t e = p->listed.offsets[a];
         (p->negatives & LISTED) != 0 && e < p->listed.offsets[a + 1]; e++) {
        out->logit[out->n] = naive_logit(p, a, p->listed.columns[e]);
        out->offset[out->n++] = (double)p->listed.values[e];
    }
    assert_true(out->n <= MAX_NEGATIVES);
}

/* Sum of exp(s + b). */
static double sum_exp(const struct negatives *n)
{
    double sum = 0.0;
    for (size_t c = 0; c < n->n; c++) {
        sum += exp(n->logit[c] + n->offset[c]);
    }
    return sum;
}

/* Sum over the negatives of v psi(s - cut) / V. */
static double mean_above(const struct negatives *n, double cut, bool is_hinge)
{
    double sum = 0.0, weight = 0.0;
    for (size_t c = 0; c < n->n; c++) {
        double t = n->logit[c] - cut;
        double psi = is_hinge ? fmax(0.0, t) : log1p(exp(t));
        sum += exp(n->offset[c]) * psi;
        weight += exp(n->offset[c]);
    }
    return sum / weight;
}

/* log(1 + violators) times the violators' mean hinge, in logits. */
static double ranked_hinge(const struct negatives *n, double cut)
{
    double sum = 0.0, weight = 0.0, count = 0.0;
    for (size_t c = 0; c < n->n; c++) {
        if (n->logit[c] > cut) {
            sum += exp(n->offset[c]) * (n->logit[c] - cut);
            weight += exp(n->offset[c]);
            count += 1.0;
        }
    }
    return count == 0.0 ? 0.0 : log1p(count) * sum / weight;
}

static double softmax_of(const struct problem *p, size_t a, const struct negatives *n,
                         enum loss_denominators denominators, double t2, bool is_slk)
{
    const struct sparse *positives = &p->positives;
    double loss = 0.0;
    for (int64_t e = positives->offsets[a]; e < positives->offsets[a + 1]; e++) {
        double under = sum_exp(n);
        for (int64_t q = positives->offsets[a]; q < positives->offsets[a + 1]; q++) {
            bool stands_there = denominators == DENOMINATORS_ALL ||
                                (denominators == DENOMINATORS_INFONCE && q == e);
            if (stands_there && !is_shared_negative(p, a, positives->columns[q])) {
                under += exp(naive_logit(p, a, positives->columns[q]));
            }
        }
        double weight = (double)positives->values[e] * (is_slk ? p->slk_weights[e] : 1.0);
        loss += weight * (t2 * log(under) - naive_logit(p, a, positives->columns[e]));
    }
    return loss;
}

static double bsl_of(const struct problem *p, size_t a, const struct negatives *n)
{
    const struct sparse *positives = &p->positives;
    double total = 0.0, mean = 0.0;
    for (int64_t e = positives->offsets[a]; e < positives->offsets[a + 1]; e++) {
        total += (double)positives->values[e];
        mean += (double)positives->values[e] * exp(naive_logit(p, a, positives->columns[e]));
    }
    return total == 0.0
               ? 0.0
               : total * (p->settings.loss_settings.t2 * log(sum_exp(n)) - log(mean / total));
}

/* The cut losses, positive by positive. */
static double cut_loss_of(const struct problem *p, size_t a, const struct negatives *n,
                          const char *name)
{
    const struct loss_settings *settings = &p->settings.loss_settings;
    const struct sparse *positives = &p->positives;
    double tau = p->settings.temperature, margin = settings->margin / tau, loss = 0.0;
    for (int64_t e = positives->offsets[a]; e < positives->offsets[a + 1]; e++) {
        double s = naive_logit(p, a, positives->columns[e]), one = 0.0;
        if (strcmp(name, "bpr") == 0) {
            one = mean_above(n, s, false);
        } else if (strcmp(name, "triplet") == 0) {
            one = tau * mean_above(n, s - margin, true);
        } else if (strcmp(name, "warp") == 0) {
            one = tau * ranked_hinge(n, s - margin);
        } else if (strcmp(name, "ccl") == 0) {
            one = 1.0 - tau * s + settings->negative_weight * tau * mean_above(n, margin, true);
        } else {
            assert_string_equal(name, "logistic");
            one = log1p(exp(-s)) + settings->negative_weight * mean_above(n, 0.0, false);
        }
        loss += (double)positives->values[e] * one;
    }
    return loss;
}

static double naive_uniformity(const double *x, size_t n, size_t d, const float *offsets)
{
    double sum = 0.0, weight = 0.0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            double dot = 0.0, b = offsets == NULL ? 0.0 : (double)offsets[i] + (double)offsets[j];
            for (size_t k = 0; k < d; k++) {
                dot += x[i * d + k] * x[j * d + k];
            }
            sum += i == j ? 0.0 : exp(b - 2.0 * (2.0 - 2.0 * dot));
            weight += i == j ? 0.0 : exp(b);
        }
    }
    return log(sum / weight);
}

static double naive_directau(const struct problem *p)
{
    double loss = 0.0, total = 0.0;
    if (p->n_negatives < 2) {
        return 0.0;
    }
    for (size_t a = 0; a < p->b; a++) {
        for (int64_t e = p->positives.offsets[a]; e < p->positives.offsets[a + 1]; e++) {
            double cosine = p->settings.temperature * naive_logit(p, a, p->positives.columns[e]);
            loss += (double)p->positives.values[e] * (2.0 - 2.0 * cosine);
            total += (double)p->positives.values[e];
        }
    }
    double even = naive_uniformity(p->wide_anchors, p->b, p->d, NULL) +
                  naive_uniformity(p->wide_candidates, p->n_negatives, p->d,
                                   p->with_offsets ? p->offsets : NULL);
    return loss + 0.5 * p->settings.loss_settings.uniformity * total * even;
}

double naive_loss(const struct problem *p)
{
    const struct loss_settings *settings = &p->settings.loss_settings;
    const char *name = loss_names[p->settings.loss - loss_table];
    struct negatives n;
    double loss = 0.0;
    if (strcmp(name, "directau") == 0) {
        return naive_directau(p);
    }
    for (size_t a = 0; a < p->b; a++) {
        gather_negatives(p, a, &n);
        if (n.n == 0) {
            continue;
        }
        if (strcmp(name, "softmax") == 0 || strcmp(name, "slk") == 0) {
            bool is_slk = strcmp(name, "slk") == 0 && p->with_thresholds;
            loss += softmax_of(p, a, &n, settings->denominators, settings->t2, is_slk);
        } else if (strcmp(name, "supcon") == 0) {
            loss += softmax_of(p, a, &n, DENOMINATORS_ALL, 1.0, false);
        } else if (strcmp(name, "bsl") == 0) {
            loss += bsl_of(p, a, &n);
        } else {
            loss += cut_loss_of(p, a, &n, name);
        }
    }
    return loss;
}

double naive_effective_negatives(const struct problem *p, size_t a)
{
    struct negatives n;
    double sum = 0.0, square = 0.0;
    gather_negatives(p, a, &n);
    for (size_t c = 0; c < n.n; c++) {
        double x = exp(n.logit[c] + n.offset[c]);
        sum += x;
        square += x * x;
    }
    return n.n == 0 ? 0.0 : sum * sum / square;
}

double naive_negative_cosines(const struct problem *p, size_t a, size_t *n)
{
    struct negatives all;
    double sum = 0.0;
    gather_negatives(p, a, &all);
    for (size_t c = 0; c < all.n; c++) {
        sum += p->settings.temperature * all.logit[c];
    }
    *n = all.n;
    return sum;
}
