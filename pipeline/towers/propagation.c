/* Neighbourhood propagation. P is the symmetric operator (users, items) -> (N items, N^T users);
 * the forward sum is sum_k w^k S_k P^k x, where S_k lets every side through for k = 0 and the
 * chosen ones for k > 0; so the backward one is sum_k w^k P^k S_k g, by Horner's rule. */
#include "towers/propagation.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/vec.h"
#include "ranks/shards.h"
#include "towers/row_order.h"

#include <assert.h>
#include <math.h>

enum { ROW_BLOCK = 256 };

const char *const propagation_sides_names[] = {"both", "items", "users", NULL};

/* ---- the graph ---- */

/* Where the item stands in the order of ranks: at one rank, where it always does. */
static int32_t place_of(const struct propagation *propagation, int32_t item)
{
    const struct ranks *ranks = propagation->ranks;
    const size_t owner = shard_item_owner(ranks, (size_t)item);
    return (int32_t)(propagation->first_item[owner] +
                     shard_items_below(ranks_n(ranks), owner, (size_t)item));
}

/* N: 1 / sqrt(items of the user, users of the item on all ranks). */
static enum status_code make_forward(struct propagation *made, const struct sparse *train,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t *counts = NULL;
    TRY(MEM_NEW(&counts, train->n_columns, status));
    TRY(sparse_init(&made->forward, train->n_rows, train->n_columns, sparse_entries(train), true,
                    status));
    sparse_column_counts(train, counts);
    TRY(ranks_sum_int64(made->ranks, counts, train->n_columns, status));
    memcpy(made->forward.offsets, train->offsets, (train->n_rows + 1) * sizeof(int64_t));
    for (size_t u = 0; u < train->n_rows; u++) {
        double degree = (double)sparse_row_length(train, u);
        for (int64_t e = train->offsets[u]; e < train->offsets[u + 1]; e++) {
            double item_degree = (double)counts[train->columns[e]];
            made->forward.columns[e] = place_of(made, train->columns[e]);
            made->forward.values[e] = (float)(1.0 / sqrt(degree * item_degree));
        }
    }
done:
    mem_free(counts);
    return code;
}

/* N^T, the users of a row by shards and, within one, ascending. */
static enum status_code make_backward(struct propagation *made, const uint64_t *user_keys,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = made->forward.n_rows, entries = sparse_entries(&made->forward);
    struct shard_rows by_shard = {0};
    struct sparse arranged = {0};
    TRY(MEM_NEW(&made->shards, n, status));
    shards_of_keys(user_keys, n, made->shards);
    TRY(shard_rows_init(&by_shard, made->shards, n, status));
    TRY(sparse_gather(&made->forward, by_shard.rows, n, &arranged, status));
    TRY(sparse_transpose(&arranged, &made->backward, status));
    for (size_t e = 0; e < entries; e++) {
        made->backward.columns[e] = by_shard.rows[made->backward.columns[e]];
    }
done:
    shard_rows_release(&by_shard);
    sparse_release(&arranged);
    return code;
}

enum status_code propagation_init(struct propagation *propagation,
                                  const struct propagation_settings *settings,
                                  const struct sparse *train, const uint64_t *user_keys,
                                  struct ranks *ranks, size_t dimension, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct propagation made = {.settings = *settings, .dimension = dimension, .ranks = ranks};
    assert(dimension <= SUM_MOST);
    for (size_t r = 0; r < ranks_n(ranks); r++) {
        made.first_item[r + 1] =
            made.first_item[r] + shard_items_below(ranks_n(ranks), r, train->n_columns);
    }
    TRY(make_forward(&made, train, status));
    TRY(make_backward(&made, user_keys, status));
    workspace_begin(&made.workspace);
    for (size_t i = 0; i < 2; i++) {
        WORKSPACE_ADD(&made.workspace, &made.users[i], train->n_rows * dimension);
        WORKSPACE_ADD(&made.workspace, &made.items[i], train->n_columns * dimension);
    }
    TRY(workspace_reserve(&made.workspace, status));
    *propagation = made;
    made = (struct propagation){0};
done:
    propagation_release(&made);
    return code;
}

void propagation_release(struct propagation *propagation)
{
    sparse_release(&propagation->forward);
    sparse_release(&propagation->backward);
    mem_free(propagation->shards);
    workspace_release(&propagation->workspace);
    ranks_bytes_release(&propagation->gathered);
}

/* ---- products ---- */

struct product_job {
    const struct sparse *matrix;
    const struct view *view;
    const uint8_t *shards; /* of the columns, which are users; NULL: rows are, and are short */
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
    uint64_t user = job->shards == NULL ? row : (uint64_t)column;
    uint64_t item = job->shards == NULL ? (uint64_t)column : row;
    if (view->change == VIEW_EDGES) {
        return is_dropped(view, "view.edge", user << 32 | item);
    }
    return view->change == VIEW_NODES &&
           (is_dropped(view, "view.user", user) || is_dropped(view, "view.item", item));
}

/* out = the row's sum, in its order. */
static void sum_row(const struct product_job *job, size_t r, float *out)
{
    const struct sparse *m = job->matrix;
    const size_t d = job->dimension;
    const bool drops = view_needs_graph(job->view->change);
    memset(out, 0, d * sizeof *out);
    for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
        if (!drops || !edge_is_dropped(job, r, m->columns[e])) {
            vec_ops()->axpy(m->values[e], job->in + (size_t)m->columns[e] * d, out, d);
        }
    }
}

/* The same, the users of a shard first, then along the tree of the shards; other users of the item
 * may be another rank's. */
static void sum_users(const struct product_job *job, size_t r, struct shard_tree *tree, float *out)
{
    const struct sparse *m = job->matrix;
    const size_t d = job->dimension;
    const bool drops = view_needs_graph(job->view->change);
    float *leaf = NULL;
    shard_tree_begin(tree, d);
    for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
        const int32_t user = m->columns[e];
        if (leaf == NULL || job->shards[user] != job->shards[m->columns[e - 1]]) {
            leaf = shard_tree_leaf(tree, job->shards[user]);
        }
        if (!drops || !edge_is_dropped(job, r, user)) {
            vec_ops()->axpy(m->values[e], job->in + (size_t)user * d, leaf, d);
        }
    }
    const float *all = shard_tree_end(tree);
    if (all == NULL) {
        memset(out, 0, d * sizeof *out);
    } else {
        memcpy(out, all, d * sizeof *out);
    }
}

static void product_task(void *data, size_t first, size_t last)
{
    const struct product_job *job = data;
    struct shard_tree tree;
    for (size_t r = first; r < last; r++) {
        float *out = job->out + r * job->dimension;
        if (job->shards == NULL) {
            sum_row(job, r, out);
        } else {
            sum_users(job, r, &tree, out);
        }
    }
}

/* Vectors of users and of this rank's items. NULL: those of the side are all 0, or not wanted. */
struct layer {
    float *users, *items;
};

static size_t first_own_item(const struct propagation *propagation)
{
    return propagation->first_item[ranks_mine(propagation->ranks)];
}

static size_t n_own_items(const struct propagation *propagation)
{
    return propagation->first_item[ranks_mine(propagation->ranks) + 1] -
           first_own_item(propagation);
}

/* The buffers of layer k. */
static struct layer layer_of(const struct propagation *propagation, size_t k)
{
    return (struct layer){propagation->users[k % 2],
                          propagation->items[k % 2] +
                              first_own_item(propagation) * propagation->dimension};
}

/* out = N in. */
static enum status_code to_users(struct propagation *propagation, const struct view *view,
                                 struct pool *pool, const float *in, float *out,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t d = propagation->dimension;
    struct product_job job = {&propagation->forward, view, NULL, d, in, out};
    if (ranks_n(propagation->ranks) > 1) {
        TRY(ranks_gather(propagation->ranks, in, n_own_items(propagation) * d * sizeof *in,
                         &propagation->gathered, status));
        job.in = (const void *)propagation->gathered.data;
    }
    pool_run_rows(pool, job.matrix->n_rows, ROW_BLOCK, product_task, &job);
done:
    return code;
}

/* out = N^T in; out stands among the items of all ranks. */
static enum status_code to_items(struct propagation *propagation, const struct view *view,
                                 struct pool *pool, const float *in, float *out,
                                 struct status *status)
{
    const size_t d = propagation->dimension;
    float *all = out - first_own_item(propagation) * d;
    struct product_job job = {&propagation->backward, view, propagation->shards, d, in, all};
    pool_run_rows(pool, job.matrix->n_rows, ROW_BLOCK, product_task, &job);
    return ranks_tree_scatter(propagation->ranks, all, propagation->first_item, d, RANKS_FLOAT32,
                              status);
}

/* out = P in. out: in, buffers of the sides that are wanted; out, of those that there is any of. */
static enum status_code apply(struct propagation *propagation, const struct view *view,
                              struct pool *pool, struct layer in, struct layer *out,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    assert(ranks_n(propagation->ranks) == 1 || !view_needs_graph(view->change));
    out->users = in.items == NULL ? NULL : out->users;
    out->items = in.users == NULL ? NULL : out->items;
    if (out->users != NULL) {
        TRY(to_users(propagation, view, pool, in.items, out->users, status));
    }
    if (out->items != NULL) {
        TRY(to_items(propagation, view, pool, in.users, out->items, status));
    }
done:
    return code;
}

/* ---- there and back ---- */

/* Floats of each side. */
struct lengths {
    size_t users, items;
};

/* A layer that ends the way is made of the sides alone that take it up. */
static enum status_code run_forward(struct propagation *propagation, const struct view *view,
                                    struct pool *pool, struct layer sum, struct lengths n,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct propagation_settings *settings = &propagation->settings;
    const bool has_users = settings->sides != PROPAGATE_ITEMS;
    const bool has_items = settings->sides != PROPAGATE_USERS;
    struct layer in = sum, out;
    double weight = 1.0;
    for (size_t k = 1; k <= settings->hops; k++, in = out) {
        out = layer_of(propagation, k);
        out.users = has_users || k < settings->hops ? out.users : NULL;
        out.items = has_items || k < settings->hops ? out.items : NULL;
        TRY(apply(propagation, view, pool, in, &out, status));
        weight *= settings->weight;
        vec_ops()->axpy((float)weight, out.users, sum.users, has_users ? n.users : 0);
        vec_ops()->axpy((float)weight, out.items, sum.items, has_items ? n.items : 0);
    }
done:
    return code;
}

/* The gradient of a layer: what came to it, and its part of that of the sum. */
static float *take_up(double weight, const float *gradient, float *came, float *buffer, size_t n)
{
    if (came == NULL) {
        memset(buffer, 0, n * sizeof *buffer);
    }
    vec_ops()->axpy((float)weight, gradient, buffer, n);
    return buffer;
}

static enum status_code run_backward(struct propagation *propagation, const struct view *view,
                                     struct pool *pool, struct layer sum, struct lengths n,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct propagation_settings *settings = &propagation->settings;
    struct layer at = {NULL, NULL};
    for (size_t k = settings->hops; k > 0; k--) {
        const struct layer buffers = layer_of(propagation, k);
        struct layer before = layer_of(propagation, k - 1);
        const double weight = pow(settings->weight, (double)k);
        if (settings->sides != PROPAGATE_ITEMS) {
            at.users = take_up(weight, sum.users, at.users, buffers.users, n.users);
        }
        if (settings->sides != PROPAGATE_USERS) {
            at.items = take_up(weight, sum.items, at.items, buffers.items, n.items);
        }
        TRY(apply(propagation, view, pool, at, &before, status));
        at = before;
    }
    vec_ops()->axpy(1.0f, at.users, sum.users, at.users != NULL ? n.users : 0);
    vec_ops()->axpy(1.0f, at.items, sum.items, at.items != NULL ? n.items : 0);
done:
    return code;
}

enum status_code propagation_run(struct propagation *propagation, const struct view *view,
                                 bool backward, float *users, float *items, struct pool *pool,
                                 struct status *status)
{
    const struct layer sum = {users, items};
    const struct lengths n = {propagation->forward.n_rows * propagation->dimension,
                              n_own_items(propagation) * propagation->dimension};
    return backward ? run_backward(propagation, view, pool, sum, n, status)
                    : run_forward(propagation, view, pool, sum, n, status);
}

double propagation_step_bytes(const struct propagation_settings *settings, double n_ranks,
                              double n_items, double dimension)
{
    const double hops = (double)settings->hops;
    const double products =
        hops == 0.0 || settings->sides == PROPAGATE_BOTH ? 2.0 * hops : 2.0 * hops - 1.0;
    return 2.0 * products * n_items * dimension * sizeof(float) * (n_ranks - 1.0) / n_ranks;
}
