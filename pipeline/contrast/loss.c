/* The table of losses. The formulas stand beside the functions, in loss_softmax.c (log-sum losses),
 * loss_cut.c (cut losses) and contrast_uniform.c (directau). */
#include "contrast/loss.h"

const char *const loss_denominators_names[] = {"infonce", "all", "decoupled", NULL};

const char *const loss_names[] = {"softmax", "bsl", "supcon",   "slk",      "bpr", "triplet",
                                  "warp",    "ccl", "logistic", "directau", NULL};
const struct loss loss_table[] = {
    /* softmax */
    {.kind = LOSS_LOG_SUM, .uses = LOSS_USES_DENOMINATORS | LOSS_USES_T2, .row = softmax_row},
    /* bsl */
    {.kind = LOSS_LOG_SUM, .uses = LOSS_USES_T2, .row = bsl_row},
    /* supcon */
    {.kind = LOSS_LOG_SUM, .row = supcon_row},
    /* slk */
    {.kind = LOSS_LOG_SUM,
     .uses = LOSS_USES_DENOMINATORS | LOSS_USES_T2 | LOSS_USES_SLK_WIDTH,
     .row = slk_row},
    /* bpr */
    {.kind = LOSS_CUT, .shape = SHAPE_SOFTPLUS, .cut_each = true, .factor = bpr_factor},
    /* triplet */
    {.kind = LOSS_CUT,
     .uses = LOSS_USES_MARGIN,
     .shape = SHAPE_HINGE,
     .cut_each = true,
     .margin_side = -1,
     .factor = triplet_factor},
    /* warp */
    {.kind = LOSS_CUT,
     .uses = LOSS_USES_MARGIN,
     .shape = SHAPE_HINGE,
     .cut_each = true,
     .margin_side = -1,
     .by_rank = true,
     .factor = warp_factor},
    /* ccl */
    {.kind = LOSS_CUT,
     .uses = LOSS_USES_MARGIN | LOSS_USES_NEGATIVE_WEIGHT,
     .shape = SHAPE_HINGE,
     .margin_side = 1,
     .factor = ccl_factor,
     .positive = ccl_positive},
    /* logistic */
    {.kind = LOSS_CUT,
     .uses = LOSS_USES_NEGATIVE_WEIGHT,
     .shape = SHAPE_SOFTPLUS,
     .factor = logistic_factor,
     .positive = logistic_positive},
    /* directau */
    {.kind = LOSS_UNIFORM, .uses = LOSS_USES_UNIFORMITY},
};
