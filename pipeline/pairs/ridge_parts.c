/* Slices, and what goes over the wire for an item: how many products follow, their places and the
 * products; without places where it is all of them. */
#include "pairs/ridge_parts.h"

#include "base/mem.h"

#include <string.h>

enum { MOST_ITEMS = 512, MOST_PRODUCTS = 1 << 22 }; /* of a slice */

static size_t n_products(const struct ridge_parts *parts, size_t item)
{
    const size_t n = sparse_row_length(parts->partners, item);
    return n * (n + 1) / 2;
}

void ridge_parts_next(struct ridge_parts *parts)
{
    size_t n = 0;
    parts->first_item = parts->end_item;
    while (parts->end_item < parts->partners->n_rows &&
           parts->end_item - parts->first_item < MOST_ITEMS && n < MOST_PRODUCTS) {
        n += n_products(parts, parts->end_item++);
    }
}

enum status_code ridge_parts_reserve(struct ridge_parts *parts, struct status *status)
{
    const size_t n = parts->end_item - parts->first_item;
    enum status_code code;
    mem_free(parts->slots);
    mem_free(parts->lengths);
    mem_free(parts->places);
    parts->slots = parts->lengths = NULL;
    parts->places = NULL;
    TRY(MEM_NEW(&parts->slots, n + 1, status));
    TRY(MEM_NEW(&parts->lengths, n, status));
    TRY(MEM_NEW(&parts->places, n * ranks_n(parts->ranks), status));
    for (size_t i = 0; i < n; i++) {
        const size_t most = 1 + n_products(parts, parts->first_item + i);
        parts->slots[i + 1] = parts->slots[i] + most * sizeof(int64_t);
    }
    TRY(ranks_bytes_reserve(&parts->packed, parts->slots[n], status));
    TRY(ranks_bytes_reserve(&parts->send, parts->slots[n], status));
done:
    return code;
}

static char *put(char *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
    return to + bytes;
}

void ridge_parts_put(struct ridge_parts *parts, size_t item, const int64_t *products)
{
    const size_t at = item - parts->first_item, n = n_products(parts, item);
    char *const begin = parts->packed.data + parts->slots[at];
    int64_t n_sent = 0;
    for (size_t p = 0; p < n; p++) {
        n_sent += products[p] != 0;
    }
    const bool is_dense =
        (size_t)n_sent * (sizeof(int32_t) + sizeof *products) >= n * sizeof *products;
    n_sent = is_dense ? (int64_t)n : n_sent;
    char *to = put(begin, &n_sent, sizeof n_sent);
    for (size_t p = 0; p < n && !is_dense; p++) {
        const int32_t place = (int32_t)p;
        to = products[p] != 0 ? put(to, &place, sizeof place) : to;
    }
    for (size_t p = 0; p < n && !is_dense; p++) {
        to = products[p] != 0 ? put(to, &products[p], sizeof *products) : to;
    }
    to = is_dense ? put(to, products, n * sizeof *products) : to;
    parts->lengths[at] = (size_t)(to - begin);
}

static int64_t number_at(const char *place)
{
    int64_t number;
    memcpy(&number, place, sizeof number);
    return number;
}

/* The bytes of an item's part. */
static size_t part_bytes(const struct ridge_parts *parts, size_t item, const char *place)
{
    const size_t n = n_products(parts, item), n_sent = (size_t)number_at(place);
    return sizeof(int64_t) + n_sent * (sizeof(int64_t) + (n_sent == n ? 0 : sizeof(int32_t)));
}

enum status_code ridge_parts_exchange(struct ridge_parts *parts, struct status *status)
{
    const size_t n = parts->end_item - parts->first_item, n_ranks = ranks_n(parts->ranks);
    size_t first[RANKS_MAX + 1];
    char *to = parts->send.data;
    enum status_code code;
    for (size_t r = 0; r < n_ranks; r++) {
        first[r] = (size_t)(to - parts->send.data);
        for (size_t i = 0; i < n; i++) {
            if (shard_item_owner(parts->ranks, parts->first_item + i) == r) {
                to = put(to, parts->packed.data + parts->slots[i], parts->lengths[i]);
            }
        }
    }
    first[n_ranks] = (size_t)(to - parts->send.data);
    TRY(ranks_exchange(parts->ranks, parts->send.data, first, &parts->received, status));
    for (size_t r = 0; r < n_ranks; r++) {
        const char *place = parts->received.data + parts->received.first[r];
        for (size_t i = 0; i < n; i++) {
            if (shard_item_is_own(parts->ranks, parts->first_item + i)) {
                parts->places[i * n_ranks + r] = place;
                place += part_bytes(parts, parts->first_item + i, place);
            }
        }
    }
done:
    return code;
}

void ridge_parts_add(const struct ridge_parts *parts, size_t item, int64_t *products)
{
    const size_t n = n_products(parts, item), n_ranks = ranks_n(parts->ranks);
    memset(products, 0, n * sizeof *products);
    for (size_t r = 0; r < n_ranks; r++) {
        const char *begin = parts->places[(item - parts->first_item) * n_ranks + r];
        const size_t n_sent = (size_t)number_at(begin);
        const char *places = begin + sizeof(int64_t);
        const char *values = places + (n_sent == n ? 0 : n_sent * sizeof(int32_t));
        for (size_t p = 0; p < n_sent; p++) {
            int32_t place = (int32_t)p;
            if (n_sent < n) {
                memcpy(&place, places + p * sizeof place, sizeof place);
            }
            products[place] += number_at(values + p * sizeof(int64_t));
        }
    }
}

void ridge_parts_release(struct ridge_parts *parts)
{
    mem_free(parts->slots);
    mem_free(parts->lengths);
    mem_free(parts->places);
    ranks_bytes_release(&parts->packed);
    ranks_bytes_release(&parts->send);
    ranks_bytes_release(&parts->received);
}
