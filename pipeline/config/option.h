/* Option tables: the one place where an option's name, type, range, default and help are written.
 * Parsing, validation, messages, `describe`, the JSON Schema and the reference page come from them.
 */
#ifndef NIGHTJAR_CONFIG_OPTION_H
#define NIGHTJAR_CONFIG_OPTION_H

#include "base/arena.h"
#include "base/nearest_name.h"
#include "base/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_BOOL,          /* bool                                        true, false */
    OPTION_INT,           /* int64_t, or size_t where min >= 0           range by min, max */
    OPTION_FLOAT,         /* double, finite                              range by min, max */
    OPTION_AUTO,          /* double; `auto` is stored as NAN             number or auto */
    OPTION_AUTO_INT,      /* as OPTION_INT, min >= 0; `auto` is stored as OPTION_AUTO_COUNT */
    OPTION_DURATION,      /* double, seconds                             30d, 12h */
    OPTION_AUTO_DURATION, /* double, seconds; `auto` is stored as NAN  30d or auto */
    OPTION_BYTES,         /* int64_t or size_t                           16G */
    OPTION_TIME,          /* int64_t, Unix seconds; ISO-8601 or integer  INT64_MIN = not given */
    OPTION_TEXT,          /* const char *, NULL when not given and without a default; with a unit, a
                             bare number is such a text, too */
    OPTION_PATH,          /* const char *, relative paths resolved against the config's folder */
    OPTION_CHOICE,        /* int or an enum: index into `choices` */
    OPTION_TEXT_LIST,     /* struct option_texts */
    OPTION_NUMBER_MAP,    /* struct option_numbers: text -> double (range by min, max) */
    OPTION_TEXT_MAP,      /* struct option_pairs: text -> text */
    OPTION_GROUP,         /* the group's struct, nested at `offset`; its first member must be
                             `bool given`, set when the group stands in the file */
    OPTION_GROUP_MAP /* struct option_groups: text -> group struct; `given` is set in its entries
                        where the struct begins with it (no option at offset 0) */
};

#define OPTION_AUTO_COUNT ((size_t)-1)

/* Choices of what is off, on, or decided by the data. */
enum { CHOICE_FALSE, CHOICE_TRUE, CHOICE_AUTO };
extern const char *const option_false_true_auto[];

_Static_assert(sizeof(size_t) == sizeof(int64_t), "a count may stand where a number does");

struct option_texts {
    size_t n;
    const char *const *values;
};
struct option_numbers {
    size_t n;
    const char *const *names;
    const double *values;
};
struct option_pairs {
    size_t n;
    const char *const *names;
    const char *const *values;
};
struct option_groups {
    size_t n;
    const char *const *names;
    void *values; /* n group structs */
};
_Static_assert(sizeof(struct option_groups) == sizeof(struct option_numbers) &&
                   sizeof(struct option_groups) == sizeof(struct option_pairs),
               "maps are alike but for their values");

/* One row. A table ends with a row whose name is NULL. */
struct option {
    const char *name;
    enum option_type type;
    size_t offset;              /* offsetof in the options struct */
    const char *default_text;   /* as it would stand in the file; NULL: none (zero, NULL, empty, for
                                   OPTION_TIME INT64_MIN, for AUTO NAN) */
    double min, max;            /* used when min < max; both ends allowed */
    const char *const *choices; /* NULL-terminated, for OPTION_CHOICE, and for the elements of
                                   OPTION_TEXT_LIST where only those are allowed; for editors also
                                   the values of OPTION_TEXT_MAP, the names of OPTION_GROUP_MAP */
    const char *pattern; /* for editors: what a text, a list's elements or a group map's names
                            look like (ECMA regular expression); whose option it is checks it */
    bool whole;          /* for editors: the number of a text with a unit has no fraction */
    const char *unit;    /* "users", "epochs"; NULL: none */
    const char *help;    /* one or two sentences, no final newline */
    bool required;
    const char *search;         /* what `nightjar tune` tries, as search_space.h reads it:
                                   "0.05..0.4 log", "0, 0.5, 1"; NULL: left as the file has it */
    const struct option *group; /* for OPTION_GROUP and OPTION_GROUP_MAP */
    size_t group_size;          /* sizeof the group struct */
};

/* ---- rows ----
 *
 *      static const struct option options[] = {
 *          OPT_INT(shelf, "books", n_books, "10", 1, 500, "Books on it.", .unit = "books"),
 *          OPT_BOOL(shelf, "sorted", sorted, "true", "Keep them in order."),
 *          OPT_END};
 *
 * A row names its struct without the word `struct`; the field's type is checked. What comes after
 * the help is further members of struct option. min and max: 0, 0 for no bounds. */
/* versions of clang-format disagree about braces in a macro */
/* clang-format off */
#define OPT_ROW(Struct, Name, Type, Field, Fits, Default, ...)                                     \
    {                                                                                              \
        .name = (Name), .type = (Type),                                                            \
        .offset = offsetof(struct Struct, Field) + 0 * sizeof(char[(Fits) ? 1 : -1]),              \
        .default_text = (Default), .help = __VA_ARGS__                                             \
    }
/* Whether the field has one of these types; a choice may be any enum. */
#define OPT_IS(Struct, Field, Type)  _Generic(((struct Struct *)0)->Field, Type: 1, default: 0)
#define OPT_END {.name = NULL}
/* clang-format on */
#define OPT_IS_INT(Struct, Field)    (OPT_IS(Struct, Field, int64_t) || OPT_IS(Struct, Field, size_t))
#define OPT_IS_CHOICE(Struct, Field) (sizeof(((struct Struct *)0)->Field) == sizeof(int))
#define OPT_IS_TEXT(Struct, Field)   OPT_IS(Struct, Field, const char *)

#define OPT_BOOL(Struct, Name, Field, Default, ...)                                                \
    OPT_ROW(Struct, Name, OPTION_BOOL, Field, OPT_IS(Struct, Field, bool), Default, __VA_ARGS__)
#define OPT_INT(Struct, Name, Field, Default, Min, Max, ...)                                       \
    OPT_ROW(Struct, Name, OPTION_INT, Field, OPT_IS_INT(Struct, Field), Default, __VA_ARGS__,      \
            .min = (Min), .max = (Max))
#define OPT_FLOAT(Struct, Name, Field, Default, Min, Max, ...)                                     \
    OPT_ROW(Struct, Name, OPTION_FLOAT, Field, OPT_IS(Struct, Field, double), Default,             \
            __VA_ARGS__, .min = (Min), .max = (Max))
#define OPT_AUTO(Struct, Name, Field, Default, Min, Max, ...)                                      \
    OPT_ROW(Struct, Name, OPTION_AUTO, Field, OPT_IS(Struct, Field, double), Default, __VA_ARGS__, \
            .min = (Min), .max = (Max))
#define OPT_AUTO_INT(Struct, Name, Field, Default, Min, Max, ...)                                  \
    OPT_ROW(Struct, Name, OPTION_AUTO_INT, Field, OPT_IS_INT(Struct, Field), Default, __VA_ARGS__, \
            .min = (Min), .max = (Max))
#define OPT_DURATION(Struct, Name, Field, Default, Min, Max, ...)                                  \
    OPT_ROW(Struct, Name, OPTION_DURATION, Field, OPT_IS(Struct, Field, double), Default,          \
            __VA_ARGS__, .min = (Min), .max = (Max))
#define OPT_AUTO_DURATION(Struct, Name, Field, Default, Min, Max, ...)                             \
    OPT_ROW(Struct, Name, OPTION_AUTO_DURATION, Field, OPT_IS(Struct, Field, double), Default,     \
            __VA_ARGS__, .min = (Min), .max = (Max))
#define OPT_BYTES(Struct, Name, Field, Default, ...)                                               \
    OPT_ROW(Struct, Name, OPTION_BYTES, Field, OPT_IS_INT(Struct, Field), Default, __VA_ARGS__)
#define OPT_TIME(Struct, Name, Field, ...)                                                         \
    OPT_ROW(Struct, Name, OPTION_TIME, Field, OPT_IS(Struct, Field, int64_t), NULL, __VA_ARGS__)
#define OPT_TEXT(Struct, Name, Field, Default, ...)                                                \
    OPT_ROW(Struct, Name, OPTION_TEXT, Field, OPT_IS_TEXT(Struct, Field), Default, __VA_ARGS__)
#define OPT_PATH(Struct, Name, Field, ...)                                                         \
    OPT_ROW(Struct, Name, OPTION_PATH, Field, OPT_IS_TEXT(Struct, Field), NULL, __VA_ARGS__)
#define OPT_CHOICE(Struct, Name, Field, Default, Choices, ...)                                     \
    OPT_ROW(Struct, Name, OPTION_CHOICE, Field, OPT_IS_CHOICE(Struct, Field), Default,             \
            __VA_ARGS__, .choices = (Choices))
#define OPT_TEXTS(Struct, Name, Field, Default, ...)                                               \
    OPT_ROW(Struct, Name, OPTION_TEXT_LIST, Field, OPT_IS(Struct, Field, struct option_texts),     \
            Default, __VA_ARGS__)
#define OPT_NUMBERS(Struct, Name, Field, Min, Max, ...)                                            \
    OPT_ROW(Struct, Name, OPTION_NUMBER_MAP, Field, OPT_IS(Struct, Field, struct option_numbers),  \
            NULL, __VA_ARGS__, .min = (Min), .max = (Max))
#define OPT_PAIRS(Struct, Name, Field, ...)                                                        \
    OPT_ROW(Struct, Name, OPTION_TEXT_MAP, Field, OPT_IS(Struct, Field, struct option_pairs),      \
            NULL, __VA_ARGS__)
#define OPT_GROUP(Struct, Name, Field, Table, ...)                                                 \
    OPT_ROW(Struct, Name, OPTION_GROUP, Field, 1, NULL, __VA_ARGS__, .group = (Table),             \
            .group_size = sizeof(((struct Struct *)0)->Field))
#define OPT_GROUPS(Struct, Name, Field, Table, Each, ...)                                          \
    OPT_ROW(Struct, Name, OPTION_GROUP_MAP, Field, OPT_IS(Struct, Field, struct option_groups),    \
            NULL, __VA_ARGS__, .group = (Table), .group_size = sizeof(struct Each))

/* Where a cross-field rule says what is wrong; implemented by the plan. `option` is a dotted path
 * inside the stage ("split.valid"), whose position is used. */
struct option_report;
void option_mistake(struct option_report *report, const char *option, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* Of how many ranks refuse_ranks (config/stage.h) is asked. */
size_t option_report_ranks(const struct option_report *report);

/* The row called `name` (length bytes), or NULL. */
const struct option *option_find(const struct option *table, const char *name, size_t length);
/* The option that a dotted path names ("temperature", "co_interaction.weight"), or NULL. *holder is
 * where the struct that has it lies in `options`; *is_given whether all groups above it are. */
const struct option *option_at(const struct option *table, const void *options, const char *path,
                               size_t *holder, bool *is_given);
/* nearest_name of the table, or NULL. */
const char *option_nearest(const struct option *table, const char *name, size_t length);
/* Fills `options` (zeroed, of the table's struct) with the defaults. Texts live in `arena`. A
 * default that its own row does not allow is our bug: STATUS_INTERNAL. Relative default paths stay
 * as they are; the plan resolves them. */
MUST_CHECK enum status_code option_defaults(const struct option *table, void *options,
                                            struct arena *arena, struct status *status);
/* Parses one scalar into its place. On a mistake writes what is allowed to `why` and returns false;
 * `options` is then untouched. `directory` resolves OPTION_PATH. Not for lists, maps, groups. */
bool option_parse(const struct option *option, const char *text, size_t length, void *options,
                  const char *directory, struct arena *arena, char *why, size_t why_capacity);
/* Adds "name=value" lines of every option, nested ones with dots, in table order: for cache keys,
 * `plan` and the run history. Texts stand in quotes, what is not given is `none`; a group's own
 * line says `given` or `none`, a group map's the number of its entries. */
struct buf;
void option_print(const struct option *table, const void *options, struct buf *out);
/* For people: of that only what differs from the defaults; a group that is given and says nothing
 * is "split={}". `defaults` as option_defaults fills them. */
MUST_CHECK enum status_code option_print_changed(const struct option *table, const void *options,
                                                 const void *defaults, struct buf *out,
                                                 struct status *status);

/* What may stand in the file: "a whole number from 1 to 500 users", "one of a, b, c". */
void option_allowed(const struct option *option, struct buf *out);
/* A value in the option's own unit as it would stand in the file: 2592000 s of a duration is "30d".
 * `out` has NUM_TEXT_MAX (base/num.h) bytes. */
void option_format_number(enum option_type type, double value, char *out);
/* The value as a number: the index of a choice, 0 or 1 of a switch and of whether a group is given,
 * NAN for auto. And back; the value must fit the type. Not for texts, lists and maps. */
double option_number(const struct option *option, const void *options);
void option_set_number(const struct option *option, double value, void *options);
/* Whether it is one value: no list, map or group. */
bool option_is_single(enum option_type type);
/* Whether a bound of min, max says something; both do not when min < max does not hold. */
bool option_has_min(const struct option *option);
bool option_has_max(const struct option *option);

#endif
