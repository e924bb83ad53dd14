/* Large arrays in a file instead of in memory. They are used like any other and freed with
 * mem_free, but only what is being looked at is in memory, and the system can put that away, too.
 * For what is mostly read front to back: lists, and results of other stages, of which a stage reads
 * parts. */
#ifndef NIGHTJAR_BASE_SPILL_H
#define NIGHTJAR_BASE_SPILL_H

#include "base/status.h"

/* As mem_new; from 256 MiB on in a file without a name, in the folder of the file `beside`, whose
 * room on the disk is taken at once: STATUS_IO where there is none. beside NULL: in memory. */
MUST_CHECK enum status_code spill_new(const char *beside, size_t count, size_t size, void **out,
                                      struct status *status);
/* Another size from which on a block is worth a file; for tests. Returns the one before. */
size_t spill_set_least(size_t bytes);
/* The pages of a block of spill_new are not needed for a while; any other block is left alone. */
void spill_rest(void *block);
/* Whether a block is in a file. */
bool spill_has(const void *block);
/* For mem_free: frees a block that is in a file; false: it is not. */
bool spill_free(void *block);

#define SPILL_NEW(beside, pointer_address, count, status)                                          \
    spill_new((beside), (count), sizeof **(pointer_address), (void **)(pointer_address), (status))

#endif
