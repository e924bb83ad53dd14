/* Slices, and what goes over the wire for them: numbers without names, for all ranks know how many
 * each item has. */
#include "pairs/ridge_parts.h"

#include "base/mem.h"

#include <string.h>

enum { MOST_ITEMS = 512, MOST_PRODUCTS = 1 << 22 }; /* of a slice */

static size_t owner_of(const struct ridge_parts *parts, size_t item)
{
    return ranks_owner(parts->ranks, shard_of_item(item));
}

bool ridge_parts_is_own(const struct ridge_parts *parts, size_t item)
{
    return owner_of(parts, item) == ranks_mine(parts->ranks);
}

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
    size_t n = 0;
    enum status_code code;
    mem_free(parts->places);
    mem_free(parts->products);
    parts->places = NULL;
    parts->products = NULL;
    TRY(MEM_NEW(&parts->places, parts->end_item - parts->first_item, status));
    for (size_t r = 0; r < ranks_n(parts->ranks); r++) {
        parts->first[r] = n * sizeof *parts->products;
        for (size_t item = parts->first_item; item < parts->end_item; item++) {
            if (owner_of(parts, item) == r) {
                parts->places[item - parts->first_item] = n;
                n += n_products(parts, item);
            }
        }
    }
    parts->first[ranks_n(parts->ranks)] = n * sizeof *parts->products;
    TRY(MEM_NEW(&parts->products, n, status));
done:
    return code;
}

int64_t *ridge_parts_of(const struct ridge_parts *parts, size_t item)
{
    return parts->products + parts->places[item - parts->first_item];
}

enum status_code ridge_parts_exchange(struct ridge_parts *parts, struct status *status)
{
    return ranks_exchange(parts->ranks, parts->products, parts->first, &parts->received, status);
}

void ridge_parts_add(const struct ridge_parts *parts, size_t item, int64_t *products)
{
    const size_t n = n_products(parts, item);
    const size_t first = parts->first[ranks_mine(parts->ranks)] / sizeof *products;
    const size_t at = parts->places[item - parts->first_item] - first;
    memset(products, 0, n * sizeof *products);
    for (size_t r = 0; r < ranks_n(parts->ranks); r++) {
        const int64_t *theirs = (const void *)(parts->received.data + parts->received.first[r]);
        for (size_t p = 0; p < n; p++) {
            products[p] += theirs[at + p];
        }
    }
}

enum status_code ridge_parts_gather(const struct ridge_parts *parts, float *values,
                                    struct status *status)
{
    const struct sparse *partners = parts->partners;
    struct ranks_bytes all = {0};
    const char *places[RANKS_MAX];
    float *mine = NULL;
    size_t n = 0;
    enum status_code code;
    TRY(MEM_NEW(&mine, sparse_entries(partners), status));
    for (size_t item = 0; item < partners->n_rows; item++) {
        const size_t length = sparse_row_length(partners, item);
        if (ridge_parts_is_own(parts, item)) {
            memcpy(mine + n, values + partners->offsets[item], length * sizeof *mine);
            n += length;
        }
    }
    TRY(ranks_gather(parts->ranks, mine, n * sizeof *mine, &all, status));
    for (size_t r = 0; r < ranks_n(parts->ranks); r++) {
        places[r] = all.data + all.first[r];
    }
    for (size_t item = 0; item < partners->n_rows; item++) {
        const size_t bytes = sparse_row_length(partners, item) * sizeof *values;
        memcpy(values + partners->offsets[item], places[owner_of(parts, item)], bytes);
        places[owner_of(parts, item)] += bytes;
    }
done:
    mem_free(mine);
    ranks_bytes_release(&all);
    return code;
}

void ridge_parts_release(struct ridge_parts *parts)
{
    mem_free(parts->places);
    mem_free(parts->products);
    ranks_bytes_release(&parts->received);
}
