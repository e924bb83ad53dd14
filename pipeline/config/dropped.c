/* One row for each option that went. Rows stay: files live longer than versions. */
#include "config/dropped.h"

#include <stdbool.h>
#include <string.h>

const struct dropped_option dropped_options[] = {
    {"negatives.exclude_neighbours", NULL, "0.2.0",
     "leave it out; `hard: {skip: 10}` spares what a user would likely take"},
    {"pairs.user_user", NULL, "0.2.0",
     "leave it out; `item_item` and train's `co_interaction` contrast items"},
    {"train.user_co_interaction", NULL, "0.2.0",
     "leave it out; `co_interaction` contrasts items that are interacted with together"},
    {"train.temperature_mode", "per_user", "0.2.0",
     "write fixed, with `temperature: auto` to have it chosen, or learned"},
    {"train.temperature_spread", NULL, "0.2.0", "leave it out; it belonged to per_user"},
    {NULL, NULL, NULL, NULL}};

const struct dropped_option *dropped_find(const char *path, size_t length, const char *value)
{
    for (const struct dropped_option *row = dropped_options; row->path != NULL; row++) {
        bool same_value = value == NULL ? row->value == NULL
                                        : row->value != NULL && strcmp(row->value, value) == 0;
        if (same_value && strlen(row->path) == length && memcmp(row->path, path, length) == 0) {
            return row;
        }
    }
    return NULL;
}
