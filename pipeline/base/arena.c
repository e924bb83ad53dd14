/* Bump allocation out of a list of blocks. */
#include "base/arena.h"

#include "base/mem.h"
#include "base/num.h"

enum { ARENA_ALIGNMENT = 16, ARENA_BLOCK_BYTES = 16 * 1024 };

/* The newest block comes first; its payload follows the header. */
struct arena_block {
    struct arena_block *next;
    size_t used, capacity; /* bytes of the payload */
    _Alignas(ARENA_ALIGNMENT) unsigned char payload[];
};

enum status_code arena_new(struct arena *arena, size_t count, size_t size, void **out,
                           struct status *status)
{
    size_t bytes = 0;
    if (!num_multiply(count, size, &bytes) || bytes > PTRDIFF_MAX / 2) {
        return status_set(status, STATUS_NO_MEMORY,
                          "out of memory: %zu elements of %zu bytes are more than a process can "
                          "address",
                          count, size);
    }
    bytes = (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;

    struct arena_block *block = arena->blocks;
    if (block == NULL || block->capacity - block->used < bytes) {
        size_t capacity = bytes > ARENA_BLOCK_BYTES ? bytes : ARENA_BLOCK_BYTES;
        void *memory = NULL;
        enum status_code code = mem_new(1, sizeof *block + capacity, &memory, status);
        if (code != STATUS_OK) {
            return code;
        }
        block = memory;
        block->capacity = capacity;
        block->next = arena->blocks;
        arena->blocks = block;
    }
    *out = block->payload + block->used;
    block->used += bytes;
    return STATUS_OK;
}

enum status_code arena_copy_text(struct arena *arena, const char *text, size_t length, char **out,
                                 struct status *status)
{
    void *copy = NULL;
    enum status_code code =
        length == SIZE_MAX ? status_set(status, STATUS_NO_MEMORY, "out of memory: text too long")
                           : arena_new(arena, length + 1, 1, &copy, status);
    if (code != STATUS_OK) {
        return code;
    }
    if (length > 0) {
        memcpy(copy, text, length);
    }
    *out = copy;
    return STATUS_OK;
}

void arena_release(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *next = block->next;
        mem_free(block);
        block = next;
    }
    *arena = (struct arena){0};
}
