/* The frame of the page: head, styles, sections. */
#ifndef NIGHTJAR_STAGES_REPORT_REPORT_PAGE_H
#define NIGHTJAR_STAGES_REPORT_REPORT_PAGE_H

#include "stages/report/report_svg.h"

void page_begin(struct buf *out, const char *title);
void page_end(struct buf *out);
/* A section with a heading; `hint` says how to read it, NULL: it needs no hint. */
void section_begin(struct buf *out, const char *heading, const char *hint);
void section_end(struct buf *out);

#endif
