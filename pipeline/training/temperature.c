/* The closed form and the learned temperature. */
#include "training/temperature.h"

#include <math.h>

const char *const temperature_mode_names[] = {"fixed", "learned", NULL};

static double clamp(double x, double least, double most)
{
    return x < least ? least : x > most ? most : x;
}

double temperature_closed_form(double n_users, double n_items, double n_interactions)
{
    double scale = log(n_users * n_items / (2.0 * n_interactions)) / 0.7;
    return scale > 0.0 ? clamp(1.0 / scale, TEMPERATURE_LEAST, TEMPERATURE_MOST) : TEMPERATURE_MOST;
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
