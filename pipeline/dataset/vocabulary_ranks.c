/* A sorted list of ids as bytes: its type, its number, then integers, or the offsets of texts and
 * the texts. */
#include "dataset/vocabulary_ranks.h"

#include "base/mem.h"
#include "dataset/vocabulary_merge.h"

struct head {
    int64_t type, n, n_bytes; /* n_bytes: of texts */
};

static size_t packed_size(const struct head *head)
{
    const size_t n = (size_t)head->n;
    return sizeof *head + (head->type == ID_TEXT ? (n + 1) * sizeof(int64_t) + (size_t)head->n_bytes
                                                 : n * sizeof(int64_t));
}

static enum status_code pack(const struct vocabulary *ids, char **out, size_t *size,
                             struct status *status)
{
    enum status_code code;
    const struct head head = {
        .type = (int64_t)(ids->n == 0 ? ID_NONE : ids->type),
        .n = (int64_t)ids->n,
        .n_bytes = ids->n > 0 && ids->type == ID_TEXT ? ids->texts.offsets[ids->n] : 0};
    const size_t n = ids->n;
    *size = packed_size(&head);
    TRY(MEM_NEW(out, *size, status));
    char *at = *out;
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    if (head.type == ID_TEXT) {
        memcpy(at, ids->texts.offsets, (n + 1) * sizeof(int64_t));
        memcpy(at + (n + 1) * sizeof(int64_t), ids->texts.bytes, (size_t)head.n_bytes);
    } else if (n > 0) {
        memcpy(at, ids->integers, n * sizeof(int64_t));
    }
done:
    return code;
}

/* A view over the bytes, which are aligned. */
static struct vocabulary unpack(char *bytes)
{
    struct head head;
    memcpy(&head, bytes, sizeof head);
    int64_t *numbers = (void *)(bytes + sizeof head);
    struct vocabulary view = {
        .type = (enum id_type)head.type, .n = (size_t)head.n, .is_view = true};
    if (view.type == ID_TEXT) {
        view.texts = (struct strings){
            .n = view.n, .offsets = numbers, .bytes = (char *)(numbers + view.n + 1)};
    } else {
        view.integers = numbers;
    }
    return view;
}

/* ids = theirs and those of the rank `with`. */
static enum status_code swap(struct ranks *ranks, size_t with, struct ranks_bytes *theirs,
                             struct vocabulary *ids, struct status *status)
{
    enum status_code code;
    struct vocabulary both = {0};
    size_t first[RANKS_MAX + 1], size;
    char *packed = NULL;

    TRY(pack(ids, &packed, &size, status));
    for (size_t r = 0; r <= ranks_n(ranks); r++) {
        first[r] = r <= with ? 0 : size;
    }
    TRY(ranks_exchange(ranks, packed, first, theirs, status));
    const struct vocabulary view = unpack(theirs->data);
    TRY(vocabulary_merge(ids, &view, &both, NULL, NULL, status));
    vocabulary_release(ids);
    *ids = both;
done:
    mem_free(packed);
    return code;
}

enum status_code vocabulary_unite(struct ranks *ranks, struct vocabulary *ids, int32_t *map,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    static const struct vocabulary nothing = {0};
    struct vocabulary mine = {0}; /* a copy, to be found in the union */
    struct ranks_bytes theirs = {0};

    if (ranks_n(ranks) == 1) {
        for (size_t i = 0; map != NULL && i < ids->n; i++) {
            map[i] = (int32_t)i;
        }
        goto done;
    }
    TRY(vocabulary_merge(ids, &nothing, &mine, NULL, NULL, status));
    for (size_t bit = 1; bit < ranks_n(ranks); bit *= 2) {
        TRY(swap(ranks, ranks_mine(ranks) ^ bit, &theirs, ids, status));
    }
    if (map != NULL) {
        vocabulary_locate(&mine, ids, map);
    }
done:
    vocabulary_release(&mine);
    ranks_bytes_release(&theirs);
    return code;
}
