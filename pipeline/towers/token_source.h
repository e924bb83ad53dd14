/* What a tower reads beside ids: for every entity a weighted bag of tokens. A user's history is one
 * (tokens are items), side features are another (tokens are values and words). */
#ifndef NIGHTJAR_TOWERS_TOKEN_SOURCE_H
#define NIGHTJAR_TOWERS_TOKEN_SOURCE_H

#include "dataset/dataset.h"
#include "math/row_builder.h"
#include "towers/view.h"

enum pooling { POOLING_MEAN, POOLING_DECAY, POOLING_ATTENTION };
extern const char *const pooling_names[]; /* NULL-terminated, in enum order */

struct history_settings {
    bool given; /* the towers read histories */
    enum pooling pooling;
    double half_life; /* decay: seconds before the user's newest event, or items without times */
    size_t newest;    /* items of a history that count */
    double hide;      /* share of a user's items that a training step hides from the history */
};

/* Release with token_source_release. */
struct token_source {
    bool is_history;
    enum pooling pooling;
    double hide;
    /* (n, n_tokens) weights > 0 (features: any). A history's entries stand oldest first, so that
       columns do not ascend, and weigh 1 together. */
    struct sparse matrix;
    const struct sparse *partners; /* item pairs for VIEW_SUBSTITUTE; may be NULL */
    bool is_view;                  /* the matrix belongs to someone else */
};

/* histories (n, n_items), any users'. Weights: the same for each item, or by half-life. */
MUST_CHECK enum status_code token_source_history(struct token_source *source,
                                                 const struct history *histories,
                                                 const struct history_settings *settings,
                                                 struct status *status);
void token_source_release(struct token_source *source);

/* Whether a training step hides `token` from the entity's history; the hidden ones are then what
 * the step asks for. */
bool token_source_hides(const struct token_source *source, const struct view *view, size_t row,
                        int32_t token);
/* out = rows[i] (NULL: row i) of the source as the view sees them; a history's weights are again 1
 * together. */
MUST_CHECK enum status_code token_source_select(const struct token_source *source,
                                                const int32_t *rows, size_t count,
                                                const struct view *view, struct row_builder *out,
                                                struct workspace *workspace, struct status *status);

#endif
