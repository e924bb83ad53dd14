/* The entry point: `SELECT load_extension('./nightjar')`, `.load ./nightjar`. */
#include "extension/catalogue.h"

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
    struct catalogues *catalogues = catalogues_new();
    int code = catalogues == NULL ? SQLITE_NOMEM : vector_functions_register(db);
    code = code == SQLITE_OK ? neighbours_register(db, catalogues) : code;
    code = code == SQLITE_OK ? recommend_register(db, catalogues) : code;
    catalogues_drop(catalogues);
    return code;
}
