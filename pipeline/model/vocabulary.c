/* Ids against dense codes: an open-addressing hash index over the array of ids while rows are
 * read, a binary search over ascending ids afterwards. What an id may be is the reader's business
 * (event_reader.c); here an id is an integer or a run of bytes. */
#include "model/vocabulary.h"

#include "base/mem.h"

#include <assert.h>

enum { FIRST_CAPACITY = 1024, MAX_ID_COUNT = INT32_MAX - 1 };

/* The finaliser of splitmix64 (Steele, Lea and Flood 2014): every bit of the id reaches every bit
 * of the hash, so ids in steps of a power of two do not share slots. */
static uint64_t hash_integer(int64_t id)
{
    uint64_t x = (uint64_t)id + 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static bool text_equals(const struct vocabulary *vocabulary, int32_t code, const char *id,
                        size_t length)
{
    size_t other_length;
    const char *other = strings_get(&vocabulary->texts, (size_t)code, &other_length);

    return other_length == length && memcmp(other, id, length) == 0;
}

static int compare_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t common = a_length < b_length ? a_length : b_length;
    int order = common == 0 ? 0 : memcmp(a, b, common);

    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

/* A slot holds code + 1, so that zeroed memory is an empty table. Both return the slot where the id
 * is or belongs. */
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

static size_t slot_of_text(const struct vocabulary *vocabulary, const char *id, size_t length)
{
    size_t mask = vocabulary->n_slots - 1;
    size_t slot = (size_t)hash_bytes64(id, length) & mask;

    while (vocabulary->slots[slot] != 0 &&
           !text_equals(vocabulary, vocabulary->slots[slot] - 1, id, length)) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

static size_t slot_of_code(const struct vocabulary *vocabulary, size_t code)
{
    if (vocabulary->type == ID_INTEGER) {
        return slot_of_integer(vocabulary, vocabulary->integers[code]);
    }
    size_t length;
    const char *text = strings_get(&vocabulary->texts, code, &length);
    return slot_of_text(vocabulary, text, length);
}

/* Rebuilds the index with room for `n_ids` ids at a load of at most one half. */
static enum status_code rebuild_index(struct vocabulary *vocabulary, size_t n_ids,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t *slots = NULL;
    size_t n_slots = 2 * FIRST_CAPACITY;

    while (n_slots / 2 < n_ids) {
        n_slots *= 2;
    }
    TRY(MEM_NEW(&slots, n_slots, status));
    mem_free(vocabulary->slots);
    vocabulary->slots = slots;
    vocabulary->n_slots = n_slots;
    for (size_t id = 0; id < vocabulary->n; id++) {
        slots[slot_of_code(vocabulary, id)] = (int32_t)id + 1;
    }
done:
    return code;
}

/* Room for one more id in the index, doubling it when it is half full. */
static enum status_code reserve_slot(struct vocabulary *vocabulary, struct status *status)
{
    if (vocabulary->n >= MAX_ID_COUNT) {
        return status_set(status, STATUS_DATA,
                          "more than %d different ids; codes have 31 bits: filter the query",
                          MAX_ID_COUNT);
    }
    if (vocabulary->slots != NULL && vocabulary->n < vocabulary->n_slots / 2) {
        return STATUS_OK;
    }
    return rebuild_index(vocabulary, 2 * (vocabulary->n + 1), status);
}

enum status_code vocabulary_add_integer(struct vocabulary *vocabulary, int64_t id, int32_t *code,
                                        struct status *status)
{
    assert(!vocabulary->is_view && vocabulary->type != ID_TEXT);
    enum status_code result = reserve_slot(vocabulary, status);
    if (result != STATUS_OK) {
        return result;
    }
    size_t slot = slot_of_integer(vocabulary, id);
    if (vocabulary->slots[slot] != 0) {
        *code = vocabulary->slots[slot] - 1;
        return STATUS_OK;
    }
    if (vocabulary->n == vocabulary->capacity) {
        size_t capacity = vocabulary->capacity == 0 ? FIRST_CAPACITY : 2 * vocabulary->capacity;
        result = MEM_RESIZE(&vocabulary->integers, vocabulary->n, capacity, status);
        if (result != STATUS_OK) {
            return result;
        }
        vocabulary->capacity = capacity;
    }
    vocabulary->type = ID_INTEGER;
    vocabulary->integers[vocabulary->n] = id;
    *code = (int32_t)vocabulary->n;
    vocabulary->slots[slot] = (int32_t)++vocabulary->n;
    return STATUS_OK;
}

enum status_code vocabulary_add_text(struct vocabulary *vocabulary, const char *id, size_t length,
                                     int32_t *code, struct status *status)
{
    assert(!vocabulary->is_view && vocabulary->type != ID_INTEGER);
    enum status_code result = reserve_slot(vocabulary, status);
    if (result != STATUS_OK) {
        return result;
    }
    size_t slot = slot_of_text(vocabulary, id, length);
    if (vocabulary->slots[slot] != 0) {
        *code = vocabulary->slots[slot] - 1;
        return STATUS_OK;
    }
    result = strings_add(&vocabulary->texts, id, length, status);
    if (result != STATUS_OK) {
        return result;
    }
    vocabulary->type = ID_TEXT;
    *code = (int32_t)vocabulary->n;
    vocabulary->slots[slot] = (int32_t)++vocabulary->n;
    return STATUS_OK;
}

static int compare_to_code(const struct vocabulary *vocabulary, size_t code, const char *id,
                           size_t length)
{
    size_t other_length;
    const char *other = strings_get(&vocabulary->texts, code, &other_length);

    return compare_bytes(other, other_length, id, length);
}

int32_t vocabulary_find_integer(const struct vocabulary *vocabulary, int64_t id)
{
    if (vocabulary->type != ID_INTEGER) {
        return -1;
    }
    if (vocabulary->slots != NULL) {
        return vocabulary->slots[slot_of_integer(vocabulary, id)] - 1;
    }
    size_t low = 0, high = vocabulary->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (vocabulary->integers[middle] < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < vocabulary->n && vocabulary->integers[low] == id ? (int32_t)low : -1;
}

int32_t vocabulary_find_text(const struct vocabulary *vocabulary, const char *id, size_t length)
{
    if (vocabulary->type != ID_TEXT) {
        return -1;
    }
    if (vocabulary->slots != NULL) {
        return vocabulary->slots[slot_of_text(vocabulary, id, length)] - 1;
    }
    size_t low = 0, high = vocabulary->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_to_code(vocabulary, middle, id, length) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < vocabulary->n && text_equals(vocabulary, (int32_t)low, id, length) ? (int32_t)low
                                                                                    : -1;
}

enum status_code vocabulary_build_index(struct vocabulary *vocabulary, struct status *status)
{
    return rebuild_index(vocabulary, vocabulary->n, status);
}

int vocabulary_compare(const struct vocabulary *a, size_t i, const struct vocabulary *b, size_t j)
{
    assert(a->type == b->type);
    if (a->type == ID_INTEGER) {
        return (a->integers[i] > b->integers[j]) - (a->integers[i] < b->integers[j]);
    }
    size_t length;
    const char *id = strings_get(&b->texts, j, &length);
    return compare_to_code(a, i, id, length);
}

struct integer_key {
    int64_t id;
    int32_t code;
};

struct text_key {
    const char *bytes;
    size_t length;
    int32_t code;
};

static int compare_integer_keys(const void *left, const void *right)
{
    const struct integer_key *a = left, *b = right;

    return (a->id > b->id) - (a->id < b->id);
}

static int compare_text_keys(const void *left, const void *right)
{
    const struct text_key *a = left, *b = right;

    return compare_bytes(a->bytes, a->length, b->bytes, b->length);
}

static enum status_code sort_integers(struct vocabulary *vocabulary, int32_t *new_code,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    struct integer_key *keys = NULL;

    TRY(MEM_NEW(&keys, vocabulary->n, status));
    for (size_t i = 0; i < vocabulary->n; i++) {
        keys[i] = (struct integer_key){vocabulary->integers[i], (int32_t)i};
    }
    qsort(keys, vocabulary->n, sizeof *keys, compare_integer_keys);
    for (size_t i = 0; i < vocabulary->n; i++) {
        vocabulary->integers[i] = keys[i].id;
        new_code[keys[i].code] = (int32_t)i;
    }
done:
    mem_free(keys);
    return code;
}

static enum status_code sort_texts(struct vocabulary *vocabulary, int32_t *new_code,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    struct text_key *keys = NULL;
    struct strings sorted = {0};

    TRY(MEM_NEW(&keys, vocabulary->n, status));
    for (size_t i = 0; i < vocabulary->n; i++) {
        keys[i].bytes = strings_get(&vocabulary->texts, i, &keys[i].length);
        keys[i].code = (int32_t)i;
    }
    qsort(keys, vocabulary->n, sizeof *keys, compare_text_keys);
    for (size_t i = 0; i < vocabulary->n; i++) {
        TRY(strings_add(&sorted, keys[i].bytes, keys[i].length, status));
    }
    for (size_t i = 0; i < vocabulary->n; i++) {
        new_code[keys[i].code] = (int32_t)i;
    }
    strings_release(&vocabulary->texts);
    vocabulary->texts = sorted;
    sorted = (struct strings){0};
done:
    strings_release(&sorted);
    mem_free(keys);
    return code;
}

static bool is_ascending(const struct vocabulary *vocabulary)
{
    for (size_t i = 1; i < vocabulary->n; i++) {
        if (vocabulary->type == ID_INTEGER) {
            if (vocabulary->integers[i - 1] >= vocabulary->integers[i]) {
                return false;
            }
            continue;
        }
        size_t length;
        const char *text = strings_get(&vocabulary->texts, i, &length);
        if (compare_to_code(vocabulary, i - 1, text, length) >= 0) {
            return false;
        }
    }
    return true;
}

enum status_code vocabulary_sort(struct vocabulary *vocabulary, int32_t *new_code,
                                 struct status *status)
{
    assert(!vocabulary->is_view);
    enum status_code code = STATUS_OK;

    if (is_ascending(vocabulary)) {
        for (size_t i = 0; i < vocabulary->n; i++) {
            new_code[i] = (int32_t)i;
        }
    } else if (vocabulary->type == ID_INTEGER) {
        TRY(sort_integers(vocabulary, new_code, status));
    } else {
        TRY(sort_texts(vocabulary, new_code, status));
    }
    /* the index holds the old codes; finding works by binary search from here on */
    mem_free(vocabulary->slots);
    vocabulary->slots = NULL;
    vocabulary->n_slots = 0;
done:
    return code;
}

void vocabulary_format(const struct vocabulary *vocabulary, int32_t code, struct buf *out)
{
    assert(code >= 0 && (size_t)code < vocabulary->n);
    if (vocabulary->type == ID_INTEGER) {
        buf_addf(out, "%lld", (long long)vocabulary->integers[code]);
        return;
    }
    size_t length;
    const char *text = strings_get(&vocabulary->texts, (size_t)code, &length);
    buf_add(out, text, length);
}

static void array_name(char out[ARTIFACT_NAME_MAX], const char *prefix, const char *suffix)
{
    int length = snprintf(out, ARTIFACT_NAME_MAX, "%s.%s", prefix, suffix);

    assert(length > 0 && length < ARTIFACT_NAME_MAX);
    (void)length;
}

/* An empty vocabulary still gets an array, so that loading finds one. */
static enum status_code save_integers(struct vocabulary *vocabulary, struct artifact *artifact,
                                      const char *prefix, struct status *status)
{
    enum status_code code = STATUS_OK;
    char name[ARTIFACT_NAME_MAX];
    int64_t *integers = vocabulary->integers;

    if (integers == NULL) {
        TRY(MEM_NEW(&integers, 0, status));
    }
    vocabulary->integers = integers;
    vocabulary->is_view = true;
    vocabulary->capacity = 0;
    array_name(name, prefix, "integers");
    TRY(artifact_take(artifact, name, ARRAY_I64, vocabulary->n, 1, integers, status));
done:
    return code;
}

static enum status_code save_texts(struct vocabulary *vocabulary, struct artifact *artifact,
                                   const char *prefix, struct status *status)
{
    enum status_code code = STATUS_OK;
    char name[ARTIFACT_NAME_MAX];
    struct strings view = {0};

    array_name(name, prefix, "texts");
    TRY(artifact_set_strings(artifact, name, &vocabulary->texts, status));
    TRY(artifact_get_strings(artifact, name, &view, status));
    strings_release(&vocabulary->texts);
    vocabulary->texts = view;
    vocabulary->is_view = true;
done:
    return code;
}

enum status_code vocabulary_save(struct vocabulary *vocabulary, struct artifact *artifact,
                                 const char *prefix, struct status *status)
{
    assert(!vocabulary->is_view);
    return vocabulary->type == ID_TEXT ? save_texts(vocabulary, artifact, prefix, status)
                                       : save_integers(vocabulary, artifact, prefix, status);
}

enum status_code vocabulary_load(struct vocabulary *vocabulary, const struct artifact *artifact,
                                 const char *prefix, struct status *status)
{
    enum status_code code = STATUS_OK;
    char name[ARTIFACT_NAME_MAX];
    struct vocabulary view = {.is_view = true};
    const void *data = NULL;

    array_name(name, prefix, "integers");
    if (artifact_find(artifact, name) != NULL) {
        TRY(artifact_get(artifact, name, ARRAY_I64, &data, &view.n, NULL, status));
        view.integers = (int64_t *)data; /* a view: nobody writes through it */
        view.type = view.n == 0 ? ID_NONE : ID_INTEGER;
    } else {
        array_name(name, prefix, "texts");
        TRY(artifact_get_strings(artifact, name, &view.texts, status));
        view.n = view.texts.n;
        view.type = ID_TEXT;
    }
    *vocabulary = view;
done:
    return code;
}

void vocabulary_release(struct vocabulary *vocabulary)
{
    if (!vocabulary->is_view) {
        mem_free(vocabulary->integers);
        strings_release(&vocabulary->texts);
    }
    mem_free(vocabulary->slots);
    *vocabulary = (struct vocabulary){0};
}
