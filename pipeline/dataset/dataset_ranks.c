/* Totals of a dataset. */
#include "dataset/dataset_ranks.h"

#include "base/mem.h"

static struct dataset_totals own_totals(const struct dataset *set)
{
    const struct cold_part *cold = &set->cold;
    return (struct dataset_totals){.users = (int64_t)set->n_users,
                                   .pairs = (int64_t)sparse_entries(&set->train.matrix),
                                   .valid_pairs = (int64_t)sparse_entries(&set->valid.matrix),
                                   .test_pairs = (int64_t)sparse_entries(&set->test.matrix),
                                   .cold_users = (int64_t)cold->n_users,
                                   .cold_user_pairs = (int64_t)sparse_entries(&cold->held_out),
                                   .cold_item_pairs = (int64_t)sparse_entries(&cold->item_held_out),
                                   .newest = history_newest(&set->train)};
}

struct dataset_totals dataset_totals(const struct dataset *dataset)
{
    return dataset->totals.counts == NULL ? own_totals(dataset) : dataset->totals;
}

int64_t interactions_n_users(const struct interactions *interactions)
{
    return interactions->n_all_users > 0 ? interactions->n_all_users
                                         : (int64_t)interactions->users.n;
}

enum status_code dataset_add_up(struct ranks *ranks, struct dataset *set, struct status *status)
{
    enum status_code code;
    struct dataset_totals totals = own_totals(set);
    int64_t *counts = NULL;

    if (ranks_n(ranks) == 1) {
        return STATUS_OK;
    }
    TRY(MEM_NEW(&counts, set->n_items, status));
    sparse_column_counts(&set->train.matrix, counts);
    TRY(ranks_sum_int64(ranks, counts, set->n_items, status));
    int64_t sums[] = {totals.users,
                      totals.pairs,
                      totals.valid_pairs,
                      totals.test_pairs,
                      totals.cold_users,
                      totals.cold_user_pairs,
                      totals.cold_item_pairs,
                      (int64_t)set->valid_unknown_users,
                      (int64_t)set->test_unknown_users};
    TRY(ranks_sum_int64(ranks, sums, sizeof sums / sizeof *sums, status));
    TRY(ranks_max_int64(ranks, &totals.newest, 1, status));
    set->totals = (struct dataset_totals){.users = sums[0],
                                          .pairs = sums[1],
                                          .valid_pairs = sums[2],
                                          .test_pairs = sums[3],
                                          .cold_users = sums[4],
                                          .cold_user_pairs = sums[5],
                                          .cold_item_pairs = sums[6],
                                          .newest = totals.newest,
                                          .counts = counts};
    set->valid_unknown_users = (size_t)sums[7];
    set->test_unknown_users = (size_t)sums[8];
    counts = NULL;
done:
    mem_free(counts);
    return code;
}

enum status_code interactions_add_up(struct ranks *ranks, struct interactions *interactions,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;

    if (ranks_n(ranks) == 1) {
        goto done;
    }
    interactions->n_all_users = (int64_t)interactions->users.n;
    TRY(ranks_sum_int64(ranks, &interactions->n_all_users, 1, status));
    for (size_t b = 0; b < N_BASES; b++) {
        TRY(dataset_add_up(ranks, &interactions->basis[b], status));
    }
done:
    return code;
}
