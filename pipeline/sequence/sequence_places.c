/* Packing steps into places. */
#include "sequence/sequence_places.h"

enum { BLOCK_PLACES = 128 };

/* Items that the users' steps have together; *n_places: the steps. */
static size_t count_items(const struct sequences *sequences, const int32_t *users, size_t n_users,
                          size_t *n_places)
{
    size_t n_items = 0;
    *n_places = 0;
    for (size_t i = 0; i < n_users; i++) {
        const int64_t *first = sequences->first + users[i];
        *n_places += (size_t)(first[1] - first[0]);
        n_items += (size_t)(sequences->offsets[first[1]] - sequences->offsets[first[0]]);
    }
    return n_items;
}

/* Cuts the users into blocks of whole users with BLOCK_PLACES places or more. */
static void cut_blocks(struct sequence_places *places)
{
    size_t n = 0;
    for (size_t u = 0; u < places->n_users; u++) {
        if (n == 0 || places->first[u] - places->first[places->blocks[n - 1]] >= BLOCK_PLACES) {
            places->blocks[n++] = (int64_t)u;
        }
    }
    places->blocks[n] = (int64_t)places->n_users;
    places->n_blocks = n;
}

enum status_code sequence_places_set(struct sequence_places *places,
                                     const struct sequences *sequences, size_t n_items,
                                     const int32_t *users, size_t n_users, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct workspace *workspace = &places->workspace;
    size_t n = 0, entry = 0, place = 0;
    const size_t entries = count_items(sequences, users, n_users, &n);
    workspace_begin(workspace);
    WORKSPACE_ADD(workspace, &places->first, n_users + 1);
    WORKSPACE_ADD(workspace, &places->blocks, n_users + 1);
    WORKSPACE_ADD(workspace, &places->read.offsets, n + 1);
    WORKSPACE_ADD(workspace, &places->read.columns, entries);
    WORKSPACE_ADD(workspace, &places->read.values, entries);
    WORKSPACE_ADD(workspace, &places->aged.offsets, n + 1);
    WORKSPACE_ADD(workspace, &places->aged.columns, n);
    TRY(workspace_reserve(workspace, status));
    places->n_users = n_users;
    places->n = places->read.n_rows = places->aged.n_rows = n;
    places->read.n_columns = n_items;
    places->aged.n_columns = SEQUENCE_AGES;
    places->aged.values = NULL;
    for (size_t i = 0; i < n_users; i++) {
        places->first[i] = (int64_t)place;
        for (int64_t s = sequences->first[users[i]]; s < sequences->first[users[i] + 1]; s++) {
            const int64_t from = sequences->offsets[s], end = sequences->offsets[s + 1];
            places->aged.offsets[place] = (int64_t)place;
            places->aged.columns[place] = sequences->ages[s];
            places->read.offsets[place++] = (int64_t)entry;
            for (int64_t e = from; e < end; e++) {
                places->read.columns[entry] = sequences->items[e];
                places->read.values[entry++] = 1.0f / (float)(end - from);
            }
        }
    }
    places->first[n_users] = places->aged.offsets[n] = (int64_t)n;
    places->read.offsets[n] = (int64_t)entry;
    cut_blocks(places);
done:
    return code;
}

void sequence_places_release(struct sequence_places *places)
{
    workspace_release(&places->workspace);
    *places = (struct sequence_places){0};
}
