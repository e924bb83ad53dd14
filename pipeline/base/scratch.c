/* Work memory that only grows; declared in mem.h. */
#include "base/mem.h"

enum status_code scratch_reserve(struct scratch *scratch, size_t count, size_t size,
                                 struct status *status)
{
    if (count <= scratch->bytes / size) {
        return STATUS_OK;
    }
    void *block = NULL;
    enum status_code code = mem_new(count, size, &block, status);
    if (code == STATUS_OK) {
        mem_free(scratch->data);
        *scratch = (struct scratch){block, count * size};
    }
    return code;
}

void scratch_release(struct scratch *scratch)
{
    mem_free(scratch->data);
    *scratch = (struct scratch){0};
}
