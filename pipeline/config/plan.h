/* The immutable plan: a pipeline file, checked and resolved against the option tables. Nothing
 * after the plan reads YAML.
 *
 *     TRY(plan_load("shop.yaml", &stage_registry, NULL, 0, &plan, status));
 *     const struct train_options *train = plan_find(plan, "train")->options;
 *     train->settings.epochs                   30, where the file says `- train: {epochs: 30}`
 *     plan_free(plan);
 *
 * In plan_load yaml_doc.h reads the file, variables.h puts in what ${NAME} stands for,
 * plan_override.c lays --set over it, option_read.h fills the structs that the option tables
 * describe, and every stage's `validate` has its say. */
#ifndef NIGHTJAR_CONFIG_PLAN_H
#define NIGHTJAR_CONFIG_PLAN_H

#include "base/buf.h"
#include "base/watch.h"
#include "config/stage.h"
#include "config/variables.h"

struct plan_source {
    bool given;
    bool is_imported;         /* a stage of the pipeline makes it: it may be missing before a run */
    const char *database;     /* resolved path */
    const char *interactions; /* SQL: one SELECT; or NULL when table and columns are given */
    const char *table, *user, *item, *event, *weight, *time; /* the other way to name them */
    const char *fingerprint;                                 /* SQL, or NULL */
    int64_t as_of;        /* Unix seconds: rows of the log from then on do not exist; 0: all do. No
                             option: a backtest sets it */
    const char *key;      /* column that only grows: later runs read what is new; or NULL */
    double busy_timeout;  /* seconds to wait for a writer */
    double query_timeout; /* seconds a query of the user may take, from its first row to its end */
};

/* Users that a pipeline serves of those whom several share by chance (serving/variant.h). */
struct plan_variant {
    bool given;
    const char *of; /* the trial's name */
    double from, share;
};

struct plan_output {
    bool given;
    const char *database; /* default: the source's */
    const char *prefix;   /* default: "" */
    int64_t keep;         /* generations kept, the newest included */
    struct plan_variant variant;
};

struct plan_work {
    bool given;
    const char *database; /* default: PIPELINE.work.db beside the config */
    int64_t keep_runs;    /* runs whose history stays */
};

/* Commands that are told how a run fares (run/hooks.h). */
struct plan_hooks {
    bool given;
    const char *start, *success, *failure; /* words as base/command_words.h cuts them; or NULL */
    double timeout;                        /* seconds that each may take */
};

/* The option struct of the file's top level. */
struct plan_settings {
    const char *pipeline; /* name: letters, digits, - and _ */
    struct plan_source source;
    struct plan_output output;
    struct plan_work work;
    struct plan_hooks hooks;
    int64_t seed;
    int64_t threads;      /* 0: all cores */
    int64_t memory_limit; /* bytes, 0: none */
    int64_t disk_reserve; /* bytes of each file system that a run leaves free */
    double resume_within; /* seconds for which an extracted snapshot may be resumed from */
};

struct plan_stage {
    const struct stage *stage;
    const char *label;   /* the stage's name; for the second and later of a repeatable stage
                            "import.2", ... */
    const void *options; /* the stage's struct, filled */
    size_t line, column; /* in the file, one-based */
    size_t position;     /* in the pipeline, zero-based */
};

struct plan {
    struct plan_settings settings;
    struct plan_rank rank;
    uint64_t text;       /* hash of the file and --set, as they stand before variables are put in */
    bool source_by_rank; /* each rank has a source of its own, or its part: ${RANK} or :rank */
    const char *file;    /* as named on the command line */
    const char *directory; /* of the file: relative paths start there */
    const char *doubts;    /* what the file may say and hardly means, "LINE:COLUMN: text" by lines;
                              "": nothing. check and run tell it */
    size_t n_stages;
    struct plan_stage *stages;
    struct arena arena; /* owns everything above */
};

/* The registry of stages: generated from stages/ by the Makefile, handed down by main.c. */
struct stage_registry {
    const struct stage *const *stages; /* NULL-terminated */
};

/* Reads, checks and resolves. `overrides` are "path=value" texts of --set, n of them. On a mistake:
 * STATUS_CONFIG with the first mistake's position in status and every mistake in its message, one a
 * line: status_format puts the position before the first line, the others carry theirs. A missing
 * file is STATUS_NO_INPUT; when only --set is wrong, STATUS_USAGE. Paths in --set start at the
 * configuration's folder, too.
 * *out is untouched on error. Free with plan_free. */
MUST_CHECK enum status_code plan_load(const char *file, const struct stage_registry *registry,
                                      const char *const *overrides, size_t n_overrides,
                                      struct plan **out, struct status *status);
/* The same for one of several ranks: what does not work over several is a mistake, and the work
 * database of all but the first is a file of their own beside the one that is configured. The watch
 * is asked while the file is a pipe that has nothing yet. */
MUST_CHECK enum status_code plan_load_rank(const char *file, const struct stage_registry *registry,
                                           const char *const *overrides, size_t n_overrides,
                                           struct plan_rank rank, const struct watch *watch,
                                           struct plan **out, struct status *status);
void plan_free(struct plan *plan); /* NULL allowed */
/* "shop.work.db" -> "shop.work.db.rank-1-of-4", of all ranks but the first. */
void plan_rank_work(const char *work, size_t rank, size_t n, struct buf *path);

/* Index of the stage that writes input `name` of stage `position` (the nearest above), or SIZE_MAX.
 */
size_t plan_producer(const struct plan *plan, size_t position, const char *name);
/* The stage called `label`, or NULL. */
const struct plan_stage *plan_find(const struct plan *plan, const char *label);
/* The option of the stage that a dotted path names, as option_number gives it: 1 for a group that
 * is given, else 0; NAN: it has no such option. Stages ask so for what another makes. */
double plan_stage_number(const struct plan_stage *stage, const char *path);
/* Whether a stage above `position` writes `output` and has its group `group` given. */
bool plan_has_group(const struct plan *plan, size_t position, const char *output,
                    const char *group);
/* The table of the top level, for describe. */
extern const struct option plan_options[];

#endif
