/* The rows of a generation's table as rank 0 writes them: its own, and between them those that the
 * other ranks send, by ascending key. Rank 0 says whose turn it is, and these send their next
 * piece:
 *
 *      rank 0                            the others
 *      row_stream_open                   publish_send_rows: for each table that is spread
 *      row_stream_next, ...                  ranks_share    who is to send; nobody: the table's end
 *      row_stream_close                      ranks_collect  their pieces
 *
 * so that of each of them one piece is in rank 0's memory. A key, a user's id or an item's, has all
 * of its rows on one rank. */
#include "publishing/publish_parts.h"

/* Of one rank at once, and one row at least. */
enum { PIECE_BYTES = 1 << 20 };

bool publish_is_spread(enum publish_table table)
{
    return publish_tables[table].has_users || table == TABLE_SIMILAR_ITEMS;
}

/* ---- who sends ---- */

/* Without overflow. */
static int64_t add_sums(int64_t sum, uint64_t more)
{
    return (int64_t)((uint64_t)sum + more);
}

/* The next piece of the table: whether it is the last one, then rows. */
static enum status_code make_piece(const struct publish_content *content, enum publish_table table,
                                   size_t *position, int64_t *sum, struct buf *piece,
                                   struct status *status)
{
    const size_t n_columns = publish_tables[table].n_columns;
    struct batch_cell cells[CELLS_MAX];
    bool is_last = false;
    buf_clear(piece);
    buf_add_char(piece, 0);
    while (!is_last && piece->length < PIECE_BYTES && !piece->failed) {
        is_last = !publish_next_row(content, table, position, cells);
        for (size_t c = 0; !is_last && c < n_columns; c++) {
            batch_cell_write(&cells[c], piece);
        }
        *sum = add_sums(*sum, is_last ? 0 : publish_row_hash(cells, n_columns));
    }
    if (!piece->failed) {
        piece->data[0] = (char)is_last;
    }
    return buf_check(piece, status);
}

static enum status_code send_table(const struct publish_target *target,
                                   const struct publish_content *content, enum publish_table table,
                                   struct status *status)
{
    struct ranks *ranks = target->ranks;
    struct ranks_bytes nothing = {0};
    struct buf piece = {0};
    size_t position = 0;
    int64_t sum = 0;
    enum status_code code;
    for (;;) {
        struct publish_turn turn;
        TRY(watch_check(&target->watch, status));
        TRY(ranks_share(ranks, &turn, sizeof turn, status));
        if (turn.is_over) {
            break;
        }
        buf_clear(&piece);
        if (turn.sends[ranks_mine(ranks)]) {
            TRY(make_piece(content, table, &position, &sum, &piece, status));
        }
        TRY(ranks_collect(ranks, piece.data, piece.length, &nothing, status));
    }
    TRY(ranks_sum_int64(ranks, &sum, 1, status));
done:
    buf_release(&piece);
    ranks_bytes_release(&nothing);
    return code;
}

enum status_code publish_send_rows(const struct publish_target *target,
                                   const struct publish_content *content, struct status *status)
{
    enum status_code code = STATUS_OK;
    for (int table = 0; table < N_TABLES; table++) {
        if (publish_is_spread((enum publish_table)table) &&
            publish_has_table(content, (enum publish_table)table)) {
            TRY(send_table(target, content, (enum publish_table)table, status));
        }
    }
done:
    return code;
}

/* ---- rank 0 ---- */

static int compare_keys(const struct batch_cell *a, const struct batch_cell *b)
{
    if (a->type == DB_INTEGER) {
        return (a->integer > b->integer) - (a->integer < b->integer);
    }
    const size_t shorter = a->length < b->length ? a->length : b->length;
    const int order = memcmp(a->bytes, b->bytes, shorter);
    return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

/* The next row of what rank r has sent; of rank 0, of the content. */
static void step(struct row_stream *stream, size_t r)
{
    struct sender *sender = &stream->senders[r];
    const bool had_row = sender->has_row;
    const struct batch_cell key = sender->row[0];
    if (r == 0) {
        sender->has_row =
            publish_next_row(stream->content, stream->table, &stream->position, sender->row);
    } else {
        const char *at = sender->piece.data + sender->at;
        sender->has_row = sender->at < sender->piece.length;
        for (size_t c = 0; sender->has_row && c < publish_tables[stream->table].n_columns; c++) {
            sender->row[c] = batch_cell_read(&at);
        }
        sender->at = (size_t)(at - sender->piece.data);
        stream->is_dry = stream->is_dry || (!sender->has_row && !sender->is_last);
    }
    sender->goes_on = had_row && sender->has_row && compare_keys(&key, &sender->row[0]) == 0;
}

void row_stream_open(struct row_stream *stream, struct ranks *ranks,
                     const struct publish_content *content, enum publish_table table)
{
    *stream = (struct row_stream){.ranks = ranks, .content = content, .table = table};
    stream->n = publish_is_spread(table) ? ranks_n(ranks) : 1;
    stream->is_dry = stream->n > 1;
    step(stream, 0);
}

/* Everybody whose piece is used up sends the next one; is_over: nobody does any more. */
static enum status_code take_turn(struct row_stream *stream, bool is_over, struct status *status)
{
    struct publish_turn turn = {.is_over = is_over};
    enum status_code code;
    for (size_t r = 1; r < stream->n; r++) {
        turn.sends[r] = !stream->senders[r].has_row && !stream->senders[r].is_last;
    }
    TRY(ranks_share(stream->ranks, &turn, sizeof turn, status));
    if (is_over) {
        goto done;
    }
    TRY(ranks_collect(stream->ranks, NULL, 0, &stream->received, status));
    stream->is_dry = false;
    for (size_t r = 1; r < stream->n; r++) {
        struct sender *sender = &stream->senders[r];
        const char *bytes = stream->received.data + stream->received.first[r];
        if (turn.sends[r]) {
            buf_clear(&sender->piece);
            buf_add(&sender->piece, bytes,
                    stream->received.first[r + 1] - stream->received.first[r]);
            TRY(buf_check(&sender->piece, status));
            sender->is_last = bytes[0] != 0;
            sender->at = 1;
            step(stream, r);
        }
    }
done:
    return code;
}

enum status_code row_stream_next(struct row_stream *stream, struct batch_cell *cells, bool *has_row,
                                 struct status *status)
{
    const size_t n_columns = publish_tables[stream->table].n_columns;
    enum status_code code = STATUS_OK;
    if (stream->is_dry) {
        TRY(take_turn(stream, false, status));
    }
    if (!stream->senders[stream->turn].goes_on) {
        stream->turn = 0;
        for (size_t r = 1; r < stream->n; r++) {
            const struct sender *best = &stream->senders[stream->turn];
            const struct sender *sender = &stream->senders[r];
            if (sender->has_row &&
                (!best->has_row || compare_keys(&sender->row[0], &best->row[0]) < 0)) {
                stream->turn = r;
            }
        }
    }
    struct sender *sender = &stream->senders[stream->turn];
    *has_row = sender->has_row;
    if (sender->has_row) {
        memcpy(cells, sender->row, n_columns * sizeof *cells);
        stream->sum += stream->turn == 0 ? publish_row_hash(cells, n_columns) : 0;
        step(stream, stream->turn);
    }
done:
    return code;
}

enum status_code row_stream_end(struct row_stream *stream, uint64_t *sum, struct status *status)
{
    int64_t total = (int64_t)stream->sum;
    enum status_code code = STATUS_OK;
    if (stream->n > 1) {
        TRY(take_turn(stream, true, status));
        TRY(ranks_sum_int64(stream->ranks, &total, 1, status));
    }
    *sum = (uint64_t)total;
done:
    return code;
}

void row_stream_release(struct row_stream *stream)
{
    for (size_t r = 1; r < stream->n; r++) {
        buf_release(&stream->senders[r].piece);
    }
    ranks_bytes_release(&stream->received);
}
