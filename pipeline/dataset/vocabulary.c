/* Ids against dense codes: their order, and how they are kept between the stages. Finding and
 * adding them is vocabulary_index.c. What an id may be is the reader's business (event_reader.c);
 * here an id is an integer or a run of bytes. */
#include "dataset/vocabulary.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>

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

uint64_t vocabulary_key(const struct vocabulary *vocabulary, size_t code)
{
    const struct row_id id = vocabulary_id(vocabulary, code);
    return id.is_text ? hash_bytes64(id.text, id.length) : (uint64_t)id.integer;
}

int vocabulary_compare(const struct vocabulary *a, size_t i, const struct vocabulary *b, size_t j)
{
    const struct row_id left = vocabulary_id(a, i), right = vocabulary_id(b, j);
    return row_id_compare(&left, &right);
}

struct integer_key {
    int64_t id;
    int32_t code;
};

struct text_key {
    struct row_id id;
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

    return row_id_compare(&a->id, &b->id);
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
        keys[i] = (struct text_key){vocabulary_id(vocabulary, i), (int32_t)i};
    }
    qsort(keys, vocabulary->n, sizeof *keys, compare_text_keys);
    for (size_t i = 0; i < vocabulary->n; i++) {
        TRY(strings_add(&sorted, keys[i].id.text, keys[i].id.length, status));
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

enum status_code vocabulary_sort(struct vocabulary *vocabulary, int32_t *new_code,
                                 struct status *status)
{
    assert(!vocabulary->is_view);
    enum status_code code = STATUS_OK;
    size_t n_ascending = 1;

    while (n_ascending < vocabulary->n &&
           vocabulary_compare(vocabulary, n_ascending - 1, vocabulary, n_ascending) < 0) {
        n_ascending++;
    }
    if (n_ascending >= vocabulary->n) {
        for (size_t i = 0; i < vocabulary->n; i++) {
            new_code[i] = (int32_t)i;
        }
    } else if (vocabulary->type == ID_INTEGER) {
        TRY(sort_integers(vocabulary, new_code, status));
    } else {
        TRY(sort_texts(vocabulary, new_code, status));
    }
    /* the index holds the old codes; finding works by binary search from here on */
    vocabulary_drop_index(vocabulary);
done:
    return code;
}

void vocabulary_format(const struct vocabulary *vocabulary, int32_t code, struct buf *out)
{
    assert(code >= 0 && (size_t)code < vocabulary->n);
    const struct row_id id = vocabulary_id(vocabulary, (size_t)code);
    if (id.is_text) {
        buf_add(out, id.text, id.length);
    } else {
        buf_addf(out, "%lld", (long long)id.integer);
    }
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

struct vocabulary vocabulary_view(const struct vocabulary *vocabulary)
{
    return (struct vocabulary){.type = vocabulary->type,
                               .n = vocabulary->n,
                               .integers = vocabulary->integers,
                               .texts = vocabulary->texts,
                               .is_view = true};
}

void vocabulary_release(struct vocabulary *vocabulary)
{
    if (!vocabulary->is_view) {
        mem_free(vocabulary->integers);
        strings_release(&vocabulary->texts);
    }
    vocabulary_drop_index(vocabulary);
    *vocabulary = (struct vocabulary){0};
}

void vocabulary_locate(const struct vocabulary *from, const struct vocabulary *to, int32_t *map)
{
    size_t j = 0;

    for (size_t i = 0; i < from->n; i++) {
        int order = 1;
        while (from->type == to->type && j < to->n &&
               (order = vocabulary_compare(from, i, to, j)) > 0) {
            j++;
        }
        map[i] = order == 0 ? (int32_t)j : -1;
    }
}

enum status_code vocabulary_append(struct vocabulary *ids, const struct vocabulary *from,
                                   size_t index, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct row_id id = vocabulary_id(from, index);
    if (id.is_text) {
        TRY(strings_add(&ids->texts, id.text, id.length, status));
    } else {
        ids->integers[ids->n] = id.integer;
    }
    ids->n++;
done:
    return code;
}
