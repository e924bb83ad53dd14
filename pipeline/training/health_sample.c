/* Who is looked at, and what is exchanged of them. */
#include "training/health_sample.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/vec.h"

#include <math.h>
#include <stdlib.h>

/* ---- who ---- */

static struct lot lot_of(const struct trainer_input *input, size_t user)
{
    return lot_draw(input->seed, "health.users", trainer_user_key(input, user));
}

/* HEALTH_PAIRS users of all ranks, by their lots. */
static enum status_code draw_users(const struct trainer_input *input, struct ranks_bytes *out,
                                   size_t *n_drawn, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = input->train->matrix.n_rows;
    struct lot *lots = NULL;
    TRY(MEM_NEW(&lots, n, status));
    for (size_t u = 0; u < n; u++) {
        lots[u] = lot_of(input, u);
    }
    TRY(lots_smallest(input->ranks, lots, n, HEALTH_PAIRS, out, n_drawn, status));
done:
    mem_free(lots);
    return code;
}

/* One of a user's positives. */
static int32_t draw_positive(const struct trainer_input *input, size_t user)
{
    const struct sparse *train = &input->train->matrix;
    const size_t n = sparse_row_length(train, user);
    struct rng rng;
    if (n == 0) {
        return -1;
    }
    rng_init(&rng, input->seed, "health.positives", 0, trainer_user_key(input, user));
    return train->columns[(size_t)train->offsets[user] + rng_below(&rng, n)];
}

enum status_code health_sample_init(struct health_sample *sample, const struct trainer_input *input,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = input->train->matrix.n_rows, d = input->settings->dimension;
    struct health_sample made = {
        .ranks = input->ranks, .d = d, .n_items = input->train->matrix.n_columns};
    struct ranks_bytes drawn = {0};
    made.n_norms = made.n_items < HEALTH_ROWS ? made.n_items : HEALTH_ROWS;
    TRY(draw_users(input, &drawn, &made.n_all, status));
    const struct lot *lots = (const void *)drawn.data;
    workspace_begin(&made.workspace);
    WORKSPACE_ADD(&made.workspace, &made.users, made.n_all);
    WORKSPACE_ADD(&made.workspace, &made.vectors, made.n_all * d);
    WORKSPACE_ADD(&made.workspace, &made.norms, made.n_all);
    WORKSPACE_ADD(&made.workspace, &made.item_norms, made.n_norms);
    WORKSPACE_ADD(&made.workspace, &made.pairs, 2 * made.n_all);
    TRY(workspace_reserve(&made.workspace, status));
    for (size_t u = 0; u < n && made.n_all > 0; u++) {
        const struct lot lot = lot_of(input, u);
        const struct lot *found = bsearch(&lot, lots, made.n_all, sizeof lot, lot_compare);
        if (found != NULL) {
            made.users[made.n++] =
                (struct health_user){(int32_t)u, (int32_t)(found - lots), draw_positive(input, u)};
        }
    }
    *sample = made;
    made = (struct health_sample){0};
done:
    ranks_bytes_release(&drawn);
    health_sample_release(&made);
    return code;
}

void health_sample_release(struct health_sample *sample)
{
    workspace_release(&sample->workspace);
    ranks_bytes_release(&sample->all);
}

/* ---- what of them ---- */

static float norm_of(const struct embedding_table *table, size_t row)
{
    const float *weights = table->weights + row * table->dimension;
    return sqrtf(vec_ops()->dot(weights, weights, table->dimension));
}

/* What goes over the wire of one row, before the vector of a user. */
struct record {
    int32_t place, item;
    float norm;
};

static enum status_code exchange_users(struct health_sample *sample, const float *users,
                                       const struct embedding_table *weights, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t d = sample->d, size = sizeof(struct record) + d * sizeof(float);
    char *mine = NULL;
    TRY(MEM_NEW(&mine, sample->n * size, status));
    for (size_t i = 0; i < sample->n; i++) {
        const struct health_user *user = &sample->users[i];
        const struct record record = {user->place, user->item, norm_of(weights, (size_t)user->row)};
        memcpy(mine + i * size, &record, sizeof record);
        memcpy(mine + i * size + sizeof record, users + (size_t)user->row * d, d * sizeof *users);
    }
    TRY(ranks_gather(sample->ranks, mine, sample->n * size, &sample->all, status));
    for (size_t i = 0; i < sample->n_all; i++) {
        const char *from = sample->all.data + i * size;
        struct record record;
        memcpy(&record, from, sizeof record);
        sample->norms[record.place] = record.norm;
        sample->pairs[2 * record.place] = record.place;
        sample->pairs[2 * record.place + 1] = record.item;
        memcpy(sample->vectors + (size_t)record.place * d, from + sizeof record, d * sizeof *users);
    }
done:
    mem_free(mine);
    return code;
}

/* Items evenly spaced over the catalogue. */
static enum status_code exchange_items(struct health_sample *sample,
                                       const struct embedding_table *weights,
                                       const struct item_rows *items, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct record *mine = NULL;
    size_t n = 0;
    TRY(MEM_NEW(&mine, sample->n_norms, status));
    for (size_t i = 0; i < sample->n_norms; i++) {
        const size_t item = i * sample->n_items / sample->n_norms;
        const int32_t row = item_rows_row(items, (int32_t)item);
        if (row >= 0) {
            mine[n++] = (struct record){(int32_t)i, (int32_t)item, norm_of(weights, (size_t)row)};
        }
    }
    TRY(ranks_gather(sample->ranks, mine, n * sizeof *mine, &sample->all, status));
    for (size_t i = 0; i < sample->n_norms; i++) {
        struct record record;
        memcpy(&record, sample->all.data + i * sizeof record, sizeof record);
        sample->item_norms[record.place] = record.norm;
    }
done:
    mem_free(mine);
    return code;
}

/* Those without a positive are left out. */
static size_t pack_pairs(int32_t *pairs, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (pairs[2 * i + 1] >= 0) {
            pairs[2 * kept] = pairs[2 * i];
            pairs[2 * kept++ + 1] = pairs[2 * i + 1];
        }
    }
    return kept;
}

enum status_code health_sample_fill(struct health_sample *sample, const float *users,
                                    const struct tower towers[N_SIDES],
                                    const struct item_rows *items,
                                    struct embedding_health_input *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(exchange_users(sample, users, &towers[SIDE_USERS].ids, status));
    TRY(exchange_items(sample, &towers[SIDE_ITEMS].ids, items, status));
    out->users = const_matrix_of(sample->vectors, sample->n_all, sample->d);
    out->user_weights = const_matrix_of(sample->norms, sample->n_all, 1);
    out->item_weights = const_matrix_of(sample->item_norms, sample->n_norms, 1);
    out->n_positives = pack_pairs(sample->pairs, sample->n_all);
    out->positives = sample->pairs;
done:
    return code;
}
