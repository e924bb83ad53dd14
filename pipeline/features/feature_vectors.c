/* Vectors that come with the data (of images, of texts), as tokens: one a component, so that the
 * embeddings of the tokens are the projection that the towers learn. */
#include "features/feature_encoder.h"

#include "base/mem.h"
#include "base/num.h"
#include "features/feature_totals.h"
#include "math/components.h"
#include "math/vec.h"

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

/* The vectors of the rows, packed, and which row each is of. */
struct vectors {
    size_t n, dimension;
    size_t n_all;               /* of all ranks */
    float *values;              /* (n, dimension) */
    int32_t *row_of;            /* (n) ascending */
    struct shard_rows by_shard; /* of the vectors */
};

/* A vector's place in the query, and how many numbers it has. */
struct first_vector {
    int64_t number, n;
};

/* Where the rule says no dimension the first vector of all ranks does; 0: there is none. */
static enum status_code find_dimension(const struct feature_encoder *e, float *scratch,
                                       size_t *dimension, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct first_vector first = {INT64_MAX, 0};
    struct ranks_bytes all = {0};
    if (*dimension > 0) {
        goto done;
    }
    for (size_t r = 0; first.n == 0 && r < e->n_rows; r++) {
        const char *problem;
        size_t n;
        read_vector(e->cells, r, scratch, VECTOR_NUMBERS_MAX, &n, &problem);
        if (n > 0 && n <= VECTOR_NUMBERS_MAX) {
            first = (struct first_vector){e->rows->numbers[r], (int64_t)n};
        }
    }
    TRY(ranks_gather(e->rows->ranks, &first, sizeof first, &all, status));
    for (size_t r = 0; r < ranks_n(e->rows->ranks); r++) {
        struct first_vector theirs;
        memcpy(&theirs, all.data + r * sizeof theirs, sizeof theirs);
        first = theirs.number < first.number ? theirs : first;
    }
    *dimension = (size_t)first.n;
done:
    ranks_bytes_release(&all);
    return code;
}

/* The shard of each vector is that of its row. */
static enum status_code deal_vectors(const struct feature_encoder *e, struct vectors *v,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct shard_rows *rows = &e->rows->by_shard;
    uint8_t *shards = NULL, *of_rows = NULL;
    TRY(MEM_NEW(&of_rows, e->n_rows, status));
    TRY(MEM_NEW(&shards, v->n, status));
    for (size_t s = 0; s < SHARDS; s++) {
        for (size_t i = rows->first[s]; i < rows->first[s + 1]; i++) {
            of_rows[rows->rows[i]] = (uint8_t)s;
        }
    }
    for (size_t i = 0; i < v->n; i++) {
        shards[i] = of_rows[v->row_of[i]];
    }
    TRY(shard_rows_init(&v->by_shard, shards, v->n, status));
    v->n_all = v->n;
    TRY(ranks_sum_count(e->rows->ranks, &v->n_all, status));
done:
    mem_free(shards);
    mem_free(of_rows);
    return code;
}

static enum status_code read_vectors(struct feature_encoder *e, struct vectors *v,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    float *first = NULL; /* (VECTOR_NUMBERS_MAX) */
    char text[128];

    v->dimension = (size_t)e->rule->dimension;
    TRY(MEM_NEW(&v->row_of, e->n_rows, status));
    TRY(MEM_NEW(&first, VECTOR_NUMBERS_MAX, status));
    TRY(find_dimension(e, first, &v->dimension, status));
    for (size_t r = 0; r < e->n_rows; r++) {
        const char *problem;
        size_t n;
        TRY(encoder_look_up(e, r, status));
        read_vector(e->cells, r, first, VECTOR_NUMBERS_MAX, &n, &problem);
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
    TRY(deal_vectors(e, v, status));
done:
    mem_free(first);
    return code;
}

/* What is summed over vectors. */
struct vector_job {
    const struct vectors *v;
    const float *values; /* (n, width) */
    size_t width;
};

static void sum_means(void *data, size_t shard, double *leaf)
{
    const struct vector_job *job = data;
    const struct shard_rows *by_shard = &job->v->by_shard;
    for (size_t i = by_shard->first[shard]; i < by_shard->first[shard + 1]; i++) {
        const float *row = job->values + (size_t)by_shard->rows[i] * job->width;
        for (size_t c = 0; c < job->width; c++) {
            leaf[c] += (double)row[c] / (double)job->v->n_all;
        }
    }
}

static void sum_squares(void *data, size_t shard, double *leaf)
{
    const struct vector_job *job = data;
    const struct shard_rows *by_shard = &job->v->by_shard;
    for (size_t i = by_shard->first[shard]; i < by_shard->first[shard + 1]; i++) {
        const float *row = job->values + (size_t)by_shard->rows[i] * job->width;
        for (size_t c = 0; c < job->width; c++) {
            *leaf += (double)row[c] * (double)row[c];
        }
    }
}

/* *out = the mean of the squared lengths of values (n, width). */
static enum status_code mean_square(struct ranks *ranks, const struct vectors *v,
                                    const float *values, size_t width, double *out,
                                    struct status *status)
{
    struct vector_job job = {v, values, width};
    const enum status_code code = shard_sum(ranks, 1, sum_squares, &job, out, status);
    *out /= (double)v->n_all;
    return code;
}

/* Takes out the mean, which every vector shares and which tells nobody apart. *square: the mean of
 * the squared lengths that are left. */
static enum status_code centre(struct ranks *ranks, const struct vectors *v, double *square,
                               struct status *status)
{
    enum status_code code = STATUS_OK;
    struct vector_job job = {v, v->values, v->dimension};
    double *mean = NULL;
    TRY(MEM_NEW(&mean, v->dimension, status));
    TRY(shard_sum(ranks, v->dimension, sum_means, &job, mean, status));
    for (size_t i = 0; i < v->n; i++) {
        for (size_t c = 0; c < v->dimension; c++) {
            float *value = &v->values[i * v->dimension + c];
            *value = (float)((double)*value - mean[c]);
        }
    }
    TRY(mean_square(ranks, v, v->values, v->dimension, square, status));
done:
    mem_free(mean);
    return code;
}

/* The vectors that the components are found from, of all ranks: at equal distances in the order of
 * shards and rows. */
static enum status_code gather_sample(struct ranks *ranks, const struct vectors *v,
                                      struct ranks_bytes *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t distance = (v->n_all + COMPONENT_ROWS - 1) / COMPONENT_ROWS;
    const size_t size = v->dimension * sizeof *v->values;
    int64_t counts[RANKS_MAX] = {0};
    char *mine = NULL;
    size_t first = 0, n = 0;
    counts[ranks_mine(ranks)] = (int64_t)v->n;
    TRY(ranks_sum_int64(ranks, counts, ranks_n(ranks), status));
    for (size_t r = 0; r < ranks_mine(ranks); r++) {
        first += (size_t)counts[r];
    }
    TRY(MEM_NEW(&mine, (v->n / distance + 1) * size, status));
    for (size_t i = 0; i < v->n; i++) {
        if ((first + i) % distance == 0) {
            memcpy(mine + n++ * size, v->values + (size_t)v->by_shard.rows[i] * v->dimension, size);
        }
    }
    TRY(ranks_gather(ranks, mine, n * size, out, status));
done:
    mem_free(mine);
    return code;
}

/* kept (n, wanted) = the vectors in the basis of their `wanted` components, each by itself. */
static enum status_code project(const struct feature_encoder *e, const struct vectors *v,
                                size_t wanted, float *kept, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct ranks *ranks = e->rows->ranks;
    const size_t d = v->dimension;
    struct ranks_bytes sample = {0};
    float *basis = NULL; /* (wanted, d) */
    TRY(MEM_NEW(&basis, wanted * d, status));
    TRY(gather_sample(ranks, v, &sample, status));
    const size_t n = sample.first[ranks_n(ranks)] / (d * sizeof *basis);
    TRY(principal_components(const_matrix_of((const void *)sample.data, n, d), wanted, 0,
                             e->rules->watch, basis, status));
    for (size_t i = 0; i < v->n; i++) {
        TRY(encoder_look_up(e, i, status));
        for (size_t c = 0; c < wanted; c++) {
            kept[i * wanted + c] = vec_ops()->dot(v->values + i * d, basis + c * d, d);
        }
    }
done:
    mem_free(basis);
    ranks_bytes_release(&sample);
    return code;
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
    struct ranks *ranks = e->rows->ranks;
    struct vectors v = {0};
    double squares = 0;
    float *kept = NULL;

    TRY(read_vectors(e, &v, status));
    block->n_missing = e->n_rows - v.n;
    column->dimension = v.dimension;
    if (v.n_all > 0) {
        TRY(centre(ranks, &v, &squares, status));
    }
    if (!(squares > 1e-9)) {
        snprintf(block->why_left_out, sizeof block->why_left_out,
                 v.n_all == 0 ? "has no value in any row" : "has the same vector in every row");
        goto done;
    }
    column->n_buckets = v.dimension;
    column->kept = 1.0;
    const size_t most = v.n_all < v.dimension ? v.n_all : v.dimension;
    const size_t wanted = (size_t)e->rule->components;
    if (wanted > 0 && wanted < most) {
        column->n_buckets = wanted;
        TRY(MEM_NEW(&kept, v.n * wanted, status));
        TRY(project(e, &v, wanted, kept, status));
        TRY(mean_square(ranks, &v, kept, wanted, &column->kept, status));
        column->kept /= squares;
    }
    TRY(add_tokens(e, &v, kept != NULL ? kept : v.values, status));
done:
    mem_free(v.values);
    mem_free(v.row_of);
    shard_rows_release(&v.by_shard);
    mem_free(kept);
    return code;
}
