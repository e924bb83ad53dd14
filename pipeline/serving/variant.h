/* Which users a pipeline serves that shares them with others: output.variant. Where a user stands
 * between 0 and 1 is a hash of the trial's name and his id, the same every night, on every machine
 * and whether the id is INTEGER 7 or TEXT '7'; another trial mixes anew. */
#ifndef NIGHTJAR_SERVING_VARIANT_H
#define NIGHTJAR_SERVING_VARIANT_H

#include "config/plan.h"
#include "store/row_id.h"

/* In [0, 1). */
MUST_CHECK enum status_code variant_place(const char *of, const struct row_id *user, double *place,
                                          struct status *status);
/* Whether the place is in [from, from + share). */
bool variant_serves(const struct plan_variant *variant, double place);

#endif
