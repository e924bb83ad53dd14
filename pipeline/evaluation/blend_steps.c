/* A likelihood is about all choices, a list about its top. Each round looks at every knob turned by
 * a few factors, and takes the best where it beats what there is by more than a standard error of
 * the users' paired differences. */
#include "evaluation/blend_steps.h"

#include "base/mem.h"
#include "search/paired.h"

#include <assert.h>
#include <math.h>

enum { MOST_ROUNDS = 12, USERS_PER_BLOCK = 32 };
static const double factors[] = {0, 0.5, 0.7, 1.4, 2};
enum { N_FACTORS = sizeof factors / sizeof *factors };

struct round {
    const struct steps_request *request;
    const double *w; /* (n_columns) of the scaled columns */
    double *values;  /* (1 + n_knobs N_FACTORS, n_users) sums over cases; NAN: does not count */
    size_t n_rows;   /* of the greatest choice */
    double *scores;  /* (threads, 3, n_rows) */
};

/* The metric of the list that these scores (n) make; of equals a chosen row stands last. */
static double value_of(const struct steps_request *request, const struct logit_choice *choice,
                       const double *scores)
{
    const size_t n_chosen = choice->n_chosen;
    uint8_t hits[METRIC_K_MAX] = {0};
    double best[STEP_CHOSEN_MAX];               /* the chosen ones', falling */
    size_t ahead[STEP_CHOSEN_MAX] = {0}, n = 0; /* others between one and the one before */
    for (size_t p = 0; p < n_chosen; p++) {
        size_t at = p;
        for (; at > 0 && best[at - 1] < scores[p]; at--) {
            best[at] = best[at - 1];
        }
        best[at] = scores[p];
    }
    for (size_t i = n_chosen; i < choice->n; i++) {
        size_t at = n_chosen;
        while (at > 0 && best[at - 1] <= scores[i]) {
            at--;
        }
        ahead[at < n_chosen ? at : 0] += at < n_chosen ? 1 : 0;
    }
    for (size_t p = 0; p < n_chosen; p++) {
        n += ahead[p];
        if (n + p < request->k) {
            hits[n + p] = 1;
        }
    }
    return request->metric->of_user(hits, request->k, choice->n_relevant);
}

/* out (n) = the weighted columns of `knob`. */
static void add_up(const struct round *round, const struct logit_choice *choice, uint32_t knob,
                   double *out)
{
    const size_t n_columns = round->request->logit->n_columns;
    for (size_t i = 0; i < choice->n; i++) {
        out[i] = 0;
        for (size_t j = 0; j < n_columns; j++) {
            if ((knob >> j & 1U) != 0) {
                out[i] += round->w[j] * (double)choice->x[i * n_columns + j];
            }
        }
    }
}

static void add_case(const struct round *round, const struct logit_choice *choice, double *scores,
                     double *values)
{
    const struct steps_request *request = round->request;
    const size_t n_users = request->logit->n_users;
    double *all = scores, *turned = scores + round->n_rows, *made = scores + 2 * round->n_rows;
    size_t v = 0;
    add_up(round, choice, UINT32_MAX, all);
    values[v++ * n_users] += value_of(request, choice, all);
    for (size_t knob = 0; knob < request->n_knobs; knob++) {
        add_up(round, choice, request->knobs[knob], turned);
        for (size_t f = 0; f < N_FACTORS; f++) {
            for (size_t i = 0; i < choice->n; i++) {
                made[i] = all[i] + (factors[f] - 1) * turned[i];
            }
            values[v++ * n_users] += value_of(request, choice, made);
        }
    }
}

static void add_block(void *data, size_t block, size_t worker)
{
    const struct round *round = data;
    const struct logit *logit = round->request->logit;
    const size_t n_settings = 1 + round->request->n_knobs * N_FACTORS;
    double *scores = round->scores + worker * 3 * round->n_rows;
    size_t end = (block + 1) * USERS_PER_BLOCK;
    end = end < logit->n_users ? end : logit->n_users;
    for (size_t u = block * USERS_PER_BLOCK; u < end; u++) {
        bool counts = false;
        for (size_t v = 0; v < n_settings; v++) {
            round->values[v * logit->n_users + u] = 0;
        }
        for (int64_t c = logit->offsets[u]; c < logit->offsets[u + 1]; c++) {
            if (logit->choices[c].n_chosen > 0 && logit_counts(round->request->users, u)) {
                add_case(round, &logit->choices[c], scores, round->values + u);
                counts = true;
            }
        }
        for (size_t v = 0; !counts && v < n_settings; v++) {
            round->values[v * logit->n_users + u] = (double)NAN;
        }
    }
}

/* The request with the knobs that turn anything. */
static struct steps_request without_idle(const struct steps_request *request, const double *w)
{
    struct steps_request active = *request;
    active.n_knobs = 0;
    for (size_t knob = 0; knob < request->n_knobs; knob++) {
        bool turns = false;
        for (size_t j = 0; j < request->logit->n_columns; j++) {
            turns = turns || ((request->knobs[knob] >> j & 1U) != 0 && w[j] != 0);
        }
        if (turns) {
            active.knobs[active.n_knobs++] = request->knobs[knob];
        }
    }
    return active;
}

enum status_code steps_take(const struct steps_request *request, struct pool *pool, double *w,
                            struct status *status)
{
    const struct logit *logit = request->logit;
    const size_t n_settings = 1 + request->n_knobs * N_FACTORS;
    const size_t n_blocks = (logit->n_users + USERS_PER_BLOCK - 1) / USERS_PER_BLOCK;
    double scaled[LOGIT_COLUMNS_MAX];
    struct round round = {.w = scaled, .n_rows = logit->n_weighed / logit->n_columns};
    size_t best = 1;
    enum status_code code;
    assert(request->n_knobs <= STEP_KNOBS_MAX);
    TRY(MEM_NEW(&round.values, n_settings * logit->n_users, status));
    TRY(MEM_NEW(&round.scores, pool_threads(pool) * 3 * round.n_rows, status));
    for (size_t r = 0; best > 0 && r < MOST_ROUNDS; r++) {
        const struct steps_request active = without_idle(request, w);
        round.request = &active;
        for (size_t j = 0; j < logit->n_columns; j++) {
            scaled[j] = w[j] * logit->scale[j];
        }
        pool_run(pool, n_blocks, add_block, &round);
        best = paired_choose(round.values, 1 + active.n_knobs * N_FACTORS, logit->n_users);
        const uint32_t knob = best > 0 ? active.knobs[(best - 1) / N_FACTORS] : 0;
        for (size_t j = 0; j < logit->n_columns; j++) {
            w[j] *= (knob >> j & 1U) != 0 ? factors[(best - 1) % N_FACTORS] : 1;
        }
    }
done:
    mem_free(round.values);
    mem_free(round.scores);
    return code;
}
