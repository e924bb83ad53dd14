/* A packed list of strings. */
#include "base/strings.h"

#include "base/mem.h"

#include <assert.h>

enum { STRINGS_FIRST = 16 };

/* Doubles *block until it has room for `needed` elements. */
static enum status_code grow(void **block, size_t *capacity, size_t needed, size_t size,
                             struct status *status)
{
    if (*block != NULL && needed <= *capacity) {
        return STATUS_OK;
    }
    size_t larger = *capacity == 0 ? STRINGS_FIRST : *capacity;
    while (larger < needed) {
        larger = larger > SIZE_MAX / 2 ? needed : larger * 2;
    }
    enum status_code code = mem_resize(block, *capacity, larger, size, status);
    if (code == STATUS_OK) {
        *capacity = larger;
    }
    return code;
}

enum status_code strings_add(struct strings *strings, const char *text, size_t length,
                             struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t used = strings->n == 0 ? 0 : (size_t)strings->offsets[strings->n];

    if (length > (size_t)PTRDIFF_MAX - used) {
        code = status_set(status, STATUS_NO_MEMORY, "out of memory: text of %zu bytes", length);
        goto done;
    }
    TRY(grow((void **)&strings->offsets, &strings->offsets_capacity, strings->n + 2,
             sizeof *strings->offsets, status));
    TRY(grow((void **)&strings->bytes, &strings->bytes_capacity, used + length, 1, status));
    if (length > 0) {
        memcpy(strings->bytes + used, text, length);
    }
    strings->n++;
    strings->offsets[strings->n] = (int64_t)(used + length);
done:
    return code;
}

const char *strings_get(const struct strings *strings, size_t index, size_t *length)
{
    assert(index < strings->n);
    int64_t first = strings->offsets[index];
    *length = (size_t)(strings->offsets[index + 1] - first);
    return strings->bytes + first;
}

bool strings_equal(const struct strings *strings, size_t index, const char *text)
{
    size_t length;
    const char *at = strings_get(strings, index, &length);
    return length == strlen(text) && memcmp(at, text, length) == 0;
}

void strings_release(struct strings *strings)
{
    mem_free(strings->offsets);
    mem_free(strings->bytes);
    *strings = (struct strings){0};
}
