/* The pages of `nightjar help TOPIC`, which are also those of the man page and of whoever reads the
 * repository: one Markdown file each under pipeline/commands/topics/, embedded by the Makefile in
 * name order. Of Markdown they use what reads well as it stands: a `#` line first, then `##` lines,
 * paragraphs, lists of `- `, fenced code, `code` and [links](of-one-line.md); no tables. */
#ifndef NIGHTJAR_COMMANDS_HELP_TOPICS_H
#define NIGHTJAR_COMMANDS_HELP_TOPICS_H

#include "commands/command.h"

struct help_topic {
    const char *name;         /* "nights"; NULL ends the list */
    const char *const *lines; /* the file, NULL-terminated; the first line is "# TITLE" */
};
extern const struct help_topic help_topics[];

const char *help_topic_title(const struct help_topic *topic);
/* The page for a terminal, and as sections of a man page. */
void help_topic_print(const struct help_topic *topic, FILE *out);
void help_topic_man(const struct help_topic *topic, FILE *out);

/* Text for roff: backslashes and hyphens escaped, no line begins with a control character. */
void man_text(FILE *out, const char *text);

#endif
