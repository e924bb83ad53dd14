/* Chooses among the builds of vec_kernels.c. */
#include "math/vec.h"

#include <string.h>

extern const struct vec_ops vec_ops_sse2, vec_ops_avx2, vec_ops_avx512;

static bool cpu_has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

static bool cpu_has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const struct vec_ops *vec_ops(void)
{
    if (cpu_has_avx512()) {
        return &vec_ops_avx512;
    }
    return cpu_has_avx2() ? &vec_ops_avx2 : &vec_ops_sse2;
}

const struct vec_ops *vec_ops_named(const char *name)
{
    if (strcmp(name, "sse2") == 0) {
        return &vec_ops_sse2;
    }
    if (strcmp(name, "avx2") == 0 && cpu_has_avx2()) {
        return &vec_ops_avx2;
    }
    if (strcmp(name, "avx512") == 0 && cpu_has_avx512()) {
        return &vec_ops_avx512;
    }
    return NULL;
}
