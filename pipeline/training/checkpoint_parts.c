/* Rows by their owners' ids. */
#include "training/checkpoint_parts.h"

#include "base/mem.h"
#include "ranks/shards.h"

#include <stdlib.h>

/* Whose rows an array has: of users that are trained, of those that are not, of items that are
 * here; or it is the same on every rank. */
enum owners { OF_USERS, OF_COLD_USERS, OF_ITEMS, N_OWNERS, OF_ALL = N_OWNERS };

static const char *const key_slots[] = {
    [OF_USERS] = "users.keys", [OF_COLD_USERS] = "cold_users.keys"};

static size_t n_rows_of(const struct trainer *trainer, enum owners who)
{
    return who == OF_USERS        ? trainer->n[SIDE_USERS]
           : who == OF_COLD_USERS ? trainer->input->sources[SIDE_USERS].n_cold
                                  : trainer->items.n_own;
}

static int64_t key_of(const struct trainer *trainer, enum owners who, size_t row)
{
    const uint64_t *keys =
        who == OF_USERS ? trainer->input->user_keys : trainer->input->sources[SIDE_USERS].cold_keys;
    return keys == NULL ? (int64_t)row : (int64_t)keys[row];
}

enum status_code checkpoint_part_save(const struct trainer *trainer, struct artifact *artifact,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t *keys = NULL;
    TRY(artifact_set_number(artifact, "ranks", (double)ranks_n(trainer->input->ranks), status));
    for (enum owners who = OF_USERS; who <= OF_COLD_USERS; who++) {
        const size_t n = n_rows_of(trainer, who);
        TRY(MEM_NEW(&keys, n, status));
        for (size_t u = 0; u < n; u++) {
            keys[u] = key_of(trainer, who, u);
        }
        TRY(artifact_copy(artifact, key_slots[who], ARRAY_I64, n, 1, keys, status));
        mem_free(keys);
        keys = NULL;
    }
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
static enum status_code map_users(const struct trainer *trainer, enum owners who,
                                  const int64_t *keys, size_t n, int32_t *rows, size_t *n_found,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_users = n_rows_of(trainer, who);
    struct place *places = NULL;
    TRY(MEM_NEW(&places, n_users, status));
    for (size_t u = 0; u < n_users; u++) {
        places[u] = (struct place){key_of(trainer, who, u), (int32_t)u};
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

/* Tables beside the first of a tower, of tokens, are everybody's. */
static enum owners owners_of(const struct array *array)
{
    const char *name = array->name;
    if (array->rows == 1 && array->type == ARRAY_F64) { /* a number */
        return OF_ALL;
    }
    if (begins(name, "user.0.") || begins(name, "hard.") || strcmp(name, "best.users") == 0) {
        return OF_USERS;
    }
    return strcmp(name, "best.cold_users") == 0 ? OF_COLD_USERS
           : begins(name, "item.0.")            ? OF_ITEMS
                                                : OF_ALL;
}

/* Where the rows of a part are here; zero-initialise. */
struct row_maps {
    size_t n[N_OWNERS];
    int32_t *rows[N_OWNERS]; /* -1: not here */
};

static enum status_code map_rows(struct checkpoint_parts *parts, const struct trainer *trainer,
                                 const struct artifact *from, size_t part, size_t n,
                                 struct row_maps *maps, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct array *item_rows = artifact_find(from, "item.0.weights");
    size_t n_cold_found = 0; /* all, where all that are trained are */
    for (enum owners who = OF_USERS; who <= OF_COLD_USERS; who++) {
        const void *keys = NULL;
        TRY(artifact_get(from, key_slots[who], ARRAY_I64, &keys, &maps->n[who], NULL, status));
        TRY(MEM_NEW(&maps->rows[who], maps->n[who], status));
        TRY(map_users(trainer, who, keys, maps->n[who], maps->rows[who],
                      who == OF_USERS ? &parts->n_users : &n_cold_found, status));
    }
    maps->n[OF_ITEMS] = item_rows == NULL ? 0 : item_rows->rows;
    TRY(MEM_NEW(&maps->rows[OF_ITEMS], maps->n[OF_ITEMS], status));
    map_items(trainer, part, n, maps->n[OF_ITEMS], maps->rows[OF_ITEMS], &parts->n_items);
done:
    return code;
}

enum status_code checkpoint_parts_add(struct checkpoint_parts *parts, const struct trainer *trainer,
                                      const struct artifact *from, size_t part, size_t n,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    struct row_maps maps = {0};
    if (parts->whole.name[0] == '\0') {
        artifact_init(&parts->whole, from->name);
    }
    TRY(map_rows(parts, trainer, from, part, n, &maps, status));
    for (size_t i = 0; i < from->n_arrays; i++) {
        const struct array *array = &from->arrays[i];
        const enum owners who = owners_of(array);
        if (who != OF_ALL) {
            if (array->rows != maps.n[who]) {
                TRY(artifact_misfit(from, array->name, "it has other rows", status));
            }
            TRY(copy_rows(&parts->whole, array, maps.rows[who], n_rows_of(trainer, who), status));
        } else if (strcmp(array->name, key_slots[OF_USERS]) != 0 &&
                   strcmp(array->name, key_slots[OF_COLD_USERS]) != 0 &&
                   artifact_find(&parts->whole, array->name) == NULL) {
            TRY(artifact_copy(&parts->whole, array->name, array->type, array->rows, array->columns,
                              array->data, status));
        }
    }
done:
    for (enum owners who = 0; who < N_OWNERS; who++) {
        mem_free(maps.rows[who]);
    }
    return code;
}

void checkpoint_parts_release(struct checkpoint_parts *parts)
{
    artifact_release(&parts->whole);
}
