/* Cells in, tokens out: what every type of column needs. */
#include "features/feature_encoder.h"

#include "base/mem.h"
#include "config/mistakes.h"

enum { FIRST_CAPACITY = 1024, ROWS_BETWEEN_LOOKS = 4096 };

enum status_code encoder_look_up(const struct feature_encoder *e, size_t row, struct status *status)
{
    return row % ROWS_BETWEEN_LOOKS == 0 ? watch_step(e->rules->watch, (double)row, 0.0, status)
                                         : STATUS_OK;
}

enum status_code encoder_bad_value(struct feature_encoder *e, size_t row, const char *problem,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf text = {0};
    char shown[SHOWN_TEXT_MAX];
    size_t name_length, length;
    const char *name = strings_get(&e->rows->names, e->index, &name_length);
    const char *value = strings_get(&e->cells->texts, row, &length);

    e->block->n_bad++;
    if (e->block->n_bad > 1) {
        return STATUS_OK;
    }
    feature_rows_place(e->rows, row, &text);
    buf_addf(&text, ": %.*s is ", (int)name_length, name);
    if (e->cells->kinds[row] == CELL_INFINITE || e->cells->kinds[row] == CELL_BLOB) {
        buf_add_text(&text, e->cells->kinds[row] == CELL_BLOB ? "a BLOB" : "infinite");
    } else {
        buf_addf(&text, PRIVATE_BEGIN "%s" PRIVATE_END, shown_text(value, length, shown));
    }
    buf_addf(&text, "%s%s", problem[0] != '\0' ? ", " : "", problem);
    TRY(buf_check(&text, status));
    if (e->rules->on_bad_value == BAD_VALUE_REJECT) {
        TRY(status_set(status, STATUS_DATA,
                       "%s; correct it, or set on_bad_value: impute to count such values as "
                       "missing",
                       buf_text(&text)));
    }
    snprintf(e->block->first_bad, sizeof e->block->first_bad, "%s", buf_text(&text));
    e->block->first_bad_number = e->rows->numbers[row];
done:
    buf_release(&text);
    return code;
}

enum status_code encoder_read_text(struct feature_encoder *e, size_t row, const char **text,
                                   size_t *length, struct status *status)
{
    *text = strings_get(&e->cells->texts, row, length);
    if (e->cells->kinds[row] == CELL_INFINITE || e->cells->kinds[row] == CELL_BLOB) {
        return encoder_bad_value(e, row, "", status);
    }
    return STATUS_OK;
}

enum status_code encoder_add(struct feature_encoder *e, int32_t token, float value,
                             struct status *status)
{
    enum status_code code = STATUS_OK;
    struct sparse *m = &e->block->tokens;
    if (e->n == e->capacity) {
        const size_t capacity = e->capacity == 0 ? FIRST_CAPACITY : 2 * e->capacity;
        TRY(MEM_RESIZE(&m->columns, e->n, capacity, status));
        TRY(MEM_RESIZE(&m->values, e->n, capacity, status));
        e->capacity = capacity;
    }
    m->columns[e->n] = token;
    m->values[e->n] = value;
    e->n++;
done:
    return code;
}

static int compare_tokens(const void *left, const void *right)
{
    const int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

void encoder_join(struct feature_encoder *e, size_t first, bool count)
{
    struct sparse *m = &e->block->tokens;
    size_t n = first;
    if (e->n - first < 2) { /* nothing to join, and perhaps no memory yet to sort in */
        return;
    }
    qsort(m->columns + first, e->n - first, sizeof *m->columns, compare_tokens);
    for (size_t i = first; i < e->n; i++) {
        if (n > first && m->columns[n - 1] == m->columns[i]) {
            m->values[n - 1] += count ? 1.0f : 0.0f;
        } else {
            m->columns[n] = m->columns[i];
            m->values[n++] = 1.0f;
        }
    }
    e->n = n;
}

void encoder_end_row(struct feature_encoder *e, size_t row)
{
    int64_t *offsets = e->block->tokens.offsets;
    offsets[row + 1] = (int64_t)e->n;
    e->block->n_bare += offsets[row + 1] == offsets[row];
}
