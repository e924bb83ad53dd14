/* `item_id IN (SELECT ...)` is taken over from SQLite: only these items are looked at, so that k
 * counts what is left. So is an equality with a constant. One with anything else is left to SQLite,
 * behind k: it may be that of a join, where each row of the other table would find its item, and
 * nothing tells a parameter from that.
 *
 * SQLite's names: a module makes a table (xConnect), xBestIndex says which conditions it takes and
 * at what cost, a cursor gets their values (xFilter) and gives the rows, which are all made then.
 */
#include "extension/table_function.h"

#include <string.h>

enum column {
    COLUMN_RANK,
    COLUMN_ITEM,
    COLUMN_SCORE,
    COLUMN_FOURTH,
    COLUMN_OF, /* hidden from here on: the arguments */
    COLUMN_K,
    COLUMN_THIRD, /* items where the function takes them, else the database, which is then next */
    COLUMN_FOURTH_ARGUMENT
};

/* What xFilter gets, in this order: bits of idxNum. */
enum {
    TAKES_K = 1,
    TAKES_ITEMS = 2,
    TAKES_DATABASE = 4,
    TAKES_ITEM = 8,
    TAKES_SET = 16,
    LACKS_ARGUMENT = 32
};

enum { USUAL_K = 10 };

/* What a module is registered with. */
struct module {
    const struct function *function;
    struct catalogues *catalogues;
};

struct table {
    sqlite3_vtab base;
    sqlite3 *db;
    const struct module *module;
};

struct cursor {
    sqlite3_vtab_cursor base;
    struct call call;
    size_t at;
};

static int fail(sqlite3_vtab *table, char *message)
{
    sqlite3_free(table->zErrMsg);
    table->zErrMsg = message;
    return message == NULL ? SQLITE_NOMEM : SQLITE_ERROR;
}

int call_fail(struct call *call, char *message)
{
    return fail(call->table, message);
}

/* ---- planning ---- */

static int connect_table(sqlite3 *db, void *data, int n_words, const char *const *words,
                         sqlite3_vtab **out, char **error)
{
    const struct module *module = data;
    struct table *table = NULL;
    (void)n_words, (void)words, (void)error;
    int code = sqlite3_declare_vtab(db, module->function->declaration);
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

/* Where the conditions stand that are taken; -1: there is none. */
struct conditions {
    int of, k, items, database, item;
};

/* A set, or a constant; not the equality of a join, which may stand beside one of these. */
static bool is_known_before(sqlite3_index_info *info, int constraint)
{
    sqlite3_value *constant = NULL;
    return sqlite3_vtab_in(info, constraint, -1) != 0 ||
           sqlite3_vtab_rhs_value(info, constraint, &constant) == SQLITE_OK;
}

/* SQLITE_CONSTRAINT: this order of the tables leaves an argument without its value. */
static int find_conditions(sqlite3_index_info *info, bool takes_items, struct conditions *out)
{
    *out = (struct conditions){-1, -1, -1, -1, -1};
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
        case COLUMN_THIRD:
            *(takes_items ? &out->items : &out->database) = i;
            break;
        case COLUMN_FOURTH_ARGUMENT:
            out->database = i;
            break;
        case COLUMN_ITEM:
            out->item = constraint->usable && is_known_before(info, i) ? i : out->item;
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
    static const double scan = 1000, scan_of_some = 900, never = 1e99;
    const struct function *function = ((const struct table *)base)->module->function;
    struct conditions conditions;
    int n_taken = 0;
    const int code = find_conditions(info, function->takes_items, &conditions);
    if (code != SQLITE_OK) {
        return code;
    }
    if (conditions.of < 0) { /* an error, but SQLite also asks so about a part of an OR */
        info->idxNum = LACKS_ARGUMENT;
        info->estimatedCost = never;
        return SQLITE_OK;
    }
    take(info, conditions.of, &n_taken, 0);
    take(info, conditions.k, &n_taken, TAKES_K);
    take(info, conditions.items, &n_taken, TAKES_ITEMS);
    take(info, conditions.database, &n_taken, TAKES_DATABASE);
    info->estimatedCost = scan;
    info->estimatedRows = USUAL_K;
    if (conditions.item >= 0 && sqlite3_vtab_in(info, conditions.item, 1)) {
        take(info, conditions.item, &n_taken, TAKES_SET);
        info->estimatedCost = scan_of_some;
    } else if (conditions.item >= 0) {
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

/* ---- which items ---- */

/* Every item of an IN: SQLite gives the values of a set without repetitions, but 7 and 7.0 are one
 * item. */
static int each_of_set(struct call *call, void (*offer)(struct call *, const void *, int32_t),
                       const void *data)
{
    const size_t n = call->catalogue->n;
    sqlite3_value *value = NULL;
    uint8_t *is_offered = sqlite3_malloc64(n + 1);
    if (is_offered == NULL) {
        return SQLITE_NOMEM;
    }
    memset(is_offered, 0, n + 1);
    int code = sqlite3_vtab_in_first(call->filter, &value);
    for (; code == SQLITE_OK && value != NULL; code = sqlite3_vtab_in_next(call->filter, &value)) {
        const int32_t item = catalogue_find(call->catalogue, value);
        if (item >= 0 && !is_offered[item]) {
            is_offered[item] = 1;
            offer(call, data, item);
        }
    }
    sqlite3_free(is_offered);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int call_each_item(struct call *call, void (*offer)(struct call *, const void *, int32_t),
                   const void *data)
{
    if (call->filter != NULL && call->filter_is_set) {
        return each_of_set(call, offer, data);
    }
    if (call->filter != NULL) {
        const int32_t item = catalogue_find(call->catalogue, call->filter);
        if (item >= 0) {
            offer(call, data, item);
        }
        return SQLITE_OK;
    }
    for (size_t i = 0; i < call->catalogue->n; i++) {
        offer(call, data, (int32_t)i);
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
    catalogue_drop(cursor->call.catalogue);
    sqlite3_free(cursor->call.vector);
    sqlite3_free(cursor->call.found);
    sqlite3_free(cursor->call.scores);
    *cursor = (struct cursor){.base = cursor->base};
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    clear_cursor((struct cursor *)base);
    sqlite3_free(base);
    return SQLITE_OK;
}

/* call->k, at most the items that there are. */
static int read_k(struct call *call, sqlite3_value *value)
{
    const size_t n = call->catalogue->n;
    int64_t asked = USUAL_K;
    if (value != NULL && sqlite3_value_type(value) != SQLITE_NULL) {
        asked = sqlite3_value_int64(value);
        if (sqlite3_value_numeric_type(value) != SQLITE_INTEGER || asked < 1) {
            return call_fail(call,
                             sqlite3_mprintf("%s: k is '%s'; a whole number from 1 is allowed",
                                             call->function->name, sqlite3_value_text(value)));
        }
    }
    call->k = asked < (int64_t)n ? (size_t)asked : n;
    return SQLITE_OK;
}

static int make_room(struct call *call)
{
    call->found = sqlite3_malloc64((call->k + 1) * sizeof *call->found);
    call->scores = sqlite3_malloc64((call->k + 1) * sizeof *call->scores);
    call->vector = sqlite3_malloc64((call->catalogue->dimension + 1) * sizeof *call->vector);
    if (call->found == NULL || call->scores == NULL || call->vector == NULL) {
        return SQLITE_NOMEM;
    }
    topk_init(&call->best, call->k, call->scores, call->found, NULL);
    return SQLITE_OK;
}

static int filter_rows(sqlite3_vtab_cursor *base, int taken, const char *text, int n_values,
                       sqlite3_value **values)
{
    struct cursor *cursor = (struct cursor *)base;
    struct table *table = (struct table *)base->pVtab;
    char *error = NULL;
    int n = 1;
    (void)text, (void)n_values;
    clear_cursor(cursor);
    if (taken & LACKS_ARGUMENT) {
        const struct function *function = table->module->function;
        return fail(base->pVtab, sqlite3_mprintf("%s(%s, k): the %s is missing", function->name,
                                                 function->argument, function->argument));
    }
    struct call *call = &cursor->call;
    *call = (struct call){.db = table->db,
                          .table = base->pVtab,
                          .function = table->module->function,
                          .of = values[0],
                          .filter_is_set = (taken & TAKES_SET) != 0};
    sqlite3_value *k = taken & TAKES_K ? values[n++] : NULL;
    call->items = taken & TAKES_ITEMS ? values[n++] : NULL;
    sqlite3_value *database = taken & TAKES_DATABASE ? values[n++] : NULL;
    call->filter = taken & (TAKES_ITEM | TAKES_SET) ? values[n++] : NULL;
    if (sqlite3_value_type(call->of) == SQLITE_NULL &&
        (call->items == NULL || sqlite3_value_type(call->items) == SQLITE_NULL)) {
        return SQLITE_OK; /* the mean of an empty cart: no rows */
    }
    int code = catalogue_get(table->module->catalogues, table->db,
                             database == NULL ? NULL : (const char *)sqlite3_value_text(database),
                             &call->catalogue, &error);
    if (code != SQLITE_OK) {
        return error == NULL ? code : fail(base->pVtab, error);
    }
    code = read_k(call, k);
    code = code == SQLITE_OK ? make_room(call) : code;
    code = code == SQLITE_OK ? call->function->fill(call) : code;
    if (code == SQLITE_OK) {
        topk_finish(&call->best);
        call->n = call->best.n;
    }
    return code;
}

static int next_row(sqlite3_vtab_cursor *base)
{
    ((struct cursor *)base)->at++;
    return SQLITE_OK;
}

static int is_at_end(sqlite3_vtab_cursor *base)
{
    const struct cursor *cursor = (const struct cursor *)base;
    return cursor->at >= cursor->call.n;
}

static int show_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    const struct cursor *cursor = (const struct cursor *)base;
    const struct call *call = &cursor->call;
    switch (column) {
    case COLUMN_RANK:
        sqlite3_result_int64(context, (int64_t)cursor->at + 1);
        break;
    case COLUMN_ITEM:
        catalogue_result_id(call->catalogue, call->found[cursor->at], context);
        break;
    case COLUMN_SCORE:
        sqlite3_result_double(context, (double)call->scores[cursor->at]);
        break;
    case COLUMN_FOURTH:
        call->function->show_fourth(call, cursor->at, context);
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

static const sqlite3_module callbacks = {
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
    catalogues_drop(module->catalogues);
    sqlite3_free(module);
}

int table_function_register(sqlite3 *db, const struct function *function,
                            struct catalogues *catalogues)
{
    struct module *module = sqlite3_malloc64(sizeof *module);
    if (module == NULL) {
        return SQLITE_NOMEM;
    }
    *module = (struct module){function, catalogues};
    catalogues->n_users++;
    /* frees the module on an error, too */
    return sqlite3_create_module_v2(db, function->name, &callbacks, module, module_free);
}
