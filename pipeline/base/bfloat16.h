/* bfloat16: the upper half of a float, the same range with 8 bits of precision. Where numbers are
 * exchanged as such, all compute with the rounded ones. */
#ifndef NIGHTJAR_BASE_BFLOAT16_H
#define NIGHTJAR_BASE_BFLOAT16_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* To nearest, ties to even; a NaN stays one. */
static inline uint16_t bfloat16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint32_t nearest = bits + 0x7fff + ((bits >> 16) & 1), nan = bits | 0x400000;
    return (uint16_t)(((bits & 0x7fffffff) > 0x7f800000 ? nan : nearest) >> 16);
}

static inline float bfloat16_value(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline float bfloat16_round(float x)
{
    return bfloat16_value(bfloat16_of(x));
}

/* Two bytes a number, anywhere. */
static inline void bfloat16_pack(const float *from, void *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const uint16_t half = bfloat16_of(from[i]);
        memcpy((char *)to + i * sizeof half, &half, sizeof half);
    }
}

static inline void bfloat16_unpack(const void *from, float *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half;
        memcpy(&half, (const char *)from + i * sizeof half, sizeof half);
        to[i] = bfloat16_value(half);
    }
}

#endif
