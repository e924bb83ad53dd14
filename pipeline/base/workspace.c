/* One block of work memory. See workspace.h. */
#include "base/workspace.h"

#include "base/mem.h"
#include "base/num.h"

#include <assert.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
enum { GAP = 64 }; /* poisoned bytes behind an array */
#else
enum { GAP = 0 };
#define ASAN_POISON_MEMORY_REGION(at, bytes)   ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

enum { LINE = 64 };

void workspace_begin(struct workspace *workspace)
{
    workspace->n_parts = workspace->n_reserved = workspace->wanted = 0;
}

void workspace_add(struct workspace *workspace, void *place, size_t count, size_t size, bool zero)
{
    size_t bytes = 0, at = workspace->wanted;
    assert(workspace->n_parts < WORKSPACE_PARTS_MAX);
    if (!num_multiply(count, size, &bytes) || bytes > SIZE_MAX / 2 || at > SIZE_MAX / 2 - bytes) {
        workspace->wanted = SIZE_MAX; /* refused by workspace_reserve */
        return;
    }
    workspace->parts[workspace->n_parts++] = (struct workspace_part){place, at, bytes, zero};
    workspace->wanted = (at + bytes + GAP + LINE - 1) / LINE * LINE;
}

/* Room for all that is wanted; what was reserved in this call is carried over. */
static enum status_code grow(struct workspace *workspace, struct status *status)
{
    char *block = NULL;
    /* calls whose sizes vary a little find a block that has grown once large enough */
    size_t keep = 0, bytes = workspace->wanted, slack = workspace->bytes > 0 ? bytes / 16 : 0;
    enum status_code code;
    if (workspace->n_reserved > 0) {
        const struct workspace_part *last = &workspace->parts[workspace->n_reserved - 1];
        keep = last->at + last->bytes;
        ASAN_UNPOISON_MEMORY_REGION(workspace->block, workspace->bytes);
    } else { /* not both at once in memory */
        workspace_release(workspace);
    }
    bytes += workspace->wanted == SIZE_MAX ? 0 : slack / LINE * LINE;
    TRY(MEM_NEW(&block, bytes, status));
    if (keep > 0) {
        memcpy(block, workspace->block, keep);
    }
    mem_free(workspace->block);
    workspace->block = block;
    workspace->bytes = bytes;
done:
    return code;
}

enum status_code workspace_reserve(struct workspace *workspace, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (workspace->wanted > workspace->bytes || workspace->block == NULL) {
        TRY(grow(workspace, status));
    }
    ASAN_POISON_MEMORY_REGION(workspace->block, workspace->bytes);
    for (size_t p = 0; p < workspace->n_parts; p++) {
        const struct workspace_part *part = &workspace->parts[p];
        char *at = workspace->block + part->at;
        ASAN_UNPOISON_MEMORY_REGION(at, part->bytes);
        if (part->zero && p >= workspace->n_reserved && part->bytes > 0) {
            memset(at, 0, part->bytes);
        }
        mem_set_pointer(part->place, at);
    }
    workspace->n_reserved = workspace->n_parts;
done:
    return code;
}

void workspace_release(struct workspace *workspace)
{
    if (workspace->block != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(workspace->block, workspace->bytes);
    }
    mem_free(workspace->block);
    workspace->block = NULL;
    workspace->bytes = 0;
}
