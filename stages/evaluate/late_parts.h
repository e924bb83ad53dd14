/* Which part is judged, and what came behind the train part. */
#ifndef NIGHTJAR_STAGES_LATE_PARTS_H
#define NIGHTJAR_STAGES_LATE_PARTS_H

#include "evaluation/evening.h"
#include "run/context.h"

/* Which part of which basis is judged. */
struct judged_part {
    const struct dataset *dataset;
    struct crowd crowd;
    const struct history *held_out; /* NULL: nothing to judge on */
    const int32_t *unknown;
    size_t unknown_users;
    const struct sparse *barred;
    const char *prefix;
};

/* What came behind the train part, and of which parts there is any, on any rank. */
struct late_parts {
    struct late_events events;
    bool has_valid, has_test;
};

MUST_CHECK enum status_code late_parts_load(struct context *context,
                                            const struct interactions *interactions,
                                            const struct judged_part *part, struct late_parts *out,
                                            struct status *status);
/* Lists for the test part know what came before it: histories and popularity with the validation
 * part. Nothing where that is not older, or the towers know it. */
MUST_CHECK enum status_code late_parts_begin_test(const struct late_parts *late,
                                                  const struct interactions *interactions,
                                                  const struct judged_part *part,
                                                  struct evening *out, bool *begins,
                                                  struct status *status);

#endif
