/* The candidates that a range stands for, the configuration's own value among them. */
#include "config/search_space.h"

#include "base/buf.h"
#include "base/num.h"
#include "config/option_read.h"

#include <assert.h>
#include <math.h>

enum { VALUES_MAX = 64 };
static const char log_mark[] = " log";

/* One scalar of any searchable type; the option is read into it with offset 0. */
union scalar_value {
    bool truth;
    int64_t whole;
    double number;
    int choice;
};

static bool is_number(enum option_type type)
{
    return type == OPTION_INT || type == OPTION_FLOAT || type == OPTION_AUTO ||
           type == OPTION_AUTO_INT;
}

static bool is_searchable(enum option_type type)
{
    return is_number(type) || type == OPTION_BOOL || type == OPTION_DURATION ||
           type == OPTION_AUTO_DURATION || type == OPTION_BYTES || type == OPTION_CHOICE;
}

/* The option's value as the file would have it. */
static void format_value(const struct option *option, const void *options, struct buf *out)
{
    const void *place = (const char *)options + option->offset;
    char text[NUM_TEXT_MAX];
    int64_t whole;
    switch (option->type) {
    case OPTION_BOOL:
        buf_add_text(out, *(const bool *)place ? "true" : "false");
        break;
    case OPTION_CHOICE:
        buf_add_text(out, option->choices[*(const int *)place]);
        break;
    case OPTION_INT:
    case OPTION_BYTES:
        memcpy(&whole, place, sizeof whole);
        buf_addf(out, "%lld", (long long)whole);
        break;
    default:
        option_format_number(option->type, option_number(option, options), text);
        buf_add_text(out, text);
        break;
    }
}

/* Where the candidates go, and why they do not. */
struct reading {
    struct space_axis *axis;
    struct arena *arena;
    char *why;
    size_t why_capacity;
};

/* One more candidate behind the others, of equal neighbours only one. */
static bool add_text(const struct reading *reading, const char *text)
{
    struct space_axis *axis = reading->axis;
    struct status ignored = {0};
    char *copy = NULL;
    if (axis->n > 0 && strcmp(axis->values[axis->n - 1], text) == 0) {
        return true;
    }
    if (axis->n == VALUES_MAX) {
        (void)snprintf(reading->why, reading->why_capacity, "more than %d values", VALUES_MAX);
        return false;
    }
    if (arena_copy_text(reading->arena, text, strlen(text), &copy, &ignored) != STATUS_OK) {
        (void)snprintf(reading->why, reading->why_capacity, "out of memory");
        return false;
    }
    axis->values[axis->n++] = copy;
    return true;
}

/* Adds one value in its usual form, so that equal values are equal texts. */
static bool read_value(const struct reading *reading, const char *text, size_t length,
                       double *number)
{
    struct option probe = *reading->axis->option;
    union scalar_value value = {0};
    struct buf buf = {0};
    while (length > 0 && *text == ' ') {
        text++;
        length--;
    }
    while (length > 0 && text[length - 1] == ' ') {
        length--;
    }
    probe.offset = 0;
    if (!option_parse(&probe, text, length, &value, NULL, reading->arena, reading->why,
                      reading->why_capacity)) {
        return false;
    }
    *number = option_number(&probe, &value);
    format_value(&probe, &value, &buf);
    const bool is_added = add_text(reading, buf_text(&buf));
    buf_release(&buf);
    return is_added;
}

static bool ends_with_log(const char *text, size_t length)
{
    const size_t n = strlen(log_mark);
    return length >= n && memcmp(text + length - n, log_mark, n) == 0;
}

/* A number of the range as the file would have it: a whole one, or rounded to three digits. */
static void format_between(const struct option *option, double value, double low, double high,
                           char out[NUM_TEXT_MAX])
{
    if (option->type == OPTION_INT || option->type == OPTION_AUTO_INT) {
        (void)snprintf(out, NUM_TEXT_MAX, "%.0f", fmin(fmax(round(value), low), high));
        return;
    }
    (void)snprintf(out, NUM_TEXT_MAX, "%.3g", value);
    const bool parsed = num_parse_double(out, strlen(out), &value);
    assert(parsed);
    (void)parsed;
    (void)num_format_double(fmin(fmax(value, low), high), out);
}

/* The ends, checked. */
static bool read_ends(const struct reading *reading, const char *text, size_t length, bool is_log,
                      double *low, double *high)
{
    const char *dots = strstr(text, "..");
    if (!is_number(reading->axis->option->type)) {
        (void)snprintf(reading->why, reading->why_capacity,
                       "a range is for numbers only; name values with commas between them");
        return false;
    }
    if (!read_value(reading, text, (size_t)(dots - text), low) ||
        !read_value(reading, dots + 2, (size_t)(text + length - dots - 2), high)) {
        return false;
    }
    /* auto has no place on a line of numbers */
    if (!(*low < *high)) {
        (void)snprintf(reading->why, reading->why_capacity,
                       "LOW..HIGH needs two numbers, the lower one first");
        return false;
    }
    if (is_log && *low <= 0) {
        (void)snprintf(reading->why, reading->why_capacity,
                       "a log range needs a lower end above 0, not %g", *low);
        return false;
    }
    return true;
}

static bool read_range(const struct reading *reading, const char *text)
{
    const struct option *option = reading->axis->option;
    const char *own = option->search;
    const size_t length = strlen(text);
    const bool says_log = ends_with_log(text, length);
    double low, high;
    bool is_added = true;
    if (!read_ends(reading, text, length - (says_log ? strlen(log_mark) : 0), says_log, &low,
                   &high)) {
        return false;
    }
    /* a narrower range of an option that is searched by its logarithm is so, too */
    const bool is_log = says_log || (low > 0 && own != NULL && ends_with_log(own, strlen(own)));
    reading->axis->n = 0;
    for (int i = 0; i < SPACE_RANGE_CANDIDATES && is_added; i++) {
        const double u = i / (SPACE_RANGE_CANDIDATES - 1.0);
        char value[NUM_TEXT_MAX];
        format_between(option, is_log ? low * pow(high / low, u) : low + u * (high - low), low,
                       high, value);
        is_added = add_text(reading, value);
    }
    return is_added;
}

static bool read_list(const struct reading *reading, const char *text)
{
    double ignored;
    for (;;) {
        const size_t length = strcspn(text, ",");
        if (!read_value(reading, text, length, &ignored)) {
            return false;
        }
        if (text[length] == '\0') {
            return true;
        }
        text += length + 1;
    }
}

/* Finds the configuration's own value among the candidates, or puts it there: a number in its
 * place, auto and what is not there in the middle, from where steps lead either way. */
static bool place_own(const struct reading *reading, const void *options)
{
    struct space_axis *axis = reading->axis;
    const double number = options == NULL ? (double)NAN : option_number(axis->option, options);
    struct buf text = {0};
    double other;
    size_t at;
    if (options != NULL) {
        format_value(axis->option, options, &text);
    }
    axis->own = 0;
    while (axis->own < axis->n && strcmp(axis->values[axis->own], buf_text(&text)) != 0) {
        axis->own++;
    }
    bool is_there = axis->own < axis->n;
    if (!is_there && add_text(reading, buf_text(&text))) {
        const char *own = axis->values[axis->n - 1];
        at = isnan(number) ? (axis->n - 1) / 2 : 0;
        while (!isnan(number) &&
               num_parse_double(axis->values[at], strlen(axis->values[at]), &other) &&
               other < number) {
            at++;
        }
        memmove(axis->values + at + 1, axis->values + at,
                (axis->n - 1 - at) * sizeof *axis->values);
        axis->values[at] = own;
        axis->own = at;
        is_there = true;
    }
    buf_release(&text);
    return is_there;
}

bool search_range_read(const char *text, const void *options, struct space_axis *axis,
                       struct arena *arena, char *why, size_t why_capacity)
{
    const struct reading reading = {axis, arena, why, why_capacity};
    struct status ignored = {0};
    void *memory = NULL;
    if (!is_searchable(axis->option->type)) {
        (void)snprintf(why, why_capacity, "only numbers, true and false, and choices can be tried");
        return false;
    }
    if (arena_new(arena, VALUES_MAX, sizeof *axis->values, &memory, &ignored) != STATUS_OK) {
        (void)snprintf(why, why_capacity, "out of memory");
        return false;
    }
    axis->values = memory;
    axis->n = 0;
    return (strstr(text, "..") != NULL ? read_range(&reading, text) : read_list(&reading, text)) &&
           place_own(&reading, options);
}
