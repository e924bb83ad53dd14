/* One artifact a kind of evidence. */
#include "stages/evaluate/score_inputs.h"

#include "run/context_data.h"

enum status_code score_inputs_load(struct context *context, const struct interactions *interactions,
                                   const struct embeddings *embeddings,
                                   struct score_products *products, struct status *status)
{
    const struct {
        const char *name;
        enum evidence_kind kind;
        struct evidence *evidence;
    } kinds[] = {{"evidence", EVIDENCE_CO_INTERACTION, &products->evidence},
                 {"transitions", EVIDENCE_TRANSITIONS, &products->transitions},
                 {"ridge", EVIDENCE_RIDGE, &products->ridge}};
    const struct artifact *artifact = NULL;
    bool found;
    enum status_code code;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        TRY(context_input(context, kinds[k].name, &artifact, status));
        TRY(evidence_load(kinds[k].evidence, kinds[k].kind, artifact, embeddings->basis,
                          &interactions->basis[embeddings->basis], &found, status));
    }
    TRY(evidence_of_own(&products->own, embeddings->items.rows, status));
done:
    return code;
}
