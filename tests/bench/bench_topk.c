/* The exact top-k alone, at the size that is asked for, on all cores: what topk_faiss.py is
 * compared with.   bench_topk USERS ITEMS DIMENSION K   prints "CPU-seconds wall-seconds peak-MiB"
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "math/blas.h"
#include "ranking/ranking.h"
#include "tests/support/bench_beside.h"
#include "tests/support/random_matrix.h"

enum { SEEN = 50 }; /* excluded items a user */

static size_t argument(const char *text)
{
    int64_t value = 0;
    if (!num_parse_int64(text, strlen(text), &value) || value < 1) {
        (void)fprintf(stderr, "bench_topk: \"%s\" is no size\n", text);
        exit(STATUS_USAGE);
    }
    return (size_t)value;
}

/* SEEN items of each user, spread over the catalogue. */
static struct sparse seen_items(struct rng *rng, size_t n_users, size_t n_items)
{
    struct status status = {0};
    struct sparse seen = {0};
    const size_t step = n_items / SEEN;
    bench_must(sparse_init(&seen, n_users, n_items, n_users * SEEN, false, &status), &status);
    for (size_t e = 0; e < n_users * SEEN; e++) {
        seen.columns[e] = (int32_t)(e % SEEN * step + (size_t)rng_below(rng, step));
        seen.offsets[e / SEEN + 1] = (int64_t)e + 1;
    }
    return seen;
}

int main(int n_arguments, char **arguments)
{
    struct status status = {0};
    struct pool *pool = NULL;
    struct rng rng;
    int32_t *items = NULL;
    float *scores = NULL;
    if (n_arguments != 5) {
        (void)fprintf(stderr, "usage: bench_topk USERS ITEMS DIMENSION K (ITEMS from %d)\n", SEEN);
        return STATUS_USAGE;
    }
    const size_t n_users = argument(arguments[1]), n_items = argument(arguments[2]);
    const size_t d = argument(arguments[3]), k = argument(arguments[4]);
    blas_init();
    bench_must(pool_new(0, &pool, &status), &status);
    rng_init(&rng, 1, "bench_topk", 0, 0);
    float *users = random_matrix(&rng, n_users, d, true);
    float *vectors = random_matrix(&rng, n_items, d, true);
    float *bias = random_matrix(&rng, 1, n_items, false);
    const float *const biases[] = {bias};
    struct sparse seen = seen_items(&rng, n_users, n_items);
    bench_must(MEM_NEW(&items, n_users * k, &status), &status);
    bench_must(MEM_NEW(&scores, n_users * k, &status), &status);
    const struct ranking ranking = {.anchors = const_matrix_of(users, n_users, d),
                                    .candidates = const_matrix_of(vectors, n_items, d),
                                    .scale = 8.0F,
                                    .n_biases = 1,
                                    .biases = biases,
                                    .exclude = &seen,
                                    .k = k};
    const double cpu = clock_cpu(), wall = clock_monotonic();
    bench_must(ranking_run(&ranking, pool, items, scores, &status), &status);
    printf("%.3f %.3f", clock_cpu() - cpu, clock_monotonic() - wall);
    printf(" %.1f\n", bench_peak_mib());
    mem_free(users);
    mem_free(vectors);
    mem_free(bias);
    mem_free(items);
    mem_free(scores);
    sparse_release(&seen);
    pool_free(pool);
    return 0;
}
