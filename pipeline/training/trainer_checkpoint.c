/* What a training needs to go on as if it had not been interrupted. */
#include "training/trainer_state.h"

#include "base/mem.h"

/* A block of floats of the trainer. */
struct slot {
    const char *name;
    float *data;
    size_t rows, columns;
};

enum { N_SLOTS = 5 };

static void list_slots(const struct trainer *trainer, struct slot out[N_SLOTS])
{
    size_t d = trainer->input->settings->dimension;
    const struct tower_sources *sources = trainer->input->sources;
    out[0] =
        (struct slot){"best.users", trainer->best_vectors[SIDE_USERS], trainer->n[SIDE_USERS], d};
    out[1] =
        (struct slot){"best.items", trainer->best_vectors[SIDE_ITEMS], trainer->n[SIDE_ITEMS], d};
    out[2] = (struct slot){"best.cold_users", trainer->best_cold_vectors[SIDE_USERS],
                           sources[SIDE_USERS].n_cold, d};
    out[3] = (struct slot){"best.cold_items", trainer->best_cold_vectors[SIDE_ITEMS],
                           sources[SIDE_ITEMS].n_cold, d};
    out[4] = (struct slot){"best.bias", trainer->best_bias, trainer->n[SIDE_ITEMS], 1};
}

struct number {
    const char *name;
    size_t *count;
    double *value;
};

enum { N_NUMBERS = 5 };

static void list_numbers(struct trainer *trainer, struct number out[N_NUMBERS])
{
    out[0] = (struct number){"epochs_done", &trainer->epochs_done, NULL};
    out[1] = (struct number){"best_epoch", &trainer->best_epoch, NULL};
    out[2] = (struct number){"n_bad", &trainer->n_bad, NULL};
    out[3] = (struct number){"best_metric", NULL, &trainer->best_metric};
    out[4] = (struct number){"best_temperature", NULL, &trainer->best_temperature};
}

enum status_code trainer_checkpoint_save(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact;
    struct slot slots[N_SLOTS];
    struct number numbers[N_NUMBERS];
    artifact_init(&artifact, "checkpoint");
    TRY(encoder_save(&trainer->encoder, &artifact, status));
    TRY(hard_negatives_save(&trainer->hard, &artifact, status));
    TRY(temperature_learner_save(&trainer->temperature, &artifact, status));
    list_slots(trainer, slots);
    for (size_t i = 0; i < N_SLOTS; i++) {
        TRY(artifact_lend(&artifact, slots[i].name, ARRAY_F32, slots[i].rows, slots[i].columns,
                          slots[i].data, status));
    }
    list_numbers(trainer, numbers);
    for (size_t i = 0; i < N_NUMBERS; i++) {
        double value = numbers[i].count != NULL ? (double)*numbers[i].count : *numbers[i].value;
        TRY(artifact_set_number(&artifact, numbers[i].name, value, status));
    }
    TRY(artifact_set_number(&artifact, "ranks", (double)ranks_n(trainer->input->ranks), status));
    TRY(curve_save(trainer->curve, trainer->epochs_done, &artifact, status));
    TRY(trainer->hooks->checkpoint_save(trainer->hooks->data, &artifact, status));
done:
    artifact_release(&artifact);
    return code;
}

static enum status_code restore(struct trainer *trainer, const struct artifact *artifact,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    struct slot slots[N_SLOTS];
    struct number numbers[N_NUMBERS];
    struct curve_point *curve = NULL;
    size_t n_curve = 0;
    const void *data = NULL;
    TRY(encoder_restore(&trainer->encoder, artifact, status));
    TRY(hard_negatives_load(&trainer->hard, artifact, status));
    TRY(temperature_learner_load(&trainer->temperature, artifact, status));
    list_slots(trainer, slots);
    for (size_t i = 0; i < N_SLOTS; i++) {
        TRY(artifact_get_sized(artifact, slots[i].name, ARRAY_F32, slots[i].rows, slots[i].columns,
                               &data, status));
        memcpy(slots[i].data, data, slots[i].rows * slots[i].columns * sizeof(float));
    }
    list_numbers(trainer, numbers);
    for (size_t i = 0; i < N_NUMBERS; i++) {
        double value = 0.0;
        TRY(artifact_get_number(artifact, numbers[i].name, &value, status));
        if (numbers[i].count != NULL) {
            *numbers[i].count = (size_t)value;
        } else {
            *numbers[i].value = value;
        }
    }
    TRY(curve_load(&curve, &n_curve, artifact, status));
    if (n_curve != trainer->epochs_done || n_curve > trainer->input->stop_after ||
        trainer->best_epoch > n_curve) {
        TRY(artifact_misfit(artifact, "curve.epoch", "it does not fit epochs_done", status));
    }
    memcpy(trainer->curve, curve, n_curve * sizeof *curve);
done:
    mem_free(curve);
    return code;
}

/* Whether all ranks have found their part of one checkpoint: of so many ranks, of one epoch. */
static enum status_code is_whole(const struct trainer *trainer, const struct artifact *artifact,
                                 bool *whole, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct ranks *ranks = trainer->input->ranks;
    double n = 0.0, epochs = 0.0;
    int64_t most[2] = {-1, 1}; /* of the epochs, and of their opposite */
    if (artifact != NULL) {
        TRY(artifact_get_number(artifact, "epochs_done", &epochs, status));
        TRY(artifact_get_number(artifact, "ranks", &n, status));
        if (n == (double)ranks_n(ranks)) {
            most[0] = (int64_t)epochs;
            most[1] = -most[0];
        }
    }
    TRY(ranks_max_int64(ranks, most, 2, status));
    *whole = most[0] >= 0 && most[0] == -most[1];
done:
    return code;
}

enum status_code trainer_checkpoint_load(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct artifact artifact = {0};
    bool found = false;
    TRY(trainer->hooks->checkpoint_load(trainer->hooks->data, &artifact, &found, status));
    TRY(is_whole(trainer, found ? &artifact : NULL, &found, status));
    if (found) {
        TRY(restore(trainer, &artifact, status));
    }
done:
    artifact_release(&artifact);
    return code;
}
