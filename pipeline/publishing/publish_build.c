/* The tables of a new generation: created, filled in short transactions so that others can write
 * in between, then read back and compared with what was meant. Nothing here is visible to readers
 * of the views. */
#include "publishing/publish_parts.h"

/* Of BLOBs and texts in a transaction: what a reader waits for in journal mode. */
enum { CHUNK_BYTES = 2 << 20 };
/* Of an index that is made: 64 MiB in most files. */
enum { SPILL_PAGES = 16384 };

struct build {
    const struct publish_target *target;
    const struct publish_content *content;
    int64_t generation;
    size_t chunk_bytes; /* of the rows that wait */
    int64_t rows_done, rows_total;
    struct hash_state *expected, *actual; /* over the rows meant and the rows read back */
};

/* The columns of a table, with the types of the ids. */
static void add_columns(struct buf *sql, const struct publish_content *content, const char *columns)
{
    while (*columns != '\0') {
        const size_t plain = strcspn(columns, "$");
        buf_add(sql, columns, plain);
        columns += plain;
        if (*columns == '$') {
            const bool is_user = columns[1] == 'u';
            const struct publish_ids *ids = is_user ? &content->users : &content->items;
            buf_add_text(sql, ids->is_text ? "TEXT" : "INTEGER");
            columns += sizeof "$user" - 1;
        }
    }
}

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
        add_columns(&sql, build->content, info->columns);
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
    struct row_stream stream;
    struct buf name = {0};
    enum status_code code;
    bool has_row;
    uint64_t sum;
    row_stream_open(&stream, build->target->ranks, build->content, table);
    publish_add_name(&name, build->target->prefix, info->name, build->generation);
    TRY(buf_check(&name, status));
    TRY(row_batch_open(&batch, build->target->db, buf_text(&name), info->n_columns, ROW_BATCH_CHUNK,
                       status));
    for (;;) {
        struct batch_cell *row = row_batch_row(&batch);
        TRY(row_stream_next(&stream, row, &has_row, status));
        if (!has_row) {
            break;
        }
        for (size_t c = 0; c < info->n_columns; c++) {
            build->chunk_bytes += row[c].length;
        }
        if (row_batch_add(&batch) || build->chunk_bytes >= CHUNK_BYTES || stream.is_dry) {
            TRY(write_chunk(build, &batch, status));
        }
    }
    TRY(row_stream_end(&stream, &sum, status));
    if (batch.n_rows > 0) {
        TRY(write_chunk(build, &batch, status));
    }
    hash_add_int64(build->expected, (int64_t)sum);
done:
    row_stream_release(&stream);
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

/* The rows of a table as they are read back: chunk by chunk in key order, each from behind the last
 * key of the one before. */
struct read_back {
    const struct publish_table_info *info;
    struct db_query *first, *next; /* the first chunk; one behind the key ?1, ?2, ... */
    struct batch_cell last[KEYS_MAX];
    struct buf text; /* of a last[0] that is TEXT */
    int64_t n_rows;
    uint64_t sum;
};

static enum status_code read_back_open(struct read_back *read, const struct build *build,
                                       enum publish_table table, struct status *status)
{
    struct buf sql = {0};
    enum status_code code = STATUS_OK;
    read->info = &publish_tables[table];
    for (int is_next = 0; is_next < 2; is_next++) {
        buf_clear(&sql);
        buf_add_text(&sql, "SELECT * FROM ");
        publish_add_name(&sql, build->target->prefix, read->info->name, build->generation);
        if (is_next) {
            buf_addf(&sql, " WHERE (%s) > (?1", read->info->keys);
            for (int k = 1; k < read->info->n_keys; k++) {
                buf_addf(&sql, ", ?%d", k + 1);
            }
            buf_add_text(&sql, ")");
        }
        buf_addf(&sql, " ORDER BY %s LIMIT %d", read->info->keys, ROW_BATCH_CHUNK);
        TRY(buf_check(&sql, status));
        TRY(db_prepare(build->target->db, buf_text(&sql), is_next ? &read->next : &read->first,
                       status));
    }
done:
    buf_release(&sql);
    return code;
}

/* Keeps the key of a row that the next step of the query takes away. */
static void keep_key(struct read_back *read, const struct batch_cell *cells)
{
    for (int k = 0; k < read->info->n_keys; k++) {
        read->last[k] = cells[k];
    }
    if (cells[0].type == DB_TEXT) { /* only the first one can be */
        buf_clear(&read->text);
        buf_add(&read->text, cells[0].bytes, cells[0].length);
    }
}

static enum status_code bind_key(struct read_back *read, struct status *status)
{
    enum status_code code = STATUS_OK;
    TRY(buf_check(&read->text, status));
    for (int k = 0; k < read->info->n_keys && code == STATUS_OK; k++) {
        code = read->last[k].type == DB_TEXT
                   ? db_bind_text(read->next, k + 1, buf_text(&read->text), read->text.length, true,
                                  status)
                   : db_bind_int64(read->next, k + 1, read->last[k].integer, status);
    }
done:
    return code;
}

static enum status_code read_chunk(struct read_back *read, struct db_query *query, int64_t *n_rows,
                                   struct status *status)
{
    const size_t n_columns = read->info->n_columns;
    struct batch_cell cells[CELLS_MAX];
    enum status_code code = STATUS_OK;
    bool has_row;
    *n_rows = 0;
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        for (size_t c = 0; c < n_columns; c++) {
            cells[c] = read_cell(query, (int)c);
        }
        read->sum += publish_row_hash(cells, n_columns);
        (*n_rows)++;
        if (*n_rows == ROW_BATCH_CHUNK) {
            keep_key(read, cells);
        }
    }
    read->n_rows += *n_rows;
    TRY(db_reset(query, status)); /* lets writers in */
done:
    return code;
}

/* Reads the table and checks its count; adds to the checksum of what is there. */
static enum status_code read_back(struct build *build, enum publish_table table, int64_t count,
                                  struct status *status)
{
    struct read_back read = {0};
    enum status_code code;
    int64_t n_chunk;
    TRY(read_back_open(&read, build, table, status));
    TRY(read_chunk(&read, read.first, &n_chunk, status));
    while (n_chunk == ROW_BATCH_CHUNK) {
        TRY(bind_key(&read, status));
        TRY(read_chunk(&read, read.next, &n_chunk, status));
    }
    if (read.n_rows != count) {
        TRY(status_set_at(status, STATUS_IO, db_path(build->target->db), 0, 0,
                          "generation %lld was not stored as it was meant: %s has %lld rows, "
                          "not %lld",
                          (long long)build->generation, read.info->name, (long long)read.n_rows,
                          (long long)count));
    }
    hash_add_int64(build->actual, (int64_t)read.sum);
done:
    db_finalize(read.first);
    db_finalize(read.next);
    buf_release(&read.text);
    return code;
}

static enum status_code verify(struct build *build, const int64_t counts[N_COUNTS],
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

/* An index is made once its table is filled: row by row each chunk would touch all of its pages. It
 * is one transaction; as long as its pages wait in memory, others can read. */
static enum status_code create_index(const struct build *build,
                                     const struct publish_table_info *info, struct status *status)
{
    struct buf sql = {0}, spill = {0};
    enum status_code code;
    buf_add_text(&sql, "CREATE INDEX ");
    publish_add_name(&sql, build->target->prefix, info->index_name, build->generation);
    buf_add_text(&sql, " ON ");
    publish_add_name(&sql, build->target->prefix, info->name, build->generation);
    buf_addf(&sql, " (%s)", info->indexed);
    buf_addf(&spill, "PRAGMA cache_spill = %d", SPILL_PAGES);
    TRY(db_exec_buf(build->target->db, &spill, status));
    TRY(db_begin_write(build->target->db, status));
    TRY(db_exec_buf(build->target->db, &sql, status));
    TRY(db_commit(build->target->db, status));
done:
    buf_release(&sql);
    buf_release(&spill);
    return code;
}

enum status_code publish_build(const struct publish_target *target,
                               const struct publish_content *content,
                               const int64_t counts[N_COUNTS], int64_t *generation,
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
        if (publish_tables[table].index_name != NULL) {
            TRY(create_index(&build, &publish_tables[table], status));
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
