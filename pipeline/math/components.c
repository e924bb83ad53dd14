/* Principal components by subspace iteration: products with the rows, never their covariance, whose
 * size is the square of the columns. */
#include "math/components.h"

#include "base/mem.h"
#include "base/rng.h"
#include "math/blas.h"

#include <math.h>

enum { STEPS = 16 };

static double dot(const float *a, const float *b, size_t n)
{
    double sum = 0.0;
    for (size_t i = 0; i < n; i++) {
        sum += (double)a[i] * (double)b[i];
    }
    return sum;
}

/* Gram and Schmidt, twice, so that rounding does not bring back what was taken out (Giraud et al.
 * 2005). A row that depends on those above it becomes zeros. */
static void make_orthonormal(struct matrix basis)
{
    for (size_t i = 0; i < basis.rows; i++) {
        float *row = basis.data + i * basis.stride;
        const double before = sqrt(dot(row, row, basis.columns));
        for (size_t pass = 0; pass < 2; pass++) {
            for (size_t j = 0; j < i; j++) {
                const float *other = basis.data + j * basis.stride;
                const float shared = (float)dot(row, other, basis.columns);
                for (size_t c = 0; c < basis.columns; c++) {
                    row[c] -= shared * other[c];
                }
            }
        }
        const double length = sqrt(dot(row, row, basis.columns));
        const float scale = length > 1e-5 * before ? (float)(1.0 / length) : 0.0f;
        for (size_t c = 0; c < basis.columns; c++) {
            row[c] *= scale;
        }
    }
}

enum status_code principal_components(struct const_matrix rows, size_t n_out, uint64_t seed,
                                      const struct watch *watch, float *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t distance = (rows.rows + COMPONENT_ROWS - 1) / COMPONENT_ROWS;
    const struct const_matrix looked_at = {.data = rows.data,
                                           .rows = (rows.rows + distance - 1) / distance,
                                           .columns = rows.columns,
                                           .stride = rows.stride * distance};
    const struct matrix basis = matrix_of(out, n_out, rows.columns);
    float *shares = NULL; /* (looked_at.rows, n_out) of each row in each direction */
    struct rng rng;

    TRY(MEM_NEW(&shares, looked_at.rows * n_out, status));
    rng_init(&rng, seed, "components", 0, 0);
    for (size_t i = 0; i < n_out * rows.columns; i++) {
        out[i] = (float)rng_normal(&rng);
    }
    make_orthonormal(basis);
    for (size_t step = 0; step < STEPS; step++) {
        const struct matrix found = matrix_of(shares, looked_at.rows, n_out);
        TRY(watch_step(watch, 0.0, 0.0, status));
        blas_nt(1.0f, looked_at, matrix_view(basis), 0.0f, found);
        blas_tn(1.0f, matrix_view(found), looked_at, 0.0f, basis);
        make_orthonormal(basis);
    }
done:
    mem_free(shares);
    return code;
}
