/* The joint search. Its walk depends on values alone, so one that takes up the trials of an
 * interrupted search goes by them one after the other and comes to the same place. */
#include "search/joint_search.h"

#include "base/mem.h"
#include "base/rng.h"
#include "search/paired.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    DESIGN_MAX = 24,  /* points of the design */
    DESIGN_SHORT = 6, /* with fewer of them there are no short trials */
    IDLE_MAX = 40,    /* steps in a row that find nothing new or better */
    STEP_AXES_MAX = 3 /* axes of a step along several */
};

/* Of the budget, for n short trials of the design and a third of them in full. */
static const double design_share = 0.33;
/* So many times the work is worth a clear gain only. */
static const double dearer = 1.2;

struct walk {
    struct joint_search *search;
    const struct search_hooks *hooks;
    size_t best; /* trial in full; SIZE_MAX: none yet */
    bool is_over;
};

/* ---- trials ---- */

static bool is_of(const struct search_trial *trial, const size_t *choice, bool is_short,
                  size_t fold)
{
    return trial->is_short == is_short && trial->fold == fold &&
           memcmp(trial->choice, choice, sizeof trial->choice) == 0;
}

/* Among those that the walk has come by; n_used when there is none. */
static size_t find_trial(const struct joint_search *search, const size_t *choice, bool is_short,
                         size_t fold)
{
    size_t t = 0;
    while (t < search->n_used && !is_of(&search->trials[t], choice, is_short, fold)) {
        t++;
    }
    return t;
}

static double cost_of(const struct walk *walk, const size_t *choice, bool is_short)
{
    return walk->hooks->cost(walk->hooks->data, choice) / (double)search_shortened(is_short);
}

static enum status_code make_trial(struct walk *walk, const size_t *choice, bool is_short,
                                   size_t fold, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct joint_search *search = walk->search;
    const size_t t = search->n;
    struct search_trial trial = {
        .is_short = is_short, .fold = fold, .value = NAN, .popularity = NAN, .seconds = NAN};
    memcpy(trial.choice, choice, sizeof trial.choice);
    TRY(MEM_RESIZE(&search->trials, t, t + 1, status));
    TRY(MEM_RESIZE(&search->user_values, t * search->n_users, (t + 1) * search->n_users, status));
    TRY(walk->hooks->measure(walk->hooks->data, &trial, search->user_values + t * search->n_users,
                             status));
    search->trials[t] = trial;
    search->n++;
done:
    return code;
}

/* *at = the trial of this choice and fold, made when it is new; SIZE_MAX when it may not be made.
 */
static enum status_code try_choice(struct walk *walk, const size_t *choice, bool is_short,
                                   size_t fold, size_t *at, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct joint_search *search = walk->search;
    size_t t = find_trial(search, choice, is_short, fold);
    *at = t;
    if (t < search->n_used) {
        goto done;
    }
    *at = SIZE_MAX;
    double cost = cost_of(walk, choice, is_short);
    if (search->spent + cost > search->budget || t / search->n_folds >= search->max_trials) {
        goto done;
    }
    /* what an interrupted search left is in the order of this walk */
    if (t >= search->n || !is_of(&search->trials[t], choice, is_short, fold)) {
        search->n = t;
        if (!walk->is_over && walk->hooks->is_over != NULL) {
            TRY(walk->hooks->is_over(walk->hooks->data, &walk->is_over, status));
        }
        if (walk->is_over) {
            goto done;
        }
        TRY(make_trial(walk, choice, is_short, fold, status));
    }
    search->spent += cost;
    search->n_used++;
    *at = t;
done:
    return code;
}

/* A choice over its first folds: values (n_users) the users' means, NAN for those that count in
 * none; returns the mean of the metric, NAN where a fold has failed. */
static double mean_over_folds(const struct joint_search *search, const size_t *choice,
                              size_t n_folds, double *values)
{
    double mean = 0.0;
    size_t trials[SEARCH_FOLDS_MAX];
    for (size_t f = 0; f < n_folds; f++) {
        trials[f] = find_trial(search, choice, false, f);
        mean += search->trials[trials[f]].value / (double)n_folds;
    }
    for (size_t u = 0; u < search->n_users; u++) {
        double sum = 0.0, n = 0.0;
        for (size_t f = 0; f < n_folds; f++) {
            const double value = search->user_values[trials[f] * search->n_users + u];
            sum += isnan(value) ? 0.0 : value;
            n += isnan(value) ? 0.0 : 1.0;
        }
        values[u] = n > 0.0 ? sum / n : (double)NAN;
    }
    return mean;
}

/* Whether the search goes from its best trial to this one, both on the first fold; the others are
 * tried as long as it may. With doubt, where it is dearer, and where folds can tell a gain from
 * chance, only a clear gain counts. */
static enum status_code is_taken(struct walk *walk, size_t to, bool with_doubt, bool *taken,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    struct joint_search *search = walk->search;
    const size_t n = search->n_users;
    size_t new[SEARCH_AXES_MAX], old[SEARCH_AXES_MAX], at = 0;
    double *of_new = NULL, *of_old = NULL;
    TRY(MEM_NEW(&of_new, n, status));
    TRY(MEM_NEW(&of_old, n, status));
    memcpy(new, search->trials[to].choice, sizeof new);
    memcpy(old, search->trials[walk->best].choice, sizeof old);
    const bool is_doubted = with_doubt || search->n_folds > 1 ||
                            cost_of(walk, new, false) > dearer * cost_of(walk, old, false);
    for (size_t folds = 1; folds <= search->n_folds && at != SIZE_MAX; folds++) {
        const double value = mean_over_folds(search, new, folds, of_new);
        const double best = mean_over_folds(search, old, folds, of_old);
        *taken = isnan(value) || isnan(best) ? !isnan(value)
                 : is_doubted                ? paired_clearly_better(of_new, of_old, n)
                                             : value > best;
        if (folds == search->n_folds || isnan(value) || !(value > best)) {
            break;
        }
        TRY(try_choice(walk, old, false, folds, &at, status));
        if (at != SIZE_MAX) {
            TRY(try_choice(walk, new, false, folds, &at, status));
        }
    }
done:
    mem_free(of_new);
    mem_free(of_old);
    return code;
}

/* ---- the design ---- */

/* A start in which each axis stays, goes one step or is drawn anew; some four of them do not stay.
 */
static void draw_point(const struct joint_search *search, size_t number, size_t *choice)
{
    struct rng rng;
    rng_init(&rng, search->seed, "search.design", number, 0);
    const size_t *start = search->starts[rng_below(&rng, search->n_starts)];
    memset(choice, 0, SEARCH_AXES_MAX * sizeof *choice);
    for (size_t a = 0; a < search->n_axes; a++) {
        const size_t n = search->n_candidates[a], draw = (size_t)rng_below(&rng, n);
        const double what = rng_double(&rng) * fmax((double)search->n_axes / 7.0, 1.0);
        const bool up = rng_below(&rng, 2) == 1;
        choice[a] = start[a];
        if (what < 0.25) {
            choice[a] = draw;
        } else if (what < 0.6) {
            choice[a] = up ? (start[a] + 1 < n ? start[a] + 1 : start[a])
                           : (start[a] > 0 ? start[a] - 1 : 0);
        }
    }
}

static void design_point(const struct joint_search *search, size_t number, size_t *choice)
{
    if (number < search->n_starts) {
        memcpy(choice, search->starts[number], sizeof search->starts[number]);
    } else {
        draw_point(search, number, choice);
    }
}

/* So many points that the design's share pays for them in short and for a third of them in full on
 * every fold, each of which costs as much again. */
static size_t design_size(const struct walk *walk)
{
    const struct joint_search *search = walk->search;
    double n = design_share * search->budget * SEARCH_SHORTER / (double)(1 + search->n_folds) /
               cost_of(walk, search->starts[0], false);
    return n < DESIGN_SHORT ? search->n_starts : (size_t)fmin(n, DESIGN_MAX);
}

/* Tries points (n) of the design. values (n): of the metric; places (n): in the search, SIZE_MAX
 * where the trial may not be made. */
static enum status_code try_points(struct walk *walk, const size_t *points, size_t n, bool is_short,
                                   double *values, size_t *places, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t choice[SEARCH_AXES_MAX];
    for (size_t i = 0; i < n; i++) {
        design_point(walk->search, points[i], choice);
        TRY(try_choice(walk, choice, is_short, 0, &places[i], status));
        values[i] = places[i] == SIZE_MAX ? (double)NAN : walk->search->trials[places[i]].value;
    }
done:
    return code;
}

/* Whether trial a ranks before trial b. */
static bool is_before(const double *values, size_t a, size_t b)
{
    if (isnan(values[a]) || isnan(values[b])) {
        return isnan(values[a]) == isnan(values[b]) ? a < b : !isnan(values[a]);
    }
    return values[a] > values[b] || (a < b && values[a] == values[b]);
}

/* order[0..n) = the trials from the best value to the worst, equal ones by number; NAN (a trial
 * that failed) comes last. */
static void order_trials(const double *values, size_t n, size_t *order)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && is_before(values, i, order[at - 1]); at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}

/* The points of the design that are worth a trial in full: the starts, then the best third of the
 * others. */
static enum status_code choose_points(struct walk *walk, size_t *points, size_t *n,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    double values[DESIGN_MAX];
    size_t order[DESIGN_MAX], places[DESIGN_MAX], all[DESIGN_MAX];
    const size_t n_starts = walk->search->n_starts, n_all = design_size(walk);
    for (size_t i = 0; i < n_all; i++) {
        all[i] = points[i] = i;
    }
    *n = n_starts;
    if (n_all > n_starts) {
        TRY(try_points(walk, all + n_starts, n_all - n_starts, true, values, places, status));
        order_trials(values, n_all - n_starts, order);
        for (size_t i = 0; i < (n_all - n_starts) / SEARCH_SHORTER; i++) {
            points[(*n)++] = n_starts + order[i];
        }
    }
done:
    return code;
}

static enum status_code try_design(struct walk *walk, struct status *status)
{
    enum status_code code = STATUS_OK;
    double values[DESIGN_MAX];
    size_t points[DESIGN_MAX], places[DESIGN_MAX], n = 0;
    TRY(choose_points(walk, points, &n, status));
    TRY(try_points(walk, points, n, false, values, places, status));
    for (size_t i = 0; i < n && places[i] != SIZE_MAX; i++) {
        bool taken = walk->best == SIZE_MAX;
        if (!taken) {
            TRY(is_taken(walk, places[i], i >= walk->search->n_starts, &taken, status));
        }
        walk->best = taken ? places[i] : walk->best;
    }
done:
    return code;
}

/* ---- steps ---- */

/* The trial of `choice` becomes the best where it is better. */
static enum status_code step_to(struct walk *walk, const size_t *choice, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t at;
    bool taken = false;
    const size_t before = walk->search->n_used;
    TRY(try_choice(walk, choice, false, 0, &at, status));
    /* one that was tried before has lost against this best one, or an earlier one */
    if (at != SIZE_MAX && walk->search->n_used > before) {
        TRY(is_taken(walk, at, false, &taken, status));
        walk->best = taken ? at : walk->best;
    }
done:
    return code;
}

/* Down first, and up only when nothing was gained there. */
static enum status_code climb_axis(struct walk *walk, size_t axis, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t from = walk->best;
    for (int up = 0; up < 2 && walk->best == from; up++) {
        size_t before;
        do {
            size_t choice[SEARCH_AXES_MAX];
            before = walk->best;
            memcpy(choice, walk->search->trials[before].choice, sizeof choice);
            if (up ? choice[axis] + 1 < walk->search->n_candidates[axis] : choice[axis] > 0) {
                choice[axis] = up ? choice[axis] + 1 : choice[axis] - 1;
                TRY(step_to(walk, choice, status));
            }
        } while (walk->best != before);
    }
done:
    return code;
}

/* Along two or three axes at once. */
static enum status_code step_across(struct walk *walk, size_t number, struct status *status)
{
    const struct joint_search *search = walk->search;
    size_t choice[SEARCH_AXES_MAX];
    struct rng rng;
    rng_init(&rng, search->seed, "search.steps", number, 0);
    memcpy(choice, search->trials[walk->best].choice, sizeof choice);
    const size_t n = 2 + (size_t)rng_below(&rng, STEP_AXES_MAX - 1);
    for (size_t i = 0; i < n; i++) {
        const size_t a = (size_t)rng_below(&rng, search->n_axes);
        const bool up = rng_below(&rng, 2) == 1;
        choice[a] += up && choice[a] + 1 < search->n_candidates[a] ? 1 : 0;
        choice[a] -= !up && choice[a] > 0 ? 1 : 0;
    }
    return step_to(walk, choice, status);
}

static enum status_code refine(struct walk *walk, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t before = SIZE_MAX;
    while (before != walk->best) {
        before = walk->best;
        for (size_t a = 0; a < walk->search->n_axes; a++) {
            TRY(climb_axis(walk, a, status));
        }
    }
    size_t idle = 0;
    for (size_t number = 0; idle < IDLE_MAX && !walk->is_over; number++) {
        const size_t n = walk->search->n_used;
        TRY(step_across(walk, number, status));
        idle = walk->search->n_used > n ? 0 : idle + 1;
    }
done:
    return code;
}

enum status_code joint_search_run(struct joint_search *search, const struct search_hooks *hooks,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct walk walk = {.search = search, .hooks = hooks, .best = SIZE_MAX};
    assert(search->n_axes > 0 && search->n_axes <= SEARCH_AXES_MAX);
    assert(search->n_starts > 0 && search->n_starts <= SEARCH_STARTS_MAX);
    assert(search->n_folds > 0 && search->n_folds <= SEARCH_FOLDS_MAX);
    search->spent = 0.0;
    search->n_used = 0;
    /* one trial alone would be compared with nothing */
    if (2.0 * cost_of(&walk, search->starts[0], false) <= search->budget) {
        TRY(try_design(&walk, status));
    }
    if (walk.best != SIZE_MAX) {
        TRY(refine(&walk, status));
    }
    search->n = search->n_used;
    search->best_trial = walk.best;
    memcpy(search->best,
           walk.best == SIZE_MAX ? search->starts[0] : search->trials[walk.best].choice,
           sizeof search->best);
done:
    return code;
}
