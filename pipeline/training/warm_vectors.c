/* Reads the published vectors and matches them by id. */
#include "training/warm_vectors.h"

#include "base/mem.h"
#include "base/num.h"
#include "math/vec.h"

#include <math.h>

/* What differs between the sides. */
static const struct {
    const char *view, *id, *plural;
} side_texts[N_SIDES] = {
    [SIDE_USERS] = {"user_embeddings", "user_id", "users"},
    [SIDE_ITEMS] = {"item_embeddings", "item_id", "items"},
};

/* Of one side while it is read. */
struct reading {
    const struct vocabulary *ids;
    const int32_t *row_of;   /* (ids->n) row of each master code, or -1 */
    size_t dimension, width; /* of the vectors wanted and of those published */
    struct warm_side *side;
};

/* The row of the dataset that the id in column 0 stands for, or -1. */
static int32_t find_row(const struct reading *reading, struct db_query *query)
{
    const struct vocabulary *ids = reading->ids;
    enum db_type type = db_column_type(query, 0);
    int32_t code = -1;
    if (type == DB_INTEGER && ids->type == ID_INTEGER) {
        code = vocabulary_find_integer(ids, db_column_int64(query, 0));
    } else if (type == DB_TEXT && ids->type == ID_TEXT) {
        size_t length;
        const char *text = db_column_text(query, 0, &length);
        code = vocabulary_find_text(ids, text, length);
    }
    return code < 0 ? -1 : reading->row_of[code];
}

/* Whether the floats are a vector as publish writes them, or the part of ids of one in which
 * sequences are read, too: that is brought to a length of 1. The tolerance is far above what
 * rounding `dimension` floats does to that, and far below any other meaning of the bytes. */
static bool take_part(const struct reading *reading, float *vector)
{
    const double tolerance = 1e-3, least = 1e-6;
    const size_t d = reading->dimension;
    const double square = (double)vec_ops()->dot(vector, vector, d);
    if (!isfinite(square) || square > 1.0 + tolerance) {
        return false;
    }
    if (d == reading->width) {
        return square >= 1.0 - tolerance;
    }
    if (square >= least) {
        vec_ops()->scale((float)(1.0 / sqrt(square)), vector, d);
    }
    return square >= least;
}

static void take_row(struct reading *reading, struct db_query *query)
{
    struct warm_side *side = reading->side;
    size_t d = reading->dimension, length = 0;
    int32_t row = find_row(reading, query);
    if (row < 0 || side->is_known[row]) {
        return;
    }
    float *vector = side->vectors + (size_t)row * d;
    const void *bytes = db_column_blob(query, 1, &length);
    bool fits = db_column_type(query, 1) == DB_BLOB && length == reading->width * sizeof *vector;
    if (fits) {
        memcpy(vector, bytes, d * sizeof *vector);
    }
    if (fits && take_part(reading, vector)) {
        side->is_known[row] = 1;
        side->n_matched++;
        return;
    }
    memset(vector, 0, d * sizeof *vector);
    if (side->n_bad == 0) {
        size_t n = 0;
        const char *id = db_column_text(query, 0, &n);
        buf_add(&side->first_bad, id, n);
    }
    side->n_bad++;
}

/* All rows of a view, in the order of the database: each belongs to a row of its own. */
static enum status_code read_view(struct db *db, const char *view, const char *id,
                                  struct reading *reading, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf sql = {0};
    struct db_query *query = NULL;
    buf_addf(&sql, "SELECT %s, embedding FROM ", id);
    db_quote(&sql, view);
    TRY(buf_check(&sql, status));
    TRY(db_prepare(db, buf_text(&sql), &query, status));
    for (;;) {
        bool has_row = false;
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        take_row(reading, query);
    }
    TRY(buf_check(&reading->side->first_bad, status));
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}

static enum status_code read_side(struct db *db, const char *prefix, enum tower_side s,
                                  struct interactions *interactions, enum basis basis,
                                  size_t dimension, size_t width, struct warm_side *side,
                                  struct buf *why, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct dataset *dataset = &interactions->basis[basis];
    struct vocabulary *ids = s == SIDE_USERS ? &interactions->users : &interactions->items;
    const int32_t *codes = s == SIDE_USERS ? dataset->users : dataset->items;
    struct buf view = {0}, type = {0};
    int32_t *row_of = NULL;
    size_t n_floats = 0;
    side->n = s == SIDE_USERS ? dataset->n_users : dataset->n_items;
    buf_addf(&view, "%s%s", prefix, side_texts[s].view);
    TRY(buf_check(&view, status));
    TRY(db_object_type(db, buf_text(&view), &type, status));
    if (type.length == 0) {
        buf_addf(why, "the view %s is gone", buf_text(&view));
        goto done;
    }
    if (!num_multiply(side->n, dimension, &n_floats)) {
        TRY(status_set(status, STATUS_NO_MEMORY, "%zu vectors of dimension %zu are too many",
                       side->n, dimension));
    }
    TRY(MEM_NEW(&side->vectors, n_floats, status));
    TRY(MEM_NEW(&side->is_known, side->n, status));
    TRY(MEM_NEW(&row_of, ids->n, status));
    dataset_invert(codes, side->n, ids->n, row_of);
    TRY(vocabulary_build_index(ids, status));
    struct reading reading = {ids, row_of, dimension, width, side};
    TRY(read_view(db, buf_text(&view), side_texts[s].id, &reading, status));
    side->warm = (struct warm_start){.vectors = side->vectors, .is_known = side->is_known};
    if (2 * side->n_matched < side->n) {
        buf_addf(why, "it knows %zu of the %zu %s, fewer than half", side->n_matched, side->n,
                 side_texts[s].plural);
    }
done:
    mem_free(row_of);
    buf_release(&view);
    buf_release(&type);
    return code;
}

enum status_code warm_vectors_read(struct db *db, const char *prefix,
                                   const struct published_info *info,
                                   struct interactions *interactions, enum basis basis,
                                   size_t dimension, size_t beside, struct warm_vectors *out,
                                   struct buf *why, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t width =
        info->dimension == (int64_t)(dimension + beside) ? dimension + beside : dimension;
    if (info->dimension != (int64_t)width) {
        buf_addf(why, "its vectors have dimension %lld, today's have %zu",
                 (long long)info->dimension, dimension);
        if (beside > 0) {
            buf_addf(why, ", or %zu with those of sequences", dimension + beside);
        }
    }
    for (size_t s = 0; s < N_SIDES && why->length == 0; s++) {
        TRY(read_side(db, prefix, (enum tower_side)s, interactions, basis, dimension, width,
                      &out->side[s], why, status));
    }
    TRY(buf_check(why, status));
done:
    return code;
}

void warm_vectors_release(struct warm_vectors *vectors)
{
    for (size_t s = 0; s < N_SIDES; s++) {
        mem_free(vectors->side[s].vectors);
        mem_free(vectors->side[s].is_known);
        buf_release(&vectors->side[s].first_bad);
        vectors->side[s] = (struct warm_side){0};
    }
}
