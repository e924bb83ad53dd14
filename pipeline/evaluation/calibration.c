/* The search for the score's weights, by coordinates, in a few passes over the products:
 *
 *   1  beta over the grid, without evidence, popularity being that of all time
 *   2  beta five times finer around the best of 1
 *   3  where the log has times, half-lives of popularity x a few betas, on SKETCH_CASES cases only,
 *      evenly taken; then the betas around the best on all users
 *   4  gamma x p over their grids, each with beta, half of it and 0, because evidence counts
 *      popular items too; on SKETCH_CASES cases: it just finds the place
 *   5  gamma, beta and p finer around the best of all
 *   6  where there is learned evidence, the same with its weight in the place of gamma; no p
 *   7  where there are both, gamma beside that weight, with the best p of 5; on SKETCH_CASES cases,
 *      then finer
 *   8  where the log has times or its users come back, all parts of the score learned at once
 *      (blend.h), against the best of 1 to 7
 *
 * The best value wins; at equal values the longer half-life, then the smaller gamma, then the beta
 * nearer 0, then the smaller p. What is fixed by the request is not searched. Evidence, popularity
 * and its half-life are left out where they do not gain more than one standard error of
 * the users' paired differences over the best without them: a small validation part would otherwise
 * always find some use for them. So is learned evidence, over the best with co-interaction, and so
 * are both together, over the better one of them. */
#include "evaluation/calibration.h"

#include "base/mem.h"
#include "evaluation/baselines.h"
#include "evaluation/blend.h"
#include "evaluation/calibration_choice.h"
#include "evaluation/calibration_grids.h"
#include "search/paired.h"

#include <assert.h>
#include <math.h>

enum { SKETCH_CASES = 2500 };

/* Whether half-lives are looked at: a log with times, and a popularity term that is not learned. */
static bool looks_at_half_lives(const struct calibration_request *request)
{
    return exam_has_times(request->exam) && request->embeddings->item_bias == NULL &&
           isnan(request->given.half_life);
}

/* Passes 1 and 2. */
static enum status_code try_towers(struct trials *trials, struct settings *settings,
                                   struct status *status)
{
    const struct calibration_request *request = trials->request;
    struct calibration_grid grid = request->popularity;
    enum status_code code;
    if (!isnan(request->given.beta)) {
        grid = (struct calibration_grid){request->given.beta, request->given.beta, 1};
    }
    grid_coarse(settings, &grid, isnan(request->given.half_life) ? 0 : request->given.half_life);
    TRY(trials_measure(trials, settings->list, settings->n, status));
    settings->n = 0;
    grid_fine(settings, trials);
    TRY(trials_measure(trials, settings->list, settings->n, status));
done:
    return code;
}

/* Pass 3: the half-life by the sketch, its weight by everybody. */
static enum status_code try_half_lives(struct trials *trials, struct trials *sketch,
                                       struct settings *settings, struct status *status)
{
    enum status_code code;
    settings->n = 0;
    grid_half_lives(settings, trials->request);
    TRY(trials_measure(sketch, settings->list, settings->n, status));
    const struct score_weights best = sketch->weights[trials_best(sketch, AMONG_TOWERS)];
    settings->n = 0;
    grid_around_half_life(settings, trials->request, &best);
    TRY(trials_measure(trials, settings->list, settings->n, status));
done:
    return code;
}

/* Passes 4 and 5; `sketch` gets what is tried on a part of the users. */
static enum status_code try_evidence(struct trials *trials, struct trials *sketch,
                                     struct settings *settings, struct status *status)
{
    const struct score_weights towers = trials->weights[trials_with_margin(
        trials, trials_best(trials, AMONG_TOWERS), trials_best(trials, AMONG_TOWERS_OF_ALL_TIME))];
    enum status_code code;
    settings->n = 0;
    grid_evidence(settings, trials->request, &towers);
    TRY(trials_measure(sketch, settings->list, settings->n, status));
    const struct score_weights best = sketch->weights[trials_best(sketch, AMONG_CO_INTERACTION)];
    settings->n = 0;
    if (best.gamma > 0) {
        grid_around(settings, trials->request, &best);
    } else if (trials->request->given.gamma > 0) {
        grid_evidence(settings, trials->request, &towers);
    }
    TRY(trials_measure(trials, settings->list, settings->n, status));
done:
    return code;
}

/* Pass 6; nothing is given. */
static enum status_code try_ridge(struct trials *trials, struct trials *sketch,
                                  struct settings *settings, struct status *status)
{
    const struct score_weights towers = trials->weights[trials_with_margin(
        trials, trials_best(trials, AMONG_TOWERS), trials_best(trials, AMONG_TOWERS_OF_ALL_TIME))];
    enum status_code code;
    settings->n = 0;
    grid_ridge(settings, &towers);
    TRY(trials_measure(sketch, settings->list, settings->n, status));
    const struct score_weights best = sketch->weights[trials_best(sketch, AMONG_RIDGE)];
    settings->n = 0;
    grid_around_ridge(settings, &best);
    TRY(trials_measure(trials, settings->list, settings->n, status));
done:
    return code;
}

/* Of the best with evidence; where ridge is the base of the blend, it may come in as a part. */
static double exponent_beside(const struct trials *trials)
{
    const size_t best = trials_best(trials, AMONG_CO_INTERACTION);
    return trials->weights[best].gamma > 0 ? trials->weights[best].exponent : 0.5;
}

/* Pass 7. */
static enum status_code try_both(struct trials *trials, struct trials *sketch,
                                 struct settings *settings, struct status *status)
{
    const struct score_weights ridge = trials->weights[trials_choose_ridge(trials)];
    enum status_code code;
    settings->n = 0;
    grid_both(settings, &ridge, exponent_beside(trials));
    TRY(trials_measure(sketch, settings->list, settings->n, status));
    const struct score_weights best = sketch->weights[trials_best(sketch, AMONG_BOTH)];
    settings->n = 0;
    grid_around_both(settings, &best);
    TRY(trials_measure(trials, settings->list, settings->n, status));
done:
    return code;
}

static double ridge_weight(const struct score_weights *weights)
{
    return weights->n_parts > 0 ? weights->parts[0].weight : 0;
}

static void copy_trials(const struct trials *trials, struct calibration *made)
{
    for (size_t t = 0; t < trials->n; t++) {
        const size_t at = made->n_grid++;
        made->grid_beta[at] = trials->weights[t].beta;
        made->grid_gamma[at] = trials->weights[t].gamma;
        made->grid_exponent[at] = trials->weights[t].exponent;
        made->grid_half_life[at] = trials->weights[t].half_life;
        made->grid_ridge[at] = ridge_weight(&trials->weights[t]);
        made->grid_value[at] = trials->values[t];
        made->grid_users[at] = (double)trials->request->exam->n_users;
    }
}

/* Everything tried, and the choice. */
static enum status_code conclude(const struct trials *trials, const struct trials *sketch,
                                 struct calibration *made, struct status *status)
{
    const struct calibration_request *request = trials->request;
    const double gamma = request->sources.evidence == NULL ? 0 : request->given.gamma;
    const size_t n = trials->n + sketch->n;
    const size_t towers = trials_choose(trials, false);
    const size_t chosen =
        gamma > 0 ? trials_best_of_gamma(trials, gamma) : trials_choose(trials, true);
    enum status_code code;
    TRY(MEM_NEW(&made->grid_beta, n, status));
    TRY(MEM_NEW(&made->grid_gamma, n, status));
    TRY(MEM_NEW(&made->grid_exponent, n, status));
    TRY(MEM_NEW(&made->grid_half_life, n, status));
    TRY(MEM_NEW(&made->grid_ridge, n, status));
    TRY(MEM_NEW(&made->grid_value, n, status));
    TRY(MEM_NEW(&made->grid_users, n, status));
    made->n_users = request->exam->n_users;
    TRY(MEM_NEW(&made->user_values, made->n_users, status));
    copy_trials(trials, made);
    copy_trials(sketch, made);
    made->weights = trials->weights[chosen];
    made->towers_beta = trials->weights[towers].beta;
    made->towers_half_life = trials->weights[towers].half_life;
    made->towers_value = trials->values[towers];
done:
    return code;
}

/* values (n_users): lists by popularity of late alone. */
static enum status_code judge_popular(const struct exam *exam, double half_life, struct pool *pool,
                                      double *values, struct status *status)
{
    const size_t n_items = exam->dataset->n_items;
    double *popularity = NULL;
    int32_t *order = NULL, *lists = NULL;
    enum status_code code;
    TRY(MEM_NEW(&popularity, n_items, status));
    TRY(MEM_NEW(&order, n_items, status));
    for (size_t s = 0; s < exam->n_sittings; s++) {
        const struct exam_sitting *sitting = &exam->sittings[s];
        const struct order_request in_order = {
            order, n_items, &sitting->histories->matrix, sitting->rows, sitting->n, exam->k};
        mem_free(lists);
        lists = NULL;
        TRY(MEM_NEW(&lists, sitting->n * exam->k, status));
        TRY(exam_popularity(exam, sitting, half_life, popularity, status));
        TRY(baseline_order(popularity, exam->tie_rank, n_items, order, status));
        baseline_in_order(&in_order, pool, lists);
        exam_add(exam, sitting, 0, sitting->n, lists, exam->k, values);
    }
    TRY(crowd_join(&exam->crowd, values, exam->n_users, status));
done:
    mem_free(popularity);
    mem_free(order);
    mem_free(lists);
    return code;
}

/* The half-life by which popularity alone ranks best for the users of the exam; of all time unless
 * another one is clearly better. */
static enum status_code popular_half_life(const struct exam *exam, struct pool *pool,
                                          double *half_life, struct status *status)
{
    const size_t n = exam->n_users;
    double *all_values = NULL; /* (1 + GRID_HALF_LIVES, n) */
    enum status_code code;
    TRY(MEM_NEW(&all_values, (1 + GRID_HALF_LIVES) * n, status));
    for (size_t h = 0; h <= GRID_HALF_LIVES; h++) {
        TRY(judge_popular(exam, h == 0 ? 0 : grid_half_life[h - 1], pool, all_values + h * n,
                          status));
    }
    const size_t best = paired_choose(all_values, 1 + GRID_HALF_LIVES, n);
    *half_life = best > 0 ? grid_half_life[best - 1] : 0;
done:
    mem_free(all_values);
    return code;
}

/* Whether there is more to weigh than passes 1 to 7 have weighed. */
static bool has_further_parts(const struct calibration_request *request)
{
    return exam_has_times(request->exam) || request->sources.own != NULL;
}

/* Pass 8. */
static enum status_code try_blend(const struct trials *trials, struct calibration *made,
                                  struct status *status)
{
    const struct calibration_request *request = trials->request;
    const struct blend_request blending = {
        .exam = request->exam,
        .embeddings = request->embeddings,
        .sources = request->sources,
        .base = made->weights,
        .exponent = made->weights.n_parts > 0 ? exponent_beside(trials) : 0.5,
        .seed = request->seed,
        .watch = {.check_stop = request->watch.check_stop, .data = request->watch.data}};
    struct blend blend;
    enum status_code code;
    TRY(blend_fit(&blending, trials->pool, &blend, status));
    made->blended_value = blend.value;
    made->blended_base = blend.base_value;
    made->is_blended = blend.is_better;
    if (blend.is_better) {
        made->weights = blend.weights;
    }
done:
    return code;
}

/* The passes that there are beside 1 and 2. */
struct passes {
    bool half_lives, evidence, ridge, both;
    size_t n;
};

static struct passes passes_of(const struct calibration_request *request)
{
    struct passes passes = {.half_lives = looks_at_half_lives(request),
                            .evidence =
                                request->sources.evidence != NULL && request->given.gamma != 0,
                            .ridge = request->sources.ridge != NULL && request->blends};
    passes.both = passes.evidence && passes.ridge;
    passes.n = (passes.half_lives ? 1U : 0U) + (passes.evidence ? 1U : 0U) +
               (passes.ridge ? 1U : 0U) + (passes.both ? 1U : 0U);
    return passes;
}

/* Passes 0 to 7. */
static enum status_code run_passes(const struct passes *passes, struct trials *trials,
                                   struct trials *sketch, double *popular, struct status *status)
{
    struct settings *settings = NULL;
    enum status_code code;
    TRY(MEM_NEW(&settings, 1, status));
    TRY(try_towers(trials, settings, status));
    if (passes->half_lives) {
        TRY(try_half_lives(trials, sketch, settings, status));
        TRY(popular_half_life(trials->request->exam, trials->pool, popular, status));
    }
    if (passes->evidence) {
        TRY(try_evidence(trials, sketch, settings, status));
    }
    if (passes->ridge) {
        TRY(try_ridge(trials, sketch, settings, status));
    }
    if (passes->both) {
        TRY(try_both(trials, sketch, settings, status));
    }
done:
    mem_free(settings);
    return code;
}

enum status_code calibration_search(const struct calibration_request *request, struct pool *pool,
                                    struct calibration *out, struct status *status)
{
    const struct passes passes = passes_of(request);
    struct exam_progress progress = {.watch = request->watch};
    struct calibration_request sketch_request = *request;
    struct trials trials = {.request = request, .pool = pool, .progress = &progress};
    struct trials sketch = {.request = &sketch_request, .pool = pool, .progress = &progress};
    struct exam thinned = {0};
    struct calibration made = {.alpha = request->embeddings->alpha,
                               .popular_half_life =
                                   isnan(request->given.half_life) ? 0 : request->given.half_life};
    enum status_code code;
    assert(request->exam->n_users > 0);
    assert(request->popularity.from <= request->popularity.to && request->popularity.step > 0.0);
    assert(request->embeddings->users.rows == request->exam->dataset->n_users);
    assert(request->embeddings->items.rows == request->exam->dataset->n_items);
    TRY(exam_thin(request->exam, SKETCH_CASES, EXAM_ALL, &thinned, status));
    sketch_request.exam = &thinned;
    progress.total = (double)((3 + passes.n) * request->exam->n_own + passes.n * thinned.n_own);
    TRY(run_passes(&passes, &trials, &sketch, &made.popular_half_life, status));
    TRY(conclude(&trials, &sketch, &made, status));
    if (request->blends && has_further_parts(request)) {
        TRY(try_blend(&trials, &made, status));
    }
    const struct exam_scoring scoring = {request->embeddings, request->sources};
    TRY(score_worth_measure(request->exam, &scoring, &made.weights, pool, &progress,
                            made.user_values, &made.worth, status));
    made.value = paired_mean(made.user_values, made.n_users);
    *out = made;
done:
    exam_release(&thinned);
    trials_release(&trials);
    trials_release(&sketch);
    if (code != STATUS_OK) {
        calibration_release(&made);
    }
    return code;
}
