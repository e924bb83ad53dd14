/* Messages for people and for log collectors, to stderr or a file, never to stdout. Errors that end
 * the program travel as a status to main.c, which shows them; a log file keeps them too. */
#ifndef NIGHTJAR_BASE_LOG_H
#define NIGHTJAR_BASE_LOG_H

#include "base/strings.h"

/* A warning is what somebody can do something about: it is shown where nobody watches, too, and
 * cron mails it. What comes of the settings every night, wanted, is LOG_INFO. */
enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_SILENT };

struct log {
    FILE *stream;             /* NULL: nothing is shown */
    enum log_level level;     /* messages below it are not shown */
    FILE *file;               /* gets every message but LOG_DEBUG ones, with its time; NULL: none */
    struct strings *warnings; /* each is added, without the values of anybody's rows; NULL: none */
    bool json;                /* one JSON object a line: time, level, message; in both */
    size_t rank, ranks;       /* of several processes that run together: in the object, too */
    bool color;
    const char *mark;      /* in front of LOG_INFO's lines; NULL: none */
    bool progress_on_line; /* a progress bar stands on the current line: clear it first */
};

/* `log` NULL discards. One line a call, no trailing newline in the format. */
void log_write(struct log *log, enum log_level level, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
