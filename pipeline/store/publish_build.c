/* The tables of a new generation: created, filled in short transactions so that others can write
 * in between, then read back and compared with what was meant. Nothing here is visible to readers
 * of the views. */
#include "store/publish_parts.h"

enum {
    CHUNK_ROWS = 10000,
    CHUNK_BYTES = 2 << 20 /* of BLOBs and texts: what a reader waits for in journal mode */
};

struct build {
    const struct publish_target *target;
    const struct publish_content *content;
    int64_t generation;
    size_t chunk_rows, chunk_bytes; /* in the open transaction */
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
    if (target->between == NULL) {
        return STATUS_OK;
    }
    return target->between(target->data, (double)build->rows_done, (double)build->rows_total,
                           status);
}

static enum status_code end_chunk(struct build *build, struct status *status)
{
    enum status_code code;
    if (build->chunk_rows == 0) {
        return STATUS_OK;
    }
    TRY(db_commit(build->target->db, status));
    build->rows_done += (int64_t)build->chunk_rows;
    build->chunk_rows = build->chunk_bytes = 0;
    code = report(build, status);
done:
    return code;
}

static enum status_code bind_row(struct build *build, struct db_query *query, const char *kinds,
                                 const struct cell *cells, struct status *status)
{
    enum status_code code = STATUS_OK;
    for (int i = 0; kinds[i] != '\0' && code == STATUS_OK; i++) {
        const struct cell *cell = &cells[i];
        switch (kinds[i]) {
        case 'i':
            code = db_bind_int64(query, i + 1, cell->integer, status);
            break;
        case 'd':
            code = db_bind_double(query, i + 1, cell->real, status);
            break;
        case 't':
            code = db_bind_text(query, i + 1, cell->bytes, cell->length, true, status);
            build->chunk_bytes += cell->length;
            break;
        default:
            code = db_bind_blob(query, i + 1, cell->bytes, cell->length, true, status);
            build->chunk_bytes += cell->length;
            break;
        }
    }
    return code;
}

static void add_insert(struct buf *sql, const struct build *build,
                       const struct publish_table_info *info)
{
    buf_add_text(sql, "INSERT INTO ");
    publish_add_name(sql, build->target->prefix, info->name, build->generation);
    buf_add_text(sql, " VALUES (?");
    for (size_t i = 1; i < strlen(info->kinds); i++) {
        buf_add_text(sql, ", ?");
    }
    buf_add_char(sql, ')');
}

/* Inserts the rows of one table. The last chunk stays open: small tables share a transaction. */
static enum status_code fill_table(struct build *build, enum publish_table table,
                                   struct status *status)
{
    const struct publish_table_info *info = &publish_tables[table];
    struct db *db = build->target->db;
    struct db_query *query = NULL;
    struct cell cells[CELLS_MAX];
    struct buf sql = {0};
    enum status_code code;
    size_t position = 0;
    add_insert(&sql, build, info);
    TRY(buf_check(&sql, status));
    TRY(db_prepare(db, buf_text(&sql), &query, status));
    while (publish_next_row(build->content, table, &position, cells)) {
        if (build->chunk_rows == 0) {
            TRY(db_begin_write(db, status));
        }
        TRY(bind_row(build, query, info->kinds, cells, status));
        TRY(db_run(query, status));
        publish_hash_row(build->expected, info->kinds, cells);
        build->chunk_rows++;
        if (build->chunk_rows >= CHUNK_ROWS || build->chunk_bytes >= CHUNK_BYTES) {
            TRY(end_chunk(build, status));
        }
    }
done:
    db_finalize(query);
    buf_release(&sql);
    return code;
}

/* One row as it came back. The cells live until the next step. */
static void read_row(struct db_query *query, const char *kinds, struct cell *cells)
{
    for (int i = 0; kinds[i] != '\0'; i++) {
        struct cell *cell = &cells[i];
        *cell = (struct cell){0};
        if (kinds[i] == 'i') {
            cell->integer = db_column_int64(query, i);
        } else if (kinds[i] == 'd') {
            cell->real = db_column_double(query, i);
        } else if (kinds[i] == 't') {
            cell->bytes = db_column_text(query, i, &cell->length);
        } else {
            cell->bytes = db_column_blob(query, i, &cell->length);
        }
    }
}

/* Whether the key is (list, rank), not a single column. */
static bool has_lists(enum publish_table table)
{
    return table == TABLE_RECOMMENDATIONS || table == TABLE_SIMILAR_ITEMS;
}

/* SELECT of the next CHUNK_ROWS rows in key order, from the key (?1) or (?1, ?2) on. */
static void add_select(struct buf *sql, const struct build *build, enum publish_table table)
{
    const struct publish_table_info *info = &publish_tables[table];
    buf_add_text(sql, "SELECT * FROM ");
    publish_add_name(sql, build->target->prefix, info->name, build->generation);
    if (has_lists(table)) {
        buf_addf(sql, " WHERE (%s, rank) >= (?1, ?2) ORDER BY %s, rank", info->key, info->key);
    } else {
        buf_addf(sql, " WHERE %s >= ?1 ORDER BY %s", info->key, info->key);
    }
    buf_addf(sql, " LIMIT %d", CHUNK_ROWS);
}

/* Reads a chunk into the checksum; `next` is the key to start from and moves behind the last row
 * read. */
static enum status_code read_chunk(struct build *build, struct db_query *query,
                                   enum publish_table table, int64_t next[2], int64_t *n_rows,
                                   struct status *status)
{
    const char *kinds = publish_tables[table].kinds;
    struct cell cells[CELLS_MAX];
    enum status_code code;
    bool has_row;
    *n_rows = 0;
    TRY(db_bind_int64(query, 1, next[0], status));
    if (has_lists(table)) {
        TRY(db_bind_int64(query, 2, next[1], status));
    }
    for (;;) {
        TRY(db_step(query, &has_row, status));
        if (!has_row) {
            break;
        }
        read_row(query, kinds, cells);
        publish_hash_row(build->actual, kinds, cells);
        next[0] = cells[0].integer;
        next[1] = cells[1].integer + 1;
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
    int64_t n = 0, n_chunk, next[2] = {INT64_MIN, 0};
    add_select(&sql, build, table);
    TRY(buf_check(&sql, status));
    TRY(db_prepare(build->target->db, buf_text(&sql), &query, status));
    do {
        TRY(read_chunk(build, query, table, next, &n_chunk, status));
        n += n_chunk;
        if (!has_lists(table) && next[0] == INT64_MAX) {
            break; /* no key can follow */
        }
        next[0] += !has_lists(table);
    } while (n_chunk == CHUNK_ROWS);
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
    TRY(end_chunk(&build, status)); /* committed before verify reads it */
    TRY(verify(&build, counts, checksum, status));
done:
    if (code != STATUS_OK) {
        db_rollback(target->db);
    }
    hash_free(build.expected);
    hash_free(build.actual);
    return code;
}
