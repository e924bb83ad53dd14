/* Means of known vectors. */
#include "catch_up/newcomers.h"

#include "base/mem.h"
#include "math/vec.h"

#include <math.h>

bool known_normalise(float *vector, size_t d)
{
    const float square = vec_ops()->dot(vector, vector, d);
    if (!(square > 1e-8f)) {
        memset(vector, 0, d * sizeof *vector);
        return false;
    }
    vec_ops()->scale(1.0f / sqrtf(square), vector, d);
    return true;
}

bool known_is_missing(const float *vector, size_t d)
{
    return !(vec_ops()->dot(vector, vector, d) > 0.0f);
}

bool known_mean_of_items(const struct known_vectors *known, const int32_t *items, size_t n,
                         float *out)
{
    const size_t d = known->d;
    memset(out, 0, d * sizeof *out);
    for (size_t i = 0; i < n; i++) {
        vec_ops()->axpy(1.0f, known->items + (size_t)items[i] * d, out, d);
    }
    return known_normalise(out, d);
}

/* Every item of the night, for whom nothing else is known of: at unit length, or zeros. */
static void mean_of_all(const struct known_vectors *known, size_t n_items, float *out)
{
    memset(out, 0, known->d * sizeof *out);
    for (size_t i = 0; i < n_items; i++) {
        vec_ops()->axpy(1.0f, known->items + i * known->d, out, known->d);
    }
    (void)known_normalise(out, known->d);
}

static float *user_of(const struct known_vectors *known, const int32_t *active, size_t a)
{
    return known->users + (known->are_by_row ? (size_t)active[a] : a) * known->d;
}

enum status_code newcomers_start(const struct known_vectors *known, const struct sparse *train,
                                 const int32_t *active, size_t n_active, struct status *status)
{
    enum status_code code;
    const size_t d = known->d, n_items = train->n_columns;
    uint8_t *is_new = NULL;
    float *all = NULL;

    TRY(MEM_NEW(&is_new, n_items, status));
    TRY(MEM_NEW(&all, d, status));
    for (size_t i = 0; i < n_items; i++) {
        is_new[i] = known_is_missing(known->items + i * d, d);
    }
    for (size_t a = 0; a < n_active; a++) {
        const size_t user = (size_t)active[a];
        for (int64_t e = train->offsets[user]; e < train->offsets[user + 1]; e++) {
            if (is_new[train->columns[e]]) {
                vec_ops()->axpy(1.0f, user_of(known, active, a),
                                known->items + (size_t)train->columns[e] * d, d);
            }
        }
    }
    for (size_t i = 0; i < n_items; i++) {
        if (is_new[i]) {
            (void)known_normalise(known->items + i * d, d);
        }
    }
    /* a user whose items are all as new as he is would have a list without an order */
    mean_of_all(known, n_items, all);
    for (size_t i = 0; i < n_items; i++) {
        if (known_is_missing(known->items + i * d, d)) {
            memcpy(known->items + i * d, all, d * sizeof *all);
        }
    }
    for (size_t a = 0; a < n_active; a++) {
        size_t n;
        const int32_t *own = sparse_row(train, (size_t)active[a], &n);
        if (known_is_missing(user_of(known, active, a), d)) {
            (void)known_mean_of_items(known, own, n, user_of(known, active, a));
        }
    }
done:
    mem_free(is_new);
    mem_free(all);
    return code;
}
