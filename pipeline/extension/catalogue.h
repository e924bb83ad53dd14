/* The published items of one generation in memory, kept by a connection until the views show
 * another one. */
#ifndef NIGHTJAR_EXTENSION_CATALOGUE_H
#define NIGHTJAR_EXTENSION_CATALOGUE_H

#include "extension/extension.h"

struct catalogue {
    struct catalogue *next;
    int n_holders;         /* cursors that show rows of it, and the list */
    char *schema, *prefix; /* where its views are */
    int64_t generation;
    char checksum[40]; /* of its rows: another file may have a generation of the same number */
    double temperature;
    size_t n, dimension, capacity;
    int64_t *ids; /* (n) INTEGER ids; of a TEXT: where it begins in `texts` */
    int *lengths; /* (n) bytes of a TEXT id; -1: INTEGER */
    char *texts;
    size_t n_text_bytes, text_capacity;
    float *vectors; /* (n, dimension), unit length, in the order of the ids */
    float *biases;  /* (n) */
    int32_t *slots; /* (n_slots) an item + 1 by the hash of its id; 0: none */
    size_t n_slots; /* a power of two */
    void *live;     /* what live_score.h keeps with it, or NULL */
    void (*free_live)(void *live);
};

/* The catalogues that a connection has loaded: a list, of which an entry is replaced in place. */
struct catalogues {
    struct catalogue *first;
    int n_users; /* modules that point here, and whoever made it */
};
struct catalogues *catalogues_new(void);             /* NULL: no memory */
void catalogues_drop(struct catalogues *catalogues); /* NULL allowed */

/* The catalogue that `source` names: "schema", "schema.prefix" or ".prefix" of an attached
 * database; NULL: the one database that has something published under no prefix. Every statement
 * that this runs sees the snapshot of the one that asks. An SQLite code; *error, to be freed with
 * sqlite3_free, says what is wrong. *out is the caller's until catalogue_drop. */
int catalogue_get(struct catalogues *catalogues, sqlite3 *db, const char *source,
                  struct catalogue **out, char **error);
void catalogue_drop(struct catalogue *catalogue); /* NULL allowed */
/* The item with the id, or -1. */
int32_t catalogue_find(const struct catalogue *catalogue, sqlite3_value *id);
void catalogue_result_id(const struct catalogue *catalogue, int32_t item, sqlite3_context *context);
/* A query over a view of the catalogue, in whose text "$" is the place of the view's name. */
int catalogue_prepare(const struct catalogue *catalogue, sqlite3 *db, const char *view,
                      const char *text, sqlite3_stmt **out, char **error);
/* The same over a table of its generation, "score_items". */
int catalogue_prepare_table(const struct catalogue *catalogue, sqlite3 *db, const char *table,
                            const char *text, sqlite3_stmt **out, char **error);
/* The code after a loop over rows that the last step has ended: its error, if there was none. */
int catalogue_end(int code, int step, sqlite3 *db, char **error);
/* Makes the message (sqlite3_mprintf) the one that is told. */
int catalogue_fail(char **error, char *message);

#endif
