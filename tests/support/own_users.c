/* Dropping rows: lists of those that stay, and every matrix gathered by them. */
#include "tests/support/own_users.h"

#include "base/mem.h"
#include "ranks/shards.h"
#include "dataset/dataset_ranks.h"

/* rows (n of them) stay. */
struct kept {
    int32_t *rows;
    size_t n;
};

static enum status_code keep_pattern(struct sparse *m, const struct kept *kept,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sparse made = {0};
    if (m->n_rows > 0) {
        TRY(sparse_gather(m, kept->rows, kept->n, &made, status));
        sparse_release(m);
        *m = made;
    }
done:
    return code;
}

static enum status_code keep_history(struct history *history, const struct kept *kept,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *m = &history->matrix;
    int64_t *times = NULL;
    size_t n = 0;

    if (history->times != NULL && m->n_rows > 0) {
        TRY(MEM_NEW(&times, sparse_entries(m), status));
        for (size_t i = 0; i < kept->n; i++) {
            const size_t length = sparse_row_length(m, (size_t)kept->rows[i]);
            memcpy(times + n, history->times + m->offsets[kept->rows[i]], length * sizeof *times);
            n += length;
        }
        mem_free(history->times);
        history->times = times;
    }
    TRY(keep_pattern(&history->matrix, kept, status));
done:
    return code;
}

static enum status_code keep_numbers(const int32_t **numbers, const struct kept *kept,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t *made = NULL;
    if (*numbers != NULL) {
        TRY(MEM_NEW(&made, kept->n, status));
        for (size_t i = 0; i < kept->n; i++) {
            made[i] = (*numbers)[kept->rows[i]];
        }
        mem_free((void *)*numbers);
        *numbers = made;
    }
done:
    return code;
}

/* kept = those of `codes` (n) that have a new one; *codes becomes the new ones. */
static enum status_code keep_codes(const int32_t **codes, size_t *n, const int32_t *new_code,
                                   struct kept *kept, struct status *status)
{
    enum status_code code;
    int32_t *made;
    *kept = (struct kept){0};
    TRY(MEM_NEW(&kept->rows, *n, status));
    for (size_t i = 0; i < *n; i++) {
        if (new_code[(*codes)[i]] >= 0) {
            kept->rows[kept->n++] = (int32_t)i;
        }
    }
    TRY(keep_numbers(codes, kept, status));
    made = (int32_t *)*codes; /* ours since it was copied */
    for (size_t i = 0; i < kept->n; i++) {
        made[i] = new_code[made[i]];
    }
    *n = kept->n;
done:
    return code;
}

static enum status_code keep_cold(struct cold_part *cold, const int32_t *new_code,
                                  const struct kept *kept, struct status *status)
{
    enum status_code code;
    struct kept own = {0};
    TRY(keep_pattern(&cold->item_held_out, kept, status));
    TRY(keep_pattern(&cold->item_seen, kept, status));
    TRY(keep_codes(&cold->users, &cold->n_users, new_code, &own, status));
    TRY(keep_numbers(&cold->unknown, &own, status));
    TRY(keep_history(&cold->history, &own, status));
    TRY(keep_pattern(&cold->held_out, &own, status));
    TRY(keep_pattern(&cold->barred, &own, status));
done:
    mem_free(own.rows);
    return code;
}

static enum status_code keep_basis(struct dataset *set, const int32_t *new_code,
                                   struct status *status)
{
    enum status_code code;
    struct kept own = {0};
    TRY(keep_codes(&set->users, &set->n_users, new_code, &own, status));
    TRY(keep_history(&set->train, &own, status));
    TRY(keep_history(&set->dislikes, &own, status));
    TRY(keep_history(&set->valid, &own, status));
    TRY(keep_history(&set->test, &own, status));
    TRY(keep_numbers(&set->valid_unknown, &own, status));
    TRY(keep_numbers(&set->test_unknown, &own, status));
    TRY(keep_pattern(&set->valid_barred, &own, status));
    TRY(keep_pattern(&set->test_barred, &own, status));
    TRY(keep_cold(&set->cold, new_code, &own, status));
done:
    mem_free(own.rows);
    return code;
}

/* kept = this rank's users; the others leave the vocabulary. */
static enum status_code keep_ids(struct ranks *ranks, struct vocabulary *users, struct kept *kept,
                                 int32_t *new_code, struct status *status)
{
    enum status_code code;
    struct vocabulary made = {.type = users->type};
    TRY(MEM_NEW(&kept->rows, users->n, status));
    if (users->type == ID_INTEGER) {
        TRY(MEM_NEW(&made.integers, users->n, status));
    }
    for (size_t u = 0; u < users->n; u++) {
        const size_t shard = shard_of_key(vocabulary_key(users, u));
        const bool is_own = ranks_owner(ranks, shard) == ranks_mine(ranks);
        if (new_code != NULL) {
            new_code[u] = is_own ? (int32_t)kept->n : -1;
        }
        if (is_own) {
            kept->rows[kept->n++] = (int32_t)u;
            TRY(vocabulary_append(&made, users, u, status));
        }
    }
    vocabulary_release(users);
    *users = made;
    made = (struct vocabulary){0};
done:
    vocabulary_release(&made);
    return code;
}

/* The items of pairs that are left. */
static enum status_code keep_seen_items(struct seen_pairs *seen, struct status *status)
{
    enum status_code code;
    struct vocabulary made = {.type = seen->items.type};
    int32_t *map = NULL;
    TRY(MEM_NEW(&map, seen->items.n, status));
    if (made.type == ID_INTEGER) {
        TRY(MEM_NEW(&made.integers, seen->items.n, status));
    }
    for (size_t e = 0; e < sparse_entries(&seen->pairs); e++) {
        map[seen->pairs.columns[e]] = 1;
    }
    for (size_t i = 0; i < seen->items.n; i++) {
        if (map[i] == 1) {
            map[i] = (int32_t)made.n;
            TRY(vocabulary_append(&made, &seen->items, i, status));
        }
    }
    for (size_t e = 0; e < sparse_entries(&seen->pairs); e++) {
        seen->pairs.columns[e] = map[seen->pairs.columns[e]];
    }
    vocabulary_release(&seen->items);
    seen->items = made;
    seen->pairs.n_columns = made.n;
    made = (struct vocabulary){0};
done:
    vocabulary_release(&made);
    mem_free(map);
    return code;
}

enum status_code own_users_keep(struct ranks *ranks, struct interactions *interactions,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    struct kept own = {0}, seen = {0};
    int32_t *new_code = NULL;

    if (ranks_n(ranks) == 1) {
        goto done;
    }
    TRY(MEM_NEW(&new_code, interactions->users.n, status));
    TRY(keep_ids(ranks, &interactions->users, &own, new_code, status));
    TRY(keep_history(&interactions->log, &own, status));
    TRY(keep_history(&interactions->disliked, &own, status));
    for (size_t b = 0; b < N_BASES; b++) {
        TRY(keep_basis(&interactions->basis[b], new_code, status));
        if (!ranks_is_first(ranks)) { /* they count all ranks' already, and are added up */
            interactions->basis[b].valid_unknown_users = 0;
            interactions->basis[b].test_unknown_users = 0;
        }
    }
    if (interactions->seen.pairs.n_rows > 0) {
        TRY(keep_ids(ranks, &interactions->seen.users, &seen, NULL, status));
        TRY(keep_pattern(&interactions->seen.pairs, &seen, status));
        TRY(keep_seen_items(&interactions->seen, status));
    }
done:
    mem_free(own.rows);
    mem_free(seen.rows);
    mem_free(new_code);
    return code;
}
