/* The options of the stage negatives, and the settings that they make. They are kept in its
 * artifact, by which train, refit and catch_up go. */
#ifndef NIGHTJAR_NEGATIVES_NEGATIVES_OPTIONS_H
#define NIGHTJAR_NEGATIVES_NEGATIVES_OPTIONS_H

#include "config/option.h"
#include "negatives/sampler.h"
#include "store/artifact.h"

struct negatives_options {
    struct negative_settings settings; /* as the file has them; hard.count may be auto */
    int64_t stored;
};
/* A row of `settings` is all that a new one takes: it is kept in the artifact by its row. */
extern const struct option negatives_options_table[];

/* The `validate` of the stage. */
void negatives_options_validate(const void *values, struct option_report *report);
/* With what stored negatives and hard ones that are auto, or not given, mean for the others. */
struct negative_settings negatives_options_settings(const struct negatives_options *options);

/* The artifact "negatives": the settings as numbers and, when stored negatives were asked for,
 * fit.stored and all.stored: I32 (train entries, stored), item columns in the order of the train
 * matrix. `count` is then `stored` and `shared` is false. A user who has every item that can be
 * drawn gets the positive itself, which nothing can be learnt from. Offsets stay derived. */
MUST_CHECK enum status_code negative_settings_save(const struct negative_settings *settings,
                                                   struct artifact *artifact,
                                                   struct status *status);
MUST_CHECK enum status_code negative_settings_load(struct negative_settings *settings,
                                                   const struct artifact *artifact,
                                                   struct status *status);

/* What train has chosen of it, in its artifact "training": by that refit and catch_up go. */
MUST_CHECK enum status_code negative_choice_save(const struct negative_settings *settings,
                                                 struct artifact *artifact, struct status *status);
MUST_CHECK enum status_code negative_choice_load(struct negative_settings *settings,
                                                 const struct artifact *artifact,
                                                 struct status *status);

#endif
