/* What the serving*.c files share. Nobody else includes it.
 *
 *      serving_prepare.c   maps, candidates, what a user has seen, room for the lists
 *      serving_run.c       users and their vectors, in the order of things
 *      serving_lists.c     a user's list out of what was ranked, by the rules
 *      serving_index.c     inverted lists, where they are used, and how well they do
 *      serving_reasons.c   what carried a row: of a user's history, and of the score's parts
 *      serving_items.c     the popular list and similar items
 *      serving_segments.c  the popular list of each segment of the users
 *      serving_trending.c  what is chosen of late, and similar users
 *      serving_live.c      what it takes to score without us
 *
 * Inside, users and items are source codes (served_ids.h) or candidates; served codes stand only in
 * what is put out. Candidates are the towers' items and, behind them, their cold ones. */
#ifndef NIGHTJAR_SERVING_SERVING_INTERNAL_H
#define NIGHTJAR_SERVING_SERVING_INTERNAL_H

#include "ranking/score.h"
#include "ranking/inverted_lists.h"
#include "serving/serving.h"

/* Lists ranked at once. With inverted lists each thread has two of their tasks: enough anchors
 * share a list, and a stop waits for seconds at most. */
enum { EXACT_BLOCK = 16384, INDEX_BLOCK_OF_THREAD = 16384 };
enum { POOL_FACTOR = 4 }; /* candidates looked at for a list with rules, times its length */

struct popular_item {
    double score; /* log(1 + users in the log) + boost */
    int32_t item; /* source code */
};

/* What is popular by segment; n 0: there are no segments. */
struct popular_segments {
    size_t n;
    int32_t *users; /* (source users) by segment, ascending within one */
    size_t *ends;   /* (n + 2) in `users`: those of segment s are [ends[s], ends[s + 1]), those of
                       none before ends[0] */
    /* how the users of segment s chose: items [first[s], first[s + 1]) */
    size_t *first;          /* (n + 1) */
    int32_t *items;         /* ascending within a segment */
    double *chosen;         /* their users, of late ones by the half-life */
    size_t room;            /* of both */
    double *sums;           /* (n) of `chosen` */
    double *whole, *counts; /* (source items) of all users; what a segment makes of it */
    double total, prior;    /* sum of `whole`; mu */
    int32_t shown;          /* the segment whose order serving->popular has */
};

struct list_worker; /* one thread's memory for lists, serving_lists.c */

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

    int32_t *user_row;      /* (source users) row in the towers, or -1 */
    int32_t *cold_row;      /* (source users) row in the towers' cold users, or -1 */
    int32_t *user_place;    /* (source users) list of the user in the output, or -1 */
    struct history history; /* (source users, n_known) what counts for the score */
    bool choosy;            /* there are rules on whole lists */
    int32_t segment;        /* of the anchors that are ranked; -1: none */
    uint8_t *eligible;      /* (n_candidates) to that segment, or NULL: all */
    uint8_t *eligible_new;  /* (n_candidates) of these the new ones; NULL: no share is asked for */
    struct sparse seen;     /* (source users, source items) by rows that count for nothing */
    struct sparse barred;   /* (source users, n_candidates) what is not recommended */

    size_t n_catalogue;           /* items with events in the log */
    struct popular_item *popular; /* (n_catalogue) best first, then lower code; of the segment */
    struct popular_segments segments;
    struct score score;
    struct inverted_lists index; /* of the candidates; no lists: not used */
    size_t n_block;              /* lists ranked at once */
    float *anchors;              /* (n_block, d) */
    int32_t *anchor_users;       /* (n_block) source codes */
    size_t n_anchors;            /* waiting to be ranked */
    size_t n_room;               /* entries of lists: n_block lists, or one of all candidates */
    int32_t *lists;              /* (n_room) candidates of several lists, one behind the other */
    float *scores;               /* (n_room) */
    int32_t *new_lists; /* (n_room) the same of new items alone; NULL: no share is asked for */
    float *new_scores;
    uint8_t *unfinished; /* (n_block) lists for which the pool was too small */
    size_t n_workers;
    struct list_worker *workers;
    double lists_done, lists_total;
    int64_t now; /* from which ages are counted; 0: no part of the score looks at them */
};

/* Everything but the lists. On an error it is filled in part, for serving_release. */
MUST_CHECK enum status_code serving_prepare(struct serving *serving, struct status *status);
void serving_release(struct serving *serving);

/* Counts finished lists and gives the caller a say. */
MUST_CHECK static inline enum status_code serving_report(struct serving *serving, size_t n_lists,
                                                         struct status *status)
{
    serving->lists_done += (double)n_lists;
    recommendations_rest(serving->out);
    return watch_step(&serving->request->watch, serving->lists_done, serving->lists_total, status);
}

/* serving_index.c */

/* Builds and measures the index, where one is to be used. Everything but room for lists is there.
 */
MUST_CHECK enum status_code serving_index_prepare(struct serving *serving, struct status *status);
/* Lists of users, or of items for similar ones: as ranking_run, or by the index. */
MUST_CHECK enum status_code serving_find(struct serving *serving, const struct ranking *ranking,
                                         const struct index_use *use, int32_t *items, float *scores,
                                         struct status *status);

/* serving_lists.c */

MUST_CHECK enum status_code serving_lists_prepare(struct serving *serving, struct status *status);
void serving_lists_release(struct serving *serving);
/* Ranks the anchors that wait, all of the segment that is set, and puts their lists in place.
 * `source`: of the rows with items that the towers know. */
MUST_CHECK enum status_code serving_rank_anchors(struct serving *serving,
                                                 enum publish_source source, struct status *status);
/* Lists of users without a vector, and of those whom the towers had nothing for. */
void serving_fill_lists(struct serving *serving);

/* serving_reasons.c: reasons and parts of every row of the towers' lists. */
MUST_CHECK enum status_code serving_explain(struct serving *serving, struct status *status);

/* serving_items.c */

MUST_CHECK enum status_code serving_popular_list(struct serving *serving, struct status *status);
MUST_CHECK enum status_code serving_similar_lists(struct serving *serving, struct status *status);

/* serving_segments.c */

/* order (n) = 0 .. n - 1 by the segments of users (n source codes; NULL: all), ascending within
 * one. ends (1 + segments): where those of none end, those of segment 0, and so on; may be NULL. */
MUST_CHECK enum status_code serving_order_by_segment(const struct serving *serving,
                                                     const int32_t *users, size_t n,
                                                     int32_t **order, size_t **ends,
                                                     struct status *status);
MUST_CHECK enum status_code serving_segments_prepare(struct serving *serving,
                                                     struct status *status);
void serving_segments_release(struct serving *serving);
/* The eligible candidates and popular items of a segment, for what is ranked from now on. */
void serving_set_segment(struct serving *serving, int32_t segment);

/* The catalogue, by popularity (source items; > 0 stands in it). */
void serving_rank_popular(struct serving *serving, const double *popularity);
MUST_CHECK enum status_code serving_segment_lists(struct serving *serving, struct status *status);

/* serving_trending.c */

MUST_CHECK enum status_code serving_trending_lists(struct serving *serving, struct status *status);
MUST_CHECK enum status_code serving_similar_users(struct serving *serving, struct status *status);

/* serving_live.c: nothing where it is not asked for. */
MUST_CHECK enum status_code serving_live(struct serving *serving, struct status *status);

#endif
