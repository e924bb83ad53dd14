/* What the columns of side data take: memory, seconds, tokens. */
#include "features/features_options.h"
#include "math/components.h"

#include <math.h>

/* Numbers and components of a vector of the column; where neither the options nor the source say,
 * those of a common model of texts. */
static void vector_size(const struct feature_rule *rule, double *numbers, double *components)
{
    *numbers = rule->dimension > 0 ? (double)rule->dimension : 768.0;
    *components = rule->components > 0 ? fmin((double)rule->components, *numbers) : *numbers;
}

/* Tokens of a column, as far as its options tell: not the frequent values. */
static double tokens_of(const struct feature_rule *rule)
{
    enum { WORDS = 16384, VALUES = 256 }; /* where `buckets` is 0 */
    double numbers, components;
    vector_size(rule, &numbers, &components);
    switch (rule->type) {
    case FEATURE_VECTOR:
        return components;
    case FEATURE_TEXT:
        return rule->buckets > 0 ? (double)rule->buckets : WORDS;
    case FEATURE_CATEGORICAL:
    case FEATURE_MULTI:
        return rule->buckets > 0 ? (double)rule->buckets : VALUES;
    default:
        return (double)rule->buckets;
    }
}

void features_sizes(const void *options, struct stage_sizes *sizes)
{
    const struct features_options *o = options;
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        const struct feature_rule *rules = o->side[s].columns.values;
        for (size_t c = 0; c < o->side[s].columns.n; c++) {
            sizes->n_buckets += tokens_of(&rules[c]);
        }
    }
}

/* A cell costs its text, an offset and a number while it is read; a token 8 bytes, once in its
 * column and once in the matrix. How many columns and words there are is not known before: five
 * columns of 24 bytes with eight tokens in all are taken. A vector stands twice in memory while its
 * components are looked for, and those that they are found from twice more. Every rank reads all
 * rows, and keeps those of its users. */
void features_estimate(const void *options, const struct stage_sizes *sizes,
                       struct stage_estimate *out)
{
    enum { COLUMNS = 5, CELL_BYTES = 24 + 17, TOKENS = 8, TOKEN_BYTES = 8, ID_BYTES = 40 + 8 };
    const struct features_options *o = options;
    const double counts[N_FEATURE_SIDES] = {sizes->n_items, sizes->n_users};
    const double read[N_FEATURE_SIDES] = {sizes->n_items,
                                          sizes->n_users * fmax(sizes->n_ranks, 1.0)};

    *out = (struct stage_estimate){.memory_bytes = 8 * sizes->n_buckets};
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        const struct feature_rule *rules = o->side[s].columns.values;
        double cells = COLUMNS * CELL_BYTES + ID_BYTES, tokens = TOKENS;
        if (!o->side[s].given) {
            continue;
        }
        out->rows += read[s];
        out->seconds += read[s] * COLUMNS * 5e-7;
        for (size_t c = 0; c < o->side[s].columns.n; c++) {
            double numbers, components;
            vector_size(&rules[c], &numbers, &components);
            if (rules[c].type == FEATURE_VECTOR) {
                cells += 2 * numbers * sizeof(float);
                tokens += components;
                out->seconds += counts[s] * numbers * components * 5e-10;
                out->memory_bytes += 2 * fmin(read[s], COMPONENT_ROWS) * numbers * sizeof(float);
            }
        }
        out->memory_bytes += counts[s] * (cells + 2 * tokens * TOKEN_BYTES);
        out->disk_bytes += counts[s] * (tokens * TOKEN_BYTES + 8);
    }
}
