/* Measured values as rows (name, model, group, value): the artifact "metrics". */
#ifndef NIGHTJAR_EVALUATION_METRIC_ROWS_H
#define NIGHTJAR_EVALUATION_METRIC_ROWS_H

#include "base/strings.h"
#include "store/artifact.h"

/* How lists are judged: raised when the same model would get other figures because something else
 * is asked of it, so that figures of two protocols are never compared. 1: a list might have items
 * of the validation part, which nobody is served. 2: histories and popularity ended before it. */
enum { JUDGING_PROTOCOL = 3 };
/* Name of a row (of "data", 1) that stands among the others where items count that a user had
 * before, which makes another protocol of each. */
#define METRIC_REPEATS "repeats"

/* Zero-initialise. */
struct metric_rows {
    size_t n;
    struct strings names;  /* "ndcg@20"; "valid:ndcg@20" when measured on validation; "users" */
    struct strings models; /* "nightjar", its parts "towers" and "evidence", "popularity",
                              "item_item"; "data" for counts */
    struct strings groups; /* "all", "users:5-19", "items:head" ... */
    double *values;        /* (n) */
    double *errors;        /* (n) standard errors of judged metrics (evaluation.h); 0: unknown */
    size_t capacity;
};

MUST_CHECK enum status_code metric_rows_add(struct metric_rows *rows, const char *name,
                                            const char *model, const char *group, double value,
                                            struct status *status);
/* False, leaving *value untouched, when there is no such row. */
bool metric_rows_find(const struct metric_rows *rows, const char *name, const char *model,
                      const char *group, double *value);
/* The standard error of that row; 0 where it is unknown, or there is no such row. */
double metric_rows_error(const struct metric_rows *rows, const char *name, const char *model,
                         const char *group);
/* Copies into the artifact "metrics": strings name, model, group; value (n) F64: no
 * errors. */
MUST_CHECK enum status_code metric_rows_save(const struct metric_rows *rows,
                                             struct artifact *artifact, struct status *status);
void metric_rows_release(struct metric_rows *rows);

#endif
