/* The tables of a new generation: created, filled in short transactions so that others can write
 * in between, then read back and compared with what was meant. Nothing here is visible to readers
 * of the views. */
#include "publishing/publish_parts.h"

/* Of BLOBs and texts in a transaction: what a reader waits for in journal mode. */
enum { CHUNK_BYTES = 2 << 20 };

struct build {
    const struct publish_target *target;
    const struct publish_content *content;
    int64_t generation;
    size_t chunk_bytes; /* of the rows that wait */
    int64_t rows_done, rows_total;
    struct hash_state *expected, *actual; /* over the rows meant and the rows read back */
};

/* Takes the next number and makes its empty tables, all in one transaction. */
static enum status_code create_tables(struct build *build, int64_t *generation,
                                      struct status *status)
{
    struct db *db = build->target->db;
    const char *prefix = build->target->prefix;
    struct buf sql = {0};
    enum status_code code;
    bool found;
    TRY(db_begin_write(db, status));
    publish_add_sql(&sql, prefix,
                    "SELECT 1 + max((SELECT coalesce(max(generation), 0) FROM $nightjar_objects),"
                    " (SELECT coalesce(max(generation), 0) FROM $nightjar_generations))");
    TRY(buf_check(&sql, status));
    TRY(db_get_int64(db, buf_text(&sql), &build->generation, &found, status));
    for (int table = 0; table < N_TABLES; table++) {
        const struct publish_table_info *info = &publish_tables[table];
        if (!publish_has_table(build->content, (enum publish_table)table)) {
            continue;
        }
        buf_clear(&sql);
        buf_add_text(&sql, "CREATE TABLE ");
        publish_add_name(&sql, prefix, info->name, build->generation);
        buf_add_text(&sql, info->columns);
        TRY(db_exec_buf(db, &sql, status));
        TRY(publish_record(db, prefix, "table", info->name, build->generation, status));
    }
    TRY(db_commit(db, status));
    *generation = build->generation;
done:
    buf_release(&sql);
    return code;
}

static enum status_code report(struct build *build, struct status *status)
{
    const struct publish_target *target = build->target;
    return watch_step(&target->watch, (double)build->rows_done, (double)build->rows_total, status);
}

/* Inserts the rows that wait. They are ready before the transaction begins, so that other writers
 * wait for the inserts and the commit alone. */
static enum status_code write_chunk(struct build *build, struct row_batch *batch,
                                    struct status *status)
{
    const int64_t n_rows = (int64_t)batch->n_rows;
    enum status_code code;
    TRY(row_batch_write(batch, status));
    build->rows_done += n_rows;
    build->chunk_bytes = 0;
    code = report(build, status);
done:
    return code;
}

static enum status_code fill_table(struct build *build, enum publish_table table,
                                   struct status *status)
{
    const struct publish_table_info *info = &publish_tables[table];
    struct row_batch batch = {0};
    struct buf name = {0};
    enum status_code code;
    size_t position = 0;
    publish_add_name(&name, build->target->prefix, info->name, build->generation);
    TRY(buf_check(&name, status));
    TRY(row_batch_open(&batch, build->target->db, buf_text(&name), info->n_columns, ROW_BATCH_CHUNK,
                       status));
    struct batch_cell *row = row_batch_row(&batch);
    for (; publish_next_row(build->content, table, &position, row); row = row_batch_row(&batch)) {
        publish_hash_row(build->expected, row, info->n_columns);
        for (size_t c = 0; c < info->n_columns; c++) {
            build->chunk_bytes += row[c].length;
        }
        if (row_batch_add(&batch) || build->chunk_bytes >= CHUNK_BYTES) {
            TRY(write_chunk(build, &batch, status));
        }
    }
    if (batch.n_rows > 0) {
        TRY(write_chunk(build, &batch, status));
    }
done:
    row_batch_release(&batch);
    buf_release(&name);
    return code;
}

/* A cell as it came back, until the next step. */
static struct batch_cell read_cell(struct db_query *query, int column)
{
    struct batch_cell cell = {.type = db_column_type(query, column)};
    if (cell.type == DB_INTEGER) {
        cell.integer = db_column_int64(query, column);
    } else if (cell.type == DB_FLOAT) {
        cell.real = db_column_double(query, column);
    } else if (cell.type == DB_TEXT) {
        cell.bytes = db_column_text(query, column, &cell.length);
    } else {
        cell.bytes = db_column_blob(query, column, &cell.length);
    }
    return cell;
}

/* SELECT of the next ROW_BATCH_CHUNK rows in key order, from the key (?1, ?2, ...) on. */
static void add_select(struct buf *sql, const struct build *build, enum publish_table table)
{
    const struct publish_table_info *info = &publish_tables[table];
    buf_add_text(sql, "SELECT * FROM ");
    publish_add_name(sql, build->target->prefix, info->name, build->generation);
    buf_addf(sql, " WHERE (%s) >= (?1", info->keys);
    for (int k = 1; k < info->n_keys; k++) {
        buf_addf(sql, ", ?%d", k + 1);
    }
    buf_addf(sql, ") ORDER BY %s LIMIT %d", info->keys, ROW_BATCH_CHUNK);
}

/* Reads a chunk into the checksum; `next` is the key to start from and moves behind the last row
 * read. */
static enum status_code read_chunk(struct build *build, struct db_query *query,
                                   enum publish_table table, int64_t next[KEYS_MAX],
                                   int64_t *n_rows, struct status *status)
{
    const struct publish_table_info *info = &publish_tables[table];
    struct batch_cell cells[CELLS_MAX];
    enum status_code code = STATUS_OK;
    bool has_row;
    *n_rows = 0;
    for (int k = 0; k < info->n_keys; k++) {
        TRY(db_bind_int64(query, k + 1, next[k], status));
    }
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        for (size_t c = 0; c < info->n_columns; c++) {
            cells[c] = read_cell(query, (int)c);
        }
        publish_hash_row(build->actual, cells, info->n_columns);
        for (int k = 0; k < info->n_keys; k++) {
            next[k] = cells[k].integer;
        }
        (*n_rows)++;
    }
    TRY(db_reset(query, status)); /* lets writers in */
done:
    return code;
}

/* Reads the table in key order and checks its count; adds to the checksum of what is there. */
static enum status_code read_back(struct build *build, enum publish_table table, int64_t count,
                                  struct status *status)
{
    struct db_query *query = NULL;
    struct buf sql = {0};
    enum status_code code;
    int64_t n = 0, n_chunk, next[KEYS_MAX] = {INT64_MIN, INT64_MIN, INT64_MIN};
    add_select(&sql, build, table);
    TRY(buf_check(&sql, status));
    TRY(db_prepare(build->target->db, buf_text(&sql), &query, status));
    do {
        TRY(read_chunk(build, query, table, next, &n_chunk, status));
        n += n_chunk;
        int64_t *last = &next[publish_tables[table].n_keys - 1];
        if (*last == INT64_MAX) { /* an id alone can be: no key follows it. Ranks and places end
                                     long before */
            break;
        }
        ++*last;
    } while (n_chunk == ROW_BATCH_CHUNK);
    if (n != count) {
        TRY(status_set_at(status, STATUS_IO, db_path(build->target->db), 0, 0,
                          "generation %lld was not stored as it was meant: %s has %lld rows, "
                          "not %lld",
                          (long long)build->generation, publish_tables[table].name, (long long)n,
                          (long long)count));
    }
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}

static enum status_code verify(struct build *build, const int64_t counts[N_TABLES],
                               char checksum[HASH_TEXT_MAX], struct status *status)
{
    enum status_code code = STATUS_OK;
    char actual[HASH_TEXT_MAX];
    for (int table = 0; table < N_TABLES; table++) {
        if (publish_has_table(build->content, (enum publish_table)table)) {
            TRY(read_back(build, (enum publish_table)table, counts[table], status));
            TRY(report(build, status));
        }
    }
    hash_text(build->expected, checksum);
    hash_text(build->actual, actual);
    if (strcmp(checksum, actual) != 0) {
        TRY(status_set_at(status, STATUS_IO, db_path(build->target->db), 0, 0,
                          "generation %lld was not stored as it was meant: its checksum is %s, "
                          "not %s",
                          (long long)build->generation, actual, checksum));
    }
done:
    return code;
}

enum status_code publish_build(const struct publish_target *target,
                               const struct publish_content *content,
                               const int64_t counts[N_TABLES], int64_t *generation,
                               char checksum[HASH_TEXT_MAX], struct status *status)
{
    struct build build = {.target = target, .content = content};
    enum status_code code;
    for (int table = 0; table < N_TABLES; table++) {
        build.rows_total += counts[table];
    }
    TRY(hash_new(&build.expected, status));
    TRY(hash_new(&build.actual, status));
    TRY(create_tables(&build, generation, status));
    for (int table = 0; table < N_TABLES; table++) {
        if (publish_has_table(content, (enum publish_table)table)) {
            TRY(fill_table(&build, (enum publish_table)table, status));
        }
    }
    TRY(verify(&build, counts, checksum, status));
done:
    if (code != STATUS_OK) {
        db_rollback(target->db);
    }
    hash_free(build.expected);
    hash_free(build.actual);
    return code;
}
