/* What the score has beside the cosine, out of the inputs of a stage. */
#ifndef NIGHTJAR_STAGES_SCORE_INPUTS_H
#define NIGHTJAR_STAGES_SCORE_INPUTS_H

#include "dataset/dataset.h"
#include "ranking/score.h"
#include "towers/embeddings.h"

struct context;

/* Of the basis of the embeddings; `products` zeroed, to be released after errors, too. */
MUST_CHECK enum status_code score_inputs_load(struct context *context,
                                              const struct interactions *interactions,
                                              const struct embeddings *embeddings,
                                              struct score_products *products,
                                              struct status *status);

#endif
