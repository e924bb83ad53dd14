/* The whole way from the user's database to struct interactions, and what is left behind for people
 * to look at. The interactions stage is these calls and its option table.
 *
 *     interactions_request    what to read and how (interactions_options.h)
 *     extract_read            the rows, one by one, into an event log (event_reader.h, event_row.h)
 *     extract_split           the log sorted and cut (event_log.h, split.h)
 *     extract_build           its parts in the numbers of each basis (dataset_build.h)
 *     extract_write_left_out, extract_write_tables, extract_save_facts, extraction_release
 *
 * The rows (ann, tea, 09:00), (ann, tea, 10:00), (bob, tea, 11:00) and (bob, jam, 12:00), of which
 * the newest quarter is test: train has ann-tea, of weight 2 with duplicates: sum, and bob-tea. The
 * test has bob-jam; training does not know jam, so that only the cold part asks for it. */
#ifndef NIGHTJAR_EVENTS_EXTRACT_H
#define NIGHTJAR_EVENTS_EXTRACT_H

#include "events/dataset_build.h"
#include "events/event_reader.h"
#include "events/split.h"

struct extract_request {
    struct event_query interactions;
    const char *valid_query, *test_query; /* given parts, or NULL */
    struct event_rules rules;
    struct dataset_rules dataset;
    struct split_settings split;
    struct ranks *ranks; /* who read the source together; NULL: this process alone */
    /* Each rank has rows of its own in the log's query, and in those of the given parts unless they
       name :rank themselves (has_own_source). Else all see the same. */
    bool has_own_rows, has_own_source;
};

/* Zero-initialise. */
struct extraction {
    struct event_log log;
    struct event_log test;     /* rows of test_query; its dislikes count for nothing */
    struct event_log dislikes; /* of the log */
    struct event_log seen;     /* of the log: rows that count for nothing */
    bool has_given_test;
    struct row_report report;      /* of all queries together */
    struct rejected_rows rejected; /* of those that were read now */
    double repeat_share;           /* split_repeats */
    bool goes_on;                  /* behind rows that earlier runs have read: */
    int64_t n_before, n_rejected_before;
    bool is_read_whole; /* by each of several ranks */
};

/* Reads all rows, or with rows in `extraction` already (event_store.h) those behind its last key;
 * afterwards the source is not needed any more. Errors as event_reader_run, and STATUS_DATA when no
 * positive interaction is left, naming what took how many. */
MUST_CHECK enum status_code extract_read(struct db *source, const struct extract_request *request,
                                         const struct watch *watch, struct extraction *extraction,
                                         struct status *status);
/* Of that the log alone, without given parts; no row at all is no error. */
MUST_CHECK enum status_code extract_read_log(struct db *source,
                                             const struct extract_request *request,
                                             const struct watch *watch,
                                             struct extraction *extraction, struct status *status);
/* Sorts and splits; sets what the log decides, request->dataset.repeats. */
MUST_CHECK enum status_code extract_split(struct extraction *extraction,
                                          struct extract_request *request, struct status *status);
/* What is behind the split; request->dataset.half_life is a number now, whoever chose it. Uses up
 * extraction->log; `out` zeroed. */
MUST_CHECK enum status_code extract_build(struct extraction *extraction,
                                          const struct extract_request *request,
                                          struct interactions *out, struct status *status);
void extraction_release(struct extraction *extraction);

/* Brings up to date in the work database, in one transaction:
 *   interactions_left_out(kind, reason, n_rows)          kind: rule, fault
 *   interactions_rejected(query, row, rowid_of_row, reason, value)
 *                                                        the first ROW_KEPT_MAX of each fault
 * Before the rows are kept for the next run (event_store.h), which reads them no more. */
MUST_CHECK enum status_code extract_write_left_out(struct db *work,
                                                   const struct extraction *extraction,
                                                   struct status *status);
/* "3.0 % of the rows were left out as bad; ..." and where they are, when one in a hundred is, of
 * all or of those that were read now. */
void extract_add_bad_share(const struct extraction *extraction, const char *work_database,
                           struct buf *out);
/* Replaces in the work database users(code, user_id) and items(code, item_id), the master
 * vocabularies, in one transaction. */
MUST_CHECK enum status_code extract_write_tables(struct db *work,
                                                 const struct interactions *interactions,
                                                 const struct watch *watch, struct status *status);
/* The report's counts as numbers facts.rows, facts.accepted, facts.dislikes, facts.rejected and
 * facts.took.OPTION. */
MUST_CHECK enum status_code extract_save_facts(const struct row_report *report,
                                               struct artifact *artifact, struct status *status);
/* What the log decided, or was given: facts.half_life and facts.repeat_share (split_repeats). */
MUST_CHECK enum status_code extract_save_decisions(const struct extraction *extraction,
                                                   const struct dataset_rules *rules,
                                                   struct artifact *artifact,
                                                   struct status *status);
/* The half-life, for rows that join the log later, where the rules still leave it to the log. */
MUST_CHECK enum status_code extract_load_half_life(struct dataset_rules *rules,
                                                   const struct artifact *artifact,
                                                   struct status *status);

#endif
