/* Text of any kind as YAML that a configuration reads back byte for byte: names of tables, of files
 * and of events are whatever somebody has made them. The text must be UTF-8 (yaml_can_hold), for
 * nothing else can stand in such a file. */
#ifndef NIGHTJAR_DISCOVERY_YAML_TEXT_H
#define NIGHTJAR_DISCOVERY_YAML_TEXT_H

#include "base/buf.h"

enum { YAML_COLUMNS = 90 }; /* where comments and lists are broken */

bool yaml_can_hold(const char *text);
/* A value, in quotes where YAML, or an option, would read something else than this text. */
void yaml_add_value(struct buf *yaml, const char *text);
/* The same of the key of a map, in which no ${NAME} is looked for. */
void yaml_add_key(struct buf *yaml, const char *text);
/* A value of several lines, with the line end behind it; an empty line is none of them. */
void yaml_add_lines(struct buf *yaml, const char *indent, const char *text);
/* Comment lines, broken at blanks; what cannot stand there is replaced. */
void yaml_add_comment(struct buf *yaml, const char *indent, const char *text);

#endif
