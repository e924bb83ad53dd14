/* Checked, zeroed, 64-byte aligned allocation. */
#include "base/mem.h"

#include "base/num.h"
#include "base/spill.h"

#include <assert.h>

enum { MEM_ALIGNMENT = 64 };

static enum status_code allocate(size_t count, size_t size, void **out, size_t *bytes,
                                 struct status *status)
{
    size_t total = 0;
    if (!num_multiply(count, size, &total) || total > (size_t)PTRDIFF_MAX - MEM_ALIGNMENT) {
        return status_set(status, STATUS_NO_MEMORY,
                          "out of memory: %zu elements of %zu bytes are more than a process can "
                          "address",
                          count, size);
    }
    void *block = NULL;
    if (posix_memalign(&block, MEM_ALIGNMENT, total == 0 ? 1 : total) != 0) {
        char text[NUM_TEXT_MAX];
        num_format_bytes((double)total, text);
        return status_set(status, STATUS_NO_MEMORY, "out of memory: no block of %s is left", text);
    }
    *bytes = total;
    *out = block;
    return STATUS_OK;
}

enum status_code mem_new(size_t count, size_t size, void **out, struct status *status)
{
    void *block = NULL;
    size_t bytes = 0;
    enum status_code code = allocate(count, size, &block, &bytes, status);
    if (code == STATUS_OK) {
        memset(block, 0, bytes);
        *out = block;
    }
    return code;
}

enum status_code mem_resize(void **block, size_t old_count, size_t new_count, size_t size,
                            struct status *status)
{
    assert(*block != NULL || old_count == 0);
    if (*block != NULL && new_count <= old_count) {
        return STATUS_OK;
    }
    void *grown = NULL;
    size_t bytes = 0;
    enum status_code code = allocate(new_count, size, &grown, &bytes, status);
    if (code != STATUS_OK) {
        return code;
    }
    size_t kept = old_count * size;
    if (kept > 0) {
        memcpy(grown, *block, kept);
    }
    memset((char *)grown + kept, 0, bytes - kept);
    free(*block);
    *block = grown;
    return STATUS_OK;
}

void mem_free(void *block)
{
    if (!spill_free(block)) {
        free(block);
    }
}
