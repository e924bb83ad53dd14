/* What the work database tells of this run and of those before, as parts of the page. */
#ifndef NIGHTJAR_STAGES_REPORT_REPORT_HISTORY_H
#define NIGHTJAR_STAGES_REPORT_REPORT_HISTORY_H

#include "base/buf.h"
#include "base/strings.h"
#include "run/findings.h"
#include "stages/report/report_chart.h"
#include "stages/report/report_page.h"

/* Which runs are looked at. */
struct report_history {
    struct db *work;
    int64_t run;    /* that the page tells of; it may still be running */
    int64_t n_runs; /* shown, at most */
    int64_t now;    /* Unix seconds */
    int64_t judged; /* the newest run that was judged: `run`, or one before; 0: none was */
    struct findings_outcome outcome; /* of the lists before, as the run has judged them */
    struct findings findings;        /* of it, where there is one, else of `run` */
    struct strings warnings;         /* of the run so far */
    const char *pipeline;
    size_t n_ranks;        /* that carry the run out */
    const char *overruled; /* what gates had to say and were overruled in; "": nothing */
    const char *failure;   /* why nothing was published; NULL: the run has not failed */
    bool is_refused;       /* by a gate, when it has failed */
};

/* work, output (NULL: nothing is published) and run; fills the rest but the last five. The caller
 * releases `warnings`. */
MUST_CHECK enum status_code history_init(struct report_history *history, struct db *work,
                                         struct db *output, const char *prefix, int64_t run,
                                         int64_t n_runs, struct status *status);

/* The query's columns are x and y; ?1 is the run, ?2 how many runs, ?3 and ?4 the texts. */
MUST_CHECK enum status_code history_series(const struct report_history *history, const char *sql,
                                           const char *first, const char *second,
                                           struct series *out, struct status *status);
/* Names a series after a model, which has the same colour everywhere. */
void history_name_model(struct series *series, const char *model);

/* The headline, how the run went, four figures. */
MUST_CHECK enum status_code history_head(const struct report_history *history, struct buf *out,
                                         struct status *status);
/* Each adds a section, or nothing where there is nothing to show. */
MUST_CHECK enum status_code history_quality(const struct report_history *history, struct buf *out,
                                            struct status *status);
MUST_CHECK enum status_code history_evenings(const struct report_history *history, struct buf *out,
                                             struct status *status);
MUST_CHECK enum status_code history_outcome(const struct report_history *history, struct buf *out,
                                            struct status *status);
MUST_CHECK enum status_code history_nights(const struct report_history *history, struct buf *out,
                                           struct status *status);
MUST_CHECK enum status_code history_groups(const struct report_history *history, struct buf *out,
                                           struct status *status);
MUST_CHECK enum status_code history_worth(const struct report_history *history, struct buf *out,
                                          struct status *status);
MUST_CHECK enum status_code history_work(const struct report_history *history, struct buf *out,
                                         struct status *status);

#endif
