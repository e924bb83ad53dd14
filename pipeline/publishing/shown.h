/* What the views have shown, and when: of each generation whose tables are kept, the times between
 * which people saw it, and its lists user by user. Only reads.
 *
 *     TRY(shown_read(db, prefix, &shown, &n, status));
 *     TRY(shown_prepare_list(db, prefix, shown[0].generation, &query, status));
 *     TRY(shown_bind_user(query, &user, status));              rank, item_id, source */
#ifndef NIGHTJAR_PUBLISHING_SHOWN_H
#define NIGHTJAR_PUBLISHING_SHOWN_H

#include "store/db.h"
#include "store/row_id.h"

/* Times are Unix seconds; INT64_MAX: not yet. */
struct shown {
    int64_t generation, run_started, n_users; /* users with a list */
    int64_t from, until;                      /* published, and replaced by the next one */
    int64_t again; /* since when a rollback shows it once more; of earlier rollbacks nothing is
                      known */
};

/* Ascending; none where nothing is published. *out is the caller's (mem_free). */
MUST_CHECK enum status_code shown_read(struct db *db, const char *prefix, struct shown **out,
                                       size_t *n, struct status *status);
/* Whether people saw it at that time. */
bool shown_at(const struct shown *shown, int64_t time);
/* rank, item_id and source of the user's rows by rank; the user is bound by the second. */
MUST_CHECK enum status_code shown_prepare_list(struct db *db, const char *prefix,
                                               int64_t generation, struct db_query **query,
                                               struct status *status);
MUST_CHECK enum status_code shown_bind_user(struct db_query *query, const struct row_id *user,
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
