/* The option tables of the train stage and the rules across them. */
#include "stages/train/train_options.h"

#include "base/num.h"

#include <math.h>

static const struct option co_interaction_table[] = {
    OPT_AUTO(co_interaction_options, "weight", weight, "0.1", 0, 100,
             "Weight of the contrast against the user-item one. 0 switches it off; auto tries "
             "whether it helps.",
             .search = "0, 0.05, 0.1, 0.3, 0.5"),
    OPT_FLOAT(co_interaction_options, "temperature", temperature, "0.15", 0.01, 10,
              "Temperature of the contrast."),
    OPT_FLOAT(co_interaction_options, "share", share, "0.25", 0.001, 1,
              "Share of the items that are anchors in an epoch, others the next time."),
    OPT_INT(co_interaction_options, "samples", samples, "5", 1, 1000,
            "Partners drawn per anchor and epoch, in proportion to their pair weights.",
            .unit = "partners"),
    OPT_END};

static const struct option history_table[] = {
    OPT_CHOICE(history_options, "pooling", pooling, "mean", pooling_names,
               "Every item alike (mean), newer ones more (decay), or by a learned attention."),
    OPT_DURATION(history_options, "half_life", half_life, "30d", 0, 0,
                 "With pooling decay: time before the user's newest event after which an item "
                 "counts half. A history without times counts items instead, one for a day of it."),
    OPT_INT(history_options, "newest", newest, "200", 1, 100000,
            "The newest items of a history are read, no more than these.", .unit = "items"),
    OPT_FLOAT(
        history_options, "hide", hide, "0.3", 0, 0.95,
        "Share of a user's items that an epoch hides from the history; it then asks for these "
        "alone, so that the history learns to say what comes next. 0 hides none and asks for all."),
    OPT_END};

static const struct option hidden_table[] = {
    OPT_INT(hidden_options, "layers", layers, "1", 0, HIDDEN_MAX_LAYERS,
            "Hidden layers of each tower."),
    OPT_INT(hidden_options, "units", units, "128", 1, 4096, "Width of each hidden layer."),
    OPT_CHOICE(hidden_options, "activation", activation, "gelu", activation_names,
               "What each hidden unit makes of its sum."),
    OPT_END};

static const struct option propagation_table[] = {
    OPT_AUTO(propagation_options, "hops", hops, "1", 0, 3,
             "How far neighbours reach, a whole number. 0 switches it off; auto tries whether one "
             "hop helps.",
             .whole = true),
    OPT_FLOAT(propagation_options, "weight", weight, "0.5", 0.01, 10,
              "Weight of each hop against the one before; 1 is LightGCN's mean."),
    OPT_CHOICE(propagation_options, "sides", sides, "items", propagation_sides_names,
               "Whose vectors take up their neighbours'."),
    OPT_END};

static const struct option views_table[] = {
    OPT_FLOAT(views_options, "weight", weight, "0.1", 0, 100,
              "Weight of the contrast against the user-item one. 0 switches it off."),
    OPT_FLOAT(views_options, "temperature", temperature, "0.2", 0.01, 10,
              "Temperature of the contrast."),
    OPT_CHOICE(views_options, "change", change, "noise", view_change_names,
               "What differs between the looks: noise on the vectors; dropout of components; crop, "
               "mask, reorder or substitute (by co-interaction partners) items of the history; "
               "edges or nodes of the graph left out."),
    OPT_FLOAT(views_options, "strength", strength, "0.1", 0.001, 0.95,
              "How much is changed: the length of the noise against the vector's, or the share of "
              "components, items, edges or nodes."),
    OPT_END};

const struct option train_options_table[] = {
    OPT_INT(train_options, "dimension", dimension, "64", 8, 512, "Length of the embeddings."),
    OPT_CHOICE(train_options, "loss", loss, "softmax", loss_names,
               "The contrastive loss." LOSS_HELP),
    OPT_CHOICE(
        train_options, "denominators", denominators, "decoupled", loss_denominators_names,
        "For softmax and slk: what stands under the logarithm beside the negatives: the positive "
        "itself (infonce), all of the anchor's positives (all), or nothing (decoupled)."),
    OPT_FLOAT(train_options, "t2", t2, "1", 0.1, 10,
              "Weight of the negative side of the loss; 1 is the softmax loss, other values weigh "
              "it as bilateral softmax does. For softmax, bsl and slk.",
              .search = "1, 1.1, 1.25"),
    OPT_FLOAT(train_options, "margin", margin, "0.4", -1, 2,
              "In cosines. For triplet and warp: by how much a positive should lie above a "
              "negative; for ccl: the cosine up to which a negative costs nothing."),
    OPT_FLOAT(train_options, "negative_weight", negative_weight, "10", 0, 100000,
              "Weight of the mean over the negatives against the positive. For ccl, and for "
              "logistic, where it is word2vec's number of negatives a positive."),
    OPT_FLOAT(train_options, "uniformity", uniformity, "0.5", 0, 1000,
              "Weight of uniformity against alignment. For directau."),
    OPT_FLOAT(train_options, "slk_width", slk_width, "5", 0.01, 1000,
              "How softly positives below the top ranks lose weight, in logits (cosine / "
              "temperature). For slk."),
    OPT_INT(train_options, "slk_top_k", slk_top_k, "20", 1, 10000,
            "Length of the list whose last score is the threshold of slk; it is taken when "
            "negatives.hard refreshes its lists, by default every 5 epochs.",
            .unit = "items"),
    OPT_AUTO(train_options, "temperature", temperature, "0.12", 0.01, 10,
             "Divides cosines before the softmax. Lower concentrates on the hardest negatives. "
             "auto tries a few around Adap-tau's closed form, each in a small training, and keeps "
             "the one that validates best.",
             .search = "0.05..0.4 log"),
    OPT_CHOICE(train_options, "temperature_mode", temperature_mode, "fixed", temperature_mode_names,
               "fixed: as given; learned: starts there and follows the loss."),
    OPT_FLOAT(train_options, "temperature_rate", temperature_rate, "0.001", 1e-6, 1,
              "Learning rate of the temperature's logarithm, with temperature_mode learned."),
    OPT_CHOICE(train_options, "optimizer", optimizer, "adam", optimizer_names,
               "How gradients move the embeddings. adamw is adam with weight_decay; rowwise_adam "
               "keeps one speed an embedding instead of one a component, in less time and two "
               "thirds of the memory."),
    OPT_FLOAT(train_options, "weight_decay", weight_decay, "0", 0, 10,
              "Share of each embedding that a step takes away, times the learning rate; for adamw, "
              "rowwise_adam, adagrad and sgd."),
    OPT_FLOAT(train_options, "momentum", momentum, "0", 0, 0.999,
              "Share of its last movement that an embedding keeps; for sgd."),
    OPT_FLOAT(train_options, "clip", clip, "0", 0, 1e12,
              "Longest gradient of a batch, over all embeddings together; longer ones are scaled "
              "down to it. 0 sets no limit."),
    OPT_FLOAT(train_options, "learning_rate", learning_rate, "0.01", 1e-7, 10,
              "Learning rate at its peak.", .search = "0.002..0.05 log"),
    OPT_CHOICE(train_options, "schedule", schedule, "cosine", rate_schedule_names,
               "How the learning rate falls over the epochs."),
    OPT_FLOAT(train_options, "final_rate", final_rate, "0.05", 0, 1,
              "Share of the learning rate at which linear and cosine schedules end."),
    OPT_FLOAT(train_options, "step_factor", step_factor, "0.5", 1e-6, 1,
              "What each step of the step schedule leaves of the learning rate."),
    OPT_FLOAT(train_options, "step_every", step_every, "5", 0.01, 100000,
              "Time between the steps of the step schedule.", .unit = "epochs"),
    OPT_FLOAT(train_options, "warmup", warmup, "0", 0, 1000,
              "The learning rate rises from 0 over these epochs.", .unit = "epochs"),
    OPT_INT(train_options, "epochs", epochs, "20", 1, 100000,
            "Epochs that the schedule spans; early stopping may end sooner.", .unit = "epochs"),
    OPT_INT(train_options, "search_epochs", search_epochs, "0", 0, 100000,
            "Length of the small trainings (64 dimensions, 1,024 negatives) that choose the "
            "settings that are auto. 0 takes three quarters of epochs: much shorter ones prefer "
            "what learns fast to what is good in the end.",
            .unit = "epochs"),
    OPT_INT(train_options, "batch_users", batch_users, "512", 1, 1048576,
            "Users in a batch, each with all of its positives.", .unit = "users",
            .search = "128, 256, 512, 1024"),
    OPT_AUTO(train_options, "degree_exponent", degree_exponent, "0", 0, 1,
             "A positive of a user with n positives weighs n^-p: 0 counts every interaction alike, "
             "1 every user. auto tries 0.2 and 0.5 beside it.",
             .search = "0, 0.25, 0.5, 0.75"),
    OPT_FLOAT(train_options, "init_scale", init_scale, "0.1", 1e-6, 100,
              "Standard deviation of the first embeddings."),
    OPT_GROUP(train_options, "history", history, history_table,
              "Adds the pooled vectors of a user's items to the user's input, so that a user "
              "without a vector of its own (a new one) is encoded from the history alone."),
    OPT_FLOAT(train_options, "id_dropout", id_dropout, "0", 0, 0.95,
              "Share of a step's rows that go without their id embedding, so that histories and "
              "features learn to carry entities that have none."),
    OPT_FLOAT(train_options, "dropout", dropout, "0", 0, 0.95,
              "Share of the components of a tower's input that a step leaves out."),
    OPT_GROUP(
        train_options, "hidden", hidden, hidden_table,
        "Hidden layers between a tower's input and its vector, around which the input is carried."),
    OPT_GROUP(train_options, "propagation", propagation, propagation_table,
              "Mixes the vectors of neighbours in the graph of users and items into the towers' "
              "inputs (LightGCN). Every step computes the whole graph, so give it large batches."),
    OPT_BOOL(train_options, "item_bias", item_bias, "false",
             "Learn a popularity term for every item in place of log(1 + its users); calibrate "
             "chooses its weight in the score."),
    OPT_GROUP(train_options, "co_interaction", co_interaction, co_interaction_table,
              "Adds the contrast of items against the items they are interacted with together; "
              "needs item pairs from the pairs stage."),
    OPT_GROUP(train_options, "views", views, views_table,
              "Adds the contrast of two randomly changed looks at the same user, and at the same "
              "item (augmentation)."),
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
    OPT_BYTES(train_options, "strip", strip, "256M",
              "Memory for a batch's logits between the kernel's two passes; beyond it they are "
              "computed twice."),
    OPT_END};

/* A setting that the chosen loss does not read does harm only by what its writer believes: it is
 * reported where it differs from its default. */
static void validate_loss(const struct train_options *o, struct option_report *report)
{
    const struct {
        const char *name;
        unsigned use;
        double value;
    } settings[] = {
        {"t2", LOSS_USES_T2, o->t2},
        {"margin", LOSS_USES_MARGIN, o->margin},
        {"negative_weight", LOSS_USES_NEGATIVE_WEIGHT, o->negative_weight},
        {"uniformity", LOSS_USES_UNIFORMITY, o->uniformity},
        {"slk_width", LOSS_USES_SLK_WIDTH, o->slk_width},
    };
    unsigned uses = loss_table[o->loss].uses;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        const char *name = settings[i].name;
        const char *text = option_find(train_options_table, name, strlen(name))->default_text;
        double usual = settings[i].value;
        if ((uses & settings[i].use) == 0 && num_parse_double(text, strlen(text), &usual) &&
            settings[i].value != usual) {
            option_mistake(report, name, "%g has no effect on loss %s", settings[i].value,
                           loss_names[o->loss]);
        }
    }
    if ((uses & LOSS_USES_DENOMINATORS) == 0 && o->denominators != DENOMINATORS_DECOUPLED) {
        option_mistake(report, "denominators", "%s has no effect on loss %s",
                       loss_denominators_names[o->denominators], loss_names[o->loss]);
    }
}

/* A change of something that the towers do not have would contrast a look with itself. */
static void validate_views(const struct train_options *o, struct option_report *report)
{
    const enum view_change change = (enum view_change)o->views.change;
    if (!o->views.given) {
        return;
    }
    if (view_needs_history(change) && !o->history.given) {
        option_mistake(report, "views.change",
                       "%s changes histories, and the towers read none; "
                       "give train `history: {}`, or choose noise or dropout",
                       view_change_names[change]);
    }
    if (change == VIEW_REORDER && o->history.pooling != POOLING_DECAY) {
        option_mistake(report, "views.change",
                       "reorder has no effect on history.pooling %s; "
                       "allowed: decay",
                       pooling_names[o->history.pooling]);
    }
    if (view_needs_graph(change) && (!o->propagation.given || !(o->propagation.hops > 0))) {
        option_mistake(report, "views.change",
                       "%s leaves out parts of the graph, and the towers "
                       "read none; give train `propagation: {}`, or choose noise or dropout",
                       view_change_names[change]);
    }
}

void train_options_validate(const void *values, struct option_report *report)
{
    const struct train_options *o = values;
    validate_loss(o, report);
    const struct metric *metric = NULL;
    size_t k = 0;
    if (!metric_parse(o->metric, strlen(o->metric), &metric, &k)) {
        option_mistake(report, "metric", "%s is not a metric such as ndcg@20", o->metric);
    }
    if (o->warmup >= (double)o->epochs) {
        option_mistake(report, "warmup", "%g epochs, the whole training has %lld", o->warmup,
                       (long long)o->epochs);
    }
    if (o->search_epochs > o->epochs) {
        option_mistake(report, "search_epochs", "%lld epochs, the whole training has %lld",
                       (long long)o->search_epochs, (long long)o->epochs);
    }
    double hops = o->propagation.hops;
    if (o->propagation.given && !isnan(hops) && hops != floor(hops)) {
        option_mistake(report, "propagation.hops", "%g is not a whole number from 0 to 3", hops);
    }
    const struct optimizer_rule *rule = &optimizer_table[o->optimizer];
    if (o->weight_decay > 0.0 && !rule->takes_decay) {
        option_mistake(report, "weight_decay",
                       "%s takes none; adamw, rowwise_adam, adagrad and sgd do",
                       optimizer_names[o->optimizer]);
    }
    if (o->momentum > 0.0 && !rule->takes_momentum) {
        option_mistake(report, "momentum", "%s takes none; sgd does",
                       optimizer_names[o->optimizer]);
    }
    validate_views(o, report);
}

static struct pair_contrast_settings pair_settings(const struct co_interaction_options *o)
{
    return (struct pair_contrast_settings){
        .weight = o->given ? o->weight : 0.0,
        .temperature = o->temperature,
        .share = o->share,
        .samples = (size_t)o->samples,
    };
}

struct trainer_settings train_options_settings(const struct train_options *o)
{
    return (struct trainer_settings){
        .dimension = (size_t)o->dimension,
        .loss = o->loss,
        .loss_settings = {.denominators = (enum loss_denominators)o->denominators,
                          .t2 = o->t2,
                          .margin = o->margin,
                          .negative_weight = o->negative_weight,
                          .uniformity = o->uniformity,
                          .slk_width = o->slk_width},
        .slk_top_k = (size_t)o->slk_top_k,
        .temperature = o->temperature,
        .temperature_mode = (enum temperature_mode)o->temperature_mode,
        .temperature_rate = o->temperature_rate,
        .optimizer = {o->optimizer, o->weight_decay, o->momentum},
        .clip = o->clip,
        .learning_rate = o->learning_rate,
        .schedule = {.shape = (enum rate_schedule)o->schedule,
                     .warmup_epochs = o->warmup,
                     .final_rate = o->final_rate,
                     .step_factor = o->step_factor,
                     .step_every = o->step_every},
        .epochs = (size_t)o->epochs,
        .batch_users = (size_t)o->batch_users,
        .degree_exponent = o->degree_exponent,
        .init_scale = o->init_scale,
        .history = {.on = o->history.given,
                    .pooling = (enum pooling)o->history.pooling,
                    .half_life = o->history.half_life,
                    .newest = (size_t)o->history.newest,
                    .hide = o->history.hide},
        .id_dropout = o->id_dropout,
        .dropout = o->dropout,
        .hidden_layers = o->hidden.given ? (size_t)o->hidden.layers : 0,
        .hidden_units = (size_t)o->hidden.units,
        .activation = (enum activation)o->hidden.activation,
        .propagation = {.hops = o->propagation.given && o->propagation.hops > 0
                                    ? (size_t)o->propagation.hops
                                    : 0,
                        .weight = o->propagation.weight,
                        .sides = (enum propagation_sides)o->propagation.sides},
        .learn_bias = o->item_bias,
        .co_items = pair_settings(&o->co_interaction),
        .views = {.weight = o->views.given ? o->views.weight : 0.0,
                  .temperature = o->views.temperature,
                  .change = (enum view_change)o->views.change,
                  .strength = o->views.strength},
        .strip_bytes = (size_t)o->strip,
    };
}

void train_options_auto(const struct train_options *o, bool is_auto[N_AUTO_SETTINGS])
{
    is_auto[AUTO_TEMPERATURE] = isnan(o->temperature);
    is_auto[AUTO_ALPHA] = is_auto[AUTO_HARD] = false;
    is_auto[AUTO_DEGREE_EXPONENT] = isnan(o->degree_exponent);
    is_auto[AUTO_CO_ITEMS] = o->co_interaction.given && isnan(o->co_interaction.weight);
    is_auto[AUTO_HOPS] = o->propagation.given && isnan(o->propagation.hops);
}

size_t train_options_search_epochs(const struct train_options *o)
{
    return (size_t)(o->search_epochs > 0 ? o->search_epochs : (3 * o->epochs + 3) / 4);
}
