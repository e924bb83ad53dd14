/* The artifact "metrics". */
#include "evaluation/metric_rows.h"

#include "base/mem.h"

enum { FIRST_CAPACITY = 256 };

enum status_code metric_rows_add(struct metric_rows *rows, const char *name, const char *model,
                                 const char *group, double value, struct status *status)
{
    enum status_code code;
    if (rows->n == rows->capacity) {
        size_t capacity = rows->capacity == 0 ? FIRST_CAPACITY : 2 * rows->capacity;
        TRY(MEM_RESIZE(&rows->values, rows->capacity, capacity, status));
        TRY(MEM_RESIZE(&rows->errors, rows->capacity, capacity, status));
        rows->capacity = capacity;
    }
    TRY(strings_add(&rows->names, name, strlen(name), status));
    TRY(strings_add(&rows->models, model, strlen(model), status));
    TRY(strings_add(&rows->groups, group, strlen(group), status));
    rows->errors[rows->n] = 0;
    rows->values[rows->n++] = value;
done:
    return code;
}

/* rows->n: there is none. */
static size_t find_row(const struct metric_rows *rows, const char *name, const char *model,
                       const char *group)
{
    size_t i = 0;
    while (i < rows->n &&
           !(strings_equal(&rows->names, i, name) && strings_equal(&rows->models, i, model) &&
             strings_equal(&rows->groups, i, group))) {
        i++;
    }
    return i;
}

bool metric_rows_find(const struct metric_rows *rows, const char *name, const char *model,
                      const char *group, double *value)
{
    const size_t i = find_row(rows, name, model, group);
    if (i < rows->n) {
        *value = rows->values[i];
    }
    return i < rows->n;
}

double metric_rows_error(const struct metric_rows *rows, const char *name, const char *model,
                         const char *group)
{
    const size_t i = find_row(rows, name, model, group);
    return i < rows->n ? rows->errors[i] : 0.0;
}

enum status_code metric_rows_save(const struct metric_rows *rows, struct artifact *artifact,
                                  struct status *status)
{
    enum status_code code;
    artifact_init(artifact, "metrics");
    TRY(artifact_set_strings(artifact, "name", &rows->names, status));
    TRY(artifact_set_strings(artifact, "model", &rows->models, status));
    TRY(artifact_set_strings(artifact, "group", &rows->groups, status));
    TRY(artifact_copy(artifact, "value", ARRAY_F64, rows->n, 1, rows->values, status));
done:
    if (code != STATUS_OK) {
        artifact_release(artifact);
    }
    return code;
}

void metric_rows_release(struct metric_rows *rows)
{
    strings_release(&rows->names);
    strings_release(&rows->models);
    strings_release(&rows->groups);
    mem_free(rows->values);
    mem_free(rows->errors);
    *rows = (struct metric_rows){0};
}
