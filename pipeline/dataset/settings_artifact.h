/* Settings that an option table describes as numbers of an artifact, one an option: what a stage
 * below, and a night later, goes by. A new option is kept by having its row.
 *
 *   static const struct kept_settings kept = {.table = negatives_options_table,
 *                                             .size = sizeof(struct negative_settings)};
 *   TRY(settings_save(&kept, &settings, &artifact, status));
 *   TRY(settings_load(&kept, &settings, &artifact, status));
 */
#ifndef NIGHTJAR_DATASET_SETTINGS_ARTIFACT_H
#define NIGHTJAR_DATASET_SETTINGS_ARTIFACT_H

#include "config/option.h"
#include "store/artifact.h"

/* A name in the artifact that is not the prefix and the option's dotted path. */
struct kept_name {
    const char *option;
    const char *kept; /* behind the prefix; NULL: not kept */
};

struct kept_settings {
    const struct option *table;
    size_t size; /* of the settings; rows of what stands behind them in the options are not kept */
    const char *prefix;            /* NULL: none */
    const struct kept_name *names; /* ends with a NULL option; NULL: none */
};

/* Every option must be a number, a choice or a switch, or a group of such, whose own number is
 * whether it is given. */
MUST_CHECK enum status_code settings_save(const struct kept_settings *kept, const void *settings,
                                          struct artifact *artifact, struct status *status);
/* What the artifact does not have, because an earlier version wrote it, gets its default; fields
 * without a kept option are left as they are. STATUS_DATA, `settings` untouched, for what the
 * option could not be: a choice has its names, a number goes from the lesser of 0 and min to max,
 * because what is not given may be 0. */
MUST_CHECK enum status_code settings_load(const struct kept_settings *kept, void *settings,
                                          const struct artifact *artifact, struct status *status);

#endif
