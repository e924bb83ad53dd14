/* Settings by the size of the log.
 *
 * Weight decay acts in every step on every weight, so in an epoch it forgets the more the more
 * steps that has: what took little from 50,000 places would leave of a million no more than the
 * newest tenth, and a rare item is gone before it comes again. What stays the same from log to log
 * is how much an epoch forgets (Wang and Aitchison 2024, arXiv 2405.13698). tests/bench/README.md
 * has the figures. */
#include "sequence/sequence_scale.h"

#include <math.h>

/* An epoch at the peak rate would leave exp(-EPOCH_DECAY) of the weights. */
static const double EPOCH_DECAY = 1.0;
/* Few steps forget no faster than this: weights of layers, too, would not grow. */
static const double MOST_DECAY = 16.0;

static double places_of(const struct sequences *sequences)
{
    double places = 0.0;
    for (size_t u = 0; u < sequences->n_users; u++) {
        const size_t steps = sequence_steps(sequences, u);
        places += steps > 1 ? (double)steps : 0.0; /* a single one has nothing behind it */
    }
    return places;
}

void sequence_settings_scale(struct sequence_settings *settings, const struct sequences *sequences)
{
    const double steps = fmax(1.0, places_of(sequences) / (double)settings->batch);
    if (isnan(settings->weight_decay)) {
        settings->weight_decay = fmin(MOST_DECAY, EPOCH_DECAY / (settings->learning_rate * steps));
    }
}
