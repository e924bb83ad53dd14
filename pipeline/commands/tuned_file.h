/* The file that `nightjar tune` writes: the configuration with the winner's settings in place. */
#ifndef NIGHTJAR_COMMANDS_TUNED_FILE_H
#define NIGHTJAR_COMMANDS_TUNED_FILE_H

#include "tuning/tune.h"

/* "shop.yaml" -> "shop.tuned.yaml", or `asked` where that is not NULL. It must lie in the folder of
 * the configuration, whose relative paths start there, and not be that file itself: STATUS_USAGE.
 * A file of that name which tune has not written: STATUS_CANNOT_CREATE. `out` is added to. */
MUST_CHECK enum status_code tuned_file_name(const struct plan *plan, const char *asked,
                                            struct buf *out, struct status *status);

/* Writes the configuration's text with the winner's settings and a comment on what they gained, by
 * way of PATH.partial, which is checked first: read back it must be the same plan as the
 * configuration with the settings on top. Nothing in it depends on the time. */
MUST_CHECK enum status_code tuned_file_write(const struct tune_request *request,
                                             const struct tune_result *result, const char *path,
                                             struct status *status);

#endif
