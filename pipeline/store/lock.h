/* One run of a pipeline at a time: an advisory flock on a lock file that is never unlinked. */
#ifndef NIGHTJAR_STORE_LOCK_H
#define NIGHTJAR_STORE_LOCK_H

#include "base/status.h"

enum { LOCK_WORD_MAX = 1024 };

/* A holder may leave a word in the file for those behind it (lock_leave_word): the file has its
 * block, so that a few bytes fit where the disk has no room for anything else. Whoever does not
 * take it away hands it on. */
struct lock {
    int fd; /* -1: not held */
    char word[LOCK_WORD_MAX];
};

/* How long to wait for another holder. */
struct lock_wait {
    double seconds;                  /* 0: not at all */
    const volatile int *stop_signal; /* ends the wait; may be NULL */
};

/* Held by another process for longer than the wait: STATUS_BUSY, naming its pid and since when;
 * STATUS_SIGNAL when a signal came first. The file is opened close-on-exec; the kernel releases it
 * when the process dies. `wait` may be NULL. */
MUST_CHECK enum status_code lock_acquire(const char *path, const struct lock_wait *wait,
                                         struct lock *lock, struct status *status);
/* The same on "DATABASE.lock": what keeps the runs of a pipeline, and those who change what it has
 * published, from one another. `database` is its work database. */
MUST_CHECK enum status_code lock_pipeline(const char *database, const struct lock_wait *wait,
                                          struct lock *lock, struct status *status);
/* Whether somebody holds the lock of lock_pipeline now, or it cannot be told. */
bool lock_is_held(const char *database);
/* With its release; cut when too long. "" takes it away. */
void lock_leave_word(struct lock *lock, const char *word);
/* What lies in "DATABASE.lock" while nobody holds it; "" for nothing. */
void lock_read_word(const char *database, char out[LOCK_WORD_MAX]);
void lock_release(struct lock *lock);

#endif
