/* Trials as they go on: in an artifact, to other ranks, to the end. */
#include "search/joint_search.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

/* Of a trial: metric, popularity weight, seconds, whether it is short, fold. */
enum { N_VALUES = 5 };

enum status_code joint_search_save(const struct joint_search *search, struct artifact *artifact,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t *choices = NULL;
    double *values = NULL;
    TRY(MEM_NEW(&choices, search->n * SEARCH_AXES_MAX, status));
    TRY(MEM_NEW(&values, search->n * N_VALUES, status));
    for (size_t t = 0; t < search->n; t++) {
        for (size_t a = 0; a < SEARCH_AXES_MAX; a++) {
            choices[t * SEARCH_AXES_MAX + a] = (int64_t)search->trials[t].choice[a];
        }
        double *of_trial = values + t * N_VALUES;
        of_trial[0] = search->trials[t].value;
        of_trial[1] = search->trials[t].popularity;
        of_trial[2] = search->trials[t].seconds;
        of_trial[3] = search->trials[t].is_short ? 1.0 : 0.0;
        of_trial[4] = (double)search->trials[t].fold;
    }
    TRY(artifact_copy(artifact, "choices", ARRAY_I64, search->n, SEARCH_AXES_MAX, choices, status));
    TRY(artifact_copy(artifact, "values", ARRAY_F64, search->n, N_VALUES, values, status));
    TRY(artifact_copy(artifact, "user_values", ARRAY_F64, search->n, search->n_users,
                      search->user_values, status));
done:
    mem_free(choices);
    mem_free(values);
    return code;
}

/* One stored trial; false when it is none of this search. */
static bool read_trial(const struct joint_search *search, const int64_t *choice,
                       const double *values, struct search_trial *out)
{
    if (!(values[4] >= 0.0) || values[4] >= (double)search->n_folds) {
        return false;
    }
    *out = (struct search_trial){.value = values[0],
                                 .popularity = values[1],
                                 .seconds = values[2],
                                 .is_short = values[3] != 0.0,
                                 .fold = (size_t)values[4]};
    for (size_t a = 0; a < SEARCH_AXES_MAX; a++) {
        size_t n = a < search->n_axes ? search->n_candidates[a] : 1;
        if (choice[a] < 0 || (uint64_t)choice[a] >= n) {
            return false;
        }
        out->choice[a] = (size_t)choice[a];
    }
    return true;
}

enum status_code joint_search_load(struct joint_search *search, const struct artifact *artifact,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    const void *choices, *values, *user_values;
    size_t n, n_values, n_lists, axes, columns, users;
    struct search_trial *trials = NULL;
    double *copied = NULL;
    assert(search->n == 0);
    TRY(artifact_get(artifact, "choices", ARRAY_I64, &choices, &n, &axes, status));
    TRY(artifact_get(artifact, "values", ARRAY_F64, &values, &n_values, &columns, status));
    TRY(artifact_get(artifact, "user_values", ARRAY_F64, &user_values, &n_lists, &users, status));
    bool fits = axes == SEARCH_AXES_MAX && columns == N_VALUES && users == search->n_users &&
                n_values == n && n_lists == n;
    TRY(MEM_NEW(&trials, n, status));
    TRY(MEM_NEW(&copied, n * search->n_users, status));
    for (size_t t = 0; fits && t < n; t++) {
        fits = read_trial(search, (const int64_t *)choices + t * SEARCH_AXES_MAX,
                          (const double *)values + N_VALUES * t, &trials[t]);
    }
    if (!fits) {
        code = status_set(status, STATUS_DATA,
                          "artifact %s: %zu trials of %zu users do not fit a search over %zu "
                          "settings and %zu users; the work database can be deleted",
                          artifact->name, n, users, search->n_axes, search->n_users);
        goto done;
    }
    memcpy(copied, user_values, n * search->n_users * sizeof *copied);
    joint_search_release(search);
    search->n = n;
    search->trials = trials;
    search->user_values = copied;
    trials = NULL;
    copied = NULL;
done:
    mem_free(trials);
    mem_free(copied);
    return code;
}

enum status_code joint_search_share(struct joint_search *search, struct ranks *ranks,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n = search->n;
    TRY(ranks_share(ranks, &n, sizeof n, status));
    if (!ranks_is_first(ranks)) {
        code = MEM_RESIZE(&search->trials, search->n, n, status);
        code = code != STATUS_OK ? code
                                 : MEM_RESIZE(&search->user_values, search->n * search->n_users,
                                              n * search->n_users, status);
    }
    TRY(ranks_settle(ranks, code, status));
    TRY(ranks_share(ranks, search->trials, n * sizeof *search->trials, status));
    TRY(ranks_share(ranks, search->user_values, n * search->n_users * sizeof *search->user_values,
                    status));
    search->n = n;
done:
    return code;
}

void joint_search_release(struct joint_search *search)
{
    mem_free(search->trials);
    mem_free(search->user_values);
    search->trials = NULL;
    search->user_values = NULL;
    search->n = 0;
}
