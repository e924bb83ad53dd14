/* What a tower reads beside ids: the tokens of a source, pooled by their weights or by attention.
 * Shapes: B rows of d. */
#include "towers/tower_part.h"

#include "math/vec.h"

#include <math.h>

enum { ROW_BLOCK = 64 };

bool part_attends(const struct tower_part *part)
{
    return part->query.n > 0;
}

enum status_code part_init(struct tower_part *part, const struct token_source *source,
                           size_t dimension, const struct optimizer_settings *optimizer,
                           uint64_t seed, const char *purpose, double init_scale, struct pool *pool,
                           struct status *status)
{
    enum status_code code = STATUS_OK;
    char stream[64];
    part->source = source;
    snprintf(stream, sizeof stream, "%s.%s", purpose, source->is_history ? "history" : "features");
    TRY(embedding_table_init(&part->table, source->matrix.n_columns, dimension, optimizer, seed,
                             stream, init_scale, pool, status));
    if (source->is_history && source->pooling == POOLING_ATTENTION) {
        snprintf(stream, sizeof stream, "%s.query", purpose);
        TRY(embedding_table_init(&part->query, 1, dimension, optimizer, seed, stream, init_scale,
                                 pool, status));
    }
done:
    return code;
}

struct attention_job {
    const struct tower_part *part;
    struct sparse *tokens;
};

/* Turns a row's weights into softmax(<q, t> / sqrt(d)). */
static void attention_task(void *data, size_t first, size_t last)
{
    const struct attention_job *job = data;
    const struct vec_ops *vec = vec_ops();
    struct sparse *m = job->tokens;
    size_t d = job->part->table.dimension;
    const float *query = job->part->query.weights, *table = job->part->table.weights;
    double scale = 1.0 / sqrt((double)d);
    for (size_t r = first; r < last; r++) {
        double high = -INFINITY, sum = 0.0;
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            m->values[e] = (float)(scale * vec->dot(query, table + (size_t)m->columns[e] * d, d));
            high = fmax(high, m->values[e]);
        }
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            m->values[e] = (float)exp(m->values[e] - high);
            sum += m->values[e];
        }
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            m->values[e] = (float)(m->values[e] / sum);
        }
    }
}

enum status_code part_forward(struct tower_part *part, const struct token_source *source,
                              const int32_t *rows, size_t count, const struct view *view,
                              double rate, struct part_pass *pass, float *x, struct pool *pool,
                              struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sparse *tokens = &pass->tokens.matrix;
    size_t n = count * part->table.dimension;
    TRY(token_source_select(source, rows, count, view, &pass->tokens, &pass->workspace, status));
    if (view->training) {
        TRY(embedding_table_touch(&part->table, tokens->columns, pass->tokens.n_entries, rate, pool,
                                  status));
    }
    if (!part_attends(part)) {
        embedding_table_pool(&part->table, tokens, x, pool);
        goto done;
    }
    if (view->training) {
        TRY(embedding_table_touch(&part->query, NULL, 0, rate, pool, status));
    }
    struct attention_job job = {part, tokens};
    pool_run_rows(pool, count, ROW_BLOCK, attention_task, &job);
    WORKSPACE_ZERO(&pass->workspace, &pass->pooled, n);
    TRY(workspace_reserve(&pass->workspace, status));
    embedding_table_pool(&part->table, tokens, pass->pooled, pool);
    vec_ops()->axpy(1.0f, pass->pooled, x, n);
done:
    return code;
}

/* Through attention: with weights a_h and output o = sum a_h t_h, dL/d logit_h = a_h <g, t_h - o>.
 * What comes by t_h's part in o is gathered by embedding_table_add_sparse; here its part in the
 * logits, and the query's. Rows in order on one thread: histories are short. */
static void attention_backward(struct tower_part *part, const struct part_pass *pass,
                               const float *gradient)
{
    const struct sparse *m = &pass->tokens.matrix;
    const struct vec_ops *vec = vec_ops();
    size_t d = part->table.dimension;
    const float *query = part->query.weights;
    float *query_gradient = embedding_table_gradient(&part->query);
    float *token_gradient = embedding_table_gradient(&part->table);
    double scale = 1.0 / sqrt((double)d);
    for (size_t r = 0; r < m->n_rows; r++) {
        const float *g = gradient + r * d;
        double mean = vec->dot(g, pass->pooled + r * d, d);
        for (int64_t e = m->offsets[r]; e < m->offsets[r + 1]; e++) {
            const float *token = part->table.weights + (size_t)m->columns[e] * d;
            size_t slot = (size_t)part->table.slot_of[m->columns[e]];
            float slope = (float)(scale * m->values[e] * ((double)vec->dot(g, token, d) - mean));
            vec->axpy(slope, token, query_gradient, d);
            vec->axpy(slope, query, token_gradient + slot * d, d);
        }
    }
}

enum status_code part_backward(struct tower_part *part, const struct part_pass *pass,
                               const struct row_order *order, const float *gradient,
                               struct pool *pool, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(embedding_table_add_sparse(&part->table, &pass->tokens.matrix, order, gradient, pool,
                                   status));
    if (part_attends(part)) {
        attention_backward(part, pass, gradient);
    }
done:
    return code;
}
