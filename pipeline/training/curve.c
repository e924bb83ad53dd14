/* The training curve in artifacts. */
#include "training/curve.h"

#include "base/mem.h"

#include <math.h>

#define AT(field) offsetof(struct curve_point, field)

const struct curve_column curve_columns[CURVE_COLUMNS] = {
    {"loss", AT(loss)},
    {"learning_rate", AT(rate)},
    {"validation", AT(metric)},
    {"positive_similarity", AT(positive_similarity)},
    {"negative_similarity", AT(negative_similarity)},
    {"effective_negatives", AT(effective_negatives)},
    {"alignment", AT(alignment)},
    {"uniformity_users", AT(uniformity_users)},
    {"uniformity_items", AT(uniformity_items)},
    {"norm", AT(norm)},
    {"dead_dimensions", AT(dead_dimensions)},
    {"participation", AT(participation)},
};

static double *place_of(struct curve_point *point, size_t column)
{
    return (double *)(void *)((char *)point + curve_columns[column].offset);
}

static void array_name(size_t column, char out[ARTIFACT_NAME_MAX])
{
    snprintf(out, ARTIFACT_NAME_MAX, "curve.%s", curve_columns[column].name);
}

void curve_point_init(struct curve_point *point, size_t epoch)
{
    point->epoch = (int32_t)epoch;
    for (size_t c = 0; c < CURVE_COLUMNS; c++) {
        *place_of(point, c) = NAN;
    }
}

enum status_code curve_save(const struct curve_point *curve, size_t n, struct artifact *artifact,
                            struct status *status)
{
    enum status_code code = STATUS_OK;
    int32_t *epochs = NULL;
    double *values = NULL;
    TRY(MEM_NEW(&epochs, n, status));
    TRY(MEM_NEW(&values, n, status));
    for (size_t i = 0; i < n; i++) {
        epochs[i] = curve[i].epoch;
    }
    TRY(artifact_copy(artifact, "curve.epoch", ARRAY_I32, n, 1, epochs, status));
    for (size_t c = 0; c < CURVE_COLUMNS; c++) {
        char name[ARTIFACT_NAME_MAX];
        array_name(c, name);
        for (size_t i = 0; i < n; i++) {
            values[i] = curve_value(&curve[i], c);
        }
        TRY(artifact_copy(artifact, name, ARRAY_F64, n, 1, values, status));
    }
done:
    mem_free(epochs);
    mem_free(values);
    return code;
}

enum status_code curve_load(struct curve_point **curve, size_t *n, const struct artifact *artifact,
                            struct status *status)
{
    enum status_code code = STATUS_OK;
    const void *epochs = NULL;
    struct curve_point *points = NULL;
    size_t rows = 0;
    TRY(artifact_get(artifact, "curve.epoch", ARRAY_I32, &epochs, &rows, NULL, status));
    TRY(MEM_NEW(&points, rows, status));
    for (size_t i = 0; i < rows; i++) {
        points[i].epoch = ((const int32_t *)epochs)[i];
    }
    for (size_t c = 0; c < CURVE_COLUMNS; c++) {
        char name[ARTIFACT_NAME_MAX];
        const void *values = NULL;
        size_t length = 0;
        array_name(c, name);
        TRY(artifact_get(artifact, name, ARRAY_F64, &values, &length, NULL, status));
        if (length != rows) {
            TRY(artifact_misfit(artifact, name, "it is longer or shorter than curve.epoch",
                                status));
        }
        for (size_t i = 0; i < rows; i++) {
            *place_of(&points[i], c) = ((const double *)values)[i];
        }
    }
    *curve = points;
    *n = rows;
    points = NULL;
done:
    mem_free(points);
    return code;
}
