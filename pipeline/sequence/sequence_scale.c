/* Settings by the size of the log; tests/bench/README.md has the figures.
 *
 * Weight decay acts in every step of training on every weight, so an epoch forgets the more the
 * more steps it has: what takes little from 50,000 places leaves of a million no more than the
 * newest tenth, and a rare item is gone before it comes again. What stays the same from log to log
 * is how much an epoch forgets (Wang and Aitchison 2024, arXiv 2405.13698).
 *
 * Dropout and few dimensions keep a tower from learning a small log by heart; a large one is only
 * kept from learning. */
#include "sequence/sequence_scale.h"

#include "config/option.h"

#include <math.h>

/* An epoch at the peak rate would leave exp(-EPOCH_DECAY) of the weights. */
static const double EPOCH_DECAY = 1.0;
/* Few steps forget no faster than this: weights of layers, too, would not grow. */
static const double MOST_DECAY = 16.0;
/* Dropout of small and of large logs, and how many places these have. */
static const double SMALL_DROPOUT = 0.5, LARGE_DROPOUT = 0.2;
static const double SMALL_PLACES = 50000.0, LARGE_PLACES = 500000.0;
enum { FEW_DIMENSIONS = 64, MANY_DIMENSIONS = 128 };

static double places_of(const struct sequences *sequences)
{
    double places = 0.0;
    for (size_t u = 0; u < sequences->n_users; u++) {
        const size_t steps = sequence_steps(sequences, u);
        places += steps > 1 ? (double)steps : 0.0; /* a single one has nothing behind it */
    }
    return places;
}

static double dropout_at(double places)
{
    const double size = log(fmax(places, 1.0) / SMALL_PLACES) / log(LARGE_PLACES / SMALL_PLACES);
    return SMALL_DROPOUT + (LARGE_DROPOUT - SMALL_DROPOUT) * fmin(fmax(size, 0.0), 1.0);
}

void sequence_settings_scale(struct sequence_settings *settings, const struct sequences *sequences)
{
    const double places = places_of(sequences);
    const double steps = fmax(1.0, places / (double)settings->batch);
    if (isnan(settings->weight_decay)) {
        settings->weight_decay = fmin(MOST_DECAY, EPOCH_DECAY / (settings->learning_rate * steps));
    }
    if (isnan(settings->dropout)) {
        settings->dropout = dropout_at(places);
    }
    settings->dimension = sequence_dimension_at(settings, places);
}

size_t sequence_dimension_at(const struct sequence_settings *settings, double places)
{
    return settings->dimension != OPTION_AUTO_COUNT ? settings->dimension
           : places < SEQUENCE_WIDE_PLACES          ? FEW_DIMENSIONS
                                                    : MANY_DIMENSIONS;
}
