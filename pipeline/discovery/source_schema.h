/* The tables of a database that is not ours, with what their columns refer to: by a FOREIGN KEY, or
 * by name (product_id, where a table products has a key). Reads the schema alone, no rows. */
#ifndef NIGHTJAR_DISCOVERY_SOURCE_SCHEMA_H
#define NIGHTJAR_DISCOVERY_SOURCE_SCHEMA_H

#include "base/arena.h"
#include "discovery/column_words.h"
#include "store/db.h"

enum { SCHEMA_NONE = -1 };

struct schema_column {
    const char *name, *type; /* as declared; "" */
    struct words words;
    int key_part;        /* place in the primary key, from 1; 0: not in it */
    int table, column;   /* what it refers to; SCHEMA_NONE */
    bool is_foreign_key; /* declared so */
};

struct schema_table {
    const char *name;
    struct words words;
    bool is_view;
    size_t n_columns;
    struct schema_column *columns;
    int key;        /* the column that is the whole primary key; SCHEMA_NONE */
    bool is_people; /* it has a name of people, or columns such as email */
    int title;      /* the column that names a row for people; SCHEMA_NONE */
};

struct schema {
    struct arena arena; /* owns all of it */
    size_t n_tables;
    struct schema_table *tables;
    size_t
        n_unnamable; /* tables and columns that are left out, for no configuration can name them */
};

/* Tables and views but SQLite's own and those that nightjar has published. Zero-initialise; on an
 * error release what is there. */
MUST_CHECK enum status_code schema_read(struct db *db, struct schema *schema,
                                        struct status *status);
void schema_release(struct schema *schema);

#endif
