/* What the writers of a made-up shop's tables share. */
#include "shop/shop_writing.h"

enum { ID_TEXT_MAX = 32 };

enum status_code writing_look_up(struct writing *w, size_t done, struct status *status)
{
    if (done % STEPS_BETWEEN_LOOKS != 0) {
        return STATUS_OK;
    }
    progress_update(w->progress, (double)done, NULL);
    return watch_check(&w->options->watch, status);
}

void writing_set_text(struct row_batch *batch, struct batch_cell *cell, const char *text)
{
    row_batch_copy_text(batch, cell, text, strlen(text));
}

void writing_set_id(const struct writing *w, struct row_batch *batch, struct batch_cell *cell,
                    char kind, size_t number)
{
    *cell = batch_integer((int64_t)number + 1);
    if (w->options->text_ids) {
        char text[ID_TEXT_MAX];
        (void)snprintf(text, sizeof text, "%c%zu", kind, number + 1);
        writing_set_text(batch, cell, text);
    }
}
