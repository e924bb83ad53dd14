/* The table of losses. */
#include "model/loss.h"

#include <math.h>

const char *const loss_denominators_names[] = {"infonce", "all", "decoupled", NULL};

/* log(exp(a) + exp(b)); a may be -INFINITY. */
static double log_add(double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    return high == -INFINITY ? high : high + log1p(exp(low - high));
}

static double no_loss(const struct loss_row *row, float *positive_gradient, double *negative_mass)
{
    for (size_t p = 0; p < row->n_positives; p++) {
        positive_gradient[p] = 0.0f;
    }
    *negative_mass = 0.0;
    return 0.0;
}

/* One logarithm for all positives: L = sum_p w_p (-s_p + t2 log Z), Z over D(a). */
static double softmax_shared(const struct loss_settings *settings, const struct loss_row *row,
                             double log_z, float *positive_gradient, double *negative_mass)
{
    double total_weight = 0.0, loss = 0.0;
    for (size_t p = 0; p < row->n_positives; p++) {
        total_weight += row->weights[p];
        loss -= (double)row->weights[p] * row->logits[p];
    }
    double pull = settings->t2 * total_weight;
    for (size_t p = 0; p < row->n_positives; p++) {
        double share = settings->denominators == DENOMINATORS_ALL
                           ? pull * exp((double)row->logits[p] - log_z)
                           : 0.0;
        positive_gradient[p] = (float)(share - (double)row->weights[p]);
    }
    *negative_mass = pull * exp(row->log_sum_negatives - log_z);
    return loss + pull * log_z;
}

/* A logarithm for each positive: Z_p = exp(s_p) + the negatives. */
static double softmax_infonce(const struct loss_settings *settings, const struct loss_row *row,
                              float *positive_gradient, double *negative_mass)
{
    double loss = 0.0, mass = 0.0;
    for (size_t p = 0; p < row->n_positives; p++) {
        double weight = row->weights[p], logit = row->logits[p];
        double log_z = log_add(row->log_sum_negatives, logit);
        loss += weight * (settings->t2 * log_z - logit);
        positive_gradient[p] = (float)(weight * (settings->t2 * exp(logit - log_z) - 1.0));
        mass += weight * settings->t2 * exp(row->log_sum_negatives - log_z);
    }
    *negative_mass = mass;
    return loss;
}

/* softmax: L_a = sum_p w_p (-s_p + t2 log sum_{c in D(a,p)} exp(s_c + b_c)).
 * t2 = 1: InfoNCE (van den Oord et al. 2018, arXiv 1807.03748, eq. 4) with infonce denominators;
 * own positives left out of the denominator: decoupled contrastive learning (Yeh et al. 2022, arXiv
 * 2110.06848, eq. 6). t2 != 1: the weight that bilateral softmax puts on the negative side (BSL, Wu
 * et al. 2024, arXiv 2312.12882). Positives carry no offset b: they are not sampled (Khrylchenko et
 * al. 2025, arXiv 2507.09331). */
static double softmax_row(const struct loss_settings *settings, const struct loss_row *row,
                          float *positive_gradient, double *negative_mass)
{
    if (row->log_sum_negatives == -INFINITY) {
        return no_loss(row, positive_gradient, negative_mass);
    }
    if (settings->denominators == DENOMINATORS_INFONCE) {
        return softmax_infonce(settings, row, positive_gradient, negative_mass);
    }
    double log_z = row->log_sum_negatives;
    for (size_t p = 0; p < row->n_positives && settings->denominators == DENOMINATORS_ALL; p++) {
        log_z = log_add(log_z, row->logits[p]);
    }
    return softmax_shared(settings, row, log_z, positive_gradient, negative_mass);
}

const char *const loss_names[] = {"softmax", NULL};
const struct loss loss_table[] = {{softmax_row}};
