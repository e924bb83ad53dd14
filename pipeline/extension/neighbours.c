/* nightjar_nearest(vector, k) and nightjar_similar(item, k): exact, over all published items.
 *
 *      nightjar_nearest   rank, item_id, score, cosine   by score = cosine / tau + bias, which is
 *                         what the towers give somebody of this vector
 *      nightjar_similar   the same by cosine, without the item itself, as in similar_items
 *
 * A further argument names the database (catalogue.h). `item_id IN (SELECT ...)` is taken over from
 * SQLite: only these items are looked at, so that k counts what is left. So is an equality with a
 * constant. One with anything else is left to SQLite, behind k: it may be that of a join, where
 * each row of the other table would find its item, and nothing tells a parameter from that.
 *
 * SQLite's names: a module makes a table (xConnect), xBestIndex says which conditions it takes and
 * at what cost, a cursor gets their values (xFilter) and gives the rows, which are all made then.
 */
#include "extension/catalogue.h"

#include "math/topk.h"
#include "math/vec.h"

#include <math.h>
#include <string.h>

enum column {
    COLUMN_RANK,
    COLUMN_ITEM,
    COLUMN_SCORE,
    COLUMN_COSINE,
    COLUMN_OF, /* hidden, the arguments: vector or item, k, database */
    COLUMN_K,
    COLUMN_DATABASE
};

/* What xFilter gets, in this order: bits of idxNum. */
enum { TAKES_K = 1, TAKES_DATABASE = 2, TAKES_ITEM = 4, TAKES_ITEMS = 8 };

enum { USUAL_K = 10 };

/* A function of the two. */
struct kind {
    const char *name, *argument, *declaration;
    bool by_cosine;
};
static const struct kind nearest = {
    "nightjar_nearest", "vector",
    "CREATE TABLE nightjar_nearest(rank INTEGER, item_id, score REAL, cosine REAL,"
    " vector HIDDEN, k HIDDEN, \"database\" HIDDEN)",
    false};
static const struct kind similar = {
    "nightjar_similar", "item",
    "CREATE TABLE nightjar_similar(rank INTEGER, item_id, score REAL, cosine REAL,"
    " item HIDDEN, k HIDDEN, \"database\" HIDDEN)",
    true};

/* What a module is registered with. */
struct module {
    const struct kind *kind;
    struct catalogues *catalogues;
};

struct table {
    sqlite3_vtab base;
    sqlite3 *db;
    const struct module *module;
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct catalogue *catalogue;
    float *vector;  /* (dimension) */
    int32_t *items; /* (n) best first */
    float *scores;  /* (n) */
    size_t n, at;
};

/* ---- planning ---- */

static int connect_table(sqlite3 *db, void *data, int n_words, const char *const *words,
                         sqlite3_vtab **out, char **error)
{
    const struct module *module = data;
    struct table *table = NULL;
    (void)n_words, (void)words, (void)error;
    int code = sqlite3_declare_vtab(db, module->kind->declaration);
    if (code == SQLITE_OK) {
        code = sqlite3_vtab_config(db, SQLITE_VTAB_DIRECTONLY);
    }
    if (code == SQLITE_OK) {
        table = sqlite3_malloc64(sizeof *table);
        code = table == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    if (code == SQLITE_OK) {
        *table = (struct table){.db = db, .module = module};
        *out = &table->base;
    }
    return code;
}

static int disconnect(sqlite3_vtab *base)
{
    sqlite3_free(base);
    return SQLITE_OK;
}

/* Replaces the table's message. */
static int fail(sqlite3_vtab *base, char *message)
{
    sqlite3_free(base->zErrMsg);
    base->zErrMsg = message;
    return message == NULL ? SQLITE_NOMEM : SQLITE_ERROR;
}

/* Where the conditions stand that are taken; -1: there is none. */
struct conditions {
    int of, k, database, item;
};

/* SQLITE_CONSTRAINT: this order of the tables leaves an argument without its value. */
static int find_conditions(const sqlite3_index_info *info, struct conditions *out)
{
    *out = (struct conditions){-1, -1, -1, -1};
    for (int i = 0; i < info->nConstraint; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        if (constraint->op != SQLITE_INDEX_CONSTRAINT_EQ) {
            continue;
        }
        if (constraint->iColumn >= COLUMN_OF && !constraint->usable) {
            return SQLITE_CONSTRAINT;
        }
        switch (constraint->iColumn) {
        case COLUMN_OF:
            out->of = i;
            break;
        case COLUMN_K:
            out->k = i;
            break;
        case COLUMN_DATABASE:
            out->database = i;
            break;
        case COLUMN_ITEM:
            out->item = constraint->usable ? i : out->item;
            break;
        default:
            break;
        }
    }
    return SQLITE_OK;
}

static void take(sqlite3_index_info *info, int constraint, int *n_taken, int bit)
{
    if (constraint >= 0) {
        info->aConstraintUsage[constraint].argvIndex = ++*n_taken;
        info->aConstraintUsage[constraint].omit = 1;
        info->idxNum |= bit;
    }
}

static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    /* Steps of SQLite that looking at every item is worth: more than what follows costs, so that
       joins start here. A plan that leaves an IN to SQLite is never better than one that takes it.
     */
    static const double scan = 1000, scan_of_some = 900;
    const struct kind *kind = ((const struct table *)base)->module->kind;
    struct conditions conditions;
    sqlite3_value *constant = NULL;
    int n_taken = 0;
    const int code = find_conditions(info, &conditions);
    if (code != SQLITE_OK) {
        return code;
    }
    if (conditions.of < 0) {
        return fail(base, sqlite3_mprintf("%s(%s, k): the %s is missing", kind->name,
                                          kind->argument, kind->argument));
    }
    take(info, conditions.of, &n_taken, 0);
    take(info, conditions.k, &n_taken, TAKES_K);
    take(info, conditions.database, &n_taken, TAKES_DATABASE);
    info->estimatedCost = scan;
    info->estimatedRows = USUAL_K;
    if (conditions.item >= 0 && sqlite3_vtab_in(info, conditions.item, 1)) {
        take(info, conditions.item, &n_taken, TAKES_ITEMS);
        info->estimatedCost = scan_of_some;
    } else if (conditions.item >= 0 &&
               sqlite3_vtab_rhs_value(info, conditions.item, &constant) == SQLITE_OK) {
        take(info, conditions.item, &n_taken, TAKES_ITEM);
        info->aConstraintUsage[conditions.item].omit = 0;
        info->estimatedCost = scan_of_some;
        info->estimatedRows = 1;
    }
    if (info->nOrderBy == 1) {
        const struct sqlite3_index_orderby *by = &info->aOrderBy[0];
        info->orderByConsumed =
            (by->iColumn == COLUMN_RANK && !by->desc) || (by->iColumn == COLUMN_SCORE && by->desc);
    }
    return SQLITE_OK;
}

/* ---- rows ---- */

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    struct cursor *cursor = sqlite3_malloc64(sizeof *cursor);
    (void)base;
    if (cursor == NULL) {
        return SQLITE_NOMEM;
    }
    *cursor = (struct cursor){0};
    *out = &cursor->base;
    return SQLITE_OK;
}

static void clear_cursor(struct cursor *cursor)
{
    catalogue_drop(cursor->catalogue);
    sqlite3_free(cursor->vector);
    sqlite3_free(cursor->items);
    sqlite3_free(cursor->scores);
    *cursor = (struct cursor){.base = cursor->base};
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    clear_cursor((struct cursor *)base);
    sqlite3_free(base);
    return SQLITE_OK;
}

/* *k, at most the items that there are. */
static int read_k(sqlite3_vtab *base, sqlite3_value *value, size_t n_items, size_t *k)
{
    const struct kind *kind = ((const struct table *)base)->module->kind;
    int64_t asked = USUAL_K;
    if (value != NULL && sqlite3_value_type(value) != SQLITE_NULL) {
        asked = sqlite3_value_int64(value);
        if (sqlite3_value_numeric_type(value) != SQLITE_INTEGER || asked < 1) {
            return fail(base, sqlite3_mprintf("%s: k is '%s'; a whole number from 1 is allowed",
                                              kind->name, sqlite3_value_text(value)));
        }
    }
    *k = asked < (int64_t)n_items ? (size_t)asked : n_items;
    return SQLITE_OK;
}

/* The cursor's vector out of a blob, at unit length. */
static int read_vector(sqlite3_vtab *base, struct cursor *cursor, sqlite3_value *value)
{
    const size_t d = cursor->catalogue->dimension, bytes = d * sizeof *cursor->vector;
    double squares = 0;
    if (sqlite3_value_type(value) != SQLITE_BLOB || (size_t)sqlite3_value_bytes(value) != bytes) {
        return fail(base, sqlite3_mprintf("nightjar_nearest: the vector has %d bytes; generation "
                                          "%lld has embeddings of %d components, %d bytes",
                                          sqlite3_value_bytes(value), cursor->catalogue->generation,
                                          (int)d, (int)bytes));
    }
    memcpy(cursor->vector, sqlite3_value_blob(value), bytes);
    for (size_t j = 0; j < d; j++) {
        squares += (double)cursor->vector[j] * (double)cursor->vector[j];
    }
    if (!isfinite(squares) || squares < 1e-30) {
        return fail(base, sqlite3_mprintf("nightjar_nearest: the vector has %s",
                                          isfinite(squares) ? "no length"
                                                            : "a component that is no finite "
                                                              "number"));
    }
    for (size_t j = 0; j < d; j++) {
        cursor->vector[j] = (float)((double)cursor->vector[j] / sqrt(squares));
    }
    return SQLITE_OK;
}

/* What is ranked. */
struct search {
    const struct catalogue *catalogue;
    const float *vector;
    const struct vec_ops *vec;
    bool by_cosine;
    int32_t except; /* an item that is left out, or -1 */
    struct topk best;
};

static void offer(struct search *search, int32_t item)
{
    const struct catalogue *catalogue = search->catalogue;
    const size_t d = catalogue->dimension;
    if (item < 0 || item == search->except) {
        return;
    }
    const float cosine = search->vec->dot(search->vector, catalogue->vectors + (size_t)item * d, d);
    const float score = search->by_cosine
                            ? cosine
                            : cosine / (float)catalogue->temperature + catalogue->biases[item];
    topk_offer(&search->best, score, item);
}

/* Every item of an IN, once: SQLite gives the values of a set without repetitions, but 7 and 7.0
 * are one item. */
static int offer_those(struct search *search, sqlite3_value *in)
{
    sqlite3_value *value = NULL;
    uint8_t *is_offered = sqlite3_malloc64(search->catalogue->n + 1);
    if (is_offered == NULL) {
        return SQLITE_NOMEM;
    }
    memset(is_offered, 0, search->catalogue->n + 1);
    int code = sqlite3_vtab_in_first(in, &value);
    for (; code == SQLITE_OK && value != NULL; code = sqlite3_vtab_in_next(in, &value)) {
        const int32_t item = catalogue_find(search->catalogue, value);
        if (item >= 0 && !is_offered[item]) {
            is_offered[item] = 1;
            offer(search, item);
        }
    }
    sqlite3_free(is_offered);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Ranks what the conditions leave: `filter` is the value of item_id, or the set of an IN. */
static int rank_items(struct cursor *cursor, struct search *search, size_t k, int taken,
                      sqlite3_value *filter)
{
    int code = SQLITE_OK;
    cursor->items = sqlite3_malloc64((k + 1) * sizeof *cursor->items);
    cursor->scores = sqlite3_malloc64((k + 1) * sizeof *cursor->scores);
    if (cursor->items == NULL || cursor->scores == NULL) {
        return SQLITE_NOMEM;
    }
    topk_init(&search->best, k, cursor->scores, cursor->items, NULL);
    if (taken & TAKES_ITEMS) {
        code = offer_those(search, filter);
    } else if (taken & TAKES_ITEM) {
        offer(search, catalogue_find(search->catalogue, filter));
    } else {
        for (size_t i = 0; i < search->catalogue->n; i++) {
            offer(search, (int32_t)i);
        }
    }
    topk_finish(&search->best);
    cursor->n = search->best.n;
    return code;
}

static int filter_rows(sqlite3_vtab_cursor *base, int taken, const char *text, int n_values,
                       sqlite3_value **values)
{
    struct cursor *cursor = (struct cursor *)base;
    struct table *table = (struct table *)base->pVtab;
    const struct kind *kind = table->module->kind;
    sqlite3_value *of = values[0];
    int n = 1;
    (void)text, (void)n_values;
    sqlite3_value *k_value = taken & TAKES_K ? values[n++] : NULL;
    sqlite3_value *database = taken & TAKES_DATABASE ? values[n++] : NULL;
    sqlite3_value *filter = taken & (TAKES_ITEM | TAKES_ITEMS) ? values[n++] : NULL;
    size_t k = 0;
    clear_cursor(cursor);
    if (sqlite3_value_type(of) == SQLITE_NULL) {
        return SQLITE_OK; /* the mean of an empty cart: no rows */
    }
    char *error = NULL;
    int code = catalogue_get(table->module->catalogues, table->db,
                             database == NULL ? NULL : (const char *)sqlite3_value_text(database),
                             &cursor->catalogue, &error);
    if (code != SQLITE_OK) {
        return error == NULL ? code : fail(base->pVtab, error);
    }
    const struct catalogue *catalogue = cursor->catalogue;
    const size_t d = catalogue->dimension;
    struct search search = {
        .catalogue = catalogue, .vec = vec_ops(), .by_cosine = kind->by_cosine, .except = -1};
    cursor->vector = sqlite3_malloc64((d + 1) * sizeof *cursor->vector);
    code = cursor->vector == NULL ? SQLITE_NOMEM : read_k(base->pVtab, k_value, catalogue->n, &k);
    if (code == SQLITE_OK && kind == &nearest) {
        code = read_vector(base->pVtab, cursor, of);
    } else if (code == SQLITE_OK) {
        search.except = catalogue_find(catalogue, of);
        if (search.except < 0) {
            return SQLITE_OK; /* nothing is like an item that is not published */
        }
        memcpy(cursor->vector, catalogue->vectors + (size_t)search.except * d,
               d * sizeof *cursor->vector);
    }
    search.vector = cursor->vector;
    return code == SQLITE_OK ? rank_items(cursor, &search, k, taken, filter) : code;
}

static int next_row(sqlite3_vtab_cursor *base)
{
    ((struct cursor *)base)->at++;
    return SQLITE_OK;
}

static int is_at_end(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = (const struct cursor *)base;
    return cursor->at >= cursor->n;
}

static int show_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct cursor *cursor = (const struct cursor *)base;
    const struct catalogue *catalogue = cursor->catalogue;
    const int32_t item = cursor->items[cursor->at];
    const size_t d = catalogue->dimension;
    switch (column) {
    case COLUMN_RANK:
        sqlite3_result_int64(context, (int64_t)cursor->at + 1);
        break;
    case COLUMN_ITEM:
        catalogue_result_id(catalogue, item, context);
        break;
    case COLUMN_SCORE:
        sqlite3_result_double(context, (double)cursor->scores[cursor->at]);
        break;
    case COLUMN_COSINE:
        sqlite3_result_double(
            context,
            (double)vec_ops()->dot(cursor->vector, catalogue->vectors + (size_t)item * d, d));
        break;
    default: /* an argument: whoever gave it has it */
        break;
    }
    return SQLITE_OK;
}

static int show_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *rowid)
{
    *rowid = (sqlite3_int64)((const struct cursor *)base)->at + 1;
    return SQLITE_OK;
}

/* ---- registration ---- */

static const sqlite3_module functions = {
    .iVersion = 0,
    .xConnect = connect_table, /* without xCreate: it exists by its name alone */
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter_rows,
    .xNext = next_row,
    .xEof = is_at_end,
    .xColumn = show_column,
    .xRowid = show_rowid,
};

static void module_free(void *data)
{
    struct module *module = data;
    if (module->catalogues != NULL && --module->catalogues->n_users == 0) {
        catalogues_release(module->catalogues);
    }
    sqlite3_free(module);
}

int neighbours_register(sqlite3 *db)
{
    static const struct kind *const kinds[] = {&nearest, &similar};
    struct catalogues *catalogues = sqlite3_malloc64(sizeof *catalogues);
    int code = catalogues == NULL ? SQLITE_NOMEM : SQLITE_OK;
    if (code != SQLITE_OK) {
        return code;
    }
    *catalogues = (struct catalogues){.n_users = 1}; /* this function */
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && code == SQLITE_OK; i++) {
        struct module *module = sqlite3_malloc64(sizeof *module);
        if (module == NULL) {
            code = SQLITE_NOMEM;
            break;
        }
        *module = (struct module){kinds[i], catalogues};
        catalogues->n_users++;
        /* frees the module on an error, too */
        code = sqlite3_create_module_v2(db, kinds[i]->name, &functions, module, module_free);
    }
    if (--catalogues->n_users == 0) {
        catalogues_release(catalogues);
    }
    return code;
}
