/* Positive item-item co-interaction pairs out of user histories. Weightings are rows of a table in
 * pairs.c, each with its formula and source. */
#ifndef NIGHTJAR_MODEL_PAIRS_H
#define NIGHTJAR_MODEL_PAIRS_H

#include "base/pool.h"
#include "model/dataset.h"

enum pair_window { PAIR_WHOLE_HISTORY, PAIR_TIME_GAP, PAIR_POSITIONS };

struct pair_settings {
    enum pair_window window;
    int64_t max_gap;       /* PAIR_TIME_GAP: seconds between the two events */
    size_t max_positions;  /* PAIR_POSITIONS: distance in the time-ordered history */
    int weighting;         /* index into pair_weighting_names */
    double min_count;      /* pairs seen by fewer users are dropped */
    size_t top;            /* strongest partners kept per item */
    size_t max_user_items; /* a longer history counts with its newest items only */
};

extern const char *const pair_weighting_names[]; /* count, cosine, pmi, lift, ultragcn,
                                                    degree_normalised; NULL-terminated */

/* out (n_items, n_items): row = anchor item, entries = its strongest partners, value = weight > 0,
 * no diagonal. Equal weights are kept by lower column. `out` zeroed; release with sparse_release.
 */
MUST_CHECK enum status_code pairs_item_item(const struct history *train,
                                            const struct pair_settings *settings, struct pool *pool,
                                            struct sparse *out, struct status *status);

/* Artifact arrays PREFIX.offsets, PREFIX.columns, PREFIX.values and the two extents; save moves,
 * load views. For any sparse matrix. */
MUST_CHECK enum status_code sparse_save(struct sparse *m, struct artifact *artifact,
                                        const char *prefix, struct status *status);
/* *found false (and *m zeroed) when the artifact has no such matrix. */
MUST_CHECK enum status_code sparse_load(struct sparse *m, const struct artifact *artifact,
                                        const char *prefix, bool *found, struct status *status);

#endif
