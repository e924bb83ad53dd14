/* Temperatures that are found rather than given: the closed form from the data's density, one
 * learned with the towers, and one per user. How the trainer uses them is its own business. */
#ifndef NIGHTJAR_TRAINING_TEMPERATURE_H
#define NIGHTJAR_TRAINING_TEMPERATURE_H

#include "base/pool.h"
#include "math/matrix.h"
#include "math/sparse.h"
#include "store/artifact.h"

enum temperature_mode { TEMPERATURE_FIXED, TEMPERATURE_LEARNED, TEMPERATURE_PER_USER };
extern const char *const temperature_mode_names[]; /* NULL-terminated, in enum order */

/* What all of the following stay within. */
#define TEMPERATURE_LEAST 0.02
#define TEMPERATURE_MOST  2.0

/* tau0 with 1/tau0 = ln(|U||I| / (2|R|)) / 0.7 (Adap-tau, Chen et al., WWW 2023): the temperature
 * at which a positive whose cosine is 0.7 above that of the average item is as likely as all
 * negatives together. Data too dense for it (the logarithm is not positive) gives TEMPERATURE_MOST.
 */
double temperature_closed_form(double n_users, double n_items, double n_interactions);

/* ---- per user: Adap-tau ---- */

/* losses[u] = mean over all items of <u, i> less the mean over u's positives, NAN for a user
 * without any: the softmax loss of plain cosines, less its constant, to first order. That is the
 * loss from which the published code takes its temperatures: at temperature 1, so that it does not
 * depend on them. users (n_users, d) and items (n_items, d) at unit length; positives (n_users,
 * n_items), values unused; losses (n_users). Errors: STATUS_NO_MEMORY. */
MUST_CHECK enum status_code temperature_user_losses(struct const_matrix users,
                                                    struct const_matrix items,
                                                    const struct sparse *positives,
                                                    struct pool *pool, double *losses,
                                                    struct status *status);

/* out[u] = tau0 exp(W(max(-1/e, (L_u - mean L) / beta))) with W the principal branch of Lambert's
 * function (Chen et al., WWW 2023, section 4, from SuperLoss, Castells et al. 2020): users whose
 * positives are hard to tell apart get a higher temperature, easy ones one of down to tau0 / e.
 * beta > 0 says how far they spread; the published runs use 1 and, on Gowalla, .25. A loss of NAN
 * gives tau0 and does not count in the mean. losses and out are (n). */
void temperature_per_user(const double *losses, size_t n, double tau0, double beta, float *out);

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
