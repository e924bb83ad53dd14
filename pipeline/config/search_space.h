/* The settings that a search may try: one axis for each option with a range, and points drawn from
 * them. A range is written LOW..HIGH (evenly spread), LOW..HIGH log (evenly spread logarithms; LOW
 * above 0) or as values with commas between them; ranges are for numbers only. What a point is
 * worth is others' business. */
#ifndef NIGHTJAR_CONFIG_SEARCH_SPACE_H
#define NIGHTJAR_CONFIG_SEARCH_SPACE_H

#include "config/plan.h"

enum search_kind { SEARCH_LINEAR, SEARCH_LOG, SEARCH_VALUES };

struct search_axis {
    const char *path; /* "stages.train.temperature", as --set takes it */
    const struct option *option;
    const char *range; /* as it was written */
    enum search_kind kind;
    double low, high;          /* ranges: both ends allowed */
    size_t n_values;           /* SEARCH_VALUES */
    const char *const *values; /* (n_values) as the file would have them */
    const char *current;       /* what the configuration has */
};

/* Zero-initialise; texts are owned by `arena`. */
struct search_space {
    size_t n;
    struct search_axis *axes; /* (n) in the order of the stages and their tables */
    struct arena arena;
};

/* What the user asks for: the stages' own ranges without the options below `fix` (a path or the
 * beginning of paths: "stages.train"), and `vary`, "PATH=RANGE" texts that replace or add one. */
struct search_request {
    const struct plan *plan; /* of the stages that a trial runs */
    size_t first;            /* stages before this position make the data: they are not varied */
    const char *resource;    /* path of the option that the search sets itself; NULL: none */
    const char *const *vary; /* (n_vary) */
    const char *const *fix;  /* (n_fix) */
    size_t n_vary, n_fix;
};

/* An option of a group that the file does not have is varied only when asked for. A wrong path or
 * range, and nothing left to vary, are STATUS_USAGE; a range in a table that its own option does
 * not allow is our bug, STATUS_INTERNAL. Release the space in either case. */
MUST_CHECK enum status_code search_space_init(struct search_space *space,
                                              const struct search_request *request,
                                              struct status *status);
void search_space_release(struct search_space *space);

/* The axis' value at the quantile u of [0, 1], as the file would have it: decimals are rounded to
 * three digits. `out` has NUM_TEXT_MAX bytes. */
void search_axis_value(const struct search_axis *axis, double u, char *out);

/* Point number `index` of the endless sequence that `seed` starts: n_settings texts "PATH=VALUE"
 * of the axes that differ from the configuration, into settings[space->n], owned by `arena`.
 * Coordinates come from a Halton sequence with digits permuted at random (Owen 2017, "A randomized
 * Halton algorithm in R"), so that few points already spread over each axis; in about half
 * of the points each axis keeps the configuration's own value with probability 1/2, because a
 * configuration that was chosen with care is rarely beaten by changing everything at once. */
MUST_CHECK enum status_code search_space_draw(const struct search_space *space, uint64_t seed,
                                              uint64_t index, struct arena *arena,
                                              const char **settings, size_t *n_settings,
                                              struct status *status);

/* Reads one range into `axis`, whose option is set; texts go to `arena`. False with the reason in
 * `why` (why_capacity bytes). */
bool search_range_parse(const char *text, struct search_axis *axis, struct arena *arena, char *why,
                        size_t why_capacity);

#endif
