/* What the option tables say, for people and for editors. */
#ifndef NIGHTJAR_CONFIG_DESCRIBE_H
#define NIGHTJAR_CONFIG_DESCRIBE_H

#include "config/plan.h"

/* One stage, or with stage NULL the list of stages and the top level, as text for a terminal. */
void describe_text(const struct stage_registry *registry, const struct stage *stage,
                   struct buf *out);
/* schemas/pipeline.schema.json (JSON Schema draft-07) and schemas/stages.md, byte for byte. */
MUST_CHECK enum status_code describe_schema(const struct stage_registry *registry, struct buf *out,
                                            struct status *status);
void describe_markdown(const struct stage_registry *registry, struct buf *out);

#endif
