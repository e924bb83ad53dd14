/* Which half-life of interaction weights suits a log: `half_life: auto` of the interactions stage,
 * which asks before the log is folded. Nothing is trained: lists of item-item neighbours, made of
 * the train part with its weights decayed by one half-life or another, are judged by what the
 * validation part has. The half-life that orders those lists best was that of the towers, too
 * (tests/bench/README.md). */
#ifndef NIGHTJAR_EVALUATION_WEIGHT_HALF_LIFE_H
#define NIGHTJAR_EVALUATION_WEIGHT_HALF_LIFE_H

#include "base/pool.h"
#include "events/event_log.h"

enum { WEIGHT_HALF_LIVES = 8 };
extern const double weight_half_lives[WEIGHT_HALF_LIVES]; /* days, falling behind 0, no decay */

struct weight_half_life {
    size_t chosen;  /* among weight_half_lives */
    size_t n_users; /* judged; 0: no times, or nobody has anything new in a validation part */
    double values[WEIGHT_HALF_LIVES]; /* ndcg@20 of each */
};

/* `log` is sorted and split; only its train and validation parts are looked at. The longest
 * half-life is chosen that the best one does not beat by more than one standard error of the
 * users' paired differences. Users are a sample, drawn by `seed`, of a size that takes a small part
 * of the time of a night; everything is, on a log of a few hundred thousand pairs. Under several
 * ranks (log->ranks) each gets the whole sample, and chooses the same. */
MUST_CHECK enum status_code weight_half_life_choose(const struct event_log *log,
                                                    enum duplicate_policy duplicates, uint64_t seed,
                                                    struct pool *pool, struct weight_half_life *out,
                                                    struct status *status);

#endif
