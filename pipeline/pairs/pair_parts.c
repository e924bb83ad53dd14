/* What goes over the wire for a row: its length, partners, counts and sums; for a row that is
 * finished its length, columns and values. */
#include "pairs/pair_parts.h"

#include "base/mem.h"

#include <string.h>

static size_t owner_of(const struct pair_rows *rows, size_t item)
{
    return ranks_owner(rows->ranks, shard_of_item(item));
}

bool pair_parts_is_own(const struct pair_rows *rows, size_t item)
{
    return owner_of(rows, item) == ranks_mine(rows->ranks);
}

static void release_slice(struct pair_parts *parts)
{
    mem_free(parts->bounds);
    mem_free(parts->lengths);
    mem_free(parts->places);
    parts->bounds = parts->lengths = NULL;
    parts->places = NULL;
}

static void release_entries(struct pair_parts *parts)
{
    mem_free(parts->partners);
    mem_free(parts->counts);
    mem_free(parts->sums);
    parts->partners = parts->counts = NULL;
    parts->sums = NULL;
    parts->n_entries = 0;
}

void pair_parts_release(struct pair_parts *parts)
{
    release_slice(parts);
    release_entries(parts);
    ranks_bytes_release(&parts->send);
    ranks_bytes_release(&parts->received);
}

/* The room of the slice before is taken again where it is enough. */
static enum status_code reserve_entries(struct pair_parts *parts, size_t n, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (n <= parts->n_entries) {
        goto done;
    }
    release_entries(parts);
    TRY(MEM_NEW(&parts->partners, n, status));
    if (parts->rows->counts) {
        TRY(MEM_NEW(&parts->counts, n, status));
    }
    if (parts->rows->sums) {
        TRY(MEM_NEW(&parts->sums, n, status));
    }
    parts->n_entries = n;
done:
    return code;
}

enum status_code pair_parts_begin(struct pair_parts *parts, size_t first_item, size_t end_item,
                                  struct status *status)
{
    const struct pair_rows *rows = parts->rows;
    const size_t n = end_item - first_item;
    enum status_code code;
    release_slice(parts);
    parts->first_item = first_item;
    parts->end_item = end_item;
    TRY(MEM_NEW(&parts->bounds, n + 1, status));
    TRY(MEM_NEW(&parts->lengths, n, status));
    TRY(MEM_NEW(&parts->places, n * ranks_n(rows->ranks), status));
    for (size_t i = 0; i < n; i++) {
        const int64_t most = rows->own_additions[first_item + i];
        const bool is_many = most > (int64_t)rows->n_items;
        parts->bounds[i + 1] = parts->bounds[i] + (is_many ? (int64_t)rows->n_items : most);
    }
    TRY(reserve_entries(parts, (size_t)parts->bounds[n], status));
done:
    return code;
}

void pair_parts_take(struct pair_parts *parts, size_t item, struct row_scratch *scratch)
{
    const size_t at = item - parts->first_item, first = (size_t)parts->bounds[at];
    const size_t n = index_set_drain(&scratch->touched, scratch->partners);
    memcpy(parts->partners + first, scratch->partners, n * sizeof *scratch->partners);
    for (size_t k = 0; k < n; k++) {
        const int32_t partner = scratch->partners[k];
        if (scratch->counts != NULL) {
            parts->counts[first + k] = scratch->counts[partner];
            scratch->counts[partner] = 0;
        }
        if (scratch->sums != NULL) {
            parts->sums[first + k] = scratch->sums[partner];
            scratch->sums[partner] = 0;
        }
    }
    parts->lengths[at] = (int64_t)n;
}

/* ---- over the wire ---- */

static size_t entry_bytes(const struct pair_rows *rows)
{
    return sizeof(int32_t) + (rows->counts ? sizeof(int32_t) : 0) +
           (rows->sums ? sizeof(int64_t) : 0);
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

/* parts->send = the rows for each rank, which begin at first[rank]. */
static enum status_code pack(struct pair_parts *parts, size_t first[RANKS_MAX + 1],
                             struct status *status)
{
    const struct pair_rows *rows = parts->rows;
    const size_t n = parts->end_item - parts->first_item;
    size_t bytes = n * sizeof *parts->lengths;
    enum status_code code = STATUS_OK;
    for (size_t i = 0; i < n; i++) {
        bytes += (size_t)parts->lengths[i] * entry_bytes(rows);
    }
    TRY(ranks_bytes_reserve(&parts->send, bytes, status));
    char *to = parts->send.data;
    for (size_t r = 0; r < ranks_n(rows->ranks); r++) {
        first[r] = (size_t)(to - parts->send.data);
        for (size_t i = 0; i < n; i++) {
            const size_t from = (size_t)parts->bounds[i], length = (size_t)parts->lengths[i];
            if (owner_of(rows, parts->first_item + i) == r) {
                put(&to, &parts->lengths[i], sizeof *parts->lengths);
                put(&to, parts->partners + from, length * sizeof *parts->partners);
                if (rows->counts) {
                    put(&to, parts->counts + from, length * sizeof *parts->counts);
                }
                if (rows->sums) {
                    put(&to, parts->sums + from, length * sizeof *parts->sums);
                }
            }
        }
    }
    first[ranks_n(rows->ranks)] = bytes;
done:
    return code;
}

enum status_code pair_parts_exchange(struct pair_parts *parts, struct status *status)
{
    const struct pair_rows *rows = parts->rows;
    const size_t n_ranks = ranks_n(rows->ranks);
    size_t first[RANKS_MAX + 1];
    enum status_code code;
    TRY(pack(parts, first, status));
    TRY(ranks_exchange(rows->ranks, parts->send.data, first, &parts->received, status));
    for (size_t r = 0; r < n_ranks; r++) {
        const char *place = parts->received.data + parts->received.first[r];
        for (size_t item = parts->first_item; item < parts->end_item; item++) {
            if (pair_parts_is_own(rows, item)) {
                parts->places[(item - parts->first_item) * n_ranks + r] = place;
                place += sizeof(int64_t) + (size_t)length_at(place) * entry_bytes(rows);
            }
        }
    }
done:
    return code;
}

void pair_parts_add(const struct pair_parts *parts, size_t item, struct row_scratch *scratch)
{
    const size_t n_ranks = ranks_n(parts->rows->ranks);
    for (size_t r = 0; r < n_ranks; r++) {
        const char *place = parts->places[(item - parts->first_item) * n_ranks + r];
        const size_t n = (size_t)length_at(place);
        const char *partners = place + sizeof(int64_t);
        const char *counts = partners + n * sizeof(int32_t);
        const char *sums = counts + (scratch->counts == NULL ? 0 : n * sizeof(int32_t));
        for (size_t k = 0; k < n; k++) {
            int32_t partner, count;
            int64_t sum;
            memcpy(&partner, partners + k * sizeof partner, sizeof partner);
            index_set_add(&scratch->touched, partner);
            if (scratch->counts != NULL) {
                memcpy(&count, counts + k * sizeof count, sizeof count);
                scratch->counts[partner] += count;
            }
            if (scratch->sums != NULL) {
                memcpy(&sum, sums + k * sizeof sum, sizeof sum);
                scratch->sums[partner] += sum;
            }
        }
    }
}

/* ---- finished rows ---- */

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
        const char **place = &places[owner_of(rows, i)];
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
