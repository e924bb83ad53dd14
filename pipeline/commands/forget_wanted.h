/* Who is to be forgotten: ids as they were given, and which of them somebody has. */
#ifndef NIGHTJAR_COMMANDS_FORGET_WANTED_H
#define NIGHTJAR_COMMANDS_FORGET_WANTED_H

#include "base/strings.h"
#include "commands/command.h"
#include "store/row_id.h"

/* A way to write an id that was given: its text, the INTEGER that the text names, or for 7 and 7.0
 * the other of the two as a text. */
struct form {
    struct row_id id;
    size_t given; /* the id it stands for */
};

/* Ids as they were given, all as texts, and their forms. */
struct wanted {
    struct strings texts;
    struct strings twins; /* texts of forms that nobody gave */
    struct form *forms;   /* (n_forms), ascending */
    size_t n_forms;
    bool *is_here;        /* (texts.n) something that is still there has the id */
    bool *is_known;       /* (texts.n) or it was forgotten before */
    bool in_source;       /* being looked at: rows that stay, and that later runs leave out */
    struct status unread; /* why the log could not be looked at */
};

/* Who is meant by the command line. */
MUST_CHECK enum status_code wanted_collect(const struct command_environment *environment,
                                           const struct command_line *line, const struct plan *plan,
                                           struct wanted *wanted, struct status *status);
void wanted_release(struct wanted *wanted);

/* Whoever has this id is known. */
void wanted_meet(struct wanted *wanted, const struct row_id *id);
/* flags (texts.n): how many are set. */
size_t wanted_count(const struct wanted *wanted, const bool *flags);
/* In a work database, whose results may be of another version: then nobody is known by it. */
MUST_CHECK enum status_code wanted_meet_work(struct wanted *wanted, const struct plan *plan,
                                             struct db *work, struct status *status);
/* In the log itself: somebody who came since it was last read, or before anything was. A source
 * that cannot be read knows nobody, which is told to whoever names one that it may have. */
void wanted_meet_source(struct wanted *wanted, const struct plan *plan);

#endif
