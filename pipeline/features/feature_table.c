/* Side data in its artifact, rows of it, and what two layouts of tokens have in common. How rows
 * become tokens is feature_build.c's. */
#include "features/feature_table.h"

#include "base/mem.h"
#include "dataset/sparse_artifact.h"

const char *const feature_side_names[N_FEATURE_SIDES] = {"items", "users"};
const char *const feature_type_names[] = {"auto", "categorical", "multi", "numeric",
                                          "text", "vector",      NULL};

/* Columns of the array SIDE.layout. */
enum { LAYOUT_TYPE, LAYOUT_FIRST, LAYOUT_VALUES, LAYOUT_BUCKETS, N_LAYOUT };

size_t feature_column_tokens(const struct feature_column *column)
{
    const size_t number = column->type == FEATURE_NUMERIC;
    const size_t missing = column->type == FEATURE_NUMERIC || column->type == FEATURE_CATEGORICAL;
    return column->n_values + column->n_buckets + number + missing;
}

static struct artifact_part part_of(enum feature_side side, const char *part)
{
    return artifact_part(feature_side_names[side], part);
}

static enum status_code save_columns(const struct feature_table *table, enum feature_side side,
                                     struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = table->n_columns;
    int64_t *layout = NULL; /* (n, N_LAYOUT) */
    double *scale = NULL;   /* (n, 2) mean, sd */

    TRY(MEM_NEW(&layout, n * N_LAYOUT, status));
    TRY(MEM_NEW(&scale, 2 * n, status));
    for (size_t c = 0; c < n; c++) {
        const struct feature_column *column = &table->columns[c];
        layout[c * N_LAYOUT + LAYOUT_TYPE] = (int64_t)column->type;
        layout[c * N_LAYOUT + LAYOUT_FIRST] = (int64_t)column->first_token;
        layout[c * N_LAYOUT + LAYOUT_VALUES] = (int64_t)column->n_values;
        layout[c * N_LAYOUT + LAYOUT_BUCKETS] = (int64_t)column->n_buckets;
        scale[2 * c] = column->mean;
        scale[2 * c + 1] = column->sd;
    }
    TRY(artifact_copy(artifact, part_of(side, "layout").text, ARRAY_I64, n, N_LAYOUT, layout,
                      status));
    TRY(artifact_copy(artifact, part_of(side, "scale").text, ARRAY_F64, n, 2, scale, status));
done:
    mem_free(layout);
    mem_free(scale);
    return code;
}

static enum status_code save_side(struct feature_table *table, enum feature_side side,
                                  struct artifact *artifact, struct status *status)
{
    enum status_code code = STATUS_OK;

    TRY(artifact_set_number(artifact, part_of(side, "n_master").text, (double)table->n_master,
                            status));
    TRY(save_columns(table, side, artifact, status));
    TRY(artifact_move_strings(artifact, part_of(side, "names").text, &table->names, status));
    TRY(artifact_move_strings(artifact, part_of(side, "values").text, &table->values, status));
    TRY(vocabulary_save(&table->extra, artifact, part_of(side, "extra").text, status));
    /* the last step, for it leaves either a view or nothing */
    TRY(sparse_save(&table->matrix, artifact, part_of(side, "matrix").text, status));
    table->is_view = true;
done:
    return code;
}

enum status_code features_save(struct features *features, struct artifact *artifact,
                               struct status *status)
{
    enum status_code code = STATUS_OK;
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        TRY(save_side(&features->side[s], (enum feature_side)s, artifact, status));
    }
done:
    if (code != STATUS_OK) {
        features_release(features);
    }
    return code;
}

static enum status_code misfit(const struct artifact *artifact, enum feature_side side,
                               struct status *status)
{
    return artifact_misfit(artifact, feature_side_names[side], "its parts do not fit together",
                           status);
}

static enum status_code load_columns(struct feature_table *table, const struct artifact *artifact,
                                     enum feature_side side, struct status *status)
{
    enum status_code code = STATUS_OK;
    const void *layout = NULL, *scale = NULL;
    size_t n = 0, width = 0, n_scales = 0, scale_width = 0;

    TRY(artifact_get(artifact, part_of(side, "layout").text, ARRAY_I64, &layout, &n, &width,
                     status));
    TRY(artifact_get(artifact, part_of(side, "scale").text, ARRAY_F64, &scale, &n_scales,
                     &scale_width, status));
    if (n != table->names.n || n_scales != n || scale_width != 2 || width != N_LAYOUT) {
        TRY(misfit(artifact, side, status));
    }
    TRY(MEM_NEW(&table->columns, n, status));
    table->n_columns = n;
    for (size_t c = 0; c < n; c++) {
        const int64_t *row = (const int64_t *)layout + c * N_LAYOUT;
        const double *scales = (const double *)scale + 2 * c;
        table->columns[c] = (struct feature_column){.type = (enum feature_type)row[LAYOUT_TYPE],
                                                    .first_token = (size_t)row[LAYOUT_FIRST],
                                                    .n_values = (size_t)row[LAYOUT_VALUES],
                                                    .n_buckets = (size_t)row[LAYOUT_BUCKETS],
                                                    .mean = scales[0],
                                                    .sd = scales[1]};
    }
done:
    return code;
}

static enum status_code load_side(struct feature_table *table, const struct artifact *artifact,
                                  enum feature_side side, struct status *status)
{
    enum status_code code = STATUS_OK;
    bool found = false;

    table->is_view = true;
    TRY(artifact_get_count(artifact, part_of(side, "n_master").text, INT32_MAX, &table->n_master,
                           status));
    TRY(artifact_get_strings(artifact, part_of(side, "names").text, &table->names, status));
    TRY(load_columns(table, artifact, side, status));
    TRY(artifact_get_strings(artifact, part_of(side, "values").text, &table->values, status));
    TRY(vocabulary_load(&table->extra, artifact, part_of(side, "extra").text, status));
    TRY(sparse_load(&table->matrix, artifact, part_of(side, "matrix").text, &found, status));
    size_t n_tokens = 0, n_values = 0;
    bool fits = found && table->matrix.n_rows == table->n_master + table->extra.n;
    for (size_t c = 0; fits && c < table->n_columns; c++) {
        const struct feature_column *column = &table->columns[c];
        fits = column->type > FEATURE_AUTO && column->type <= FEATURE_VECTOR &&
               column->first_token == n_tokens && column->n_values <= table->values.n &&
               column->n_buckets <= table->matrix.n_columns;
        n_values += column->n_values;
        n_tokens += fits ? feature_column_tokens(column) : 0;
    }
    if (!fits || n_values != table->values.n || n_tokens != table->matrix.n_columns) {
        TRY(misfit(artifact, side, status));
    }
done:
    return code;
}

enum status_code features_load(struct features *out, const struct artifact *artifact,
                               struct status *status)
{
    enum status_code code = STATUS_OK;
    struct features made = {0};
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        TRY(load_side(&made.side[s], artifact, (enum feature_side)s, status));
    }
    *out = made;
    made = (struct features){0};
done:
    features_release(&made);
    return code;
}

/* A view over an artifact's texts has no capacity of its own. */
static void release_texts(struct strings *texts)
{
    if (texts->offsets_capacity > 0) {
        strings_release(texts);
    }
}

void feature_table_release(struct feature_table *table)
{
    if (!table->is_view) {
        sparse_release(&table->matrix);
    }
    vocabulary_release(&table->extra);
    release_texts(&table->names);
    release_texts(&table->values);
    mem_free(table->columns);
    *table = (struct feature_table){0};
}

void features_release(struct features *features)
{
    for (size_t s = 0; s < N_FEATURE_SIDES; s++) {
        feature_table_release(&features->side[s]);
    }
}

enum status_code features_select(const struct features *features, enum feature_side side,
                                 const int32_t *codes, size_t n, struct sparse *out,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct sparse *m = &features->side[side].matrix;

    for (size_t i = 0; i < n; i++) {
        if (codes[i] < 0 || (size_t)codes[i] >= m->n_rows) {
            code = status_set(status, STATUS_INTERNAL,
                              "side data of %s: code %d was asked for, there are %zu entities",
                              feature_side_names[side], codes[i], m->n_rows);
            goto done;
        }
    }
    TRY(sparse_gather(m, codes, n, out, status));
done:
    return code;
}

/* Whether `table` has a column of the name and type of column c of `other`. */
static bool has_twin(const struct feature_table *table, const struct feature_table *other, size_t c)
{
    size_t length, other_length;
    const char *name = strings_get(&other->names, c, &length);
    for (size_t i = 0; i < table->n_columns; i++) {
        const char *candidate = strings_get(&table->names, i, &other_length);
        if (table->columns[i].type == other->columns[c].type && length == other_length &&
            memcmp(name, candidate, length) == 0) {
            return true;
        }
    }
    return false;
}

void feature_table_vanished(const struct feature_table *now, const struct feature_table *before,
                            struct buf *out)
{
    bool any = false;
    for (size_t c = 0; c < before->n_columns; c++) {
        if (!has_twin(now, before, c)) {
            size_t length;
            const char *name = strings_get(&before->names, c, &length);
            buf_add_text(out, any ? ", " : "");
            buf_add(out, name, length);
            any = true;
        }
    }
}
