/* Packing steps into places. */
#include "sequence/sequence_places.h"

#include "base/rng.h"

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

/* The next place: what a step has, and what of it is seen. */
static void add_place(struct sequence_places *places, const struct sequences *sequences,
                      int64_t step, const struct sequence_hiding *hiding, struct rng *rng)
{
    struct sparse *steps = &places->steps, *read = &places->read, *aged = &places->aged;
    const size_t place = places->n++;
    int64_t to = steps->offsets[place], seen = read->offsets[place];
    for (int64_t e = sequences->offsets[step]; e < sequences->offsets[step + 1]; e++) {
        steps->columns[to++] = sequences->items[e];
        if (hiding == NULL || rng_double(rng) >= hiding->share) {
            read->columns[seen++] = sequences->items[e];
        }
    }
    for (int64_t e = read->offsets[place]; e < seen; e++) {
        read->values[e] = 1.0f / (float)(seen - read->offsets[place]);
    }
    aged->columns[place] = sequences->ages[step];
    aged->offsets[place + 1] = (int64_t)place + 1;
    steps->offsets[place + 1] = to;
    read->offsets[place + 1] = seen;
}

static enum status_code reserve(struct sequence_places *places, size_t n_users, size_t n,
                                size_t entries, struct status *status)
{
    struct workspace *workspace = &places->workspace;
    workspace_begin(workspace);
    WORKSPACE_ADD(workspace, &places->first, n_users + 1);
    WORKSPACE_ADD(workspace, &places->blocks, n_users + 1);
    WORKSPACE_ADD(workspace, &places->goes_on, n_users);
    WORKSPACE_ADD(workspace, &places->steps.offsets, n + 1);
    WORKSPACE_ADD(workspace, &places->steps.columns, entries);
    WORKSPACE_ADD(workspace, &places->read.offsets, n + 1);
    WORKSPACE_ADD(workspace, &places->read.columns, entries);
    WORKSPACE_ADD(workspace, &places->read.values, entries);
    WORKSPACE_ADD(workspace, &places->aged.offsets, n + 1);
    WORKSPACE_ADD(workspace, &places->aged.columns, n);
    return workspace_reserve(workspace, status);
}

enum status_code sequence_places_set(struct sequence_places *places,
                                     const struct sequences *sequences, size_t n_items,
                                     const int32_t *users, size_t n_users,
                                     const struct sequence_hiding *hiding, struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t n = 0;
    const size_t entries = count_items(sequences, users, n_users, &n);
    TRY(reserve(places, n_users, n, entries, status));
    places->n_users = n_users;
    places->n = 0;
    places->memory = sequences->memory;
    places->steps.n_rows = places->read.n_rows = places->aged.n_rows = n;
    places->steps.n_columns = places->read.n_columns = n_items;
    places->aged.n_columns = SEQUENCE_AGES;
    places->steps.values = places->aged.values = NULL;
    places->steps.offsets[0] = places->read.offsets[0] = places->aged.offsets[0] = 0;
    for (size_t i = 0; i < n_users; i++) {
        const size_t user = (size_t)users[i];
        struct rng rng = {0};
        if (hiding != NULL) {
            rng_init(&rng, hiding->seed, "sequence.hide", hiding->epoch,
                     hiding->keys == NULL ? user : hiding->keys[user]);
        }
        places->first[i] = (int64_t)places->n;
        places->goes_on[i] = sequences->memory == NULL ? -1 : sequences->goes_on[user];
        for (int64_t s = sequences->first[user]; s < sequences->first[user + 1]; s++) {
            add_place(places, sequences, s, hiding, &rng);
        }
    }
    places->first[n_users] = (int64_t)n;
    cut_blocks(places);
done:
    return code;
}

void sequence_places_release(struct sequence_places *places)
{
    workspace_release(&places->workspace);
    *places = (struct sequence_places){0};
}
