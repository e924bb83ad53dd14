/* Vectors that come with the data (of images, of texts), as tokens: one a component, so that the
 * embeddings of the tokens are the projection that the towers learn. */
#include "features/feature_encoder.h"

#include "base/mem.h"
#include "base/num.h"
#include "math/blas.h"
#include "math/components.h"

#include <float.h>
#include <math.h>

bool feature_is_vector(const struct feature_cells *cells, size_t row)
{
    bool has_fraction = false, has_comma = false;
    size_t length;
    const char *text = strings_get(&cells->texts, row, &length);
    if (cells->kinds[row] != CELL_TEXT) {
        return cells->kinds[row] == CELL_BLOB;
    }
    if (length < 2 || text[0] != '[' || text[length - 1] != ']') {
        return false;
    }
    for (size_t i = 1; i + 1 < length; i++) {
        if (memchr("0123456789+-.eE, \t\r\n", text[i], 21) == NULL) {
            return false;
        }
        has_fraction = has_fraction || text[i] == '.';
        has_comma = has_comma || text[i] == ',';
    }
    return has_fraction && has_comma;
}

/* Moves both ends of text[*from .. *to) past blanks. */
static void skip_blanks(const char *text, size_t *from, size_t *to)
{
    while (*from < *to && memchr(" \t\r\n", text[*from], 4) != NULL) {
        (*from)++;
    }
    while (*to > *from && memchr(" \t\r\n", text[*to - 1], 4) != NULL) {
        (*to)--;
    }
}

/* Numbers of a JSON array; 0 when it is none, `capacity` + 1 when there are more. */
static size_t read_array(const char *text, size_t length, float *out, size_t capacity)
{
    size_t n = 0, at = 0, end = length;
    skip_blanks(text, &at, &end);
    if (end - at < 2 || text[at] != '[' || text[end - 1] != ']') {
        return 0;
    }
    for (at++, end--; at <= end; n++) {
        const char *comma = memchr(text + at, ',', end - at);
        const size_t next = comma != NULL ? (size_t)(comma - text) : end;
        size_t stop = next;
        double number;
        skip_blanks(text, &at, &stop);
        if (!num_parse_double(text + at, stop - at, &number) || fabs(number) > (double)FLT_MAX) {
            return 0;
        }
        if (n == capacity) {
            return capacity + 1;
        }
        out[n] = (float)number;
        at = next + 1;
    }
    return n;
}

/* Little-endian float32, whatever the machine's order is. */
static size_t read_blob(const char *bytes, size_t length, float *out, size_t capacity)
{
    const unsigned char *b = (const unsigned char *)bytes;
    if (length % sizeof(float) != 0) {
        return 0;
    }
    if (length / sizeof(float) > capacity) {
        return capacity + 1;
    }
    for (size_t i = 0; i < length / sizeof(float); i++, b += sizeof(float)) {
        const uint32_t bits =
            (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        memcpy(&out[i], &bits, sizeof bits);
    }
    return length / sizeof(float);
}

/* The row's vector in `out` (capacity), scaled to length 1. *n = its numbers; 0 when there is none:
 * *problem says why, NULL when the cell is empty. */
static void read_vector(const struct feature_cells *cells, size_t row, float *out, size_t capacity,
                        size_t *n, const char **problem)
{
    const enum cell_kind kind = (enum cell_kind)cells->kinds[row];
    size_t length;
    const char *bytes = strings_get(&cells->texts, row, &length);
    double squares = 0;

    *n = 0;
    *problem = NULL;
    if (kind == CELL_MISSING) {
        return;
    }
    *n = kind == CELL_TEXT   ? read_array(bytes, length, out, capacity)
         : kind == CELL_BLOB ? read_blob(bytes, length, out, capacity)
                             : 0;
    if (*n == 0) {
        *problem = kind == CELL_BLOB ? "which is no vector of 1 to 8192 little-endian float32"
                                     : "which is neither a JSON array of numbers nor a BLOB";
        return;
    }
    if (*n > capacity) {
        return;
    }
    for (size_t i = 0; i < *n; i++) {
        squares += (double)out[i] * (double)out[i];
    }
    if (!(squares > 0) || !isfinite(squares)) {
        *problem = squares == 0 ? "all zeros, which have no direction"
                                : "with a number that is not finite";
        *n = 0;
        return;
    }
    for (size_t i = 0; i < *n; i++) {
        out[i] = (float)((double)out[i] / sqrt(squares));
    }
}

/* The vectors of all rows, packed, and which row each is of. */
struct vectors {
    size_t n, dimension;
    float *values;   /* (n, dimension) */
    int32_t *row_of; /* (n) ascending */
};

static enum status_code read_vectors(struct feature_encoder *e, struct vectors *v,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    float *first = NULL; /* (VECTOR_NUMBERS_MAX) */
    char text[128];

    v->dimension = (size_t)e->rule->dimension;
    TRY(MEM_NEW(&v->row_of, e->n_rows, status));
    TRY(MEM_NEW(&first, VECTOR_NUMBERS_MAX, status));
    for (size_t r = 0; r < e->n_rows; r++) {
        const char *problem;
        size_t n;
        TRY(encoder_look_up(e, r, status));
        read_vector(e->cells, r, first, VECTOR_NUMBERS_MAX, &n, &problem);
        if (n > 0 && n <= VECTOR_NUMBERS_MAX && v->dimension == 0) {
            v->dimension = n; /* the first one says how many it should be */
        }
        if (n > VECTOR_NUMBERS_MAX) {
            problem = "of more numbers than 8192";
        } else if (n > 0 && n != v->dimension) {
            (void)snprintf(text, sizeof text, "of %zu numbers where the column's vectors have %zu",
                           n, v->dimension);
            problem = text;
        }
        if (problem != NULL) {
            TRY(encoder_bad_value(e, r, problem, status));
        }
        if (problem != NULL || n == 0) {
            continue;
        }
        if (v->values == NULL) {
            TRY(MEM_NEW(&v->values, (e->n_rows - r) * v->dimension, status));
        }
        memcpy(v->values + v->n * v->dimension, first, v->dimension * sizeof *first);
        v->row_of[v->n++] = (int32_t)r;
    }
done:
    mem_free(first);
    return code;
}

/* Takes out the mean, which every vector shares and which tells nobody apart. Returns the mean of
 * the squared lengths that are left. */
static double centre(const struct vectors *v, double *mean)
{
    double squares = 0;
    for (size_t i = 0; i < v->n; i++) {
        for (size_t c = 0; c < v->dimension; c++) {
            mean[c] += (double)v->values[i * v->dimension + c] / (double)v->n;
        }
    }
    for (size_t i = 0; i < v->n; i++) {
        for (size_t c = 0; c < v->dimension; c++) {
            float *value = &v->values[i * v->dimension + c];
            *value = (float)((double)*value - mean[c]);
            squares += (double)*value * (double)*value;
        }
    }
    return squares / (double)v->n;
}

/* The tokens of every row: its vector at length 1, of which `kept` (n, column.n_buckets) holds what
 * is left after the mean and the lesser components. */
static enum status_code add_tokens(struct feature_encoder *e, const struct vectors *v,
                                   const float *kept, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_tokens = e->block->column.n_buckets;
    size_t next = 0;
    for (size_t r = 0; r < e->n_rows; r++) {
        if (next < v->n && v->row_of[next] == (int32_t)r) {
            const float *row = kept + next * n_tokens;
            double squares = 0;
            for (size_t t = 0; t < n_tokens; t++) {
                squares += (double)row[t] * (double)row[t];
            }
            for (size_t t = 0; t < n_tokens && squares > 0; t++) {
                TRY(encoder_add(e, (int32_t)t, (float)((double)row[t] / sqrt(squares)), status));
            }
            next++;
        }
        encoder_end_row(e, r);
    }
done:
    return code;
}

enum status_code encode_vectors(struct feature_encoder *e, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct feature_block *block = e->block;
    struct feature_column *column = &block->column;
    struct vectors v = {0};
    double *mean = NULL, squares = 0;
    float *basis = NULL, *kept = NULL;

    TRY(read_vectors(e, &v, status));
    block->n_missing = e->n_rows - v.n;
    column->dimension = v.dimension;
    if (v.n > 0) {
        TRY(MEM_NEW(&mean, v.dimension, status));
        squares = centre(&v, mean);
    }
    if (!(squares > 1e-9)) {
        snprintf(block->why_left_out, sizeof block->why_left_out,
                 v.n == 0 ? "has no value in any row" : "has the same vector in every row");
        goto done;
    }
    column->n_buckets = v.dimension;
    column->kept = 1.0;
    const size_t most = v.n < v.dimension ? v.n : v.dimension;
    const size_t wanted = (size_t)e->rule->components;
    if (wanted > 0 && wanted < most) {
        column->n_buckets = wanted;
        TRY(MEM_NEW(&basis, wanted * v.dimension, status));
        TRY(MEM_NEW(&kept, v.n * wanted, status));
        const struct const_matrix vectors = const_matrix_of(v.values, v.n, v.dimension);
        TRY(principal_components(vectors, wanted, 0, e->rules->watch, basis, status));
        blas_nt(1.0f, vectors, const_matrix_of(basis, wanted, v.dimension), 0.0f,
                matrix_of(kept, v.n, wanted));
        double left = 0;
        for (size_t i = 0; i < v.n * wanted; i++) {
            left += (double)kept[i] * (double)kept[i];
        }
        column->kept = left / (double)v.n / squares;
    }
    TRY(add_tokens(e, &v, kept != NULL ? kept : v.values, status));
done:
    mem_free(v.values);
    mem_free(v.row_of);
    mem_free(mean);
    mem_free(basis);
    mem_free(kept);
    return code;
}
