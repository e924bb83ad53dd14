/* Other draws of the validation part. */
#include "tuning/fold.h"

#include "base/mem.h"
#include "base/rng.h"
#include "dataset/dataset_ranks.h"
#include "pairs/item_pairs.h"
#include "pairs/pair_artifact.h"
#include "run/context_data.h"

#include <assert.h>
#include <string.h>

/* The pairs stage's weights of positives outside of the train part, and how it made item pairs;
 * without that stage weights are values, and there are no item pairs. */
struct pairs_made {
    enum positive_weights weights;
    bool has_settings;
    struct pair_settings settings;
};

static enum status_code load_pairs_made(const struct training *training, struct pairs_made *made,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct artifact *pairs = NULL;
    size_t weights = POSITIVES_VALUE;
    TRY(context_input(training->context, "pairs", &pairs, status));
    *made = (struct pairs_made){.weights = POSITIVES_VALUE};
    if (pairs != NULL) {
        TRY(artifact_get_count(pairs, pairs_positive_weights_slot, POSITIVES_ONE, &weights,
                               status));
        TRY(pairs_settings_load(&made->settings, pairs, &made->has_settings, status));
    }
    made->weights = (enum positive_weights)weights;
done:
    return code;
}

enum status_code fold_is_sound(const struct training *training, bool *is_sound,
                               struct status *status)
{
    const struct dataset *dataset = &training->interactions.basis[training->basis];
    struct pairs_made made;
    const enum status_code code = load_pairs_made(training, &made, status);
    if (code == STATUS_OK) {
        *is_sound = dataset->valid_is_random && !dataset->repeats &&
                    training->input.stored_negatives == NULL &&
                    (training->input.item_pairs == NULL || made.has_settings);
    }
    return code;
}

/* Room for as many entries as the parts have, and how many users each item has in both. */
static enum status_code make_room(struct fold *fold, const struct training *training,
                                  struct status *status)
{
    enum status_code code;
    const struct dataset *dataset = &training->interactions.basis[training->basis];
    const size_t n_train = sparse_entries(&dataset->train.matrix);
    const size_t n = n_train + sparse_entries(&dataset->valid.matrix);
    const bool has_values = training->positives.matrix.values != NULL;
    TRY(sparse_init(&fold->dataset.train.matrix, dataset->n_users, dataset->n_items, n, has_values,
                    status));
    TRY(sparse_init(&fold->dataset.valid.matrix, dataset->n_users, dataset->n_items, n - n_train,
                    false, status));
    if (dataset->train.times != NULL) {
        TRY(MEM_NEW(&fold->dataset.train.times, n, status));
    }
    TRY(MEM_NEW(&fold->item_counts, dataset->n_items, status));
    sparse_column_counts(&dataset->train.matrix, fold->item_counts);
    for (size_t e = 0; e < n - n_train; e++) {
        fold->item_counts[dataset->valid.matrix.columns[e]]++;
    }
    TRY(ranks_sum_int64(training->input.ranks, fold->item_counts, dataset->n_items, status));
done:
    return code;
}

/* A user's pairs of both parts in the order of items. */
struct merged_row {
    size_t n, n_valid;
    int32_t *columns;
    float *values;
    int64_t *times;
    uint32_t *order;
    bool *is_held; /* goes to the validation part */
};

static void take(const struct history *part, const float *values, size_t entry,
                 struct merged_row *row)
{
    row->columns[row->n] = part->matrix.columns[entry];
    row->values[row->n] = values == NULL ? 1.0F : values[entry];
    row->times[row->n] = part->times == NULL ? 0 : part->times[entry];
    row->n++;
}

static void merge(const struct training *training, const float *valid_values, size_t user,
                  struct merged_row *row)
{
    const struct dataset *dataset = &training->interactions.basis[training->basis];
    const struct history *train = &training->positives, *valid = &dataset->valid;
    size_t t = (size_t)train->matrix.offsets[user], v = (size_t)valid->matrix.offsets[user];
    const size_t t_end = (size_t)train->matrix.offsets[user + 1];
    const size_t v_end = (size_t)valid->matrix.offsets[user + 1];
    row->n = 0;
    row->n_valid = v_end - v;
    while (t < t_end || v < v_end) {
        if (v == v_end || (t < t_end && train->matrix.columns[t] < valid->matrix.columns[v])) {
            take(train, train->matrix.values, t++, row);
        } else {
            take(valid, valid_values, v++, row);
        }
    }
}

/* What is held out of each item, and which of its pairs comes back where it is all of them: the one
 * with the greatest lot. Lots are drawn by ids, so it is the same one wherever its user is. */
struct held_out {
    int64_t *counts, *last; /* (n_items) of all ranks, once they are put together */
};

static int64_t lot_of(uint64_t seed, uint64_t user_key, int32_t item)
{
    return (int64_t)(history_tie(seed, user_key, (uint64_t)item) >> 1);
}

/* As many as the user's first validation part has, of items that have another user. */
static void hold_out(struct rng *rng, const int64_t *item_counts, struct merged_row *row)
{
    size_t n_held = 0;
    memset(row->is_held, 0, row->n * sizeof *row->is_held);
    if (row->n_valid == 0) {
        return;
    }
    rng_permutation(rng, row->n, row->order);
    for (size_t i = 0; i < row->n && n_held < row->n_valid; i++) {
        if (item_counts[row->columns[row->order[i]]] > 1) {
            row->is_held[row->order[i]] = true;
            n_held++;
        }
    }
}

static void put(const struct merged_row *row, size_t user, struct dataset *dataset)
{
    struct sparse *train = &dataset->train.matrix, *valid = &dataset->valid.matrix;
    int64_t t = train->offsets[user], v = valid->offsets[user];
    for (size_t i = 0; i < row->n; i++) {
        if (row->is_held[i]) {
            valid->columns[v++] = row->columns[i];
            continue;
        }
        train->columns[t] = row->columns[i];
        if (train->values != NULL) {
            train->values[t] = row->values[i];
        }
        if (dataset->train.times != NULL) {
            dataset->train.times[t] = row->times[i];
        }
        t++;
    }
    train->offsets[user + 1] = t;
    valid->offsets[user + 1] = v;
}

/* A draw in the making. */
struct fold_draw {
    struct fold *fold;
    const struct training *training;
    size_t number;
    float *valid_values; /* weights of the first validation part's pairs as positives, or NULL */
    struct merged_row row;
    struct held_out held;
};

/* Into draw->row: the user's pairs, and what is held out of them before any comes back. */
static void draw_user(struct fold_draw *draw, size_t user)
{
    const struct trainer_input *input = &draw->training->input;
    struct rng rng;
    merge(draw->training, draw->valid_values, user, &draw->row);
    rng_init(&rng, input->seed, "search.fold", draw->number, trainer_user_key(input, user));
    hold_out(&rng, draw->fold->item_counts, &draw->row);
}

static void count_user(struct fold_draw *draw, size_t user)
{
    const struct trainer_input *input = &draw->training->input;
    const struct merged_row *row = &draw->row;
    draw_user(draw, user);
    for (size_t i = 0; i < row->n; i++) {
        if (row->is_held[i]) {
            const int32_t item = row->columns[i];
            const int64_t lot = lot_of(input->seed, trainer_user_key(input, user), item);
            int64_t *last = &draw->held.last[item];
            draw->held.counts[item]++;
            *last = lot > *last ? lot : *last;
        }
    }
}

static void put_user(struct fold_draw *draw, size_t user)
{
    const struct trainer_input *input = &draw->training->input;
    struct merged_row *row = &draw->row;
    draw_user(draw, user);
    for (size_t i = 0; i < row->n; i++) {
        const int32_t item = row->columns[i];
        const bool is_all = draw->held.counts[item] == draw->fold->item_counts[item];
        row->is_held[i] = row->is_held[i] &&
                          !(is_all && lot_of(input->seed, trainer_user_key(input, user), item) ==
                                          draw->held.last[item]);
    }
    put(row, user, &draw->fold->dataset);
}

static enum status_code init_draw(struct fold_draw *draw, const struct pairs_made *made,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct training *training = draw->training;
    const struct sparse *valid = &training->interactions.basis[training->basis].valid.matrix;
    const size_t n_valid = sparse_entries(valid), n_items = valid->n_columns;
    TRY(MEM_NEW(&draw->row.columns, n_items, status));
    TRY(MEM_NEW(&draw->row.values, n_items, status));
    TRY(MEM_NEW(&draw->row.times, n_items, status));
    TRY(MEM_NEW(&draw->row.order, n_items, status));
    TRY(MEM_NEW(&draw->row.is_held, n_items, status));
    TRY(MEM_NEW(&draw->held.counts, n_items, status));
    TRY(MEM_NEW(&draw->held.last, n_items, status));
    if (training->positives.matrix.values != NULL && valid->values != NULL) {
        TRY(MEM_NEW(&draw->valid_values, n_valid, status));
        pairs_weigh_positives(made->weights, valid->values, n_valid, draw->valid_values);
    }
done:
    return code;
}

static void release_draw(struct fold_draw *draw)
{
    mem_free(draw->row.columns);
    mem_free(draw->row.values);
    mem_free(draw->row.times);
    mem_free(draw->row.order);
    mem_free(draw->row.is_held);
    mem_free(draw->held.counts);
    mem_free(draw->held.last);
    mem_free(draw->valid_values);
}

static enum status_code draw_fold(struct fold *fold, const struct training *training,
                                  const struct pairs_made *made, size_t number,
                                  struct status *status)
{
    enum status_code code;
    struct ranks *ranks = training->input.ranks;
    const size_t n_users = fold->dataset.n_users, n_items = fold->dataset.n_items;
    struct fold_draw draw = {.fold = fold, .training = training, .number = number};
    TRY(init_draw(&draw, made, status));
    for (size_t u = 0; u < n_users; u++) {
        count_user(&draw, u);
    }
    TRY(ranks_sum_int64(ranks, draw.held.counts, n_items, status));
    TRY(ranks_max_int64(ranks, draw.held.last, n_items, status));
    for (size_t u = 0; u < n_users; u++) {
        put_user(&draw, u);
    }
    for (size_t i = 0; i < n_items; i++) {
        const int64_t n_held = draw.held.counts[i];
        fold->item_counts[i] -= n_held == fold->item_counts[i] && n_held > 0 ? n_held - 1 : n_held;
    }
done:
    release_draw(&draw);
    return code;
}

/* Where the dataset says what all ranks have: pairs have gone over between its parts. */
static void count_totals(struct fold *fold)
{
    struct dataset_totals *totals = &fold->dataset.totals;
    if (totals->counts != NULL) {
        totals->valid_pairs += totals->pairs;
        totals->pairs = 0;
        for (size_t i = 0; i < fold->dataset.n_items; i++) {
            totals->pairs += fold->item_counts[i];
        }
        totals->valid_pairs -= totals->pairs;
        totals->counts = fold->item_counts;
    }
}

/* What else is made of a train part. */
static enum status_code derive(struct fold *fold, const struct training *training,
                               const struct pairs_made *made, struct status *status)
{
    enum status_code code = STATUS_OK;
    const bool has_pairs = training->input.item_pairs != NULL;
    struct pair_settings settings = made->settings;
    settings.watch = context_stop_watch(training->context);
    settings.crowd = training->input.validation->crowd;
    if (has_pairs) {
        TRY(pairs_item_item(&fold->dataset.train, &settings, context_pool(training->context),
                            &fold->item_pairs, status));
    }
    TRY(training_sources_init(&fold->sources, &training->interactions, &fold->dataset,
                              training->input.ranks, &training->features,
                              &training->settings.history, has_pairs ? &fold->item_pairs : NULL,
                              status));
    TRY(dataset_excluded(&fold->dataset, &fold->dataset.valid_barred, &fold->validation.exclude,
                         status));
done:
    return code;
}

enum status_code fold_init(struct fold *fold, const struct training *training, size_t number,
                           struct status *status)
{
    enum status_code code;
    const struct validation *first = training->input.validation;
    struct pairs_made made;
    assert(first != NULL);
    fold->dataset = training->interactions.basis[training->basis];
    fold->dataset.train = fold->dataset.valid = (struct history){0};
    TRY(load_pairs_made(training, &made, status));
    TRY(make_room(fold, training, status));
    TRY(draw_fold(fold, training, &made, number, status));
    count_totals(fold);
    fold->validation = *first;
    fold->validation.dataset = &fold->dataset;
    fold->validation.exclude = (struct sparse){0};
    TRY(derive(fold, training, &made, status));
    fold->input = training->input;
    fold->input.train = &fold->dataset.train;
    fold->input.item_counts = fold->item_counts;
    fold->input.item_pairs = training->input.item_pairs == NULL ? NULL : &fold->item_pairs;
    fold->input.validation = &fold->validation;
    for (size_t s = 0; s < N_SIDES; s++) {
        fold->input.sources[s].rows = fold->sources.side[s].rows;
        fold->input.sources[s].cold = fold->sources.side[s].cold;
    }
done:
    if (code != STATUS_OK) {
        fold_release(fold);
    }
    return code;
}

void fold_release(struct fold *fold)
{
    history_release(&fold->dataset.train);
    history_release(&fold->dataset.valid);
    training_sources_release(&fold->sources);
    sparse_release(&fold->item_pairs);
    sparse_release(&fold->validation.exclude); /* the rest of it is borrowed */
    mem_free(fold->item_counts);
    *fold = (struct fold){0};
}
