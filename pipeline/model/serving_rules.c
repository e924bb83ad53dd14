/* Eligible items and excluded pairs: rows of the user's queries turned into codes. */
#include "model/serving_rules.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ROWS_BETWEEN_LOOKS = 4096, FIRST_CAPACITY = 1024 };

/* An open query and where its ids stand. */
struct reading {
    const struct rules_query *query;
    struct db_query *statement;
    int user_column, item_column;
    int64_t n_rows;
};

/* The column `name`, or its short form without "_id"; -1. */
static int column_of(const struct db_query *statement, const char *name)
{
    size_t short_length = strlen(name) - strlen("_id");
    for (int i = 0; i < db_column_count(statement); i++) {
        const char *column = db_column_name(statement, i);
        if (strcasecmp(column, name) == 0 ||
            (strlen(column) == short_length && strncasecmp(column, name, short_length) == 0)) {
            return i;
        }
    }
    return -1;
}

static enum status_code reading_open(struct reading *reading, struct db *db,
                                     const struct rules_query *query, struct status *status)
{
    enum status_code code;
    *reading = (struct reading){.query = query, .user_column = -1};
    TRY(db_prepare_user(db, query->what, query->sql, query->timeout_seconds, &reading->statement,
                        status));
    reading->item_column = column_of(reading->statement, "item_id");
    if (query->has_users) {
        reading->user_column = column_of(reading->statement, "user_id");
    }
    if (reading->item_column < 0 || (query->has_users && reading->user_column < 0)) {
        code = status_set(status, STATUS_CONFIG,
                          "%s: the query needs a column named %s: name it "
                          "with AS",
                          query->what,
                          reading->item_column < 0 ? "item_id (or item)" : "user_id (or user)");
    }
done:
    return code;
}

static enum status_code reading_step(struct reading *reading, bool *has_row, struct status *status)
{
    const struct rules_query *query = reading->query;
    enum status_code code;
    if (reading->n_rows % ROWS_BETWEEN_LOOKS == 0 && query->between != NULL) {
        TRY(query->between(query->data, status));
    }
    TRY(db_step(reading->statement, has_row, status));
    reading->n_rows += *has_row;
done:
    return code;
}

/* *code: the source code of the id in `column`, -1 when nightjar does not know it. */
static enum status_code find_id(struct reading *reading, int column, const struct served_ids *ids,
                                int32_t *source, struct status *status)
{
    static const char *const type_names[] = {"of no type", "INTEGER", "TEXT"};
    enum db_type type = db_column_type(reading->statement, column);
    enum id_type given = type == DB_INTEGER ? ID_INTEGER : type == DB_TEXT ? ID_TEXT : ID_NONE;
    int32_t served;
    if (given == ID_NONE || given != ids->ids.type) {
        return status_set(
            status, STATUS_DATA,
            "%s, row %lld: %s is %s, the ids of the log are %s; use CAST in the query, "
            "or leave such rows out",
            reading->query->what, (long long)reading->n_rows,
            db_column_name(reading->statement, column),
            type == DB_NULL    ? "NULL"
            : given == ID_NONE ? "neither INTEGER nor TEXT"
                               : type_names[given],
            type_names[ids->ids.type]);
    }
    if (given == ID_INTEGER) {
        served = vocabulary_find_integer(&ids->ids, db_column_int64(reading->statement, column));
    } else {
        size_t length;
        const char *text = db_column_text(reading->statement, column, &length);
        served = vocabulary_find_text(&ids->ids, text, length);
    }
    *source = served < 0 ? -1 : ids->source_of[served];
    return STATUS_OK;
}

enum status_code rules_query_check(struct db *db, const struct rules_query *query,
                                   struct status *status)
{
    struct reading reading;
    const enum status_code code = reading_open(&reading, db, query, status);
    db_finalize(reading.statement);
    return code;
}

enum status_code rules_query_hash(struct db *db, const struct rules_query *query,
                                  struct hash_state *hash, struct status *status)
{
    struct reading reading;
    bool has_row = true;
    enum status_code code;
    TRY(reading_open(&reading, db, query, status));
    while (has_row) {
        TRY(reading_step(&reading, &has_row, status));
        for (int i = 0; has_row && i < db_column_count(reading.statement); i++) {
            size_t length = 0;
            const enum db_type type = db_column_type(reading.statement, i);
            const void *bytes =
                type == DB_NULL ? NULL : db_column_blob(reading.statement, i, &length);
            hash_add_int64(hash, (int64_t)type);
            hash_add_int64(hash, (int64_t)length);
            hash_add(hash, bytes, length);
        }
    }
done:
    db_finalize(reading.statement);
    return code;
}

enum status_code serving_rules_read_eligible(struct db *db, const struct rules_query *query,
                                             struct served_ids *items, struct serving_rules *rules,
                                             struct status *status)
{
    struct reading reading;
    bool has_row = true, any = false;
    int32_t item;
    enum status_code code;
    TRY(reading_open(&reading, db, query, status));
    TRY(vocabulary_build_index(&items->ids, status));
    TRY(MEM_NEW(&rules->eligible, items->n_codes, status));
    for (;;) {
        TRY(reading_step(&reading, &has_row, status));
        if (!has_row) {
            break;
        }
        TRY(find_id(&reading, reading.item_column, items, &item, status));
        if (item >= 0) {
            rules->eligible[item] = 1;
            any = true;
        }
    }
    if (!any) {
        code = status_set(status, STATUS_DATA,
                          "%s: the query gives no item that nightjar knows (%lld rows), so nobody "
                          "could be recommended anything",
                          query->what, (long long)reading.n_rows);
    }
done:
    db_finalize(reading.statement);
    return code;
}

struct pair {
    int32_t user, item;
};

static int compare_pairs(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->user != y->user) {
        return x->user < y->user ? -1 : 1;
    }
    return (x->item > y->item) - (x->item < y->item);
}

/* out (n_users, n_items) of the pairs, which are put into order and may repeat. */
static enum status_code pairs_to_sparse(struct pair *pairs, size_t n, size_t n_users,
                                        size_t n_items, struct sparse *out, struct status *status)
{
    size_t kept = 0, at = 0;
    enum status_code code;
    if (n > 0) {
        qsort(pairs, n, sizeof *pairs, compare_pairs);
    }
    for (size_t p = 0; p < n; p++) {
        if (kept == 0 || compare_pairs(&pairs[kept - 1], &pairs[p]) != 0) {
            pairs[kept++] = pairs[p];
        }
    }
    TRY(sparse_init(out, n_users, n_items, kept, false, status));
    for (size_t u = 0; u < n_users; u++) {
        while (at < kept && (size_t)pairs[at].user == u) {
            out->columns[at] = pairs[at].item;
            at++;
        }
        out->offsets[u + 1] = (int64_t)at;
    }
done:
    return code;
}

enum status_code serving_rules_read_excluded(struct db *db, const struct rules_query *query,
                                             struct served_ids *users, struct served_ids *items,
                                             struct serving_rules *rules, struct status *status)
{
    struct reading reading;
    struct pair *pairs = NULL;
    size_t n = 0, capacity = 0;
    bool has_row = true;
    enum status_code code;
    TRY(reading_open(&reading, db, query, status));
    TRY(vocabulary_build_index(&users->ids, status));
    TRY(vocabulary_build_index(&items->ids, status));
    for (;;) {
        struct pair pair;
        TRY(reading_step(&reading, &has_row, status));
        if (!has_row) {
            break;
        }
        TRY(find_id(&reading, reading.user_column, users, &pair.user, status));
        TRY(find_id(&reading, reading.item_column, items, &pair.item, status));
        if (pair.user < 0 || pair.item < 0) {
            continue;
        }
        if (n == capacity) {
            size_t wider = capacity == 0 ? FIRST_CAPACITY : 2 * capacity;
            TRY(MEM_RESIZE(&pairs, capacity, wider, status));
            capacity = wider;
        }
        pairs[n++] = pair;
    }
    TRY(pairs_to_sparse(pairs, n, users->n_codes, items->n_codes, &rules->excluded, status));
done:
    mem_free(pairs);
    db_finalize(reading.statement);
    return code;
}

void serving_rules_release(struct serving_rules *rules)
{
    mem_free(rules->eligible);
    sparse_release(&rules->excluded);
}
