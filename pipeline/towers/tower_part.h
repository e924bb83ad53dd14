/* What a tower reads beside ids: the tokens of one source, pooled by their weights or by attention,
 * and the way back. See tower.h. */
#ifndef NIGHTJAR_TOWERS_TOWER_PART_H
#define NIGHTJAR_TOWERS_TOWER_PART_H

#include "towers/embedding_table.h"
#include "towers/token_source.h"

struct tower_part {
    const struct token_source *source; /* borrowed, (n, tokens) */
    struct embedding_table table;      /* (tokens, d) */
    struct embedding_table query;      /* attention: (1, d), else empty */
};

/* What a forward pass leaves for its backward pass. Zero-initialise; release the workspace. */
struct part_pass {
    struct workspace workspace;
    struct row_builder tokens; /* (count, tokens) with their weights, attention's in its place */
    float *pooled;             /* (count, d): attention's output */
};

MUST_CHECK enum status_code part_init(struct tower_part *part, const struct token_source *source,
                                      size_t dimension, const struct optimizer_settings *optimizer,
                                      uint64_t seed, const char *purpose, double init_scale,
                                      struct pool *pool, struct status *status);
/* Whether the tokens are pooled by attention. */
bool part_attends(const struct tower_part *part);
/* x (count, d) += the pooled tokens of rows[i] (NULL: row i) of `source`, the part's own or that of
 * other entities. In training what is read is put into play. */
MUST_CHECK enum status_code part_forward(struct tower_part *part, const struct token_source *source,
                                         const int32_t *rows, size_t count, const struct view *view,
                                         double rate, struct part_pass *pass, float *x,
                                         struct pool *pool, struct status *status);
/* Gathers the gradients of tokens and query from dL/dx (count, d), whose rows are summed in this
 * order. */
MUST_CHECK enum status_code part_backward(struct tower_part *part, const struct part_pass *pass,
                                          const struct row_order *order, const float *gradient,
                                          struct pool *pool, struct status *status);

#endif
