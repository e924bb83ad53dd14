/* What the views have shown, and when: the generations whose tables are kept, each switch of the
 * views from one to another, and lists user by user. Only reads.
 *
 *     TRY(shown_read(db, prefix, &shown, status));
 *     shown_at(&shown, time)                                   the generation that people saw
 *     TRY(shown_prepare_list(db, prefix, shown.kept[0].generation, &query, status));
 *     TRY(row_id_bind(query, 1, &user, status));              rank, item_id, source
 *     shown_release(&shown); */
#ifndef NIGHTJAR_PUBLISHING_SHOWN_H
#define NIGHTJAR_PUBLISHING_SHOWN_H

#include "store/db.h"
#include "store/row_id.h"

/* Times are Unix seconds. */
struct shown_generation {
    int64_t generation, run_started, n_users; /* users with a list */
};

/* From `time` on, to the next one's, the views showed the generation. */
struct shown_switch {
    int64_t time, generation;
};

/* Zero-initialise. */
struct shown {
    size_t n, n_switches;
    struct shown_generation *kept; /* (n) by generation */
    struct shown_switch *switches; /* (n_switches) by time */
};

/* `out` zeroed; stays so where nothing is published. */
MUST_CHECK enum status_code shown_read(struct db *db, const char *prefix, struct shown *out,
                                       struct status *status);
/* The generation that people saw at that time; 0: none. */
int64_t shown_at(const struct shown *shown, int64_t time);
/* When the oldest kept generation's run began; INT64_MAX: none is kept. */
MUST_CHECK enum status_code shown_since(struct db *db, const char *prefix, int64_t *since,
                                        struct status *status);
void shown_release(struct shown *shown);

/* rank, item_id and source of a user's rows by rank; the user is parameter 1. */
MUST_CHECK enum status_code shown_prepare_list(struct db *db, const char *prefix,
                                               int64_t generation, struct db_query **query,
                                               struct status *status);
/* A trial that a prefix takes part in. */
struct shown_trial {
    int64_t since; /* when the oldest kept generation was published since which its share is that
                      of the newest one; 0: the newest is not of the trial */
    char pipeline[72]; /* of the newest */
};

/* From the metrics `share` and `start` of the group `of` that such generations have. */
MUST_CHECK enum status_code shown_read_trial(struct db *db, const char *prefix, const char *of,
                                             const char *share, const char *start,
                                             struct shown_trial *out, struct status *status);

/* item_id of the popular items, by rank. */
MUST_CHECK enum status_code shown_prepare_popular(struct db *db, const char *prefix,
                                                  int64_t generation, struct db_query **query,
                                                  struct status *status);

#endif
