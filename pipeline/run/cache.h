/* What need not be redone: the key of everything that decides a stage's bytes, and the memory of
 * the last success of each stage. */
#ifndef NIGHTJAR_RUN_CACHE_H
#define NIGHTJAR_RUN_CACHE_H

#include "run/context_state.h"

/* The last success of a stage, from the table stage_state. */
struct cache_state {
    bool found;
    char key[HASH_TEXT_MAX];
    char fingerprint[HASH_TEXT_MAX]; /* "" unknown */
    int64_t run;                     /* the last run that made or confirmed it */
    int64_t finished;                /* Unix seconds of that */
    int64_t rows;
};

enum cache_verdict { CACHE_RUN, CACHE_UNCHANGED, CACHE_RESUMED };

/* What the runner knows beside the stage itself. */
struct cache_question {
    size_t position;
    bool forced;
    bool keep_source;        /* the fingerprint has no say */
    const char *key;         /* cache_key */
    const char *fingerprint; /* now; "" unknown */
    int64_t unfinished_run;  /* the run before this one when it did not finish, else 0 */
    int64_t now;             /* Unix seconds */
};

/* out = hash of stage name, version and label, options, the content of every input, seed, nightjar
 * version, SQLite, OpenBLAS and vector kernels, the number of ranks; for stages with a fingerprint
 * also of the source and output settings, which they may read. Inputs must be at hand: else
 * STATUS_INTERNAL. */
MUST_CHECK enum status_code cache_key(struct context *context, size_t position,
                                      char out[HASH_TEXT_MAX], struct status *status);

/* Whether the stage must run. CACHE_UNCHANGED: key and fingerprint are those of its last success
 * and its outputs are at hand. CACHE_RESUMED: the run before did not finish, made or confirmed the
 * stage's outputs less than settings.resume_within ago with the same key, and only the source may
 * have moved on since. `state` (out) is the last success. */
MUST_CHECK enum status_code cache_decide(struct context *context,
                                         const struct cache_question *question,
                                         struct cache_state *state, enum cache_verdict *verdict,
                                         struct status *status);

/* Forget before a stage writes anything, remember after everything is saved: a crash in between
 * then leaves no claim about half of it. */
MUST_CHECK enum status_code cache_forget(struct db *work, const char *label, struct status *status);
MUST_CHECK enum status_code cache_remember(struct db *work, const char *label,
                                           const struct cache_state *state, struct status *status);

#endif
