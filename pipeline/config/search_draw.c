/* Points of a search space. */
#include "config/search_space.h"

#include "base/num.h"
#include "base/rng.h"

#include <assert.h>
#include <math.h>

enum { BASE_MAX = 1024, DIGITS_MAX = 40 };

void search_axis_value(const struct search_axis *axis, double u, char *out)
{
    char rounded[NUM_TEXT_MAX];
    double value;
    if (axis->kind == SEARCH_VALUES) {
        size_t index = (size_t)(u * (double)axis->n_values);
        index = index < axis->n_values ? index : axis->n_values - 1;
        (void)snprintf(out, NUM_TEXT_MAX, "%s", axis->values[index]);
        return;
    }
    if (axis->kind == SEARCH_LOG) {
        value = exp(log(axis->low) + u * (log(axis->high) - log(axis->low)));
    } else {
        value = axis->low + u * (axis->high - axis->low);
    }
    if (axis->option->type == OPTION_INT || axis->option->type == OPTION_AUTO_INT) {
        value = fmin(fmax(round(value), axis->low), axis->high);
        (void)snprintf(out, NUM_TEXT_MAX, "%.0f", value);
        return;
    }
    (void)snprintf(rounded, sizeof rounded, "%.3g", value);
    bool parsed = num_parse_double(rounded, strlen(rounded), &value);
    assert(parsed);
    (void)parsed;
    value = fmin(fmax(value, axis->low), axis->high);
    (void)num_format_double(value, out);
}

static bool is_prime(uint64_t n)
{
    for (uint64_t divisor = 2; divisor * divisor <= n; divisor++) {
        if (n % divisor == 0) {
            return false;
        }
    }
    return n >= 2;
}

/* The prime number `index` (0: 2), at most BASE_MAX. */
static uint64_t nth_prime(size_t index)
{
    uint64_t prime = 2;
    for (uint64_t candidate = 3; index > 0 && candidate < BASE_MAX; candidate++) {
        if (is_prime(candidate)) {
            prime = candidate;
            index--;
        }
    }
    return prime;
}

/* Coordinate `axis` of point `index`: the radical inverse of the index in the axis' prime base, the
 * digits of each place being permuted by a stream of its own, zeros behind the last one included.
 */
static double halton(uint64_t seed, size_t axis, uint64_t index)
{
    const uint64_t base = nth_prime(axis);
    uint32_t permutation[BASE_MAX];
    double sum = 0.0, scale = 1.0;
    for (size_t place = 0; place < DIGITS_MAX && scale > 1e-12; place++) {
        struct rng rng;
        rng_init(&rng, seed, "search.digits", place, axis);
        rng_permutation(&rng, (size_t)base, permutation);
        scale /= (double)base;
        sum += scale * (double)permutation[index % base];
        index /= base;
    }
    return fmin(sum, 1.0);
}

enum status_code search_space_draw(const struct search_space *space, uint64_t seed, uint64_t index,
                                   struct arena *arena, const char **settings, size_t *n_settings,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf text = {0};
    struct rng rng;
    size_t n = 0;
    rng_init(&rng, seed, "search.keep", index, 0);
    /* not every second index: its parity is the first digit of the first axis */
    bool is_careful = rng_double(&rng) < 0.5;
    for (size_t a = 0; a < space->n; a++) {
        const struct search_axis *axis = &space->axes[a];
        char value[NUM_TEXT_MAX];
        bool keeps = rng_double(&rng) < 0.5 && is_careful;
        search_axis_value(axis, halton(seed, a, index), value);
        if (keeps || strcmp(value, axis->current) == 0) {
            continue;
        }
        char *copy = NULL;
        buf_clear(&text);
        buf_addf(&text, "%s=%s", axis->path, value);
        TRY(buf_check(&text, status));
        TRY(arena_copy_text(arena, buf_text(&text), text.length, &copy, status));
        settings[n++] = copy;
    }
    *n_settings = n;
done:
    buf_release(&text);
    return code;
}
