/* The cut losses: a negative counts by how far its logit lies above a cut. The kernel forms
 * sum_p w_p positive(s_p) + sum_k factor_k sum_c v_c psi(s_c - cut_k); a cut at s_p gives the
 * positive its gradient, too. Margins are in cosines: psi of a cosine's distance is temperature
 * times the hinge of the logits' distance. Notation: loss.h. */
#include "contrast/loss.h"

#include <math.h>

/* bpr: L_a = sum_p w_p sum_c (v_c / V) log(1 + exp(s_c - s_p)): Bayesian personalised ranking
 * (Rendle et al. 2009, arXiv 1205.2618, section 4), -log sigmoid of the difference, in the mean
 * over the negatives instead of at one drawn. */
double bpr_factor(const struct loss_settings *settings, const struct loss_cut *cut)
{
    (void)settings;
    return cut->weight / cut->negatives;
}

/* triplet: L_a = sum_p w_p sum_c (v_c / V) max(0, margin + cos_c - cos_p): the triplet margin
 * (Weinberger and Saul 2009, JMLR 10; FaceNet, Schroff et al. 2015, arXiv 1503.03832) on
 * cosines, half the squared distance of unit vectors, in the mean over the negatives. */
double triplet_factor(const struct loss_settings *settings, const struct loss_cut *cut)
{
    (void)settings;
    return cut->weight * cut->temperature / cut->negatives;
}

/* warp: L_a = sum_p w_p log(1 + K_p) mean over the K_p violators of (margin + cos_c - cos_p), a
 * violator being a negative with cos_c > cos_p - margin, the mean weighted by v_c: the
 * rank-weighted hinge of WSABIE (Weston et al. 2011, IJCAI), with the number of violators counted
 * among the anchor's negatives instead of guessed from draws, and log(1 + K) for its sum of 1 / k.
 * K is a constant of the gradient: it moves in steps. */
double warp_factor(const struct loss_settings *settings, const struct loss_cut *cut)
{
    (void)settings;
    return cut->slope > 0.0 ? cut->weight * log1p(cut->count) * cut->temperature / cut->slope : 0.0;
}

/* ccl: L_a = sum_p w_p (1 - cos_p) + W negative_weight sum_c (v_c / V) max(0, cos_c - margin): the
 * cosine contrastive loss (SimpleX, Mao et al. 2021, arXiv 2109.12613). */
double ccl_positive(double logit, double temperature, double *slope)
{
    *slope = -temperature;
    return 1.0 - temperature * logit;
}

double ccl_factor(const struct loss_settings *settings, const struct loss_cut *cut)
{
    return settings->negative_weight * cut->weight * cut->temperature / cut->negatives;
}

/* logistic: L_a = sum_p w_p log(1 + exp(-s_p)) + W negative_weight sum_c (v_c / V)
 * log(1 + exp(s_c)): binary cross-entropy, negative sampling as in word2vec (Mikolov et al. 2013,
 * arXiv 1310.4546, eq. 4), whose k negatives a positive are negative_weight. */
double logistic_positive(double logit, double temperature, double *slope)
{
    (void)temperature;
    double e = exp(-fabs(logit));
    *slope = -(logit > 0.0 ? e : 1.0) / (1.0 + e);
    return (logit > 0.0 ? 0.0 : -logit) + log1p(e);
}

double logistic_factor(const struct loss_settings *settings, const struct loss_cut *cut)
{
    return settings->negative_weight * cut->weight / cut->negatives;
}
