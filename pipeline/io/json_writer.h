/* Rows as JSON, for the commands' --json: a list of flat objects, one a line. */
#ifndef NIGHTJAR_IO_JSON_WRITER_H
#define NIGHTJAR_IO_JSON_WRITER_H

#include "io/json_tree.h"

/* Zero-initialise. Additions return no error; json_list_print tells. */
struct json_list {
    struct buf text;      /* the rows that are complete */
    struct json_tree row; /* the one that is being filled */
    size_t n_rows;
};

/* Starts the next object; the additions below go into it. */
void json_list_row(struct json_list *list);
/* Control characters are escaped, so that nothing is lost and none reaches a terminal; bytes that
 * are not UTF-8 become U+FFFD. */
void json_list_text(struct json_list *list, const char *name, const char *text, size_t length);
void json_list_int64(struct json_list *list, const char *name, int64_t value); /* all digits */
/* Not finite: null. */
void json_list_double(struct json_list *list, const char *name, double value);
void json_list_null(struct json_list *list, const char *name);
/* The list, with one object a line. STATUS_NO_MEMORY when any addition failed; a failed write is
 * left to command_flush. */
MUST_CHECK enum status_code json_list_print(struct json_list *list, FILE *out,
                                            struct status *status);
void json_list_release(struct json_list *list);

#endif
