/* Commands that are told how a run fares: `hooks: {start, success, failure}`. They are started
 * without a shell, by posix_spawn (fork would run OpenBLAS's handlers, which hang), in a process
 * group of their own, with the three standard descriptors alone: nothing to read, and stderr to
 * write to. What goes wrong with one is a warning. */
#ifndef NIGHTJAR_RUN_HOOKS_H
#define NIGHTJAR_RUN_HOOKS_H

#include "base/log.h"
#include "config/plan.h"

enum hook { HOOK_START, HOOK_SUCCESS, HOOK_FAILURE, N_HOOKS };
extern const char *const hook_names[N_HOOKS]; /* "start" */

/* What a hook finds in its environment, as NIGHTJAR_RUN and so on. */
struct hook_facts {
    int64_t run;        /* 0: it has not begun */
    int64_t generation; /* that it published; 0: none */
    const char *state;  /* as the history has it: "running", "published", "refused" */
    int exit_code;      /* of nightjar */
    double seconds;
    const char *message; /* "" or what went wrong; PRIVATE_BEGIN marks are allowed */
    const char *version; /* of nightjar */
};

/* Whether the file has such a hook. */
bool hooks_has(const struct plan *plan, enum hook hook);
/* Runs the hook, if there is one, and waits for it: for hooks.timeout at most, and until
 * *stop_signal (may be NULL) changes. */
void hooks_call(const struct plan *plan, enum hook hook, const struct hook_facts *facts,
                const volatile int *stop_signal, struct log *log);
/* Whether the hook's program can be found now; *program is its first word, of `arena`. */
MUST_CHECK enum status_code hooks_look(const struct plan *plan, enum hook hook, struct arena *arena,
                                       const char **program, bool *found, struct status *status);

#endif
