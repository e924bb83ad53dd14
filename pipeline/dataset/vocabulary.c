/* Ids against dense codes: their order, and how they are kept between the stages. Finding and
 * adding them is vocabulary_index.c. What an id may be is the reader's business (event_reader.c);
 * here an id is an integer or a run of bytes. */
#include "dataset/vocabulary.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>

uint64_t vocabulary_key_of(const struct row_id *id)
{
    return id->is_text ? hash_bytes64(id->text, id->length) : (uint64_t)id->integer;
}

uint64_t vocabulary_key(const struct vocabulary *vocabulary, size_t code)
{
    const struct row_id id = vocabulary_id(vocabulary, code);
    return vocabulary_key_of(&id);
}

int vocabulary_compare(const struct vocabulary *a, size_t i, const struct vocabulary *b, size_t j)
{
    const struct row_id left = vocabulary_id(a, i), right = vocabulary_id(b, j);
    return row_id_compare(&left, &right);
}

struct key {
    struct row_id id;
    int32_t code;
};

static int compare_keys(const void *left, const void *right)
{
    const struct key *a = left, *b = right;

    return row_id_compare(&a->id, &b->id);
}

enum status_code vocabulary_sort(struct vocabulary *vocabulary, int32_t *new_code,
                                 struct status *status)
{
    assert(!vocabulary->is_view);
    enum status_code code = STATUS_OK;
    const size_t n = vocabulary->n;
    const bool is_text = vocabulary->type == ID_TEXT;
    struct key *keys = NULL;
    struct strings sorted = {0};
    size_t n_ascending = 0;

    while (n_ascending < n &&
           (n_ascending == 0 ||
            vocabulary_compare(vocabulary, n_ascending - 1, vocabulary, n_ascending) < 0)) {
        new_code[n_ascending] = (int32_t)n_ascending;
        n_ascending++;
    }
    if (n_ascending < n) {
        TRY(MEM_NEW(&keys, n, status));
        for (size_t i = 0; i < n; i++) {
            keys[i] = (struct key){vocabulary_id(vocabulary, i), (int32_t)i};
        }
        qsort(keys, n, sizeof *keys, compare_keys);
        for (size_t i = 0; is_text && i < n; i++) {
            TRY(strings_add(&sorted, keys[i].id.text, keys[i].id.length, status));
        }
        for (size_t i = 0; i < n; i++) {
            new_code[keys[i].code] = (int32_t)i;
        }
        for (size_t i = 0; !is_text && i < n; i++) {
            vocabulary->integers[i] = keys[i].id.integer;
        }
        if (is_text) {
            strings_release(&vocabulary->texts);
            vocabulary->texts = sorted;
            sorted = (struct strings){0};
        }
    }
    /* the index holds the old codes; finding works by binary search from here on */
    vocabulary_drop_index(vocabulary);
done:
    strings_release(&sorted);
    mem_free(keys);
    return code;
}

double vocabulary_mean_bytes(const struct vocabulary *vocabulary)
{
    const size_t n = vocabulary->n;
    return vocabulary->type == ID_TEXT && n > 0 ? (double)vocabulary->texts.offsets[n] / (double)n
                                                : 0;
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

enum status_code vocabulary_save(struct vocabulary *vocabulary, struct artifact *artifact,
                                 const char *prefix, struct status *status)
{
    assert(!vocabulary->is_view);
    enum status_code code = STATUS_OK;

    if (vocabulary->type == ID_TEXT) {
        TRY(artifact_move_strings(artifact, artifact_part(prefix, "texts").text, &vocabulary->texts,
                                  status));
        vocabulary->is_view = true;
        goto done;
    }
    if (vocabulary->integers == NULL) { /* an empty one has an array, too, that loading finds */
        TRY(MEM_NEW(&vocabulary->integers, 0, status));
    }
    vocabulary->is_view = true;
    vocabulary->capacity = 0;
    TRY(artifact_take(artifact, artifact_part(prefix, "integers").text, ARRAY_I64, vocabulary->n, 1,
                      vocabulary->integers, status));
done:
    return code;
}

enum status_code vocabulary_load(struct vocabulary *vocabulary, const struct artifact *artifact,
                                 const char *prefix, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact_part integers = artifact_part(prefix, "integers");
    struct vocabulary view = {.is_view = true};
    const void *data = NULL;

    if (artifact_find(artifact, integers.text) != NULL) {
        TRY(artifact_get(artifact, integers.text, ARRAY_I64, &data, &view.n, NULL, status));
        view.integers = (int64_t *)data; /* a view: nobody writes through it */
        view.type = view.n == 0 ? ID_NONE : ID_INTEGER;
    } else {
        TRY(artifact_get_strings(artifact, artifact_part(prefix, "texts").text, &view.texts,
                                 status));
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
