/* The table evaluate_lists. */
#include "stages/evaluate/evening_lists.h"

#include <string.h>

static const char drop_lists_table[] = "DROP TABLE IF EXISTS evaluate_lists";
static const char make_lists_table[] =
    "CREATE TABLE evaluate_lists(evening INTEGER NOT NULL, model TEXT NOT NULL, user_id NOT NULL,"
    " rank INTEGER NOT NULL, item_id NOT NULL)";

static struct batch_cell id_cell(const struct vocabulary *ids, int32_t code)
{
    const struct row_id id = vocabulary_id(ids, (size_t)code);
    return id.is_text ? batch_text(id.text, id.length) : batch_integer(id.integer);
}

static enum status_code keep_lists(const struct evaluation_request *request, const char *model,
                                   const int32_t *rows, size_t n, const int32_t *lists, size_t k,
                                   struct status *status)
{
    struct evening_lists *out = request->take_data;
    enum status_code code = STATUS_OK;
    const struct dataset *dataset = request->dataset;
    for (size_t a = 0; a < n; a++) {
        for (size_t r = 0; r < k && lists[a * k + r] >= 0; r++) {
            struct batch_cell *row = row_batch_row(&out->batch);
            row[0] = batch_integer(request->evening);
            row[1] = batch_text(model, strlen(model));
            row[2] = id_cell(&out->interactions->users, dataset->users[rows[a]]);
            row[3] = batch_integer((int64_t)r + 1);
            row[4] = id_cell(&out->interactions->items, dataset->items[lists[a * k + r]]);
            TRY(row_batch_put(&out->batch, status));
        }
    }
done:
    return code;
}

enum status_code evening_lists_open(struct evening_lists *lists, struct db *work, bool keeps,
                                    struct evaluation_request *request, struct status *status)
{
    enum status_code code;
    TRY(db_exec(work, drop_lists_table, status));
    if (keeps) {
        TRY(db_exec(work, make_lists_table, status));
        TRY(row_batch_open(&lists->batch, work, "evaluate_lists", 5, ROW_BATCH_CHUNK, status));
        lists->keeps = true;
        request->take_lists = keep_lists;
        request->take_data = lists;
    }
done:
    return code;
}

enum status_code evening_lists_write(struct evening_lists *lists, struct status *status)
{
    return lists->keeps ? row_batch_write(&lists->batch, status) : STATUS_OK;
}

void evening_lists_release(struct evening_lists *lists)
{
    row_batch_release(&lists->batch);
}
