/* Temperatures that are found rather than given: the closed form from the data's density, and
 * one learned with the towers. How the trainer uses them is its own business. */
#ifndef NIGHTJAR_TRAINING_TEMPERATURE_H
#define NIGHTJAR_TRAINING_TEMPERATURE_H

#include "store/artifact.h"

enum temperature_mode { TEMPERATURE_FIXED, TEMPERATURE_LEARNED };
extern const char *const temperature_mode_names[]; /* NULL-terminated, in enum order */

/* What all of the following stay within. */
#define TEMPERATURE_LEAST 0.02
#define TEMPERATURE_MOST  2.0

/* tau0 with 1/tau0 = ln(|U||I| / (2|R|)) / 0.7 (Adap-tau, Chen et al., WWW 2023): the temperature
 * at which a positive whose cosine is 0.7 above that of the average item is as likely as all
 * negatives together. Data too dense for it (the logarithm is not positive) gives TEMPERATURE_MOST.
 */
double temperature_closed_form(double n_users, double n_items, double n_interactions);

/* ---- learned: one number, Adam on its logarithm ---- */

struct temperature_learner {
    double log_tau;
    double first, second; /* Adam's moments */
    int64_t n_steps;
};

void temperature_learner_init(struct temperature_learner *learner, double tau);
/* One step (Adam, beta1 .9, beta2 .999) down the loss as a function of log tau, dL/dlog tau =
 * -(1/tau) dL/d(1/tau). `slope` is dL/d(1/tau): for logits <A_a, C_c> / tau it is
 * tau * sum over anchors of <dL/dA_a, A_a>. A slope that is not finite leaves the learner as it is.
 * Returns the new tau. */
double temperature_learner_step(struct temperature_learner *learner, double slope, double rate);
double temperature_learner_tau(const struct temperature_learner *learner);
/* For checkpoints: numbers temperature.*. */
MUST_CHECK enum status_code temperature_learner_save(const struct temperature_learner *learner,
                                                     struct artifact *artifact,
                                                     struct status *status);
MUST_CHECK enum status_code temperature_learner_load(struct temperature_learner *learner,
                                                     const struct artifact *artifact,
                                                     struct status *status);

#endif
