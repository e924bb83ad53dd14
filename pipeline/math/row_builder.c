/* Room for the rows of a batch. */
#include "math/row_builder.h"

enum status_code row_builder_start(struct row_builder *builder, size_t rows, size_t entries,
                                   struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(scratch_reserve(&builder->offsets, rows + 1, sizeof(int64_t), status));
    TRY(scratch_reserve(&builder->columns, entries, sizeof(int32_t), status));
    TRY(scratch_reserve(&builder->values, entries, sizeof(float), status));
    builder->matrix = (struct sparse){
        .offsets = builder->offsets.data,
        .columns = builder->columns.data,
        .values = builder->values.data,
    };
    builder->n_entries = 0;
    builder->matrix.offsets[0] = 0;
done:
    return code;
}

void row_builder_release(struct row_builder *builder)
{
    scratch_release(&builder->offsets);
    scratch_release(&builder->columns);
    scratch_release(&builder->values);
    *builder = (struct row_builder){0};
}
