/* What goes over the wire for a row: its length, columns and values. */
#include "pairs/pair_parts.h"

#include "base/mem.h"

#include <string.h>

bool pair_parts_is_own(const struct pair_rows *rows, size_t item)
{
    return shard_item_owner(rows->ranks, item) == ranks_mine(rows->ranks);
}

static void put(char **to, const void *from, size_t bytes)
{
    if (bytes > 0) {
        memcpy(*to, from, bytes);
        *to += bytes;
    }
}

static int64_t length_at(const char *place)
{
    int64_t length;
    memcpy(&length, place, sizeof length);
    return length;
}

/* all = the own rows of each rank, in its order; *packed is the caller's to free. */
static enum status_code gather(const struct pair_rows *rows, const int64_t *bounds,
                               const int64_t *lengths, const int32_t *columns, const float *values,
                               struct ranks_bytes *all, struct status *status)
{
    char *mine = NULL;
    size_t bytes = 0;
    enum status_code code;
    for (size_t i = 0; i < rows->n_items; i++) {
        bytes += pair_parts_is_own(rows, i)
                     ? sizeof *lengths + (size_t)lengths[i] * (sizeof *columns + sizeof *values)
                     : 0;
    }
    TRY(MEM_NEW(&mine, bytes, status));
    char *to = mine;
    for (size_t i = 0; i < rows->n_items; i++) {
        if (pair_parts_is_own(rows, i)) {
            put(&to, &lengths[i], sizeof *lengths);
            put(&to, columns + bounds[i], (size_t)lengths[i] * sizeof *columns);
            put(&to, values + bounds[i], (size_t)lengths[i] * sizeof *values);
        }
    }
    TRY(ranks_gather(rows->ranks, mine, bytes, all, status));
done:
    mem_free(mine);
    return code;
}

enum status_code pair_parts_gather(const struct pair_rows *rows, const int64_t *bounds,
                                   const int64_t *lengths, const int32_t *columns,
                                   const float *values, struct sparse *out, struct status *status)
{
    struct ranks_bytes all = {0};
    struct sparse made = {0};
    const char *places[RANKS_MAX];
    enum status_code code;
    TRY(gather(rows, bounds, lengths, columns, values, &all, status));
    const size_t bytes = all.first[ranks_n(rows->ranks)] - rows->n_items * sizeof *lengths;
    TRY(sparse_init(&made, rows->n_items, rows->n_items,
                    bytes / (sizeof *made.columns + sizeof *made.values), true, status));
    for (size_t r = 0; r < ranks_n(rows->ranks); r++) {
        places[r] = all.data + all.first[r];
    }
    for (size_t i = 0; i < rows->n_items; i++) {
        const char **place = &places[shard_item_owner(rows->ranks, i)];
        const int64_t length = length_at(*place), at = made.offsets[i];
        const size_t of_columns = (size_t)length * sizeof *made.columns;
        *place += sizeof length;
        memcpy(made.columns + at, *place, of_columns);
        memcpy(made.values + at, *place + of_columns, (size_t)length * sizeof *made.values);
        *place += of_columns + (size_t)length * sizeof *made.values;
        made.offsets[i + 1] = at + length;
    }
    *out = made;
done:
    ranks_bytes_release(&all);
    return code;
}
