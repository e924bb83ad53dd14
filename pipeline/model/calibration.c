/* The search for beta: several values are ranked in one pass over the products, so the grid costs
 * little more than a single value. */
#include "model/calibration.h"

#include "base/mem.h"
#include "model/ranking.h"

#include <assert.h>
#include <math.h>

enum {
    USER_BLOCK = 2048, /* users ranked between two looks at `between` */
    REFINE = 5,        /* the second grid's step is this much finer */
    GRID_MAX = 1000
};

struct search {
    const struct validation *validation;
    const struct towers *towers;
    struct pool *pool;
    enum status_code (*between)(void *data, double done, double total, struct status *status);
    void *data;
    double users_done, users_total; /* over both grids */
    int64_t *counts;                /* (n_items) n_i */
};

/* Memory of one pass. */
struct pass {
    size_t n;             /* betas */
    float *bias;          /* (n, n_items) */
    const float **biases; /* (n) rows of bias */
    float *anchors;       /* (USER_BLOCK, d) */
    int32_t *lists;       /* (n, USER_BLOCK, k) */
    float *scores;        /* the same shape */
    double *values;       /* (n, n_users) metric of each user */
};

static void pass_release(struct pass *pass)
{
    mem_free(pass->bias);
    mem_free(pass->biases);
    mem_free(pass->anchors);
    mem_free(pass->lists);
    mem_free(pass->scores);
    mem_free(pass->values);
}

static enum status_code pass_init(struct pass *pass, const struct search *search,
                                  const double *betas, size_t n, struct status *status)
{
    const struct validation *validation = search->validation;
    size_t n_items = validation->dataset->n_items;
    size_t n_lists = n * USER_BLOCK * validation->k;
    enum status_code code;
    pass->n = n;
    TRY(MEM_NEW(&pass->bias, n * n_items, status));
    TRY(MEM_NEW(&pass->biases, n, status));
    TRY(MEM_NEW(&pass->anchors, USER_BLOCK * search->towers->users.columns, status));
    TRY(MEM_NEW(&pass->lists, n_lists, status));
    TRY(MEM_NEW(&pass->scores, n_lists, status));
    TRY(MEM_NEW(&pass->values, n * validation->n_users, status));
    for (size_t v = 0; v < n; v++) {
        towers_popularity_bias(search->counts, search->towers->item_bias, n_items, betas[v],
                               pass->bias + v * n_items);
        pass->biases[v] = pass->bias + v * n_items;
    }
done:
    return code;
}

/* Ranks validation users [first, first + count) under every beta and measures them. */
static enum status_code pass_block(struct pass *pass, const struct search *search, size_t first,
                                   size_t count, struct status *status)
{
    const struct validation *validation = search->validation;
    const struct dataset *dataset = validation->dataset;
    const int32_t *users = validation->users + first;
    size_t d = search->towers->users.columns, k = validation->k;
    enum status_code code;
    for (size_t a = 0; a < count; a++) {
        memcpy(pass->anchors + a * d,
               search->towers->users.data + (size_t)users[a] * search->towers->users.stride,
               d * sizeof *pass->anchors);
    }
    struct ranking ranking = {
        .anchors = const_matrix_of(pass->anchors, count, d),
        .candidates = search->towers->items,
        .scale = (float)(1.0 / search->towers->temperature),
        .n_biases = pass->n,
        .biases = pass->biases,
        .exclude = &dataset->train.matrix,
        .exclude_rows = users,
        .tie_rank = validation->tie_rank,
        .k = k,
    };
    TRY(ranking_run(&ranking, search->pool, pass->lists, pass->scores, status));
    for (size_t v = 0; v < pass->n; v++) {
        metric_per_user(validation->metric, k, pass->lists + v * count * k, k, users, count,
                        &dataset->valid.matrix, dataset->valid_unknown,
                        pass->values + v * validation->n_users + first);
    }
done:
    return code;
}

/* values (n) = the metric at each of the n betas. */
static enum status_code measure(struct search *search, const double *betas, size_t n,
                                double *values, struct status *status)
{
    size_t n_users = search->validation->n_users;
    struct pass pass = {0};
    enum status_code code;
    TRY(pass_init(&pass, search, betas, n, status));
    for (size_t first = 0; first < n_users; first += USER_BLOCK) {
        size_t count = n_users - first < USER_BLOCK ? n_users - first : USER_BLOCK;
        TRY(pass_block(&pass, search, first, count, status));
        search->users_done += (double)count;
        if (search->between != NULL) {
            TRY(search->between(search->data, search->users_done, search->users_total, status));
        }
    }
    for (size_t v = 0; v < n; v++) {
        values[v] = metric_mean(pass.values + v * n_users, n_users, NULL);
    }
done:
    pass_release(&pass);
    return code;
}

/* betas gets from, from + step ... up to `to` inclusive, which always ends it. */
static size_t coarse_points(const struct calibration_grid *grid, double *betas)
{
    size_t n = 0;
    for (; n < GRID_MAX - 1; n++) {
        double beta = grid->from + (double)n * grid->step;
        if (beta >= grid->to - 1e-9) {
            break;
        }
        betas[n] = beta;
    }
    betas[n++] = grid->to;
    return n;
}

/* betas gets the points strictly between the best one's neighbours, the best itself left out. */
static size_t fine_points(const double *coarse, size_t n_coarse, size_t best, double *betas)
{
    size_t n = 0;
    size_t first = best > 0 ? best - 1 : 0;
    size_t last = best + 1 < n_coarse ? best + 1 : best;
    for (size_t i = first; i < last; i++) {
        for (int part = 1; part < REFINE; part++) {
            betas[n++] = coarse[i] + (coarse[i + 1] - coarse[i]) * part / REFINE;
        }
    }
    return n;
}

/* Index of the largest value; at equal values the first. */
static size_t best_of(const double *values, size_t n)
{
    size_t best = 0;
    for (size_t v = 1; v < n; v++) {
        best = values[v] > values[best] ? v : best;
    }
    return best;
}

/* Keeps (beta, value) in beta order. */
static void insert_point(struct calibration *calibration, double beta, double value)
{
    size_t at = calibration->n_grid++;
    for (; at > 0 && calibration->grid_beta[at - 1] > beta; at--) {
        calibration->grid_beta[at] = calibration->grid_beta[at - 1];
        calibration->grid_value[at] = calibration->grid_value[at - 1];
    }
    calibration->grid_beta[at] = beta;
    calibration->grid_value[at] = value;
}

/* The two grids into made->grid_*. */
static enum status_code try_grids(struct search *search, const struct calibration_grid *grid,
                                  struct calibration *made, struct status *status)
{
    double coarse[GRID_MAX], values[GRID_MAX], fine[2 * REFINE];
    size_t n = coarse_points(grid, coarse);
    enum status_code code;
    TRY(MEM_NEW(&made->grid_beta, n + 2 * REFINE, status));
    TRY(MEM_NEW(&made->grid_value, n + 2 * REFINE, status));
    TRY(measure(search, coarse, n, values, status));
    for (size_t v = 0; v < n; v++) {
        insert_point(made, coarse[v], values[v]);
    }
    size_t n_fine = fine_points(coarse, n, best_of(values, n), fine);
    if (n_fine > 0) {
        TRY(measure(search, fine, n_fine, values, status));
    }
    for (size_t v = 0; v < n_fine; v++) {
        insert_point(made, fine[v], values[v]);
    }
done:
    return code;
}

enum status_code calibration_search(
    const struct validation *validation, const struct towers *towers,
    const struct calibration_grid *grid,
    enum status_code (*between)(void *data, double done, double total, struct status *status),
    void *data, struct pool *pool, struct calibration *out, struct status *status)
{
    struct search search = {.validation = validation,
                            .towers = towers,
                            .pool = pool,
                            .between = between,
                            .data = data,
                            .users_total = 2.0 * (double)validation->n_users};
    struct calibration made = {.alpha = towers->alpha};
    enum status_code code;
    assert(validation->n_users > 0 && grid->from <= grid->to && grid->step > 0.0);
    assert(towers->users.rows == validation->dataset->n_users);
    assert(towers->items.rows == validation->dataset->n_items);
    TRY(MEM_NEW(&search.counts, validation->dataset->n_items, status));
    dataset_item_counts(validation->dataset, search.counts);
    TRY(try_grids(&search, grid, &made, status));
    size_t best = best_of(made.grid_value, made.n_grid);
    made.beta = made.grid_beta[best];
    made.value = made.grid_value[best];
    *out = made;
done:
    mem_free(search.counts);
    if (code != STATUS_OK) {
        calibration_release(&made);
    }
    return code;
}

enum status_code calibration_save(const struct calibration *calibration, const char *metric,
                                  struct artifact *artifact, struct status *status)
{
    struct strings name = {0};
    /* an unmeasured value has no number: the grid is empty then */
    double value = isnan(calibration->value) ? 0.0 : calibration->value;
    enum status_code code;
    artifact_init(artifact, "calibration");
    TRY(strings_add(&name, metric, strlen(metric), status));
    TRY(artifact_set_strings(artifact, "metric", &name, status));
    TRY(artifact_set_number(artifact, "beta", calibration->beta, status));
    TRY(artifact_set_number(artifact, "alpha", calibration->alpha, status));
    TRY(artifact_set_number(artifact, "value", value, status));
    TRY(artifact_copy(artifact, "grid.beta", ARRAY_F64, calibration->n_grid, 1,
                      calibration->grid_beta, status));
    TRY(artifact_copy(artifact, "grid.value", ARRAY_F64, calibration->n_grid, 1,
                      calibration->grid_value, status));
done:
    strings_release(&name);
    if (code != STATUS_OK) {
        artifact_release(artifact);
    }
    return code;
}

enum status_code calibration_load(struct calibration *calibration, const struct artifact *artifact,
                                  struct status *status)
{
    struct calibration view = {.is_view = true};
    const void *beta, *value;
    size_t n_values;
    enum status_code code;
    TRY(artifact_get_number(artifact, "beta", &view.beta, status));
    TRY(artifact_get_number(artifact, "alpha", &view.alpha, status));
    TRY(artifact_get_number(artifact, "value", &view.value, status));
    TRY(artifact_get(artifact, "grid.beta", ARRAY_F64, &beta, &view.n_grid, NULL, status));
    TRY(artifact_get(artifact, "grid.value", ARRAY_F64, &value, &n_values, NULL, status));
    if (n_values != view.n_grid || !isfinite(view.beta)) {
        code = status_set(status, STATUS_INTERNAL,
                          "artifact calibration: beta %g, %zu grid points, %zu values; the work "
                          "database is damaged or of another version: delete it",
                          view.beta, view.n_grid, n_values);
        goto done;
    }
    view.value = view.n_grid == 0 ? (double)NAN : view.value;
    view.grid_beta = (double *)beta;
    view.grid_value = (double *)value;
    *calibration = view;
done:
    return code;
}

enum status_code calibration_weight(const struct artifact *artifact, const struct towers *towers,
                                    double *beta, struct status *status)
{
    struct calibration calibration = {0};
    enum status_code code = STATUS_OK;
    if (artifact == NULL) {
        *beta = towers->alpha;
        return STATUS_OK;
    }
    TRY(calibration_load(&calibration, artifact, status));
    *beta = calibration.beta;
done:
    return code;
}

void calibration_release(struct calibration *calibration)
{
    if (!calibration->is_view) {
        mem_free(calibration->grid_beta);
        mem_free(calibration->grid_value);
    }
    *calibration = (struct calibration){0};
}
