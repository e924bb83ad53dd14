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

#endif
