/* Shared by the files that write a made-up shop's database only. */
#ifndef NIGHTJAR_SHOP_SHOP_WRITING_H
#define NIGHTJAR_SHOP_SHOP_WRITING_H

#include "io/progress.h"
#include "shop/shop.h"
#include "store/row_batch.h"

enum { STEPS_BETWEEN_LOOKS = 4096 };

/* What the writers share. */
struct writing {
    const struct shop_database_options *options;
    struct progress *progress;
    struct shop *shop;
    struct db *db;
    int64_t newest; /* Unix seconds of the newest event */
};

/* Now and then shows the progress, and asks whether to stop. */
MUST_CHECK enum status_code writing_look_up(struct writing *w, size_t done, struct status *status);
void writing_set_text(struct row_batch *batch, struct batch_cell *cell, const char *text);
/* `kind` is 'u' or 'i'; `number` is zero-based, ids begin at 1. */
void writing_set_id(const struct writing *w, struct row_batch *batch, struct batch_cell *cell,
                    char kind, size_t number);

#endif
