/* What a run leaves for monitoring: a file in the text format of Prometheus, as the node exporter's
 * textfile collector reads it. */
#ifndef NIGHTJAR_RUN_METRICS_FILE_H
#define NIGHTJAR_RUN_METRICS_FILE_H

#include "config/plan.h"

/* Writes the newest run of the plan's work database: its end and exit code, when a run last ended
 * well, the time and rows of each stage, its metrics (some tens that sum it up, or `all`, which may
 * be hundreds), what the gate said. Replaced as a whole. Nothing is written when the work database
 * is missing. Errors: those of db_open and whole_file_write. */
MUST_CHECK enum status_code metrics_file_write(const struct plan *plan, const char *path, bool all,
                                               struct status *status);

#endif
