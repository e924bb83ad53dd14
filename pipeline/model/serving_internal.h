/* What the serving*.c files share. Nobody else includes it.
 *
 *      serving_prepare.c   maps, candidates, what a user has seen, room for the lists
 *      serving.c           users' lists, in the order of things
 *      serving_items.c     the popular list and similar items
 *
 * Inside, users and items are source codes (served_ids.h) or candidates; served codes stand only in
 * what is put out. Candidates are the towers' items and, behind them, their cold ones. */
#ifndef NIGHTJAR_MODEL_SERVING_INTERNAL_H
#define NIGHTJAR_MODEL_SERVING_INTERNAL_H

#include "model/blend.h"
#include "model/serving.h"

enum { SERVING_BLOCK = 4096 }; /* lists ranked at once */

struct popular_item {
    int64_t n_users; /* in the log */
    int32_t item;    /* source code */
};

struct serving {
    const struct serving_request *request;
    const struct dataset *dataset; /* the towers' basis */
    struct pool *pool;
    struct recommendations *out;

    size_t n_candidates, n_known; /* the first n_known are the basis's items */
    struct const_matrix candidates;
    float *joined;            /* (n_candidates, d) their vectors, where there are cold ones */
    int32_t *candidate_codes; /* (n_candidates) served codes */
    uint32_t *places;         /* (n_candidates) rank of the candidate by that code */
    const uint32_t *tie_rank; /* places, or NULL where they are the order of the candidates */
    int32_t *candidate_of;    /* (source items) candidate, or -1 */

    int32_t *user_row;     /* (source users) row in the towers, or -1 */
    int32_t *cold_row;     /* (source users) row in the towers' cold users, or -1 */
    int32_t *user_place;   /* (source users) list of the user in the output, or -1 */
    struct sparse history; /* (source users, n_known) what counts for the score */
    uint8_t *eligible;     /* (n_candidates) by the rules, or NULL: all */
    struct sparse barred;  /* (source users, n_candidates) what is not recommended */

    size_t n_catalogue;           /* items with events in the log */
    struct popular_item *popular; /* (n_catalogue) most users first, then lower code */
    struct blend blend;
    float *anchors;        /* (SERVING_BLOCK, d) */
    int32_t *anchor_users; /* (SERVING_BLOCK) source codes */
    int32_t *lists;        /* (SERVING_BLOCK, widest list) candidates */
    float *scores;         /* the same shape */
    double lists_done, lists_total;
};

/* Everything but the lists. On an error it is filled in part, for serving_release. */
MUST_CHECK enum status_code serving_prepare(struct serving *serving, struct status *status);
void serving_release(struct serving *serving);

/* Whether the rules let the item, a source code, into any list. */
static inline bool serving_is_eligible(const struct serving *serving, int32_t item)
{
    const struct serving_rules *rules = serving->request->rules;
    return rules == NULL || rules->eligible == NULL || rules->eligible[item] != 0;
}

/* Counts finished lists and gives the caller a say. */
MUST_CHECK enum status_code serving_report(struct serving *serving, size_t n_lists,
                                           struct status *status);

MUST_CHECK enum status_code serving_popular_list(struct serving *serving, struct status *status);
MUST_CHECK enum status_code serving_similar_lists(struct serving *serving, struct status *status);

#endif
