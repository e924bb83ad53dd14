/* The contrastive kernel and the exact top-k, each on one thread, beside bare products of as many
 * flops in large square blocks: how much of the machine's arithmetic is left when everything around
 * it is paid for. */
#include "base/mem.h"
#include "math/blas.h"
#include "contrast/contrast.h"
#include "ranking/ranking.h"
#include "tests/support/bench_beside.h"
#include "tests/support/random_matrix.h"

#include <cblas.h>

enum {
    N_ANCHORS = 512,
    N_NEGATIVES = 8192,
    N_CANDIDATES = 16384, /* the negatives and where most positives are */
    N_CATALOGUE = 41000,  /* items that negatives are sampled from, as on Gowalla */
    N_OUTSIDE = 11000,    /* different positives of a batch that were not sampled */
    N_POSITIVES = 27,     /* of an anchor */
    SQUARE = 1024,
    KERNEL_ROUNDS = 15,
    N_USERS = 30000,
    N_ITEMS = 41000,
    TOP = 20,
    RANKING_ROUNDS = 3
};

/* ---- the peer ---- */

/* Products of SQUARE x SQUARE blocks as deep as it takes to spend `flops`. */
static void square_products(double flops)
{
    static float *blocks; /* a, b and c, for the life of the program */
    if (blocks == NULL) {
        struct rng rng;
        rng_init(&rng, 1, "bench-square", 0, 0);
        blocks = random_matrix(&rng, 3 * SQUARE, SQUARE, false);
    }
    size_t depth = (size_t)(flops / (2.0 * SQUARE * SQUARE));
    for (size_t done = 0; done < depth; done += SQUARE) {
        int k = (int)(depth - done < SQUARE ? depth - done : SQUARE);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SQUARE, SQUARE, k, 1.0f, blocks,
                    SQUARE, blocks + SQUARE * SQUARE, SQUARE, 0.0f, blocks + 2 * SQUARE * SQUARE,
                    SQUARE);
    }
}

/* ---- the kernel ---- */

struct kernel_data {
    size_t d, n_negatives;
    struct contrast *contrast;
    struct contrast_settings settings;
    struct contrast_batch batch;
    struct contrast_result result;
    float *anchors, *candidates, *offsets, *anchor_gradient, *candidate_gradient;
    struct sparse positives, excluded;
};

static int compare_columns(const void *a, const void *b)
{
    return *(const int32_t *)a - *(const int32_t *)b;
}

/* The positives of a batch whose negatives are a shared sample of the catalogue: the first
 * candidates, where a positive is as often as an item is in the sample; it is excluded there. */
static void sampled_positives(struct kernel_data *k, struct rng *rng, size_t n_candidates)
{
    struct status status = {0};
    struct sparse *p = &k->positives, *x = &k->excluded;
    size_t entries = (size_t)N_ANCHORS * N_POSITIVES, n = k->n_negatives;
    bench_must(sparse_init(p, N_ANCHORS, n_candidates, entries, true, &status), &status);
    bench_must(sparse_init(x, N_ANCHORS, n, entries, false, &status), &status);
    for (size_t a = 0; a < N_ANCHORS; a++) {
        int32_t *row = p->columns + a * N_POSITIVES;
        for (size_t e = 0; e < N_POSITIVES; e++) {
            bool sampled = rng_below(rng, N_CATALOGUE) < n;
            row[e] = (int32_t)(sampled ? rng_below(rng, n) : n + rng_below(rng, n_candidates - n));
            p->values[a * N_POSITIVES + e] = 1.0f;
        }
        qsort(row, N_POSITIVES, sizeof *row, compare_columns);
        x->offsets[a + 1] = x->offsets[a];
        for (size_t e = 0; e < N_POSITIVES && (size_t)row[e] < n; e++) {
            if (e == 0 || row[e] != row[e - 1]) {
                x->columns[x->offsets[a + 1]++] = row[e];
            }
        }
        p->offsets[a + 1] = (int64_t)((a + 1) * N_POSITIVES);
    }
}

static void kernel_data_init(struct kernel_data *k, size_t d, size_t n_sampled)
{
    struct status status = {0};
    struct rng rng;
    const size_t n_candidates = n_sampled == 0 ? N_CANDIDATES : n_sampled + N_OUTSIDE;

    *k = (struct kernel_data){.d = d, .n_negatives = n_sampled == 0 ? N_NEGATIVES : n_sampled};
    rng_init(&rng, 1, "bench", d, n_sampled);
    k->anchors = random_matrix(&rng, N_ANCHORS, d, true);
    k->candidates = random_matrix(&rng, n_candidates, d, true);
    k->offsets = random_matrix(&rng, 1, k->n_negatives, false);
    if (n_sampled == 0) {
        /* as on Gowalla, half of the positives among the negatives */
        k->positives =
            random_sparse(&rng, N_ANCHORS, N_CANDIDATES, (double)N_POSITIVES / N_CANDIDATES, true);
        k->excluded =
            random_sparse(&rng, N_ANCHORS, N_NEGATIVES, 0.5 * N_POSITIVES / N_NEGATIVES, false);
    } else {
        sampled_positives(k, &rng, n_candidates);
    }
    bench_must(MEM_NEW(&k->anchor_gradient, N_ANCHORS * d, &status), &status);
    bench_must(MEM_NEW(&k->candidate_gradient, n_candidates * d, &status), &status);
    bench_must(contrast_new(&k->contrast, &status), &status);
    k->settings =
        (struct contrast_settings){.loss = &loss_table[0],
                                   .loss_settings = {.denominators = DENOMINATORS_DECOUPLED,
                                                     .t2 = 1.0,
                                                     .margin = 0.4,
                                                     .negative_weight = 10.0},
                                   .temperature = 0.12};
    k->batch =
        (struct contrast_batch){.anchors = const_matrix_of(k->anchors, N_ANCHORS, d),
                                .candidates = const_matrix_of(k->candidates, n_candidates, d),
                                .positives = k->positives,
                                .n_negatives = k->n_negatives,
                                .offsets = k->offsets,
                                .excluded = k->excluded};
    k->result.anchors = matrix_of(k->anchor_gradient, N_ANCHORS, d);
    k->result.candidates = matrix_of(k->candidate_gradient, n_candidates, d);
}

static void kernel_data_release(struct kernel_data *k)
{
    contrast_free(k->contrast);
    sparse_release(&k->positives);
    sparse_release(&k->excluded);
    mem_free(k->anchors);
    mem_free(k->candidates);
    mem_free(k->offsets);
    mem_free(k->anchor_gradient);
    mem_free(k->candidate_gradient);
}

static void kernel_run(void *data)
{
    struct kernel_data *k = data;
    struct status status = {0};
    bench_must(contrast_run(k->contrast, &k->settings, &k->batch, NULL, &k->result, &status),
               &status);
}

static double kernel_flops(const struct kernel_data *k)
{
    return 6.0 * N_ANCHORS * (double)k->n_negatives * (double)k->d;
}

static void kernel_products(void *data)
{
    square_products(kernel_flops(data));
}

/* n_sampled 0: N_NEGATIVES negatives that nobody drew. */
static void bench_contrast(struct bench_program *program, size_t d, size_t n_sampled, bool is_kept,
                           const char *loss)
{
    char what[128];
    struct kernel_data k;

    if (!bench_row_begins(program)) {
        return;
    }
    kernel_data_init(&k, d, n_sampled);
    size_t row = 0;
    while (strcmp(loss_names[row], loss) != 0) {
        row++;
    }
    k.settings.loss = &loss_table[row];
    k.settings.strip_bytes = is_kept ? (size_t)1 << 30 : 0;
    (void)snprintf(what, sizeof what, "contrast, %s, %d x %zu%s, d=%zu, strip %s", loss, N_ANCHORS,
                   k.n_negatives, n_sampled == 0 ? "" : " sampled of 41,000", d,
                   is_kept ? "kept" : "recomputed");
    bench_beside(program,
                 &(struct bench_beside){.what = what,
                                        .peer_name = "cblas_sgemm, as many flops in square blocks",
                                        .run = kernel_run,
                                        .peer = kernel_products,
                                        .data = &k,
                                        .rounds = KERNEL_ROUNDS,
                                        .work = 1e-9 * kernel_flops(&k),
                                        .unit = "GF/s"});
    kernel_data_release(&k);
}

/* ---- top-k ---- */

struct top_data {
    size_t d;
    float *users, *items, *bias;
    float *scores;      /* (N_USERS, TOP) */
    int32_t *top_items; /* the same */
};

static void top_run(void *data)
{
    const struct top_data *t = data;
    struct status status = {0};
    const float *biases[1] = {t->bias};
    struct ranking ranking = {.anchors = const_matrix_of(t->users, N_USERS, t->d),
                              .candidates = const_matrix_of(t->items, N_ITEMS, t->d),
                              .scale = 1.0f / 0.12f,
                              .n_biases = 1,
                              .biases = biases,
                              .k = TOP};
    bench_must(ranking_run(&ranking, NULL, t->top_items, t->scores, &status), &status);
}

static double top_flops(const struct top_data *t)
{
    return 2.0 * N_USERS * N_ITEMS * (double)t->d;
}

static void top_products(void *data)
{
    square_products(top_flops(data));
}

static void bench_top(struct bench_program *program, size_t d)
{
    char what[128];
    struct status status = {0};
    struct rng rng;
    struct top_data t = {.d = d};

    if (!bench_row_begins(program)) {
        return;
    }
    rng_init(&rng, 1, "bench-top", d, 0);
    t.users = random_matrix(&rng, N_USERS, d, true);
    t.items = random_matrix(&rng, N_ITEMS, d, true);
    t.bias = random_matrix(&rng, 1, N_ITEMS, false);
    bench_must(MEM_NEW(&t.scores, (size_t)N_USERS * TOP, &status), &status);
    bench_must(MEM_NEW(&t.top_items, (size_t)N_USERS * TOP, &status), &status);
    (void)snprintf(what, sizeof what, "exact top %d, %d x %d, d=%zu, with bias", TOP, N_USERS,
                   N_ITEMS, d);
    bench_beside(program,
                 &(struct bench_beside){.what = what,
                                        .peer_name = "cblas_sgemm, as many flops in square blocks",
                                        .run = top_run,
                                        .peer = top_products,
                                        .data = &t,
                                        .rounds = RANKING_ROUNDS,
                                        .work = 1e-9 * top_flops(&t),
                                        .unit = "GF/s"});
    mem_free(t.users);
    mem_free(t.items);
    mem_free(t.bias);
    mem_free(t.scores);
    mem_free(t.top_items);
}

int main(int n_arguments, char **arguments)
{
    struct bench_program program = bench_program_of(&n_arguments, &arguments);
    blas_init();
    const char *const others[] = {"bpr", "triplet", "warp", "ccl", "logistic"};
    for (size_t d = 64; d <= 128; d *= 2) {
        bench_contrast(&program, d, 0, true, "softmax");
        bench_contrast(&program, d, 0, false, "softmax");
        bench_contrast(&program, d, 2048, true, "softmax");
        bench_contrast(&program, d, 8192, true, "softmax");
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        bench_contrast(&program, 64, 0, true, others[i]);
    }
    bench_top(&program, 64);
    return 0;
}
