/* The best value wins where it is clearly better: the order of what is simpler, and the margins. */
#include "evaluation/calibration_choice.h"

#include "search/paired.h"

#include <math.h>

static bool is_simpler(const struct score_weights *a, const struct score_weights *b)
{
    if (a->half_life != b->half_life) { /* the longer one, of all time the longest */
        return a->half_life == 0 || (b->half_life != 0 && a->half_life > b->half_life);
    }
    if (a->gamma != b->gamma) {
        return a->gamma < b->gamma;
    }
    if (a->n_parts > 0 && b->n_parts > 0 && a->parts[0].weight != b->parts[0].weight) {
        return a->parts[0].weight < b->parts[0].weight;
    }
    if (a->beta != b->beta) {
        return fabs(a->beta) < fabs(b->beta) || (fabs(a->beta) == fabs(b->beta) && a->beta > 0);
    }
    return a->exponent < b->exponent;
}

static bool counts_among(const struct score_weights *weights, enum among among)
{
    const bool with_ridge = weights->n_parts > 0, without_popularity = weights->beta == 0;
    const bool without_evidence = weights->gamma == 0 && !with_ridge;
    switch (among) {
    case AMONG_CO_INTERACTION:
        return !with_ridge;
    case AMONG_TOWERS:
        return without_evidence;
    case AMONG_TOWERS_OF_ALL_TIME:
        return without_evidence && weights->half_life == 0;
    case AMONG_WITHOUT_POPULARITY:
        return without_popularity && !with_ridge;
    case AMONG_NEITHER:
        return without_evidence && without_popularity;
    case AMONG_RIDGE:
        return with_ridge && weights->gamma == 0;
    case AMONG_RIDGE_WITHOUT_POPULARITY:
        return with_ridge && weights->gamma == 0 && without_popularity;
    case AMONG_BOTH:
        return with_ridge && weights->gamma > 0;
    }
    return false;
}

size_t trials_best(const struct trials *trials, enum among among)
{
    size_t best = trials->n;
    for (size_t t = 0; t < trials->n; t++) {
        if (!counts_among(&trials->weights[t], among)) {
            continue;
        }
        if (best == trials->n || trials->values[t] > trials->values[best] ||
            (trials->values[t] == trials->values[best] &&
             is_simpler(&trials->weights[t], &trials->weights[best]))) {
            best = t;
        }
    }
    return best;
}

size_t trials_with_margin(const struct trials *trials, size_t best, size_t simpler)
{
    const size_t n_users = trials->request->exam->n_users;
    const double *values = trials->user_values;
    return simpler < trials->n && !paired_clearly_better(values + best * n_users,
                                                         values + simpler * n_users, n_users)
               ? simpler
               : best;
}

/* Without ridge. */
static size_t choose_co_interaction(const struct trials *trials, size_t towers)
{
    size_t best = trials_best(trials, AMONG_CO_INTERACTION);
    if (trials->weights[best].gamma == 0) {
        return towers;
    }
    best = trials_with_margin(trials, best, trials_best(trials, AMONG_WITHOUT_POPULARITY));
    return trials_with_margin(trials, best, towers);
}

size_t trials_choose_ridge(const struct trials *trials)
{
    const size_t best = trials_best(trials, AMONG_RIDGE);
    return best == trials->n
               ? best
               : trials_with_margin(trials, best,
                                    trials_best(trials, AMONG_RIDGE_WITHOUT_POPULARITY));
}

size_t trials_choose(const struct trials *trials, bool with_evidence)
{
    size_t towers = trials_with_margin(trials, trials_best(trials, AMONG_TOWERS),
                                       trials_best(trials, AMONG_TOWERS_OF_ALL_TIME));
    towers = trials_with_margin(trials, towers, trials_best(trials, AMONG_NEITHER));
    if (!with_evidence) {
        return towers;
    }
    size_t best = choose_co_interaction(trials, towers);
    const size_t ridge = trials_choose_ridge(trials), both = trials_best(trials, AMONG_BOTH);
    best = ridge < trials->n ? trials_with_margin(trials, ridge, best) : best;
    return both < trials->n ? trials_with_margin(trials, both, best) : best;
}

size_t trials_best_of_gamma(const struct trials *trials, double gamma)
{
    size_t best = trials->n;
    for (size_t t = 0; t < trials->n; t++) {
        if (trials->weights[t].gamma == gamma && trials->weights[t].n_parts == 0 &&
            (best == trials->n || trials->values[t] > trials->values[best])) {
            best = t;
        }
    }
    return best;
}
