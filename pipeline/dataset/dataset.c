/* What the interactions hold and give back, and what is read off them. How the data comes about is
 * dataset_build.c's business, the artifact dataset_artifact.c's. */
#include "dataset/dataset.h"

#include "base/hash.h"
#include "base/mem.h"

#include <assert.h>
#include <math.h>

void history_release(struct history *history)
{
    sparse_release(&history->matrix);
    mem_free(history->times);
    *history = (struct history){0};
}

void seen_pairs_release(struct seen_pairs *seen)
{
    vocabulary_release(&seen->users);
    vocabulary_release(&seen->items);
    sparse_release(&seen->pairs);
}

static void cold_part_release(struct cold_part *cold)
{
    mem_free((void *)cold->users);
    mem_free((void *)cold->unknown);
    mem_free((void *)cold->items);
    history_release(&cold->history);
    sparse_release(&cold->held_out);
    sparse_release(&cold->barred);
    sparse_release(&cold->item_held_out);
    sparse_release(&cold->item_seen);
}

void interactions_release(struct interactions *interactions)
{
    vocabulary_release(&interactions->users);
    vocabulary_release(&interactions->items);
    if (interactions->is_view) {
        interactions->seen.pairs = (struct sparse){0};
    }
    seen_pairs_release(&interactions->seen);
    if (!interactions->is_view) {
        history_release(&interactions->log);
        history_release(&interactions->disliked);
        for (size_t b = 0; b < N_BASES; b++) {
            struct dataset *set = &interactions->basis[b];
            mem_free((void *)set->users);
            mem_free((void *)set->items);
            mem_free((void *)set->totals.counts);
            history_release(&set->train);
            history_release(&set->dislikes);
            history_release(&set->valid);
            history_release(&set->test);
            mem_free((void *)set->valid_unknown);
            mem_free((void *)set->test_unknown);
            sparse_release(&set->valid_barred);
            sparse_release(&set->test_barred);
            cold_part_release(&set->cold);
        }
    }
    *interactions = (struct interactions){0};
}

uint64_t history_tie(uint64_t seed, uint64_t user, uint64_t item)
{
    const uint64_t key[] = {seed, user, item};

    return hash_bytes64(key, sizeof key);
}

void dataset_item_counts(const struct dataset *dataset, int64_t *counts)
{
    if (dataset->totals.counts != NULL) {
        memcpy(counts, dataset->totals.counts, dataset->n_items * sizeof *counts);
    } else {
        sparse_column_counts(&dataset->train.matrix, counts);
    }
}

int64_t history_newest(const struct history *history)
{
    int64_t newest = INT64_MIN;
    for (size_t e = 0; history->times != NULL && e < sparse_entries(&history->matrix); e++) {
        newest = history->times[e] > newest ? history->times[e] : newest;
    }
    return newest;
}

enum status_code dataset_excluded(const struct dataset *dataset, const struct sparse *barred,
                                  struct sparse *out, struct status *status)
{
    if (dataset->repeats) {
        return sparse_init(out, dataset->n_users, dataset->n_items, 0, false, status);
    }
    return barred == NULL || barred->n_rows == 0
               ? STATUS_OK
               : sparse_union(&dataset->train.matrix, barred, out, status);
}

void dataset_invert(const int32_t *codes, size_t n, size_t n_master, int32_t *map)
{
    for (size_t i = 0; i < n_master; i++) {
        map[i] = -1;
    }
    for (size_t i = 0; i < n; i++) {
        assert(codes[i] >= 0 && (size_t)codes[i] < n_master);
        map[codes[i]] = (int32_t)i;
    }
}
