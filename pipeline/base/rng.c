/* xoshiro256++ streams, seeded from (seed, purpose, epoch, entity) through splitmix64. */
#include "base/rng.h"

#include <assert.h>
#include <math.h>

/* Pedantic C11 has no 128-bit integer; both compilers that we build with do. */
__extension__ typedef unsigned __int128 wide;

/* splitmix64 (Steele, Lea and Flood 2014): a bijection of 64 bits that mixes well. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

void rng_init(struct rng *rng, uint64_t seed, const char *purpose, uint64_t epoch, uint64_t entity)
{
    uint64_t key = mix(seed);
    size_t length = strlen(purpose);
    for (size_t i = 0; i < length; i++) {
        key = mix(key ^ (unsigned char)purpose[i]);
    }
    /* the length keeps ("ab", epoch) apart from ("a", ...) whatever the later numbers are */
    key = mix(key ^ length);
    key = mix(key ^ epoch);
    key = mix(key ^ entity);
    for (size_t i = 0; i < 4; i++) {
        key += UINT64_C(0x9e3779b97f4a7c15);
        rng->state[i] = mix(key);
    }
    /* four zeros would be a fixed point; four distinct inputs of a bijection cannot all give 0 */
    assert((rng->state[0] | rng->state[1]) != 0);
}

static uint64_t rotate(uint64_t x, int bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[0] + s[3], 23) + s[0];
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

double rng_double(struct rng *rng)
{
    return (double)(rng_u64(rng) >> 11) * 0x1p-53;
}

/* Lemire, "Fast random integer generation in an interval" (2019): the high half of the product is
 * the draw; a low half below 2^64 mod bound would favour some values and is drawn again. */
uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    assert(bound > 0);
    wide product = (wide)rng_u64(rng) * bound;
    if ((uint64_t)product < bound) {
        uint64_t reject_below = (UINT64_MAX - bound + 1) % bound;
        while ((uint64_t)product < reject_below) {
            product = (wide)rng_u64(rng) * bound;
        }
    }
    return (uint64_t)(product >> 64);
}

/* Box and Muller 1958. The second value is not kept, so that the state is all there is. */
double rng_normal(struct rng *rng)
{
    static const double two_pi = 6.283185307179586476925;
    double radius = sqrt(-2.0 * log(1.0 - rng_double(rng)));
    return radius * cos(two_pi * rng_double(rng));
}

void rng_permutation(struct rng *rng, size_t count, uint32_t *values)
{
    assert(count <= UINT32_MAX);
    for (size_t i = 0; i < count; i++) {
        values[i] = (uint32_t)i;
    }
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)rng_below(rng, i);
        uint32_t other = values[j];
        values[j] = values[i - 1];
        values[i - 1] = other;
    }
}
