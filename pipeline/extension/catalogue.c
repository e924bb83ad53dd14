/* Loading a generation's items, and finding them by their ids. */
#include "extension/catalogue.h"

#include <math.h>
#include <string.h>

enum { FIRST_CAPACITY = 1024 };

/* ---- errors and memory ---- */

int catalogue_fail(char **error, char *message)
{
    sqlite3_free(*error);
    *error = message;
    return message == NULL ? SQLITE_NOMEM : SQLITE_ERROR;
}

static int fail_db(char **error, sqlite3 *db, int code)
{
    sqlite3_free(*error);
    *error = sqlite3_mprintf("%s", sqlite3_errmsg(db));
    return code;
}

/* *block grows to `capacity` elements; an SQLite code. */
static int resize(void *block, size_t capacity, size_t size)
{
    void *before, *after;
    memcpy(&before, block, sizeof before);
    after = sqlite3_realloc64(before, (sqlite3_uint64)(capacity * size));
    if (after == NULL) {
        return SQLITE_NOMEM;
    }
    memcpy(block, &after, sizeof after);
    return SQLITE_OK;
}

void catalogue_drop(struct catalogue *catalogue)
{
    if (catalogue != NULL && --catalogue->n_holders == 0) {
        sqlite3_free(catalogue->schema);
        sqlite3_free(catalogue->prefix);
        sqlite3_free(catalogue->ids);
        sqlite3_free(catalogue->lengths);
        sqlite3_free(catalogue->texts);
        sqlite3_free(catalogue->vectors);
        sqlite3_free(catalogue->biases);
        sqlite3_free(catalogue->slots);
        if (catalogue->live != NULL) {
            catalogue->free_live(catalogue->live);
        }
        sqlite3_free(catalogue);
    }
}

struct catalogues *catalogues_new(void)
{
    struct catalogues *made = sqlite3_malloc64(sizeof *made);
    if (made != NULL) {
        *made = (struct catalogues){.n_users = 1};
    }
    return made;
}

void catalogues_drop(struct catalogues *catalogues)
{
    if (catalogues == NULL || --catalogues->n_users > 0) {
        return;
    }
    for (struct catalogue *at = catalogues->first, *next; at != NULL; at = next) {
        next = at->next;
        catalogue_drop(at);
    }
    sqlite3_free(catalogues);
}

/* ---- ids ---- */

static uint64_t hash_bytes(const char *bytes, size_t n)
{
    uint64_t hash = 14695981039346656037ULL; /* FNV-1a */
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211ULL;
    }
    return hash ^ hash >> 29;
}

/* Of an id as it is kept. */
struct id {
    int64_t integer;
    const char *text;
    int length; /* -1: INTEGER */
};

static uint64_t hash_id(const struct id *id)
{
    return id->length < 0 ? hash_bytes((const char *)&id->integer, sizeof id->integer)
                          : hash_bytes(id->text, (size_t)id->length);
}

static struct id id_at(const struct catalogue *catalogue, int32_t item)
{
    const int length = catalogue->lengths[item];
    return (struct id){catalogue->ids[item],
                       length < 0 ? NULL : catalogue->texts + catalogue->ids[item], length};
}

static bool id_equals(const struct id *a, const struct id *b)
{
    return a->length == b->length &&
           (a->length < 0 ? a->integer == b->integer
                          : memcmp(a->text, b->text, (size_t)a->length) == 0);
}

/* false: no id. A REAL that is a whole number is that INTEGER, as for SQL. */
static bool id_of_value(sqlite3_value *value, struct id *out)
{
    const double limit = 9.2e18;
    *out = (struct id){.length = -1};
    switch (sqlite3_value_type(value)) {
    case SQLITE_INTEGER:
        out->integer = sqlite3_value_int64(value);
        return true;
    case SQLITE_FLOAT: {
        const double real = sqlite3_value_double(value);
        out->integer = fabs(real) < limit ? (int64_t)real : 0;
        return fabs(real) < limit && real == floor(real);
    }
    case SQLITE_TEXT:
        out->text = (const char *)sqlite3_value_text(value);
        out->length = sqlite3_value_bytes(value);
        return out->text != NULL;
    default:
        return false;
    }
}

int32_t catalogue_find(const struct catalogue *catalogue, sqlite3_value *value)
{
    struct id id;
    if (catalogue->n_slots == 0 || !id_of_value(value, &id)) {
        return -1;
    }
    const size_t mask = catalogue->n_slots - 1;
    for (size_t slot = hash_id(&id) & mask; catalogue->slots[slot] != 0; slot = (slot + 1) & mask) {
        const int32_t item = catalogue->slots[slot] - 1;
        const struct id other = id_at(catalogue, item);
        if (id_equals(&id, &other)) {
            return item;
        }
    }
    return -1;
}

void catalogue_result_id(const struct catalogue *catalogue, int32_t item, sqlite3_context *context)
{
    const struct id id = id_at(catalogue, item);
    if (id.length < 0) {
        sqlite3_result_int64(context, id.integer);
    } else {
        sqlite3_result_text(context, id.text, id.length, SQLITE_TRANSIENT);
    }
}

static int build_slots(struct catalogue *catalogue)
{
    size_t n_slots = 16;
    while (n_slots < 2 * catalogue->n) {
        n_slots *= 2;
    }
    const int code = resize(&catalogue->slots, n_slots, sizeof *catalogue->slots);
    if (code != SQLITE_OK) {
        return code;
    }
    memset(catalogue->slots, 0, n_slots * sizeof *catalogue->slots);
    catalogue->n_slots = n_slots;
    for (size_t i = 0; i < catalogue->n; i++) {
        const struct id id = id_at(catalogue, (int32_t)i);
        size_t slot = hash_id(&id) & (n_slots - 1);
        while (catalogue->slots[slot] != 0) {
            slot = (slot + 1) & (n_slots - 1);
        }
        catalogue->slots[slot] = (int32_t)i + 1;
    }
    return SQLITE_OK;
}

/* ---- loading ---- */

int catalogue_prepare(const struct catalogue *catalogue, sqlite3 *db, const char *view,
                      const char *text, sqlite3_stmt **out, char **error)
{
    const size_t before = strcspn(text, "$");
    char *sql =
        sqlite3_mprintf("%.*s\"%w\".\"%w%w\"%s", (int)before, text, catalogue->schema,
                        catalogue->prefix, view, text[before] == '$' ? text + before + 1 : "");
    if (sql == NULL) {
        return SQLITE_NOMEM;
    }
    const int code = sqlite3_prepare_v2(db, sql, -1, out, NULL);
    sqlite3_free(sql);
    return code == SQLITE_OK ? code : fail_db(error, db, code);
}

int catalogue_prepare_table(const struct catalogue *catalogue, sqlite3 *db, const char *table,
                            const char *text, sqlite3_stmt **out, char **error)
{
    char name[64];
    sqlite3_snprintf(sizeof name, name, "%s_g%lld", table, catalogue->generation);
    return catalogue_prepare(catalogue, db, name, text, out, error);
}

int catalogue_end(int code, int step, sqlite3 *db, char **error)
{
    return code == SQLITE_OK && step != SQLITE_DONE && step != SQLITE_ROW ? fail_db(error, db, step)
                                                                          : code;
}

static int make_room(struct catalogue *catalogue, size_t text_bytes)
{
    int code = SQLITE_OK;
    if (catalogue->n == catalogue->capacity) {
        const size_t wider = catalogue->capacity == 0 ? FIRST_CAPACITY : 2 * catalogue->capacity;
        code = resize(&catalogue->ids, wider, sizeof *catalogue->ids);
        code = code != SQLITE_OK ? code
                                 : resize(&catalogue->lengths, wider, sizeof *catalogue->lengths);
        code =
            code != SQLITE_OK ? code : resize(&catalogue->biases, wider, sizeof *catalogue->biases);
        code = code != SQLITE_OK ? code
                                 : resize(&catalogue->vectors, wider * catalogue->dimension,
                                          sizeof *catalogue->vectors);
        catalogue->capacity = code == SQLITE_OK ? wider : catalogue->capacity;
    }
    if (code == SQLITE_OK && catalogue->n_text_bytes + text_bytes > catalogue->text_capacity) {
        const size_t wider = 2 * (catalogue->n_text_bytes + text_bytes) + FIRST_CAPACITY;
        code = resize(&catalogue->texts, wider, 1);
        catalogue->text_capacity = code == SQLITE_OK ? wider : catalogue->text_capacity;
    }
    return code;
}

/* A row of item_id, embedding, bias. */
static int take_item(struct catalogue *catalogue, sqlite3_stmt *rows, char **error)
{
    const size_t bytes = catalogue->dimension * sizeof *catalogue->vectors;
    struct id id;
    if (!id_of_value(sqlite3_column_value(rows, 0), &id) ||
        (size_t)sqlite3_column_bytes(rows, 1) != bytes) {
        return catalogue_fail(
            error, sqlite3_mprintf("nightjar: an item of generation %lld has no id, or no "
                                   "embedding of %d components",
                                   catalogue->generation, (int)catalogue->dimension));
    }
    const size_t text_bytes = id.length < 0 ? 0 : (size_t)id.length;
    const int code = make_room(catalogue, text_bytes);
    if (code != SQLITE_OK) {
        return code;
    }
    const size_t at = catalogue->n++;
    catalogue->lengths[at] = id.length;
    catalogue->ids[at] = id.length < 0 ? id.integer : (int64_t)catalogue->n_text_bytes;
    if (text_bytes > 0) {
        memcpy(catalogue->texts + catalogue->n_text_bytes, id.text, text_bytes);
        catalogue->n_text_bytes += text_bytes;
    }
    if (bytes > 0) {
        memcpy(catalogue->vectors + at * catalogue->dimension, sqlite3_column_blob(rows, 1), bytes);
    }
    catalogue->biases[at] = (float)sqlite3_column_double(rows, 2);
    return SQLITE_OK;
}

static int load_items(struct catalogue *catalogue, sqlite3 *db, char **error)
{
    sqlite3_stmt *rows = NULL;
    int code = catalogue_prepare(catalogue, db, "item_embeddings",
                                 "SELECT item_id, embedding, bias FROM $", &rows, error);
    int step = SQLITE_DONE;
    while (code == SQLITE_OK && (step = sqlite3_step(rows)) == SQLITE_ROW) {
        code = take_item(catalogue, rows, error);
    }
    code = catalogue_end(code, step, db, error);
    sqlite3_finalize(rows);
    return code == SQLITE_OK ? build_slots(catalogue) : code;
}

/* Which generation the views show now: fills generation, checksum, temperature and dimension. */
static int read_shown(struct catalogue *catalogue, sqlite3 *db, char **error)
{
    sqlite3_stmt *row = NULL;
    char *sql =
        sqlite3_mprintf("SELECT generation, checksum, temperature, dimension FROM"
                        " \"%w\".\"%wnightjar_current\" JOIN"
                        " \"%w\".\"%wnightjar_generations\" USING (generation)",
                        catalogue->schema, catalogue->prefix, catalogue->schema, catalogue->prefix);
    int code = sql == NULL ? SQLITE_NOMEM : sqlite3_prepare_v2(db, sql, -1, &row, NULL);
    if (code == SQLITE_OK) {
        const int step = sqlite3_step(row);
        if (step == SQLITE_ROW) {
            catalogue->generation = sqlite3_column_int64(row, 0);
            sqlite3_snprintf(sizeof catalogue->checksum, catalogue->checksum, "%s",
                             sqlite3_column_text(row, 1));
            catalogue->temperature = sqlite3_column_double(row, 2);
            const int64_t dimension = sqlite3_column_int64(row, 3);
            catalogue->dimension = (size_t)dimension;
            if (dimension < 1 || dimension > 1 << 20) {
                code = catalogue_fail(error, sqlite3_mprintf("nightjar: a dimension of %lld in %s",
                                                             dimension, catalogue->schema));
            }
        } else {
            code =
                step == SQLITE_DONE
                    ? catalogue_fail(error, sqlite3_mprintf("nightjar: nothing is published in %s",
                                                            catalogue->schema))
                    : fail_db(error, db, step);
        }
    } else if (sql != NULL) {
        code = catalogue_fail(error,
                              sqlite3_mprintf("nightjar: database %s has no generations under the "
                                              "prefix '%s'",
                                              catalogue->schema, catalogue->prefix));
    }
    sqlite3_finalize(row);
    sqlite3_free(sql);
    return code;
}

/* ---- which database ---- */

static bool has_generations(sqlite3 *db, const char *schema, const char *prefix)
{
    char *table = sqlite3_mprintf("%snightjar_current", prefix);
    const bool found =
        table != NULL && sqlite3_table_column_metadata(db, schema, table, "generation", NULL, NULL,
                                                       NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_free(table);
    return found;
}

/* *schema = the one database with something of ours under the prefix. */
static int find_schema(sqlite3 *db, const char *prefix, char **schema, char **error)
{
    sqlite3_stmt *rows = NULL;
    int n = 0, code = sqlite3_prepare_v2(db, "PRAGMA database_list", -1, &rows, NULL);
    while (code == SQLITE_OK && sqlite3_step(rows) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(rows, 1);
        if (name != NULL && has_generations(db, name, prefix)) {
            sqlite3_free(*schema);
            *schema = sqlite3_mprintf("%s", name);
            n++;
        }
    }
    sqlite3_finalize(rows);
    if (code != SQLITE_OK || (n == 1 && *schema == NULL)) {
        return code != SQLITE_OK ? code : SQLITE_NOMEM;
    }
    if (n == 1) {
        return SQLITE_OK;
    }
    return catalogue_fail(error,
                          n == 0 ? sqlite3_mprintf("nightjar: no database of this connection has "
                                                   "generations under the prefix '%s': "
                                                   "ATTACH the output database first",
                                                   prefix)
                                 : sqlite3_mprintf("nightjar: %d databases of this connection have "
                                                   "generations: name one, say 'main'",
                                                   n));
}

/* A catalogue without items, of the place that `source` names. */
static int new_catalogue(sqlite3 *db, const char *source, struct catalogue **out, char **error)
{
    const char *text = source == NULL ? "" : source;
    const size_t n_schema = strcspn(text, ".");
    struct catalogue *made = sqlite3_malloc64(sizeof *made);
    int code = SQLITE_OK;
    if (made == NULL) {
        return SQLITE_NOMEM;
    }
    *made = (struct catalogue){.n_holders = 1};
    made->prefix = sqlite3_mprintf("%s", text[n_schema] == '.' ? text + n_schema + 1 : "");
    if (made->prefix == NULL) {
        code = SQLITE_NOMEM;
    } else if (n_schema == 0) {
        code = find_schema(db, made->prefix, &made->schema, error);
    } else {
        made->schema = sqlite3_mprintf("%.*s", (int)n_schema, text);
        code = made->schema == NULL ? SQLITE_NOMEM : SQLITE_OK;
    }
    code = code == SQLITE_OK ? read_shown(made, db, error) : code;
    if (code != SQLITE_OK) {
        catalogue_drop(made);
        made = NULL;
    }
    *out = made;
    return code;
}

static bool is_place(const struct catalogue *a, const struct catalogue *b)
{
    return sqlite3_stricmp(a->schema, b->schema) == 0 && strcmp(a->prefix, b->prefix) == 0;
}

int catalogue_get(struct catalogues *catalogues, sqlite3 *db, const char *source,
                  struct catalogue **out, char **error)
{
    struct catalogue *shown = NULL, **at = &catalogues->first;
    int code = new_catalogue(db, source, &shown, error);
    if (code != SQLITE_OK) {
        return code;
    }
    while (*at != NULL && !is_place(*at, shown)) {
        at = &(*at)->next;
    }
    if (*at != NULL && (*at)->generation == shown->generation &&
        strcmp((*at)->checksum, shown->checksum) == 0) {
        catalogue_drop(shown);
        (*at)->n_holders++;
        *out = *at;
        return SQLITE_OK;
    }
    code = load_items(shown, db, error);
    if (code != SQLITE_OK) {
        catalogue_drop(shown);
        return code;
    }
    if (*at != NULL) {
        shown->next = (*at)->next;
        catalogue_drop(*at);
    }
    *at = shown;
    shown->n_holders++;
    *out = shown;
    return SQLITE_OK;
}
