/* Coordinate search with memory. Trials stay in the order in which they were made, so a search that
 * takes up the trials of an interrupted one walks the same way. */
#include "search/coordinate_search.h"

#include "base/mem.h"
#include "search/paired.h"

#include <assert.h>
#include <math.h>
#include <string.h>

struct climb {
    struct coordinate_search *search;
    search_measure *measure;
    void *data;
    size_t best; /* trial */
};

/* search->n when there is none. */
static size_t find_trial(const struct coordinate_search *search, const size_t *choice)
{
    size_t t = 0;
    while (t < search->n &&
           memcmp(search->trials[t].choice, choice, sizeof search->trials[t].choice) != 0) {
        t++;
    }
    return t;
}

/* *at = the trial of this choice, made when it is new. */
static enum status_code try_choice(struct climb *climb, const size_t *choice, size_t *at,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    struct coordinate_search *search = climb->search;
    size_t t = find_trial(search, choice);
    if (t == search->n) {
        struct search_trial trial = {.value = NAN, .popularity = NAN, .seconds = NAN};
        memcpy(trial.choice, choice, sizeof trial.choice);
        TRY(MEM_RESIZE(&search->trials, t, t + 1, status));
        TRY(MEM_RESIZE(&search->user_values, t * search->n_users, (t + 1) * search->n_users,
                       status));
        TRY(climb->measure(climb->data, &trial, search->user_values + t * search->n_users, status));
        search->trials[t] = trial;
        search->n++;
    }
    *at = t;
done:
    return code;
}

/* Whether the climb along `axis` goes from trial b to trial a. */
static bool goes_on(const struct coordinate_search *search, const struct search_axis *axis,
                    size_t a, size_t b)
{
    double of_a = search->trials[a].value, of_b = search->trials[b].value;
    if (axis->start_is_simpler) {
        return paired_clearly_better(search->user_values + a * search->n_users,
                                     search->user_values + b * search->n_users, search->n_users);
    }
    return !isnan(of_a) && (isnan(of_b) || of_a > of_b);
}

/* One step down or up from the best trial; *moved says whether it is the best now. */
static enum status_code step_along(struct climb *climb, size_t axis_number, bool up, size_t first,
                                   bool *moved, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct coordinate_search *search = climb->search;
    const struct search_axis *axis = &search->axes[axis_number];
    size_t choice[SEARCH_AXES_MAX], at;
    *moved = false;
    memcpy(choice, search->trials[climb->best].choice, sizeof choice);
    size_t here = choice[axis_number];
    if (up ? here + 1 == axis->n : here == 0) {
        goto done;
    }
    choice[axis_number] = up ? here + 1 : here - 1;
    if (search->n - first >= axis->most_trials && find_trial(search, choice) == search->n) {
        goto done;
    }
    TRY(try_choice(climb, choice, &at, status));
    if (goes_on(search, axis, at, climb->best)) {
        climb->best = at;
        *moved = true;
    }
done:
    return code;
}

/* Down first, and up only when nothing was gained there: what lies up has then been left. */
static enum status_code climb_axis(struct climb *climb, size_t axis, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t first = climb->search->n, from = climb->best;
    for (int up = 0; up < 2 && climb->best == from; up++) {
        bool moved = true;
        while (moved) {
            TRY(step_along(climb, axis, up != 0, first, &moved, status));
        }
    }
done:
    return code;
}

enum status_code coordinate_search_run(struct coordinate_search *search, search_measure *measure,
                                       void *data, size_t *best, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct climb climb = {.search = search, .measure = measure, .data = data};
    size_t choice[SEARCH_AXES_MAX] = {0};
    assert(search->n_axes > 0 && search->n_axes <= SEARCH_AXES_MAX);
    for (size_t a = 0; a < search->n_axes; a++) {
        assert(search->axes[a].start < search->axes[a].n);
        choice[a] = search->axes[a].start;
    }
    TRY(try_choice(&climb, choice, &climb.best, status));
    TRY(climb_axis(&climb, 0, status));
    size_t after_first = climb.best;
    for (size_t a = 1; a < search->n_axes; a++) {
        TRY(climb_axis(&climb, a, status));
    }
    if (climb.best != after_first) {
        TRY(climb_axis(&climb, 0, status));
    }
    *best = climb.best;
done:
    return code;
}

/* ---- in an artifact ---- */

enum { N_VALUES = 3 }; /* of a trial: metric, popularity weight, seconds */

enum status_code coordinate_search_save(const struct coordinate_search *search,
                                        struct artifact *artifact, struct status *status)
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
static bool read_trial(const struct coordinate_search *search, const int64_t *choice,
                       const double *values, struct search_trial *out)
{
    *out = (struct search_trial){.value = values[0], .popularity = values[1], .seconds = values[2]};
    for (size_t a = 0; a < SEARCH_AXES_MAX; a++) {
        size_t n = a < search->n_axes ? search->axes[a].n : 1;
        if (choice[a] < 0 || (uint64_t)choice[a] >= n) {
            return false;
        }
        out->choice[a] = (size_t)choice[a];
    }
    return true;
}

enum status_code coordinate_search_load(struct coordinate_search *search,
                                        const struct artifact *artifact, struct status *status)
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
    coordinate_search_release(search);
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

void coordinate_search_release(struct coordinate_search *search)
{
    mem_free(search->trials);
    mem_free(search->user_values);
    search->trials = NULL;
    search->user_values = NULL;
    search->n = 0;
}
