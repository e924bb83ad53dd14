/* Which of the settings that were tried is taken. */
#ifndef NIGHTJAR_EVALUATION_CALIBRATION_CHOICE_H
#define NIGHTJAR_EVALUATION_CALIBRATION_CHOICE_H

#include "evaluation/calibration_trials.h"

/* Which trials count. Without evidence means without ridge, too. */
enum among {
    AMONG_CO_INTERACTION, /* all without ridge */
    AMONG_TOWERS,
    AMONG_TOWERS_OF_ALL_TIME,
    AMONG_WITHOUT_POPULARITY,
    AMONG_NEITHER,
    AMONG_RIDGE, /* in the place of evidence */
    AMONG_RIDGE_WITHOUT_POPULARITY,
    AMONG_BOTH /* evidence beside ridge */
};

/* The best trial of a kind, or trials->n when there is none. */
size_t trials_best(const struct trials *trials, enum among among);
/* The best trial with the given gamma: what is given is not argued with. */
size_t trials_best_of_gamma(const struct trials *trials, double gamma);
/* `simpler` instead of `best` unless that costs something. */
size_t trials_with_margin(const struct trials *trials, size_t best, size_t simpler);
/* The choice among those with ridge in the place of evidence, or trials->n. */
size_t trials_choose_ridge(const struct trials *trials);
/* The choice among all trials, or among those without evidence. */
size_t trials_choose(const struct trials *trials, bool with_evidence);

#endif
