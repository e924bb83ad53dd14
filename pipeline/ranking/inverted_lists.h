/* Approximate top-k for catalogues too large for every product: candidates stand in lists around
 * the centroids of a spherical k-means (Dhillon and Modha 2001), and an anchor looks only into the
 * lists whose centroids suit it best (Jegou et al. 2011, section IV: IVF). Anchors that look into
 * the same list are multiplied with it together, so that the work stays a matrix product. */
#ifndef NIGHTJAR_RANKING_INVERTED_LISTS_H
#define NIGHTJAR_RANKING_INVERTED_LISTS_H

#include "ranking/ranking.h"

/* Zero-initialise. */
struct inverted_lists {
    struct const_matrix candidates; /* borrowed: what the lists are of */
    size_t n_lists;
    float *centroids; /* (n_lists, d) unit length */
    int64_t *starts;  /* (n_lists + 1) list l holds members [starts[l], starts[l + 1]) */
    int32_t *members; /* (candidates) ascending within a list */
    float *vectors;   /* (candidates, d) of the members, in their order */
};

/* About sqrt(candidates) lists; the same bytes for a seed with any number of threads. Candidates
 * have unit length, or are zero. */
MUST_CHECK enum status_code inverted_lists_build(struct const_matrix candidates, uint64_t seed,
                                                 struct pool *pool, struct inverted_lists *lists,
                                                 struct status *status);
void inverted_lists_release(struct inverted_lists *lists);

/* As ranking_run, for a ranking over these candidates with one bias at most whose evidence has a
 * gamma >= 0: every anchor meets the candidates with the greatest bias, those that its evidence
 * names, and the lists of its n_probes best centroids, judged by scale <anchor, centroid> + the
 * mean bias of the list. What it meets is scored as ranking_run does; an anchor that meets fewer
 * than k is ranked over everything. */
MUST_CHECK enum status_code inverted_lists_search(const struct inverted_lists *lists,
                                                  const struct ranking *ranking, size_t n_probes,
                                                  struct pool *pool, int32_t *items, float *scores,
                                                  struct status *status);

#endif
