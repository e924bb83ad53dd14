/* Fetching vectors from the owners of items, pushing gradients back to them. */
#include "training/item_rows.h"

#include "base/mem.h"
#include "math/vec.h"
#include "ranks/shards.h"

#include <assert.h>

enum { MOST_DENSE = 2, HEADER = 2 * sizeof(int32_t) };

/* ---- whose ---- */

/* Bytes of a row on the wire: whole words, as other things follow it. */
static size_t sent_row(const struct item_rows *rows)
{
    return (rows->d * ranks_float_size(rows->wire) + 3) / 4 * 4;
}

/* The row of an item of this rank. */
static int32_t row_of(const struct item_rows *rows, int32_t item)
{
    return (int32_t)shard_items_below(ranks_n(rows->ranks), ranks_mine(rows->ranks), (size_t)item);
}

int32_t item_rows_row(const struct item_rows *rows, int32_t item)
{
    if (!item_rows_are_spread(rows)) {
        return item;
    }
    return shard_item_is_own(rows->ranks, (size_t)item) ? row_of(rows, item) : -1;
}

enum status_code item_rows_init(struct item_rows *rows, struct ranks *ranks, size_t n_items,
                                size_t d, enum ranks_floats wire, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = ranks_n(ranks), mine = ranks_mine(ranks);
    *rows = (struct item_rows){.ranks = ranks,
                               .wire = wire,
                               .n_items = n_items,
                               .n_own = shard_items_below(n, mine, n_items),
                               .d = d};
    if (n > 1) {
        TRY(MEM_NEW(&rows->keys, rows->n_own, status));
        TRY(MEM_NEW(&rows->slot_of, rows->n_own, status));
        TRY(MEM_NEW(&rows->pass_rows, rows->n_own, status));
        for (size_t i = 0; i < rows->n_own; i++) {
            rows->keys[i] = shard_nth_item(n, mine, i);
            rows->slot_of[i] = -1;
        }
    }
    rows->request = &rows->requests[0];
done:
    if (code != STATUS_OK) {
        item_rows_release(rows);
    }
    return code;
}

void item_rows_release(struct item_rows *rows)
{
    for (size_t r = 0; r < 2; r++) {
        workspace_release(&rows->requests[r].workspace);
        ranks_bytes_release(&rows->requests[r].wanted);
    }
    tower_pass_release(&rows->pass);
    workspace_release(&rows->fetched);
    workspace_release(&rows->pushed);
    ranks_bytes_release(&rows->received);
    mem_free(rows->keys);
    mem_free(rows->slot_of);
    mem_free(rows->pass_rows);
    mem_free(rows->outgoing.owners);
    mem_free(rows->outgoing.headers);
    mem_free(rows->outgoing.values);
    ranks_bytes_release(&rows->send);
    *rows = (struct item_rows){0};
}

/* ---- asking ---- */

static struct item_request *other_request(struct item_rows *rows)
{
    return &rows->requests[rows->request == &rows->requests[0]];
}

enum status_code item_rows_ask(struct item_rows *rows, const struct candidate_set *set,
                               struct status *status)
{
    enum status_code code = STATUS_OK;
    size_t first[RANKS_MAX + 1];
    if (!item_rows_are_spread(rows)) {
        rows->request->set = set;
        return code;
    }
    if (other_request(rows)->is_asked) { /* with the last push */
        rows->request->is_asked = false;
        rows->request = other_request(rows);
        assert(rows->request->set == set);
        return code;
    }
    TRY(item_request_make(rows->request, rows->ranks, set, status));
    for (size_t r = 0; r <= ranks_n(rows->ranks); r++) {
        first[r] = rows->request->first_asked[r] * sizeof(int32_t);
    }
    TRY(ranks_exchange(rows->ranks, rows->request->asked, first, &rows->request->wanted, status));
    rows->request->is_asked = true;
done:
    return code;
}

/* ---- vectors ---- */

/* Puts a row of this rank among those of the pass. */
static int32_t join_pass(struct item_rows *rows, int32_t item)
{
    const int32_t row = row_of(rows, item);
    if (rows->slot_of[row] < 0) {
        rows->slot_of[row] = (int32_t)rows->n_pass;
        rows->pass_rows[rows->n_pass++] = row;
    }
    return rows->slot_of[row];
}

/* The rows of the pass: own ones among the shared negatives, then what else is wanted. `wanted`
 * becomes their places. */
static void choose_pass(struct item_rows *rows)
{
    struct item_request *request = rows->request;
    const size_t mine = ranks_mine(rows->ranks), n_ranks = ranks_n(rows->ranks);
    int32_t *wanted = (void *)request->wanted.data;
    for (size_t i = 0; i < rows->n_pass; i++) {
        rows->slot_of[rows->pass_rows[i]] = -1;
    }
    rows->n_pass = 0;
    for (size_t c = 0; c < request->set->n_negatives; c++) {
        if (request->owners[c] == mine) {
            (void)join_pass(rows, candidate_set_item(request->set, c));
        }
    }
    for (size_t i = 0; i < request->wanted.first[n_ranks] / sizeof *wanted; i++) {
        wanted[i] = join_pass(rows, wanted[i]);
    }
}

static size_t n_wanted(const struct item_request *request, size_t rank)
{
    return (request->wanted.first[rank + 1] - request->wanted.first[rank]) / sizeof(int32_t);
}

static void pack_row(const struct item_rows *rows, const float *row, char *to)
{
    memset(to + sent_row(rows) - sizeof(int32_t), 0, sizeof(int32_t)); /* an odd one ends there */
    ranks_floats_pack(rows->wire, row, to, rows->d);
}

/* To every rank the own shared negatives and what it wants. */
static enum status_code send_vectors(struct item_rows *rows, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct item_request *request = rows->request;
    const size_t n_ranks = ranks_n(rows->ranks), row = sent_row(rows);
    const size_t own = request->n_shared[ranks_mine(rows->ranks)];
    size_t first[RANKS_MAX + 1] = {0};
    for (size_t r = 0; r < n_ranks; r++) {
        first[r + 1] = first[r] + (own + n_wanted(request, r)) * row;
    }
    TRY(ranks_bytes_reserve(&rows->send, first[n_ranks], status));
    for (size_t r = 0; r < n_ranks; r++) {
        const int32_t *wanted = (const void *)(request->wanted.data + request->wanted.first[r]);
        for (size_t i = 0; i < own; i++) {
            pack_row(rows, rows->pass.vectors + i * rows->d, rows->send.data + first[r] + i * row);
        }
        for (size_t i = 0; i < n_wanted(request, r); i++) {
            pack_row(rows, rows->pass.vectors + (size_t)wanted[i] * rows->d,
                     rows->send.data + first[r] + (own + i) * row);
        }
    }
    TRY(ranks_exchange(rows->ranks, rows->send.data, first, &rows->received, status));
done:
    return code;
}

/* What came goes to the places of the candidates. */
static enum status_code place_vectors(struct item_rows *rows, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct item_request *request = rows->request;
    const struct candidate_set *set = request->set;
    const size_t row = sent_row(rows);
    workspace_begin(&rows->fetched);
    WORKSPACE_ADD(&rows->fetched, &rows->fetched_vectors, set->n * rows->d);
    TRY(workspace_reserve(&rows->fetched, status));
    for (size_t c = 0; c < set->n; c++) {
        const size_t owner = request->owners[c];
        const size_t at = c < set->n_negatives
                              ? (size_t)~request->codes[c]
                              : request->n_shared[owner] + (size_t)request->codes[c];
        ranks_floats_unpack(rows->wire,
                            rows->received.data + rows->received.first[owner] + at * row,
                            rows->fetched_vectors + c * rows->d, rows->d);
    }
    rows->vectors = rows->fetched_vectors;
done:
    return code;
}

/* What others would get, where there are none. */
static enum status_code round_vectors(struct item_rows *rows, struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n = rows->request->set->n * rows->d;
    rows->vectors = rows->pass.vectors;
    if (rows->wire == RANKS_FLOAT32) {
        return code;
    }
    workspace_begin(&rows->fetched);
    WORKSPACE_ADD(&rows->fetched, &rows->fetched_vectors, n);
    TRY(workspace_reserve(&rows->fetched, status));
    if (n > 0) {
        memcpy(rows->fetched_vectors, rows->pass.vectors, n * sizeof(float));
    }
    vec_ops()->round_bfloat16(rows->fetched_vectors, n);
    rows->vectors = rows->fetched_vectors;
done:
    return code;
}

enum status_code item_rows_fetch(struct item_rows *rows, struct encoder *encoder,
                                 const struct encoder_view *view, double rate, struct pool *pool,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    if (!item_rows_are_spread(rows)) {
        const struct candidate_set *set = rows->request->set;
        TRY(encoder_forward(encoder, SIDE_ITEMS, view, candidate_set_rows(set), set->n, rate,
                            &rows->pass, pool, status));
        code = round_vectors(rows, status);
        goto done;
    }
    const int64_t sent_before = ranks_traffic(rows->ranks).bytes;
    rows->n_dense = rows->n_sections = rows->outgoing.n = 0;
    choose_pass(rows);
    TRY(encoder_forward(encoder, SIDE_ITEMS, view, rows->pass_rows, rows->n_pass, rate, &rows->pass,
                        pool, status));
    TRY(send_vectors(rows, status));
    TRY(place_vectors(rows, status));
    rows->n_sent += ranks_traffic(rows->ranks).bytes - sent_before;
    workspace_begin(&rows->pushed);
    WORKSPACE_ADD(&rows->pushed, &rows->dense,
                  rows->request->set->n_negatives * MOST_DENSE * rows->d);
    WORKSPACE_ADD(&rows->pushed, &rows->gradient, rows->n_pass * rows->d);
    WORKSPACE_ADD(&rows->pushed, &rows->unpacked, rows->d);
    TRY(workspace_reserve(&rows->pushed, status));
done:
    return code;
}

/* ---- gradients ---- */

static enum status_code take(struct item_rows *rows, const int32_t *columns, const float *values,
                             size_t n, struct status *status)
{
    enum status_code code = STATUS_OK;
    struct outgoing *out = &rows->outgoing;
    const struct item_request *request = rows->request;
    if (out->n + n > out->room) {
        const size_t room = out->room, want = out->n + n + room / 2;
        out->room = 0;
        TRY(MEM_RESIZE(&out->owners, room, want, status));
        TRY(MEM_RESIZE(&out->headers, 2 * room, 2 * want, status));
        TRY(MEM_RESIZE(&out->values, room * rows->d, want * rows->d, status));
        out->room = want;
    }
    for (size_t i = 0; i < n; i++, out->n++) {
        out->owners[out->n] = request->owners[columns[i]];
        out->headers[2 * out->n] = request->codes[columns[i]];
        out->headers[2 * out->n + 1] = (int32_t)rows->n_sections;
    }
    if (n > 0) {
        memcpy(out->values + (out->n - n) * rows->d, values, n * rows->d * sizeof *values);
    }
    rows->n_sections++;
done:
    return code;
}

enum status_code item_rows_take(struct item_rows *rows, const float *dense,
                                const struct contrast_parts *parts, struct status *status)
{
    const struct item_request *request = rows->request;
    const size_t d = rows->d, width = MOST_DENSE * d;
    assert(rows->n_dense < MOST_DENSE && rows->n_dense == rows->n_sections);
    for (size_t i = 0; i < request->set->n_negatives; i++) {
        memcpy(rows->dense + i * width + rows->n_dense * d, dense + (size_t)request->shared[i] * d,
               d * sizeof *dense);
    }
    rows->n_dense++;
    return take(rows, parts->columns, parts->values, parts->n, status);
}

enum status_code item_rows_take_rows(struct item_rows *rows, const int32_t *columns,
                                     const float *gradient, size_t n, struct status *status)
{
    return take(rows, columns, gradient, n, status);
}

/* Dense sums of the own shared negatives, of each contrast side by side: *mine (own, n_dense d). */
static enum status_code sum_dense(struct item_rows *rows, const float **mine, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct item_request *request = rows->request;
    const size_t n_ranks = ranks_n(rows->ranks), width = rows->n_dense * rows->d;
    size_t first[RANKS_MAX + 1] = {0};
    for (size_t r = 0; r < n_ranks; r++) {
        first[r + 1] = first[r] + request->n_shared[r];
    }
    for (size_t i = 0; i < first[n_ranks] && rows->n_dense < MOST_DENSE; i++) {
        memmove(rows->dense + i * width, rows->dense + i * MOST_DENSE * rows->d,
                width * sizeof(float));
    }
    TRY(ranks_tree_scatter(rows->ranks, rows->dense, first, width, rows->wire, status));
    *mine = rows->dense + first[ranks_mine(rows->ranks)] * width;
done:
    return code;
}

/* Bytes to each rank: how many gradients, their headers, their values, the items asked for next. */
static enum status_code send_gradients(struct item_rows *rows, const struct item_request *next,
                                       struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct outgoing *out = &rows->outgoing;
    const size_t n_ranks = ranks_n(rows->ranks), row = sent_row(rows);
    size_t counts[RANKS_MAX] = {0}, first[RANKS_MAX + 1] = {0}, at[RANKS_MAX] = {0};
    for (size_t i = 0; i < out->n; i++) {
        counts[out->owners[i]]++;
    }
    for (size_t r = 0; r < n_ranks; r++) {
        const size_t asked = next == NULL ? 0 : next->first_asked[r + 1] - next->first_asked[r];
        first[r + 1] = first[r] + HEADER + counts[r] * (HEADER + row) + asked * sizeof(int32_t);
    }
    TRY(ranks_bytes_reserve(&rows->send, first[n_ranks], status));
    for (size_t r = 0; r < n_ranks; r++) {
        const int64_t n = (int64_t)counts[r];
        memcpy(rows->send.data + first[r], &n, sizeof n);
        if (next != NULL) {
            memcpy(rows->send.data + first[r] + HEADER + counts[r] * (HEADER + row),
                   next->asked + next->first_asked[r],
                   (next->first_asked[r + 1] - next->first_asked[r]) * sizeof *next->asked);
        }
    }
    for (size_t i = 0; i < out->n; i++) {
        const size_t r = out->owners[i], k = at[r]++;
        char *to = rows->send.data + first[r] + HEADER;
        memcpy(to + k * HEADER, out->headers + 2 * i, HEADER);
        pack_row(rows, out->values + i * rows->d, to + counts[r] * HEADER + k * row);
    }
    TRY(ranks_exchange(rows->ranks, rows->send.data, first, &rows->received, status));
done:
    return code;
}

/* Gradients that came from one rank. */
struct incoming {
    size_t n, at;
    const int32_t *headers;
    const char *values;
    const int32_t *wanted; /* places of what the rank asked for */
};

/* What came is added section by section, the ranks' leaves ascending. */
static void sum_gradients(struct item_rows *rows, const float *mine, struct incoming *from)
{
    const struct vec_ops *vec = vec_ops();
    const struct item_request *request = rows->request;
    const size_t n_ranks = ranks_n(rows->ranks), d = rows->d, width = rows->n_dense * d;
    const size_t own = request->n_shared[ranks_mine(rows->ranks)];
    memset(rows->gradient, 0, rows->n_pass * d * sizeof(float));
    for (size_t section = 0; section < rows->n_sections; section++) {
        for (size_t i = 0; i < own && section < rows->n_dense; i++) {
            if (section == 0) {
                memcpy(rows->gradient + i * d, mine + i * width, d * sizeof(float));
            } else {
                vec->axpy(1.0f, mine + i * width + section * d, rows->gradient + i * d, d);
            }
        }
        for (size_t r = 0; r < n_ranks; r++) {
            struct incoming *in = &from[r];
            for (; in->at < in->n && in->headers[2 * in->at + 1] == (int32_t)section; in->at++) {
                const int32_t code = in->headers[2 * in->at];
                const size_t slot = code < 0 ? (size_t)~code : (size_t)in->wanted[code];
                ranks_floats_unpack(rows->wire, in->values + in->at * sent_row(rows),
                                    rows->unpacked, d);
                vec->axpy(1.0f, rows->unpacked, rows->gradient + slot * d, d);
            }
        }
    }
}

/* Takes the received bytes apart; what is asked for next goes to its request. */
static enum status_code read_received(const struct item_rows *rows, struct incoming *from,
                                      struct item_request *next, struct status *status)
{
    enum status_code code = STATUS_OK;
    const struct item_request *request = rows->request;
    const size_t n_ranks = ranks_n(rows->ranks), row = sent_row(rows);
    const struct ranks_bytes *received = &rows->received;
    size_t first[RANKS_MAX + 1] = {0};
    for (size_t r = 0; r < n_ranks; r++) {
        const char *data = received->data + received->first[r];
        int64_t n;
        memcpy(&n, data, sizeof n);
        from[r] = (struct incoming){
            .n = (size_t)n,
            .headers = (const void *)(data + HEADER),
            .values = data + HEADER + (size_t)n * HEADER,
            .wanted = (const void *)(request->wanted.data + request->wanted.first[r])};
        first[r + 1] = first[r] + received->first[r + 1] - received->first[r] - HEADER -
                       (size_t)n * (HEADER + row);
    }
    if (next == NULL) {
        goto done;
    }
    TRY(ranks_bytes_reserve(&next->wanted, first[n_ranks], status));
    memcpy(next->wanted.first, first, sizeof first);
    for (size_t r = 0; r < n_ranks; r++) {
        memcpy(next->wanted.data + first[r],
               received->data + received->first[r + 1] - (first[r + 1] - first[r]),
               first[r + 1] - first[r]);
    }
    next->is_asked = true;
done:
    return code;
}

enum status_code item_rows_push(struct item_rows *rows, const struct candidate_set *next,
                                struct status *status)
{
    enum status_code code = STATUS_OK;
    struct item_request *following = next == NULL ? NULL : other_request(rows);
    struct incoming from[RANKS_MAX];
    const float *mine = NULL;
    const int64_t sent_before = ranks_traffic(rows->ranks).bytes;
    if (following != NULL) {
        TRY(item_request_make(following, rows->ranks, next, status));
    }
    TRY(sum_dense(rows, &mine, status));
    TRY(send_gradients(rows, following, status));
    TRY(read_received(rows, from, following, status));
    sum_gradients(rows, mine, from);
    rows->n_sent += ranks_traffic(rows->ranks).bytes - sent_before;
    rows->n_steps++;
done:
    return code;
}

/* ---- all rows ---- */

enum status_code item_rows_gather(const struct item_rows *rows, const float *own, float *out,
                                  struct status *status)
{
    enum status_code code = STATUS_OK;
    const size_t n_ranks = ranks_n(rows->ranks), row = rows->d * sizeof(float);
    struct ranks_bytes all = {0};
    if (!item_rows_are_spread(rows)) {
        return code;
    }
    TRY(ranks_gather(rows->ranks, own, rows->n_own * row, &all, status));
    for (size_t r = 0; r < n_ranks; r++) {
        const char *data = all.data + all.first[r];
        for (size_t i = 0; i < (all.first[r + 1] - all.first[r]) / row; i++) {
            memcpy(out + shard_nth_item(n_ranks, r, i) * rows->d, data + i * row, row);
        }
    }
done:
    ranks_bytes_release(&all);
    return code;
}
