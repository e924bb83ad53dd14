/* Rows of the user's queries turned into rules: ids into codes, and what each rule makes of a row.
 */
#include "serving/serving_rules.h"

#include "base/mem.h"
#include "base/num.h"
#include "serving/rules_rows.h"
#include "store/row_id.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 1024 };

static const double BOOST_MAX = 1e6;

enum { SEGMENTS_MAX = 4096 }; /* each costs a byte an item */

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
    struct rules_rows rows;
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

/* *source: the source code of the id, -1 when nightjar does not know it. */
static enum status_code find_id(const struct rules_rows *rows, const struct batch_cell *cell,
                                const char *column, const struct served_ids *ids, int32_t *source,
                                struct status *status)
{
    static const char *const type_names[] = {"of no type", "INTEGER", "TEXT"};
    const struct db_cell read = {cell->type, cell->integer, cell->real, cell->bytes, cell->length};
    struct row_id id;
    const enum row_id_fault fault = row_id_of_cell(&read, &id);
    const bool fits = fault == ROW_ID_SOUND && id.is_text == (ids->ids.type == ID_TEXT);
    if (!fits) {
        return status_set(status, STATUS_DATA,
                          "%s, row %lld: %s %s, the ids of the log are %s; use CAST in the query, "
                          "or leave such rows out",
                          rows->info->what, (long long)rows->n_rows, column,
                          fault != ROW_ID_SOUND ? row_id_faults[fault]
                          : id.is_text          ? "is TEXT"
                                                : "is INTEGER",
                          type_names[ids->ids.type]);
    }
    const int32_t served = vocabulary_find(&ids->ids, &id);
    *source = served < 0 ? -1 : ids->source_of[served];
    return STATUS_OK;
}

/* The label's code, -1 for NULL; a new one is added where `may_add`. */
static enum status_code find_label(const struct rules_rows *rows, struct vocabulary *labels,
                                   bool may_add, int32_t *label, struct status *status)
{
    const struct batch_cell *cell = &rows->label;
    *label = -1;
    if (!rows->has_label || cell->type == DB_NULL) {
        return STATUS_OK;
    }
    if (may_add) {
        return vocabulary_add_text(labels, cell->bytes, cell->length, label, status);
    }
    *label = vocabulary_find_text(labels, cell->bytes, cell->length);
    return STATUS_OK;
}

static enum status_code take_segment(struct intake *intake, int32_t user, struct status *status)
{
    struct serving_rules *rules = intake->rules;
    int32_t segment;
    enum status_code code;
    TRY(find_label(&intake->rows, &rules->segments, true, &segment, status));
    if (rules->segments.n > SEGMENTS_MAX) {
        return status_set(status, STATUS_DATA, "%s: more than %d segments", intake->rows.info->what,
                          SEGMENTS_MAX);
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
    const struct rules_rows *rows = &intake->rows;
    const size_t n = rules->n_items;
    int32_t segment;
    enum status_code code;
    TRY(find_label(&intake->rows, &rules->segments, false, &segment, status));
    if (item < 0) {
        return STATUS_OK;
    }
    intake->any = true;
    if (segment >= 0) {
        rules->eligible[(size_t)(segment + 1) * n + (size_t)item] = 1;
    } else if (!rows->has_label || rows->label.type == DB_NULL) {
        for (size_t row = 0; row <= rules->segments.n; row++) {
            rules->eligible[row * n + (size_t)item] = 1;
        }
    }
done:
    return code;
}

static enum status_code take_boost(struct intake *intake, int32_t item, struct status *status)
{
    const struct rules_rows *rows = &intake->rows;
    const enum db_type type = rows->label.type;
    const double boost = type == DB_INTEGER ? (double)rows->label.integer : rows->label.real;
    if ((type != DB_INTEGER && type != DB_FLOAT) || !(fabs(boost) <= BOOST_MAX)) {
        return status_set(status, STATUS_DATA,
                          "%s, row %lld: boost is no number between -%g and %g", rows->info->what,
                          (long long)rows->n_rows, BOOST_MAX, BOOST_MAX);
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
    TRY(find_label(&intake->rows, &intake->rules->category_names, true, &category, status));
    if (item >= 0 && category >= 0) {
        TRY(add_pair(&intake->pairs, item, category, status));
    }
done:
    return code;
}

static enum status_code take_row(struct intake *intake, struct status *status)
{
    const struct rules_rows *rows = &intake->rows;
    struct serving_rules *rules = intake->rules;
    int32_t user = -1, item = -1;
    enum status_code code = STATUS_OK;
    if (rows->info->has_users) {
        TRY(find_id(rows, &rows->user, rows->names[RULES_USER], intake->users, &user, status));
    }
    if (rows->info->has_items) {
        TRY(find_id(rows, &rows->item, rows->names[RULES_ITEM], intake->items, &item, status));
    }
    switch (rows->query->rule) {
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
    switch (intake->rows.query->rule) {
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
    const struct rules_rows *rows = &intake->rows;
    const size_t n_items = intake->items->n_codes;
    bool any = intake->any;
    enum status_code code = STATUS_OK;
    switch (rows->query->rule) {
    case RULE_ELIGIBLE:
    case RULE_USERS:
        TRY(ranks_any(rows->ranks, &any, status));
        if (!any) {
            code = status_set(
                status, STATUS_DATA,
                "%s: the query gives no %s that nightjar knows (%lld rows), so nobody "
                "could be recommended anything",
                rows->info->what, rows->info->has_users ? "user" : "item", (long long)rows->n_rows);
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
                                    struct ranks *ranks, struct served_ids *users,
                                    struct served_ids *items, struct serving_rules *rules,
                                    struct status *status)
{
    struct intake intake = {.users = users, .items = items, .rules = rules};
    bool has_row = true;
    enum status_code code;
    TRY(rules_rows_open(&intake.rows, db, query, ranks, status));
    TRY(vocabulary_build_index(&users->ids, status));
    TRY(vocabulary_build_index(&items->ids, status));
    TRY(prepare_room(&intake, status));
    for (;;) {
        TRY(rules_rows_next(&intake.rows, &has_row, status));
        if (!has_row) {
            break;
        }
        TRY(take_row(&intake, status));
    }
    TRY(close_intake(&intake, status));
done:
    mem_free(intake.pairs.pairs);
    rules_rows_release(&intake.rows);
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
