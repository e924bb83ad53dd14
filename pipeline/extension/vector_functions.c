/* nightjar_cosine(a, b) and the aggregate nightjar_mean(embedding): vectors as embeddings are
 * published, little-endian float32. */
#include "extension/extension.h"

#include "math/vec.h"

#include <math.h>
#include <string.h>

/* The floats of a blob, and how many; a message and NULL where it is none. */
static const void *vector_of(sqlite3_context *context, const char *function, sqlite3_value *value,
                             size_t *n)
{
    const size_t bytes = (size_t)sqlite3_value_bytes(value);
    if (sqlite3_value_type(value) != SQLITE_BLOB || bytes == 0 || bytes % sizeof(float) != 0) {
        char *message = sqlite3_mprintf(
            "%s: an embedding is a blob of float32, not %s of %d bytes", function,
            sqlite3_value_type(value) == SQLITE_BLOB ? "a blob" : "another value", (int)bytes);
        sqlite3_result_error(context, message == NULL ? "out of memory" : message, -1);
        sqlite3_free(message);
        return NULL;
    }
    *n = bytes / sizeof(float);
    return sqlite3_value_blob(value);
}

static void result_dimensions(sqlite3_context *context, const char *function, size_t a, size_t b)
{
    char *message = sqlite3_mprintf("%s: embeddings of %d and of %d components do not go together",
                                    function, (int)a, (int)b);
    sqlite3_result_error(context, message == NULL ? "out of memory" : message, -1);
    sqlite3_free(message);
}

/* cosine(a, b) = <a, b> / (|a| |b|), sums in double. NULL where one is NULL or has no direction. */
static void cosine(sqlite3_context *context, int n_values, sqlite3_value **values)
{
    double product = 0, squares[2] = {0, 0};
    size_t n[2];
    const void *bytes[2];
    for (int v = 0; v < n_values; v++) {
        if (sqlite3_value_type(values[v]) == SQLITE_NULL) {
            return;
        }
    }
    for (int v = 0; v < n_values; v++) {
        bytes[v] = vector_of(context, "nightjar_cosine", values[v], &n[v]);
        if (bytes[v] == NULL) {
            return;
        }
    }
    if (n[0] != n[1]) {
        result_dimensions(context, "nightjar_cosine", n[0], n[1]);
        return;
    }
    for (size_t j = 0; j < n[0]; j++) {
        float a, b; /* a blob need not be aligned */
        memcpy(&a, (const char *)bytes[0] + j * sizeof a, sizeof a);
        memcpy(&b, (const char *)bytes[1] + j * sizeof b, sizeof b);
        product += (double)a * (double)b;
        squares[0] += (double)a * (double)a;
        squares[1] += (double)b * (double)b;
    }
    if (!isfinite(product) || !isfinite(squares[0]) || !isfinite(squares[1])) {
        sqlite3_result_error(context,
                             "nightjar_cosine: an embedding has a component that is no "
                             "finite number",
                             -1);
    } else if (squares[0] > 0 && squares[1] > 0) {
        sqlite3_result_double(context, product / sqrt(squares[0] * squares[1]));
    }
}

/* Of an aggregate; all zero before the first row. */
struct mean {
    double *sums; /* (n) */
    size_t n;
};

static void mean_step(sqlite3_context *context, int n_values, sqlite3_value **values)
{
    struct mean *mean = sqlite3_aggregate_context(context, sizeof *mean);
    size_t n;
    (void)n_values;
    if (mean == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    if (sqlite3_value_type(values[0]) == SQLITE_NULL) {
        return;
    }
    const void *bytes = vector_of(context, "nightjar_mean", values[0], &n);
    if (bytes == NULL) {
        return;
    }
    if (mean->sums == NULL) {
        mean->sums = sqlite3_malloc64(n * sizeof *mean->sums);
        if (mean->sums == NULL) {
            sqlite3_result_error_nomem(context);
            return;
        }
        memset(mean->sums, 0, n * sizeof *mean->sums);
        mean->n = n;
    }
    if (n != mean->n) {
        result_dimensions(context, "nightjar_mean", mean->n, n);
        return;
    }
    for (size_t j = 0; j < n; j++) {
        float component;
        memcpy(&component, (const char *)bytes + j * sizeof component, sizeof component);
        mean->sums[j] += (double)component;
    }
}

/* The normalised sum; NULL of no embedding, or where they cancel out. */
static void mean_result(sqlite3_context *context)
{
    struct mean *mean = sqlite3_aggregate_context(context, 0);
    bool is_finite = true;
    if (mean == NULL || mean->sums == NULL) {
        return;
    }
    for (size_t j = 0; j < mean->n; j++) {
        is_finite = is_finite && isfinite(mean->sums[j]);
    }
    float *vector = is_finite ? sqlite3_malloc64(mean->n * sizeof *vector) : NULL;
    if (!is_finite) {
        sqlite3_result_error(
            context, "nightjar_mean: an embedding has a component that is no finite number", -1);
    } else if (vector == NULL) {
        sqlite3_result_error_nomem(context);
    } else if (vec_unit_of_sum(mean->sums, mean->n, vector)) {
        sqlite3_result_blob64(context, vector, mean->n * sizeof *vector, sqlite3_free);
    } else {
        sqlite3_free(vector);
    }
    sqlite3_free(mean->sums);
    *mean = (struct mean){0};
}

int vector_functions_register(sqlite3 *db)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    const int code =
        sqlite3_create_function_v2(db, "nightjar_cosine", 2, flags, NULL, cosine, NULL, NULL, NULL);
    return code != SQLITE_OK ? code
                             : sqlite3_create_function_v2(db, "nightjar_mean", 1, flags, NULL, NULL,
                                                          mean_step, mean_result, NULL);
}
