/* What somebody who has only the output database needs to score any user and item as lists do: the
 * histories, what is barred, what the further parts of the score are made of. */
#ifndef NIGHTJAR_SERVING_LIVE_H
#define NIGHTJAR_SERVING_LIVE_H

#include <stddef.h>
#include <stdint.h>

/* Sources of evidence, in the order of score_pairs; own items need none. */
enum live_source { LIVE_EVIDENCE, LIVE_TRANSITIONS, LIVE_RIDGE, N_LIVE_SOURCES };

/* Candidates are the towers' items and, behind them, their cold ones. All zero: nobody asked.
 * Arrays belong to whoever holds the struct recommendations. */
struct live {
    size_t n_items;      /* candidates */
    int32_t *item_codes; /* (n_items) served codes */
    int32_t *item_users; /* (n_items) n_i, of the towers' basis; 0 of cold ones */
    float *item_boosts;  /* (n_items) */
    size_t n_eligible;
    uint8_t *eligible; /* (n_items, 1 + segments) whether to everybody, and to each segment; or
                          nothing: all of them to all */
    size_t n_users;
    int32_t *user_codes;    /* (n_users) served codes, ascending */
    int32_t *user_segments; /* (n_users) -1: none */
    size_t n_user_offsets;  /* n_users + 1 */
    int64_t *history_offsets, *barred_offsets;
    size_t n_history;
    int32_t *history_items; /* candidates, ascending within a user */
    float *history_weights;
    int64_t *history_times; /* 0 where events have none */
    size_t n_barred;
    int32_t *barred_items; /* candidates */
    /* by source: rows of the first candidates, as far as evidence knows them; or nothing */
    size_t n_pair_offsets[N_LIVE_SOURCES], n_pairs[N_LIVE_SOURCES];
    int64_t *pair_offsets[N_LIVE_SOURCES];
    int32_t *pair_items[N_LIVE_SOURCES];
    float *pair_weights[N_LIVE_SOURCES];
    double n_known;   /* candidates that the towers' basis has: the first ones */
    double time;      /* from which ages are counted, Unix seconds */
    double has_times; /* whether events have any */
    double repeats;   /* own items may stand in lists: the maximum of evidence goes over all */
};

#endif
