/* One ranking of the validation users a strength. */
#include "evaluation/ridge_choice.h"

#include "base/mem.h"
#include "evaluation/baselines.h"
#include "evaluation/validation.h"

#include <math.h>

enum { MOST_USERS = 2500 };

static enum status_code measure(const struct ridge *ridge, size_t strength,
                                const struct validation *validation, struct pool *pool,
                                int32_t *lists, double *values, struct status *status)
{
    const struct baseline_request request = {.dataset = validation->dataset,
                                             .rows = validation->users,
                                             .n_rows = validation->n_users,
                                             .tie_rank = validation->tie_rank,
                                             .exclude = validation_excluded(validation),
                                             .k = validation->k};
    struct sparse pairs = {0};
    enum status_code code;
    TRY(ridge_pairs(ridge, strength, &pairs, status));
    TRY(baseline_item_item(&request, &pairs, pool, lists, status));
    metric_per_user(validation->metric, validation->k, lists, validation->k, validation->users,
                    validation->n_users, &validation->dataset->valid.matrix,
                    validation->dataset->valid_unknown, values);
done:
    sparse_release(&pairs);
    return code;
}

enum status_code ridge_choose(const struct ridge *ridge, const struct dataset *dataset,
                              uint64_t seed, const struct watch *watch, struct pool *pool,
                              struct ridge_choice *out, struct status *status)
{
    struct validation validation = {0};
    struct ridge_choice best = {.value = (double)NAN};
    int32_t *lists = NULL;
    double *values = NULL;
    enum status_code code;
    TRY(validation_init(&validation, dataset, "ndcg@20", MOST_USERS, 0, seed, status));
    best.n_users = validation.n_users;
    TRY(MEM_NEW(&lists, validation.n_users * validation.k, status));
    TRY(MEM_NEW(&values, validation.n_users, status));
    for (size_t s = 0; s < ridge->n_strengths && validation.n_users > 0; s++) {
        TRY(watch_check(watch, status));
        TRY(measure(ridge, s, &validation, pool, lists, values, status));
        const double value = metric_mean(values, validation.n_users, NULL);
        if (s == 0 || value > best.value) {
            best.value = value;
            best.strength = s;
        }
    }
    *out = best;
done:
    mem_free(lists);
    mem_free(values);
    validation_release(&validation);
    return code;
}
