/* What a training begins with: towers, their first weights, memory. */
#include "base/mem.h"
#include "math/vec.h"
#include "training/trainer_state.h"

#include <math.h>

void trainer_release(struct trainer *trainer)
{
    train_batch_free(trainer->batch);
    encoder_release(&trainer->encoder);
    hard_negatives_release(&trainer->hard);
    epoch_order_release(&trainer->order);
    health_sample_release(&trainer->health);
    item_rows_release(&trainer->items);
    workspace_release(&trainer->workspace);
    for (size_t s = 0; s < N_SIDES; s++) {
        mem_free(trainer->best_vectors[s]);
        mem_free(trainer->best_cold_vectors[s]);
        mem_free(trainer->shards[s]);
    }
    mem_free(trainer->best_bias);
    mem_free(trainer->curve);
}

/* Of the rows of both towers. */
static enum status_code find_shards(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const uint64_t *items = trainer->items.keys;
    TRY(MEM_NEW(&trainer->shards[SIDE_USERS], trainer->n[SIDE_USERS], status));
    TRY(MEM_NEW(&trainer->shards[SIDE_ITEMS], trainer->items.n_own, status));
    shards_of_keys(trainer->input->user_keys, trainer->n[SIDE_USERS], trainer->shards[SIDE_USERS]);
    for (size_t i = 0; i < trainer->items.n_own; i++) {
        trainer->shards[SIDE_ITEMS][i] =
            (uint8_t)shard_of_item(items == NULL ? i : (size_t)items[i]);
    }
done:
    return code;
}

static enum status_code init_encoder(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = trainer->input;
    const struct trainer_settings *settings = input->settings;
    static const char *const purposes[N_SIDES] = {"tower.user", "tower.item"};
    struct encoder *encoder = &trainer->encoder;
    struct tower_settings tower = {
        .dimension = settings->dimension,
        .optimizer = settings->optimizer,
        .init_scale = settings->init_scale,
        .id_dropout = settings->id_dropout,
        .dropout = settings->dropout,
        .hidden = settings->hidden,
    };
    for (size_t s = 0; s < N_SIDES; s++) {
        tower.keys = s == SIDE_USERS ? input->user_keys : trainer->items.keys;
        tower.shards = trainer->shards[s];
        TRY(tower_init(&encoder->towers[s], s == SIDE_USERS ? trainer->n[s] : trainer->items.n_own,
                       &tower, input->sources[s].rows, input->sources[s].n, input->seed,
                       purposes[s], trainer->pool, status));
    }
    if (settings->propagation.hops > 0) {
        TRY(propagation_init(&encoder->propagation, &settings->propagation, &input->train->matrix,
                             input->user_keys, input->ranks, settings->dimension, status));
    }
    if (settings->learn_bias) {
        TRY(embedding_table_init(&encoder->bias, trainer->n[SIDE_ITEMS], 1, &settings->optimizer,
                                 input->seed, "tower.bias", 0.0, trainer->pool, status));
    }
    encoder->clip = settings->clip;
    encoder->ranks = input->ranks;
done:
    return code;
}

/* Rows that an earlier training knew start from its vectors, at the length that new ones have. */
static void start_warm(struct trainer *trainer)
{
    size_t d = trainer->input->settings->dimension;
    double length = trainer->input->settings->init_scale * sqrt((double)d);
    for (size_t s = 0; s < N_SIDES; s++) {
        const struct warm_start *warm = trainer->input->warm[s];
        float *weights = trainer->encoder.towers[s].ids.weights;
        for (size_t i = 0; warm != NULL && i < trainer->n[s]; i++) {
            const int32_t row =
                s == SIDE_USERS ? (int32_t)i : item_rows_row(&trainer->items, (int32_t)i);
            if (warm->is_known[i] && row >= 0) {
                float *own = weights + (size_t)row * d;
                memcpy(own, warm->vectors + i * d, d * sizeof *own);
                vec_ops()->scale((float)length, own, d);
            }
        }
    }
    if (trainer->input->warm_bias != NULL && trainer->encoder.bias.n > 0) {
        memcpy(trainer->encoder.bias.weights, trainer->input->warm_bias,
               trainer->n[SIDE_ITEMS] * sizeof(float));
    }
}

/* Work memory, and what the result will hold. */
static enum status_code init_memory(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = trainer->input;
    struct workspace *workspace = &trainer->workspace;
    size_t d = input->settings->dimension, n_items = trainer->n[SIDE_ITEMS];
    workspace_begin(workspace);
    for (size_t s = 0; s < N_SIDES; s++) {
        WORKSPACE_ADD(workspace, &trainer->vectors[s], trainer->n[s] * d);
        TRY(SPILL_NEW(input->spill, &trainer->best_vectors[s], trainer->n[s] * d, status));
        TRY(MEM_NEW(&trainer->best_cold_vectors[s], input->sources[s].n_cold * d, status));
    }
    WORKSPACE_ADD(workspace, &trainer->score_bias, n_items);
    WORKSPACE_ADD(workspace, &trainer->losses, trainer->order.n_batches);
    if (item_rows_are_spread(&trainer->items)) {
        WORKSPACE_ADD(workspace, &trainer->own_items, trainer->items.n_own * d);
    }
    WORKSPACE_ADD(workspace, &trainer->validation_users,
                  input->validation == NULL ? 0 : input->validation->n_users * d);
    TRY(workspace_reserve(workspace, status));
    if (!item_rows_are_spread(&trainer->items)) {
        trainer->own_items = trainer->vectors[SIDE_ITEMS];
    }
    TRY(MEM_NEW(&trainer->best_bias, n_items, status));
    TRY(MEM_NEW(&trainer->curve, input->stop_after, status));
done:
    return code;
}

/* Of the items that are anchors of an item-item or a view contrast a new part every epoch. */
static size_t n_anchor_items(const struct trainer *trainer)
{
    const struct trainer_settings *settings = trainer->input->settings;
    const double of_pairs = settings->co_items.weight > 0.0 ? settings->co_items.share : 0.0;
    const double share = settings->views.weight > 0.0 ? fmax(of_pairs, 0.25) : of_pairs;
    return (size_t)ceil(share * (double)trainer->n[SIDE_ITEMS]);
}

enum status_code trainer_init(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_input *input = trainer->input;
    const struct trainer_settings *settings = input->settings;
    bool takes_thresholds = (loss_table[settings->loss].uses & LOSS_USES_SLK_WIDTH) != 0;
    trainer->n[SIDE_USERS] = input->train->matrix.n_rows;
    trainer->n[SIDE_ITEMS] = input->train->matrix.n_columns;
    TRY(item_rows_init(&trainer->items, input->ranks, trainer->n[SIDE_ITEMS], settings->dimension,
                       settings->wire, status));
    TRY(epoch_order_init(&trainer->order, input, n_anchor_items(trainer), status));
    TRY(init_memory(trainer, status));
    TRY(find_shards(trainer, status));
    TRY(init_encoder(trainer, status));
    start_warm(trainer);
    TRY(train_batch_new(input, &trainer->encoder, &trainer->items, trainer->pool, &trainer->batch,
                        status));
    TRY(hard_negatives_init(&trainer->hard, &input->negatives->hard, trainer->n[SIDE_USERS],
                            trainer->n[SIDE_ITEMS], takes_thresholds ? settings->slk_top_k : 0,
                            status));
    temperature_learner_init(&trainer->temperature, settings->temperature);
    TRY(health_sample_init(&trainer->health, input, status));
    trainer->best_metric = NAN;
done:
    return code;
}
