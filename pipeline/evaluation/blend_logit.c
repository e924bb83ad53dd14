/* Newton's method on the weights that are free: those above their least value, and those that the
 * gradient pushes up from it. Every sum over users runs in blocks, which are added in order. */
#include "evaluation/blend_logit.h"

#include "base/mem.h"
#include "math/blas.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { MAX = LOGIT_COLUMNS_MAX, USERS_PER_BLOCK = 32, MOST_STEPS = 50, MOST_HALVINGS = 20 };
static const double ridge = 1e-3; /* of weights in units of their column's standard deviation */

/* Sums over cases: of the loss, its gradient and Hessian; over users of the outer products of their
 * gradients. */
struct logit_sums {
    double loss, n_cases;
    double gradient[MAX];
    double hessian[MAX][MAX], outer[MAX][MAX]; /* lower triangles */
};

struct pass {
    const struct logit *logit;
    enum logit_users users;
    const double *w;
    size_t n_used, used[MAX]; /* the columns with a weight */
    bool with_slopes;
};

static size_t count_blocks(const struct logit *logit)
{
    return (logit->n_users + USERS_PER_BLOCK - 1) / USERS_PER_BLOCK;
}

static size_t count_cases(const struct logit *logit)
{
    return logit->choices == NULL ? 0 : (size_t)logit->offsets[logit->n_users];
}

enum status_code logit_init(struct logit *logit, const int64_t *offsets, size_t n_users,
                            size_t n_columns, struct status *status)
{
    assert(n_columns <= MAX);
    enum status_code code;
    *logit = (struct logit){.n_users = n_users, .n_columns = n_columns, .offsets = offsets};
    TRY(MEM_NEW(&logit->choices, (size_t)offsets[n_users], status));
    TRY(MEM_NEW(&logit->blocks, count_blocks(logit), status));
done:
    return code;
}

void logit_release(struct logit *logit)
{
    for (size_t c = 0; c < count_cases(logit); c++) {
        mem_free(logit->choices[c].x);
    }
    mem_free(logit->choices);
    mem_free(logit->blocks);
    mem_free(logit->weighed);
    mem_free(logit->scores);
    *logit = (struct logit){0};
}

enum status_code logit_ready(struct logit *logit, const struct pool *pool, struct status *status)
{
    double sum[MAX] = {0}, squares[MAX] = {0}, n = 0;
    const size_t n_columns = logit->n_columns;
    for (size_t c = 0; c < count_cases(logit); c++) {
        const struct logit_choice *choice = &logit->choices[c];
        if (choice->n > 0 && choice->x == NULL) {
            return status_set(status, STATUS_NO_MEMORY, "no memory for the choices of %zu users",
                              logit->n_users);
        }
        n += (double)choice->n;
        logit->n_weighed =
            choice->n * n_columns > logit->n_weighed ? choice->n * n_columns : logit->n_weighed;
        for (size_t e = 0; e < choice->n * n_columns; e++) {
            const double x = (double)choice->x[e];
            sum[e % n_columns] += x;
            squares[e % n_columns] += x * x;
        }
    }
    for (size_t j = 0; j < n_columns; j++) {
        const double mean = n > 0 ? sum[j] / n : 0;
        const double variance = n > 0 ? squares[j] / n - mean * mean : 0;
        logit->scale[j] = variance > 1e-12 ? sqrt(variance) : 1;
    }
    for (size_t c = 0; c < count_cases(logit); c++) {
        const struct logit_choice *choice = &logit->choices[c];
        for (size_t e = 0; e < choice->n * n_columns; e++) {
            choice->x[e] /= (float)logit->scale[e % n_columns];
        }
    }
    enum status_code code;
    TRY(MEM_NEW(&logit->weighed, pool_threads(pool) * logit->n_weighed, status));
    TRY(MEM_NEW(&logit->scores, pool_threads(pool) * logit->n_weighed / n_columns, status));
done:
    return code;
}

/* ---- the loss of one case ---- */

static double score_of(const struct pass *pass, const float *x)
{
    double sum = 0;
    for (size_t u = 0; u < pass->n_used; u++) {
        sum += pass->w[pass->used[u]] * (double)x[pass->used[u]];
    }
    return sum;
}

/* scores (n) and weighed (n, n_columns) are room. Second moments are single-precision products: a
 * step and a standard error need no more. */
static void add_case(const struct pass *pass, const struct logit_choice *choice, double *scores,
                     float *weighed, struct logit_sums *sums, double *gradient)
{
    const size_t n_columns = pass->logit->n_columns, n_chosen = choice->n_chosen;
    const size_t n_others = choice->n - n_chosen;
    const double share = 1 / (double)n_chosen;
    const float *rows = choice->x + n_chosen * n_columns;
    double others = 0, first[MAX] = {0}, most = -INFINITY;
    float second[MAX * MAX] = {0};
    for (size_t i = 0; i < choice->n; i++) {
        scores[i] = score_of(pass, choice->x + i * n_columns);
        most = scores[i] > most ? scores[i] : most;
    }
    for (size_t i = 0; i < n_others; i++) {
        const float *x = rows + i * n_columns;
        const double e = (n_chosen + i < choice->n_sure ? 1 : choice->stands_for) *
                         exp(scores[n_chosen + i] - most);
        others += e;
        for (size_t j = 0; pass->with_slopes && j < n_columns; j++) {
            first[j] += e * (double)x[j];
            weighed[i * n_columns + j] = (float)e * x[j];
        }
    }
    if (pass->with_slopes && n_others > 0) {
        blas_tn(1, const_matrix_of(rows, n_others, n_columns),
                const_matrix_of(weighed, n_others, n_columns), 0,
                matrix_of(second, n_columns, n_columns));
    }
    for (size_t p = 0; p < n_chosen; p++) {
        const float *x = choice->x + p * n_columns;
        const double score = scores[p] - most, e = exp(score);
        const double all = others + e;
        sums->loss += share * (log(all) - score);
        for (size_t j = 0; pass->with_slopes && j < n_columns; j++) {
            const double mean = (first[j] + e * (double)x[j]) / all;
            gradient[j] += share * (mean - (double)x[j]);
            for (size_t k = 0; k <= j; k++) {
                const double mean_k = (first[k] + e * (double)x[k]) / all;
                const double moment =
                    ((double)second[j * n_columns + k] + e * (double)x[j] * (double)x[k]) / all;
                sums->hessian[j][k] += share * (moment - mean * mean_k);
            }
        }
    }
    sums->n_cases++;
}

static void add_user(const struct pass *pass, size_t user, size_t worker, struct logit_sums *sums)
{
    const struct logit *logit = pass->logit;
    double *scores = logit->scores + worker * (logit->n_weighed / logit->n_columns);
    float *weighed = logit->weighed + worker * logit->n_weighed;
    double gradient[MAX] = {0};
    for (int64_t c = logit->offsets[user]; c < logit->offsets[user + 1]; c++) {
        if (logit->choices[c].n_chosen > 0) {
            add_case(pass, &logit->choices[c], scores, weighed, sums, gradient);
        }
    }
    for (size_t j = 0; pass->with_slopes && j < logit->n_columns; j++) {
        sums->gradient[j] += gradient[j];
        for (size_t k = 0; k <= j; k++) {
            sums->outer[j][k] += gradient[j] * gradient[k];
        }
    }
}

static void add_block(void *data, size_t block, size_t worker)
{
    const struct pass *pass = data;
    size_t end = (block + 1) * USERS_PER_BLOCK;
    end = end < pass->logit->n_users ? end : pass->logit->n_users;
    for (size_t u = block * USERS_PER_BLOCK; u < end; u++) {
        if (logit_counts(pass->users, u)) {
            add_user(pass, u, worker, &pass->logit->blocks[block]);
        }
    }
}

/* Means over the cases, and the ridge. */
static void sum_up(const struct logit *logit, enum logit_users users, const double *w,
                   bool with_slopes, struct pool *pool, struct logit_sums *out)
{
    const size_t n_blocks = count_blocks(logit);
    struct pass pass = {.logit = logit, .users = users, .w = w, .with_slopes = with_slopes};
    for (size_t j = 0; j < logit->n_columns; j++) {
        if (w[j] != 0) {
            pass.used[pass.n_used++] = j;
        }
    }
    *out = (struct logit_sums){0};
    memset(logit->blocks, 0, n_blocks * sizeof *logit->blocks);
    pool_run(pool, n_blocks, add_block, &pass);
    for (size_t b = 0; b < n_blocks; b++) {
        const struct logit_sums *block = &logit->blocks[b];
        out->loss += block->loss;
        out->n_cases += block->n_cases;
        for (size_t j = 0; j < logit->n_columns; j++) {
            out->gradient[j] += block->gradient[j];
            for (size_t k = 0; k <= j; k++) {
                out->hessian[j][k] += block->hessian[j][k];
                out->outer[j][k] += block->outer[j][k];
            }
        }
    }
    const double n = fmax(out->n_cases, 1);
    out->loss /= n;
    for (size_t j = 0; j < logit->n_columns; j++) {
        out->loss += ridge * w[j] * w[j];
        out->gradient[j] = out->gradient[j] / n + 2 * ridge * w[j];
        for (size_t k = 0; k <= j; k++) {
            out->hessian[j][k] = out->hessian[j][k] / n + (j == k ? 2 * ridge : 0);
            out->outer[j][k] /= n;
        }
    }
}

/* ---- small linear algebra, over the free columns ---- */

/* l (n, n) lower triangular with l l^T = the Hessian of the free columns, which the ridge makes
 * positive definite. */
static void factorise(const struct logit_sums *sums, const size_t *free, size_t n,
                      double l[MAX][MAX])
{
    for (size_t j = 0; j < n; j++) {
        for (size_t k = 0; k <= j; k++) {
            double sum = sums->hessian[free[j]][free[k]];
            for (size_t m = 0; m < k; m++) {
                sum -= l[j][m] * l[k][m];
            }
            l[j][k] = j == k ? sqrt(fmax(sum, ridge)) : sum / l[k][k];
        }
    }
}

/* x (n) <- the solution of l l^T x = x. */
static void solve(double l[MAX][MAX], size_t n, double *x)
{
    for (size_t j = 0; j < n; j++) {
        for (size_t k = 0; k < j; k++) {
            x[j] -= l[j][k] * x[k];
        }
        x[j] /= l[j][j];
    }
    for (size_t j = n; j-- > 0;) {
        for (size_t k = j + 1; k < n; k++) {
            x[j] -= l[k][j] * x[k];
        }
        x[j] /= l[j][j];
    }
}

static size_t free_columns(const struct logit *logit, const struct logit_fit *fit, const double *w,
                           const double *gradient, size_t *free)
{
    size_t n = 0;
    for (size_t j = 0; j < logit->n_columns; j++) {
        const double least = fit->least[j] * logit->scale[j];
        if (!fit->is_out[j] && (w[j] > least || gradient[j] < 0)) {
            free[n++] = j;
        }
    }
    return n;
}

/* error (free columns) = root of the diagonal of H^-1 (sum of g g^T / n_cases^2) H^-1. */
static void find_errors(const struct logit_sums *sums, const size_t *free, size_t n, double *error)
{
    double l[MAX][MAX] = {{0}};
    factorise(sums, free, n, l);
    for (size_t j = 0; j < n; j++) {
        double row[MAX] = {0}, variance = 0;
        row[j] = 1;
        solve(l, n, row);
        for (size_t a = 0; a < n; a++) {
            for (size_t b = 0; b < n; b++) {
                const size_t high = free[a] > free[b] ? free[a] : free[b];
                const size_t low = free[a] > free[b] ? free[b] : free[a];
                variance += row[a] * row[b] * sums->outer[high][low];
            }
        }
        error[free[j]] = sqrt(fmax(variance, 0) / fmax(sums->n_cases, 1));
    }
}

void logit_fit(const struct logit *logit, enum logit_users users, struct pool *pool,
               struct logit_fit *fit)
{
    const size_t n_columns = logit->n_columns;
    double w[MAX] = {0}, l[MAX][MAX] = {{0}};
    struct logit_sums sums, tried;
    size_t free[MAX], n_free = 0;
    for (size_t j = 0; j < n_columns; j++) {
        w[j] = fit->is_out[j] ? 0 : fmax(fit->w[j], fit->least[j]) * logit->scale[j];
    }
    bool goes_on = true;
    sum_up(logit, users, w, true, pool, &sums);
    for (size_t step = 0; goes_on && step < MOST_STEPS; step++) {
        double direction[MAX] = {0}, next[MAX], gain = 0, size = 1;
        n_free = free_columns(logit, fit, w, sums.gradient, free);
        for (size_t j = 0; j < n_free; j++) {
            direction[j] = -sums.gradient[free[j]];
        }
        factorise(&sums, free, n_free, l);
        solve(l, n_free, direction);
        goes_on = false;
        for (size_t halving = 0; !goes_on && halving < MOST_HALVINGS; halving++, size /= 2) {
            gain = 0;
            memcpy(next, w, sizeof next);
            for (size_t j = 0; j < n_free; j++) {
                const double least = fit->least[free[j]] * logit->scale[free[j]];
                next[free[j]] = fmax(w[free[j]] + size * direction[j], least);
                gain -= sums.gradient[free[j]] * (next[free[j]] - w[free[j]]);
            }
            sum_up(logit, users, next, false, pool, &tried);
            goes_on = gain > 1e-9 && tried.loss < sums.loss - 1e-4 * gain;
        }
        if (goes_on) {
            memcpy(w, next, sizeof w);
            sum_up(logit, users, w, true, pool, &sums);
        }
    }
    memset(fit->error, 0, sizeof fit->error);
    n_free = free_columns(logit, fit, w, sums.gradient, free);
    find_errors(&sums, free, n_free, fit->error);
    fit->loss = sums.loss;
    for (size_t j = 0; j < n_columns; j++) {
        fit->w[j] = w[j] / logit->scale[j];
        fit->error[j] /= logit->scale[j];
    }
}
