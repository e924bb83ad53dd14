/* Which values are an id, and which are the same. */
#include "store/row_id.h"

#include "base/num.h"

#include <math.h>
#include <string.h>

/* Whole numbers up to here have a double of their own. */
static const double greatest_whole = 9007199254740992.0;

const char *const row_id_faults[ROW_ID_SOUND] = {
    [ROW_ID_NULL] = "is NULL",
    [ROW_ID_BLOB] = "is a BLOB",
    [ROW_ID_EMPTY] = "is an empty text",
    [ROW_ID_FRACTION] = "is not a whole number",
};

static bool is_whole(double real)
{
    return fabs(real) <= greatest_whole && floor(real) == real;
}

enum row_id_fault row_id_of_cell(const struct db_cell *cell, struct row_id *id)
{
    switch (cell->type) {
    case DB_INTEGER:
        id->is_text = false;
        id->integer = cell->integer;
        return ROW_ID_SOUND;
    case DB_TEXT:
        id->is_text = true;
        id->text = cell->text;
        id->length = cell->length;
        return cell->length > 0 ? ROW_ID_SOUND : ROW_ID_EMPTY;
    case DB_FLOAT:
        if (!is_whole(cell->real)) {
            return ROW_ID_FRACTION;
        }
        id->is_text = false;
        id->integer = (int64_t)cell->real;
        return ROW_ID_SOUND;
    case DB_BLOB:
        return ROW_ID_BLOB;
    case DB_NULL:
        break;
    }
    return ROW_ID_NULL;
}

enum row_id_fault row_id_read(struct db_query *query, int column, struct row_id *id)
{
    struct db_cell cell;
    db_column_cell(query, column, &cell);
    return row_id_of_cell(&cell, id);
}

enum status_code row_id_bind(struct db_query *query, int index, const struct row_id *id,
                             struct status *status)
{
    return id->is_text ? db_bind_text(query, index, id->text, id->length, false, status)
                       : db_bind_int64(query, index, id->integer, status);
}

int row_id_compare(const struct row_id *a, const struct row_id *b)
{
    if (a->is_text != b->is_text) {
        return a->is_text ? 1 : -1;
    }
    if (!a->is_text) {
        return (a->integer > b->integer) - (a->integer < b->integer);
    }
    const size_t common = a->length < b->length ? a->length : b->length;
    const int order = common == 0 ? 0 : memcmp(a->text, b->text, common);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

bool row_id_of_text(const char *text, size_t length, int64_t *integer)
{
    double real = 0;
    if (num_parse_int64(text, length, integer)) {
        return true;
    }
    if (!num_parse_double(text, length, &real) || !is_whole(real)) {
        return false;
    }
    *integer = (int64_t)real;
    return true;
}
