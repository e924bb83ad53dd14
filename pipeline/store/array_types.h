/* Names and sizes of array elements: shared by artifact.c and artifact_store.c. */
#ifndef NIGHTJAR_STORE_ARRAY_TYPES_H
#define NIGHTJAR_STORE_ARRAY_TYPES_H

#include "store/artifact.h"

enum { ARRAY_N_TYPES = ARRAY_U8 + 1 };

struct array_type_info {
    const char *name; /* as stored */
    size_t size;      /* bytes an element */
};
extern const struct array_type_info array_types[ARRAY_N_TYPES];

size_t array_bytes(const struct array *array);

#endif
