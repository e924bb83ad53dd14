/* nightjar_nearest(vector, k) and nightjar_similar(item, k): exact, over all published items.
 *
 *      nightjar_nearest   by score = cosine / tau + bias, which is what the towers give somebody
 *                         of this vector
 *      nightjar_similar   by cosine, without the item itself, as in similar_items
 */
#include "extension/table_function.h"

#include "math/vec.h"

#include <math.h>
#include <string.h>

static float cosine_of(const struct call *call, int32_t item)
{
    const size_t d = call->catalogue->dimension;
    return vec_ops()->dot(call->vector, call->catalogue->vectors + (size_t)item * d, d);
}

static void show_cosine(const struct call *call, size_t row, sqlite3_context *context)
{
    sqlite3_result_double(context, (double)cosine_of(call, call->found[row]));
}

/* The call's vector out of a blob, at unit length. */
static int read_vector(struct call *call)
{
    const size_t d = call->catalogue->dimension, bytes = d * sizeof *call->vector;
    double squares = 0;
    if (sqlite3_value_type(call->of) != SQLITE_BLOB ||
        (size_t)sqlite3_value_bytes(call->of) != bytes) {
        return call_fail(
            call, sqlite3_mprintf("nightjar_nearest: the vector has %d bytes; generation %lld has "
                                  "embeddings of %d components, %d bytes",
                                  sqlite3_value_bytes(call->of), call->catalogue->generation,
                                  (int)d, (int)bytes));
    }
    memcpy(call->vector, sqlite3_value_blob(call->of), bytes);
    for (size_t j = 0; j < d; j++) {
        squares += (double)call->vector[j] * (double)call->vector[j];
    }
    if (!isfinite(squares) || squares < 1e-30) {
        return call_fail(call, sqlite3_mprintf("nightjar_nearest: the vector has %s",
                                               isfinite(squares) ? "no length"
                                                                 : "a component that is no finite "
                                                                   "number"));
    }
    for (size_t j = 0; j < d; j++) {
        call->vector[j] = (float)((double)call->vector[j] / sqrt(squares));
    }
    return SQLITE_OK;
}

static void offer_near(struct call *call, const void *data, int32_t item)
{
    const float scale = (float)(1 / call->catalogue->temperature);
    (void)data;
    topk_offer(&call->best, cosine_of(call, item) * scale + call->catalogue->biases[item], item);
}

static int fill_nearest(struct call *call)
{
    const int code = read_vector(call);
    return code == SQLITE_OK ? call_each_item(call, offer_near, NULL) : code;
}

/* data: the item itself. */
static void offer_similar(struct call *call, const void *data, int32_t item)
{
    if (item != *(const int32_t *)data) {
        topk_offer(&call->best, cosine_of(call, item), item);
    }
}

static int fill_similar(struct call *call)
{
    const size_t d = call->catalogue->dimension;
    const int32_t item = catalogue_find(call->catalogue, call->of);
    if (item < 0) {
        return SQLITE_OK; /* nothing is like an item that is not published */
    }
    memcpy(call->vector, call->catalogue->vectors + (size_t)item * d, d * sizeof *call->vector);
    return call_each_item(call, offer_similar, &item);
}

int neighbours_register(sqlite3 *db, struct catalogues *catalogues)
{
    static const struct function nearest = {
        .name = "nightjar_nearest",
        .argument = "vector",
        .declaration = "CREATE TABLE nightjar_nearest(rank INTEGER, item_id, score REAL,"
                       " cosine REAL, vector HIDDEN, k HIDDEN, \"database\" HIDDEN)",
        .fill = fill_nearest,
        .show_fourth = show_cosine};
    static const struct function similar = {
        .name = "nightjar_similar",
        .argument = "item",
        .declaration = "CREATE TABLE nightjar_similar(rank INTEGER, item_id, score REAL,"
                       " cosine REAL, item HIDDEN, k HIDDEN, \"database\" HIDDEN)",
        .fill = fill_similar,
        .show_fourth = show_cosine};
    const int code = table_function_register(db, &nearest, catalogues);
    return code == SQLITE_OK ? table_function_register(db, &similar, catalogues) : code;
}
