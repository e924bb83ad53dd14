/* Columns of side data are shuffled one at a time, and the towers, which stay, judged again. */
#include "training/column_worth.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"

enum status_code column_shuffle(const struct sparse *m, size_t first, size_t count,
                                const uint32_t *permutation, struct sparse *out,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t n = 0;
    TRY(sparse_init(out, m->n_rows, m->n_columns, sparse_entries(m), true, status));
    for (size_t r = 0; r < m->n_rows; r++) {
        /* before the column, the column, behind it */
        const size_t from[] = {0, first, first + count};
        const size_t to[] = {first, first + count, m->n_columns};
        for (size_t part = 0; part < 3; part++) {
            const size_t row = part == 1 ? permutation[r] : r;
            for (int64_t e = m->offsets[row]; e < m->offsets[row + 1]; e++) {
                const size_t token = (size_t)m->columns[e];
                if (token >= from[part] && token < to[part]) {
                    out->columns[n] = m->columns[e];
                    out->values[n++] = m->values[e];
                }
            }
        }
        out->offsets[r + 1] = n;
    }
done:
    return code;
}

/* Towers under judgement. */
struct judged {
    const struct training *training;
    struct encoder *encoder;
    float *const *vectors; /* [N_SIDES] scratch */
    float *users;          /* (validation users, d) scratch */
    double temperature;
};

/* The validation metric of the encoder as it is. */
static enum status_code judge(const struct judged *j, double *value, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct training *training = j->training;
    const struct validation *validation = training->input.validation;
    const struct sparse *positives = &training->positives.matrix;
    const struct embedding_table *bias = &j->encoder->bias;
    const size_t d = training->settings.dimension;
    struct pool *pool = context_pool(training->context);
    TRY(context_check_stop(training->context, status));
    TRY(encoder_encode(j->encoder, j->vectors[SIDE_USERS], j->vectors[SIDE_ITEMS], pool, status));
    matrix_gather(const_matrix_of(j->vectors[SIDE_USERS], positives->n_rows, d), validation->users,
                  validation->n_users, j->users);
    TRY(validation_run(validation, const_matrix_of(j->users, validation->n_users, d),
                       const_matrix_of(j->vectors[SIDE_ITEMS], positives->n_columns, d),
                       bias->n > 0 ? bias->weights : NULL, j->temperature, pool, value, status));
done:
    return code;
}

/* The same with column c of a side's table shuffled. */
static enum status_code judge_without(const struct judged *j, enum tower_side side,
                                      const struct feature_column *column, uint64_t c,
                                      double *value, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct tower *tower = &j->encoder->towers[side];
    /* side data are the last source of a tower (training_sources_init) */
    struct tower_part *part = &tower->parts[tower->n_parts - 1];
    const struct token_source *own = part->source;
    struct token_source shuffled = *own;
    uint32_t *permutation = NULL;
    struct rng rng;

    shuffled.matrix = (struct sparse){0};
    TRY(MEM_NEW(&permutation, own->matrix.n_rows, status));
    rng_init(&rng, j->training->input.seed, "column_worth", side, c);
    rng_permutation(&rng, own->matrix.n_rows, permutation);
    TRY(column_shuffle(&own->matrix, column->first_token, feature_column_tokens(column),
                       permutation, &shuffled.matrix, status));
    part->source = &shuffled;
    TRY(judge(j, value, status));
done:
    part->source = own;
    sparse_release(&shuffled.matrix);
    mem_free(permutation);
    return code;
}

static enum status_code add(const struct training *training, const char *group, double value,
                            struct status *status)
{
    const struct publish_metric metric = {
        .name = training->metric, .model = "towers", .group = group, .value = value};
    return context_add_metric(training->context, &metric, status);
}

enum status_code column_worth_report(void *data, struct encoder *encoder,
                                     float *const vectors[N_SIDES], double temperature,
                                     struct status *status)
{
    static const enum feature_side sides[N_SIDES] = {FEATURE_USERS, FEATURE_ITEMS};
    enum status_code code = STATUS_OK;
    const struct training *training = data;
    const struct feature_table *tables = training->features.side;
    struct judged j = {training, encoder, vectors, NULL, temperature};
    struct buf group = {0};
    double whole, value;

    if (training->input.validation == NULL ||
        tables[FEATURE_USERS].n_columns + tables[FEATURE_ITEMS].n_columns == 0) {
        return STATUS_OK;
    }
    TRY(MEM_NEW(&j.users, training->input.validation->n_users * training->settings.dimension,
                status));
    TRY(judge(&j, &whole, status));
    TRY(add(training, "validation", whole, status));
    for (size_t s = 0; s < N_SIDES; s++) {
        const struct feature_table *table = &tables[sides[s]];
        for (size_t c = 0; c < table->n_columns; c++) {
            size_t length;
            const char *name = strings_get(&table->names, c, &length);
            TRY(judge_without(&j, (enum tower_side)s, &table->columns[c], c, &value, status));
            buf_clear(&group);
            buf_addf(&group, "without:%s.%.*s", feature_side_names[sides[s]], (int)length, name);
            TRY(buf_check(&group, status));
            TRY(add(training, buf_text(&group), value, status));
            log_write(context_log(training->context), LOG_INFO,
                      "train: %s: validation %s %.4f, and %.4f with this column shuffled",
                      buf_text(&group) + strlen("without:"), training->metric, whole, value);
        }
    }
done:
    mem_free(j.users);
    buf_release(&group);
    return code;
}
