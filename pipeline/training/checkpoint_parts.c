/* Rows by their owners' ids. */
#include "training/checkpoint_parts.h"

#include "base/mem.h"
#include "ranks/shards.h"

#include <stdlib.h>

static const char keys_slot[] = "users.keys";

enum status_code checkpoint_part_save(const struct trainer *trainer, struct artifact *artifact,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = trainer->input;
    int64_t *keys = NULL;
    TRY(MEM_NEW(&keys, trainer->n[SIDE_USERS], status));
    for (size_t u = 0; u < trainer->n[SIDE_USERS]; u++) {
        keys[u] = (int64_t)trainer_user_key(input, u);
    }
    TRY(artifact_set_number(artifact, "ranks", (double)ranks_n(input->ranks), status));
    TRY(artifact_copy(artifact, keys_slot, ARRAY_I64, trainer->n[SIDE_USERS], 1, keys, status));
done:
    mem_free(keys);
    return code;
}

bool checkpoint_part_overlaps(const struct ranks *ranks, size_t part, size_t n)
{
    const size_t first = ranks_first_shard(ranks, ranks_mine(ranks));
    const size_t last = ranks_first_shard(ranks, ranks_mine(ranks) + 1);
    return part * SHARDS / n < last && first < (part + 1) * SHARDS / n;
}

/* ---- which row is which ---- */

struct place {
    int64_t key;
    int32_t row;
};

static int compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

/* rows (n of the part's users): of this rank, -1: not here. */
static enum status_code map_users(const struct trainer *trainer, const int64_t *keys, size_t n,
                                  int32_t *rows, size_t *n_found, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_users = trainer->n[SIDE_USERS];
    struct place *places = NULL;
    TRY(MEM_NEW(&places, n_users, status));
    for (size_t u = 0; u < n_users; u++) {
        places[u] = (struct place){(int64_t)trainer_user_key(trainer->input, u), (int32_t)u};
    }
    qsort(places, n_users, sizeof *places, compare_places);
    for (size_t i = 0; i < n; i++) {
        const struct place wanted = {keys[i], 0};
        const struct place *found =
            n_users == 0 ? NULL : bsearch(&wanted, places, n_users, sizeof wanted, compare_places);
        rows[i] = found == NULL ? -1 : found->row;
        *n_found += found != NULL;
    }
done:
    mem_free(places);
    return code;
}

/* rows (n of the part's item rows): of this rank, -1: not here. */
static void map_items(const struct trainer *trainer, size_t part, size_t n_parts, size_t n,
                      int32_t *rows, size_t *n_found)
{
    for (size_t i = 0; i < n; i++) {
        const size_t item = shard_nth_item(n_parts, part, i);
        rows[i] =
            item < trainer->n[SIDE_ITEMS] ? item_rows_row(&trainer->items, (int32_t)item) : -1;
        *n_found += rows[i] >= 0;
    }
}

/* ---- taking a part over ---- */

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/* The array of the whole that this one of a part belongs to, made when it is not there. */
static enum status_code array_of(struct artifact *whole, const struct array *from, size_t rows,
                                 char **out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct array *there = artifact_find(whole, from->name);
    char *data = NULL;
    if (there == NULL) {
        TRY(MEM_NEW(&data, rows * from->columns * array_types[from->type].size, status));
        char *taken = data;
        data = NULL;
        TRY(artifact_take(whole, from->name, from->type, rows, from->columns, taken, status));
        there = artifact_find(whole, from->name);
    } else if (there->columns != from->columns || there->type != from->type) {
        TRY(artifact_misfit(whole, from->name, "it differs from rank to rank", status));
    }
    *out = there->data;
done:
    mem_free(data);
    return code;
}

static enum status_code copy_rows(struct artifact *whole, const struct array *from,
                                  const int32_t *rows, size_t n_rows, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t size = from->columns * array_types[from->type].size;
    char *out = NULL;
    TRY(array_of(whole, from, n_rows, &out, status));
    for (size_t i = 0; i < from->rows; i++) {
        if (rows[i] >= 0) {
            memcpy(out + (size_t)rows[i] * size, (const char *)from->data + i * size, size);
        }
    }
done:
    return code;
}

enum status_code checkpoint_parts_add(struct checkpoint_parts *parts, const struct trainer *trainer,
                                      const struct artifact *from, size_t part, size_t n,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    const void *keys = NULL;
    const struct array *item_rows = artifact_find(from, "item.0.weights");
    int32_t *rows[N_SIDES] = {NULL, NULL};
    size_t n_rows[N_SIDES] = {0, item_rows == NULL ? 0 : item_rows->rows};
    const size_t own[N_SIDES] = {trainer->n[SIDE_USERS], trainer->items.n_own};
    if (parts->whole.name[0] == '\0') {
        artifact_init(&parts->whole, from->name);
    }
    TRY(artifact_get(from, keys_slot, ARRAY_I64, &keys, &n_rows[SIDE_USERS], NULL, status));
    for (size_t s = 0; s < N_SIDES; s++) {
        TRY(MEM_NEW(&rows[s], n_rows[s], status));
    }
    TRY(map_users(trainer, keys, n_rows[SIDE_USERS], rows[SIDE_USERS], &parts->n_users, status));
    map_items(trainer, part, n, n_rows[SIDE_ITEMS], rows[SIDE_ITEMS], &parts->n_items);
    for (size_t i = 0; i < from->n_arrays; i++) {
        const struct array *array = &from->arrays[i];
        const bool is_number = array->rows == 1 && array->type == ARRAY_F64;
        const bool of_users = begins(array->name, "user.") || begins(array->name, "hard.") ||
                              strcmp(array->name, "best.users") == 0;
        const bool of_items = begins(array->name, "item.");
        if (!is_number && (of_users || of_items)) {
            const size_t s = of_users ? SIDE_USERS : SIDE_ITEMS;
            if (array->rows != n_rows[s]) {
                TRY(artifact_misfit(from, array->name, "it has other rows", status));
            }
            TRY(copy_rows(&parts->whole, array, rows[s], own[s], status));
        } else if (strcmp(array->name, "best.cold_users") == 0) {
            char *zeros; /* who has no tokens has no vector of the tower's own */
            TRY(array_of(&parts->whole, array, trainer->input->sources[SIDE_USERS].n_cold, &zeros,
                         status));
        } else if (strcmp(array->name, keys_slot) != 0 &&
                   artifact_find(&parts->whole, array->name) == NULL) {
            TRY(artifact_copy(&parts->whole, array->name, array->type, array->rows, array->columns,
                              array->data, status));
        }
    }
done:
    mem_free(rows[SIDE_USERS]);
    mem_free(rows[SIDE_ITEMS]);
    return code;
}

void checkpoint_parts_release(struct checkpoint_parts *parts)
{
    artifact_release(&parts->whole);
}
