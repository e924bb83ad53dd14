/* The compiler's vector types at the width of the instruction set that the including file is
 * compiled for: seen by the *_kernels.c alone. Wider types than the set's own are lowered to scalar
 * code, so each build has its own width. */
#ifndef NIGHTJAR_MATH_LANES_H
#define NIGHTJAR_MATH_LANES_H

#include <stdint.h>

#if defined __AVX2__
#include <immintrin.h>
#elif defined LANES_NEON
#include <arm_neon.h>
#endif

#if defined __AVX512F__
enum { WIDTH = 64 };
#elif defined __AVX2__
enum { WIDTH = 32 };
#else
enum { WIDTH = 16 };
#endif
enum { LANES = WIDTH / 4 };

typedef float lanes __attribute__((vector_size(WIDTH), aligned(4), may_alias));
typedef int32_t int_lanes __attribute__((vector_size(WIDTH), aligned(4), may_alias));

#define LOAD(p)            (*(const lanes *)(const void *)(p))
#define STORE(p, x)        (*(lanes *)(void *)(p) = (x))
#define ALL(x)             ((x) - (lanes){0}) /* x + 0 would not keep -0 */
#define SELECT(mask, a, b) ((lanes)(((mask) & (int_lanes)(a)) | (~(mask) & (int_lanes)(b))))

/* a b + c, rounded once where the set can and twice where it cannot. Kernels are compiled without
 * contraction and name every sum of this kind, so that the compiler does not choose anew for each
 * copy that it inlines: what a kernel returns would hang on which outputs were asked for. */
static inline lanes lanes_fma(lanes a, lanes b, lanes c)
{
#if defined __AVX512F__
    return (lanes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined __FMA__
    return (lanes)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined LANES_NEON
    return (lanes)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    return a * b + c;
#endif
}

/* The same of one number. */
static inline float one_fma(float a, float b, float c)
{
#if defined __FMA__ || defined LANES_NEON
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

/* A table's name for the instruction set VEC_ISA of the Makefile: ISA_NAME(vec_ops_). */
#define LANES_JOIN(a, b)  a##b
#define LANES_PASTE(a, b) LANES_JOIN(a, b)
#define ISA_NAME(prefix)  LANES_PASTE(prefix, VEC_ISA)

#endif
