/* Changes single values in the text of a pipeline file and leaves everything else as it stands:
 * comments, order, variables, quotes. */
#ifndef NIGHTJAR_TUNING_PLAN_EDIT_H
#define NIGHTJAR_TUNING_PLAN_EDIT_H

#include "config/plan.h"

/* `text` is a file that plan_load accepts; `settings` are "stages.LABEL.OPTION=VALUE" texts, each
 * of a single value that needs no quotes (numbers, booleans, choices). A value that stands in the
 * file is replaced, one that does not is put in front of its neighbours. A block scalar or a text
 * over several lines in a place to change is STATUS_CONFIG, naming it; `file` is for that message.
 * `text` is untouched on error. */
MUST_CHECK enum status_code plan_edit(struct buf *text, const char *file,
                                      const char *const *settings, size_t n_settings,
                                      struct status *status);

#endif
