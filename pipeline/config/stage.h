/* The stage contract. A stage is one file under stages/ that exports one `const struct stage`. */
#ifndef NIGHTJAR_CONFIG_STAGE_H
#define NIGHTJAR_CONFIG_STAGE_H

#include "base/hash.h"
#include "config/option.h"

#include <math.h>

struct context;    /* run/context.h: what a stage may touch */
struct plan;       /* config/plan.h */
struct plan_stage; /* the same */

/* An artifact that a stage reads or writes. Lists end with a NULL name. A name is resolved to the
 * nearest stage above that writes it: `refit` writes `embeddings` again, and whoever stands below
 * it reads those. */
struct stage_artifact {
    const char *name;
    const char *help;
    /* An input that may be missing from the pipeline; an output that the stage may leave out: then
       that of a stage above it counts. */
    bool optional;
    /* An input that the stage reads when it runs, and that does not make it run again. */
    bool aside;
};

/* Seconds that a unit of work takes on all threads, measured (run/speeds.h); 0: nobody asked. */
struct stage_speeds {
    double contrast; /* an anchor and a negative: loss and gradients */
    double ranking;  /* an anchor and a candidate: product and selection */
    double variant;  /* the same for one more bias over the same products */
    double addition; /* of a product of histories, on one thread: the unit of what is no
                        arithmetic on vectors, whose constants are so many of them */
};

/* The tower that reads sequences, as train's options have it. */
struct stage_sequence {
    double dimension;                 /* 0: none is read */
    double few_dimensions, few_below; /* that many where there are fewer interactions than these */
    bool alone;                       /* no tower of ids is trained */
    double layers, epochs, length, batch, negatives, strip_bytes;
};

/* What is known of the data when a cost is estimated. */
struct stage_sizes {
    double n_ranks; /* users and rows are those of one of so many; 0: of the only one */
    double n_rows;  /* that the source has */
    bool has_key;   /* source.key is given */
    double n_users, n_items, n_interactions; /* different pairs of a user and an item */
    double n_products; /* pairs of interactions of one user: the sum of their histories' squares */
    double n_valid_users, n_test_users; /* who is asked about each part; NAN: no run has cut it */
    double has_times;                   /* 0 or 1 */
    double
        n_seen; /* pairs of rows that count for nothing, which are not recommended all the same */
    double user_id_bytes, item_id_bytes; /* the mean of ids that are TEXT, 0: INTEGER */
    double n_threads;
    double
        n_buckets; /* tokens of side data that share embeddings, as far as options ask for them */
    double dimension, epochs; /* of the training, 0 without one */
    bool may_end_early;       /* by its patience */
    double batch_users;       /* of a step of it */
    double co_share;          /* of the items, that are anchors of an item contrast in an epoch */
    double hops;              /* of the propagation, to items */
    struct stage_sequence sequence;
    double batch_negatives; /* drawn for a batch; 0: all items are negatives */
    double own_negatives;   /* of each positive, 0 where they are shared */
    bool in_batch;          /* the batch's positives are negatives, too */
    /* of the lists, 0 without any: rows a user, reasons and parts a row, similar items an item,
       similar users a user */
    double top, reasons, parts, similar, similar_users;
    bool live; /* with what it takes to score any user and item */
    struct stage_speeds speeds;
};

/* Of that, as arrays: histories and what is barred, and the pairs of two kinds of evidence. */
static inline double stage_live_bytes(const struct stage_sizes *sizes)
{
    const double partners = sizes->n_items < 500 ? sizes->n_items : 500;
    return sizes->live ? sizes->n_interactions * 20 + sizes->n_seen * 4 + sizes->n_users * 40 +
                             sizes->n_items * (16 + 2 * partners * 8)
                       : 0;
}

#define STAGE_ALL_EPOCHS "no epoch is left out: `patience` of train may end it earlier"
#define STAGE_HALF_ASKED "half of the users are judged; the first run counts them"

/* Users asked about a held-out part; half of all, where no run has cut it. */
static inline double stage_asked(const struct stage_sizes *sizes, double n_asked)
{
    return isnan(n_asked) ? sizes->n_users / 2 : n_asked;
}

struct stage_estimate {
    double memory_bytes; /* peak, above the input artifacts */
    double result_bytes; /* output artifacts, which wait for the stages that read them */
    double disk_bytes;   /* written to the work database */
    double output_bytes; /* written to the output database */
    double n_steps;      /* of training, and what a rank sends in each, and receives */
    double step_bytes;
    double graph_bytes; /* of them for propagation */
    double seconds; /* wall, within a factor of two; 0 for what depends on speeds not measured */
    double rows;    /* that it reads or writes, whichever describes it better */
    double search_seconds; /* of them a search of settings, of which a later night has a tenth */
    const char
        *provided; /* STAGE_ALL_EPOCHS or STAGE_HALF_ASKED: what seconds suppose; NULL: nothing */
};

struct stage {
    const char *name;
    const char *summary; /* one sentence for describe and the reference page */
    unsigned version;    /* raised when the same options and inputs would give other bytes */
    size_t options_size;
    const struct option *options;
    const struct stage_artifact *inputs;
    const struct stage_artifact *outputs;
    bool repeatable; /* may stand in a pipeline more than once (import) */
    /* Rules across fields; NULL when there are none. Reports every mistake through `report`. */
    void (*validate)(const void *options, struct option_report *report);
    /* Rules across stages and settings, when all of the plan has been read without a mistake; NULL
       when there are none. `self` is the stage in it. */
    void (*validate_plan)(const struct plan *plan, const struct plan_stage *self,
                          struct option_report *report);
    /* Over several ranks (ranks/ranks.h) it gives what it gives in one. Unless it says so, a plan
       with it is refused there. */
    bool works_in_ranks;
    /* Which of its options do not: reports each, with the reason and what to do. Called for several
       ranks only; NULL: all work. */
    void (*refuse_ranks)(const void *options, struct option_report *report);
    /* Knows the interactions by merged_load (catch_up/merged.h), which adds what catch_up has read.
     */
    bool reads_delta;
    /* Adds what the stage's options say about the sizes by which others estimate: `dimension` of
       the vectors that it trains, `top` of the lists that it makes. NULL: nothing. */
    void (*sizes)(const void *options, struct stage_sizes *sizes);
    void (*estimate)(const void *options, const struct stage_sizes *sizes,
                     struct stage_estimate *out);
    /* Looks for what would stop the stage outside its artifacts; called before the first stage of a
     * run starts, so that hours of training do not end in it. Changes nothing. NULL: nothing. */
    enum status_code (*check)(struct context *context, const void *options, struct status *status);
    /* A hash of what the stage reads or leaves outside its artifacts (source rows by a fingerprint
     * query, a CSV file, the published generation). NULL: nothing. Called before the stage, to
     * compare, and after it, to remember. An empty text means unknown: the stage must run. */
    enum status_code (*fingerprint)(struct context *context, const void *options,
                                    char out[HASH_TEXT_MAX], struct status *status);
    enum status_code (*run)(struct context *context, const void *options, struct status *status);
    /* The run has ended with `outcome`, an error, and stands in the history so: what the stage
     * leaves for people must not go on telling of the night before. NULL: it does not. */
    enum status_code (*failed)(struct context *context, const void *options,
                               const struct status *outcome, struct status *status);
};

#endif
