/* What a context holds: for the runner, which makes it, and for the functions that stages see. */
#ifndef NIGHTJAR_RUN_CONTEXT_STATE_H
#define NIGHTJAR_RUN_CONTEXT_STATE_H

#include "base/hash.h"
#include "base/pool.h"
#include "io/progress.h"
#include "publishing/forgotten.h"
#include "publishing/generation.h"
#include "run/run_request.h"
#include "store/artifact.h"

/* One output of one stage of the plan. */
struct context_slot {
    struct artifact artifact;
    bool in_memory;
    char hash[HASH_TEXT_MAX]; /* content hash, "" while unknown */
};

struct context {
    const struct run_request *request;
    const struct plan *plan;
    struct db *work;
    struct db *source; /* NULL while no snapshot is open */
    struct db *output; /* NULL until a stage asks */
    struct pool *pool;
    struct progress progress;
    int64_t run, started;     /* number in the work database; Unix seconds */
    double started_monotonic; /* seconds */
    char config_hash[HASH_TEXT_MAX];
    size_t *first_slot; /* (n_stages + 1): slots of stage s are [first_slot[s], first_slot[s+1]) */
    struct context_slot *slots;

    /* of the running stage */
    const struct plan_stage *stage;
    char key[HASH_TEXT_MAX]; /* its cache key: checkpoints carry it */
    int64_t rows;
    bool is_cut_short;                  /* by --max-time */
    bool in_fingerprint;                /* a fingerprint call must not take another one */
    bool has_fingerprint;               /* taken when the source snapshot was closed */
    char fingerprint[HASH_TEXT_MAX];    /* "" unknown */
    size_t n_metrics, n_metrics_before; /* of the run; of the stages before the running one */
    size_t metrics_capacity;
    struct publish_metric *metrics; /* texts owned by `texts` */
    struct arena texts;
    int64_t published_before;   /* what was published last when the run began */
    int64_t generation;         /* published by this run, 0: none */
    size_t n_warnings;          /* of request->log->warnings: on record */
    struct buf overruled;       /* what the gate said, with --publish-anyway */
    struct forgotten forgotten; /* over several ranks, of which the first alone sees the output */
};

/* Zeroes and fills the parts that need no database. `request` must outlive the context. */
MUST_CHECK enum status_code context_init(struct context *context, const struct run_request *request,
                                         struct status *status);
/* Closes and frees everything; a zeroed context is allowed. */
void context_release(struct context *context);

/* Between stages. */
void context_begin_stage(struct context *context, const struct plan_stage *stage, const char *key);
void context_end_stage(struct context *context); /* closes source and output, ends the progress */

/* All ranks: what context_forgotten has for the rest of the run. */
MUST_CHECK enum status_code context_share_forgotten(struct context *context, struct status *status);

/* The stage's fingerprint now, "" when it has none or does not know; closes the source. */
MUST_CHECK enum status_code context_fingerprint(struct context *context,
                                                const struct plan_stage *stage,
                                                char out[HASH_TEXT_MAX], struct status *status);

#endif
