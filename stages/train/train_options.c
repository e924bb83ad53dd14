/* The option tables of the train stage and the rules across them. */
#include "stages/train/train_options.h"

#include "base/num.h"

#include <math.h>

#define AT(field)             offsetof(struct train_options, field)
#define CO_AT(field)          offsetof(struct co_interaction_options, field)
#define HISTORY_AT(field)     offsetof(struct history_options, field)
#define HIDDEN_AT(field)      offsetof(struct hidden_options, field)
#define PROPAGATION_AT(field) offsetof(struct propagation_options, field)
#define VIEWS_AT(field)       offsetof(struct views_options, field)

static const struct option co_interaction_table[] = {
    {.name = "weight",
     .type = OPTION_AUTO,
     .offset = CO_AT(weight),
     .default_text = "0.1",
     .min = 0,
     .max = 100,
     .search = "0, 0.05, 0.1, 0.3, 0.5",
     .help = "Weight of the contrast against the user-item one. 0 switches it off; auto tries "
             "whether it helps."},
    {.name = "temperature",
     .type = OPTION_FLOAT,
     .offset = CO_AT(temperature),
     .default_text = "0.15",
     .min = 0.01,
     .max = 10,
     .help = "Temperature of the contrast."},
    {.name = "share",
     .type = OPTION_FLOAT,
     .offset = CO_AT(share),
     .default_text = "0.25",
     .min = 0.001,
     .max = 1,
     .help = "Share of the items that are anchors in an epoch, others the next time."},
    {.name = "samples",
     .type = OPTION_INT,
     .offset = CO_AT(samples),
     .default_text = "5",
     .min = 1,
     .max = 1000,
     .unit = "partners",
     .help = "Partners drawn per anchor and epoch, in proportion to their pair weights."},
    {.name = NULL},
};

static const struct option history_table[] = {
    {.name = "pooling",
     .type = OPTION_CHOICE,
     .offset = HISTORY_AT(pooling),
     .default_text = "mean",
     .choices = pooling_names,
     .help = "Every item alike (mean), newer ones more (decay), or by a learned attention."},
    {.name = "half_life",
     .type = OPTION_DURATION,
     .offset = HISTORY_AT(half_life),
     .default_text = "30d",
     .help = "With pooling decay: time before the user's newest event after which an item counts "
             "half. A history without times counts items instead, one for a day of it."},
    {.name = "newest",
     .type = OPTION_INT,
     .offset = HISTORY_AT(newest),
     .default_text = "200",
     .min = 1,
     .max = 100000,
     .unit = "items",
     .help = "The newest items of a history are read, no more than these."},
    {.name = "hide",
     .type = OPTION_FLOAT,
     .offset = HISTORY_AT(hide),
     .default_text = "0.3",
     .min = 0,
     .max = 0.95,
     .help = "Share of a user's items that an epoch hides from the history; it then asks for these "
             "alone, so that the history learns to say what comes next. 0 hides none and asks for "
             "all."},
    {.name = NULL},
};

static const struct option hidden_table[] = {
    {.name = "layers",
     .type = OPTION_INT,
     .offset = HIDDEN_AT(layers),
     .default_text = "1",
     .min = 0,
     .max = HIDDEN_MAX_LAYERS,
     .help = "Hidden layers of each tower."},
    {.name = "units",
     .type = OPTION_INT,
     .offset = HIDDEN_AT(units),
     .default_text = "128",
     .min = 1,
     .max = 4096,
     .help = "Width of each hidden layer."},
    {.name = "activation",
     .type = OPTION_CHOICE,
     .offset = HIDDEN_AT(activation),
     .default_text = "gelu",
     .choices = activation_names,
     .help = "What each hidden unit makes of its sum."},
    {.name = NULL},
};

static const struct option propagation_table[] = {
    {.name = "hops",
     .type = OPTION_AUTO,
     .offset = PROPAGATION_AT(hops),
     .default_text = "1",
     .min = 0,
     .max = 3,
     .help = "How far neighbours reach, a whole number. 0 switches it off; auto tries whether one "
             "hop helps."},
    {.name = "weight",
     .type = OPTION_FLOAT,
     .offset = PROPAGATION_AT(weight),
     .default_text = "0.5",
     .min = 0.01,
     .max = 10,
     .help = "Weight of each hop against the one before; 1 is LightGCN's mean."},
    {.name = "sides",
     .type = OPTION_CHOICE,
     .offset = PROPAGATION_AT(sides),
     .default_text = "items",
     .choices = propagation_sides_names,
     .help = "Whose vectors take up their neighbours'."},
    {.name = NULL},
};

static const struct option views_table[] = {
    {.name = "weight",
     .type = OPTION_FLOAT,
     .offset = VIEWS_AT(weight),
     .default_text = "0.1",
     .min = 0,
     .max = 100,
     .help = "Weight of the contrast against the user-item one. 0 switches it off."},
    {.name = "temperature",
     .type = OPTION_FLOAT,
     .offset = VIEWS_AT(temperature),
     .default_text = "0.2",
     .min = 0.01,
     .max = 10,
     .help = "Temperature of the contrast."},
    {.name = "change",
     .type = OPTION_CHOICE,
     .offset = VIEWS_AT(change),
     .default_text = "noise",
     .choices = view_change_names,
     .help = "What differs between the looks: noise on the vectors; dropout of components; crop, "
             "mask, reorder or substitute (by co-interaction partners) items of the history; edges "
             "or nodes of the graph left out."},
    {.name = "strength",
     .type = OPTION_FLOAT,
     .offset = VIEWS_AT(strength),
     .default_text = "0.1",
     .min = 0.001,
     .max = 0.95,
     .help = "How much is changed: the length of the noise against the vector's, or the share of "
             "components, items, edges or nodes."},
    {.name = NULL},
};

const struct option train_options_table[] = {
    {.name = "dimension",
     .type = OPTION_INT,
     .offset = AT(dimension),
     .default_text = "64",
     .min = 8,
     .max = 512,
     .help = "Length of the embeddings."},
    {.name = "loss",
     .type = OPTION_CHOICE,
     .offset = AT(loss),
     .default_text = "softmax",
     .choices = loss_names,
     .help =
         "The contrastive loss. softmax: cross-entropy against the negatives; bsl: the same with "
         "a log-mean-exp over a user's positives; supcon: softmax with all of a user's "
         "positives under the logarithm; slk: softmax that favours positives within reach of "
         "the top ranks; bpr: logistic of the difference to a negative; triplet: hinge of that "
         "difference; warp: triplet weighted by rank; ccl: cosine plus hinge of the negatives' "
         "cosines; logistic: binary cross-entropy; directau: alignment and uniformity."},
    {.name = "denominators",
     .type = OPTION_CHOICE,
     .offset = AT(denominators),
     .default_text = "decoupled",
     .choices = loss_denominators_names,
     .help = "For softmax and slk: what stands under the logarithm beside the negatives: the "
             "positive itself "
             "(infonce), all of the anchor's positives (all), or nothing (decoupled)."},
    {.name = "t2",
     .type = OPTION_FLOAT,
     .offset = AT(t2),
     .default_text = "1",
     .min = 0.1,
     .max = 10,
     .search = "1, 1.1, 1.25",
     .help = "Weight of the negative side of the loss; 1 is the softmax loss, other "
             "values weigh it as bilateral softmax does. For softmax, bsl and slk."},
    {.name = "margin",
     .type = OPTION_FLOAT,
     .offset = AT(margin),
     .default_text = "0.4",
     .min = -1,
     .max = 2,
     .help =
         "In cosines. For triplet and warp: by how much a positive should lie above a negative; "
         "for ccl: the cosine up to which a negative costs nothing."},
    {.name = "negative_weight",
     .type = OPTION_FLOAT,
     .offset = AT(negative_weight),
     .default_text = "10",
     .min = 0,
     .max = 100000,
     .help = "Weight of the mean over the negatives against the positive. For ccl, and for "
             "logistic, where it is word2vec's number of negatives a positive."},
    {.name = "uniformity",
     .type = OPTION_FLOAT,
     .offset = AT(uniformity),
     .default_text = "0.5",
     .min = 0,
     .max = 1000,
     .help = "Weight of uniformity against alignment. For directau."},
    {.name = "slk_width",
     .type = OPTION_FLOAT,
     .offset = AT(slk_width),
     .default_text = "5",
     .min = 0.01,
     .max = 1000,
     .help = "How softly positives below the top ranks lose weight, in logits (cosine / "
             "temperature). For slk."},
    {.name = "slk_top_k",
     .type = OPTION_INT,
     .offset = AT(slk_top_k),
     .default_text = "20",
     .min = 1,
     .max = 10000,
     .unit = "items",
     .help = "Length of the list whose last score is the threshold of slk; it is taken when "
             "negatives.hard refreshes its lists, by default every 5 epochs."},
    {.name = "temperature",
     .type = OPTION_AUTO,
     .offset = AT(temperature),
     .default_text = "0.12",
     .min = 0.01,
     .max = 10,
     .search = "0.05..0.4 log",
     .help = "Divides cosines before the softmax. Lower concentrates on the hardest negatives. "
             "auto tries a few around Adap-tau's closed form, each in a small training, and keeps "
             "the one that validates best."},
    {.name = "temperature_mode",
     .type = OPTION_CHOICE,
     .offset = AT(temperature_mode),
     .default_text = "fixed",
     .choices = temperature_mode_names,
     .help = "fixed: as given; learned: starts there and follows the loss."},
    {.name = "temperature_rate",
     .type = OPTION_FLOAT,
     .offset = AT(temperature_rate),
     .default_text = "0.001",
     .min = 1e-6,
     .max = 1,
     .help = "Learning rate of the temperature's logarithm, with temperature_mode learned."},
    {.name = "optimizer",
     .type = OPTION_CHOICE,
     .offset = AT(optimizer),
     .default_text = "adam",
     .choices = optimizer_names,
     .help =
         "How gradients move the embeddings. adamw is adam with weight_decay; rowwise_adam keeps "
         "one speed an embedding instead of one a component, in less time and two thirds of "
         "the memory."},
    {.name = "weight_decay",
     .type = OPTION_FLOAT,
     .offset = AT(weight_decay),
     .default_text = "0",
     .min = 0,
     .max = 10,
     .help = "Share of each embedding that a step takes away, times the learning rate; for adamw, "
             "rowwise_adam, adagrad and sgd."},
    {.name = "momentum",
     .type = OPTION_FLOAT,
     .offset = AT(momentum),
     .default_text = "0",
     .min = 0,
     .max = 0.999,
     .help = "Share of its last movement that an embedding keeps; for sgd."},
    {.name = "clip",
     .type = OPTION_FLOAT,
     .offset = AT(clip),
     .default_text = "0",
     .min = 0,
     .max = 1e12,
     .help = "Longest gradient of a batch, over all embeddings together; longer ones are scaled "
             "down to it. 0 sets no limit."},
    {.name = "learning_rate",
     .type = OPTION_FLOAT,
     .offset = AT(learning_rate),
     .default_text = "0.01",
     .min = 1e-7,
     .max = 10,
     .search = "0.002..0.05 log",
     .help = "Learning rate at its peak."},
    {.name = "schedule",
     .type = OPTION_CHOICE,
     .offset = AT(schedule),
     .default_text = "cosine",
     .choices = rate_schedule_names,
     .help = "How the learning rate falls over the epochs."},
    {.name = "final_rate",
     .type = OPTION_FLOAT,
     .offset = AT(final_rate),
     .default_text = "0.05",
     .min = 0,
     .max = 1,
     .help = "Share of the learning rate at which linear and cosine schedules end."},
    {.name = "step_factor",
     .type = OPTION_FLOAT,
     .offset = AT(step_factor),
     .default_text = "0.5",
     .min = 1e-6,
     .max = 1,
     .help = "What each step of the step schedule leaves of the learning rate."},
    {.name = "step_every",
     .type = OPTION_FLOAT,
     .offset = AT(step_every),
     .default_text = "5",
     .min = 0.01,
     .max = 100000,
     .unit = "epochs",
     .help = "Time between the steps of the step schedule."},
    {.name = "warmup",
     .type = OPTION_FLOAT,
     .offset = AT(warmup),
     .default_text = "0",
     .min = 0,
     .max = 1000,
     .unit = "epochs",
     .help = "The learning rate rises from 0 over these epochs."},
    {.name = "epochs",
     .type = OPTION_INT,
     .offset = AT(epochs),
     .default_text = "20",
     .min = 1,
     .max = 100000,
     .unit = "epochs",
     .help = "Epochs that the schedule spans; early stopping may end sooner."},
    {.name = "search_epochs",
     .type = OPTION_INT,
     .offset = AT(search_epochs),
     .default_text = "0",
     .min = 0,
     .max = 100000,
     .unit = "epochs",
     .help =
         "Length of the small trainings (64 dimensions, 1,024 negatives) that choose the settings "
         "that are auto. 0 takes three quarters of epochs: much shorter ones prefer what learns "
         "fast to what is good in the end."},
    {.name = "batch_users",
     .type = OPTION_INT,
     .offset = AT(batch_users),
     .default_text = "512",
     .min = 1,
     .max = 1048576,
     .unit = "users",
     .search = "128, 256, 512, 1024",
     .help = "Users in a batch, each with all of its positives."},
    {.name = "degree_exponent",
     .type = OPTION_AUTO,
     .offset = AT(degree_exponent),
     .default_text = "0",
     .min = 0,
     .max = 1,
     .search = "0, 0.25, 0.5, 0.75",
     .help = "A positive of a user with n positives weighs n^-p: 0 counts every interaction "
             "alike, 1 every user. auto tries 0.2 and 0.5 beside it."},
    {.name = "init_scale",
     .type = OPTION_FLOAT,
     .offset = AT(init_scale),
     .default_text = "0.1",
     .min = 1e-6,
     .max = 100,
     .help = "Standard deviation of the first embeddings."},
    {.name = "history",
     .type = OPTION_GROUP,
     .offset = AT(history),
     .group = history_table,
     .group_size = sizeof(struct history_options),
     .help =
         "Adds the pooled vectors of a user's items to the user's input, so that a user without "
         "a vector of its own (a new one) is encoded from the history alone."},
    {.name = "id_dropout",
     .type = OPTION_FLOAT,
     .offset = AT(id_dropout),
     .default_text = "0",
     .min = 0,
     .max = 0.95,
     .help = "Share of a step's rows that go without their id embedding, so that histories and "
             "features learn to carry entities that have none."},
    {.name = "dropout",
     .type = OPTION_FLOAT,
     .offset = AT(dropout),
     .default_text = "0",
     .min = 0,
     .max = 0.95,
     .help = "Share of the components of a tower's input that a step leaves out."},
    {.name = "hidden",
     .type = OPTION_GROUP,
     .offset = AT(hidden),
     .group = hidden_table,
     .group_size = sizeof(struct hidden_options),
     .help = "Hidden layers between a tower's input and its vector, around which the input is "
             "carried."},
    {.name = "propagation",
     .type = OPTION_GROUP,
     .offset = AT(propagation),
     .group = propagation_table,
     .group_size = sizeof(struct propagation_options),
     .help = "Mixes the vectors of neighbours in the graph of users and items into the towers' "
             "inputs (LightGCN). Every step computes the whole graph, so give it large batches."},
    {.name = "item_bias",
     .type = OPTION_BOOL,
     .offset = AT(item_bias),
     .default_text = "false",
     .help = "Learn a popularity term for every item in place of log(1 + its users); calibrate "
             "chooses its weight in the score."},
    {.name = "co_interaction",
     .type = OPTION_GROUP,
     .offset = AT(co_interaction),
     .group = co_interaction_table,
     .group_size = sizeof(struct co_interaction_options),
     .help = "Adds the contrast of items against the items they are interacted with together; "
             "needs item pairs from the pairs stage."},
    {.name = "views",
     .type = OPTION_GROUP,
     .offset = AT(views),
     .group = views_table,
     .group_size = sizeof(struct views_options),
     .help = "Adds the contrast of two randomly changed looks at the same user, and at the same "
             "item (augmentation)."},
    {.name = "metric",
     .type = OPTION_TEXT,
     .offset = AT(metric),
     .default_text = "ndcg@20",
     .help = "Validation metric that chooses the epoch, such as ndcg@20 or recall@50."},
    {.name = "validate_every",
     .type = OPTION_INT,
     .offset = AT(validate_every),
     .default_text = "1",
     .min = 1,
     .max = 100000,
     .unit = "epochs",
     .help = "Epochs between validations; the last epoch is always validated."},
    {.name = "patience",
     .type = OPTION_INT,
     .offset = AT(patience),
     .default_text = "5",
     .min = 0,
     .max = 100000,
     .unit = "validations",
     .help = "Validations without a new best after which training stops. 0 never stops early."},
    {.name = "validation_users",
     .type = OPTION_INT,
     .offset = AT(validation_users),
     .default_text = "5000",
     .min = 1,
     .max = INT32_MAX,
     .unit = "users",
     .help = "Users ranked in a validation, a seeded sample when there are more."},
    {.name = "checkpoint_every",
     .type = OPTION_DURATION,
     .offset = AT(checkpoint_every),
     .default_text = "60s",
     .help = "Time between checkpoints in the work database; 0s writes one after every epoch."},
    {.name = "strip",
     .type = OPTION_BYTES,
     .offset = AT(strip),
     .default_text = "256M",
     .help = "Memory for a batch's logits between the kernel's two passes; beyond it they are "
             "computed twice."},
    {.name = NULL},
};

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
            option_mistake(report, name, "%s: %g has no effect on loss %s", name, settings[i].value,
                           loss_names[o->loss]);
        }
    }
    if ((uses & LOSS_USES_DENOMINATORS) == 0 && o->denominators != DENOMINATORS_DECOUPLED) {
        option_mistake(report, "denominators", "denominators: %s has no effect on loss %s",
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
