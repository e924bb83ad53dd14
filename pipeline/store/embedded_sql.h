/* The SQL files under schemas/, embedded by the Makefile in name order. */
#ifndef NIGHTJAR_STORE_EMBEDDED_SQL_H
#define NIGHTJAR_STORE_EMBEDDED_SQL_H

#include <stddef.h>

struct embedded_sql {
    const char *name; /* "0001_work_init"; NULL ends the list */
    const char *sql;
};
extern const struct embedded_sql embedded_sql[];

#endif
