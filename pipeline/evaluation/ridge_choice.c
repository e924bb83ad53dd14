/* One ranking of the validation users a strength. */
#include "evaluation/ridge_choice.h"

#include "base/mem.h"
#include "dataset/dataset_ranks.h"
#include "evaluation/baselines.h"
#include "evaluation/validation.h"
#include "search/paired.h"

#include <math.h>

enum {
    MOST_USERS = 2500,
    FEW_PARTNERS = 30 /* rank half-lives as many do, in a fraction of the time */
};
static const double half_lives[] = {0, 14, 60}; /* days */
enum { N_HALF_LIVES = sizeof half_lives / sizeof *half_lives };

/* values (n_all of the validation) */
static enum status_code measure(const struct ridge *ridge, size_t strength,
                                const struct validation *validation, struct pool *pool,
                                double *values, struct status *status)
{
    const size_t n = validation->n_users;
    const struct baseline_request request = {.dataset = validation->dataset,
                                             .rows = validation->users,
                                             .n_rows = n,
                                             .tie_rank = validation->tie_rank,
                                             .exclude = validation_excluded(validation),
                                             .k = validation->k};
    struct sparse pairs = {0};
    int32_t *lists = NULL;
    enum status_code code;
    TRY(MEM_NEW(&lists, n * validation->k, status));
    TRY(ridge_pairs(ridge, strength, &pairs, status));
    TRY(baseline_item_item(&request, &pairs, pool, lists, status));
    TRY(validation_judge(validation, lists, 1, values, status));
done:
    mem_free(lists);
    sparse_release(&pairs);
    return code;
}

enum status_code ridge_choose(const struct ridge *ridge, const struct dataset *dataset,
                              const struct crowd *crowd, uint64_t seed, const struct watch *watch,
                              struct pool *pool, struct ridge_choice *out, struct status *status)
{
    struct validation validation = {0};
    struct ridge_choice best = {.value = (double)NAN};
    double *values = NULL;
    enum status_code code;
    TRY(validation_init(&validation, dataset, crowd, "ndcg@20", MOST_USERS, seed, status));
    best.n_users = validation.n_all;
    TRY(MEM_NEW(&values, validation.n_all, status));
    for (size_t s = 0; s < ridge->n_strengths && validation.n_all > 0; s++) {
        TRY(watch_check(watch, status));
        TRY(measure(ridge, s, &validation, pool, values, status));
        const double value = paired_mean(values, validation.n_all);
        if (s == 0 || value > best.value) {
            best.value = value;
            best.strength = s;
        }
    }
    *out = best;
done:
    mem_free(values);
    validation_release(&validation);
    return code;
}

enum status_code ridge_choose_half_life(const struct dataset *dataset,
                                        const struct ridge_settings *settings, uint64_t seed,
                                        struct pool *pool, double *half_life, struct status *status)
{
    struct validation validation = {0};
    struct ridge_settings tried = *settings;
    struct ridge ridge = {0};
    double *values = NULL; /* (N_HALF_LIVES, users) */
    size_t n = 0;
    enum status_code code;
    TRY(validation_init(&validation, dataset, &settings->crowd, "ndcg@20", MOST_USERS, seed,
                        status));
    n = dataset_totals(dataset).newest == INT64_MIN ? 0 : validation.n_all;
    TRY(MEM_NEW(&values, N_HALF_LIVES * n, status));
    tried.partners = tried.partners < FEW_PARTNERS ? tried.partners : FEW_PARTNERS;
    tried.n_strengths = 1;
    tried.watch.progress = NULL;
    for (size_t h = 0; h < N_HALF_LIVES && n > 0; h++) {
        tried.half_life = half_lives[h];
        TRY(ridge_init(&ridge, &dataset->train, &tried, pool, status));
        TRY(measure(&ridge, 0, &validation, pool, values + h * n, status));
        ridge_release(&ridge);
    }
    *half_life = half_lives[paired_choose(values, N_HALF_LIVES, n)];
done:
    ridge_release(&ridge);
    mem_free(values);
    validation_release(&validation);
    return code;
}
