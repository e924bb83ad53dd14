/* Taking all of ours out of an output database. */
#ifndef NIGHTJAR_PUBLISHING_PUBLISH_DROP_H
#define NIGHTJAR_PUBLISHING_PUBLISH_DROP_H

#include "store/db.h"

/* A query with a row (type, name) for each table and view of ours, under this prefix; none where
 * nothing was published. The caller's to finalize. What is not ours under our names, or a newer
 * version of ours: STATUS_CONFIG, as publish_check_names. */
MUST_CHECK enum status_code publish_list(struct db *db, const char *prefix, struct db_query **query,
                                         struct status *status);
/* The same of views and triggers that are not ours and name one of ours, so that they will fail
 * without it. */
MUST_CHECK enum status_code publish_list_dependents(struct db *db, const char *prefix,
                                                    struct db_query **query, struct status *status);
/* Whether forget has taken people out, who are known by nothing else. */
MUST_CHECK enum status_code publish_has_forgotten(struct db *db, const char *prefix, bool *has,
                                                  struct status *status);
/* First the views, in one transaction, so that nobody reads half of it; then the generations in
 * short ones; our fixed tables last: what a crash leaves is found and dropped by the next call.
 * What held ids is wiped in the file. */
MUST_CHECK enum status_code publish_drop(struct db *db, const char *prefix, struct status *status);

#endif
