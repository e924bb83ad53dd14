/* Artifacts in memory: adding, finding and hashing arrays. artifact_store.c keeps them in the work
 * database. */
#include "store/artifact.h"

#include "base/mem.h"
#include "base/num.h"

#include <assert.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "arrays are stored as they stand in memory, little-endian");
_Static_assert(sizeof(float) == 4 && sizeof(double) == 8, "IEEE 754 sizes");

const struct array_type_info array_types[ARRAY_N_TYPES] = {
    [ARRAY_F32] = {"f32", 4}, [ARRAY_F64] = {"f64", 8}, [ARRAY_I32] = {"i32", 4},
    [ARRAY_I64] = {"i64", 8}, [ARRAY_U8] = {"u8", 1},
};

size_t array_bytes(const struct array *array)
{
    return array->rows * array->columns * array_types[array->type].size;
}

void artifact_init(struct artifact *artifact, const char *name)
{
    assert(strlen(name) < ARTIFACT_NAME_MAX);
    memset(artifact, 0, sizeof *artifact);
    snprintf(artifact->name, sizeof artifact->name, "%s", name);
}

void artifact_release(struct artifact *artifact)
{
    for (size_t i = 0; i < artifact->n_arrays; i++) {
        if (!artifact->arrays[i].is_lent) {
            mem_free(artifact->arrays[i].data);
        }
    }
    mem_free(artifact->arrays);
    memset(artifact, 0, sizeof *artifact);
}

/* Whether an array of that name and shape can be added. */
static enum status_code check_new(const struct artifact *artifact, const char *name,
                                  enum array_type type, size_t rows, size_t columns,
                                  struct status *status)
{
    size_t elements, bytes;
    if (name[0] == '\0' || strlen(name) >= ARTIFACT_NAME_MAX) {
        return status_set(status, STATUS_INTERNAL,
                          "artifact %s: the array name \"%s\" must have 1 to %d characters",
                          artifact->name, name, ARTIFACT_NAME_MAX - 1);
    }
    if (artifact_find(artifact, name) != NULL) {
        return status_set(status, STATUS_INTERNAL, "artifact %s has two arrays named \"%s\"",
                          artifact->name, name);
    }
    if (!num_multiply(rows, columns, &elements) ||
        !num_multiply(elements, array_types[type].size, &bytes)) {
        return status_set(status, STATUS_NO_MEMORY,
                          "artifact %s, array %s: %zu x %zu elements are more than memory can have",
                          artifact->name, name, rows, columns);
    }
    return STATUS_OK;
}

enum status_code artifact_lend(struct artifact *artifact, const char *name, enum array_type type,
                               size_t rows, size_t columns, const void *data, struct status *status)
{
    enum status_code code;
    TRY(check_new(artifact, name, type, rows, columns, status));
    TRY(MEM_RESIZE(&artifact->arrays, artifact->n_arrays, artifact->n_arrays + 1, status));
    struct array *array = &artifact->arrays[artifact->n_arrays++];
    *array = (struct array){.type = type, .rows = rows, .columns = columns, .is_lent = true};
    memcpy(&array->data, &data, sizeof data);
    snprintf(array->name, sizeof array->name, "%s", name);
done:
    return code;
}

enum status_code artifact_take(struct artifact *artifact, const char *name, enum array_type type,
                               size_t rows, size_t columns, void *data, struct status *status)
{
    enum status_code code = artifact_lend(artifact, name, type, rows, columns, data, status);
    if (code != STATUS_OK) {
        mem_free(data);
        return code;
    }
    artifact->arrays[artifact->n_arrays - 1].is_lent = false;
    return STATUS_OK;
}

enum status_code artifact_copy(struct artifact *artifact, const char *name, enum array_type type,
                               size_t rows, size_t columns, const void *data, struct status *status)
{
    enum status_code code;
    void *block = NULL;
    TRY(check_new(artifact, name, type, rows, columns, status));
    size_t bytes = rows * columns * array_types[type].size;
    TRY(mem_new(bytes, 1, &block, status));
    if (bytes > 0) {
        memcpy(block, data, bytes);
    }
    code = artifact_take(artifact, name, type, rows, columns, block, status);
done:
    return code;
}

enum status_code artifact_set_number(struct artifact *artifact, const char *name, double value,
                                     struct status *status)
{
    return artifact_copy(artifact, name, ARRAY_F64, 1, 1, &value, status);
}

/* "NAME.suffix" into `out`. */
static enum status_code part_name(char out[ARTIFACT_NAME_MAX], const char *name, const char *suffix,
                                  struct status *status)
{
    int length = snprintf(out, ARTIFACT_NAME_MAX, "%s.%s", name, suffix);
    if (length < 0 || length >= ARTIFACT_NAME_MAX) {
        return status_set(status, STATUS_INTERNAL,
                          "the array name \"%s.%s\" must have 1 to %d characters", name, suffix,
                          ARTIFACT_NAME_MAX - 1);
    }
    return STATUS_OK;
}

struct artifact_part artifact_part(const char *prefix, const char *suffix)
{
    struct artifact_part part;
    const int length = snprintf(part.text, sizeof part.text, "%s.%s", prefix, suffix);
    assert(length > 0 && (size_t)length < sizeof part.text);
    (void)length;
    return part;
}

enum status_code artifact_set_strings(struct artifact *artifact, const char *name,
                                      const struct strings *strings, struct status *status)
{
    static const int64_t no_offsets[1] = {0};
    enum status_code code;
    char part[ARTIFACT_NAME_MAX];
    const int64_t *offsets = strings->n > 0 ? strings->offsets : no_offsets;
    TRY(part_name(part, name, "offsets", status));
    TRY(artifact_copy(artifact, part, ARRAY_I64, strings->n + 1, 1, offsets, status));
    TRY(part_name(part, name, "bytes", status));
    TRY(artifact_copy(artifact, part, ARRAY_U8, (size_t)offsets[strings->n], 1, strings->bytes,
                      status));
done:
    return code;
}

const struct array *artifact_find(const struct artifact *artifact, const char *name)
{
    for (size_t i = 0; i < artifact->n_arrays; i++) {
        if (strcmp(artifact->arrays[i].name, name) == 0) {
            return &artifact->arrays[i];
        }
    }
    return NULL;
}

enum status_code artifact_misfit(const struct artifact *artifact, const char *name,
                                 const char *problem, struct status *status)
{
    return status_set(status, STATUS_DATA,
                      "artifact %s, array %s: %s; the work database is of another version or "
                      "damaged: delete it and run again",
                      artifact->name, name, problem);
}

enum status_code artifact_get(const struct artifact *artifact, const char *name,
                              enum array_type type, const void **data, size_t *rows,
                              size_t *columns, struct status *status)
{
    const struct array *array = artifact_find(artifact, name);
    if (array == NULL) {
        return artifact_misfit(artifact, name, "it is missing", status);
    }
    if (array->type != type) {
        char problem[64];
        snprintf(problem, sizeof problem, "its type is %s, not %s", array_types[array->type].name,
                 array_types[type].name);
        return artifact_misfit(artifact, name, problem, status);
    }
    *data = array->data;
    if (rows != NULL) {
        *rows = array->rows;
    }
    if (columns != NULL) {
        *columns = array->columns;
    }
    return STATUS_OK;
}

enum status_code artifact_get_sized(const struct artifact *artifact, const char *name,
                                    enum array_type type, size_t rows, size_t columns,
                                    const void **data, struct status *status)
{
    size_t seen_rows = 0, seen_columns = 0;
    const enum status_code code =
        artifact_get(artifact, name, type, data, &seen_rows, &seen_columns, status);
    if (code == STATUS_OK && (seen_rows != rows || seen_columns != columns)) {
        char problem[128];
        snprintf(problem, sizeof problem, "it is %zu x %zu, not %zu x %zu", seen_rows, seen_columns,
                 rows, columns);
        return artifact_misfit(artifact, name, problem, status);
    }
    return code;
}

enum status_code artifact_get_number(const struct artifact *artifact, const char *name,
                                     double *value, struct status *status)
{
    enum status_code code;
    const void *data;
    size_t rows, columns;
    TRY(artifact_get(artifact, name, ARRAY_F64, &data, &rows, &columns, status));
    if (rows != 1 || columns != 1) {
        TRY(artifact_misfit(artifact, name, "it is not a single number", status));
    }
    *value = *(const double *)data;
done:
    return code;
}

enum status_code artifact_get_count(const struct artifact *artifact, const char *name, size_t most,
                                    size_t *count, struct status *status)
{
    double value = 0.0;
    enum status_code code = artifact_get_number(artifact, name, &value, status);
    if (code == STATUS_OK && !(value >= 0.0 && value <= (double)most)) {
        code = artifact_misfit(artifact, name, "it is out of range", status);
    }
    if (code == STATUS_OK) {
        *count = (size_t)value;
    }
    return code;
}

enum status_code artifact_get_strings(const struct artifact *artifact, const char *name,
                                      struct strings *strings, struct status *status)
{
    enum status_code code;
    char part[ARTIFACT_NAME_MAX];
    const void *offsets, *bytes;
    size_t n_starts, width, n_bytes, byte_width;
    TRY(part_name(part, name, "offsets", status));
    TRY(artifact_get(artifact, part, ARRAY_I64, &offsets, &n_starts, &width, status));
    TRY(part_name(part, name, "bytes", status));
    TRY(artifact_get(artifact, part, ARRAY_U8, &bytes, &n_bytes, &byte_width, status));
    const int64_t *starts = offsets;
    bool fits = n_starts > 0 && width == 1 && byte_width == 1 && starts[0] == 0 &&
                starts[n_starts - 1] == (int64_t)n_bytes;
    for (size_t i = 1; fits && i < n_starts; i++) {
        fits = starts[i] >= starts[i - 1];
    }
    if (!fits) {
        TRY(artifact_misfit(artifact, name, "offsets and bytes do not belong together", status));
    }
    /* a view: nobody writes through it */
    *strings =
        (struct strings){.n = n_starts - 1, .offsets = (int64_t *)offsets, .bytes = (char *)bytes};
done:
    return code;
}

enum status_code artifact_move_strings(struct artifact *artifact, const char *name,
                                       struct strings *strings, struct status *status)
{
    enum status_code code;
    struct strings view = {0};
    TRY(artifact_set_strings(artifact, name, strings, status));
    TRY(artifact_get_strings(artifact, name, &view, status));
    strings_release(strings);
    *strings = view;
done:
    return code;
}

void array_rest(const struct array *array)
{
    if (!array->is_lent) {
        spill_rest(array->data);
    }
}

enum status_code artifact_hash(const struct artifact *artifact, char out[HASH_TEXT_MAX],
                               struct status *status)
{
    struct hash_state *state = NULL;
    enum status_code code;
    TRY(hash_new(&state, status));
    hash_add_text(state, artifact->name);
    hash_add_int64(state, (int64_t)artifact->n_arrays);
    for (size_t i = 0; i < artifact->n_arrays; i++) {
        const struct array *array = &artifact->arrays[i];
        hash_add_text(state, array->name);
        hash_add_text(state, array_types[array->type].name);
        hash_add_int64(state, (int64_t)array->rows);
        hash_add_int64(state, (int64_t)array->columns);
        hash_add(state, array->data, array_bytes(array));
        array_rest(array);
    }
    hash_text(state, out);
done:
    hash_free(state);
    return code;
}

size_t artifact_bytes(const struct artifact *artifact)
{
    size_t total = 0;
    for (size_t i = 0; i < artifact->n_arrays; i++) {
        total += array_bytes(&artifact->arrays[i]);
    }
    return total;
}

size_t artifact_memory(const struct artifact *artifact)
{
    size_t total = 0;
    for (size_t i = 0; i < artifact->n_arrays; i++) {
        const struct array *array = &artifact->arrays[i];
        total += !array->is_lent && spill_has(array->data) ? 0 : array_bytes(array);
    }
    return total;
}
