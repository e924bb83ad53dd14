/* The losses, each function under its formula and source, and their table. directau's stands in
 * contrast_uniform.c. Notation: loss.h. */
#include "contrast/loss.h"

#include "math/log_add.h"

#include <math.h>

/* ---- softmax losses: functions of a row's positives and of log N = log sum_c exp(s_c + b_c) over
 * its negatives ---- */

static double no_loss(const struct loss_row *row, float *positive_gradient, double *negative_mass)
{
    for (size_t p = 0; p < row->n_positives; p++) {
        positive_gradient[p] = 0.0f;
    }
    *negative_mass = 0.0;
    return 0.0;
}

/* Whether p comes on top of the negatives under the logarithm. */
static bool adds_itself(const struct loss_row *row, size_t p)
{
    return row->is_negative == NULL || !row->is_negative[p];
}

/* The logistic function of how far p lies above the row's threshold; 1 without one. */
static double weight_of(const struct loss_row *row, size_t p, double width)
{
    double above = row->threshold == -INFINITY ? INFINITY : row->logits[p] - row->threshold;
    return row->weights[p] / (1.0 + exp(-above / width));
}

/* One logarithm for all positives: L = sum_p w_p (-s_p + t2 log Z), Z over D(a). `width` is that of
 * the weights. */
static double softmax_shared(const struct loss_row *row, bool with_positives, double t2,
                             double width, float *positive_gradient, double *negative_mass)
{
    double pull = 0.0, loss = 0.0, log_z = row->log_sum_negatives;
    for (size_t p = 0; p < row->n_positives; p++) {
        double weight = weight_of(row, p, width);
        pull += t2 * weight;
        loss -= weight * row->logits[p];
        if (with_positives && adds_itself(row, p)) {
            log_z = log_add(log_z, row->logits[p]);
        }
    }
    for (size_t p = 0; p < row->n_positives; p++) {
        double share = with_positives && adds_itself(row, p)
                           ? pull * exp((double)row->logits[p] - log_z)
                           : 0.0;
        positive_gradient[p] = (float)(share - weight_of(row, p, width));
    }
    *negative_mass = pull * exp(row->log_sum_negatives - log_z);
    return loss + pull * log_z;
}

/* A logarithm for each positive: Z_p = exp(s_p) + the negatives. */
static double softmax_infonce(const struct loss_row *row, double t2, double width,
                              float *positive_gradient, double *negative_mass)
{
    double loss = 0.0, mass = 0.0;
    for (size_t p = 0; p < row->n_positives; p++) {
        double weight = weight_of(row, p, width), logit = row->logits[p];
        double own = adds_itself(row, p) ? logit : -INFINITY;
        double log_z = log_add(row->log_sum_negatives, own);
        loss += weight * (t2 * log_z - logit);
        positive_gradient[p] = (float)(weight * (t2 * exp(own - log_z) - 1.0));
        mass += weight * t2 * exp(row->log_sum_negatives - log_z);
    }
    *negative_mass = mass;
    return loss;
}

static double any_softmax(const struct loss_row *row, enum loss_denominators denominators,
                          double t2, double width, float *positive_gradient, double *negative_mass)
{
    if (row->log_sum_negatives == -INFINITY) {
        return no_loss(row, positive_gradient, negative_mass);
    }
    if (denominators == DENOMINATORS_INFONCE) {
        return softmax_infonce(row, t2, width, positive_gradient, negative_mass);
    }
    return softmax_shared(row, denominators == DENOMINATORS_ALL, t2, width, positive_gradient,
                          negative_mass);
}

/* softmax: L_a = sum_p w_p (-s_p + t2 log sum_{c in D(a,p)} exp(s_c + b_c)).
 * t2 = 1: InfoNCE (van den Oord et al. 2018, arXiv 1807.03748, eq. 4) with infonce denominators;
 * own positives left out of the denominator: decoupled contrastive learning (Yeh et al. 2022, arXiv
 * 2110.06848, eq. 6). t2 != 1: the weight that bilateral softmax puts on the negative side (see
 * bsl). Positives carry no offset b: they are not sampled (Khrylchenko et al. 2025, arXiv
 * 2507.09331). */
static double softmax_row(const struct loss_settings *settings, const struct loss_row *row,
                          float *positive_gradient, double *negative_mass)
{
    struct loss_row plain = *row;
    plain.threshold = -INFINITY;
    return any_softmax(&plain, settings->denominators, settings->t2, 1.0, positive_gradient,
                       negative_mass);
}

/* supcon: L_a = sum_p w_p (-s_p + log sum over the negatives and all of the anchor's positives):
 * L_out of supervised contrastive learning (Khosla et al. 2020, arXiv 2004.11362, eq. 2). Its mean
 * over the positives of an anchor is weights of n^-1, train's `degree_exponent: 1`. */
static double supcon_row(const struct loss_settings *settings, const struct loss_row *row,
                         float *positive_gradient, double *negative_mass)
{
    (void)settings;
    struct loss_row plain = *row;
    plain.threshold = -INFINITY;
    return any_softmax(&plain, DENOMINATORS_ALL, 1.0, 1.0, positive_gradient, negative_mass);
}

/* slk: softmax in which a positive weighs w_p sigmoid((s_p - theta_a) / tau_w), theta_a being the
 * logit of the anchor's item at rank K: positives that cannot reach the top K count less (SL@K,
 * Yang et al. 2025, arXiv 2508.05673). The weights are constants of the gradient: with
 * theta_a fixed the loss would otherwise fall by pushing the far positives further away. */
static double slk_row(const struct loss_settings *settings, const struct loss_row *row,
                      float *positive_gradient, double *negative_mass)
{
    return any_softmax(row, settings->denominators, settings->t2, settings->slk_width,
                       positive_gradient, negative_mass);
}

/* bsl: L_a = W (-log sum_p (w_p / W) exp(s_p) + t2 log N), bilateral softmax (BSL, Wu et al. 2024,
 * arXiv 2312.12882) with its logarithm of a mean over the user's positives, up to the
 * constant log V; t2 is tau_2 / tau_1 there. An anchor with one positive: softmax with decoupled
 * denominators. */
static double bsl_row(const struct loss_settings *settings, const struct loss_row *row,
                      float *positive_gradient, double *negative_mass)
{
    double total = 0.0, log_mean = -INFINITY;
    if (row->log_sum_negatives == -INFINITY || row->n_positives == 0) {
        return no_loss(row, positive_gradient, negative_mass);
    }
    for (size_t p = 0; p < row->n_positives; p++) {
        total += row->weights[p];
    }
    for (size_t p = 0; p < row->n_positives; p++) {
        log_mean = log_add(log_mean, (double)row->logits[p] + log(row->weights[p] / total));
    }
    for (size_t p = 0; p < row->n_positives; p++) {
        positive_gradient[p] =
            (float)(-(double)row->weights[p] * exp((double)row->logits[p] - log_mean));
    }
    *negative_mass = settings->t2 * total;
    return total * (settings->t2 * row->log_sum_negatives - log_mean);
}

/* ---- margin losses: a negative counts by how far its logit lies above a cut ----
 *
 * The kernel forms sum_p w_p positive(s_p) + sum_k factor_k sum_c v_c psi(s_c - cut_k); a cut at
 * s_p gives the positive its gradient, too. Margins are in cosines: psi of a cosine's distance is
 * temperature times the hinge of the logits' distance. */

/* bpr: L_a = sum_p w_p sum_c (v_c / V) log(1 + exp(s_c - s_p)): Bayesian personalised ranking
 * (Rendle et al. 2009, arXiv 1205.2618, section 4), -log sigmoid of the difference, in the mean
 * over the negatives instead of at one drawn. */
static double bpr_factor(const struct loss_settings *settings, const struct loss_cut *cut)
{
    (void)settings;
    return cut->weight / cut->negatives;
}

/* triplet: L_a = sum_p w_p sum_c (v_c / V) max(0, margin + cos_c - cos_p): the triplet margin
 * (Weinberger and Saul 2009, JMLR 10; FaceNet, Schroff et al. 2015, arXiv 1503.03832) on
 * cosines, half the squared distance of unit vectors, in the mean over the negatives. */
static double triplet_factor(const struct loss_settings *settings, const struct loss_cut *cut)
{
    (void)settings;
    return cut->weight * cut->temperature / cut->negatives;
}

/* warp: L_a = sum_p w_p log(1 + K_p) mean over the K_p violators of (margin + cos_c - cos_p), a
 * violator being a negative with cos_c > cos_p - margin, the mean weighted by v_c: the
 * rank-weighted hinge of WSABIE (Weston et al. 2011, IJCAI), with the number of violators counted
 * among the anchor's negatives instead of guessed from draws, and log(1 + K) for its sum of 1 / k.
 * K is a constant of the gradient: it moves in steps. */
static double warp_factor(const struct loss_settings *settings, const struct loss_cut *cut)
{
    (void)settings;
    return cut->slope > 0.0 ? cut->weight * log1p(cut->count) * cut->temperature / cut->slope : 0.0;
}

/* ccl: L_a = sum_p w_p (1 - cos_p) + W negative_weight sum_c (v_c / V) max(0, cos_c - margin): the
 * cosine contrastive loss (SimpleX, Mao et al. 2021, arXiv 2109.12613). */
static double ccl_positive(double logit, double temperature, double *slope)
{
    *slope = -temperature;
    return 1.0 - temperature * logit;
}

static double ccl_factor(const struct loss_settings *settings, const struct loss_cut *cut)
{
    return settings->negative_weight * cut->weight * cut->temperature / cut->negatives;
}

/* logistic: L_a = sum_p w_p log(1 + exp(-s_p)) + W negative_weight sum_c (v_c / V)
 * log(1 + exp(s_c)): binary cross-entropy, negative sampling as in word2vec (Mikolov et al. 2013,
 * arXiv 1310.4546, eq. 4), whose k negatives a positive are negative_weight. */
static double logistic_positive(double logit, double temperature, double *slope)
{
    (void)temperature;
    double e = exp(-fabs(logit));
    *slope = -(logit > 0.0 ? e : 1.0) / (1.0 + e);
    return (logit > 0.0 ? 0.0 : -logit) + log1p(e);
}

static double logistic_factor(const struct loss_settings *settings, const struct loss_cut *cut)
{
    return settings->negative_weight * cut->weight / cut->negatives;
}

/* ---- the table ---- */

const char *const loss_denominators_names[] = {"infonce", "all", "decoupled", NULL};

#define NAME(name, help, ...) #name,
#define ROW(name, help, ...)  {__VA_ARGS__},

const char *const loss_names[] = {LOSSES(NAME) NULL};
const char *const loss_or_auto_names[] = {LOSSES(NAME) "auto", NULL};
const struct loss loss_table[] = {LOSSES(ROW)};
