/* Memory that is freed all at once: the plan, documents, tables of strings. */
#ifndef NIGHTJAR_BASE_ARENA_H
#define NIGHTJAR_BASE_ARENA_H

#include "base/status.h"

struct arena_block;

/* Zero-initialise. */
struct arena {
    struct arena_block *blocks;
};

/* Zeroed memory of count * size bytes, aligned to 16; lives until arena_release. */
MUST_CHECK enum status_code arena_new(struct arena *arena, size_t count, size_t size, void **out,
                                      struct status *status);
/* A zero-terminated copy of `length` bytes. */
MUST_CHECK enum status_code arena_copy_text(struct arena *arena, const char *text, size_t length,
                                            char **out, struct status *status);
void arena_release(struct arena *arena);

#endif
