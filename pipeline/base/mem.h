/* Checked allocation. Every size multiplication is checked for overflow; failure is
 * STATUS_NO_MEMORY with the size asked for. Blocks are aligned to 64 bytes (one cache line, one
 * AVX-512 register) and freed with mem_free. */
#ifndef NIGHTJAR_BASE_MEM_H
#define NIGHTJAR_BASE_MEM_H

#include "base/status.h"

#include <string.h>

/* *out = zeroed array of `count` elements of `size` bytes; count 0 gives a valid, freeable block.
 * On failure *out is untouched. */
MUST_CHECK enum status_code mem_new(size_t count, size_t size, void **out, struct status *status);

/* Grows *block (may be NULL) from old_count to at least new_count elements of `size` bytes, keeping
 * the contents and zeroing the new part. On failure *block is untouched and still valid. */
MUST_CHECK enum status_code mem_resize(void **block, size_t old_count, size_t new_count,
                                       size_t size, struct status *status);

/* NULL is allowed. */
void mem_free(void *block);

/* Bytes of memory that this machine has; 0: it does not say. */
double mem_of_machine(void);

/* Asks the processor for memory that will be read, or read and written, soon. */
static inline void mem_prefetch(const void *from, size_t bytes)
{
    enum { LINE = 64 };
    for (size_t at = 0; at < bytes; at += LINE) {
        __builtin_prefetch((const char *)from + at, 1);
    }
}

/* Reads and writes a pointer of whatever type at `place`: lists of arrays of several types. */
static inline void *mem_pointer_at(const void *place)
{
    void *pointer;
    memcpy(&pointer, place, sizeof pointer);
    return pointer;
}
static inline void mem_set_pointer(void *place, const void *pointer)
{
    memcpy(place, &pointer, sizeof pointer);
}

/* ---- large arrays in a file instead of in memory ----
 * They are used like any other and freed with mem_free, but only what is being looked at is in
 * memory, and the system can put that away, too. For what is mostly read front to back: lists, and
 * results of other stages, of which a stage reads parts. */

/* As mem_new; from 256 MiB on in a file without a name, in the folder of the file `beside`, whose
 * room on the disk is taken at once: STATUS_IO where there is none. beside NULL: in memory. */
MUST_CHECK enum status_code spill_new(const char *beside, size_t count, size_t size, void **out,
                                      struct status *status);
/* Another size from which on a block is worth a file; for tests. Returns the one before. */
size_t spill_set_least(size_t bytes);
/* The pages of a block of spill_new are not needed for a while; any other block of mem_new, and
 * NULL, is left alone. What stands before the block is read: never ask this of a place within one.
 */
void spill_rest(void *block);
/* Whether a block (none of its places) is in a file. */
bool spill_has(const void *block);

/* Typed front doors: MEM_NEW(&array, n, status), where `array` is a pointer to the element type. */
#define MEM_NEW(pointer_address, count, status)                                                    \
    mem_new((count), sizeof **(pointer_address), (void **)(pointer_address), (status))
#define MEM_RESIZE(pointer_address, old_count, new_count, status)                                  \
    mem_resize((void **)(pointer_address), (old_count), (new_count), sizeof **(pointer_address),   \
               (status))
#define SPILL_NEW(beside, pointer_address, count, status)                                          \
    spill_new((beside), (count), sizeof **(pointer_address), (void **)(pointer_address), (status))

#endif
