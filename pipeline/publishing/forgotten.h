/* People who are left out of every later run: keyed hashes of their ids in the output database. An
 * INTEGER id and a TEXT id never have the same hash. */
#ifndef NIGHTJAR_PUBLISHING_FORGOTTEN_H
#define NIGHTJAR_PUBLISHING_FORGOTTEN_H

#include "base/hash.h"
#include "ranks/ranks.h"
#include "store/row_id.h"

/* Zero-initialise. */
struct forgotten {
    size_t n;
    uint8_t key[HASH_KEY_BYTES];
    uint8_t *hashes; /* (n, KEYED_HASH_BYTES), ascending */
};

/* Empty where nobody was ever forgotten, or where our tables do not exist. */
MUST_CHECK enum status_code forgotten_load(struct forgotten *forgotten, struct db *db,
                                           const char *prefix, struct status *status);
/* Another of the same. */
MUST_CHECK enum status_code forgotten_clone(const struct forgotten *forgotten,
                                            struct forgotten *out, struct status *status);
/* Rank 0's to all. */
MUST_CHECK enum status_code forgotten_share(struct ranks *ranks, struct forgotten *forgotten,
                                            struct status *status);
bool forgotten_has(const struct forgotten *forgotten, const struct row_id *person);
void forgotten_release(struct forgotten *forgotten);

/* Adds the hashes; those that are there stay. The tables exist (migrate_apply). One transaction. */
MUST_CHECK enum status_code forgotten_add(struct db *db, const char *prefix,
                                          const struct row_id *people, size_t n,
                                          struct status *status);
/* The same people in another output database, whose tables exist and are empty. One transaction. */
MUST_CHECK enum status_code forgotten_copy(struct db *db, const char *prefix,
                                           const struct forgotten *forgotten,
                                           struct status *status);

#endif
