/* The option tables of the stage train, the rules across them, and its settings in the artifact. */
#include "training/train_options.h"

#include "base/num.h"
#include "dataset/settings_artifact.h"
#include "training/epoch_order.h"

#include <math.h>

static const struct option co_interaction_table[] = {
    OPT_AUTO(pair_contrast_settings, "weight", weight, "0.1", 0, 100,
             "Weight of the contrast against the user-item one. 0 switches it off; auto tries "
             "whether it helps.",
             .search = "0, 0.05, 0.1, 0.3, 0.5"),
    OPT_FLOAT(pair_contrast_settings, "temperature", temperature, "0.15", 0.01, 10,
              "Temperature of the contrast."),
    OPT_FLOAT(pair_contrast_settings, "share", share, "0.25", 0.001, 1,
              "Share of the items that are anchors in an epoch, others the next time."),
    OPT_INT(pair_contrast_settings, "samples", samples, "5", 1, 1000,
            "Partners drawn per anchor and epoch, in proportion to their pair weights.",
            .unit = "partners"),
    OPT_END};

static const struct option history_table[] = {
    OPT_CHOICE(history_settings, "pooling", pooling, "mean", pooling_names,
               "Every item alike (mean), newer ones more (decay), or by a learned attention."),
    OPT_DURATION(history_settings, "half_life", half_life, "30d", 0, 0,
                 "With pooling decay: time before the user's newest event after which an item "
                 "counts half. A history without times counts items instead, one for a day of it."),
    OPT_INT(history_settings, "newest", newest, "200", 1, 100000,
            "The newest items of a history are read, no more than these.", .unit = "items"),
    OPT_FLOAT(
        history_settings, "hide", hide, "0.3", 0, 0.95,
        "Share of a user's items that an epoch hides from the history; it then asks for these "
        "alone, so that the history learns to say what comes next. 0 hides none and asks for all."),
    OPT_END};

static const struct option hidden_table[] = {
    OPT_INT(hidden_settings, "layers", layers, "1", 0, HIDDEN_MAX_LAYERS,
            "Hidden layers of each tower."),
    OPT_INT(hidden_settings, "units", units, "128", 1, 4096, "Width of each hidden layer."),
    OPT_CHOICE(hidden_settings, "activation", activation, "gelu", activation_names,
               "What each hidden unit makes of its sum."),
    OPT_END};

static const struct option propagation_table[] = {
    OPT_AUTO_INT(propagation_settings, "hops", hops, "1", 0, 3,
                 "How far neighbours reach. 0 switches it off; auto tries whether one hop helps."),
    OPT_FLOAT(propagation_settings, "weight", weight, "0.5", 0.01, 10,
              "Weight of each hop against the one before; 1 is LightGCN's mean."),
    OPT_CHOICE(propagation_settings, "sides", sides, "items", propagation_sides_names,
               "Whose vectors take up their neighbours'."),
    OPT_END};

static const struct option views_table[] = {
    OPT_FLOAT(view_settings, "weight", weight, "0.1", 0, 100,
              "Weight of the contrast against the user-item one. 0 switches it off."),
    OPT_FLOAT(view_settings, "temperature", temperature, "0.2", 0.01, 10,
              "Temperature of the contrast."),
    OPT_CHOICE(view_settings, "change", change, "noise", view_change_names,
               "What differs between the looks: noise on the vectors; dropout of components; crop, "
               "mask, reorder or substitute (by co-interaction partners) items of the history; "
               "edges or nodes of the graph left out."),
    OPT_FLOAT(view_settings, "strength", strength, "0.1", 0.001, 0.95,
              "How much is changed: the length of the noise against the vector's, or the share of "
              "components, items, edges or nodes."),
    OPT_END};

static const struct option sequence_table[] = {
    OPT_AUTO(sequence_settings, "share", share, "auto", 0, 1,
             "How much of the score sequences make up. auto chooses it on validation; a number is "
             "taken as it is. At 1 no tower of ids is trained at all: what only that would read, "
             "as side data, or learn, as item_bias, then does nothing, nor does the search for its "
             "settings, and who is known by side data alone gets no vector."),
    OPT_INT(sequence_settings, "length", length, "1000", 2, 100000,
            "The newest steps of a user are read, no more than these; events of one and the same "
            "time are one step.",
            .unit = "steps"),
    OPT_INT(sequence_settings, "layers", layers, "1", 1, SEQUENCE_LAYERS_MAX,
            "Layers, each a gated recurrence over the steps and a layer for every step alone."),
    OPT_AUTO_INT(sequence_settings, "dimension", dimension, "auto", 8, 512,
                 "Length of the states. auto is 64, and 128 where users have 200,000 steps."),
    OPT_AUTO(sequence_settings, "dropout", dropout, "auto", 0, 0.95,
             "Share of what a layer adds to a step that training leaves out, so that small logs "
             "are not learned by heart. auto is 0.5 up to 50,000 steps of users and falls with "
             "their logarithm to 0.2 at 500,000."),
    OPT_FLOAT(
        sequence_settings, "hide", hide, "0", 0, 0.95,
        "Share of the events that a step of training reads as if they were not there, drawn "
        "anew in each epoch, so that a state does not lean on the newest event alone; all are "
        "still foretold. 0.15 gave 1 to 3 % of the NDCG where it was tried, in more epochs."),
    OPT_FLOAT(sequence_settings, "temperature", temperature, "0.1", 0.01, 10,
              "Temperature of the contrast."),
    OPT_FLOAT(sequence_settings, "learning_rate", learning_rate, "0.01", 1e-7, 10,
              "Learning rate at its peak, to which it rises in the first epoch (of fewer than five "
              "in a fifth of them) and from where it falls as a cosine."),
    OPT_AUTO(sequence_settings, "weight_decay", weight_decay, "auto", 0, 100,
             "Share of each weight that a step takes away, times the learning rate, so that what "
             "few users tell does not grow large: without it the tower learns small logs by "
             "heart. auto takes as much in an epoch whatever its steps: 1 / (learning_rate * "
             "steps of an epoch), 16 at the most."),
    OPT_INT(sequence_settings, "epochs", epochs, "6", 1, 100000,
            "Epochs that the schedule spans; early stopping may end sooner. The second half of "
            "them is validated.",
            .unit = "epochs"),
    OPT_INT(sequence_settings, "batch", batch, "1024", 1, 1048576,
            "Steps of users that a step of training reads, in whole users.", .unit = "steps"),
    OPT_INT(sequence_settings, "negatives", negatives, "256", 1, 1048576,
            "Negatives drawn for a step of training, by the strategy of the stage negatives and no "
            "more than it draws.",
            .unit = "items"),
    OPT_INT(sequence_settings, "reach", reach, "1", 1, 100,
            "How many steps ahead a step foretells.", .unit = "steps"),
    OPT_FLOAT(sequence_settings, "decay", decay, "0.7", 0.01, 1,
              "What each of these counts, against the one before."),
    OPT_END};

static const char *const start_names[] = {
    [START_PUBLISHED] = "published", [START_RECIPES] = "recipes", NULL};

static const struct option search_table[] = {
    OPT_FLOAT(search_options, "budget", budget, "1", 0, 10000,
              "Work of the search as a share of the training's, by the multiplications that both "
              "take, so that the same data give the same result on any machine. Where a training "
              "takes seconds the search may take some, too. Few and small trials where that is "
              "little, many and whole ones where it is much, judged on several draws of the "
              "validation part where that is cut at random; 0 tries nothing."),
    OPT_CHOICE(
        search_options, "start", start, "published", start_names,
        "Where the search starts: at what the published generation was trained with, for a "
        "tenth of the budget (published); without such a generation, or always (recipes), at "
        "settings that are known to be good."),
    OPT_DURATION(search_options, "max_time", max_time, "0s", 0, 0,
                 "No trial begins after so long; then the result depends on how busy the machine "
                 "was. 0s sets no limit."),
    OPT_END};

const struct option train_options_table[] = {
    OPT_AUTO_INT(train_options, "dimension", settings.dimension, "64", 8, 512,
                 "Length of the embeddings. auto is 128, beside which 64 and 256 are tried where "
                 "whole trainings are affordable."),
    OPT_CHOICE(train_options, "loss", settings.loss, "softmax", loss_or_auto_names,
               "The contrastive loss; auto tries softmax, slk and bsl." LOSS_HELP),
    OPT_CHOICE(
        train_options, "denominators", settings.loss_settings.denominators, "decoupled",
        loss_denominators_names,
        "For softmax and slk: what stands under the logarithm beside the negatives: the positive "
        "itself (infonce), all of the anchor's positives (all), or nothing (decoupled)."),
    OPT_AUTO(train_options, "t2", settings.loss_settings.t2, "1", 0.1, 10,
             "Weight of the negative side of the loss; 1 is the softmax loss, other values weigh "
             "it as bilateral softmax does. For softmax, bsl and slk.",
             .search = "1, 1.1, 1.25"),
    OPT_FLOAT(train_options, "margin", settings.loss_settings.margin, "0.4", -1, 2,
              "In cosines. For triplet and warp: by how much a positive should lie above a "
              "negative; for ccl: the cosine up to which a negative costs nothing."),
    OPT_FLOAT(train_options, "negative_weight", settings.loss_settings.negative_weight, "10", 0,
              100000,
              "Weight of the mean over the negatives against the positive. For ccl, and for "
              "logistic, where it is word2vec's number of negatives a positive."),
    OPT_FLOAT(train_options, "uniformity", settings.loss_settings.uniformity, "0.5", 0, 1000,
              "Weight of uniformity against alignment. For directau."),
    OPT_FLOAT(train_options, "slk_width", settings.loss_settings.slk_width, "5", 0.01, 1000,
              "How softly positives below the top ranks lose weight, in logits (cosine / "
              "temperature). For slk."),
    OPT_INT(train_options, "slk_top_k", settings.slk_top_k, "20", 1, 10000,
            "Length of the list whose last score is the threshold of slk; it is taken when "
            "negatives.hard refreshes its lists, by default every 5 epochs.",
            .unit = "items"),
    OPT_AUTO(train_options, "temperature", settings.temperature, "0.12", 0.01, 10,
             "Divides cosines before the softmax. Lower concentrates on the hardest negatives. "
             "auto tries a few around Adap-tau's closed form, each in a small training, and keeps "
             "the one that validates best.",
             .search = "0.05..0.4 log"),
    OPT_CHOICE(train_options, "temperature_mode", settings.temperature_mode, "fixed",
               temperature_mode_names,
               "fixed: as given; learned: starts there and follows the loss."),
    OPT_FLOAT(train_options, "temperature_rate", settings.temperature_rate, "0.001", 1e-6, 1,
              "Learning rate of the temperature's logarithm, with temperature_mode learned."),
    OPT_CHOICE(train_options, "optimizer", settings.optimizer.rule, "adam", optimizer_names,
               "How gradients move the embeddings. adamw is adam with weight_decay; rowwise_adam "
               "keeps one speed an embedding instead of one a component, in less time and two "
               "thirds of the memory."),
    OPT_AUTO(train_options, "weight_decay", settings.optimizer.weight_decay, "0", 0, 10,
             "Share of each embedding that a step takes away, times the learning rate; for adamw, "
             "rowwise_adam, adagrad and sgd."),
    OPT_FLOAT(train_options, "momentum", settings.optimizer.momentum, "0", 0, 0.999,
              "Share of its last movement that an embedding keeps; for sgd."),
    OPT_FLOAT(train_options, "clip", settings.clip, "0", 0, 1e12,
              "Longest gradient of a batch, over all embeddings together; longer ones are scaled "
              "down to it. 0 sets no limit."),
    OPT_AUTO(train_options, "learning_rate", settings.learning_rate, "0.01", 1e-7, 10,
             "Learning rate at its peak.", .search = "0.002..0.05 log"),
    OPT_CHOICE(train_options, "schedule", settings.schedule.shape, "cosine", rate_schedule_names,
               "How the learning rate falls over the epochs."),
    OPT_FLOAT(train_options, "final_rate", settings.schedule.final_rate, "0.05", 0, 1,
              "Share of the learning rate at which linear and cosine schedules end."),
    OPT_FLOAT(train_options, "step_factor", settings.schedule.step_factor, "0.5", 1e-6, 1,
              "What each step of the step schedule leaves of the learning rate."),
    OPT_FLOAT(train_options, "step_every", settings.schedule.step_every, "5", 0.01, 100000,
              "Time between the steps of the step schedule.", .unit = "epochs"),
    OPT_FLOAT(train_options, "warmup", settings.schedule.warmup_epochs, "0", 0, 1000,
              "The learning rate rises from 0 over these epochs.", .unit = "epochs"),
    OPT_AUTO_INT(train_options, "epochs", settings.epochs, "20", 1, 100000,
                 "Epochs that the schedule spans; early stopping may end sooner.",
                 .unit = "epochs"),
    OPT_GROUP(train_options, "search", search, search_table,
              "The search on the validation part for the settings that are auto."),
    OPT_INT(
        train_options, "search_epochs", search_epochs, "0", 0, 100000,
        "Epochs of a trial of the search, into which the schedule is drawn together. 0 takes as "
        "many as the training: short ones prefer what learns fast to what is good in the end.",
        .unit = "epochs"),
    OPT_INT(train_options, "batch_users", settings.batch_users, "512", 1, 1048576,
            "Users in a batch, each with all of its positives.", .unit = "users",
            .search = "128, 256, 512, 1024"),
    OPT_AUTO(train_options, "degree_exponent", settings.degree_exponent, "0", 0, 1,
             "A positive of a user with n positives weighs n^-p: 0 counts every interaction alike, "
             "1 every user. auto tries a few up to 0.7.",
             .search = "0, 0.25, 0.5, 0.75"),
    OPT_FLOAT(train_options, "init_scale", settings.init_scale, "0.1", 1e-6, 100,
              "Standard deviation of the first embeddings."),
    OPT_GROUP(train_options, "history", settings.history, history_table,
              "Adds the pooled vectors of a user's items to the user's input, so that a user "
              "without a vector of its own (a new one) is encoded from the history alone."),
    OPT_FLOAT(train_options, "id_dropout", settings.id_dropout, "0", 0, 0.95,
              "Share of a step's rows that go without their id embedding, so that histories and "
              "features learn to carry entities that have none."),
    OPT_FLOAT(train_options, "dropout", settings.dropout, "0", 0, 0.95,
              "Share of the components of a tower's input that a step leaves out."),
    OPT_GROUP(
        train_options, "hidden", settings.hidden, hidden_table,
        "Hidden layers between a tower's input and its vector, around which the input is carried."),
    OPT_GROUP(train_options, "propagation", settings.propagation, propagation_table,
              "Mixes the vectors of neighbours in the graph of users and items into the towers' "
              "inputs (LightGCN). Every step computes the whole graph, so give it large batches."),
    OPT_BOOL(train_options, "item_bias", settings.learn_bias, "false",
             "Learn a popularity term for every item in place of log(1 + its users); calibrate "
             "chooses its weight in the score."),
    OPT_GROUP(train_options, "co_interaction", settings.co_items, co_interaction_table,
              "Adds the contrast of items against the items they are interacted with together; "
              "needs item pairs from the pairs stage."),
    OPT_GROUP(train_options, "views", settings.views, views_table,
              "Adds the contrast of two randomly changed looks at the same user, and at the same "
              "item (augmentation)."),
    OPT_GROUP(train_options, "sequence", settings.sequence, sequence_table,
              "Trains a second tower that reads what each user did in order and foretells what "
              "comes next; its vectors stand beside those of ids with the share that validates "
              "best, or in their place, and are left out where they do not clearly help."),
    OPT_TEXT(train_options, "metric", metric, "ndcg@20",
             "Validation metric that chooses the epoch, such as ndcg@20 or recall@50.",
             .pattern = METRIC_PATTERN),
    OPT_INT(train_options, "validate_every", validate_every, "1", 1, 100000,
            "Epochs between validations; the last epoch is always validated.", .unit = "epochs"),
    OPT_INT(train_options, "patience", patience, "5", 0, 100000,
            "Validations without a new best after which training stops. 0 never stops early.",
            .unit = "validations"),
    OPT_INT(train_options, "validation_users", validation_users, "5000", 1, INT32_MAX,
            "Users ranked in a validation, a seeded sample when there are more.", .unit = "users"),
    OPT_DURATION(train_options, "checkpoint_every", checkpoint_every, "60s", 0, 0,
                 "Time between checkpoints in the work database; 0s writes one after every epoch."),
    OPT_CHOICE(train_options, "wire", settings.wire, "float32", ranks_floats_names,
               "As what ranks send each other vectors and gradients of items: bfloat16 takes half "
               "the bytes and rounds to 8 bits, the same at any number of ranks, one included."),
    OPT_BYTES(train_options, "strip", settings.strip_bytes, "256M",
              "Memory for a batch's logits between the kernel's two passes; beyond it they are "
              "computed twice."),
    OPT_END};

/* ---- rules ---- */

/* A setting that the chosen loss does not read does harm only by what its writer believes: it is
 * reported where it differs from its default. */
static void validate_loss(const struct trainer_settings *s, struct option_report *report)
{
    const struct {
        const char *name;
        unsigned use;
    } rows[] = {
        {"t2", LOSS_USES_T2},
        {"margin", LOSS_USES_MARGIN},
        {"negative_weight", LOSS_USES_NEGATIVE_WEIGHT},
        {"uniformity", LOSS_USES_UNIFORMITY},
        {"slk_width", LOSS_USES_SLK_WIDTH},
    };
    if (s->loss == LOSS_AUTO) { /* what one does not read another does */
        return;
    }
    unsigned uses = loss_table[s->loss].uses;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *name = rows[i].name;
        const struct option *option = option_find(train_options_table, name, strlen(name));
        const char *text = option->default_text;
        double value = option_number(option, s), usual = value;
        if ((uses & rows[i].use) == 0 && num_parse_double(text, strlen(text), &usual) &&
            value != usual) {
            option_mistake(report, name, "%g has no effect on loss %s", value, loss_names[s->loss]);
        }
    }
    const enum loss_denominators denominators = s->loss_settings.denominators;
    if ((uses & LOSS_USES_DENOMINATORS) == 0 && denominators != DENOMINATORS_DECOUPLED) {
        option_mistake(report, "denominators", "%s has no effect on loss %s",
                       loss_denominators_names[denominators], loss_names[s->loss]);
    }
}

/* A change of something that the towers do not have would contrast a look with itself. */
static void validate_views(const struct trainer_settings *s, struct option_report *report)
{
    const enum view_change change = s->views.change;
    if (!s->views.given) {
        return;
    }
    if (view_needs_history(change) && !s->history.given) {
        option_mistake(report, "views.change",
                       "%s changes histories, and the towers read none; "
                       "give train `history: {}`, or choose noise or dropout",
                       view_change_names[change]);
    }
    if (change == VIEW_REORDER && s->history.pooling != POOLING_DECAY) {
        option_mistake(report, "views.change",
                       "reorder has no effect on history.pooling %s; "
                       "allowed: decay",
                       pooling_names[s->history.pooling]);
    }
    const bool has_hops = s->propagation.hops > 0 && s->propagation.hops != OPTION_AUTO_COUNT;
    if (view_needs_graph(change) && !(s->propagation.given && has_hops)) {
        option_mistake(report, "views.change",
                       "%s leaves out parts of the graph, and the towers "
                       "read none; give train `propagation: {}`, or choose noise or dropout",
                       view_change_names[change]);
    }
}

void train_options_validate(const void *values, struct option_report *report)
{
    const struct train_options *o = values;
    const struct trainer_settings *s = &o->settings;
    validate_loss(s, report);
    const struct metric *metric = NULL;
    size_t k = 0;
    if (!metric_parse(o->metric, strlen(o->metric), &metric, &k)) {
        option_mistake(report, "metric", "%s is not a metric such as ndcg@20", o->metric);
    }
    if (s->epochs != OPTION_AUTO_COUNT && s->schedule.warmup_epochs >= (double)s->epochs) {
        option_mistake(report, "warmup", "%g epochs, the whole training has %zu",
                       s->schedule.warmup_epochs, s->epochs);
    }
    if (o->search_epochs > s->epochs) {
        option_mistake(report, "search_epochs", "%zu epochs, the whole training has %zu",
                       o->search_epochs, s->epochs);
    }
    const struct optimizer_rule *rule = &optimizer_table[s->optimizer.rule];
    if (s->optimizer.weight_decay > 0.0 && !rule->takes_decay) {
        option_mistake(report, "weight_decay",
                       "%s takes none; adamw, rowwise_adam, adagrad and sgd do",
                       optimizer_names[s->optimizer.rule]);
    }
    if (s->optimizer.momentum > 0.0 && !rule->takes_momentum) {
        option_mistake(report, "momentum", "%s takes none; sgd does",
                       optimizer_names[s->optimizer.rule]);
    }
    validate_views(s, report);
}

/* A row is at one rank, and a step fetches the vectors of the items that it contrasts: what
 * multiplies or compares further rows does not fit that. */
void train_options_refuse_ranks(const void *values, struct option_report *report)
{
    const struct trainer_settings s = train_options_settings(values);
    const struct {
        bool is_asked;
        const char *option, *why;
    } refusals[] = {
        {s.loss != LOSS_AUTO && loss_table[s.loss].kind == LOSS_UNIFORM, "loss",
         "compares all users of a step with one another, and they are apart; take another"},
        {s.history.given, "history", "multiplies the rows that a step fetches"},
        {s.views.weight > 0.0, "views", "contrasts rows of a batch, which are apart"},
        {s.sequence.given, "sequence", "multiplies the rows that a step fetches"},
        {s.learn_bias, "item_bias", "is not kept with the rows of items yet"},
    };
    const size_t ranks = option_report_ranks(report);
    if (ranks > epoch_order_leaves(s.batch_users)) {
        option_mistake(report, "batch_users",
                       "%zu users are enough for %zu ranks, and %zu were asked for: give "
                       "`batch_users: %zu` or more",
                       s.batch_users, epoch_order_leaves(s.batch_users), ranks, LEAF_USERS * ranks);
    }
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        if (refusals[i].is_asked) {
            option_mistake(report, refusals[i].option, "it %s: leave it out, or train on one rank",
                           refusals[i].why);
        }
    }
}

/* ---- settings ---- */

struct trainer_settings train_options_settings(const struct train_options *options)
{
    struct trainer_settings s = options->settings;
    s.hidden.layers = s.hidden.given ? s.hidden.layers : 0;
    s.co_items.weight = s.co_items.given ? s.co_items.weight : 0.0;
    s.views.weight = s.views.given ? s.views.weight : 0.0;
    if (!s.propagation.given || s.propagation.hops == OPTION_AUTO_COUNT) {
        s.propagation.hops = 0;
    }
    const bool is_read = s.sequence.given && !(s.sequence.share <= 0.0);
    if (!is_read && s.sequence.dimension == OPTION_AUTO_COUNT) { /* nobody would choose */
        s.sequence.dimension = 0;
    }
    return s;
}

/* As versions before this table named them; the groups that are not kept say it by a 0. */
static const struct kept_name kept_names[] = {
    {"warmup", "warmup_epochs"},
    {"hidden", NULL},
    {"hidden.layers", "hidden_layers"},
    {"hidden.units", "hidden_units"},
    {"hidden.activation", "activation"},
    {"propagation", NULL},
    {"propagation.hops", "hops"},
    {"propagation.weight", "hop_weight"},
    {"propagation.sides", "hop_sides"},
    {"item_bias", "learn_bias"},
    {"co_interaction", NULL},
    {"co_interaction.weight", "co_items.weight"},
    {"co_interaction.temperature", "co_items.temperature"},
    {"co_interaction.share", "co_items.share"},
    {"co_interaction.samples", "co_items.samples"},
    {"views", NULL},
    {"strip", "strip_bytes"},
    {NULL, NULL},
};

_Static_assert(offsetof(struct train_options, settings) == 0, "rows fit the settings alone");
static const struct kept_settings kept = {.table = train_options_table,
                                          .size = sizeof(struct trainer_settings),
                                          .prefix = "setting.",
                                          .names = kept_names};

enum status_code trainer_settings_save(const struct trainer_settings *settings,
                                       struct artifact *artifact, struct status *status)
{
    return settings_save(&kept, settings, artifact, status);
}

enum status_code trainer_settings_load(struct trainer_settings *settings,
                                       const struct artifact *artifact, struct status *status)
{
    struct trainer_settings loaded = {0};
    const enum status_code code = settings_load(&kept, &loaded, artifact, status);
    if (code == STATUS_OK) {
        *settings = loaded;
    }
    return code;
}
