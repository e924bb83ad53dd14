/* The outcome of the generations before, as part of the stage publish (evaluation/outcome.h). */
#ifndef NIGHTJAR_STAGES_PUBLISH_PUBLISH_OUTCOME_H
#define NIGHTJAR_STAGES_PUBLISH_PUBLISH_OUTCOME_H

#include "evaluation/variants.h"

struct context;

/* Zero-initialise. */
struct judged_lists {
    struct outcome outcome;
    struct variant *variants; /* (n) of the trial that the pipeline is part of */
    size_t n;
};

/* Where times do not tell, a line says so. That something cannot be read of an older generation is
 * a warning: the new one does not depend on it. Of several ranks each judges the lists of its
 * users, if all of them see the output database. */
MUST_CHECK enum status_code publish_outcome_judge(struct context *context, struct judged_lists *out,
                                                  struct status *status);
/* As metrics of the run: what is said of the newest generation that at least 30 users tell of, else
 * of the newest, and the variants. After the publish: they are no metrics of the generation that
 * the run publishes. */
MUST_CHECK enum status_code publish_outcome_record(struct context *context,
                                                   const struct judged_lists *lists,
                                                   struct status *status);

void judged_lists_release(struct judged_lists *lists);

#endif
