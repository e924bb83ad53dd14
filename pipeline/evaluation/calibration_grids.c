/* What is near the best so far, and what may be far from it. */
#include "evaluation/calibration_grids.h"

#include "evaluation/calibration_choice.h"

#include <assert.h>
#include <math.h>

static const double gamma_grid[] = {0.5, 1, 2, 4, 8, 16};
static const double exponent_grid[] = {0, 0.25, 0.5, 0.75};
static const double beta_shares[] = {0, 0.5, 1};
const double grid_half_life[GRID_HALF_LIVES] = {0.5, 1, 2, 4, 7, 14, 30, 90}; /* days */
static const double recent_shares[] = {0.2, 0.4, 0.8, 1.5, 3}; /* of the greatest beta */
static const double recent_factors[] = {0.7, 0.85, 1, 1.2, 1.4};
static const double gamma_factors[] = {0.75, 1, 1.4};
static const double ridge_grid[] = {1, 2, 4, 8, 16, 32};
static const double ridge_beta_factors[] = {0, 0.7, 1, 1.4};
static const double both_gammas[] = {0.5, 1, 2, 4};
static const double both_ridge_factors[] = {0.5, 0.7, 1, 1.4};
static const double both_beta_factors[] = {0.7, 1};
static const double exponent_steps[] = {-0.125, 0, 0.125};
enum {
    REFINE = 5, /* the second grid's step is this much finer */
    N_GAMMAS = sizeof gamma_grid / sizeof *gamma_grid,
    N_EXPONENTS = sizeof exponent_grid / sizeof *exponent_grid,
    N_SHARES = sizeof beta_shares / sizeof *beta_shares,
    N_RECENT_SHARES = sizeof recent_shares / sizeof *recent_shares,
    N_RECENT_FACTORS = sizeof recent_factors / sizeof *recent_factors,
    N_FACTORS = sizeof gamma_factors / sizeof *gamma_factors,
    N_STEPS = sizeof exponent_steps / sizeof *exponent_steps,
    N_RIDGES = sizeof ridge_grid / sizeof *ridge_grid,
    N_RIDGE_BETAS = sizeof ridge_beta_factors / sizeof *ridge_beta_factors,
    N_BOTH_GAMMAS = sizeof both_gammas / sizeof *both_gammas,
    N_BOTH_RIDGES = sizeof both_ridge_factors / sizeof *both_ridge_factors,
    N_BOTH_BETAS = sizeof both_beta_factors / sizeof *both_beta_factors
};

static void add_setting(struct settings *settings, double beta, double half_life, double gamma,
                        double exponent)
{
    assert(settings->n < GRID_MAX);
    settings->list[settings->n++] = (struct score_weights){.beta = beta,
                                                           .gamma = gamma,
                                                           .exponent = gamma > 0 ? exponent : 0,
                                                           .half_life = beta != 0 ? half_life : 0};
}

/* Learned evidence in the place of co-interaction, or with gamma > 0 beside it. */
static void add_ridge(struct settings *settings, double beta, double half_life, double weight,
                      double gamma, double exponent)
{
    add_setting(settings, beta, half_life, gamma, exponent);
    struct score_weights *added = &settings->list[settings->n - 1];
    added->n_parts = 1;
    added->parts[0] = (struct score_part){.kind = SCORE_RIDGE, .weight = weight};
}

void grid_half_lives(struct settings *settings, const struct calibration_request *request)
{
    const double given = request->given.beta;
    for (size_t h = 0; h < GRID_HALF_LIVES; h++) {
        for (size_t s = 0; s < (isnan(given) ? N_RECENT_SHARES : 1); s++) {
            const double beta = isnan(given) ? request->popularity.to * recent_shares[s] : given;
            add_setting(settings, beta, grid_half_life[h], 0, 0);
        }
    }
}

void grid_coarse(struct settings *settings, const struct calibration_grid *grid, double half_life)
{
    for (size_t n = 0; n < GRID_MAX - 1; n++) {
        double beta = grid->from + (double)n * grid->step;
        if (beta >= grid->to - 1e-9) {
            break;
        }
        add_setting(settings, beta, half_life, 0, 0);
    }
    add_setting(settings, grid->to, half_life, 0, 0);
}

void grid_fine(struct settings *settings, const struct trials *trials)
{
    size_t best = trials_best(trials, AMONG_CO_INTERACTION);
    size_t last = best + 1 < trials->n ? best + 1 : best;
    for (size_t i = best > 0 ? best - 1 : 0; i < last; i++) {
        double low = trials->weights[i].beta, high = trials->weights[i + 1].beta;
        for (int part = 1; part < REFINE; part++) {
            add_setting(settings, low + (high - low) * part / (double)REFINE,
                        trials->weights[i].half_life, 0, 0);
        }
    }
}

void grid_evidence(struct settings *settings, const struct calibration_request *request,
                   const struct score_weights *towers)
{
    const struct score_weights *given = &request->given;
    const bool free_gamma = isnan(given->gamma), free_exponent = isnan(given->exponent);
    add_setting(settings, towers->beta, towers->half_life, 0, 0);
    for (size_t p = 0; p < (free_exponent ? N_EXPONENTS : 1); p++) {
        double exponent = free_exponent ? exponent_grid[p] : given->exponent;
        for (size_t g = 0; g < (free_gamma ? N_GAMMAS : 1); g++) {
            double gamma = free_gamma ? gamma_grid[g] : given->gamma;
            for (size_t s = 0; s < (isnan(given->beta) ? N_SHARES : 1); s++) {
                const double share = isnan(given->beta) ? beta_shares[s] : 1;
                add_setting(settings, towers->beta * share, towers->half_life, gamma, exponent);
            }
        }
    }
}

void grid_around(struct settings *settings, const struct calibration_request *request,
                 const struct score_weights *best)
{
    const struct score_weights *given = &request->given;
    const struct calibration_grid *grid = &request->popularity;
    const double most = grid->to * (best->half_life > 0 ? recent_shares[N_RECENT_SHARES - 1] : 1);
    for (size_t p = 0; p < (isnan(given->exponent) ? N_STEPS : 1); p++) {
        double exponent = best->exponent + (isnan(given->exponent) ? exponent_steps[p] : 0);
        for (size_t g = 0; g < (isnan(given->gamma) ? N_FACTORS : 1); g++) {
            double gamma = best->gamma * (isnan(given->gamma) ? gamma_factors[g] : 1);
            for (int step = -1; step <= 1; step++) {
                double beta = best->beta + step * grid->step;
                if (step == 0 || (isnan(given->beta) && beta >= grid->from && beta <= most)) {
                    add_setting(settings, beta, best->half_life, gamma, exponent);
                }
            }
            if (isnan(given->beta) && exponent == best->exponent) {
                add_setting(settings, 0, 0, gamma, exponent);
            }
        }
    }
}

void grid_around_half_life(struct settings *settings, const struct calibration_request *request,
                           const struct score_weights *best)
{
    for (size_t f = 0; f < (isnan(request->given.beta) ? N_RECENT_FACTORS : 1); f++) {
        const double factor = isnan(request->given.beta) ? recent_factors[f] : 1;
        add_setting(settings, best->beta * factor, best->half_life, 0, 0);
    }
}

void grid_ridge(struct settings *settings, const struct score_weights *towers)
{
    for (size_t r = 0; r < N_RIDGES; r++) {
        for (size_t s = 0; s < N_SHARES; s++) {
            add_ridge(settings, towers->beta * beta_shares[s], towers->half_life, ridge_grid[r], 0,
                      0);
        }
    }
}

void grid_around_ridge(struct settings *settings, const struct score_weights *best)
{
    for (size_t g = 0; g < N_FACTORS; g++) {
        for (size_t b = 0; b < N_RIDGE_BETAS; b++) {
            add_ridge(settings, best->beta * ridge_beta_factors[b], best->half_life,
                      best->parts[0].weight * gamma_factors[g], 0, 0);
        }
    }
}

void grid_both(struct settings *settings, const struct score_weights *ridge, double exponent)
{
    for (size_t g = 0; g < N_BOTH_GAMMAS; g++) {
        for (size_t r = 0; r < N_BOTH_RIDGES; r++) {
            for (size_t b = 0; b < (ridge->beta != 0 ? N_BOTH_BETAS : 1); b++) {
                add_ridge(settings, ridge->beta * both_beta_factors[b], ridge->half_life,
                          ridge->parts[0].weight * both_ridge_factors[r], both_gammas[g], exponent);
            }
        }
    }
}

void grid_around_both(struct settings *settings, const struct score_weights *best)
{
    for (size_t g = 0; g < N_FACTORS; g++) {
        for (size_t r = 0; r < N_FACTORS; r++) {
            add_ridge(settings, best->beta, best->half_life,
                      best->parts[0].weight * gamma_factors[r], best->gamma * gamma_factors[g],
                      best->exponent);
        }
    }
}
