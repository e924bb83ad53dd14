/* The artifact "calibration", written and read by two tables: numbers, and the grids of what was
 * tried. */
#include "evaluation/calibration.h"

#include "base/mem.h"

#include <math.h>

/* Numbers and grids of the artifact: name, and where the value stands in struct calibration. */
struct number {
    const char *name;
    size_t offset;
};

#define AT(field) offsetof(struct calibration, field)

static const struct number numbers[] = {
    {"beta", AT(weights.beta)},
    {"half_life", AT(weights.half_life)},
    {"gamma", AT(weights.gamma)},
    {"exponent", AT(weights.exponent)},
    {"towers_beta", AT(towers_beta)},
    {"towers_half_life", AT(towers_half_life)},
    {"popular_half_life", AT(popular_half_life)},
    {"blended_value", AT(blended_value)},
    {"blended_base", AT(blended_base)},
    {"alpha", AT(alpha)},
    {"value", AT(value)},
    {"towers_value", AT(towers_value)},
};
static const struct number grids[] = {
    {"grid.beta", AT(grid_beta)},   {"grid.half_life", AT(grid_half_life)},
    {"grid.gamma", AT(grid_gamma)}, {"grid.exponent", AT(grid_exponent)},
    {"grid.ridge", AT(grid_ridge)}, {"grid.value", AT(grid_value)},
    {"grid.users", AT(grid_users)},
};
enum { N_NUMBERS = sizeof numbers / sizeof *numbers, N_GRIDS = sizeof grids / sizeof *grids };

enum status_code calibration_save(const struct calibration *calibration, const char *metric,
                                  struct artifact *artifact, struct status *status)
{
    struct strings name = {0};
    enum status_code code;
    artifact_init(artifact, "calibration");
    TRY(strings_add(&name, metric, strlen(metric), status));
    TRY(artifact_set_strings(artifact, "metric", &name, status));
    for (size_t i = 0; i < N_NUMBERS; i++) {
        double value;
        memcpy(&value, (const char *)calibration + numbers[i].offset, sizeof value);
        /* an unmeasured value has no number: the grid is empty then */
        TRY(artifact_set_number(artifact, numbers[i].name, isnan(value) ? 0.0 : value, status));
    }
    for (size_t i = 0; i < N_GRIDS; i++) {
        const double *grid = mem_pointer_at((const char *)calibration + grids[i].offset);
        TRY(artifact_copy(artifact, grids[i].name, ARRAY_F64, calibration->n_grid, 1, grid,
                          status));
    }
    TRY(score_parts_save(&calibration->weights, artifact, status));
    TRY(artifact_copy(artifact, "user_values", ARRAY_F64, calibration->n_users, 1,
                      calibration->user_values, status));
done:
    strings_release(&name);
    if (code != STATUS_OK) {
        artifact_release(artifact);
    }
    return code;
}

static enum status_code check(const struct calibration *view, bool is_sound, struct status *status)
{
    const struct score_weights *weights = &view->weights;
    if (is_sound && isfinite(weights->beta) && isfinite(weights->gamma) && weights->gamma >= 0 &&
        isfinite(weights->exponent)) {
        return STATUS_OK;
    }
    return status_set(status, STATUS_DATA,
                      "artifact calibration: beta %g, gamma %g, exponent %g, %zu grid points; the "
                      "work database is damaged or of another version: delete it",
                      weights->beta, weights->gamma, weights->exponent, view->n_grid);
}

enum status_code calibration_load(struct calibration *calibration, const struct artifact *artifact,
                                  const struct embeddings *embeddings, struct status *status)
{
    struct calibration view = {.is_view = true};
    bool is_sound = true;
    enum status_code code = STATUS_OK;
    if (artifact == NULL) {
        *calibration = (struct calibration){.weights.beta = embeddings->alpha,
                                            .towers_beta = embeddings->alpha,
                                            .alpha = embeddings->alpha,
                                            .value = (double)NAN,
                                            .towers_value = (double)NAN,
                                            .is_view = true};
        return STATUS_OK;
    }
    for (size_t i = 0; i < N_NUMBERS; i++) {
        double value;
        TRY(artifact_get_number(artifact, numbers[i].name, &value, status));
        memcpy((char *)&view + numbers[i].offset, &value, sizeof value);
        is_sound = is_sound && isfinite(value);
    }
    for (size_t i = 0; i < N_GRIDS; i++) {
        const void *grid;
        size_t n;
        TRY(artifact_get(artifact, grids[i].name, ARRAY_F64, &grid, &n, NULL, status));
        mem_set_pointer((char *)&view + grids[i].offset, grid);
        is_sound = is_sound && (i == 0 || n == view.n_grid);
        view.n_grid = n;
    }
    TRY(score_parts_load(&view.weights, artifact, status));
    TRY(check(&view, is_sound, status));
    if (view.n_grid == 0) {
        view.value = view.towers_value = (double)NAN;
    }
    *calibration = view;
done:
    return code;
}

void calibration_release(struct calibration *calibration)
{
    if (!calibration->is_view) {
        mem_free(calibration->grid_beta);
        mem_free(calibration->grid_gamma);
        mem_free(calibration->grid_exponent);
        mem_free(calibration->grid_half_life);
        mem_free(calibration->grid_ridge);
        mem_free(calibration->grid_value);
        mem_free(calibration->grid_users);
        mem_free(calibration->user_values);
    }
    *calibration = (struct calibration){0};
}
