/* Categories and lists: a vocabulary of the frequent values, shared buckets for the others. */
#include "base/hash.h"
#include "base/mem.h"
#include "io/json_tree.h"
#include "features/feature_encoder.h"
#include "features/feature_reader.h"
#include "features/feature_totals.h"
#include "features/feature_words.h"

#include <math.h>

enum {
    VALUE_BUCKETS = 256, /* when the rule leaves it open */
    CODE_MISSING = -1    /* a category that is not there, until codes become tokens */
};

static enum status_code add_value(struct feature_encoder *e, struct vocabulary *vocabulary,
                                  const char *text, size_t length, struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t value = 0;
    if (length > 0) {
        TRY(vocabulary_add_text(vocabulary, text, length, &value, status));
        TRY(encoder_add(e, value, 1.0f, status));
    }
done:
    return code;
}

/* The parts of a list: of a JSON array, else between separators. */
static enum status_code add_parts(struct feature_encoder *e, struct vocabulary *vocabulary,
                                  size_t row, const char *text, size_t length,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct strings elements = {0};
    const char *part;
    size_t at = 0, part_length;
    bool is_array = false;

    if (feature_is_vector(e->cells, row)) {
        code = encoder_bad_value(e, row, "a list of numbers: read the column as `type: vector`",
                                 status);
        goto done;
    }
    if (text[0] == '[') {
        TRY(json_read_texts(text, length, &elements, &is_array, status));
        if (!is_array) {
            code = encoder_bad_value(e, row, "which begins like a JSON array of texts and is none",
                                     status);
            goto done;
        }
        for (size_t i = 0; i < elements.n; i++) {
            part = strings_get(&elements, i, &part_length);
            TRY(add_value(e, vocabulary, part, part_length, status));
        }
        goto done;
    }
    while (feature_part_next(text, length, e->rule->separator, &at, &part, &part_length)) {
        TRY(add_value(e, vocabulary, part, part_length, status));
    }
done:
    strings_release(&elements);
    return code;
}

/* Rows of ascending codes of the vocabulary. */
static enum status_code collect_values(struct feature_encoder *e, struct vocabulary *vocabulary,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    const bool is_list = e->block->column.type == FEATURE_MULTI;
    for (size_t r = 0; r < e->n_rows; r++) {
        const size_t first = e->n;
        const char *text;
        size_t length;
        TRY(encoder_look_up(e, r, status));
        TRY(encoder_read_text(e, r, &text, &length, status));
        if (is_list && length > 0) {
            TRY(add_parts(e, vocabulary, r, text, length, status));
        } else {
            TRY(add_value(e, vocabulary, text, length, status));
        }
        e->block->n_missing += e->n == first;
        if (e->n == first && !is_list) {
            TRY(encoder_add(e, CODE_MISSING, 1.0f, status));
        }
        encoder_join(e, first, false);
        encoder_end_row(e, r);
    }
done:
    return code;
}

/* tokens (vocabulary->n) = token of each code: frequent values in the order of their bytes, the
 * others by the hash of their text. */
static enum status_code assign_tokens(struct feature_encoder *e,
                                      const struct vocabulary *vocabulary, int32_t *tokens,
                                      struct status *status)
{
    enum status_code code = STATUS_OK;
    struct feature_column *column = &e->block->column;
    const struct sparse *m = &e->block->tokens;
    struct vocabulary frequent = {0};
    int64_t *counts = NULL; /* (vocabulary->n) rows of each code */
    size_t length;

    TRY(MEM_NEW(&counts, vocabulary->n, status));
    for (size_t i = 0; i < e->n; i++) {
        if (m->columns[i] != CODE_MISSING) {
            counts[m->columns[i]]++;
        }
    }
    TRY(feature_frequent_values(e->rows->ranks, vocabulary, counts, e->rule->min_count, &frequent,
                                status));
    column->n_values = frequent.n;
    for (size_t i = 0; i < vocabulary->n; i++) {
        const char *text = strings_get(&vocabulary->texts, i, &length);
        const int32_t value = vocabulary_find_text(&frequent, text, length);
        const uint64_t bucket = hash_bytes64(text, length) % column->n_buckets;
        tokens[i] = value >= 0 ? value : (int32_t)(column->n_values + bucket);
    }
    for (size_t i = 0; i < frequent.n; i++) {
        const char *text = strings_get(&frequent.texts, i, &length);
        TRY(strings_add(&e->block->values, text, length, status));
    }
done:
    mem_free(counts);
    vocabulary_release(&frequent);
    return code;
}

/* Codes become tokens; a row's tokens weigh 1 / sqrt(their number). */
static void replace_codes(struct feature_encoder *e, const int32_t *tokens)
{
    struct sparse *m = &e->block->tokens;
    const struct feature_column *column = &e->block->column;
    const int32_t missing = (int32_t)(column->n_values + column->n_buckets);
    size_t from = 0;

    e->n = 0;
    for (size_t r = 0; r < e->n_rows; r++) {
        const size_t first = e->n;
        const size_t end = (size_t)m->offsets[r + 1];
        for (; from < end; from++) {
            const int32_t value = m->columns[from];
            m->columns[e->n++] = value == CODE_MISSING ? missing : tokens[value];
        }
        encoder_join(e, first, false);
        m->offsets[r + 1] = (int64_t)e->n;
        const float weight = e->n > first ? 1.0f / sqrtf((float)(e->n - first)) : 0.0f;
        for (size_t i = first; i < e->n; i++) {
            m->values[i] = weight;
        }
    }
}

enum status_code encode_values(struct feature_encoder *e, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct vocabulary vocabulary = {0};
    int32_t *tokens = NULL;

    e->block->column.n_buckets =
        e->rule->buckets > 0 ? (size_t)e->rule->buckets : (size_t)VALUE_BUCKETS;
    TRY(collect_values(e, &vocabulary, status));
    size_t n_values = vocabulary.n; /* of all ranks, a value of several counted by each */
    TRY(ranks_sum_count(e->rows->ranks, &n_values, status));
    if (n_values == 0) {
        snprintf(e->block->why_left_out, sizeof e->block->why_left_out, "has no value in any row");
        goto done;
    }
    TRY(MEM_NEW(&tokens, vocabulary.n, status));
    TRY(assign_tokens(e, &vocabulary, tokens, status));
    replace_codes(e, tokens);
done:
    mem_free(tokens);
    vocabulary_release(&vocabulary);
    return code;
}
