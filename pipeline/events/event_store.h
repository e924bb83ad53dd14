/* The rows that earlier runs have read, in the work database, so that a run with source.key reads
 * only what is new. They stand in segments, one a run, in the order of the source; a
 * segment holds columns of event_log, the ids that they added, and what the reader has to know to
 * go on. Anything that does not fit together is as good as nothing: then all rows are read. */
#ifndef NIGHTJAR_EVENTS_EVENT_STORE_H
#define NIGHTJAR_EVENTS_EVENT_STORE_H

#include "base/hash.h"
#include "events/extract.h"

/* Events, dislikes, rows that were only seen. The version says what is kept of a row: rows that
 * were kept by another one are read anew. */
enum { N_STORED_LOGS = 3, EVENT_STORE_VERSION = 2 };

struct event_store {
    struct db *work;
    const char *label;            /* of the stage: slots are LABEL/events.0, LABEL/events.1, ... */
    char rules[HASH_TEXT_MAX];    /* hash of what decides about a row */
    size_t n_segments;            /* filled in by load */
    size_t n_logs[N_STORED_LOGS]; /* rows that are stored */
    size_t n_users[N_STORED_LOGS], n_items[N_STORED_LOGS];
};

/* Fills extraction (zeroed) with the stored rows, ready for more; *found false: there are none. */
MUST_CHECK enum status_code event_store_load(struct event_store *store, const char *query,
                                             struct extraction *extraction, bool *found,
                                             struct status *status);
/* Adds what `extraction`, before it is built, has beyond the stored rows. */
MUST_CHECK enum status_code event_store_save(struct event_store *store,
                                             const struct extraction *extraction,
                                             struct status *status);
/* Deletes all segments. */
MUST_CHECK enum status_code event_store_clear(struct event_store *store, struct status *status);

/* The array "state" of an artifact: what a reader has to know to go on behind the rows that
 * `extraction`, before it is built, has read: the last key, types, units, the report. */
MUST_CHECK enum status_code event_state_add(const struct extraction *extraction,
                                            struct artifact *artifact, struct status *status);
/* Makes `extraction` (zeroed, or with rows) one that goes on from there. *fits false: there is no
 * such array, or it is of another version. */
MUST_CHECK enum status_code event_state_get(const struct artifact *artifact, const char *query,
                                            struct extraction *extraction, bool *fits,
                                            struct status *status);

#endif
