/* Reads the published vectors and matches them by id. */
#include "training/warm_vectors.h"

#include "base/mem.h"
#include "base/num.h"
#include "math/vec.h"
#include "ranks/outbox.h"
#include "ranks/shards.h"

#include <math.h>

/* What differs between the sides. */
static const struct {
    const char *view, *id, *plural;
} side_texts[N_SIDES] = {
    [SIDE_USERS] = {"user_embeddings", "user_id", "users"},
    [SIDE_ITEMS] = {"item_embeddings", "item_id", "items"},
};

/* Rows at a time: what is sent of them must find room with their reader. */
enum { ROWS_A_TIME = 4096 };

/* Of one side while it is read. */
struct reading {
    const char *view;
    enum tower_side side_of;
    struct ranks *ranks;
    const struct vocabulary *ids;
    const int32_t *row_of;   /* (ids->n) row of each master code, or -1 */
    size_t dimension, width; /* of the vectors wanted and of those published */
    struct warm_side *side;
    int64_t first_bad_number;
    struct outbox outbox; /* rows by who has the entity */
};

/* A published row on its way: this, then the text of an id, then its vector. */
struct record {
    int64_t number, integer;
    int64_t id_bytes;     /* of a TEXT id; -1: it is an INTEGER */
    int64_t vector_bytes; /* -1: it is no BLOB */
};

/* ---- the reader's ---- */

static void send_to(struct reading *reading, size_t rank, const struct record *record,
                    const void *id, const void *vector)
{
    struct buf *sent = &reading->outbox.to[rank];
    buf_add(sent, record, sizeof *record);
    buf_add(sent, id, record->id_bytes < 0 ? 0 : (size_t)record->id_bytes);
    buf_add(sent, vector, record->vector_bytes < 0 ? 0 : (size_t)record->vector_bytes);
}

/* The row that the query stands at, to whoever has the user; an item to all. */
static void send_row(struct reading *reading, struct db_query *query, int64_t number)
{
    struct row_id id;
    struct record record = {.number = number, .id_bytes = -1, .vector_bytes = -1};
    size_t length = 0;
    const void *vector = db_column_blob(query, 1, &length);
    if (row_id_read(query, 0, &id) != ROW_ID_SOUND) {
        return;
    }
    record.integer = id.is_text ? 0 : id.integer;
    record.id_bytes = id.is_text ? (int64_t)id.length : -1;
    if (db_column_type(query, 1) == DB_BLOB) {
        record.vector_bytes = (int64_t)length;
    }
    if (reading->side_of == SIDE_USERS) {
        const size_t shard = shard_of_key(vocabulary_key_of(&id));
        send_to(reading, ranks_owner(reading->ranks, shard), &record, id.text, vector);
        return;
    }
    for (size_t r = 0; r < ranks_n(reading->ranks); r++) {
        send_to(reading, r, &record, id.text, vector);
    }
}

/* The next rows of the view, in the order of the database; *more: there may be others behind. */
static enum status_code read_rows(struct reading *reading, struct db_query *query, int64_t *number,
                                  bool *more, struct status *status)
{
    enum status_code code = STATUS_OK;
    *more = query != NULL;
    for (size_t i = 0; i < ROWS_A_TIME && *more; i++) {
        TRY(db_step(query, more, status));
        if (*more) {
            send_row(reading, query, ++*number);
        }
    }
done:
    return code;
}

/* ---- the taker's ---- */

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

static void take_row(struct reading *reading, const struct record *record, const char *bytes)
{
    struct warm_side *side = reading->side;
    const size_t d = reading->dimension;
    const size_t id_bytes = record->id_bytes < 0 ? 0 : (size_t)record->id_bytes;
    const struct row_id id = {.is_text = record->id_bytes >= 0,
                              .integer = record->integer,
                              .text = bytes,
                              .length = id_bytes};
    const int32_t code = vocabulary_find(reading->ids, &id);
    const int32_t row = code < 0 ? -1 : reading->row_of[code];
    if (row < 0 || side->is_known[row]) {
        return;
    }
    float *vector = side->vectors + (size_t)row * d;
    const bool fits = record->vector_bytes == (int64_t)(reading->width * sizeof *vector);
    if (fits) {
        memcpy(vector, bytes + id_bytes, d * sizeof *vector);
    }
    if (fits && take_part(reading, vector)) {
        side->is_known[row] = 1;
        side->n_matched++;
        return;
    }
    memset(vector, 0, d * sizeof *vector);
    if (side->n_bad++ == 0) {
        reading->first_bad_number = record->number;
        if (id.is_text) {
            buf_add(&side->first_bad, bytes, id_bytes);
        } else {
            buf_addf(&side->first_bad, "%lld", (long long)id.integer);
        }
    }
}

static void take_rows(struct reading *reading, const char *data, size_t n)
{
    for (size_t at = 0; at < n;) {
        struct record record;
        memcpy(&record, data + at, sizeof record);
        take_row(reading, &record, data + at + sizeof record);
        at += sizeof record + (record.id_bytes < 0 ? 0 : (size_t)record.id_bytes) +
              (record.vector_bytes < 0 ? 0 : (size_t)record.vector_bytes);
    }
}

/* ---- all of a view ---- */

/* db NULL: another rank reads. */
static enum status_code read_view(struct db *db, struct reading *reading, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf sql = {0};
    struct db_query *query = NULL;
    int64_t number = 0;
    bool more = true;
    buf_addf(&sql, "SELECT %s, embedding FROM ", side_texts[reading->side_of].id);
    db_quote(&sql, reading->view);
    TRY(buf_check(&sql, status));
    if (db != NULL) {
        TRY(db_prepare(db, buf_text(&sql), &query, status));
    }
    while (more) {
        TRY(read_rows(reading, query, &number, &more, status));
        TRY(outbox_deliver(&reading->outbox, reading->ranks, status));
        take_rows(reading, reading->outbox.data, reading->outbox.n);
        TRY(buf_check(&reading->side->first_bad, status));
        TRY(ranks_share(reading->ranks, &more, sizeof more, status));
    }
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}

/* The counts of users, and the first that is bad, of all ranks; those of items are everybody's. */
static enum status_code add_up(const struct reading *reading, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct warm_side *side = reading->side;
    int64_t counts[] = {(int64_t)side->n, (int64_t)side->n_matched, (int64_t)side->n_bad};
    int64_t number = side->n_bad > 0 ? -reading->first_bad_number : INT64_MIN;
    const int64_t mine = number;
    struct ranks_bytes all = {0};
    if (reading->side_of == SIDE_ITEMS) {
        return code;
    }
    TRY(ranks_sum_int64(reading->ranks, counts, sizeof counts / sizeof *counts, status));
    TRY(ranks_max_int64(reading->ranks, &number, 1, status));
    TRY(ranks_gather(reading->ranks, side->first_bad.data,
                     mine == number ? side->first_bad.length : 0, &all, status));
    side->n = (size_t)counts[0];
    side->n_matched = (size_t)counts[1];
    side->n_bad = (size_t)counts[2];
    buf_clear(&side->first_bad);
    buf_add(&side->first_bad, all.data, all.first[ranks_n(reading->ranks)]);
    TRY(buf_check(&side->first_bad, status));
done:
    ranks_bytes_release(&all);
    return code;
}

/* Whether the first rank has the view. */
static enum status_code find_view(struct db *db, struct ranks *ranks, const char *view, bool *found,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    struct buf type = {0};
    *found = false;
    if (db != NULL) {
        TRY(db_object_type(db, view, &type, status));
        *found = type.length > 0;
    }
    TRY(ranks_share(ranks, found, sizeof *found, status));
done:
    buf_release(&type);
    return code;
}

static enum status_code read_side(const struct warm_request *request, struct reading *reading,
                                  struct buf *why, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct interactions *interactions = request->interactions;
    const struct dataset *dataset = &interactions->basis[request->basis];
    const enum tower_side s = reading->side_of;
    struct vocabulary *ids = s == SIDE_USERS ? &interactions->users : &interactions->items;
    const int32_t *codes = s == SIDE_USERS ? dataset->users : dataset->items;
    struct warm_side *side = reading->side;
    struct buf view = {0};
    int32_t *row_of = NULL;
    size_t n_floats = 0;
    bool found;
    side->n = s == SIDE_USERS ? dataset->n_users : dataset->n_items;
    buf_addf(&view, "%s%s", request->prefix, side_texts[s].view);
    TRY(buf_check(&view, status));
    TRY(find_view(request->db, reading->ranks, buf_text(&view), &found, status));
    if (!found) {
        buf_addf(why, "the view %s is gone", buf_text(&view));
        goto done;
    }
    if (!num_multiply(side->n, reading->dimension, &n_floats)) {
        TRY(status_set(status, STATUS_NO_MEMORY, "%zu vectors of dimension %zu are too many",
                       side->n, reading->dimension));
    }
    TRY(MEM_NEW(&side->vectors, n_floats, status));
    TRY(MEM_NEW(&side->is_known, side->n, status));
    TRY(MEM_NEW(&row_of, ids->n, status));
    dataset_invert(codes, side->n, ids->n, row_of);
    TRY(vocabulary_build_index(ids, status));
    reading->view = buf_text(&view);
    reading->ids = ids;
    reading->row_of = row_of;
    TRY(read_view(request->db, reading, status));
    TRY(add_up(reading, status));
    side->warm = (struct warm_start){.vectors = side->vectors, .is_known = side->is_known};
    if (2 * side->n_matched < side->n) {
        buf_addf(why, "it knows %zu of the %zu %s, fewer than half", side->n_matched, side->n,
                 side_texts[s].plural);
    }
done:
    outbox_release(&reading->outbox);
    mem_free(row_of);
    buf_release(&view);
    return code;
}

/* Of the published vectors, the components of ids. Of those that do not say it, one width may be
 * either: then they are taken for what the training makes. */
static int64_t id_components(const struct warm_request *request)
{
    const int64_t joined = (int64_t)(request->dimension + request->sequence_dimension);
    return request->sequence >= 0     ? request->width - request->sequence
           : request->width == joined ? (int64_t)request->dimension
                                      : request->width;
}

enum status_code warm_vectors_read(const struct warm_request *request, struct warm_vectors *out,
                                   struct buf *why, struct status *status)
{
    enum status_code code = STATUS_OK;
    if (id_components(request) != (int64_t)request->dimension) {
        buf_addf(why, "its vectors have dimension %lld", (long long)request->width);
        if (request->sequence > 0) {
            buf_addf(why, ", %lld of it from sequences", (long long)request->sequence);
        }
        buf_addf(why, ", today's have %zu", request->dimension);
        if (request->sequence_dimension > 0) {
            buf_addf(why, ", and %zu from sequences", request->sequence_dimension);
        }
    }
    for (size_t s = 0; s < N_SIDES && why->length == 0; s++) {
        struct reading reading = {.side_of = (enum tower_side)s,
                                  .ranks = request->ranks,
                                  .dimension = request->dimension,
                                  .width = (size_t)request->width,
                                  .side = &out->side[s]};
        TRY(read_side(request, &reading, why, status));
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
