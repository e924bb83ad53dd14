/* The entry point: `SELECT load_extension('./nightjar')`, `.load ./nightjar`. */
#include "extension/extension.h"

SQLITE_EXTENSION_INIT1

__attribute__((visibility("default"))) int sqlite3_nightjar_init(sqlite3 *db, char **error,
                                                                 const sqlite3_api_routines *api);

int sqlite3_nightjar_init(sqlite3 *db, char **error, const sqlite3_api_routines *api)
{
    SQLITE_EXTENSION_INIT2(api);
    enum { OLDEST = 3038000 }; /* sqlite3_vtab_in */
    if (sqlite3_libversion_number() < OLDEST) {
        *error = sqlite3_mprintf("nightjar.so needs SQLite 3.38 or newer, this is %s",
                                 sqlite3_libversion());
        return SQLITE_ERROR;
    }
    const int code = vector_functions_register(db);
    return code == SQLITE_OK ? neighbours_register(db) : code;
}
