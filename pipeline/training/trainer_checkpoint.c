/* What a training needs to go on as if it had not been interrupted. */
#include "training/checkpoint_parts.h"
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
    TRY(checkpoint_part_save(trainer, &artifact, status));
    TRY(curve_save(trainer->curve, trainer->epochs_done, &artifact, status));
    /* the first rank's says that all others' are there */
    if (!ranks_is_first(trainer->input->ranks)) {
        TRY(trainer->hooks->checkpoint_save(trainer->hooks->data, &artifact, status));
    }
    TRY(ranks_agree(trainer->input->ranks, status));
    if (ranks_is_first(trainer->input->ranks)) {
        TRY(trainer->hooks->checkpoint_save(trainer->hooks->data, &artifact, status));
    }
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

/* What the first rank has found: its epoch, and how many ranks there were; -1: nothing. */
struct found {
    int64_t epochs, ranks;
};

static enum status_code read_found(const struct artifact *artifact, struct found *found,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t epochs = 0, ranks = 0;
    TRY(artifact_get_count(artifact, "epochs_done", INT32_MAX, &epochs, status));
    TRY(artifact_get_count(artifact, "ranks", RANKS_MAX, &ranks, status));
    *found = (struct found){(int64_t)epochs, (int64_t)ranks};
done:
    return code;
}

/* Whether every rank says so. */
static enum status_code all_of(struct ranks *ranks, bool *is_so, struct status *status)
{
    bool is_not = !*is_so;
    const enum status_code code = ranks_any(ranks, &is_not, status);
    *is_so = !is_not;
    return code;
}

/* Puts together what other numbers of ranks have kept; *whole: nothing is missing. */
static enum status_code gather_parts(const struct trainer *trainer, const struct found *first,
                                     struct checkpoint_parts *parts, bool *whole,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_hooks *hooks = trainer->hooks;
    struct artifact part = {0};
    *whole = true;
    for (size_t r = 0; *whole && r < (size_t)first->ranks; r++) {
        if (checkpoint_part_overlaps(trainer->input->ranks, r, (size_t)first->ranks)) {
            TRY(hooks->checkpoint_find(hooks->data, r, (size_t)first->ranks, (size_t)first->epochs,
                                       &part, whole, status));
            if (*whole) {
                TRY(checkpoint_parts_add(parts, trainer, &part, r, (size_t)first->ranks, status));
            }
            artifact_release(&part);
            part = (struct artifact){0};
        }
    }
    *whole = *whole && parts->n_users == trainer->n[SIDE_USERS] &&
             parts->n_items == trainer->items.n_own;
done:
    artifact_release(&part);
    return code;
}

/* The same on all ranks. A part that one of them cannot read is as good as missing: its file is of
 * a run over another number of ranks, and this run needs nothing else of it. */
static enum status_code gather_parts_of_all(struct trainer *trainer, const struct found *first,
                                            struct checkpoint_parts *parts, bool *whole,
                                            struct status *status)
{
    struct ranks *ranks = trainer->input->ranks;
    enum status_code code = gather_parts(trainer, first, parts, whole, &trainer->lost);
    code = ranks_settle(ranks, code, &trainer->lost);
    if (code == STATUS_DATA || code == STATUS_NO_INPUT || code == STATUS_IO) {
        ranks_go_on(ranks);
        *whole = false;
        code = STATUS_OK;
    } else if (code != STATUS_OK) {
        *status = trainer->lost;
    }
    return code;
}

/* The first rank's last checkpoint is one that all ranks have kept theirs of. */
enum status_code trainer_checkpoint_load(struct trainer *trainer, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct trainer_hooks *hooks = trainer->hooks;
    struct ranks *ranks = trainer->input->ranks;
    struct artifact own = {0};
    struct checkpoint_parts parts = {0};
    struct found first = {-1, -1};
    bool found = false, is_alike = false;
    if (ranks_is_first(ranks)) {
        TRY(hooks->checkpoint_load(hooks->data, &own, &found, status));
        if (found) {
            TRY(read_found(&own, &first, status));
        }
    }
    TRY(ranks_share(ranks, &first, sizeof first, status));
    is_alike = first.ranks == (int64_t)ranks_n(ranks);
    if (first.epochs < 0) {
        goto done;
    }
    if (!is_alike) {
        TRY(gather_parts_of_all(trainer, &first, &parts, &found, status));
    } else if (!ranks_is_first(ranks)) {
        TRY(hooks->checkpoint_find(hooks->data, ranks_mine(ranks), ranks_n(ranks),
                                   (size_t)first.epochs, &own, &found, status));
    }
    TRY(all_of(ranks, &found, status));
    if (found) {
        TRY(restore(trainer, is_alike ? &own : &parts.whole, status));
    } else {
        trainer->n_lost = (size_t)first.epochs;
    }
done:
    artifact_release(&own);
    checkpoint_parts_release(&parts);
    return code;
}
