/* Fitting the blend. With x(u, i) the base's score and the values of the parts, w >= 0 their
 * weights,
 *
 *   loss(w) = mean over cases u (exam.h) of mean over held-out items p of u of
 *             log(exp(w x(u, p)) + the sum over other items i of exp(w x(u, i))) - w x(u, p)
 *             + RIDGE |w|^2
 *
 * is convex: the multinomial logit of McFadden (1974). Which other items, blend_collect.c says. A
 * part is left out when its weight lies within STEADY standard errors of 0 (the sandwich of White
 * 1982, users being independent), the weakest first and all others fitted anew, so that parts which
 * only help together stay together. From there steps lead to better lists (blend_steps.h). The
 * outcome has to beat the base in lists made for users whom it was not fitted on: all who were not
 * drawn, and of those who were the odd ones with weights of the even ones, and the other way round.
 * No margin is asked for: nobody is judged by weights that he chose, so a difference errs to either
 * side alike, and small validation parts would refuse what lists live by. */
#include "evaluation/blend_internal.h"

#include "base/mem.h"
#include "evaluation/blend_steps.h"
#include "search/paired.h"

#include <math.h>

enum { LEAST_USERS = 100, MOST_CASES = 1500 }; /* cases: of users evenly taken */
static const double steady = 1.0;
static const double least_base = 0.02; /* weight: what the base adds to the cosine never goes */

/* What is weighed beside the base. Half-lives in days, and in places. */
static const struct score_part offered[] = {
    {SCORE_EVIDENCE, 0, 0, 1},    {SCORE_EVIDENCE, 30, 0, 1},   {SCORE_EVIDENCE, 0, 8, 1},
    {SCORE_TRANSITIONS, 0, 1, 1}, {SCORE_TRANSITIONS, 0, 4, 1}, {SCORE_TRANSITIONS, 0, 16, 1},
    {SCORE_OWN, 0, 0, 1},         {SCORE_OWN, 14, 0, 1},        {SCORE_HAD, 0, 0, 1},
    {SCORE_RIDGE, 0, 0, 1},       {SCORE_RIDGE, 0, 8, 1}};
enum { N_OFFERED = sizeof offered / sizeof *offered };

/* ---- the parts ---- */

/* `all`: the base's parts, then what is offered, with a column each from FIRST_PART on. */
static void list_parts(struct fitting *fitting)
{
    const struct blend_request *request = fitting->request;
    const bool has_times = exam_has_times(request->exam);
    struct score_weights *all = &fitting->all;
    size_t t = 0;
    *all = request->base;
    fitting->n_base = all->n_parts;
    for (size_t p = all->gamma > 0 ? 0 : 1; p <= all->n_parts; p++) { /* 0: what gamma weighs */
        fitting->column_of[t++] = BASE;
    }
    if (all->gamma == 0) {
        all->exponent = request->exponent;
    }
    for (size_t p = 0; p < N_OFFERED; p++) {
        const bool needs_times = offered[p].half_life > 0 || offered[p].half_places > 0;
        if (score_source(&request->sources, offered[p].kind) != NULL &&
            (has_times || !needs_times)) {
            fitting->column_of[t++] = FIRST_PART + all->n_parts - fitting->n_base;
            all->parts[all->n_parts++] = offered[p];
        }
    }
    fitting->n_columns = FIRST_PART + all->n_parts - fitting->n_base;
    fitting->n_evidence = t;
}

/* One more part, or more of one that is there. */
static void add_part(struct score_weights *weights, const struct score_part *part, double weight)
{
    size_t p = 0;
    while (p < weights->n_parts && (weights->parts[p].kind != part->kind ||
                                    weights->parts[p].half_life != part->half_life ||
                                    weights->parts[p].half_places != part->half_places)) {
        p++;
    }
    if (p == weights->n_parts) {
        weights->parts[weights->n_parts++] = *part;
        weights->parts[p].weight = 0;
    }
    weights->parts[p].weight += weight;
}

/* The weights of a fit, told in units of the cosine's. */
static struct score_weights to_weights(const struct fitting *fitting, const double *w)
{
    struct score_weights weights = fitting->all;
    const double cosine = w[BASE] + w[COSINE];
    weights.beta *= (w[BASE] + w[POPULARITY]) / cosine;
    weights.gamma *= w[BASE] / cosine;
    weights.n_parts = 0;
    for (size_t p = 0; p < fitting->all.n_parts; p++) {
        const struct score_part *part = &fitting->all.parts[p];
        const size_t column = p < fitting->n_base ? BASE : FIRST_PART + p - fitting->n_base;
        if (w[column] > 0) {
            add_part(&weights, part, part->weight * w[column] / cosine);
        }
    }
    return weights;
}

static enum status_code measure(const struct fitting *fitting, const struct exam *exam,
                                const struct score_weights *weights, double *values,
                                struct status *status)
{
    const struct exam_scoring scoring = scoring_of(fitting->request);
    struct exam_progress progress = {.watch = fitting->request->watch};
    return exam_measure(exam, &scoring, weights, 1, fitting->pool, &progress, values, status);
}

/* ---- in the order of things ---- */

static enum status_code prepare(struct fitting *fitting, struct status *status)
{
    enum status_code code;
    TRY(exam_thin(fitting->request->exam, MOST_CASES, EXAM_ALL, &fitting->exam, status));
    list_parts(fitting);
    TRY(logit_init(&fitting->logit, fitting->exam.offsets, fitting->exam.n_users,
                   fitting->n_columns, status));
    TRY(blend_collect(fitting, status));
    TRY(blend_join(fitting, status));
    TRY(logit_ready(&fitting->logit, fitting->pool, status));
done:
    return code;
}

/* The parts that stay for these users, and their weights. */
static enum status_code eliminate(struct fitting *fitting, enum logit_users users,
                                  struct logit_fit *fit, struct status *status)
{
    enum status_code code = STATUS_OK;
    bool is_done = false;
    for (size_t j = 0; j < fitting->n_columns; j++) {
        fit->least[j] = j == BASE ? least_base : 0;
        fit->w[j] = j == BASE ? 1 : 0;
        fit->is_out[j] = j == POPULARITY && fitting->request->sources.own == NULL;
    }
    while (!is_done) {
        size_t weakest = BASE;
        TRY(watch_check(&fitting->request->watch, status));
        logit_fit(&fitting->logit, users, fitting->pool, fit);
        for (size_t j = COSINE; j < fitting->n_columns; j++) {
            fit->is_out[j] = fit->is_out[j] || fit->w[j] == 0;
            if (!fit->is_out[j] && fit->w[j] < steady * fit->error[j] &&
                (weakest == BASE ||
                 fit->w[j] * fit->error[weakest] < fit->w[weakest] * fit->error[j])) {
                weakest = j;
            }
        }
        is_done = weakest == BASE;
        if (!is_done) {
            fit->is_out[weakest] = true;
            fit->w[weakest] = 0;
        }
    }
done:
    return code;
}

/* From likely weights to better lists. Own items may have to grow or fall together, and all
 * beside the cosine. */
static enum status_code step_on(const struct fitting *fitting, enum logit_users users, double *w,
                                struct status *status)
{
    struct steps_request request = {.logit = &fitting->logit,
                                    .metric = fitting->exam.metric,
                                    .k = fitting->exam.k,
                                    .users = users};
    uint32_t own = 0, others = 0;
    for (size_t j = COSINE; j < fitting->n_columns; j++) { /* the base's never goes to 0 */
        request.knobs[request.n_knobs++] = 1U << j;
        others |= j > COSINE ? 1U << j : 0;
        if (j >= FIRST_PART &&
            score_source(&fitting->request->sources,
                         fitting->all.parts[fitting->n_base + j - FIRST_PART].kind) ==
                fitting->request->sources.own) {
            own |= 1U << j;
        }
    }
    request.knobs[request.n_knobs++] = others;
    request.knobs[request.n_knobs++] = own;
    return steps_take(&request, fitting->pool, w, status);
}

/* Each half of the users whom w was fitted on under the weights of the other half, all others under
 * w, beside the base: those few alone would leave what parts are worth to chance. */
static enum status_code compare(struct fitting *fitting, const double *w, struct blend *out,
                                struct status *status)
{
    const struct exam *whole = fitting->request->exam;
    const size_t n = whole->n_users, n_fitted = fitting->exam.n_users;
    double *base = NULL, *blended = NULL, *half = NULL;
    enum status_code code;
    TRY(MEM_NEW(&base, n, status));
    TRY(MEM_NEW(&blended, n, status));
    TRY(MEM_NEW(&half, n_fitted, status));
    TRY(measure(fitting, whole, &fitting->request->base, base, status));
    if (n_fitted < n) {
        const struct score_weights weights = to_weights(fitting, w);
        TRY(measure(fitting, whole, &weights, blended, status));
    }
    for (enum logit_users fold = LOGIT_EVEN; fold <= LOGIT_ODD; fold++) {
        struct logit_fit of_half = {.w = {0}};
        TRY(eliminate(fitting, fold, &of_half, status));
        TRY(step_on(fitting, fold, of_half.w, status));
        const struct score_weights weights = to_weights(fitting, of_half.w);
        TRY(measure(fitting, &fitting->exam, &weights, half, status));
        for (size_t a = fold == LOGIT_EVEN ? 1 : 0; a < n_fitted; a += 2) {
            blended[exam_taken(a, n, n_fitted)] = half[a];
        }
    }
    out->value = paired_mean(blended, n);
    out->base_value = paired_mean(base, n);
    out->is_better = out->value > out->base_value;
done:
    mem_free(base);
    mem_free(blended);
    mem_free(half);
    return code;
}

enum status_code blend_fit(const struct blend_request *request, struct pool *pool,
                           struct blend *out, struct status *status)
{
    struct fitting fitting = {.request = request, .pool = pool};
    struct logit_fit fit = {.w = {0}};
    struct blend made = {.weights = request->base};
    enum status_code code = STATUS_OK;
    if (request->exam->n_users >= LEAST_USERS) {
        TRY(prepare(&fitting, status));
        TRY(eliminate(&fitting, LOGIT_ALL, &fit, status));
        TRY(step_on(&fitting, LOGIT_ALL, fit.w, status));
        TRY(compare(&fitting, fit.w, &made, status));
        made.weights = made.is_better ? to_weights(&fitting, fit.w) : request->base;
    }
    *out = made;
done:
    score_release(&fitting.score);
    logit_release(&fitting.logit);
    exam_release(&fitting.exam);
    mem_free(fitting.best);
    return code;
}
