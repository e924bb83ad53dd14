/* What people want to know of a run in the morning: how good its lists are beside the best
 * baseline, whether that may be chance, what has changed since the night before. Out of the history
 * in the work database and of that of published generations; `run`, `runs show` and the report say
 * it in the same words.
 *
 *     struct findings findings = {0};
 *     TRY(findings_read(work, output, prefix, run, &findings, status));
 *     findings_add_quality(&findings, &text);
 *
 *     "ndcg@20 0.0903, 1.18 times item-item (0.0764) on 1,425 users; a difference this size is no
 *      accident" */
#ifndef NIGHTJAR_RUN_FINDINGS_H
#define NIGHTJAR_RUN_FINDINGS_H

#include "base/buf.h"
#include "store/db.h"

enum { FINDINGS_NAME_MAX = 64 };

/* Counts of a generation; NAN: nothing is known. */
struct findings_counts {
    double users; /* with a list */
    double rows;  /* of all lists */
    double items; /* known to the pipeline */
    double pairs; /* of user and item in the log */
};

struct findings {
    int64_t run, started; /* 0: no run published before; Unix seconds */
    char state[16];
    int64_t generation; /* published by the run; 0: none */
    bool of_full_night; /* a small night (catch_up): what was measured is the last full one's */
    /* What it is told by: the gate's own metric, else ndcg@20 (evaluation.h: judged); "": nothing
       was measured. Errors NAN: unknown. */
    char metric[FINDINGS_NAME_MAX];
    double value, error;                     /* of nightjar */
    char baseline[FINDINGS_NAME_MAX];        /* the best one; "": there is none */
    double baseline_value, difference_error; /* of nightjar's mean difference to it */
    double n_users;                          /* that were judged */
    struct findings_counts counts;           /* of its generation, or of the one in place */
    int64_t before, before_started;          /* the last run before it that published */
    double before_value, before_error;       /* NAN: not judged alike */
    struct findings_counts before_counts;
};

/* output NULL: nothing is published. What cannot be read of it (a file may be damaged: then these
 * findings are looked at) is unknown. A run that is not there is STATUS_NO_INPUT. */
MUST_CHECK enum status_code findings_read(struct db *work, struct db *output, const char *prefix,
                                          int64_t run, struct findings *findings,
                                          struct status *status);

/* What became of the lists that people saw before, as the run has judged them
 * (evaluation/outcome.h); the shares are NAN where it has not. */
struct findings_outcome {
    double generation; /* that was shown; NAN: of a version that did not say so */
    double share, popular_share, n_users, hours;
    double more, more_error; /* rows for each user, than of the popular items */
};
MUST_CHECK enum status_code findings_read_outcome(struct db *work, int64_t run,
                                                  struct findings_outcome *out,
                                                  struct status *status);

/* Adds how the pipeline of the run compares with others that share its users with it
 * (evaluation/variants.h); nothing where there are none. */
MUST_CHECK enum status_code findings_add_variants(struct db *work, int64_t run, struct buf *out,
                                                  struct status *status);

/* Whether a difference is more than chance alone makes once in twenty; error NAN: false. */
bool findings_is_clear(double difference, double standard_error);
/* How nightjar compares with the best baseline. */
enum findings_verdict { FINDINGS_BETTER, FINDINGS_WORSE, FINDINGS_CHANCE, FINDINGS_NOT_KNOWN };
enum findings_verdict findings_verdict(const struct findings *findings);

/* A sentence each, without a line end; nothing where there is nothing to say. */
void findings_add_quality(const struct findings *findings, struct buf *out);
void findings_add_change(const struct findings *findings, struct buf *out);
void findings_add_counts(const struct findings *findings, struct buf *out);
void findings_add_outcome(const struct findings_outcome *outcome, struct buf *out);

/* The models for people: "item-item" of item_item. */
const char *findings_model(const char *model);

#endif
