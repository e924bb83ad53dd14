/* What the table-valued functions share: planning, the k best of some items, and the rows. */
#ifndef NIGHTJAR_EXTENSION_TABLE_FUNCTION_H
#define NIGHTJAR_EXTENSION_TABLE_FUNCTION_H

#include "extension/catalogue.h"

#include "math/topk.h"

/* A call: its arguments, and what it gives. */
struct call {
    sqlite3 *db;
    sqlite3_vtab *table; /* for call_fail */
    const struct function *function;
    sqlite3_value *of, *items; /* the first argument, not NULL; the JSON argument, or NULL */
    sqlite3_value *filter;     /* of item_id: a value, or the set of an IN; NULL: all items */
    bool filter_is_set;
    struct catalogue *catalogue;
    size_t k;
    float *vector;    /* (dimension), where the function has one; sqlite3_free */
    struct topk best; /* while it is filled, over found and scores (k) */
    int32_t *found;   /* items of the catalogue, best first */
    float *scores;
    size_t n;
    const char *source; /* of the rows */
};

struct function {
    const char *name, *argument;
    /* rank, item_id, score, one more, and hidden: the argument, k, items if it takes them, database
     */
    const char *declaration;
    bool takes_items;
    int (*fill)(struct call *call); /* offers items; an SQLite code */
    void (*show_fourth)(const struct call *call, size_t row, sqlite3_context *context);
};

/* Registers it under its name. */
int table_function_register(sqlite3 *db, const struct function *function,
                            struct catalogues *catalogues);
/* Leaves the message (sqlite3_mprintf) as that of the statement; the code to return. */
int call_fail(struct call *call, char *message);
/* `offer(call, data, item)` for every item that the filter leaves, each once. */
int call_each_item(struct call *call, void (*offer)(struct call *, const void *, int32_t),
                   const void *data);

#endif
