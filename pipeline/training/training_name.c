/* Settings by their artifact, data by sums over what each user has, which no order changes. */
#include "training/training_name.h"

#include "math/blas.h"
#include "math/vec.h"
#include "negatives/negatives_options.h"
#include "ranks/shards.h"
#include "training/train_options.h"

/* What a checkpoint keeps, and in which form: to be raised with either, so that parts of another
 * form are not looked for. */
enum { CHECKPOINT_FORMAT = 1 };

/* splitmix64's finaliser */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The sum over a user's entries of something that is different for others. */
static uint64_t sum_of(const struct sparse *m, size_t row, uint64_t key, uint64_t kind)
{
    uint64_t sum = 0;
    for (int64_t e = m->n_rows == 0 ? 0 : m->offsets[row];
         m->n_rows != 0 && e < m->offsets[row + 1]; e++) {
        uint32_t bits = 0;
        if (m->values != NULL) {
            memcpy(&bits, &m->values[e], sizeof bits);
        }
        sum += mix(mix(key + kind) ^ ((uint64_t)(uint32_t)m->columns[e] << 32) ^ bits);
    }
    return sum;
}

/* Of a row that starts warm. */
static uint64_t sum_warm(const struct warm_start *warm, size_t d, size_t row, uint64_t key)
{
    return warm == NULL || !warm->is_known[row]
               ? 0
               : mix(mix(key + 7) ^ hash_bytes64(warm->vectors + row * d, d * sizeof(float)));
}

/* Of one user: what is trained on, asked and read of it. */
static uint64_t sum_user(const struct trainer_input *input, const struct dataset *dataset, size_t u)
{
    const struct sparse *train = &input->train->matrix;
    const struct tower_sources *sources = &input->sources[SIDE_USERS];
    const uint64_t key = trainer_user_key(input, u);
    uint64_t sum = mix(key) + sum_of(train, u, key, 1) + sum_of(&dataset->valid.matrix, u, key, 2) +
                   sum_warm(input->warm[SIDE_USERS], input->settings->dimension, u, key);
    if (input->dislikes != NULL) {
        sum += sum_of(input->dislikes, u, key, 3);
    }
    for (size_t k = 0; k < sources->n; k++) {
        sum += sum_of(&sources->rows[k].matrix, u, key, 8 + k);
    }
    for (int64_t e = train->offsets[u]; e < train->offsets[u + 1] && input->n_stored > 0; e++) {
        for (size_t j = 0; j < input->n_stored; j++) {
            const size_t at = (size_t)e * input->n_stored + j;
            sum += mix(mix(key + 4 + j) ^ (uint64_t)(uint32_t)input->stored_negatives[at]);
        }
    }
    return sum;
}

/* What all users of all ranks come to, and the item rows that are spread over them. */
static enum status_code sum_spread(const struct trainer_input *input, const struct dataset *dataset,
                                   int64_t *out, struct status *status)
{
    const struct tower_sources *users = &input->sources[SIDE_USERS];
    const struct tower_sources *items = &input->sources[SIDE_ITEMS];
    const size_t n = ranks_n(input->ranks), mine = ranks_mine(input->ranks);
    uint64_t sum = 0;
    for (size_t u = 0; u < input->train->matrix.n_rows; u++) {
        sum += sum_user(input, dataset, u);
    }
    for (size_t i = 0; users->n > 0 && i < users->n_cold; i++) {
        const uint64_t key = users->cold_keys == NULL ? i : users->cold_keys[i];
        for (size_t k = 0; k < users->n; k++) {
            sum += mix(key + 10 + k) + sum_of(&users->cold[k].matrix, i, key, 10 + k);
        }
    }
    for (size_t k = 0; k < items->n; k++) {
        for (size_t i = 0; i < items->rows[k].matrix.n_rows; i++) {
            sum += sum_of(&items->rows[k].matrix, i, shard_nth_item(n, mine, i), 12 + k);
        }
    }
    *out = (int64_t)sum;
    return ranks_sum_int64(input->ranks, out, 1, status);
}

/* Items and what lies between them, the same on every rank. */
static uint64_t sum_items(const struct trainer_input *input,
                          const struct interactions *interactions, const struct dataset *dataset)
{
    const struct tower_sources *sources = &input->sources[SIDE_ITEMS];
    uint64_t sum = 0;
    for (size_t k = 0; k < sources->n; k++) {
        for (size_t i = 0; i < sources->n_cold; i++) {
            sum += sum_of(&sources->cold[k].matrix, i, i, 14 + k);
        }
    }
    for (size_t i = 0; i < dataset->n_items; i++) {
        const uint64_t key = vocabulary_key(&interactions->items, (size_t)dataset->items[i]);
        sum += mix(mix(key) + i) + mix(i ^ (uint64_t)input->item_counts[i]) +
               sum_warm(input->warm[SIDE_ITEMS], input->settings->dimension, i, key);
        if (input->item_pairs != NULL) {
            sum += sum_of(input->item_pairs, i, key, 5);
        }
    }
    return sum;
}

/* They count in an order, which sums do not have. */
static bool reads_histories(const struct trainer_input *input)
{
    bool found = false;
    for (size_t s = 0; s < N_SIDES; s++) {
        for (size_t k = 0; k < input->sources[s].n; k++) {
            found = found || input->sources[s].rows[k].is_history;
        }
    }
    return found;
}

enum status_code training_name(const struct trainer_input *input,
                               const struct interactions *interactions, enum basis basis,
                               const char *metric, char out[HASH_TEXT_MAX], struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct dataset *dataset = &interactions->basis[basis];
    const struct validation *validation = input->validation;
    struct hash_state *hash = NULL;
    struct artifact settings = {0};
    char of_settings[HASH_TEXT_MAX];
    int64_t spread = 0;
    out[0] = '\0';
    if (reads_histories(input)) {
        return code;
    }
    artifact_init(&settings, "settings");
    TRY(trainer_settings_save(input->settings, &settings, status));
    TRY(negative_settings_save(input->negatives, &settings, status));
    TRY(artifact_hash(&settings, of_settings, status));
    TRY(sum_spread(input, dataset, &spread, status));
    TRY(hash_new(&hash, status));
    hash_add_int64(hash, CHECKPOINT_FORMAT);
    hash_add_text(hash, of_settings);
    hash_add_text(hash, blas_identity());
    hash_add_text(hash, vec_ops()->name);
    hash_add_int64(hash, spread);
    hash_add_int64(hash, (int64_t)sum_items(input, interactions, dataset));
    for (size_t s = 0; s < N_SIDES; s++) {
        for (size_t k = 0; k < input->sources[s].n; k++) {
            hash_add_int64(hash, (int64_t)input->sources[s].rows[k].matrix.n_columns);
        }
    }
    if (input->warm_bias != NULL) {
        hash_add(hash, input->warm_bias, dataset->n_items * sizeof *input->warm_bias);
    }
    hash_add_int64(hash, (int64_t)input->seed);
    hash_add_int64(hash, (int64_t)input->stop_after);
    if (validation != NULL) {
        hash_add_text(hash, metric);
        hash_add_int64(hash, (int64_t)validation->n_all);
        hash_add_int64(hash, (int64_t)input->validate_every);
        hash_add_int64(hash, (int64_t)input->patience);
    }
    hash_text(hash, out);
done:
    hash_free(hash);
    artifact_release(&settings);
    return code;
}
