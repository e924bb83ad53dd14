/* The towers that catch_up goes on from: those that an earlier night left, where they are made of
 * the same base, else those of the stage above (refit). And where their vectors belong in the
 * interactions of tonight.
 *
 *      full night  refit -> T0
 *      night 1     T0 + delta of night 1          -> T1, which says what delta it knows
 *      night 2     T1 + delta of night 2          -> T2
 *      killed, or T1 of another base or options  -> T0 + the whole delta since
 */
#ifndef NIGHTJAR_CATCH_UP_CATCH_UP_START_H
#define NIGHTJAR_CATCH_UP_CATCH_UP_START_H

#include "features/feature_table.h"
#include "catch_up/delta.h"
#include "towers/embeddings.h"
#include "run/context.h"

/* Zero-initialise. */
struct catch_up_start {
    struct artifact previous; /* the last output, when it is gone on from */
    bool is_previous;
    struct embeddings embeddings;   /* a view */
    struct delta known;             /* a view: what they know beyond the base; empty: nothing */
    struct vocabulary users, items; /* the codes of their rows and cold vectors */
    const int32_t *user_codes, *item_codes; /* of the towers' rows, ascending */
};

/* `anew`: the last output does not count. */
MUST_CHECK enum status_code catch_up_start_open(struct catch_up_start *start,
                                                struct context *context,
                                                const struct interactions *base, bool anew,
                                                struct status *status);
/* The array "start" of an artifact: what it was made from, for catch_up_start_open. */
MUST_CHECK enum status_code catch_up_start_sign(struct context *context,
                                                struct artifact *embeddings, struct status *status);

/* Where the vectors of one side belong tonight. Zero-initialise. */
struct start_side {
    int32_t *row_of; /* (rows of tonight's ALL) row of the towers, -1: none */
    /* The towers' cold vectors, by ascending code of tonight: of the master vocabulary, then of
       side data's extra ids. One whose code has a row tonight is that row's start. */
    size_t n_cold;
    int32_t *cold_codes, *cold_rows; /* (n_cold) code of tonight; row of the towers' cold vectors */
};

/* Rows and the codes that they have in a vocabulary. */
struct coded_rows {
    const struct vocabulary *ids; /* sorted */
    const int32_t *codes;         /* (n) ascending */
    size_t n;
};

/* `before` are the towers' rows, `now` those of tonight. cold_codes (n_cold) are those of the
 * towers' cold vectors; `extra` the side data's extra ids of the side, NULL: none. */
MUST_CHECK enum status_code start_side_init(struct start_side *side,
                                            const struct coded_rows *before,
                                            const struct coded_rows *now, const int32_t *cold_codes,
                                            size_t n_cold, const struct vocabulary *extra,
                                            struct status *status);
void start_side_release(struct start_side *side);
void catch_up_start_release(struct catch_up_start *start);

/* What is trained from there. */
struct catch_up_request {
    struct context *context;
    const struct interactions *base, *now; /* `now`: base and delta */
    const struct catch_up_start *start;
    const struct vocabulary
        *updated; /* users who have rows that the towers have not seen; sorted */
    size_t epochs;
    double rate; /* a share of the learning rate of a cold start */
};

#endif
