/* The training curve: what each epoch measured, as arrays of an artifact and as the columns of the
 * table training_curve. One table of columns drives them all, so that they cannot drift apart. */
#ifndef NIGHTJAR_TRAINING_CURVE_H
#define NIGHTJAR_TRAINING_CURVE_H

#include "store/artifact.h"

/* One epoch. NAN stands for what was not taken. */
struct curve_point {
    int32_t epoch;              /* one-based */
    double loss;                /* mean per positive */
    double rate;                /* learning rate at the epoch's end */
    double metric;              /* of validation */
    double positive_similarity; /* mean cosine of the anchors with their positives */
    double negative_similarity; /* with their negatives, weighted as the loss weighs them */
    double effective_negatives; /* exp of the entropy of these weights, mean over the anchors */
    double alignment;           /* this and the rest: training/embedding_health.h */
    double uniformity_users, uniformity_items;
    double norm;
    double dead_dimensions;
    double participation;
};

/* A column: its name in the table training_curve and, after "curve.", in artifacts. */
struct curve_column {
    const char *name;
    size_t offset; /* of a double in struct curve_point */
};
enum { CURVE_COLUMNS = 12 };
extern const struct curve_column curve_columns[CURVE_COLUMNS];

static inline double curve_value(const struct curve_point *point, size_t column)
{
    return *(const double *)(const void *)((const char *)point + curve_columns[column].offset);
}

/* The epoch's number, and NAN everywhere else. */
void curve_point_init(struct curve_point *point, size_t epoch);

/* Arrays curve.epoch and curve.COLUMN, each (n). */
MUST_CHECK enum status_code curve_save(const struct curve_point *curve, size_t n,
                                       struct artifact *artifact, struct status *status);
/* *curve is allocated; free with mem_free. A missing array is STATUS_INTERNAL, as in
 * artifact_get. */
MUST_CHECK enum status_code curve_load(struct curve_point **curve, size_t *n,
                                       const struct artifact *artifact, struct status *status);

#endif
