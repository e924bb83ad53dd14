/* Neighbourhood propagation. P is the symmetric operator (users, items) -> (N items, N^T users);
 * the forward sum is sum_k w^k S_k P^k x, where S_k lets every side through for k = 0 and the
 * chosen ones for k > 0; so the backward one is sum_k w^k P^k S_k g, by Horner's rule. */
#include "towers/propagation.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/vec.h"

#include <math.h>

enum { ROW_BLOCK = 256 };

const char *const propagation_sides_names[] = {"both", "items", "users", NULL};

enum status_code propagation_init(struct propagation *propagation,
                                  const struct propagation_settings *settings,
                                  const struct sparse *train, size_t dimension,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct propagation made = {.settings = *settings, .dimension = dimension};
    int64_t *counts = NULL;
    size_t entries = sparse_entries(train);
    TRY(MEM_NEW(&counts, train->n_columns, status));
    TRY(sparse_init(&made.forward, train->n_rows, train->n_columns, entries, true, status));
    sparse_column_counts(train, counts);
    memcpy(made.forward.offsets, train->offsets, (train->n_rows + 1) * sizeof(int64_t));
    memcpy(made.forward.columns, train->columns, entries * sizeof(int32_t));
    for (size_t u = 0; u < train->n_rows; u++) {
        double degree = (double)sparse_row_length(train, u);
        for (int64_t e = train->offsets[u]; e < train->offsets[u + 1]; e++) {
            double item_degree = (double)counts[train->columns[e]];
            made.forward.values[e] = (float)(1.0 / sqrt(degree * item_degree));
        }
    }
    TRY(sparse_transpose(&made.forward, &made.backward, status));
    workspace_begin(&made.workspace);
    for (size_t i = 0; i < 2; i++) {
        WORKSPACE_ADD(&made.workspace, &made.users[i], train->n_rows * dimension);
        WORKSPACE_ADD(&made.workspace, &made.items[i], train->n_columns * dimension);
    }
    TRY(workspace_reserve(&made.workspace, status));
    *propagation = made;
    made = (struct propagation){0};
done:
    mem_free(counts);
    propagation_release(&made);
    return code;
}

void propagation_release(struct propagation *propagation)
{
    sparse_release(&propagation->forward);
    sparse_release(&propagation->backward);
    workspace_release(&propagation->workspace);
}

struct product_job {
    const struct sparse *matrix;
    const struct view *view;
    bool rows_are_users;
    size_t dimension;
    const float *in;
    float *out;
};

/* One coin of the view: for an edge by (user, item), for a node by its side and number. */
static bool is_dropped(const struct view *view, const char *purpose, uint64_t entity)
{
    struct rng rng;
    rng_init(&rng, view->seed ^ (view->number * 0x9e3779b97f4a7c15u), purpose,
             view->epoch * 1000003u + view->step, entity);
    return rng_double(&rng) < view->strength;
}

static bool edge_is_dropped(const struct product_job *job, size_t row, int32_t column)
{
    const struct view *view = job->view;
    uint64_t user = job->rows_are_users ? row : (uint64_t)column;
    uint64_t item = job->rows_are_users ? (uint64_t)column : row;
    if (view->change == VIEW_EDGES) {
        return is_dropped(view, "view.edge", user << 32 | item);
    }
    return view->change == VIEW_NODES &&
           (is_dropped(view, "view.user", user) || is_dropped(view, "view.item", item));
}

static void product_task(void *data, size_t first, size_t last)
{
    const struct product_job *job = data;
    const struct sparse *m = job->matrix;
    const struct vec_ops *vec = vec_ops();
    size_t d = job->dimension;
    bool drops = view_needs_graph(job->view->change);
    for (size_t r = first; r < last; r++) {
        float *out = job->out + r * d;
        memset(out, 0, d * sizeof *out);
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            if (!drops || !edge_is_dropped(job, r, m->columns[e])) {
                vec->axpy(m->values[e], job->in + (size_t)m->columns[e] * d, out, d);
            }
        }
    }
}

/* (users_out, items_out) = P (users_in, items_in). */
static void apply(const struct propagation *propagation, const struct view *view, struct pool *pool,
                  const float *users_in, const float *items_in, float *users_out, float *items_out)
{
    struct product_job up = {&propagation->forward,  view,     true,
                             propagation->dimension, items_in, users_out};
    struct product_job down = {&propagation->backward, view,     false,
                               propagation->dimension, users_in, items_out};
    pool_run_rows(pool, up.matrix->n_rows, ROW_BLOCK, product_task, &up);
    pool_run_rows(pool, down.matrix->n_rows, ROW_BLOCK, product_task, &down);
}

void propagation_run(struct propagation *propagation, const struct view *view, bool backward,
                     float *users, float *items, struct pool *pool)
{
    const struct propagation_settings *settings = &propagation->settings;
    const bool to_users = settings->sides != PROPAGATE_ITEMS;
    const bool to_items = settings->sides != PROPAGATE_USERS;
    const size_t hops = settings->hops;
    const size_t nu = propagation->forward.n_rows * propagation->dimension;
    const size_t ni = propagation->forward.n_columns * propagation->dimension;
    float *const *u = propagation->users, *const *i = propagation->items;
    if (!backward) {
        double weight = 1.0;
        memcpy(u[0], users, nu * sizeof *users);
        memcpy(i[0], items, ni * sizeof *items);
        for (size_t k = 1; k <= hops; k++) {
            weight *= settings->weight;
            apply(propagation, view, pool, u[(k - 1) % 2], i[(k - 1) % 2], u[k % 2], i[k % 2]);
            vec_ops()->axpy((float)weight, u[k % 2], users, to_users ? nu : 0);
            vec_ops()->axpy((float)weight, i[k % 2], items, to_items ? ni : 0);
        }
        return;
    }
    memset(u[hops % 2], 0, nu * sizeof *users);
    memset(i[hops % 2], 0, ni * sizeof *items);
    for (size_t k = hops; k > 0; k--) {
        double weight = pow(settings->weight, (double)k);
        vec_ops()->axpy((float)weight, users, u[k % 2], to_users ? nu : 0);
        vec_ops()->axpy((float)weight, items, i[k % 2], to_items ? ni : 0);
        apply(propagation, view, pool, u[k % 2], i[k % 2], u[(k - 1) % 2], i[(k - 1) % 2]);
    }
    vec_ops()->axpy(1.0f, u[0], users, nu);
    vec_ops()->axpy(1.0f, i[0], items, ni);
}
