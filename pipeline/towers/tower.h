/* A tower: from an entity to its vector of unit length.
 *      x = id embedding + sum over sources of pooled token embeddings
 *      (propagation over the graph, when the encoder has one: encoder.h)
 *      y = x + hidden layers(dropout(x)),  vector = y / |y|
 * Pooling is the source's weighted sum; attention puts softmax_h(<q, t_h> / sqrt(d)) in place of a
 * history's weights, with a learned query q (as Yang et al. 2016, section 2.2, without its
 * projection). */
#ifndef NIGHTJAR_TOWERS_TOWER_H
#define NIGHTJAR_TOWERS_TOWER_H

#include "towers/hidden.h"
#include "towers/tower_part.h"

enum { TOWER_MAX_SOURCES = 2 };

struct tower_settings {
    size_t dimension;
    struct optimizer_settings optimizer;
    double init_scale;     /* standard deviation of the first embeddings */
    const uint64_t *keys;  /* (n) of the rows' random streams, borrowed; NULL: their numbers */
    const uint8_t *shards; /* (n) of the rows, along whose tree is summed what they share; NULL: all
                              in one */
    double id_dropout;     /* share of the rows of a step whose id is left out, so that the sources
                              learn to carry entities without one; only where there are sources */
    double dropout;        /* share of x's components that training leaves out */
    struct hidden_settings hidden;
};

/* Zero-initialise. */
struct tower {
    size_t n, dimension;
    struct tower_settings settings;
    struct embedding_table ids; /* (n, d) */
    size_t n_parts;
    struct tower_part parts[TOWER_MAX_SOURCES];
    struct hidden hidden;
};

/* What to encode. */
struct tower_input {
    const int32_t *rows; /* (count) distinct; NULL: rows 0..count-1 */
    size_t count;
    bool without_ids;                   /* entities that training did not know */
    const struct token_source *sources; /* (n_parts) in place of the tower's own; NULL: its own */
    const float *base; /* (n, d): x of every row when it has been computed outside; or NULL */
    bool is_only_view; /* of its step, by a plain tower: tower_step_back takes it back */
    float *out;        /* (count, d): where the vectors go; NULL: memory of the pass */
    struct view view;
};

/* One view of a set of rows, from forward to backward. Zero-initialise. */
struct tower_pass {
    struct tower_input input;
    struct workspace workspace;
    float *vectors;       /* (count, d): the result */
    float *inverse_norms; /* (count) */
    bool *has_id;         /* (count) the id takes part */
    bool drops_ids;       /* some may not */
    float *mask;          /* (count, d) dropout's factors, when it is on */
    int32_t *id_rows;     /* rows with an id, when some have none, */
    float *id_values;     /* and their gradients */
    struct part_pass parts[TOWER_MAX_SOURCES];
    struct row_order order; /* of the rows, on the way back to what they share */
    struct hidden_pass hidden;
};

/* `sources` (n_sources) are borrowed for the tower's life. `purpose` names the random streams. */
MUST_CHECK enum status_code tower_init(struct tower *tower, size_t n,
                                       const struct tower_settings *settings,
                                       const struct token_source *sources, size_t n_sources,
                                       uint64_t seed, const char *purpose, struct pool *pool,
                                       struct status *status);
void tower_release(struct tower *tower);
void tower_pass_release(struct tower_pass *pass);

/* pass->vectors = the vectors of input's rows; a row of zeros gives zeros. In training every
 * parameter that is read is put into play. */
MUST_CHECK enum status_code tower_forward(struct tower *tower, const struct tower_input *input,
                                          double rate, struct tower_pass *pass, struct pool *pool,
                                          struct status *status);
/* gradient (count, d): dL / d vectors, overwritten. Gathers the gradients of the parameters; where
 * the input had a base, adds dL / d base to base_gradient (n, d) instead of ids and tokens. */
MUST_CHECK enum status_code tower_backward(struct tower *tower, struct tower_pass *pass,
                                           float *gradient, float *base_gradient, struct pool *pool,
                                           struct status *status);

/* Whether training knows nothing of an entity but its id. */
bool tower_is_plain(const struct tower *tower);
/* tower_backward and the step of its tables at once, each row while it is in the cache, for a
 * `pass` whose input said is_only_view. gradient (count, d) is overwritten. */
void tower_step_back(struct tower *tower, struct tower_pass *pass, float *gradient, double rate,
                     struct pool *pool);

/* x of every row into out (n, d): what propagation starts from; in training everything is put into
 * play. tower_base_backward gathers from dL / dx (n, d). `pass` is filled and used again. */
MUST_CHECK enum status_code tower_base(struct tower *tower, const struct view *view, double rate,
                                       struct tower_pass *pass, float *out, struct pool *pool,
                                       struct status *status);
MUST_CHECK enum status_code tower_base_backward(struct tower *tower, struct tower_pass *pass,
                                                const float *gradient, struct pool *pool,
                                                struct status *status);

/* The tables of a tower, for what concerns all of them. Returns how many; out has room for
 * TOWER_MAX_TABLES. */
enum { TOWER_MAX_TABLES = 1 + 2 * TOWER_MAX_SOURCES + 2 * (HIDDEN_MAX_LAYERS + 1) };
size_t tower_tables(struct tower *tower, struct embedding_table *out[TOWER_MAX_TABLES]);
/* Over several ranks every one has the tables of tokens and the layers whole: their gradients
 * become those of all ranks. A collective; nothing at one. */
MUST_CHECK enum status_code tower_share(struct tower *tower, struct ranks *ranks, double rate,
                                        struct pool *pool, struct status *status);

#endif
