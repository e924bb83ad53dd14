/* Columns of side data are shuffled one at a time, and the towers, which stay, judged again. */
#include "training/column_worth.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/rng.h"
#include "dataset/crowd.h"

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

/* One cycle of the rows of every shard (Sattolo 1986), which are at one rank, whatever their
 * number is: nobody but who is alone in a shard keeps its own. */
static enum status_code permute_users(const struct training *training, uint64_t c,
                                      uint32_t *permutation, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct dataset *dataset = &training->interactions.basis[training->basis];
    const struct crowd crowd = crowd_of(training->input.ranks, &training->interactions, dataset);
    struct shard_rows by_shard = {0};
    TRY(crowd_shard_rows(&crowd, dataset->n_users, &by_shard, status));
    for (size_t i = 0; i < dataset->n_users; i++) {
        permutation[i] = (uint32_t)i;
    }
    for (size_t s = 0; s < SHARDS; s++) {
        const int32_t *rows = by_shard.rows + by_shard.first[s];
        struct rng rng;
        rng_init(&rng, training->input.seed, "column_worth.users", c, s);
        for (size_t i = by_shard.first[s + 1] - by_shard.first[s]; i > 1; i--) {
            const size_t j = (size_t)rng_below(&rng, i - 1);
            const uint32_t other = permutation[rows[j]];
            permutation[rows[j]] = permutation[rows[i - 1]];
            permutation[rows[i - 1]] = other;
        }
    }
done:
    shard_rows_release(&by_shard);
    return code;
}

static enum status_code shuffle_users(const struct training *training, const struct sparse *own,
                                      const struct feature_column *column, uint64_t c,
                                      struct sparse *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    uint32_t *permutation = NULL;
    TRY(MEM_NEW(&permutation, own->n_rows, status));
    TRY(permute_users(training, c, permutation, status));
    TRY(column_shuffle(own, column->first_token, feature_column_tokens(column), permutation, out,
                       status));
done:
    mem_free(permutation);
    return code;
}

/* All items are known here, the rows of some are. */
static enum status_code shuffle_items(const struct training *training, const struct sparse *own,
                                      const struct feature_column *column, uint64_t c,
                                      struct sparse *out, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct dataset *dataset = &training->interactions.basis[training->basis];
    const size_t n_ranks = ranks_n(training->input.ranks), mine = ranks_mine(training->input.ranks);
    struct sparse all = {0}, shuffled = {0};
    uint32_t *permutation = NULL;
    int32_t *rows = NULL;
    struct rng rng;
    TRY(MEM_NEW(&permutation, dataset->n_items, status));
    TRY(MEM_NEW(&rows, own->n_rows, status));
    for (size_t i = 0; i < own->n_rows; i++) {
        rows[i] = (int32_t)shard_nth_item(n_ranks, mine, i);
    }
    rng_init(&rng, training->input.seed, "column_worth", SIDE_ITEMS, c);
    rng_permutation(&rng, dataset->n_items, permutation);
    TRY(features_select(&training->features, FEATURE_ITEMS, dataset->items, dataset->n_items, &all,
                        status));
    TRY(column_shuffle(&all, column->first_token, feature_column_tokens(column), permutation,
                       &shuffled, status));
    TRY(sparse_gather(&shuffled, rows, own->n_rows, out, status));
done:
    sparse_release(&all);
    sparse_release(&shuffled);
    mem_free(permutation);
    mem_free(rows);
    return code;
}

/* The metric with column c of a side's table shuffled. */
static enum status_code judge_without(const struct training *training,
                                      const struct trainer_end *end, enum tower_side side,
                                      const struct feature_column *column, uint64_t c,
                                      double *value, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct tower *tower = &end->encoder->towers[side];
    /* side data are the last source of a tower (training_sources_init) */
    struct tower_part *part = &tower->parts[tower->n_parts - 1];
    const struct token_source *own = part->source;
    struct token_source shuffled = *own;

    shuffled.matrix = (struct sparse){0};
    TRY(context_check_stop(training->context, status));
    TRY((side == SIDE_USERS ? shuffle_users : shuffle_items)(training, &own->matrix, column, c,
                                                             &shuffled.matrix, status));
    part->source = &shuffled;
    TRY(end->judge(end->trainer, value, status));
done:
    part->source = own;
    sparse_release(&shuffled.matrix);
    return code;
}

static enum status_code add(const struct training *training, const char *group, double value,
                            struct status *status)
{
    const struct publish_metric metric = {
        .name = training->metric, .model = "towers", .group = group, .value = value};
    return context_add_metric(training->context, &metric, status);
}

enum status_code column_worth_report(void *data, const struct trainer_end *end,
                                     struct status *status)
{
    static const enum feature_side sides[N_SIDES] = {FEATURE_USERS, FEATURE_ITEMS};
    enum status_code code = STATUS_OK;
    const struct training *training = data;
    const struct feature_table *tables = training->features.side;
    struct buf group = {0};
    double whole, value;

    if (training->input.validation == NULL ||
        tables[FEATURE_USERS].n_columns + tables[FEATURE_ITEMS].n_columns == 0) {
        return STATUS_OK;
    }
    TRY(end->judge(end->trainer, &whole, status));
    TRY(add(training, "validation", whole, status));
    for (size_t s = 0; s < N_SIDES; s++) {
        const struct feature_table *table = &tables[sides[s]];
        for (size_t c = 0; c < table->n_columns; c++) {
            size_t length;
            const char *name = strings_get(&table->names, c, &length);
            TRY(judge_without(training, end, (enum tower_side)s, &table->columns[c], c, &value,
                              status));
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
    buf_release(&group);
    return code;
}
