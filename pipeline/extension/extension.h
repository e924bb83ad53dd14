/* nightjar.so, which SQLite loads: what is published, asked in ways that views cannot answer.
 *
 *      entry_point.c        registers everything with a connection
 *      vector_functions.c   nightjar_cosine, nightjar_mean
 *      catalogue.c          the items of the generation that is shown, and which one that is
 *      table_function.c     what SQLite asks of a function that gives rows
 *      neighbours.c         nightjar_nearest, nightjar_similar
 *      recommend_function.c nightjar_recommend, over the scores that live_score.c makes out of what
 *                           live_items.c and live_user.c read
 *
 * A connection has its own memory of the catalogue, so connections share nothing and need no lock.
 * Nothing here writes. Nobody else includes these headers, and nobody else sees sqlite3ext.h. */
#ifndef NIGHTJAR_EXTENSION_EXTENSION_H
#define NIGHTJAR_EXTENSION_EXTENSION_H

#include <sqlite3ext.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The routines of the SQLite that has loaded us; by this name its header's macros call them. */
extern const sqlite3_api_routines *sqlite3_api;

/* Each registers its functions; an SQLite code. */
int vector_functions_register(sqlite3 *db);
struct catalogues;
int neighbours_register(sqlite3 *db, struct catalogues *catalogues);
int recommend_register(sqlite3 *db, struct catalogues *catalogues);

#endif
