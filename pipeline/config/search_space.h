/* The settings that a search may try: an axis for each option with a range, of candidates that are
 * texts as the file would have them. A range is written LOW..HIGH (evenly spread), LOW..HIGH log
 * (evenly spread logarithms; LOW above 0) or as values with commas between them; ranges are for
 * numbers only. Which candidates are tried is search/joint_search.h's business. */
#ifndef NIGHTJAR_CONFIG_SEARCH_SPACE_H
#define NIGHTJAR_CONFIG_SEARCH_SPACE_H

#include "config/plan.h"

/* Candidates of a range, its ends included; fewer where whole numbers fall together. */
enum { SPACE_RANGE_CANDIDATES = 5 };

struct space_axis {
    const char *path; /* "stages.train.temperature", as --set takes it */
    const struct option *option;
    size_t n;
    const char **values; /* (n) as the file would have them, numbers of a range in their order */
    size_t own;          /* the configuration's among them; "": the option is not there */
};

/* Zero-initialise; texts are owned by `arena`. */
struct search_space {
    size_t n;
    struct space_axis *axes; /* (n) in the order of the stages and their tables */
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

/* The texts "PATH=VALUE" of the axes on which choice (space->n) differs from the configuration,
 * into settings (space->n), owned by `arena`. */
MUST_CHECK enum status_code search_space_settings(const struct search_space *space,
                                                  const size_t *choice, struct arena *arena,
                                                  const char **settings, size_t *n_settings,
                                                  struct status *status);

/* Reads one range into the candidates of `axis`, whose option is set; `options` has the
 * configuration's own value, NULL: the option is not there. Texts go to `arena`. False with the
 * reason in `why` (why_capacity bytes). */
bool search_range_read(const char *text, const void *options, struct space_axis *axis,
                       struct arena *arena, char *why, size_t why_capacity);

#endif
