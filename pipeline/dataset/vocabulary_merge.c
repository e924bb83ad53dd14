/* One pass over two ascending lists of ids. */
#include "dataset/vocabulary_merge.h"

#include "base/mem.h"

static void set(int32_t *map, size_t index, size_t code)
{
    if (map != NULL) {
        map[index] = (int32_t)code;
    }
}

static enum status_code check(const struct vocabulary *a, const struct vocabulary *b,
                              struct status *status)
{
    if (a->n > 0 && b->n > 0 && a->type != b->type) {
        return status_set(status, STATUS_INTERNAL, "ids of two types are to be merged");
    }
    if (a->n + b->n > (size_t)INT32_MAX) {
        return status_set(status, STATUS_DATA, "more than %d different ids; codes have 31 bits",
                          INT32_MAX);
    }
    return STATUS_OK;
}

enum status_code vocabulary_merge(const struct vocabulary *a, const struct vocabulary *b,
                                  struct vocabulary *out, int32_t *map_a, int32_t *map_b,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct vocabulary made = {.type = a->n > 0 ? a->type : b->type};
    size_t i = 0, j = 0;

    TRY(check(a, b, status));
    if (made.type == ID_INTEGER) {
        made.capacity = a->n + b->n;
        TRY(MEM_NEW(&made.integers, made.capacity, status));
    }
    while (i < a->n || j < b->n) {
        const int order = j == b->n ? -1 : i == a->n ? 1 : vocabulary_compare(a, i, b, j);
        if (order <= 0) {
            set(map_a, i, made.n);
        }
        if (order >= 0) {
            set(map_b, j, made.n);
        }
        TRY(vocabulary_append(&made, order <= 0 ? a : b, order <= 0 ? i : j, status));
        i += order <= 0 ? 1 : 0;
        j += order >= 0 ? 1 : 0;
    }
    *out = made;
    made = (struct vocabulary){0};
done:
    vocabulary_release(&made);
    return code;
}
