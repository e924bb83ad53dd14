/* Matrix products and equations: the only file that sees OpenBLAS's headers. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "math/blas.h"

#include "base/mem.h"

#include <assert.h>
#include <cblas.h>
#include <f77blas.h> /* LAPACK, which cblas.h has nothing of */
#include <limits.h>
#include <sys/mman.h>

enum status_code blas_check_memory(struct status *status)
{
    enum { BUFFERS = 192 << 20 }; /* bytes; 128 MiB and a little in the builds of Debian */
    void *room = mmap(NULL, BUFFERS, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) {
        return status_set(status, STATUS_NO_MEMORY,
                          "out of memory: OpenBLAS has no room for its buffers of %d MiB",
                          BUFFERS >> 20);
    }
    munmap(room, BUFFERS);
    return STATUS_OK;
}

void blas_init(void)
{
    /* Large enough to miss OpenBLAS's small-matrix kernels, which work without its buffers. */
    enum { WARM = 256 };
    openblas_set_num_threads(1);
    struct status status = {0};
    float *block = NULL;
    if (MEM_NEW(&block, (size_t)3 * WARM * WARM, &status) != STATUS_OK) {
        return; /* whoever allocates next reports it */
    }
    blas_nn(1.0F, const_matrix_of(block, WARM, WARM),
            const_matrix_of(block + WARM * WARM, WARM, WARM), 0.0F,
            matrix_of(block + 2 * WARM * WARM, WARM, WARM));
    mem_free(block);
}

const char *blas_identity(void)
{
    /* names the version, the build's switches and the kernels chosen for this CPU */
    return openblas_get_config();
}

static int dimension(size_t n)
{
    assert(n <= INT_MAX);
    return (int)n;
}

/* BLAS refuses a leading dimension of 0, which empty matrices have. */
static int leading(size_t stride)
{
    return dimension(stride == 0 ? 1 : stride);
}

static void multiply(CBLAS_TRANSPOSE transpose_a, CBLAS_TRANSPOSE transpose_b, size_t k,
                     float alpha, struct const_matrix a, struct const_matrix b, float beta,
                     struct matrix c)
{
    assert(a.stride >= a.columns && b.stride >= b.columns && c.stride >= c.columns);
    if (c.rows == 0 || c.columns == 0) {
        return;
    }
    cblas_sgemm(CblasRowMajor, transpose_a, transpose_b, dimension(c.rows), dimension(c.columns),
                dimension(k), alpha, a.data, leading(a.stride), b.data, leading(b.stride), beta,
                c.data, leading(c.stride));
}

void blas_nt(float alpha, struct const_matrix a, struct const_matrix b, float beta, struct matrix c)
{
    assert(a.rows == c.rows && b.rows == c.columns && a.columns == b.columns);
    multiply(CblasNoTrans, CblasTrans, a.columns, alpha, a, b, beta, c);
}

void blas_nn(float alpha, struct const_matrix a, struct const_matrix b, float beta, struct matrix c)
{
    assert(a.rows == c.rows && b.columns == c.columns && a.columns == b.rows);
    multiply(CblasNoTrans, CblasNoTrans, a.columns, alpha, a, b, beta, c);
}

void blas_tn(float alpha, struct const_matrix a, struct const_matrix b, float beta, struct matrix c)
{
    assert(a.columns == c.rows && b.columns == c.columns && a.rows == b.rows);
    multiply(CblasTrans, CblasNoTrans, a.rows, alpha, a, b, beta, c);
}

bool blas_solve_positive(struct matrix a, float *b)
{
    assert(a.rows == a.columns && a.stride >= a.columns);
    blasint n = dimension(a.rows), stride = leading(a.stride), failed = 0;
    char upper[] = "U"; /* our lower triangle by columns */
    BLASFUNC(spotrf)(upper, &n, a.data, &stride, &failed);
    if (failed == 0) {
        cblas_strsv(CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, n, a.data, stride, b, 1);
        cblas_strsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, n, a.data, stride, b, 1);
    }
    return failed == 0;
}
