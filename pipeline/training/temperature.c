/* Closed form, learned and per-user temperatures. */
#include "training/temperature.h"

#include "base/mem.h"
#include "math/vec.h"

#include <math.h>

enum { USER_BLOCK = 256 };

const char *const temperature_mode_names[] = {"fixed", "learned", "per_user", NULL};

static double clamp(double x, double least, double most)
{
    return x < least ? least : x > most ? most : x;
}

double temperature_closed_form(double n_users, double n_items, double n_interactions)
{
    double scale = log(n_users * n_items / (2.0 * n_interactions)) / 0.7;
    return scale > 0.0 ? clamp(1.0 / scale, TEMPERATURE_LEAST, TEMPERATURE_MOST) : TEMPERATURE_MOST;
}

struct losses_job {
    struct const_matrix users, items;
    const struct sparse *positives;
    const float *mean_item; /* (d) */
    double *losses;
};

static void losses_task(void *data, size_t block, size_t worker)
{
    (void)worker;
    const struct losses_job *job = data;
    const struct vec_ops *vec = vec_ops();
    const struct sparse *positives = job->positives;
    size_t d = job->users.columns, first = block * USER_BLOCK;
    size_t last = first + USER_BLOCK < job->users.rows ? first + USER_BLOCK : job->users.rows;
    for (size_t u = first; u < last; u++) {
        const float *user = job->users.data + u * job->users.stride;
        size_t n = sparse_row_length(positives, u);
        double sum = 0.0;
        for (int64_t e = positives->offsets[u]; e < positives->offsets[u + 1]; e++) {
            const float *item = job->items.data + (size_t)positives->columns[e] * job->items.stride;
            sum += (double)vec->dot(user, item, d);
        }
        job->losses[u] = n == 0 ? NAN : (double)vec->dot(user, job->mean_item, d) - sum / (double)n;
    }
}

/* mean (d) = mean row of m; sums (d) is scratch. */
static void mean_row(struct const_matrix m, double *sums, float *mean)
{
    for (size_t i = 0; i < m.rows; i++) {
        for (size_t j = 0; j < m.columns; j++) {
            sums[j] += (double)m.data[i * m.stride + j];
        }
    }
    for (size_t j = 0; j < m.columns; j++) {
        mean[j] = (float)(sums[j] / (double)m.rows);
    }
}

enum status_code temperature_user_losses(struct const_matrix users, struct const_matrix items,
                                         const struct sparse *positives, struct pool *pool,
                                         double *losses, struct status *status)
{
    enum status_code code = STATUS_OK;
    double *sums = NULL;
    float *mean = NULL;
    TRY(MEM_NEW(&sums, items.columns, status));
    TRY(MEM_NEW(&mean, items.columns, status));
    mean_row(items, sums, mean);
    struct losses_job job = {.users = users,
                             .items = items,
                             .positives = positives,
                             .mean_item = mean,
                             .losses = losses};
    pool_run(pool, (users.rows + USER_BLOCK - 1) / USER_BLOCK, losses_task, &job);
done:
    mem_free(sums);
    mem_free(mean);
    return code;
}

/* exp(W(x)) for x in [-1/e, inf), the q >= 1/e with q ln q = x: by Newton's method from above,
 * where q ln q is convex and rising, so that every step stays above the root. */
static double exp_lambert(double x)
{
    const double least = exp(-1.0);
    double q = x > 0.0 ? 1.0 + x : 1.0;
    for (int i = 0; i < 100 && q > least; i++) {
        double next = (q + x) / (1.0 + log(q)); /* q - (q ln q - x) / (1 + ln q) */
        if (!(next < q)) {
            break;
        }
        q = next > least ? next : least;
    }
    return q;
}

void temperature_per_user(const double *losses, size_t n, double tau0, double beta, float *out)
{
    const double least = -exp(-1.0), most = 1000.0; /* the upper bound of the published code */
    double sum = 0.0;
    size_t known = 0;
    for (size_t u = 0; u < n; u++) {
        sum += isnan(losses[u]) ? 0.0 : losses[u];
        known += isnan(losses[u]) ? 0 : 1;
    }
    for (size_t u = 0; u < n; u++) {
        double tau = tau0;
        if (!isnan(losses[u])) {
            double x = (losses[u] - sum / (double)known) / beta;
            tau = tau0 * exp_lambert(clamp(x, least, most));
        }
        out[u] = (float)clamp(tau, TEMPERATURE_LEAST, TEMPERATURE_MOST);
    }
}

void temperature_learner_init(struct temperature_learner *learner, double tau)
{
    *learner = (struct temperature_learner){
        .log_tau = log(clamp(tau, TEMPERATURE_LEAST, TEMPERATURE_MOST))};
}

double temperature_learner_tau(const struct temperature_learner *learner)
{
    return clamp(exp(learner->log_tau), TEMPERATURE_LEAST, TEMPERATURE_MOST);
}

double temperature_learner_step(struct temperature_learner *learner, double slope, double rate)
{
    const double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    double gradient = -slope / temperature_learner_tau(learner);
    if (isfinite(gradient * gradient)) {
        double t = (double)++learner->n_steps;
        learner->first = beta1 * learner->first + (1.0 - beta1) * gradient;
        learner->second = beta2 * learner->second + (1.0 - beta2) * gradient * gradient;
        double first = learner->first / (1.0 - pow(beta1, t));
        double second = learner->second / (1.0 - pow(beta2, t));
        learner->log_tau = clamp(learner->log_tau - rate * first / (sqrt(second) + epsilon),
                                 log(TEMPERATURE_LEAST), log(TEMPERATURE_MOST));
    }
    return temperature_learner_tau(learner);
}

enum status_code temperature_learner_save(const struct temperature_learner *learner,
                                          struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(artifact_set_number(artifact, "temperature.log_tau", learner->log_tau, status));
    TRY(artifact_set_number(artifact, "temperature.first", learner->first, status));
    TRY(artifact_set_number(artifact, "temperature.second", learner->second, status));
    TRY(artifact_set_number(artifact, "temperature.steps", (double)learner->n_steps, status));
done:
    return code;
}

enum status_code temperature_learner_load(struct temperature_learner *learner,
                                          const struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct temperature_learner loaded = {0};
    double steps = 0.0;
    TRY(artifact_get_number(artifact, "temperature.log_tau", &loaded.log_tau, status));
    TRY(artifact_get_number(artifact, "temperature.first", &loaded.first, status));
    TRY(artifact_get_number(artifact, "temperature.second", &loaded.second, status));
    TRY(artifact_get_number(artifact, "temperature.steps", &steps, status));
    loaded.n_steps = (int64_t)steps;
    *learner = loaded;
done:
    return code;
}
