/* Other draws of the validation part. */
#include "tuning/fold.h"

#include "base/mem.h"
#include "base/rng.h"
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
        /* the ranks of a run would each draw of their own users alone */
        *is_sound = context_plan(training->context)->rank.n <= 1 && dataset->valid_is_random &&
                    !dataset->repeats && training->input.stored_negatives == NULL &&
                    (training->input.item_pairs == NULL || made.has_settings);
    }
    return code;
}

/* Room for as many entries as the parts have. */
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

/* As many as the user's first validation part has, but for items that have no other user left. */
static void hold_out(struct rng *rng, int64_t *item_counts, struct merged_row *row)
{
    size_t n_held = 0;
    memset(row->is_held, 0, row->n * sizeof *row->is_held);
    if (row->n_valid == 0) {
        return;
    }
    rng_permutation(rng, row->n, row->order);
    for (size_t i = 0; i < row->n && n_held < row->n_valid; i++) {
        int64_t *count = &item_counts[row->columns[row->order[i]]];
        if (*count > 1) {
            (*count)--;
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

static enum status_code draw(struct fold *fold, const struct training *training,
                             const struct pairs_made *made, size_t number, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *valid = &training->interactions.basis[training->basis].valid.matrix;
    const size_t n_valid = sparse_entries(valid), n_items = valid->n_columns;
    float *valid_values = NULL;
    struct merged_row row = {0};
    TRY(MEM_NEW(&row.columns, n_items, status));
    TRY(MEM_NEW(&row.values, n_items, status));
    TRY(MEM_NEW(&row.times, n_items, status));
    TRY(MEM_NEW(&row.order, n_items, status));
    TRY(MEM_NEW(&row.is_held, n_items, status));
    if (training->positives.matrix.values != NULL && valid->values != NULL) {
        TRY(MEM_NEW(&valid_values, n_valid, status));
        pairs_weigh_positives(made->weights, valid->values, n_valid, valid_values);
    }
    for (size_t u = 0; u < valid->n_rows; u++) {
        struct rng rng;
        rng_init(&rng, training->input.seed, "search.fold", number, u);
        merge(training, valid_values, u, &row);
        hold_out(&rng, fold->item_counts, &row);
        put(&row, u, &fold->dataset);
    }
done:
    mem_free(row.columns);
    mem_free(row.values);
    mem_free(row.times);
    mem_free(row.order);
    mem_free(row.is_held);
    mem_free(valid_values);
    return code;
}

/* What else is made of a train part. */
static enum status_code derive(struct fold *fold, const struct training *training,
                               const struct pairs_made *made, struct status *status)
{
    enum status_code code = STATUS_OK;
    const bool has_pairs = training->input.item_pairs != NULL;
    struct pair_settings settings = made->settings;
    settings.watch = context_stop_watch(training->context);
    if (has_pairs) {
        TRY(pairs_item_item(&fold->dataset.train, &settings, context_pool(training->context),
                            &fold->item_pairs, status));
    }
    TRY(training_sources_init(&fold->sources, &fold->dataset, &training->features,
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
    TRY(draw(fold, training, &made, number, status));
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
