/* The blended score under one set of weights, ready for ranking.c:
 *
 *   score(u, i) = cos(u, i) / tau + beta log(1 + p_i) + gamma c(u, i)        evidence.h
 *               + the sum over further parts of weight times value
 *
 *   evidence      c(u, i) of the history weighed by age 2^(-age / half_life) and by place
 *                 2^(-place / half_places), 0 being the newest; a share of its maximum
 *   transitions   the same of the pairs "what followed what" (transitions.h)
 *   ridge         the same of what partners foretell (ridge.h)
 *   own           log(1 + w 2^(-age / half_life)) for an item of the history, w its pair's weight
 *   had           1 for an item of the history, however little and long ago
 *
 * Items of one and the same time share the mean of their places. Ages are counted from the newest
 * event that the history or the towers' basis has. */
#ifndef NIGHTJAR_RANKING_SCORE_H
#define NIGHTJAR_RANKING_SCORE_H

#include "dataset/crowd.h"
#include "base/buf.h"
#include "pairs/evidence.h"
#include "ranking/ranking.h"
#include "store/artifact.h"
#include "towers/embeddings.h"

enum score_part_kind {
    SCORE_EVIDENCE,
    SCORE_TRANSITIONS,
    SCORE_OWN,
    SCORE_HAD,
    SCORE_RIDGE,
    N_SCORE_PART_KINDS
};
extern const char *const score_part_names[]; /* in enum order; NULL-terminated */

struct score_part {
    enum score_part_kind kind;
    double half_life;   /* days; 0: age does not count */
    double half_places; /* 0: the place does not count */
    double weight;      /* >= 0 */
};

enum { SCORE_PARTS_MAX = 24 };

/* Zero: the towers alone, without popularity. */
struct score_weights {
    double beta;      /* of the popularity term log(1 + p_i), or of the learned one */
    double gamma;     /* of the evidence, >= 0 */
    double exponent;  /* p, of the parts evidence too */
    double half_life; /* days in which a pair that counts in p_i loses half; 0: p_i is n_i */
    size_t n_parts;
    struct score_part parts[SCORE_PARTS_MAX];
};

/* What the parts are made of, all of the towers' basis; NULL: there is none, and no weight for it.
 */
struct score_sources {
    const struct evidence *evidence, *transitions, *own, *ridge;
};
/* The source of a kind of part. */
const struct evidence *score_source(const struct score_sources *sources, enum score_part_kind kind);

/* Whether anything of the kind counts in the score; SCORE_EVIDENCE: gamma, too. */
bool score_weighs(const struct score_weights *weights, enum score_part_kind kind);

/* The parts among the arrays of an artifact: part.kind, part.half_life, part.half_places and
 * part.weight (n_parts) F64. Values out of range are STATUS_DATA. */
MUST_CHECK enum status_code score_parts_save(const struct score_weights *weights,
                                             struct artifact *artifact, struct status *status);
MUST_CHECK enum status_code score_parts_load(struct score_weights *weights,
                                             const struct artifact *artifact,
                                             struct status *status);

/* What the sources are, for whoever loads them. Zero-initialise; each may be left so. */
struct score_products {
    struct evidence evidence, transitions, own, ridge;
};
struct score_sources score_sources_of(const struct score_products *products);
void score_products_release(struct score_products *products);

/* The score as it is shown: the sum of weight times value over cosine, popularity, evidence, the
 * further parts that count, and boost, in this order. */
struct score_term {
    char name[48]; /* "cosine", "transitions:4", "evidence:30d", "own:all" */
    double weight;
};
enum { SCORE_TERMS_MAX = SCORE_PARTS_MAX + 4 };
/* Returns how many terms there are: three and one for each evidence of a struct score. */
size_t score_terms(const struct score_weights *weights, double temperature,
                   struct score_term terms[SCORE_TERMS_MAX]);
/* Adds the further parts that count as JSON: an array of {part, half_life_days, half_places,
 * weight}. */
void score_parts_tell(const struct score_weights *weights, struct buf *out);

/* Zero-initialise. It points into itself: not to be moved once initialised. */
struct score {
    float scale;   /* of the products: 1 / tau */
    float *bias;   /* (n_items, then the towers' cold items) popularity term */
    float *powers; /* (2, n_items) n_i^p of the evidence, and 1 */
    const struct history *histories;
    bool repeats; /* of the dataset: own items may stand in lists */
    size_t n_evidence;
    struct ranking_evidence evidence[1 + SCORE_PARTS_MAX];
    double gammas[1 + SCORE_PARTS_MAX];
    float *entry_weights[1 + SCORE_PARTS_MAX]; /* NULL, or (entries of the histories) */
    const float *bias_rows[1], *power_rows[2];
};

/* terms (n_items) holds p_i with that half-life (crowd_popularity) and becomes what beta weighs:
 * log(1 + p_i), or the term that the towers have learned, which has no half-life. */
void score_popularity(const struct embeddings *embeddings, double half_life, size_t n_items,
                      double *terms);
/* out (n_items) = beta times the terms: the popularity term of the score. */
void score_popularity_weigh(const double *terms, size_t n_items, double beta, float *out);
/* out (entries) = what each entry of the histories counts in a part; `now` in Unix seconds. A part
 * that weighs neither age nor place, or histories without times: as if age and place were 0. */
MUST_CHECK enum status_code score_entry_weights(const struct score_part *part,
                                                const struct history *histories, int64_t now,
                                                float *out, struct status *status);
/* The newest time of the basis or the histories; 0 without times. */
int64_t score_now(const struct dataset *dataset, const struct history *histories);
/* The sources, the histories (columns are items of the towers, ascending), and the artifact of the
 * towers must outlive it. `crowd`: whose rows the dataset has; NULL: all users are here. A
 * collective. */
MUST_CHECK enum status_code score_init(struct score *score, const struct crowd *crowd,
                                       const struct embeddings *embeddings,
                                       const struct dataset *dataset,
                                       const struct score_sources *sources,
                                       const struct history *histories,
                                       const struct score_weights *weights, struct status *status);
/* The same at a moment: popularity (n_items) has p_i with the weights' half-life, and is
 * overwritten; `now` is the newest time that anybody has by then. */
MUST_CHECK enum status_code score_init_at(struct score *score, const struct embeddings *embeddings,
                                          bool repeats, const struct score_sources *sources,
                                          const struct history *histories,
                                          const struct score_weights *weights, double *popularity,
                                          int64_t now, struct status *status);
void score_release(struct score *score);

/* Fills scale, biases and evidence of a ranking; anchor a has the history in row rows[a].
 * Candidates are the towers' items, or these and then their cold items, which have no evidence. */
void score_apply(const struct score *score, const int32_t *rows, struct ranking *ranking);

/* A weight without what it weighs: STATUS_INTERNAL, naming the stage. */
MUST_CHECK enum status_code score_check(const struct score_weights *weights,
                                        const struct score_sources *sources, const char *stage,
                                        struct status *status);

#endif
