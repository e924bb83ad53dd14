/* The source's log as stages ask for it: whether it has changed, and what decides about its rows.
 */
#ifndef NIGHTJAR_RUN_SOURCE_LOG_H
#define NIGHTJAR_RUN_SOURCE_LOG_H

#include "events/extract.h"
#include "run/context.h"

/* A hash of the first row of source.fingerprint, together with what is read from which file and who
 * is forgotten; "" without such a query. For stage.fingerprint. */
MUST_CHECK enum status_code source_log_fingerprint(struct context *context, char out[HASH_TEXT_MAX],
                                                   struct status *status);
/* A hash of what decides about single rows: rows that were read under other rules do not count.
 * request->rules.forgotten is set. */
MUST_CHECK enum status_code source_log_hash_rules(struct context *context,
                                                  const struct extract_request *request,
                                                  char out[HASH_TEXT_MAX], struct status *status);
/* The keys of the log from `from` on. *has_from: the row with that key is there; *newest: the
 * greatest, `from` where there is none. */
MUST_CHECK enum status_code source_log_keys(struct context *context, int64_t from, bool *has_from,
                                            int64_t *newest, struct status *status);
/* For stage.fingerprint: a hash of how far the log goes, source.fingerprint's or else that of the
 * greatest key from `from` on. */
MUST_CHECK enum status_code source_log_newest(struct context *context, int64_t from,
                                              char out[HASH_TEXT_MAX], struct status *status);

/* For stage.check: whether the rows have the time that `option` ("gate.max_age") needs; else
 * STATUS_CONFIG. Of a table that import will make nothing is known. */
MUST_CHECK enum status_code source_log_need_times(struct context *context, const char *option,
                                                  struct status *status);
/* Adds, behind a query of the source that is shown, what stands for :rank in it; nothing where it
 * has none. */
void source_log_add_rank_hint(const struct context *context, struct buf *out);

/* ---- the artifact "reading", a watermark: when the log was read, and how far ----
 *
 *      at      number  Unix seconds of the run that read it
 *      rules   U8      source_log_hash_rules
 *      state   U8      event_state_add
 */
MUST_CHECK enum status_code watermark_make(struct context *context,
                                           const struct extraction *extraction,
                                           const char rules[HASH_TEXT_MAX], struct artifact *out,
                                           struct status *status);
/* For the fingerprint of the stage whose last output `reading` is (NULL: none): the same text as
 * long as the log was read less than `refresh` seconds ago and the row with the last key is still
 * there, "" otherwise. */
MUST_CHECK enum status_code watermark_fingerprint(struct context *context,
                                                  const struct artifact *reading, double refresh,
                                                  char out[HASH_TEXT_MAX], struct status *status);

#endif
