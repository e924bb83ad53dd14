/* The settings that may be `auto`: what is tried of each, where a search starts, and what a choice
 * of the search means. A choice has a candidate's number for every axis, an axis for every setting
 * that is open. */
#ifndef NIGHTJAR_TUNING_AUTO_AXES_H
#define NIGHTJAR_TUNING_AUTO_AXES_H

#include "base/buf.h"
#include "search/joint_search.h"
#include "training/trainer_input.h"

/* In the order in which steps are made along them. */
enum auto_setting {
    AUTO_TEMPERATURE,
    AUTO_ALPHA, /* the popularity exponent of the negatives */
    AUTO_DEGREE_EXPONENT,
    AUTO_CO_ITEMS, /* weight of the item-item contrast */
    AUTO_RATE,     /* the learning rate */
    AUTO_EPOCHS,
    AUTO_HOPS,  /* of the propagation */
    AUTO_T2,    /* weight of the negative side of the loss */
    AUTO_HARD,  /* number of hard negatives */
    AUTO_DECAY, /* of the weights */
    AUTO_COUNT, /* of the negatives drawn; from all items on, all */
    AUTO_DIMENSION,
    AUTO_LOSS,
    N_AUTO_SETTINGS
};

/* Recipes that are known to be good for a kind of data. */
enum auto_recipe { RECIPE_SPARSE, RECIPE_DENSE, N_RECIPES };

struct auto_candidates {
    const char *name; /* as the configuration calls it, behind the stage */
    size_t n;
    const double *values;    /* (n) neighbours are alike */
    double start[N_RECIPES]; /* where a search starts, and what is taken where nothing can be
                                validated; NAN: the closed form of the temperature */
};
extern const struct auto_candidates auto_candidates[N_AUTO_SETTINGS];

/* Zero-initialise. */
struct auto_axes {
    size_t n;
    enum auto_setting settings[N_AUTO_SETTINGS]; /* (n) */
    size_t n_candidates[N_AUTO_SETTINGS];        /* (n) the first ones of each setting */
};

/* Marks what is auto. */
void auto_settings_open(const struct trainer_settings *settings,
                        const struct negative_settings *negatives, bool is_open[N_AUTO_SETTINGS]);
/* Sets it in train's or negatives' settings, by the row of its name in their option tables. */
void auto_setting_apply(enum auto_setting setting, double value, struct trainer_settings *settings,
                        struct negative_settings *negatives);
void auto_axes_apply(const struct auto_axes *axes, const size_t *choice,
                     struct trainer_settings *settings, struct negative_settings *negatives);

/* Adds the setting, of which the first n candidates are tried. */
void auto_axes_add(struct auto_axes *axes, enum auto_setting setting, size_t n);
/* The candidate of an axis that is nearest to x; by ratio for what is scaled so. */
size_t auto_axes_nearest(const struct auto_axes *axes, size_t axis, double x);
/* "NAME=VALUE" of one axis, and of all of them with blanks between. */
void auto_axes_describe_one(const struct auto_axes *axes, const size_t *choice, size_t axis,
                            struct buf *out);
void auto_axes_describe(const struct auto_axes *axes, const size_t *choice, struct buf *out);
/* Sets the axes that a text of that kind names, to the nearest candidate; how many these were. */
size_t auto_axes_read(const struct auto_axes *axes, const char *text, size_t *choice);

#endif
