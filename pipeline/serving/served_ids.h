/* The numbering of what is published. Two numberings meet here:
 *
 *   source codes   the master vocabulary's, then those of ids that only the side data have
 *                  (feature_table.h); datasets and towers speak in these
 *   served codes   the master vocabulary and those of the other ids that the towers gave a vector,
 *                  ascending by id; recommendations and the output database speak in these
 *
 * Without ids from side data alone both are the same. Master ids keep their order among each other.
 */
#ifndef NIGHTJAR_SERVING_SERVED_IDS_H
#define NIGHTJAR_SERVING_SERVED_IDS_H

#include "features/feature_table.h"
#include "towers/embeddings.h"

/* Zero-initialise. */
struct served_ids {
    struct vocabulary
        ids;            /* by served code; a view of the master vocabulary where nothing is added */
    size_t n_codes;     /* source codes */
    int32_t *served_of; /* (n_codes) served code; -1: an id without a vector */
    int32_t *source_of; /* (ids.n) source code of a served code */
};

/* table: that side's data, NULL: none. cold_codes (n_cold): the towers' codes of that side, source
 * codes, ascending. master and table must outlive it. Codes beyond the side data are
 * STATUS_INTERNAL. */
MUST_CHECK enum status_code served_ids_init(struct served_ids *ids, const struct vocabulary *master,
                                            const struct feature_table *table,
                                            const int32_t *cold_codes, size_t n_cold,
                                            struct status *status);
/* Of both sides, with the artifact "features" (NULL: there is none), of which `view` (zeroed)
 * becomes a view; all of them must outlive users and items. */
MUST_CHECK enum status_code served_ids_load(struct served_ids *users, struct served_ids *items,
                                            const struct interactions *interactions,
                                            const struct embeddings *embeddings,
                                            const struct artifact *features, struct features *view,
                                            struct status *status);
void served_ids_release(struct served_ids *ids);

#endif
