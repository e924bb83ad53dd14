/* The rows behind the base's last key: those of earlier nights out of the work database, tonight's
 * out of the source. */
#ifndef NIGHTJAR_CATCH_UP_NEW_ROWS_H
#define NIGHTJAR_CATCH_UP_NEW_ROWS_H

#include "events/event_store.h"
#include "run/source_log.h"

/* Zero-initialise. */
struct new_rows {
    struct extraction extraction; /* the new rows; its report counts those of the base, too */
    int64_t n_read;               /* rows read from the source in this run */
    bool is_anew; /* what earlier nights kept does not count: all was read from the source */
};

/* `reading` is the artifact of the base. The rows are kept for the nights to come; where there is
 * none, what was kept is dropped. Errors as extract_read_log. */
MUST_CHECK enum status_code new_rows_read(struct new_rows *out, struct context *context,
                                          const struct artifact *reading,
                                          const struct extract_request *request,
                                          struct status *status);
void new_rows_release(struct new_rows *reading);

#endif
