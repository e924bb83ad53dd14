/* Fitting the blend. With x(u, i) the base's score and the values of the parts, w >= 0 their
 * weights,
 *
 *   loss(w) = mean over cases u (exam.h) of mean over held-out items p of u of
 *             log(exp(w x(u, p)) + the sum over other items i of exp(w x(u, i))) - w x(u, p)
 *             + RIDGE |w|^2
 *
 * is convex: the multinomial logit of McFadden (1974). The other items are the best few of every
 * part, which are those that could displace p in a list, and a sample. A part is left out when its
 * weight lies within STEADY standard errors of 0 (the sandwich of White 1982, users being
 * independent), the weakest first and all others fitted anew, so that parts which only help
 * together stay together. From there steps lead to better lists (blend_steps.h). The outcome has to
 * beat the base in lists made for users whom it was not fitted on: the odd ones with weights of the
 * even ones, and the other way round. */
#include "evaluation/blend.h"

#include "base/mem.h"
#include "base/rng.h"
#include "evaluation/blend_steps.h"
#include "math/topk.h"
#include "math/vec.h"
#include "search/paired.h"

#include <math.h>

enum {
    LEAST_USERS = 100,
    MOST_CASES = 1500, /* of users evenly taken */
    BEST_OF_PART = 40, /* items of each part that a user's choices are set against */
    BEST_OF_SCORE = 60,
    SAMPLED = 200,
    MOST_CHOICES = STEP_CHOSEN_MAX, /* held-out items of a case */
    USERS_AT_ONCE = 16
};
static const double steady = 1.0;
static const double least_base = 0.02; /* weight: what the base adds to the cosine never goes */

/* What is weighed beside the base. Half-lives in days, and in places. */
static const struct score_part offered[] = {
    {SCORE_EVIDENCE, 0, 0, 1},    {SCORE_EVIDENCE, 30, 0, 1},   {SCORE_EVIDENCE, 0, 8, 1},
    {SCORE_TRANSITIONS, 0, 1, 1}, {SCORE_TRANSITIONS, 0, 4, 1}, {SCORE_TRANSITIONS, 0, 16, 1},
    {SCORE_OWN, 0, 0, 1},         {SCORE_OWN, 14, 0, 1},        {SCORE_HAD, 0, 0, 1},
    {SCORE_RIDGE, 0, 0, 1},       {SCORE_RIDGE, 0, 8, 1}};
enum { N_OFFERED = sizeof offered / sizeof *offered };

/* Columns of the values: the base's score; the cosine's part of it, by which the rest of the base
 * can lose weight; where own items speak for themselves the popularity's part, which the cosine
 * that spoke for them has held down; the parts. */
enum { BASE, COSINE, POPULARITY, FIRST_PART };

struct fitting {
    const struct blend_request *request;
    struct pool *pool;
    struct exam exam;         /* the request's, with fewer users */
    struct score_weights all; /* the base, and every part with weight 1 */
    size_t n_base;            /* parts that the base has: 0 or 1 */
    size_t n_columns;
    size_t n_evidence;                     /* under `all` */
    size_t column_of[1 + SCORE_PARTS_MAX]; /* of each */
    struct logit logit;
    /* of the sitting that is looked at */
    const struct exam_sitting *sitting;
    struct score score;     /* of `all` */
    struct ranking ranking; /* its histories under it */
    int32_t *best;          /* (its cases, BEST_OF_SCORE) by the base */
};

/* ---- the parts ---- */

/* `all`: the base's parts, then what is offered, with a column each from FIRST_PART on. */
static void list_parts(struct fitting *fitting)
{
    const struct blend_request *request = fitting->request;
    const bool has_times = request->exam->dataset->train.times != NULL;
    struct score_weights *all = &fitting->all;
    size_t t = 0;
    *all = request->base;
    fitting->n_base = all->n_parts;
    if (all->gamma > 0 || all->n_parts > 0) {
        fitting->column_of[t++] = BASE;
    }
    if (all->gamma == 0) {
        all->exponent = 0.5;
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

/* ---- lists ---- */

static struct exam_scoring scoring_of(const struct blend_request *request)
{
    return (struct exam_scoring){request->embeddings, request->sources};
}

/* best (cases of the sitting, BEST_OF_SCORE) by the base. */
static enum status_code find_best(const struct fitting *fitting, struct status *status)
{
    const struct blend_request *request = fitting->request;
    const struct exam_scoring scoring = scoring_of(request);
    const struct exam_sitting *sitting = fitting->sitting;
    struct score score = {0};
    float *anchors = NULL, *scores = NULL;
    enum status_code code;
    TRY(MEM_NEW(&anchors, sitting->n * request->embeddings->users.columns, status));
    TRY(MEM_NEW(&scores, sitting->n * BEST_OF_SCORE, status));
    TRY(exam_score(&fitting->exam, sitting, &scoring, &request->base, &score, status));
    struct ranking ranking =
        exam_ranking(&fitting->exam, sitting, request->embeddings, 0, sitting->n, anchors);
    ranking.k = BEST_OF_SCORE;
    score_apply(&score, sitting->rows, &ranking);
    TRY(ranking_run(&ranking, fitting->pool, fitting->best, scores, status));
done:
    score_release(&score);
    mem_free(anchors);
    mem_free(scores);
    return code;
}

static enum status_code measure(const struct fitting *fitting, const struct score_weights *weights,
                                double *values, struct status *status)
{
    const struct exam_scoring scoring = scoring_of(fitting->request);
    struct exam_progress progress = {.watch = fitting->request->watch};
    return exam_measure(&fitting->exam, &scoring, weights, 1, fitting->pool, &progress, values,
                        status);
}

/* ---- the values of a user's items ---- */

/* One thread's memory. */
struct collector {
    struct evidence_scratch scratch;
    struct evidence_entries {
        int32_t *columns; /* (n_items) */
        float *values;    /* (n_items) times the item's power */
        size_t n;
    } rows[1 + SCORE_PARTS_MAX]; /* of the user's history, by evidence */
    uint8_t *taken; /* (n_items) not to be taken (again): excluded, chosen, or in `items` */
    int32_t *items; /* (n_items) the choices, then what they are set against */
    int32_t *place; /* (n_items) of what is in `items` */
    struct topk heap;
    float best_scores[BEST_OF_PART];
    int32_t best[BEST_OF_PART];
    size_t n, n_choices, n_sure, n_barred; /* n_barred: never listed, or a choice too many */
};

struct collecting {
    struct fitting *fitting;
    struct collector *collectors; /* (threads) */
};

static void take(struct collector *c, int32_t item)
{
    if (!c->taken[item]) {
        c->taken[item] = 1;
        c->items[c->n++] = item;
    }
}

/* The choices of a row of the sitting, and what is never listed. */
static void take_choices(const struct fitting *fitting, struct collector *c, size_t row)
{
    const struct sparse *excluded = fitting->sitting->exclude;
    size_t n;
    const int32_t *items = sparse_row(&fitting->sitting->held_out->matrix, row, &n);
    c->n = 0;
    for (size_t e = 0; e < n && c->n < MOST_CHOICES; e++) {
        take(c, items[e]);
    }
    c->n_choices = c->n;
    c->n_barred = n - c->n;
    for (size_t e = 0; e < n; e++) {
        c->taken[items[e]] = 1;
    }
    for (int64_t e = excluded->offsets[row]; e < excluded->offsets[row + 1]; e++) {
        c->n_barred += c->taken[excluded->columns[e]] ? 0 : 1;
        c->taken[excluded->columns[e]] = 1;
    }
}

static void find_rows(const struct fitting *fitting, struct collector *c, size_t a)
{
    for (size_t t = 0; t < fitting->n_evidence; t++) {
        const struct ranking_evidence *evidence = &fitting->ranking.evidence[t];
        struct evidence_entries *row = &c->rows[t];
        row->n = ranking_evidence_row(&fitting->ranking, evidence, &c->scratch, a, row->columns,
                                      row->values);
        for (size_t e = 0; e < row->n; e++) {
            row->values[e] *= evidence->powers[0][row->columns[e]];
        }
    }
}

static void take_best(struct collector *c, const struct evidence_entries *row)
{
    topk_init(&c->heap, BEST_OF_PART, c->best_scores, c->best, NULL);
    for (size_t e = 0; e < row->n; e++) {
        if (!c->taken[row->columns[e]]) {
            topk_offer(&c->heap, row->values[e], row->columns[e]);
        }
    }
    for (size_t b = 0; b < c->heap.n; b++) {
        take(c, c->best[b]);
    }
}

/* What the choices of case a are set against. */
static void take_others(const struct fitting *fitting, struct collector *c, size_t a)
{
    const size_t n_items = fitting->exam.dataset->n_items;
    const int32_t *best = fitting->best + a * BEST_OF_SCORE;
    struct rng rng;
    for (size_t r = 0; r < BEST_OF_SCORE && best[r] >= 0; r++) {
        take(c, best[r]);
    }
    for (size_t t = 0; t < fitting->n_evidence; t++) {
        take_best(c, &c->rows[t]);
    }
    rng_init(&rng, fitting->request->seed, "blend.sample", 0, (uint64_t)fitting->sitting->cases[a]);
    c->n_sure = c->n;
    for (size_t s = 0; s < SAMPLED; s++) {
        take(c, (int32_t)rng_below(&rng, n_items));
    }
}

/* x (n, n_columns) of the items taken. */
static void fill_values(const struct fitting *fitting, struct collector *c, size_t a, float *x)
{
    const struct embeddings *embeddings = fitting->request->embeddings;
    const struct vec_ops *ops = vec_ops();
    const size_t n_columns = fitting->n_columns;
    const size_t user = (size_t)fitting->sitting->users[a];
    const float *vector = embeddings->users.data + user * embeddings->users.stride;
    for (size_t i = 0; i < c->n; i++) {
        const size_t item = (size_t)c->items[i];
        c->place[item] = (int32_t)i;
        x[i * n_columns + COSINE] =
            fitting->score.scale *
            ops->dot(vector, embeddings->items.data + item * embeddings->items.stride,
                     embeddings->items.columns);
        x[i * n_columns + POPULARITY] = fitting->score.bias[item];
        x[i * n_columns + BASE] = fitting->score.bias[item] + x[i * n_columns + COSINE];
    }
    for (size_t t = 0; t < fitting->n_evidence; t++) {
        const struct ranking_evidence *evidence = &fitting->ranking.evidence[t];
        const struct evidence_entries *row = &c->rows[t];
        const float factor = (float)evidence->gammas[0] *
                             ranking_evidence_norm(&fitting->ranking, evidence, a, row->columns,
                                                   row->values, row->n, NULL);
        for (size_t e = 0; e < row->n; e++) {
            const int32_t place = c->place[row->columns[e]];
            if (place >= 0) {
                x[(size_t)place * n_columns + fitting->column_of[t]] += factor * row->values[e];
            }
        }
    }
    for (size_t i = 0; i < c->n; i++) {
        c->place[c->items[i]] = -1;
    }
}

static size_t relevant_items(const struct exam_sitting *sitting, size_t a)
{
    const size_t row = (size_t)sitting->rows[a];
    return sparse_row_length(&sitting->held_out->matrix, row) +
           (sitting->unknown == NULL ? 0 : (size_t)sitting->unknown[row]);
}

static void collect_block(void *data, size_t block, size_t worker)
{
    const struct collecting *job = data;
    struct fitting *fitting = job->fitting;
    const struct exam_sitting *sitting = fitting->sitting;
    struct collector *c = &job->collectors[worker];
    const size_t n_items = fitting->exam.dataset->n_items;
    size_t end = (block + 1) * USERS_AT_ONCE;
    end = end < sitting->n ? end : sitting->n;
    for (size_t a = block * USERS_AT_ONCE; a < end; a++) {
        struct status ignored = {0};
        struct logit_choice *choice = &fitting->logit.choices[sitting->cases[a]];
        memset(c->taken, 0, n_items);
        take_choices(fitting, c, (size_t)sitting->rows[a]);
        if (c->n_choices == 0) {
            continue;
        }
        find_rows(fitting, c, a);
        take_others(fitting, c, a);
        choice->n = c->n;
        if (MEM_NEW(&choice->x, c->n * fitting->n_columns, &ignored) != STATUS_OK) {
            continue; /* logit_ready says so */
        }
        choice->n_chosen = c->n_choices;
        choice->n_sure = c->n_sure;
        choice->n_relevant = relevant_items(sitting, a);
        choice->stands_for = (double)(n_items - c->n_sure - c->n_barred) /
                             (double)(c->n > c->n_sure ? c->n - c->n_sure : 1);
        fill_values(fitting, c, a, choice->x);
    }
}

static void collectors_release(struct collector *collectors, size_t n)
{
    for (size_t w = 0; collectors != NULL && w < n; w++) {
        evidence_scratch_release(&collectors[w].scratch);
        for (size_t t = 0; t <= SCORE_PARTS_MAX; t++) {
            mem_free(collectors[w].rows[t].columns);
            mem_free(collectors[w].rows[t].values);
        }
        mem_free(collectors[w].taken);
        mem_free(collectors[w].items);
        mem_free(collectors[w].place);
    }
    mem_free(collectors);
}

static enum status_code collectors_new(const struct fitting *fitting, struct collector **collectors,
                                       struct status *status)
{
    const size_t n_workers = pool_threads(fitting->pool);
    const size_t n_items = fitting->exam.dataset->n_items;
    const struct score_sources *sources = &fitting->request->sources;
    enum status_code code;
    TRY(MEM_NEW(collectors, n_workers, status));
    for (size_t w = 0; w < n_workers; w++) {
        struct collector *c = &(*collectors)[w];
        if (fitting->n_evidence > 0) {
            TRY(evidence_scratch_init(&c->scratch,
                                      score_source(sources, fitting->all.n_parts > 0
                                                                ? fitting->all.parts[0].kind
                                                                : SCORE_EVIDENCE),
                                      status));
        }
        for (size_t t = 0; t < fitting->n_evidence; t++) {
            TRY(MEM_NEW(&c->rows[t].columns, n_items, status));
            TRY(MEM_NEW(&c->rows[t].values, n_items, status));
        }
        TRY(MEM_NEW(&c->taken, n_items, status));
        TRY(MEM_NEW(&c->items, n_items, status));
        TRY(MEM_NEW(&c->place, n_items, status));
        memset(c->place, -1, n_items * sizeof *c->place);
    }
done:
    return code;
}

/* The choices of one sitting. */
static enum status_code collect(struct fitting *fitting, struct collector *collectors,
                                struct status *status)
{
    const struct blend_request *request = fitting->request;
    const struct exam_scoring scoring = scoring_of(request);
    const struct exam_sitting *sitting = fitting->sitting;
    struct collecting job = {fitting, collectors};
    enum status_code code;
    TRY(watch_check(&request->watch, status));
    score_release(&fitting->score);
    TRY(exam_score(&fitting->exam, sitting, &scoring, &fitting->all, &fitting->score, status));
    score_apply(&fitting->score, sitting->rows, &fitting->ranking);
    TRY(find_best(fitting, status));
    pool_run(fitting->pool, (sitting->n + USERS_AT_ONCE - 1) / USERS_AT_ONCE, collect_block, &job);
done:
    return code;
}

/* ---- in the order of things ---- */

static enum status_code prepare(struct fitting *fitting, struct status *status)
{
    struct collector *collectors = NULL;
    enum status_code code;
    TRY(exam_thin(fitting->request->exam, MOST_CASES, EXAM_ALL, &fitting->exam, status));
    list_parts(fitting);
    TRY(logit_init(&fitting->logit, fitting->exam.offsets, fitting->exam.n_users,
                   fitting->n_columns, status));
    TRY(MEM_NEW(&fitting->best, fitting->exam.n_cases * BEST_OF_SCORE, status));
    TRY(collectors_new(fitting, &collectors, status));
    for (size_t s = 0; s < fitting->exam.n_sittings; s++) {
        fitting->sitting = &fitting->exam.sittings[s];
        TRY(collect(fitting, collectors, status));
    }
    TRY(logit_ready(&fitting->logit, fitting->pool, status));
done:
    collectors_release(collectors, pool_threads(fitting->pool));
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

/* Half of the users under the weights of the other half, beside the base. */
static enum status_code compare(struct fitting *fitting, struct blend *out, struct status *status)
{
    const size_t n = fitting->exam.n_users;
    double *base = NULL, *blended = NULL, *half = NULL;
    enum status_code code;
    TRY(MEM_NEW(&base, n, status));
    TRY(MEM_NEW(&blended, n, status));
    TRY(MEM_NEW(&half, n, status));
    TRY(measure(fitting, &fitting->request->base, base, status));
    for (enum logit_users fold = LOGIT_EVEN; fold <= LOGIT_ODD; fold++) {
        struct logit_fit of_half = {.w = {0}};
        TRY(eliminate(fitting, fold, &of_half, status));
        TRY(step_on(fitting, fold, of_half.w, status));
        const struct score_weights weights = to_weights(fitting, of_half.w);
        TRY(measure(fitting, &weights, half, status));
        for (size_t a = fold == LOGIT_EVEN ? 1 : 0; a < n; a += 2) {
            blended[a] = half[a];
        }
    }
    out->value = metric_mean(blended, n, NULL);
    out->base_value = metric_mean(base, n, NULL);
    out->is_better = paired_clearly_better(blended, base, n);
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
        TRY(compare(&fitting, &made, status));
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
