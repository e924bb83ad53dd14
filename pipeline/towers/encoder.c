/* Both towers, their graph and their step. */
#include "towers/encoder.h"

#include "base/tree_sum.h"

#include <string.h>

static bool has_graph(const struct encoder *encoder)
{
    return encoder->propagation.settings.hops > 0;
}

void encoder_release(struct encoder *encoder)
{
    for (size_t s = 0; s < N_SIDES; s++) {
        tower_release(&encoder->towers[s]);
    }
    propagation_release(&encoder->propagation);
    embedding_table_release(&encoder->bias);
}

void encoder_view_release(struct encoder_view *view)
{
    workspace_release(&view->workspace);
    for (size_t s = 0; s < N_SIDES; s++) {
        tower_pass_release(&view->passes[s]);
    }
}

enum status_code encoder_view_begin(struct encoder *encoder, struct encoder_view *view,
                                    const struct view *what, double rate, struct pool *pool,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    view->what = *what;
    if (!has_graph(encoder)) {
        return code;
    }
    workspace_begin(&view->workspace);
    for (size_t s = 0; s < N_SIDES; s++) {
        size_t entries = encoder->towers[s].n * encoder->towers[s].dimension;
        WORKSPACE_ADD(&view->workspace, &view->base[s], entries);
        WORKSPACE_ZERO(&view->workspace, &view->gradient[s], entries);
    }
    TRY(workspace_reserve(&view->workspace, status));
    for (size_t s = 0; s < N_SIDES; s++) {
        TRY(tower_base(&encoder->towers[s], what, rate, &view->passes[s], view->base[s], pool,
                       status));
    }
    TRY(propagation_run(&encoder->propagation, what, false, view->base[SIDE_USERS],
                        view->base[SIDE_ITEMS], pool, status));
done:
    return code;
}

enum status_code encoder_forward(struct encoder *encoder, enum tower_side side,
                                 const struct encoder_view *view, const int32_t *rows, size_t count,
                                 double rate, struct tower_pass *pass, struct pool *pool,
                                 struct status *status)
{
    struct tower_input input = {
        .rows = rows,
        .count = count,
        .base = has_graph(encoder) ? view->base[side] : NULL,
        .is_only_view = view->is_only,
        .view = view->what,
    };
    return tower_forward(&encoder->towers[side], &input, rate, pass, pool, status);
}

enum status_code encoder_backward(struct encoder *encoder, enum tower_side side,
                                  struct encoder_view *view, struct tower_pass *pass,
                                  float *gradient, struct pool *pool, struct status *status)
{
    return tower_backward(&encoder->towers[side], pass, gradient, view->gradient[side], pool,
                          status);
}

enum status_code encoder_view_end(struct encoder *encoder, struct encoder_view *view,
                                  struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (!has_graph(encoder)) {
        return code;
    }
    TRY(propagation_run(&encoder->propagation, &view->what, true, view->gradient[SIDE_USERS],
                        view->gradient[SIDE_ITEMS], pool, status));
    for (size_t s = 0; s < N_SIDES; s++) {
        TRY(tower_base_backward(&encoder->towers[s], &view->passes[s], view->gradient[s], pool,
                                status));
    }
done:
    return code;
}

enum { MAX_TABLES = N_SIDES * TOWER_MAX_TABLES + 1 };

static size_t all_tables(struct encoder *encoder, struct embedding_table *out[MAX_TABLES])
{
    size_t n = tower_tables(&encoder->towers[SIDE_USERS], out);
    n += tower_tables(&encoder->towers[SIDE_ITEMS], out + n);
    if (encoder->bias.n > 0) {
        out[n++] = &encoder->bias;
    }
    return n;
}

/* The square of a row's gradient; 0 of one that is not in play. */
static double row_square(const struct embedding_table *table, size_t row)
{
    const size_t d = table->dimension;
    const int32_t slot = table->slot_of[row];
    const float *gradient = table->gradient + (slot < 0 ? 0 : (size_t)slot * d);
    return slot < 0 ? 0.0 : (double)vec_ops()->dot(gradient, gradient, d);
}

/* squares (SHARDS) += the squares of the gradients of entities' rows, ascending within a shard: in
 * what order a step has them depends on the number of ranks. */
static void add_squares(struct embedding_table *table, const uint8_t *shards, double *squares)
{
    (void)embedding_table_gradient(table);
    for (size_t row = 0; row < table->n; row++) {
        squares[shards == NULL ? 0 : shards[row]] += row_square(table, row);
    }
}

/* *square = that of the whole gradient's norm: rows of entities are each on one rank, all else is
 * on every one. */
static enum status_code gradient_square(struct encoder *encoder, double *square,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t mine = ranks_mine(encoder->ranks);
    const size_t first = ranks_first_shard(encoder->ranks, mine);
    const size_t count = ranks_first_shard(encoder->ranks, mine + 1) - first;
    double squares[SHARDS] = {0}, shared = 0.0;
    for (size_t s = 0; s < N_SIDES; s++) {
        struct embedding_table *tables[TOWER_MAX_TABLES];
        const size_t n = tower_tables(&encoder->towers[s], tables);
        add_squares(&encoder->towers[s].ids, encoder->towers[s].settings.shards, squares);
        for (size_t t = 1; t < n; t++) { /* behind those of ids */
            (void)embedding_table_gradient(tables[t]);
            for (size_t row = 0; row < tables[t]->n; row++) {
                shared += row_square(tables[t], row);
            }
        }
    }
    add_squares(&encoder->bias, encoder->towers[SIDE_ITEMS].settings.shards, squares);
    *square = tree_sum(squares + first, count);
    TRY(ranks_tree_sum(encoder->ranks, square, 1, status));
    *square += shared;
done:
    return code;
}

enum status_code encoder_step(struct encoder *encoder, double rate, struct pool *pool,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    struct embedding_table *tables[MAX_TABLES];
    size_t n = all_tables(encoder, tables);
    double square = 0.0;
    for (size_t s = 0; s < N_SIDES; s++) {
        TRY(tower_share(&encoder->towers[s], encoder->ranks, rate, pool, status));
    }
    if (encoder->clip > 0.0) {
        TRY(gradient_square(encoder, &square, status));
    }
    const double factor = gradient_clip_factor(encoder->clip, square);
    for (size_t t = 0; t < n; t++) {
        embedding_table_step(tables[t], rate, factor, pool);
    }
done:
    return code;
}

bool encoder_is_plain(const struct encoder *encoder)
{
    return !has_graph(encoder) && encoder->clip == 0.0 &&
           tower_is_plain(&encoder->towers[SIDE_USERS]) &&
           tower_is_plain(&encoder->towers[SIDE_ITEMS]);
}

void encoder_step_back(struct encoder *encoder, struct tower_pass *const passes[N_SIDES],
                       float *const gradients[N_SIDES], double rate, struct pool *pool)
{
    for (size_t s = 0; s < N_SIDES; s++) {
        tower_step_back(&encoder->towers[s], passes[s], gradients[s], rate, pool);
    }
    if (encoder->bias.n > 0) {
        embedding_table_step(&encoder->bias, rate, 1.0, pool);
    }
}

void encoder_settle(struct encoder *encoder, double rate, struct pool *pool)
{
    struct embedding_table *tables[MAX_TABLES];
    size_t n = all_tables(encoder, tables);
    for (size_t t = 0; t < n; t++) {
        optimizer_catch_up(&tables[t]->optimizer, tables[t]->weights, NULL, tables[t]->n, rate,
                           pool);
    }
}

enum status_code encoder_encode(struct encoder *encoder, float *users, float *items,
                                struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct encoder_view view = {0};
    struct tower_pass pass = {0};
    struct view plain = {.change = VIEW_NONE};
    float *out[N_SIDES] = {users, items};
    TRY(encoder_view_begin(encoder, &view, &plain, 0.0, pool, status));
    for (size_t s = 0; s < N_SIDES; s++) {
        struct tower_input input = {.count = encoder->towers[s].n,
                                    .base = has_graph(encoder) ? view.base[s] : NULL,
                                    .out = out[s],
                                    .view = plain};
        TRY(tower_forward(&encoder->towers[s], &input, 0.0, &pass, pool, status));
    }
done:
    tower_pass_release(&pass);
    encoder_view_release(&view);
    return code;
}

enum status_code encoder_encode_cold(struct encoder *encoder, enum tower_side side,
                                     const struct token_source *sources, size_t count, float *out,
                                     struct pool *pool, struct status *status)
{
    struct tower_pass pass = {0};
    const struct tower_input input = {.count = count,
                                      .without_ids = true,
                                      .sources = sources,
                                      .out = out,
                                      .view = {.change = VIEW_NONE}};
    const enum status_code code =
        tower_forward(&encoder->towers[side], &input, 0.0, &pass, pool, status);
    tower_pass_release(&pass);
    return code;
}

/* What the tables are called in an artifact: user.<number>, item.<number> and bias. */
static size_t named_tables(struct encoder *encoder, struct embedding_table *out[MAX_TABLES],
                           char names[MAX_TABLES][ARTIFACT_NAME_MAX])
{
    static const char *const sides[N_SIDES] = {"user", "item"};
    struct embedding_table *of_side[TOWER_MAX_TABLES];
    size_t n = 0;
    for (size_t s = 0; s < N_SIDES; s++) {
        size_t n_side = tower_tables(&encoder->towers[s], of_side);
        for (size_t t = 0; t < n_side; t++) {
            snprintf(names[n++], ARTIFACT_NAME_MAX, "%s.%zu", sides[s], t);
        }
    }
    snprintf(names[n], ARTIFACT_NAME_MAX, "bias");
    return all_tables(encoder, out);
}

enum status_code encoder_save(struct encoder *encoder, struct artifact *artifact,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    struct embedding_table *tables[MAX_TABLES];
    char names[MAX_TABLES][ARTIFACT_NAME_MAX];
    size_t n = named_tables(encoder, tables, names);
    for (size_t t = 0; t < n; t++) {
        TRY(embedding_table_save(tables[t], artifact, names[t], status));
    }
done:
    return code;
}

enum status_code encoder_restore(struct encoder *encoder, const struct artifact *artifact,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    struct embedding_table *tables[MAX_TABLES];
    char names[MAX_TABLES][ARTIFACT_NAME_MAX];
    size_t n = named_tables(encoder, tables, names);
    for (size_t t = 0; t < n; t++) {
        TRY(embedding_table_restore(tables[t], artifact, names[t], status));
    }
done:
    return code;
}
