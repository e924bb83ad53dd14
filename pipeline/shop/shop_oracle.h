/* The table oracle of a made-up shop; shop_database.h says what it has. */
#ifndef NIGHTJAR_SHOP_SHOP_ORACLE_H
#define NIGHTJAR_SHOP_SHOP_ORACLE_H

#include "shop/shop_writing.h"

/* After the events. */
MUST_CHECK enum status_code shop_oracle_write(struct writing *w, struct status *status);

#endif
