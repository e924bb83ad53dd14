/* The work memory of a call that is made again and again: one block for all its arrays, that grows
 * where a call needs more and is released once. The arrays of a call are named first, then reserved
 * together:
 *
 *     struct workspace workspace = {0};              kept between the calls
 *     float *logits;
 *     int64_t *rows;
 *     ...
 *     workspace_begin(&workspace);                   a call: what the last one reserved is gone
 *     WORKSPACE_ADD(&workspace, &logits, n);
 *     WORKSPACE_ADD(&workspace, &rows, n_rows + 1);
 *     TRY(workspace_reserve(&workspace, status));    logits and rows point into the block
 *     ...
 *     workspace_release(&workspace);                 after the last call
 *
 * Sizes that are known later are a phase of their own: workspace_begin only once, then add and
 * reserve again; what was reserved before stays where it is as long as the call before needed as
 * much, and is moved with its contents otherwise. The pointers must live until the last reserve of
 * the call: in the object that works, not in a block that has ended.
 *
 * Arrays begin on a cache line. They hold whatever the call before left, unless WORKSPACE_ZERO
 * named them. Built with the address sanitizer, what lies between two arrays is poisoned. */
#ifndef NIGHTJAR_BASE_WORKSPACE_H
#define NIGHTJAR_BASE_WORKSPACE_H

#include "base/status.h"

enum { WORKSPACE_PARTS_MAX = 48 }; /* arrays of a call */

/* Zero-initialise. */
struct workspace {
    char *block;
    size_t bytes;  /* of the block */
    size_t wanted; /* of the arrays named so far; SIZE_MAX: more than can be counted */
    size_t n_parts, n_reserved;
    struct workspace_part {
        void *place; /* the caller's pointer */
        size_t at, bytes;
        bool zero;
    } parts[WORKSPACE_PARTS_MAX];
};

void workspace_begin(struct workspace *workspace);
void workspace_add(struct workspace *workspace, void *place, size_t count, size_t size, bool zero);
/* Sets the pointers of all arrays named since workspace_begin. STATUS_NO_MEMORY leaves the block
 * empty: begin again. */
MUST_CHECK enum status_code workspace_reserve(struct workspace *workspace, struct status *status);
void workspace_release(struct workspace *workspace);

#define WORKSPACE_ADD(workspace, pointer_address, count)                                           \
    workspace_add((workspace), (pointer_address), (count), sizeof **(pointer_address), false)
#define WORKSPACE_ZERO(workspace, pointer_address, count)                                          \
    workspace_add((workspace), (pointer_address), (count), sizeof **(pointer_address), true)

#endif
