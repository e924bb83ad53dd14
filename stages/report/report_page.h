/* The frame of the page: head, styles, sections, rows of figures. */
#ifndef NIGHTJAR_STAGES_REPORT_REPORT_PAGE_H
#define NIGHTJAR_STAGES_REPORT_REPORT_PAGE_H

#include "stages/report/report_html.h"

/* The styles, for the head of the page. */
void page_add_styles(struct buf *out);

void page_begin(struct buf *out, const char *title);
/* Between what the page says first and its sections. */
void page_begin_sections(struct buf *out);
/* `foot` is the last line. */
void page_end(struct buf *out, const char *foot);
/* A section with a heading; `hint` says how to read it, NULL: it needs no hint. */
void section_begin(struct buf *out, const char *heading, const char *hint);
void section_end(struct buf *out);

/* Figures that stand beside each other, so that they fill the section. Zero-initialise. */
struct figures {
    struct buf html;
    size_t n;
};
/* A figure: a heading of its own (NULL: none), then what is added to figures->html. */
void figure_begin(struct figures *figures, const char *heading);
void figure_end(struct figures *figures);
/* Adds the row, nothing without a figure, and releases it. */
void figures_end(struct figures *figures, struct buf *out);

/* A box in which a wide table moves alone; `label` is what a screen reader calls it. */
void table_begin(struct buf *out, const char *label);
void table_end(struct buf *out);
/* A cell with a bar as long as the value is of `most`; left out on a phone. */
void page_add_bar(double value, double most, struct buf *out);

#endif
