/* Columns of side data as tokens: the type of a column, numbers and words; categories and lists are
 * in feature_values.c, vectors in feature_vectors.c. Every type passes twice over its rows: what
 * the whole column says (vocabulary, mean, document frequencies; of all ranks) comes first, the
 * values of the rows second. */
#include "base/hash.h"
#include "base/mem.h"
#include "base/num.h"
#include "features/feature_tokens.h"
#include "features/feature_totals.h"
#include "features/feature_words.h"

#include <math.h>

enum {
    WORD_BUCKETS = 16384, /* when the rule leaves it open */
    MEAN_HOLDERS = 3      /* entities a value must have on average to make a category */
};

/* Beyond these a square could leave the range of a double once they are summed. */
static const double greatest_number = 1e100;
static const double greatest_deviation = 5;

/* ---- numbers ---- */

/* *number is NAN for a missing one. */
static enum status_code read_number(struct feature_encoder *e, size_t row, double *number,
                                    struct status *status)
{
    size_t length;
    const char *text = strings_get(&e->cells->texts, row, &length);
    double value = (double)NAN;

    *number = value;
    switch ((enum cell_kind)e->cells->kinds[row]) {
    case CELL_MISSING:
        return STATUS_OK;
    case CELL_INFINITE:
    case CELL_BLOB:
        return encoder_bad_value(e, row, "", status);
    case CELL_TEXT:
        if (!num_parse_double(text, length, &value)) {
            return encoder_bad_value(e, row, "which is no finite number", status);
        }
        break;
    case CELL_NUMBER:
        value = e->cells->numbers[row];
        break;
    }
    if (fabs(value) > greatest_number) {
        return encoder_bad_value(e, row, "beyond the range of -1e100 to 1e100", status);
    }
    *number = value;
    return STATUS_OK;
}

/* What is summed of the numbers: they, or the squares of what is above and below their mean. */
struct number_job {
    const struct shard_rows *by_shard;
    const double *numbers; /* (n_rows) NAN where missing */
    double mean;
    bool is_squared;
};

static void sum_numbers(void *data, size_t shard, double *leaf)
{
    const struct number_job *job = data;
    for (size_t i = job->by_shard->first[shard]; i < job->by_shard->first[shard + 1]; i++) {
        const double number = job->numbers[job->by_shard->rows[i]];
        if (!isnan(number)) {
            *leaf += job->is_squared ? (number - job->mean) * (number - job->mean) : number;
        }
    }
}

/* The least and the greatest number of all ranks, and how many there are. */
static enum status_code find_range(struct ranks *ranks, const double *numbers, size_t n_rows,
                                   double *least, double *most, size_t *n, struct status *status)
{
    enum status_code code = STATUS_OK;
    double least_negated = -INFINITY;
    *most = -INFINITY;
    *n = 0;
    for (size_t r = 0; r < n_rows; r++) {
        if (!isnan(numbers[r])) {
            least_negated = fmax(least_negated, -numbers[r]);
            *most = fmax(*most, numbers[r]);
            ++*n;
        }
    }
    TRY(ranks_max_double(ranks, &least_negated, status));
    TRY(ranks_max_double(ranks, most, status));
    TRY(ranks_sum_count(ranks, n, status));
    *least = -least_negated;
done:
    return code;
}

/* Mean and standard deviation (of the whole column, so divided by n) over the numbers that are not
 * NAN; or why there are none worth having. */
static enum status_code measure(const struct feature_rows *rows, const double *numbers,
                                struct feature_block *block, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct number_job job = {.by_shard = &rows->by_shard, .numbers = numbers};
    double sum, squares, least, most;
    size_t n;
    TRY(find_range(rows->ranks, numbers, rows->ids.n, &least, &most, &n, status));
    TRY(shard_sum(rows->ranks, 1, sum_numbers, &job, &sum, status));
    job.mean = sum / (double)(n > 0 ? n : 1);
    job.is_squared = true;
    TRY(shard_sum(rows->ranks, 1, sum_numbers, &job, &squares, status));
    const double sd = sqrt(squares / (double)(n > 0 ? n : 1));
    block->column.mean = job.mean;
    block->column.sd = sd;
    if (n == 0) {
        snprintf(block->why_left_out, sizeof block->why_left_out, "has no value in any row");
    } else if (least == most || !(sd > 0)) {
        char number[NUM_TEXT_MAX];
        num_format_double(least, number);
        snprintf(block->why_left_out, sizeof block->why_left_out,
                 "has the same value, %s, in every row that has one", number);
    }
done:
    return code;
}

static enum status_code encode_numbers(struct feature_encoder *e, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct feature_column *column = &e->block->column;
    double *numbers = NULL; /* (n_rows) NAN where missing */

    TRY(MEM_NEW(&numbers, e->n_rows, status));
    for (size_t r = 0; r < e->n_rows; r++) {
        TRY(encoder_look_up(e, r, status));
        TRY(read_number(e, r, &numbers[r], status));
        e->block->n_missing += isnan(numbers[r]) ? 1 : 0;
    }
    TRY(measure(e->rows, numbers, e->block, status));
    for (size_t r = 0; r < e->n_rows && e->block->why_left_out[0] == '\0'; r++) {
        if (isnan(numbers[r])) {
            TRY(encoder_add(e, 1, 1.0f, status));
        } else {
            const double z = (numbers[r] - column->mean) / column->sd;
            const double clipped = fmax(-greatest_deviation, fmin(greatest_deviation, z));
            TRY(encoder_add(e, 0, (float)clipped, status));
        }
        encoder_end_row(e, r);
    }
done:
    mem_free(numbers);
    return code;
}

/* ---- words ---- */

/* Rows of buckets with the number of their words in the row; frequencies (n_buckets) gets the
 * number of rows of each bucket. */
static enum status_code count_words(struct feature_encoder *e, int64_t *frequencies,
                                    struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *m = &e->block->tokens;
    const size_t n_buckets = e->block->column.n_buckets;
    struct buf word = {0};

    for (size_t r = 0; r < e->n_rows; r++) {
        const size_t first = e->n;
        const char *text;
        size_t length, at = 0;
        TRY(encoder_look_up(e, r, status));
        TRY(encoder_read_text(e, r, &text, &length, status));
        while (feature_word_next(text, length, &at, &word)) {
            const uint64_t bucket = hash_bytes64(word.data, word.length) % n_buckets;
            TRY(encoder_add(e, (int32_t)bucket, 1.0f, status));
        }
        TRY(buf_check(&word, status));
        encoder_join(e, first, true);
        encoder_end_row(e, r);
        for (size_t i = first; i < e->n; i++) {
            frequencies[m->columns[i]]++;
        }
    }
done:
    buf_release(&word);
    return code;
}

/* tf x idf at length 1 (Salton and Buckley 1988, "tfc"), with the smoothed
 * idf = 1 + log((1 + n) / (1 + rows of the token)), which is never 0; n: rows with a word. */
static void weigh_words(struct feature_encoder *e, const int64_t *frequencies, double n)
{
    struct sparse *m = &e->block->tokens;
    for (size_t r = 0; r < e->n_rows; r++) {
        double squares = 0;
        for (int64_t i = m->offsets[r]; i < m->offsets[r + 1]; i++) {
            const double idf = 1 + log((1 + n) / (1 + (double)frequencies[m->columns[i]]));
            m->values[i] = (float)((double)m->values[i] * idf);
            squares += (double)m->values[i] * (double)m->values[i];
        }
        for (int64_t i = m->offsets[r]; i < m->offsets[r + 1]; i++) {
            m->values[i] = (float)((double)m->values[i] / sqrt(squares));
        }
    }
}

static enum status_code encode_words(struct feature_encoder *e, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct feature_block *block = e->block;
    int64_t *frequencies = NULL;

    block->column.n_buckets =
        e->rule->buckets > 0 ? (size_t)e->rule->buckets : (size_t)WORD_BUCKETS;
    TRY(MEM_NEW(&frequencies, block->column.n_buckets, status));
    TRY(count_words(e, frequencies, status));
    block->n_missing = block->n_bare;
    size_t n_worded = e->n_rows - block->n_bare;
    TRY(ranks_sum_count(e->rows->ranks, &n_worded, status));
    TRY(ranks_sum_int64(e->rows->ranks, frequencies, block->column.n_buckets, status));
    if (n_worded == 0) {
        snprintf(block->why_left_out, sizeof block->why_left_out, "has no word in any row");
    } else {
        weigh_words(e, frequencies, (double)n_worded);
    }
done:
    mem_free(frequencies);
    return code;
}

/* ---- one column ---- */

/* What the cells of a column look like. */
struct looks {
    int64_t numbers, texts, arrays, vectors, present;
};

/* hashes (n_rows): of the texts. */
static struct looks look_at(const struct feature_encoder *e, uint64_t *hashes)
{
    struct looks looks = {0};
    for (size_t r = 0; r < e->n_rows; r++) {
        const uint8_t kind = e->cells->kinds[r];
        size_t length;
        const char *text = strings_get(&e->cells->texts, r, &length);
        looks.numbers += kind == CELL_NUMBER || kind == CELL_INFINITE;
        looks.vectors += feature_is_vector(e->cells, r);
        looks.present += kind != CELL_MISSING;
        if (kind == CELL_TEXT) {
            hashes[looks.texts++] = hash_bytes64(text, length);
            looks.arrays += text[0] == '[';
        }
    }
    return looks;
}

/* The type of a column that the configuration leaves open (see feature_build.h). */
static enum status_code find_type(const struct feature_encoder *e, enum feature_type *type,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct ranks *ranks = e->rows->ranks;
    uint64_t *hashes = NULL;
    size_t n_distinct;

    TRY(MEM_NEW(&hashes, e->n_rows, status));
    struct looks looks = look_at(e, hashes);
    TRY(feature_count_distinct(ranks, hashes, (size_t)looks.texts, &n_distinct, status));
    TRY(ranks_sum_int64(ranks, &looks.numbers, sizeof looks / sizeof looks.numbers, status));
    if (2 * looks.vectors > looks.present) {
        *type = FEATURE_VECTOR;
    } else if (looks.numbers > looks.texts || looks.texts == 0) {
        *type = FEATURE_NUMERIC;
    } else if (looks.arrays == looks.texts) {
        *type = FEATURE_MULTI;
    } else {
        *type =
            MEAN_HOLDERS * (int64_t)n_distinct <= looks.texts ? FEATURE_CATEGORICAL : FEATURE_TEXT;
    }
done:
    mem_free(hashes);
    return code;
}

enum status_code feature_encode(const struct feature_rows *rows, size_t index,
                                const struct feature_rule *rule, const struct feature_rules *rules,
                                struct feature_block *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct feature_encoder e = {.rows = rows,
                                .cells = &rows->cells[index],
                                .index = index,
                                .n_rows = rows->ids.n,
                                .rule = rule,
                                .rules = rules,
                                .block = out};

    out->column.type = (enum feature_type)rule->type;
    if (out->column.type == FEATURE_AUTO) {
        TRY(find_type(&e, &out->column.type, status));
    }
    out->tokens.n_rows = e.n_rows;
    TRY(MEM_NEW(&out->tokens.offsets, e.n_rows + 1, status));
    switch (out->column.type) {
    case FEATURE_CATEGORICAL:
    case FEATURE_MULTI:
        TRY(encode_values(&e, status));
        break;
    case FEATURE_TEXT:
        TRY(encode_words(&e, status));
        break;
    case FEATURE_VECTOR:
        TRY(encode_vectors(&e, status));
        break;
    case FEATURE_AUTO:
    case FEATURE_NUMERIC:
        TRY(encode_numbers(&e, status));
        break;
    }
    out->tokens.n_columns = feature_column_tokens(&out->column);
    TRY(feature_block_add_up(rows->ranks, out, status));
done:
    return code;
}

void feature_block_release(struct feature_block *block)
{
    sparse_release(&block->tokens);
    strings_release(&block->values);
    *block = (struct feature_block){0};
}
