/* How many trials run for how many epochs, and which of them go on. */
#include "search/halving.h"

#include <assert.h>
#include <math.h>

size_t halving_schedule(size_t epochs, size_t n_trials, struct halving_rung rungs[HALVING_RUNGS])
{
    size_t n = 0;
    size_t trials = n_trials;
    assert(epochs >= 1 && n_trials >= 1);
    for (int r = 0; r < HALVING_RUNGS; r++) {
        double share = pow(HALVING_ETA, r + 1 - HALVING_RUNGS);
        size_t rung_epochs = (size_t)fmax(round((double)epochs * share), 1.0);
        if (n > 0 && rungs[n - 1].epochs == rung_epochs) {
            continue;
        }
        rungs[n++] = (struct halving_rung){.epochs = rung_epochs, .n_trials = trials};
        trials = trials / HALVING_ETA > 0 ? trials / HALVING_ETA : 1;
    }
    return n;
}

/* Whether trial a ranks before trial b. */
static bool is_before(const double *values, size_t a, size_t b)
{
    if (isnan(values[a]) || isnan(values[b])) {
        return isnan(values[a]) == isnan(values[b]) ? a < b : !isnan(values[a]);
    }
    return values[a] > values[b] || (a < b && values[a] == values[b]);
}

void halving_order(const double *values, size_t n, size_t *order)
{
    for (size_t i = 0; i < n; i++) {
        size_t at = i;
        for (; at > 0 && is_before(values, i, order[at - 1]); at--) {
            order[at] = order[at - 1];
        }
        order[at] = i;
    }
}
