/* Columns side by side: from the rows of a query to the token matrix over all entities. What a
 * single column becomes is feature_tokens.c's. */
#include "features/feature_build.h"

#include "base/mem.h"
#include "base/num.h"
#include "features/feature_tokens.h"

#include <strings.h>

/* The rule of a column: as listed, in any case of letters as SQL has it, else the one for others.
 */
static const struct feature_rule *find_rule(const struct feature_rules *rules, const char *name,
                                            size_t length)
{
    const struct feature_rule *listed = rules->columns.values;
    for (size_t i = 0; i < rules->columns.n; i++) {
        const char *candidate = rules->columns.names[i];
        if (strncasecmp(candidate, name, length) == 0 && candidate[length] == '\0') {
            return &listed[i];
        }
    }
    return rules->other;
}

enum status_code feature_rules_check(const struct feature_rules *rules, const struct strings *names,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    struct arena arena = {0};
    struct buf all = {0};
    void *memory = NULL;
    TRY(arena_new(&arena, names->n, sizeof(const char *), &memory, status));
    const char **list = memory; /* the names, zero-terminated */
    for (size_t c = 0; c < names->n; c++) {
        size_t length;
        const char *name = strings_get(names, c, &length);
        char *copy;
        TRY(arena_copy_text(&arena, name, length, &copy, status));
        list[c] = copy;
        buf_addf(&all, "%s%s", c > 0 ? ", " : "", copy);
    }
    for (size_t i = 0; i < rules->columns.n; i++) {
        const char *listed = rules->columns.names[i];
        size_t c = 0;
        while (c < names->n && strcasecmp(listed, list[c]) != 0) {
            c++;
        }
        if (c == names->n) {
            const char *nearest = nearest_name(list, names->n, listed, strlen(listed));
            TRY(nearest != NULL ? status_set(status, STATUS_CONFIG,
                                             "%s: the query has no column '%s'; did you mean '%s'?",
                                             rules->what, listed, nearest)
                                : status_set(status, STATUS_CONFIG,
                                             "%s: the query has no column '%s'; its columns are %s",
                                             rules->what, listed, buf_text(&all)));
        }
    }
done:
    buf_release(&all);
    arena_release(&arena);
    return code;
}

enum status_code feature_vectors_check(const struct feature_rows *rows,
                                       const struct feature_rules *rules, struct buf *out,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    struct feature_block block = {0};
    for (size_t c = 0; c < rows->n_columns; c++) {
        size_t length, first = 0;
        const char *name = strings_get(&rows->names, c, &length);
        struct feature_rule rule = *find_rule(rules, name, length);
        while (first < rows->ids.n && rows->cells[c].kinds[first] == CELL_MISSING) {
            first++;
        }
        if (first == rows->ids.n ||
            (rule.type != FEATURE_VECTOR &&
             (rule.type != FEATURE_AUTO || !feature_is_vector(&rows->cells[c], first)))) {
            continue;
        }
        rule.type = FEATURE_VECTOR;
        TRY(feature_encode(rows, c, &rule, rules, &block, status));
        const size_t n = block.column.dimension, most = (size_t)rule.components;
        const size_t kept = most > 0 && most < n ? most : n;
        buf_addf(out,
                 "%s%.*s: vectors of %zu numbers, of which %zu components take %zu bytes a row",
                 out->length > 0 ? "; " : "", (int)length, name, n, kept,
                 kept * (sizeof(int32_t) + sizeof(float)));
        feature_block_release(&block);
    }
    TRY(buf_check(out, status));
done:
    feature_block_release(&block);
    return code;
}

/* What is made on the way to a table. */
struct assembly {
    const struct feature_rows *rows;
    const struct feature_rules *rules;
    struct feature_block *blocks; /* (n_columns) */
    size_t n_rows;                /* of all ranks */
    int32_t *row_of;              /* (n_entities) row of each entity, or -1 */
    struct feature_table table;
};

/* The layout of the columns that stay. */
static enum status_code lay_out(struct assembly *a, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct feature_table *table = &a->table;
    size_t n_tokens = 0;
    TRY(MEM_NEW(&table->columns, a->rows->n_columns, status));
    for (size_t c = 0; c < a->rows->n_columns; c++) {
        struct feature_block *block = &a->blocks[c];
        size_t length;
        const char *name = strings_get(&a->rows->names, c, &length);
        if (block->why_left_out[0] != '\0') {
            continue;
        }
        block->column.first_token = n_tokens;
        n_tokens += block->tokens.n_columns;
        table->columns[table->n_columns++] = block->column;
        TRY(strings_add(&table->names, name, length, status));
        for (size_t i = 0; i < block->values.n; i++) {
            const char *value = strings_get(&block->values, i, &length);
            TRY(strings_add(&table->values, value, length, status));
        }
    }
    table->matrix.n_columns = n_tokens;
done:
    return code;
}

/* Numbers the entities: those of `master`, and behind them ids that it does not have. */
static enum status_code number_entities(struct assembly *a, const struct vocabulary *master,
                                        struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct feature_rows *rows = a->rows;
    struct vocabulary *extra = &a->table.extra;
    int32_t *entity_of = NULL; /* (n_rows) entity, or -1 for one that master does not have */
    int32_t *new_code = NULL;  /* (extra->n) */
    size_t next = 0;
    int32_t ignored;

    TRY(MEM_NEW(&entity_of, rows->ids.n, status));
    for (size_t r = 0; r < rows->ids.n; r++) {
        const struct row_id id = vocabulary_id(&rows->ids, r);
        entity_of[r] = vocabulary_find(master, &id);
        if (entity_of[r] < 0) {
            TRY(vocabulary_add(extra, &id, &ignored, status));
        }
    }
    if (master->n + extra->n > (size_t)INT32_MAX) {
        TRY(status_set(status, STATUS_DATA, "%s: more than %d different ids: filter the query",
                       rows->what, INT32_MAX));
    }
    TRY(MEM_NEW(&new_code, extra->n, status));
    TRY(vocabulary_sort(extra, new_code, status));
    a->table.n_master = master->n;
    TRY(MEM_NEW(&a->row_of, master->n + extra->n, status));
    memset(a->row_of, 0xff, (master->n + extra->n) * sizeof *a->row_of);
    for (size_t r = 0; r < rows->ids.n; r++) {
        const size_t entity =
            entity_of[r] >= 0 ? (size_t)entity_of[r] : master->n + (size_t)new_code[next++];
        a->row_of[entity] = (int32_t)r;
    }
done:
    mem_free(entity_of);
    mem_free(new_code);
    return code;
}

/* Copies the tokens of one entity; returns how many. */
static size_t copy_row(const struct assembly *a, size_t row, int32_t *columns, float *values)
{
    size_t n = 0;
    for (size_t c = 0; c < a->rows->n_columns; c++) {
        const struct feature_block *block = &a->blocks[c];
        const struct sparse *tokens = &block->tokens;
        if (block->why_left_out[0] != '\0') {
            continue;
        }
        for (int64_t i = tokens->offsets[row]; i < tokens->offsets[row + 1]; i++) {
            columns[n] = tokens->columns[i] + (int32_t)block->column.first_token;
            values[n++] = tokens->values[i];
        }
    }
    return n;
}

/* The matrix, out of the blocks. */
static enum status_code join_blocks(struct assembly *a, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_entities = a->table.n_master + a->table.extra.n;
    struct sparse matrix = {0};
    size_t entries = 0;

    for (size_t c = 0; c < a->rows->n_columns; c++) {
        entries += a->blocks[c].why_left_out[0] == '\0' ? sparse_entries(&a->blocks[c].tokens) : 0;
    }
    TRY(sparse_init(&matrix, n_entities, a->table.matrix.n_columns, entries, true, status));
    for (size_t entity = 0; entity < n_entities; entity++) {
        const int64_t at = matrix.offsets[entity];
        const size_t n = a->row_of[entity] < 0 ? 0
                                               : copy_row(a, (size_t)a->row_of[entity],
                                                          matrix.columns + at, matrix.values + at);
        matrix.offsets[entity + 1] = at + (int64_t)n;
    }
    a->table.matrix = matrix;
done:
    return code;
}

/* ---- for people ---- */

static enum status_code warn(struct feature_report *report, struct buf *text, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(buf_check(text, status));
    TRY(strings_add(&report->warnings, text->data, text->length, status));
    buf_clear(text);
done:
    return code;
}

static enum status_code warn_of_column(const struct assembly *a, size_t c,
                                       struct feature_report *report, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct feature_block *block = &a->blocks[c];
    struct buf text = {0};
    size_t length;
    const char *name = strings_get(&a->rows->names, c, &length);

    if (block->n_bad > 0) {
        buf_addf(&text, "%zu values count as missing, first %s", block->n_bad, block->first_bad);
        TRY(warn(report, &text, status));
    }
    if (block->why_left_out[0] != '\0') {
        buf_addf(&text, "%s: column %.*s %s: it is left out", a->rows->what, (int)length, name,
                 block->why_left_out);
        TRY(warn(report, &text, status));
    }
done:
    buf_release(&text);
    return code;
}

static void describe_column(const struct assembly *a, size_t c, struct buf *out)
{
    const struct feature_block *block = &a->blocks[c];
    const struct feature_column *column = &block->column;
    size_t length;
    const char *name = strings_get(&a->rows->names, c, &length);
    const bool is_chosen = find_rule(a->rules, name, length)->type == FEATURE_AUTO;

    buf_addf(out, "; %.*s: %s%s", (int)length, name, feature_type_names[column->type],
             is_chosen ? " (chosen)" : "");
    if (block->why_left_out[0] != '\0') {
        buf_add_text(out, ", left out");
        return;
    }
    if (column->type == FEATURE_NUMERIC) {
        buf_addf(out, ", mean %.6g, sd %.6g", column->mean, column->sd);
    } else if (column->type == FEATURE_TEXT) {
        buf_addf(out, ", %zu buckets", column->n_buckets);
    } else if (column->type == FEATURE_VECTOR) {
        buf_addf(out, ", %zu numbers, of them %zu components with %.0f %% of the variance",
                 column->dimension, column->n_buckets, 100.0 * column->kept);
    } else {
        buf_addf(out, ", %zu values", column->n_values);
    }
    if (block->n_missing > 0) {
        buf_addf(out, ", %zu missing", block->n_missing);
    }
}

static enum status_code write_report(struct assembly *a, struct feature_report *report,
                                     struct status *status)
{
    enum status_code code = STATUS_OK;
    int64_t counts[] = {(int64_t)a->rows->ids.n, (int64_t)a->table.extra.n,
                        (int64_t)a->table.n_master};
    struct buf text = {0};

    TRY(ranks_sum_int64(a->rows->ranks, counts, sizeof counts / sizeof *counts, status));
    a->n_rows = (size_t)counts[0];
    buf_addf(&report->summary,
             "%s: %lld rows, %lld of them not in the interactions; %lld of the interactions have "
             "no row",
             a->rows->what, (long long)counts[0], (long long)counts[1],
             (long long)(counts[2] - (counts[0] - counts[1])));
    if (a->n_rows == 0) {
        buf_addf(&text, "%s gives no rows", a->rows->what);
        TRY(warn(report, &text, status));
        goto done;
    }
    for (size_t c = 0; c < a->rows->n_columns; c++) {
        describe_column(a, c, &report->summary);
        TRY(warn_of_column(a, c, report, status));
    }
    TRY(buf_check(&report->summary, status));
done:
    buf_release(&text);
    return code;
}

enum status_code feature_table_build(const struct feature_rows *rows,
                                     const struct feature_rules *rules,
                                     const struct vocabulary *master, struct feature_table *out,
                                     struct feature_report *report, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct assembly a = {.rows = rows, .rules = rules};

    TRY(feature_rules_check(rules, &rows->names, status));
    if (rows->ids.type != ID_NONE && master->type != ID_NONE && rows->ids.type != master->type) {
        const bool is_text = rows->ids.type == ID_TEXT;
        TRY(status_set(status, STATUS_DATA,
                       "%s: %s is %s here and %s in the interactions; make them alike with CAST",
                       rows->what, rows->id_name, is_text ? "TEXT" : "INTEGER",
                       is_text ? "INTEGER" : "TEXT"));
    }
    TRY(MEM_NEW(&a.blocks, rows->n_columns, status));
    for (size_t c = 0; c < rows->n_columns; c++) {
        size_t length;
        const char *name = strings_get(&rows->names, c, &length);
        TRY(feature_encode(rows, c, find_rule(rules, name, length), rules, &a.blocks[c], status));
    }
    TRY(lay_out(&a, status));
    TRY(number_entities(&a, master, status));
    TRY(join_blocks(&a, status));
    TRY(write_report(&a, report, status));
    *out = a.table;
    a.table = (struct feature_table){0};
done:
    for (size_t c = 0; a.blocks != NULL && c < rows->n_columns; c++) {
        feature_block_release(&a.blocks[c]);
    }
    mem_free(a.blocks);
    mem_free(a.row_of);
    feature_table_release(&a.table);
    return code;
}

void feature_report_release(struct feature_report *report)
{
    strings_release(&report->warnings);
    buf_release(&report->summary);
    *report = (struct feature_report){0};
}
