/* The id of a code and the code of an id: finding ids, and adding them while rows are read: an
 * index over the array of ids, or a binary search over ascending ids where there is none. Integers
 * that are dense, as most tables number their rows, are looked up in an array by their value; other
 * integers and texts are hashed. */
#include "dataset/vocabulary.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>

enum { FIRST_CAPACITY = 1024, MAX_ID_COUNT = INT32_MAX - 1 };

struct row_id vocabulary_id(const struct vocabulary *vocabulary, size_t code)
{
    struct row_id id = {.is_text = vocabulary->type == ID_TEXT};
    if (id.is_text) {
        id.text = strings_get(&vocabulary->texts, code, &id.length);
    } else {
        id.integer = vocabulary->integers[code];
    }
    return id;
}

/* The finaliser of splitmix64 (Steele, Lea and Flood 2014): every bit of the id reaches every bit
 * of the hash, so ids in steps of a power of two do not share slots. */
static uint64_t hash_integer(int64_t id)
{
    uint64_t x = (uint64_t)id + 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* A slot holds code + 1, so that zeroed memory is an empty table. Both return the slot where the id
 * is or belongs. A text's slot holds the upper half of its hash as well: texts are compared only
 * where that is equal, and the index grows without reading them again. */
static size_t slot_of_integer(const struct vocabulary *vocabulary, int64_t id)
{
    size_t mask = vocabulary->n_slots - 1;
    size_t slot = (size_t)hash_integer(id) & mask;

    while (vocabulary->slots[slot] != 0 &&
           vocabulary->integers[vocabulary->slots[slot] - 1] != id) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

static uint64_t text_slot(uint64_t hash, size_t code)
{
    return (hash & ~(uint64_t)UINT32_MAX) | (code + 1);
}

static int32_t code_in_slot(uint64_t slot)
{
    return (int32_t)(slot & UINT32_MAX) - 1;
}

static size_t slot_of_text(const struct vocabulary *vocabulary, const char *id, size_t length,
                           uint64_t hash)
{
    size_t mask = vocabulary->n_slots - 1;
    size_t slot = (size_t)(hash >> 32) & mask;

    for (uint64_t held; (held = vocabulary->text_slots[slot]) != 0; slot = (slot + 1) & mask) {
        size_t held_length;
        const char *text =
            strings_get(&vocabulary->texts, (size_t)code_in_slot(held), &held_length);
        if (held >> 32 == hash >> 32 && held_length == length && memcmp(text, id, length) == 0) {
            break;
        }
    }
    return slot;
}

/* The slot of an id that has a place in the index. */
static size_t slot_for_integer(const struct vocabulary *vocabulary, int64_t id)
{
    return vocabulary->is_direct ? (size_t)id : slot_of_integer(vocabulary, id);
}

/* Whether every id, `next` too, is the number of a slot of its own. */
static bool is_dense(const struct vocabulary *vocabulary, int64_t next, size_t n_slots)
{
    bool is_dense = (uint64_t)next < n_slots;

    for (size_t code = 0; code < vocabulary->n && is_dense; code++) {
        is_dense = (uint64_t)vocabulary->integers[code] < n_slots;
    }
    return is_dense;
}

/* How many slots give room for `n_ids` ids at a load of at most one half. */
static size_t slots_for(size_t n_ids)
{
    size_t n_slots = 2 * FIRST_CAPACITY;

    while (n_slots / 2 < n_ids) {
        n_slots *= 2;
    }
    return n_slots;
}

/* `next` is an id that is to be added, or any that is there. */
static enum status_code index_integers(struct vocabulary *vocabulary, size_t n_ids, int64_t next,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t *slots = NULL;
    size_t n_slots = slots_for(n_ids);

    TRY(MEM_NEW(&slots, n_slots, status));
    mem_free(vocabulary->slots);
    vocabulary->slots = slots;
    vocabulary->n_slots = n_slots;
    vocabulary->is_direct = is_dense(vocabulary, next, n_slots);
    for (size_t i = 0; i < vocabulary->n; i++) {
        slots[slot_for_integer(vocabulary, vocabulary->integers[i])] = (int32_t)i + 1;
    }
done:
    return code;
}

static void put_text(uint64_t *slots, size_t n_slots, uint64_t held)
{
    size_t slot = (size_t)(held >> 32) & (n_slots - 1);

    while (slots[slot] != 0) {
        slot = (slot + 1) & (n_slots - 1);
    }
    slots[slot] = held;
}

static enum status_code index_texts(struct vocabulary *vocabulary, size_t n_ids,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    uint64_t *slots = NULL;
    size_t n_slots = slots_for(n_ids);

    TRY(MEM_NEW(&slots, n_slots, status));
    for (size_t i = 0; i < vocabulary->n_slots; i++) {
        if (vocabulary->text_slots[i] != 0) {
            put_text(slots, n_slots, vocabulary->text_slots[i]);
        }
    }
    for (size_t i = 0; vocabulary->text_slots == NULL && i < vocabulary->n; i++) {
        size_t length;
        const char *text = strings_get(&vocabulary->texts, i, &length);
        put_text(slots, n_slots, text_slot(hash_bytes64(text, length), i));
    }
    mem_free(vocabulary->text_slots);
    vocabulary->text_slots = slots;
    vocabulary->n_slots = n_slots;
done:
    return code;
}

int32_t vocabulary_find(const struct vocabulary *vocabulary, const struct row_id *id)
{
    if (vocabulary->type != (id->is_text ? ID_TEXT : ID_INTEGER)) {
        return -1;
    }
    if (vocabulary->slots != NULL) {
        if (!vocabulary->is_direct) {
            return vocabulary->slots[slot_of_integer(vocabulary, id->integer)] - 1;
        }
        return (uint64_t)id->integer < vocabulary->n_slots ? vocabulary->slots[id->integer] - 1
                                                           : -1;
    }
    if (vocabulary->text_slots != NULL) {
        const uint64_t hash = hash_bytes64(id->text, id->length);
        const size_t slot = slot_of_text(vocabulary, id->text, id->length, hash);
        return code_in_slot(vocabulary->text_slots[slot]);
    }
    size_t low = 0, high = vocabulary->n;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const struct row_id there = vocabulary_id(vocabulary, middle);
        const int order = row_id_compare(&there, id);
        if (order == 0) {
            return (int32_t)middle;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return -1;
}

int32_t vocabulary_find_integer(const struct vocabulary *vocabulary, int64_t id)
{
    return vocabulary_find(vocabulary, &(struct row_id){.integer = id});
}

int32_t vocabulary_find_text(const struct vocabulary *vocabulary, const char *id, size_t length)
{
    return vocabulary_find(vocabulary,
                           &(struct row_id){.is_text = true, .text = id, .length = length});
}

enum status_code vocabulary_add(struct vocabulary *vocabulary, const struct row_id *id,
                                int32_t *out, struct status *status)
{
    assert(!vocabulary->is_view && vocabulary->type != (id->is_text ? ID_INTEGER : ID_TEXT));
    enum status_code code = STATUS_OK;
    const size_t n = vocabulary->n;
    const bool is_half_full = n >= vocabulary->n_slots / 2;
    const int32_t known = vocabulary_find(vocabulary, id);
    if (known >= 0) {
        *out = known;
        return STATUS_OK;
    }
    if (n >= MAX_ID_COUNT) {
        TRY(status_set(status, STATUS_DATA,
                       "more than %d different ids; codes have 31 bits: filter the query",
                       MAX_ID_COUNT));
    }
    if (id->is_text) {
        if (vocabulary->text_slots == NULL || is_half_full) {
            TRY(index_texts(vocabulary, n + 1, status));
        }
        TRY(strings_add(&vocabulary->texts, id->text, id->length, status));
        put_text(vocabulary->text_slots, vocabulary->n_slots,
                 text_slot(hash_bytes64(id->text, id->length), n));
    } else {
        if (vocabulary->slots == NULL || is_half_full ||
            (vocabulary->is_direct && (uint64_t)id->integer >= vocabulary->n_slots)) {
            TRY(index_integers(vocabulary, n + 1, id->integer, status));
        }
        if (n == vocabulary->capacity) {
            const size_t capacity = n == 0 ? FIRST_CAPACITY : 2 * n;
            TRY(MEM_RESIZE(&vocabulary->integers, n, capacity, status));
            vocabulary->capacity = capacity;
        }
        vocabulary->integers[n] = id->integer;
        vocabulary->slots[slot_for_integer(vocabulary, id->integer)] = (int32_t)n + 1;
    }
    vocabulary->type = id->is_text ? ID_TEXT : ID_INTEGER;
    vocabulary->n++;
    *out = (int32_t)n;
done:
    return code;
}

enum status_code vocabulary_add_integer(struct vocabulary *vocabulary, int64_t id, int32_t *code,
                                        struct status *status)
{
    return vocabulary_add(vocabulary, &(struct row_id){.integer = id}, code, status);
}

enum status_code vocabulary_add_text(struct vocabulary *vocabulary, const char *id, size_t length,
                                     int32_t *code, struct status *status)
{
    return vocabulary_add(
        vocabulary, &(struct row_id){.is_text = true, .text = id, .length = length}, code, status);
}

enum status_code vocabulary_build_index(struct vocabulary *vocabulary, struct status *status)
{
    if (vocabulary->type == ID_INTEGER && vocabulary->n > 0 && vocabulary->slots == NULL) {
        return index_integers(vocabulary, vocabulary->n, vocabulary->integers[0], status);
    }
    if (vocabulary->type == ID_TEXT && vocabulary->text_slots == NULL) {
        return index_texts(vocabulary, vocabulary->n, status);
    }
    return STATUS_OK;
}

void vocabulary_drop_index(struct vocabulary *vocabulary)
{
    mem_free(vocabulary->slots);
    mem_free(vocabulary->text_slots);
    vocabulary->slots = NULL;
    vocabulary->text_slots = NULL;
    vocabulary->n_slots = 0;
    vocabulary->is_direct = false;
}
