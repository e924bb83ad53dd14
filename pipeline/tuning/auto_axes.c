/* Candidates and choices. */
#include "tuning/auto_axes.h"

#include "base/num.h"
#include "negatives/negatives_options.h"
#include "training/train_options.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* Finest where the best values of the public sets lie, .10 to .22. */
static const double temperatures[] = {0.06, 0.08, 0.1, 0.12, 0.14, 0.17, 0.2, 0.25, 0.32, 0.4};
static const double alphas[] = {0, 0.15, 0.3, 0.5, 0.7, 1};
static const double rates[] = {0.005, 0.007, 0.01, 0.014, 0.02, 0.03};
static const double lengths[] = {10, 18, 30, 45, 70};
static const double exponents[] = {0, 0.2, 0.35, 0.5, 0.7};
static const double weights[] = {0, 0.05, 0.1, 0.2, 0.4};
static const double hops[] = {0, 1};
static const double sides[] = {1, 1.1, 1.25};
static const double hard_counts[] = {0, HARD_COUNT_AUTO};
static const double decays[] = {0, 0.1, 0.3};
static const double draws[] = {1024, NEGATIVES_COUNT_AUTO, 16384};
static const double dimensions[] = {64, DIMENSION_AUTO, 256};
static const double losses[] = {LOSS_ROW_softmax, LOSS_ROW_slk, LOSS_ROW_bsl};

#define LIST(values) sizeof values / sizeof *values, values

const struct auto_candidates auto_candidates[N_AUTO_SETTINGS] = {
    [AUTO_TEMPERATURE] = {"temperature", LIST(temperatures), {NAN, NAN}},
    [AUTO_ALPHA] = {"negatives.alpha", LIST(alphas), {0.7, 0.3}},
    [AUTO_DEGREE_EXPONENT] = {"degree_exponent", LIST(exponents), {0.2, 0.35}},
    [AUTO_CO_ITEMS] = {"co_interaction.weight", LIST(weights), {0.2, 0.1}},
    [AUTO_RATE] = {"learning_rate", LIST(rates), {0.014, 0.02}},
    [AUTO_EPOCHS] = {"epochs", LIST(lengths), {18, 30}},
    [AUTO_HOPS] = {"propagation.hops", LIST(hops), {0, 0}},
    [AUTO_T2] = {"t2", LIST(sides), {1, 1}},
    [AUTO_HARD] = {"negatives.hard.count", LIST(hard_counts), {HARD_COUNT_AUTO, 0}},
    [AUTO_DECAY] = {"weight_decay", LIST(decays), {0.1, 0}},
    [AUTO_COUNT] = {"negatives.count", LIST(draws), {NEGATIVES_COUNT_AUTO, NEGATIVES_COUNT_AUTO}},
    [AUTO_DIMENSION] = {"dimension", LIST(dimensions), {DIMENSION_AUTO, DIMENSION_AUTO}},
    [AUTO_LOSS] = {"loss", LIST(losses), {LOSS_ROW_softmax, LOSS_ROW_softmax}},
};
_Static_assert((int)N_AUTO_SETTINGS <= (int)SEARCH_AXES_MAX, "an axis for every setting");

static const char negatives_prefix[] = "negatives.";

static bool is_of_negatives(enum auto_setting setting)
{
    const char *name = auto_candidates[setting].name;
    return strncmp(name, negatives_prefix, strlen(negatives_prefix)) == 0;
}

/* The setting's row in its stage's table; `settings` are those of train or of negatives, which the
 * name tells. */
static const struct option *setting_at(enum auto_setting setting, const void *settings,
                                       size_t *holder, bool *is_given)
{
    const char *name = auto_candidates[setting].name;
    const bool of_negatives = is_of_negatives(setting);
    const struct option *option =
        option_at(of_negatives ? negatives_options_table : train_options_table, settings,
                  name + (of_negatives ? strlen(negatives_prefix) : 0), holder, is_given);
    assert(option != NULL);
    return option;
}

/* ---- settings ---- */

void auto_settings_open(const struct trainer_settings *settings,
                        const struct negative_settings *negatives, bool is_open[N_AUTO_SETTINGS])
{
    for (enum auto_setting s = 0; s < N_AUTO_SETTINGS; s++) {
        size_t holder;
        bool is_given = false;
        if (!is_of_negatives(s)) {
            const struct option *option = setting_at(s, settings, &holder, &is_given);
            is_open[s] = is_given && isnan(option_number(option, (const char *)settings + holder));
        }
    }
    is_open[AUTO_LOSS] = settings->loss == LOSS_AUTO;
    is_open[AUTO_ALPHA] = isnan(negatives->alpha);
    is_open[AUTO_HARD] = negatives->hard.is_choice;
    is_open[AUTO_COUNT] = negatives->count_is_choice;
}

void auto_setting_apply(enum auto_setting setting, double value, struct trainer_settings *settings,
                        struct negative_settings *negatives)
{
    void *owner = is_of_negatives(setting) ? (void *)negatives : (void *)settings;
    size_t holder;
    bool is_given;
    const struct option *option = setting_at(setting, owner, &holder, &is_given);
    option_set_number(option, value, (char *)owner + holder);
    negatives->hard.is_choice = negatives->hard.is_choice && setting != AUTO_HARD;
    negatives->count_is_choice = negatives->count_is_choice && setting != AUTO_COUNT;
}

static double value_of(const struct auto_axes *axes, const size_t *choice, size_t axis)
{
    return auto_candidates[axes->settings[axis]].values[choice[axis]];
}

void auto_axes_apply(const struct auto_axes *axes, const size_t *choice,
                     struct trainer_settings *settings, struct negative_settings *negatives)
{
    for (size_t a = 0; a < axes->n; a++) {
        auto_setting_apply(axes->settings[a], value_of(axes, choice, a), settings, negatives);
    }
}

/* ---- choices ---- */

void auto_axes_add(struct auto_axes *axes, enum auto_setting setting, size_t n)
{
    axes->settings[axes->n] = setting;
    axes->n_candidates[axes->n++] = n;
}

static double distance(enum auto_setting setting, double a, double b)
{
    const bool is_scaled = setting == AUTO_TEMPERATURE || setting == AUTO_RATE ||
                           setting == AUTO_EPOCHS || setting == AUTO_COUNT ||
                           setting == AUTO_DIMENSION;
    return is_scaled ? fabs(log(a / b)) : fabs(a - b);
}

size_t auto_axes_nearest(const struct auto_axes *axes, size_t axis, double x)
{
    const enum auto_setting setting = axes->settings[axis];
    const double *values = auto_candidates[setting].values;
    size_t nearest = 0;
    for (size_t i = 1; i < axes->n_candidates[axis]; i++) {
        if (distance(setting, values[i], x) < distance(setting, values[nearest], x)) {
            nearest = i;
        }
    }
    return nearest;
}

void auto_axes_describe_one(const struct auto_axes *axes, const size_t *choice, size_t axis,
                            struct buf *out)
{
    const char *name = auto_candidates[axes->settings[axis]].name;
    const double value = value_of(axes, choice, axis);
    if (axes->settings[axis] == AUTO_LOSS) {
        buf_addf(out, "%s=%s", name, loss_names[(size_t)value]);
    } else {
        buf_addf(out, "%s=%g", name, value);
    }
}

void auto_axes_describe(const struct auto_axes *axes, const size_t *choice, struct buf *out)
{
    for (size_t a = 0; a < axes->n; a++) {
        buf_addf(out, "%s", a > 0 ? " " : "");
        auto_axes_describe_one(axes, choice, a, out);
    }
}

/* What stands behind "NAME=", *length of it; NULL: nothing does. */
static const char *value_in(const char *text, const char *name, size_t *length)
{
    const size_t n = strlen(name);
    for (const char *at = text; at != NULL; at = strchr(at, ' ')) {
        at += *at == ' ' ? 1 : 0;
        if (strncmp(at, name, n) == 0 && at[n] == '=') {
            *length = strcspn(at + n + 1, " ");
            return at + n + 1;
        }
    }
    return NULL;
}

/* A number, or a loss by its name. */
static bool read_value(enum auto_setting setting, const char *text, size_t length, double *value)
{
    if (setting != AUTO_LOSS) {
        return num_parse_double(text, length, value);
    }
    for (size_t l = 0; loss_names[l] != NULL; l++) {
        if (strlen(loss_names[l]) == length && strncmp(loss_names[l], text, length) == 0) {
            *value = (double)l;
            return true;
        }
    }
    return false;
}

size_t auto_axes_read(const struct auto_axes *axes, const char *text, size_t *choice)
{
    size_t n_read = 0;
    for (size_t a = 0; a < axes->n; a++) {
        const enum auto_setting setting = axes->settings[a];
        size_t length = 0;
        double value;
        const char *at = value_in(text, auto_candidates[setting].name, &length);
        if (at != NULL && read_value(setting, at, length, &value)) {
            choice[a] = auto_axes_nearest(axes, a, value);
            n_read++;
        }
    }
    return n_read;
}
