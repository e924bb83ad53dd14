/* Opening and checking a query, and its rows on their way to all ranks: rank 0 packs as many as a
 * piece holds, everybody unpacks them. */
#include "serving/rules_rows.h"

#include <string.h>
#include <strings.h>

enum { PIECE_BYTES = 64 << 10 };

const struct rules_info rules_infos[N_SERVING_RULES] = {
    [RULE_SEGMENTS] = {"recommend.segments", true, false, "segment", true},
    [RULE_ELIGIBLE] = {"recommend.eligible", false, true, "segment", false},
    [RULE_EXCLUDE] = {"recommend.exclude", true, true, NULL, false},
    [RULE_BOOSTS] = {"recommend.boosts", false, true, "boost", true},
    [RULE_CATEGORIES] = {"recommend.categories", false, true, "category", true},
    [RULE_NEW_ITEMS] = {"recommend.new_items", false, true, NULL, false},
    [RULE_USERS] = {"recommend.users", true, false, NULL, false},
};

/* The column `name`, or its short form without "_id"; -1. */
static int column_of(const struct db_query *statement, const char *name)
{
    const char *suffix = strstr(name, "_id");
    size_t short_length = suffix == NULL ? strlen(name) : (size_t)(suffix - name);
    for (int i = 0; i < db_column_count(statement); i++) {
        const char *column = db_column_name(statement, i);
        if (strcasecmp(column, name) == 0 ||
            (strlen(column) == short_length && strncasecmp(column, name, short_length) == 0)) {
            return i;
        }
    }
    return -1;
}

static enum status_code find_column(struct rules_rows *rows, int kind, const char *name,
                                    bool needed, const char *shown, struct status *status)
{
    rows->columns[kind] = column_of(rows->statement, name);
    if (rows->columns[kind] >= 0) {
        rows->names[kind] = db_column_name(rows->statement, rows->columns[kind]);
    }
    if (rows->columns[kind] >= 0 || !needed) {
        return STATUS_OK;
    }
    return status_set(status, STATUS_CONFIG,
                      "%s: the query needs a column named %s: name it with AS", rows->info->what,
                      shown);
}

static enum status_code prepare(struct rules_rows *rows, struct db *db, struct status *status)
{
    const struct rules_info *info = rows->info;
    enum status_code code;
    TRY(db_prepare_user(db, info->what, rows->query->sql, rows->query->timeout_seconds,
                        &rows->statement, status));
    if (info->has_items) {
        TRY(find_column(rows, RULES_ITEM, "item_id", true, "item_id (or item)", status));
    }
    if (info->has_users) {
        TRY(find_column(rows, RULES_USER, "user_id", true, "user_id (or user)", status));
    }
    if (info->label != NULL) {
        TRY(find_column(rows, RULES_LABEL, info->label, info->needs_label, info->label, status));
    }
    rows->has_label = rows->columns[RULES_LABEL] >= 0;
    if (rows->has_label && rows->query->rule == RULE_ELIGIBLE && !rows->query->has_segments) {
        TRY(status_set(status, STATUS_CONFIG,
                       "%s: the query gives a segment, so recommend.segments must say who is in "
                       "which",
                       info->what));
    }
done:
    return code;
}

static void start(struct rules_rows *rows, const struct rules_query *query, struct ranks *ranks)
{
    *rows = (struct rules_rows){
        .query = query, .info = &rules_infos[query->rule], .ranks = ranks, .columns = {-1, -1, -1}};
}

enum status_code rules_rows_open(struct rules_rows *rows, struct db *db,
                                 const struct rules_query *query, struct ranks *ranks,
                                 struct status *status)
{
    enum status_code code;
    start(rows, query, ranks);
    if (ranks_is_first(ranks)) {
        TRY(prepare(rows, db, status));
    }
    TRY(ranks_share(ranks, &rows->has_label, sizeof rows->has_label, status));
done:
    return code;
}

static struct batch_cell cell_of(struct rules_rows *rows, int kind)
{
    struct db_cell cell;
    struct batch_cell out;
    const int column = rows->columns[kind];
    if (kind == RULES_LABEL && rows->query->rule != RULE_BOOSTS &&
        db_column_type(rows->statement, column) != DB_NULL) {
        size_t length;
        const char *text = db_column_text(rows->statement, column, &length);
        return batch_text(text, length);
    }
    db_column_cell(rows->statement, column, &cell);
    out = (struct batch_cell){.type = cell.type, .integer = cell.integer, .real = cell.real};
    if (cell.type == DB_TEXT || cell.type == DB_BLOB) {
        out.bytes = cell.text;
        out.length = cell.length;
    }
    return out;
}

/* A piece: whether it is the last one, then rows. */
static enum status_code pack(struct rules_rows *rows, struct status *status)
{
    enum status_code code;
    struct buf *piece = &rows->packed;
    bool has_row = true;
    TRY(watch_check(&rows->query->watch, status));
    buf_add_char(piece, 0);
    while (has_row && piece->length < PIECE_BYTES) {
        TRY(db_step(rows->statement, &has_row, status));
        for (int kind = 0; has_row && kind < N_RULES_COLUMNS; kind++) {
            if (rows->columns[kind] >= 0) {
                const struct batch_cell cell = cell_of(rows, kind);
                batch_cell_write(&cell, piece);
            }
        }
    }
    TRY(buf_check(piece, status));
    piece->data[0] = !has_row;
done:
    return code;
}

static enum status_code refill(struct rules_rows *rows, struct status *status)
{
    enum status_code code;
    buf_clear(&rows->packed);
    if (ranks_is_first(rows->ranks)) {
        TRY(pack(rows, status));
    }
    TRY(ranks_gather(rows->ranks, rows->packed.data, rows->packed.length, &rows->piece, status));
    rows->is_last = rows->piece.data[0] != 0;
    rows->at = 1;
    rows->end = rows->piece.first[ranks_n(rows->ranks)];
done:
    return code;
}

enum status_code rules_rows_next(struct rules_rows *rows, bool *has_row, struct status *status)
{
    enum status_code code = STATUS_OK;
    while (rows->at == rows->end && !rows->is_last) {
        TRY(refill(rows, status));
    }
    *has_row = rows->at < rows->end;
    if (*has_row) {
        const char *at = rows->piece.data + rows->at;
        if (rows->info->has_users) {
            rows->user = batch_cell_read(&at);
        }
        if (rows->info->has_items) {
            rows->item = batch_cell_read(&at);
        }
        if (rows->has_label) {
            rows->label = batch_cell_read(&at);
        }
        rows->at = (size_t)(at - rows->piece.data);
        rows->n_rows++;
    }
done:
    return code;
}

void rules_rows_release(struct rules_rows *rows)
{
    db_finalize(rows->statement);
    buf_release(&rows->packed);
    ranks_bytes_release(&rows->piece);
}

enum status_code rules_query_check(struct db *db, const struct rules_query *query,
                                   struct status *status)
{
    struct rules_rows rows;
    bool has_row = true;
    enum status_code code;
    start(&rows, query, NULL);
    TRY(prepare(&rows, db, status));
    if (query->rule == RULE_ELIGIBLE || query->rule == RULE_USERS) {
        TRY(db_step(rows.statement, &has_row, status));
    }
    if (!has_row) {
        code = status_set(status, STATUS_DATA,
                          "%s: the query gives no row, so nobody could be recommended anything",
                          rows.info->what);
    }
done:
    rules_rows_release(&rows);
    return code;
}

enum status_code rules_query_hash(struct db *db, const struct rules_query *query,
                                  struct hash_state *hash, struct status *status)
{
    enum { ROWS_BETWEEN_LOOKS = 4096 };
    struct rules_rows rows;
    bool has_row = true;
    enum status_code code;
    start(&rows, query, NULL);
    TRY(prepare(&rows, db, status));
    for (int64_t n = 0; has_row; n++) {
        if (n % ROWS_BETWEEN_LOOKS == 0) {
            TRY(watch_check(&query->watch, status));
        }
        TRY(db_step(rows.statement, &has_row, status));
        for (int i = 0; has_row && i < db_column_count(rows.statement); i++) {
            size_t length = 0;
            const enum db_type type = db_column_type(rows.statement, i);
            const void *bytes = type == DB_NULL ? NULL : db_column_blob(rows.statement, i, &length);
            hash_add_int64(hash, (int64_t)type);
            hash_add_int64(hash, (int64_t)length);
            hash_add(hash, bytes, length);
        }
    }
done:
    rules_rows_release(&rows);
    return code;
}
