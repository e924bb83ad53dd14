/* Chooses among the builds of vec_kernels.c. */
#include "math/vec.h"

extern const struct vec_ops vec_ops_portable;

#if defined __x86_64__
extern const struct vec_ops vec_ops_avx2, vec_ops_avx512;
#elif defined __aarch64__
extern const struct vec_ops vec_ops_neon; /* every 64-bit ARM has it */
#endif

size_t vec_ops_all(const struct vec_ops *sets[VEC_SETS_MAX])
{
    size_t n = 0;
#if defined __x86_64__
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
        sets[n++] = &vec_ops_avx512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        sets[n++] = &vec_ops_avx2;
    }
#elif defined __aarch64__
    sets[n++] = &vec_ops_neon;
#endif
    sets[n++] = &vec_ops_portable;
    return n;
}

const struct vec_ops *vec_ops(void)
{
    const struct vec_ops *sets[VEC_SETS_MAX];
    (void)vec_ops_all(sets);
    return sets[0];
}
