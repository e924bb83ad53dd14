/* served_ids_load, serving_rules_read, serving_run, recommendations_save: in this order the stage
 * `recommend` calls. Of user 7 and the items 40, 41 and 42 of the log, of which he had 40 and the
 * rules make 42 not eligible, `top: 2` lists 41, and then nothing.
 *
 * Makes the lists that are published: exact top-k for every user of the log (and, when asked, for
 * users that only the side data have), similar items and the popular list, in served codes
 * (served_ids.h).
 *
 * Where a row comes from:
 *   model    the user has a row in the towers, and so has the item: the blended score of
 *            score.h, n_i and evidence of the towers' basis; the history is the user's whole log
 *            without items that were disliked since
 *   cold     the same score, where the towers have a row for one of the two at most. A cold user's
 *            vector is the one that the towers encoded (of a history that training did not know, or
 *            of side data), else the normalised mean of the vectors of the history's items. A cold
 *            item's vector is the one that the towers encoded of its side data; it has no evidence
 *            and the popularity of an item without users (embeddings_cold_bias)
 *   popular  the user has no vector: items by their number of users in the log, of late ones by
 *            their half-life;
 *            score = log(1 + that number)
 *            of a user with a segment: by the number that there would be if all users chose as his
 *            segment does
 *   relaxed  an item of any of these that breaks a cap, for want of others
 * A list of the towers covers items with vectors. Where fewer than `top` of them are left, the rest
 * of the catalogue follows by popularity, as rows of the source popular, whose scores compare with
 * one another only. Equal scores stand by the lower item code. The catalogue is what the log shows:
 * an item without any accepted event there and without a vector is never recommended. What is not
 * eligible by the rules stands in no list, whatever its source, but has similar items of its own.
 * Popular and similar items, which belong to no user, keep what is eligible to everybody; the
 * popular items of a segment what is eligible to it.
 *
 * What a segment chooses. With c(i) the item's number of users, N their sum over all items, and
 * c_s(i) and N_s the same of the segment's users (of late ones, too),
 *   p_s(i) = (c_s(i) + mu c(i) / N) / (N_s + mu),   score = log(1 + N p_s(i))
 * so a small segment is shrunk to the whole, and one of mu events counts for a half (Dirichlet
 * smoothing, Zhai and Lafferty 2004, A study of smoothing methods for language models). Where
 * segments choose alike, mu is large. It is the one of 10, 31.6 ... 10^6 with the greatest
 * leave-one-out likelihood, of numbers of users of any time,
 *   sum over s and i of c_s(i) log((c_s(i) - 1 + mu (c(i) - 1) / (N - 1)) / (N_s - 1 + mu))
 * (Zhai and Lafferty 2002, Two-stage language models), without items that one user alone has.
 *
 * What is trending is counted, not scored: how many users took the item last within so many days
 * before the newest event, over all items and within each category of the rules. Similar users are
 * those with the nearest vectors, of all whom the towers know.
 *
 * With inverted lists (serving_index.c) the number of lists looked into is the smallest power of
 * two that finds, for a sample of users, at least the share (1 + min_recall) / 2 of the items of
 * their exact lists; a second sample says what share that is, and where it is below min_recall, or
 * more than a quarter of the lists would be looked into, the lists are made exactly. Similar items
 * have a number of their own, measured in the same way.
 *
 * Rules on whole lists. A list is drawn greedily, best score first, passing over items that would
 * break a cap, and, once the places left are all needed for the share of new items, over items that
 * are not new. Where that leaves places: first the share gives way, then the caps (relaxed). With
 * diversity the next item of the pool of the best POOL_FACTOR * top is the one with the largest
 *   (1 - diversity) r(i) - diversity max over chosen j of cos(i, j)
 * where r is the score, scaled to [0, 1] over the pool: maximal marginal relevance (Carbonell and
 * Goldstein 1998, The use of MMR). Rank is then the order, not the score. */
#ifndef NIGHTJAR_SERVING_SERVING_H
#define NIGHTJAR_SERVING_SERVING_H

#include "base/pool.h"
#include "base/watch.h"
#include "ranking/score.h"
#include "serving/recommendations.h"
#include "serving/served_ids.h"
#include "serving/serving_rules.h"
#include "towers/embeddings.h"

/* How the items of lists are found: by every product (ranking.h), or by inverted lists. AUTO: by
 * inverted lists where all products together would take minutes. */
enum serving_index { INDEX_EXACT, INDEX_IVF, INDEX_AUTO };

/* Whether inverted lists are tried for lists that would take so many products of components. */
bool serving_uses_index(enum serving_index index, double n_products);

struct serving_request {
    struct ranks *ranks; /* NULL: one */
    const struct interactions *interactions;
    const struct embeddings *embeddings;
    const struct served_ids *users, *items; /* of these interactions and towers */
    struct score_weights weights;
    double popular_half_life;     /* days, of the popular items; 0: none */
    struct score_sources sources; /* of the towers' basis */
    size_t top;                   /* > 0: rows a user */
    bool exclude_seen;            /* items of the user's log are left out */
    bool exclude_disliked;        /* items are left out whose last word is the user's dislike */
    bool cold_items; /* the towers' cold items stand among recommendations and similar items */
    bool cold_users; /* users without an event but with a vector get lists, too */
    const struct serving_rules *rules; /* NULL: none */
    size_t max_per_category;           /* rows of a list, of the rules' categories; 0: no cap */
    double min_new;       /* share of a list's rows, of the rules' new items; 0: none */
    double diversity;     /* in [0, 1); 0: by score alone */
    size_t explain;       /* reasons a row; 0: none (serving_reasons.c) */
    bool live;            /* what it takes to score any user and item, too */
    bool parts;           /* what each score is made of, too */
    size_t similar;       /* similar items per item; 0: none */
    size_t similar_users; /* similar users per user; 0: none */
    size_t popular; /* items of the popular list, and of each list of what is trending; 0: none */
    enum serving_index index;
    double min_recall; /* below this share of the exact lists' items the lists are made exactly */
    uint64_t seed;     /* of the index */
    const char *spill; /* a file in whose folder large lists are put; NULL: in memory */
    /* called once `out` says how items are found; may be NULL */
    void (*index_made)(void *data, const struct recommendations *out);
    void *data;
    struct watch watch; /* told in lists, between blocks of them */
};

/* Of several ranks each makes the lists of its own users and of a part of the items; popular and
 * trending items are the same on all.
 * `out` zeroed; release with recommendations_release. A list has exactly `top` rows whenever there
 * are as many items that the user may get. */
MUST_CHECK enum status_code serving_run(const struct serving_request *request, struct pool *pool,
                                        struct recommendations *out, struct status *status);

#endif
