/* What of the settings follows from how large a log is. */
#ifndef NIGHTJAR_SEQUENCE_SEQUENCE_SCALE_H
#define NIGHTJAR_SEQUENCE_SEQUENCE_SCALE_H

#include "sequence/sequences.h"
#include "training/trainer_input.h"

/* Replaces what is auto by numbers for these sequences; the rules stand in the .c file. */
void sequence_settings_scale(struct sequence_settings *settings, const struct sequences *sequences);
enum { SEQUENCE_WIDE_PLACES = 200000 }; /* from so many on auto takes more dimensions */
/* The dimension where users have so many steps: for estimates, too. */
size_t sequence_dimension_at(const struct sequence_settings *settings, double places);

#endif
