/* A small generation to publish, every number of which follows from its `version`. */
#ifndef NIGHTJAR_TESTS_PUBLISH_SUPPORT_H
#define NIGHTJAR_TESTS_PUBLISH_SUPPORT_H

#include "publishing/generation.h"

enum { SAMPLE_DIMENSION = 4 };

/* How large, and of which kind of ids. */
struct sample_shape {
    size_t n_users, n_items, top;
    bool users_are_text, items_are_text;
};

struct sample {
    struct publish_content content;
    struct publish_metric metric;
    void *blocks[32]; /* to be freed */
    size_t n_blocks;
};

/* User c is 10 c - 20 or "user-c", item c is 100 + c or "item-c". User c is recommended the items
 * c + 1, c + 2, ... (modulo n_items), user 1 only one; every score, bias and vector element is
 * `version`; sources go round. The first three items are popular; item c is similar to c + 1. */
void sample_init(struct sample *sample, struct sample_shape shape, float version);
void sample_release(struct sample *sample);

/* Fails with what the status says. */
void publish_assert_ok(enum status_code code, const struct status *status);
/* out.db in the test's folder, with the tables of an output database. */
struct db *publish_open(void **state, const char *prefix);
/* The generation that a sample has become. */
int64_t publish_sample(struct db *db, struct sample_shape shape, float version, int64_t keep);
/* Everything that is in the file, history times aside; the caller's to release. */
struct buf publish_dump(struct db *db);
void publish_assert_dump(struct db *db, const struct buf *before);

#endif
