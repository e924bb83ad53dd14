/* The option table of the stage negatives, the rules across it, and its settings in the artifact.
 */
#include "negatives/negatives_options.h"

#include "dataset/settings_artifact.h"

#include <inttypes.h>
#include <math.h>

static const struct option hard_table[] = {
    OPT_AUTO_INT(hard_settings, "count", count, "16", 0, HARD_COUNT_MAX,
                 "Hard negatives of each user and batch, drawn anew in every epoch; 0: "
                 "none. auto lets train try whether 16 help.",
                 .unit = "negatives"),
    OPT_INT(hard_settings, "pool", pool, "200", 1, 10000,
            "They are drawn from this many of the user's best-scoring items that are no positives.",
            .unit = "items"),
    OPT_INT(
        hard_settings, "skip", skip, "10", 0, 10000,
        "The pool begins below this many of the very best ones, many of which the user would take.",
        .unit = "items"),
    OPT_INT(hard_settings, "from_epoch", from_epoch, "5", 1, 100000,
            "First epoch with hard negatives: before, the scores say little.", .unit = "epochs"),
    OPT_INT(
        hard_settings, "every", every, "5", 1, 100000,
        "Epochs until the pools are made anew, which costs about as much as validating every user.",
        .unit = "epochs"),
    OPT_AUTO(hard_settings, "share", share, "auto", 1e-6, 1,
             "What a user's hard negatives weigh together, before scores, as a share of all items. "
             "`auto` is the pool's share of the catalogue: each drawn one then stands for its part "
             "of the pool."),
    OPT_END};

const struct option negatives_options_table[] = {
    OPT_CHOICE(negatives_options, "strategy", settings.strategy, "mixed", negative_strategy_names,
               "Every item (all); draws that are uniform or in proportion to popularity; the "
               "batch's own positives (in_batch), together with uniform draws (mixed) or with the "
               "positives of the batches before it (queue).",
               .search = "uniform, mixed"),
    OPT_AUTO_INT(
        negatives_options, "count", settings.count, "8192", 1, NEGATIVES_COUNT_MAX,
        "Draws for each batch, or with `shared: false` for each positive; for strategy queue "
        "the positives of earlier batches that are remembered. Strategies all and in_batch "
        "take no notice of it; uniform becomes all where there are no more items than draws. "
        "auto is 4096, beside which train tries 1024 and 16384 where that is affordable.",
        .unit = "draws", .search = "2048, 4096, 8192"),
    OPT_AUTO(negatives_options, "alpha", settings.alpha, "0", 0, 2,
             "Popular items count more as negatives, in proportion to (1 + interactions)^alpha, so "
             "that the towers learn what popularity does not explain. auto lets train choose it on "
             "validation.",
             .search = "0..1"),
    OPT_BOOL(negatives_options, "shared", settings.shared, "true",
             "One set of negatives for the whole batch; false: one for each positive, with "
             "strategies uniform and popularity."),
    OPT_BOOL(negatives_options, "exclude_own", settings.exclude_own, "true",
             "A user's own positives do not count among the user's negatives. train's denominators "
             "all and decoupled leave them out in any case."),
    OPT_BOOL(negatives_options, "correct", settings.correct, "true",
             "Make up for how often each item is drawn (logQ correction), so that every strategy "
             "aims at the weights that alpha says."),
    OPT_INT(negatives_options, "stored", stored, "0", 0, 1000,
            "Draw this many negatives for each positive once, keep them in the work database, "
            "where `SELECT * FROM negatives` shows them, and train on these alone: `shared` and "
            "`count` then have no say. Strategies uniform and popularity only; 0 stores none.",
            .unit = "negatives"),
    OPT_FLOAT(negatives_options, "dislike_weight", settings.dislike_weight, "10", 0, 1e6,
              "An item that the user dislikes (the interactions stage's `dislikes` and "
              "`dislike_rating`) is one more negative of the user in each batch and weighs as this "
              "many average items; 0 ignores dislikes.",
              .unit = "items"),
    OPT_GROUP(negatives_options, "hard", settings.hard, hard_table,
              "Hard negatives beside those of the strategy: items that the towers rank high for "
              "the user and that are no positives. None when this group is not given; `hard: {}` "
              "takes the defaults."),
    OPT_END};

/* ---- rules ---- */

static bool draws_alone(enum negative_strategy strategy)
{
    return strategy == NEGATIVES_UNIFORM || strategy == NEGATIVES_POPULARITY;
}

/* The most there can be. */
static size_t hard_count(const struct hard_settings *hard)
{
    return hard->count == OPTION_AUTO_COUNT ? HARD_COUNT_AUTO : hard->count;
}

static void validate_hard(const struct negative_settings *s, struct option_report *report)
{
    const struct hard_settings *hard = &s->hard;
    const size_t count = hard_count(hard);
    if (!hard->given || count == 0) {
        return;
    }
    if (count > hard->pool) {
        option_mistake(
            report, "hard.count",
            "%zu hard negatives cannot be drawn from pool: %zu items; allowed: 0 to pool", count,
            hard->pool);
    }
    if (!s->correct && s->strategy != NEGATIVES_ALL) {
        option_mistake(report, "hard",
                       "hard negatives beside strategy %s need `correct: true`, which makes the "
                       "drawn ones weigh as all items do: hard.share is a share of that",
                       negative_strategy_names[s->strategy]);
    }
}

void negatives_options_validate(const void *values, struct option_report *report)
{
    const struct negatives_options *o = values;
    const struct negative_settings *s = &o->settings;
    const char *strategy = negative_strategy_names[s->strategy];
    const bool alpha_is_idle =
        !s->correct && s->strategy != NEGATIVES_ALL && s->strategy != NEGATIVES_POPULARITY;
    /* draws that are made or weighed here cannot wait for train to choose alpha */
    if (isnan(s->alpha) && o->stored > 0) {
        option_mistake(report, "alpha",
                       "auto with stored: %" PRId64
                       ": these negatives are drawn before train can choose; give a number",
                       o->stored);
    } else if (isnan(s->alpha) && alpha_is_idle) {
        option_mistake(report, "alpha",
                       "auto has nothing to choose: with `correct: false` alpha has no "
                       "effect on strategy %s",
                       strategy);
    }
    if (o->stored > 0 && !draws_alone(s->strategy)) {
        option_mistake(report, "stored",
                       "%" PRId64 " with strategy %s: negatives that belong to one positive "
                       "are drawn by strategies uniform and popularity",
                       o->stored, strategy);
    } else if (!s->shared && !draws_alone(s->strategy)) {
        option_mistake(report, "shared",
                       "false with strategy %s: negatives that belong to one positive are "
                       "drawn by strategies uniform and popularity",
                       strategy);
    }
    if (s->alpha > 0 && alpha_is_idle) {
        option_mistake(report, "alpha",
                       "%g has no effect on strategy %s with `correct: false`; allowed: "
                       "alpha 0, `correct: true`, or strategies all and popularity",
                       s->alpha, strategy);
    }
    validate_hard(s, report);
}

/* ---- settings ---- */

struct negative_settings negatives_options_settings(const struct negatives_options *options)
{
    struct negative_settings settings = options->settings;
    struct hard_settings *hard = &settings.hard;
    const bool is_auto = settings.count == OPTION_AUTO_COUNT;
    settings.count = is_auto ? NEGATIVES_COUNT_AUTO : settings.count;
    if (options->stored > 0) {
        settings.count = (size_t)options->stored;
        settings.shared = false;
    }
    settings.count_is_choice = is_auto && settings.shared && settings.strategy != NEGATIVES_ALL &&
                               settings.strategy != NEGATIVES_IN_BATCH;
    hard->is_choice = hard->given && hard->count == OPTION_AUTO_COUNT;
    hard->count = hard->given ? hard_count(hard) : 0;
    return settings;
}

_Static_assert(offsetof(struct negatives_options, settings) == 0, "rows fit the settings alone");
static const struct kept_settings kept = {
    .table = negatives_options_table,
    .size = sizeof(struct negative_settings),
    .names = (const struct kept_name[]){{"hard", NULL}, {NULL, NULL}}, /* its count says it */
};
/* kept as numbers of these names, 0 where an earlier version has none */
static const char choice_name[] = "hard.is_choice", count_choice_name[] = "count.is_choice";

enum status_code negative_settings_save(const struct negative_settings *settings,
                                        struct artifact *artifact, struct status *status)
{
    enum status_code code;
    TRY(settings_save(&kept, settings, artifact, status));
    TRY(artifact_set_number(artifact, choice_name, settings->hard.is_choice, status));
    TRY(artifact_set_number(artifact, count_choice_name, settings->count_is_choice, status));
done:
    return code;
}

enum status_code negative_settings_load(struct negative_settings *settings,
                                        const struct artifact *artifact, struct status *status)
{
    enum status_code code;
    struct negative_settings loaded = {0};
    size_t is_choice = 0, count_is_choice = 0;
    TRY(settings_load(&kept, &loaded, artifact, status));
    TRY(artifact_get_count(artifact, choice_name, 1, &is_choice, status));
    if (artifact_find(artifact, count_choice_name) != NULL) {
        TRY(artifact_get_count(artifact, count_choice_name, 1, &count_is_choice, status));
    }
    loaded.hard.is_choice = is_choice != 0;
    loaded.count_is_choice = count_is_choice != 0;
    *settings = loaded;
done:
    return code;
}

static const char chosen_alpha[] = "alpha", chosen_hard[] = "hard.count",
                  chosen_count[] = "negatives.count";

enum status_code negative_choice_save(const struct negative_settings *settings,
                                      struct artifact *artifact, struct status *status)
{
    enum status_code code;
    TRY(artifact_set_number(artifact, chosen_alpha, settings->alpha, status));
    TRY(artifact_set_number(artifact, chosen_hard, (double)settings->hard.count, status));
    TRY(artifact_set_number(artifact, chosen_count, (double)settings->count, status));
done:
    return code;
}

enum status_code negative_choice_load(struct negative_settings *settings,
                                      const struct artifact *artifact, struct status *status)
{
    enum status_code code;
    TRY(artifact_get_number(artifact, chosen_alpha, &settings->alpha, status));
    TRY(artifact_get_count(artifact, chosen_hard, HARD_COUNT_MAX, &settings->hard.count, status));
    if (artifact_find(artifact, chosen_count) != NULL) { /* an earlier version chose none */
        TRY(artifact_get_count(artifact, chosen_count, NEGATIVES_COUNT_MAX, &settings->count,
                               status));
    }
done:
    return code;
}
