/* Rows of the user's queries turned into rules: opening and checking a query, ids into codes, and
 * what each rule makes of a row. */
#include "serving/serving_rules.h"

#include "base/mem.h"
#include "base/num.h"
#include "store/row_id.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ROWS_BETWEEN_LOOKS = 4096, FIRST_CAPACITY = 1024 };

static const double BOOST_MAX = 1e6;

enum { SEGMENTS_MAX = 4096 }; /* each costs a byte an item */

/* What a rule's query gives. */
static const struct rule_info {
    const char *what; /* the option, in messages */
    bool has_users, has_items;
    const char *label; /* a third column, or NULL */
    bool needs_label;
} rule_infos[N_SERVING_RULES] = {
    [RULE_SEGMENTS] = {"recommend.segments", true, false, "segment", true},
    [RULE_ELIGIBLE] = {"recommend.eligible", false, true, "segment", false},
    [RULE_EXCLUDE] = {"recommend.exclude", true, true, NULL, false},
    [RULE_BOOSTS] = {"recommend.boosts", false, true, "boost", true},
    [RULE_CATEGORIES] = {"recommend.categories", false, true, "category", true},
    [RULE_NEW_ITEMS] = {"recommend.new_items", false, true, NULL, false},
    [RULE_USERS] = {"recommend.users", true, false, NULL, false},
};

/* An open query and where its columns stand; -1: it has none of that kind. */
struct reading {
    const struct rules_query *query;
    const struct rule_info *info;
    struct db_query *statement;
    int user_column, item_column, label_column;
    int64_t n_rows;
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

static enum status_code find_column(const struct reading *reading, const char *name, bool needed,
                                    const char *shown, int *column, struct status *status)
{
    *column = column_of(reading->statement, name);
    if (*column >= 0 || !needed) {
        return STATUS_OK;
    }
    return status_set(status, STATUS_CONFIG,
                      "%s: the query needs a column named %s: name it with AS", reading->info->what,
                      shown);
}

static enum status_code reading_open(struct reading *reading, struct db *db,
                                     const struct rules_query *query, struct status *status)
{
    const struct rule_info *info = &rule_infos[query->rule];
    enum status_code code;
    *reading = (struct reading){
        .query = query, .info = info, .user_column = -1, .item_column = -1, .label_column = -1};
    TRY(db_prepare_user(db, info->what, query->sql, query->timeout_seconds, &reading->statement,
                        status));
    if (info->has_items) {
        TRY(find_column(reading, "item_id", true, "item_id (or item)", &reading->item_column,
                        status));
    }
    if (info->has_users) {
        TRY(find_column(reading, "user_id", true, "user_id (or user)", &reading->user_column,
                        status));
    }
    if (info->label != NULL) {
        TRY(find_column(reading, info->label, info->needs_label, info->label,
                        &reading->label_column, status));
    }
done:
    return code;
}

static enum status_code reading_step(struct reading *reading, bool *has_row, struct status *status)
{
    const struct rules_query *query = reading->query;
    enum status_code code;
    if (reading->n_rows % ROWS_BETWEEN_LOOKS == 0) {
        TRY(watch_check(&query->watch, status));
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
    struct row_id id;
    const enum row_id_fault fault = row_id_read(reading->statement, column, &id);
    const bool fits = fault == ROW_ID_SOUND && id.is_text == (ids->ids.type == ID_TEXT);
    if (!fits) {
        return status_set(status, STATUS_DATA,
                          "%s, row %lld: %s %s, the ids of the log are %s; use CAST in the query, "
                          "or leave such rows out",
                          reading->info->what, (long long)reading->n_rows,
                          db_column_name(reading->statement, column),
                          fault != ROW_ID_SOUND ? row_id_faults[fault]
                          : id.is_text          ? "is TEXT"
                                                : "is INTEGER",
                          type_names[ids->ids.type]);
    }
    const int32_t served = id.is_text ? vocabulary_find_text(&ids->ids, id.text, id.length)
                                      : vocabulary_find_integer(&ids->ids, id.integer);
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

/* ---- what rows become ---- */

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

/* Pairs of codes as they are read. */
struct pair_list {
    struct pair *pairs;
    size_t n, capacity;
};

/* A query's rows on their way into the rules. */
struct intake {
    struct reading reading;
    const struct served_ids *users, *items;
    struct serving_rules *rules;
    struct pair_list pairs;
    bool any; /* one known id at least */
};

static enum status_code add_pair(struct pair_list *list, int32_t user, int32_t item,
                                 struct status *status)
{
    enum status_code code = STATUS_OK;
    if (list->n == list->capacity) {
        size_t wider = list->capacity == 0 ? FIRST_CAPACITY : 2 * list->capacity;
        TRY(MEM_RESIZE(&list->pairs, list->capacity, wider, status));
        list->capacity = wider;
    }
    list->pairs[list->n++] = (struct pair){user, item};
done:
    return code;
}

/* The label's code, -1 for NULL; a new one is added where `may_add`. */
static enum status_code find_label(struct reading *reading, struct vocabulary *labels, bool may_add,
                                   int32_t *label, struct status *status)
{
    size_t length;
    const char *text;
    *label = -1;
    if (reading->label_column < 0 ||
        db_column_type(reading->statement, reading->label_column) == DB_NULL) {
        return STATUS_OK;
    }
    text = db_column_text(reading->statement, reading->label_column, &length);
    if (may_add) {
        return vocabulary_add_text(labels, text, length, label, status);
    }
    *label = vocabulary_find_text(labels, text, length);
    return STATUS_OK;
}

static enum status_code take_segment(struct intake *intake, int32_t user, struct status *status)
{
    struct serving_rules *rules = intake->rules;
    int32_t segment;
    enum status_code code;
    TRY(find_label(&intake->reading, &rules->segments, true, &segment, status));
    if (rules->segments.n > SEGMENTS_MAX) {
        return status_set(status, STATUS_DATA, "%s: more than %d segments",
                          intake->reading.info->what, SEGMENTS_MAX);
    }
    if (user >= 0) {
        rules->segment_of[user] = segment;
        intake->any = true;
    }
done:
    return code;
}

/* One row offers the item to a segment, or, with NULL or without that column, to all. */
static enum status_code take_eligible(struct intake *intake, int32_t item, struct status *status)
{
    struct serving_rules *rules = intake->rules;
    const struct reading *reading = &intake->reading;
    const size_t n = rules->n_items;
    int32_t segment;
    enum status_code code;
    TRY(find_label(&intake->reading, &rules->segments, false, &segment, status));
    if (item < 0) {
        return STATUS_OK;
    }
    intake->any = true;
    if (segment >= 0) {
        rules->eligible[(size_t)(segment + 1) * n + (size_t)item] = 1;
    } else if (reading->label_column < 0 ||
               db_column_type(reading->statement, reading->label_column) == DB_NULL) {
        for (size_t row = 0; row <= rules->segments.n; row++) {
            rules->eligible[row * n + (size_t)item] = 1;
        }
    }
done:
    return code;
}

static enum status_code take_boost(struct intake *intake, int32_t item, struct status *status)
{
    struct reading *reading = &intake->reading;
    const enum db_type type = db_column_type(reading->statement, reading->label_column);
    const double boost = db_column_double(reading->statement, reading->label_column);
    if ((type != DB_INTEGER && type != DB_FLOAT) || !(fabs(boost) <= BOOST_MAX)) {
        return status_set(status, STATUS_DATA,
                          "%s, row %lld: boost is no number between -%g and %g",
                          reading->info->what, (long long)reading->n_rows, BOOST_MAX, BOOST_MAX);
    }
    if (item >= 0) {
        intake->rules->boosts[item] = (float)boost;
    }
    return STATUS_OK;
}

static enum status_code take_category(struct intake *intake, int32_t item, struct status *status)
{
    int32_t category;
    enum status_code code;
    TRY(find_label(&intake->reading, &intake->rules->category_names, true, &category, status));
    if (item >= 0 && category >= 0) {
        TRY(add_pair(&intake->pairs, item, category, status));
    }
done:
    return code;
}

static enum status_code take_row(struct intake *intake, struct status *status)
{
    struct reading *reading = &intake->reading;
    struct serving_rules *rules = intake->rules;
    int32_t user = -1, item = -1;
    enum status_code code = STATUS_OK;
    if (reading->user_column >= 0) {
        TRY(find_id(reading, reading->user_column, intake->users, &user, status));
    }
    if (reading->item_column >= 0) {
        TRY(find_id(reading, reading->item_column, intake->items, &item, status));
    }
    switch (reading->query->rule) {
    case RULE_SEGMENTS:
        return take_segment(intake, user, status);
    case RULE_ELIGIBLE:
        return take_eligible(intake, item, status);
    case RULE_EXCLUDE:
        return user < 0 || item < 0 ? STATUS_OK : add_pair(&intake->pairs, user, item, status);
    case RULE_BOOSTS:
        return take_boost(intake, item, status);
    case RULE_CATEGORIES:
        return take_category(intake, item, status);
    case RULE_NEW_ITEMS:
        if (item >= 0) {
            rules->is_new[item] = 1;
        }
        return STATUS_OK;
    case RULE_USERS:
        if (user >= 0) {
            rules->served[user] = 1;
            intake->any = true;
        }
        return STATUS_OK;
    default:
        assert(false);
    }
done:
    return code;
}

/* Room for what the rule gives. */
static enum status_code prepare_room(struct intake *intake, struct status *status)
{
    struct serving_rules *rules = intake->rules;
    const size_t n_users = intake->users->n_codes, n_items = intake->items->n_codes;
    size_t n;
    enum status_code code = STATUS_OK;
    switch (intake->reading.query->rule) {
    case RULE_SEGMENTS:
        TRY(MEM_NEW(&rules->segment_of, n_users, status));
        for (size_t u = 0; u < n_users; u++) {
            rules->segment_of[u] = -1;
        }
        break;
    case RULE_ELIGIBLE:
        if (!num_multiply(n_items, rules->segments.n + 1, &n)) {
            return status_set(status, STATUS_NO_MEMORY,
                              "recommend.eligible: %zu items, %zu segments", n_items,
                              rules->segments.n);
        }
        if (intake->reading.label_column >= 0 && rules->segment_of == NULL) {
            return status_set(
                status, STATUS_CONFIG,
                "recommend.eligible: the query gives a segment, so recommend.segments "
                "must say who is in which");
        }
        rules->n_items = n_items;
        TRY(vocabulary_build_index(&rules->segments, status));
        TRY(MEM_NEW(&rules->eligible, n, status));
        break;
    case RULE_BOOSTS:
        TRY(MEM_NEW(&rules->boosts, n_items, status));
        break;
    case RULE_NEW_ITEMS:
        TRY(MEM_NEW(&rules->is_new, n_items, status));
        break;
    case RULE_USERS:
        TRY(MEM_NEW(&rules->served, n_users, status));
        break;
    default:
        break; /* pairs grow as they come */
    }
done:
    return code;
}

/* Behind the last row. */
static enum status_code close_intake(struct intake *intake, struct status *status)
{
    struct serving_rules *rules = intake->rules;
    const struct reading *reading = &intake->reading;
    const size_t n_items = intake->items->n_codes;
    enum status_code code = STATUS_OK;
    switch (reading->query->rule) {
    case RULE_ELIGIBLE:
    case RULE_USERS:
        if (!intake->any) {
            code =
                status_set(status, STATUS_DATA,
                           "%s: the query gives no %s that nightjar knows (%lld rows), so nobody "
                           "could be recommended anything",
                           reading->info->what, reading->info->has_users ? "user" : "item",
                           (long long)reading->n_rows);
        }
        break;
    case RULE_EXCLUDE:
        TRY(pairs_to_sparse(intake->pairs.pairs, intake->pairs.n, intake->users->n_codes, n_items,
                            &rules->excluded, status));
        break;
    case RULE_CATEGORIES:
        TRY(pairs_to_sparse(intake->pairs.pairs, intake->pairs.n, n_items, rules->category_names.n,
                            &rules->categories, status));
        break;
    default:
        break;
    }
done:
    return code;
}

enum status_code serving_rules_read(struct db *db, const struct rules_query *query,
                                    struct served_ids *users, struct served_ids *items,
                                    struct serving_rules *rules, struct status *status)
{
    struct intake intake = {.users = users, .items = items, .rules = rules};
    bool has_row = true;
    enum status_code code;
    TRY(reading_open(&intake.reading, db, query, status));
    TRY(vocabulary_build_index(&users->ids, status));
    TRY(vocabulary_build_index(&items->ids, status));
    TRY(prepare_room(&intake, status));
    for (;;) {
        TRY(reading_step(&intake.reading, &has_row, status));
        if (!has_row) {
            break;
        }
        TRY(take_row(&intake, status));
    }
    TRY(close_intake(&intake, status));
done:
    mem_free(intake.pairs.pairs);
    db_finalize(intake.reading.statement);
    return code;
}

void serving_rules_release(struct serving_rules *rules)
{
    vocabulary_release(&rules->segments);
    mem_free(rules->segment_of);
    mem_free(rules->eligible);
    sparse_release(&rules->excluded);
    mem_free(rules->boosts);
    sparse_release(&rules->categories);
    vocabulary_release(&rules->category_names);
    mem_free(rules->is_new);
    mem_free(rules->served);
}
