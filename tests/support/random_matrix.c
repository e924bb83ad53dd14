/* Random inputs for kernel tests. */
#include "tests/support/random_matrix.h"

#include "base/mem.h"

#include <math.h>

static void must(enum status_code code)
{
    if (code != STATUS_OK) {
        abort();
    }
}

float *random_matrix(struct rng *rng, size_t rows, size_t columns, bool unit)
{
    struct status status = {0};
    float *data = NULL;
    must(MEM_NEW(&data, rows * columns, &status));
    for (size_t i = 0; i < rows; i++) {
        double square = 0.0;
        for (size_t j = 0; j < columns; j++) {
            data[i * columns + j] = (float)rng_normal(rng);
            square += (double)data[i * columns + j] * data[i * columns + j];
        }
        for (size_t j = 0; j < columns && unit; j++) {
            data[i * columns + j] /= (float)sqrt(square);
        }
    }
    return data;
}

struct sparse random_sparse(struct rng *rng, size_t rows, size_t columns, double density,
                            bool with_values)
{
    struct status status = {0};
    struct sparse m = {0};
    must(sparse_init(&m, rows, columns, rows * columns, with_values, &status));
    size_t n = 0;
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            if (rng_double(rng) < density) {
                m.columns[n] = (int32_t)c;
                if (with_values) {
                    m.values[n] = (float)(0.05 + 1.95 * rng_double(rng));
                }
                n++;
            }
        }
        m.offsets[r + 1] = (int64_t)n;
    }
    return m;
}
