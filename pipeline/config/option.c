/* Names, ranges and single values of option tables. Lists, maps and groups are option_read.c's. */
#include "config/option.h"

#include "base/buf.h"
#include "base/num.h"
#include "config/mistakes.h"

#include <assert.h>
#include <math.h>
#include <strings.h>

enum { TABLE_MAX = 128, WHY_PART_MAX = 512 };

const char *const option_false_true_auto[] = {"false", "true", "auto", NULL};

const struct option *option_find(const struct option *table, const char *name, size_t length)
{
    for (; table->name != NULL; table++) {
        if (strlen(table->name) == length && memcmp(table->name, name, length) == 0) {
            return table;
        }
    }
    return NULL;
}

const struct option *option_at(const struct option *table, const void *options, const char *path,
                               size_t *holder, bool *is_given)
{
    *holder = 0;
    *is_given = true;
    for (;;) {
        size_t length = strcspn(path, ".");
        const struct option *option = option_find(table, path, length);
        if (option == NULL || path[length] == '\0') {
            return option;
        }
        if (option->type != OPTION_GROUP) {
            return NULL;
        }
        *is_given = *is_given && option_number(option, (const char *)options + *holder) != 0.0;
        *holder += option->offset;
        table = option->group;
        path += length + 1;
    }
}

const char *option_nearest(const struct option *table, const char *name, size_t length)
{
    const char *names[TABLE_MAX];
    size_t n = 0;
    for (; table[n].name != NULL; n++) {
        assert(n < TABLE_MAX);
        names[n] = table[n].name;
    }
    return nearest_name(names, n, name, length);
}

bool option_has_min(const struct option *option)
{
    return option->min < option->max && option->min >= -1e15;
}

bool option_has_max(const struct option *option)
{
    return option->min < option->max && option->max <= 1e15;
}

/* "90m", "36h", "30d": the largest unit that leaves a whole number. */
static void format_duration(double seconds, char *out)
{
    static const struct {
        double seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}};
    const char *unit = "s";
    double value = seconds;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        double in_unit = seconds / units[i].seconds;
        if (in_unit >= 1.0 && floor(in_unit) * units[i].seconds == seconds) {
            value = in_unit;
            unit = units[i].unit;
            break;
        }
    }
    size_t length = num_format_double(value, out);
    assert(length + 1 < NUM_TEXT_MAX);
    memcpy(out + length, unit, 2);
}

static void format_bytes(double bytes, char *out)
{
    static const char units[] = "KMGT";
    size_t i = 0;
    while (i < 4 && bytes >= 1024.0 && fmod(bytes, 1024.0) == 0.0) {
        bytes /= 1024.0;
        i++;
    }
    size_t length = num_format_double(bytes, out);
    if (i > 0) {
        out[length] = units[i - 1];
        out[length + 1] = '\0';
    }
}

void option_format_number(enum option_type type, double value, char *out)
{
    if (isnan(value)) {
        memcpy(out, "auto", sizeof "auto");
    } else if (type == OPTION_DURATION || type == OPTION_AUTO_DURATION) {
        format_duration(value, out);
    } else if (type == OPTION_BYTES) {
        format_bytes(value, out);
    } else {
        (void)num_format_double(value, out);
    }
}

double option_number(const struct option *option, const void *options)
{
    const void *place = (const char *)options + option->offset;
    switch (option->type) {
    case OPTION_BOOL:
    case OPTION_GROUP:
        return *(const bool *)place ? 1.0 : 0.0;
    case OPTION_CHOICE:
        return (double)*(const int *)place;
    case OPTION_AUTO_INT:
        if (*(const size_t *)place == OPTION_AUTO_COUNT) {
            return (double)NAN;
        }
        return (double)*(const int64_t *)place;
    case OPTION_INT:
    case OPTION_BYTES:
    case OPTION_TIME:
        return (double)*(const int64_t *)place;
    default:
        return *(const double *)place;
    }
}

void option_set_number(const struct option *option, double value, void *options)
{
    void *place = (char *)options + option->offset;
    switch (option->type) {
    case OPTION_BOOL:
    case OPTION_GROUP:
        *(bool *)place = value != 0.0;
        break;
    case OPTION_CHOICE:
        *(int *)place = (int)value;
        break;
    case OPTION_INT:
    case OPTION_AUTO_INT:
    case OPTION_BYTES:
    case OPTION_TIME:
        *(int64_t *)place = isnan(value) ? (int64_t)OPTION_AUTO_COUNT : (int64_t)value;
        break;
    default:
        *(double *)place = value;
        break;
    }
}

static const char *type_phrase(enum option_type type)
{
    switch (type) {
    case OPTION_BOOL:
        return "true or false";
    case OPTION_INT:
        return "a whole number";
    case OPTION_FLOAT:
        return "a number";
    case OPTION_AUTO:
        return "auto or a number";
    case OPTION_AUTO_INT:
        return "auto or a whole number";
    case OPTION_DURATION:
        return "a duration with its unit (s, m, h, d or w, say 30d)";
    case OPTION_AUTO_DURATION:
        return "auto or a duration with its unit (s, m, h, d or w, say 30d)";
    case OPTION_BYTES:
        return "a number of bytes, or of units of 1024 (K, M, G or T, say 16G)";
    case OPTION_TIME:
        return "a time: ISO-8601 (2026-11-23T04:00:00Z, or a date) or Unix seconds";
    case OPTION_TEXT:
        return "a text";
    case OPTION_PATH:
        return "a path, relative ones starting at the configuration's folder";
    case OPTION_CHOICE:
        return "one of";
    case OPTION_TEXT_LIST:
        return "a list of texts";
    case OPTION_NUMBER_MAP:
        return "a map of names to numbers";
    case OPTION_TEXT_MAP:
        return "a map of names to texts";
    case OPTION_GROUP:
        return "a map of options";
    case OPTION_GROUP_MAP:
        return "a map of names to maps of options";
    }
    return "a value";
}

static void add_range(const struct option *option, struct buf *out)
{
    char low[NUM_TEXT_MAX];
    char high[NUM_TEXT_MAX];
    option_format_number(option->type, option->min, low);
    option_format_number(option->type, option->max, high);
    if (option_has_min(option) && option_has_max(option)) {
        buf_addf(out, " from %s to %s", low, high);
    } else if (option_has_min(option)) {
        buf_addf(out, ", at least %s", low);
    } else if (option_has_max(option)) {
        buf_addf(out, ", at most %s", high);
    }
}

void option_allowed(const struct option *option, struct buf *out)
{
    buf_add_text(out, type_phrase(option->type));
    if (option->choices != NULL) {
        if (option->type != OPTION_CHOICE) {
            buf_add_text(out, option->type == OPTION_TEXT_LIST ? " out of" : ":");
        }
        for (size_t i = 0; option->choices[i] != NULL; i++) {
            buf_addf(out, "%s%s", i == 0 ? " " : ", ", option->choices[i]);
        }
        return;
    }
    add_range(option, out);
    if (option->unit != NULL) {
        buf_addf(out, " %s%s%s", option->min < option->max ? "" : "(", option->unit,
                 option->min < option->max ? "" : ")");
    }
}

bool option_is_single(enum option_type type)
{
    switch (type) {
    case OPTION_TEXT_LIST:
    case OPTION_NUMBER_MAP:
    case OPTION_TEXT_MAP:
    case OPTION_GROUP:
    case OPTION_GROUP_MAP:
        return false;
    default:
        return true;
    }
}

/* One text on its way to an option. */
struct parsing {
    const struct option *option;
    const char *text;
    size_t length;
    void *place;
    char *why;
    size_t why_capacity;
};

/* "VALUE is PROBLEM; allowed: ..." */
static bool refuse(const struct parsing *p, const char *problem)
{
    char shown[SHOWN_TEXT_MAX];
    struct buf allowed = {0};
    option_allowed(p->option, &allowed);
    (void)snprintf(p->why, p->why_capacity, "%s %s; allowed: %s",
                   shown_text(p->text, p->length, shown), problem, buf_text(&allowed));
    buf_release(&allowed);
    return false;
}

static bool is_word(const struct parsing *p, const char *word)
{
    return strlen(word) == p->length && memcmp(p->text, word, p->length) == 0;
}

static bool in_range(const struct option *option, double value)
{
    return !(option->min < option->max) || (value >= option->min && value <= option->max);
}

/* "nan", ".inf", "-Infinity" and their like. */
static bool names_non_finite(const char *text, size_t length)
{
    static const char *const words[] = {"nan", "inf", "infinity"};
    size_t i = 0;
    if (i < length && (text[i] == '-' || text[i] == '+')) {
        i++;
    }
    if (i < length && text[i] == '.') {
        i++;
    }
    for (size_t w = 0; w < sizeof words / sizeof *words; w++) {
        size_t n = strlen(words[w]);
        if (i + n == length && strncasecmp(text + i, words[w], n) == 0) {
            return true;
        }
    }
    return false;
}

static bool parse_into_double(const struct parsing *p)
{
    const enum option_type type = p->option->type;
    double value = (double)NAN, bare = 0.0;
    const bool is_number = num_parse_double(p->text, p->length, &bare);
    const bool may_be_auto = type == OPTION_AUTO || type == OPTION_AUTO_DURATION;
    if (may_be_auto && is_word(p, "auto")) {
        value = (double)NAN;
    } else if (type == OPTION_DURATION || type == OPTION_AUTO_DURATION) {
        if (!num_parse_duration(p->text, p->length, &value)) {
            return refuse(p, is_number ? "has no unit" : "is not a duration");
        }
    } else {
        if (!is_number) {
            return refuse(p, names_non_finite(p->text, p->length) ? "is not a finite number"
                                                                  : "is not a number");
        }
        value = bare;
    }
    if (!isnan(value) && !in_range(p->option, value)) {
        return refuse(p, "is out of range");
    }
    memcpy(p->place, &value, sizeof value);
    return true;
}

static bool parse_into_int64(const struct parsing *p)
{
    int64_t value = (int64_t)OPTION_AUTO_COUNT;
    double number = 0.0;
    if (p->option->type == OPTION_AUTO_INT && is_word(p, "auto")) {
        memcpy(p->place, &value, sizeof value);
        return true;
    }
    switch (p->option->type) {
    case OPTION_BYTES:
        if (!num_parse_bytes(p->text, p->length, &value)) {
            return refuse(p, "is not a size");
        }
        break;
    case OPTION_TIME:
        if (!num_parse_iso8601(p->text, p->length, &value) &&
            !num_parse_int64(p->text, p->length, &value)) {
            return refuse(p, "is not a time");
        }
        break;
    default:
        if (!num_parse_int64(p->text, p->length, &value)) {
            return refuse(p, names_non_finite(p->text, p->length) ? "is not a finite number"
                             : num_parse_double(p->text, p->length, &number)
                                 ? "is not a whole number"
                                 : "is not a number");
        }
    }
    if (!in_range(p->option, (double)value)) {
        return refuse(p, "is out of range");
    }
    memcpy(p->place, &value, sizeof value);
    return true;
}

static bool parse_choice(const struct parsing *p)
{
    const char *const *choices = p->option->choices;
    int n = 0;
    for (; choices[n] != NULL; n++) {
        if (is_word(p, choices[n])) {
            memcpy(p->place, &n, sizeof n);
            return true;
        }
    }
    char problem[WHY_PART_MAX] = "is unknown";
    const char *nearest = nearest_name(choices, (size_t)n, p->text, p->length);
    if (nearest != NULL) {
        (void)snprintf(problem, sizeof problem, "is unknown, did you mean \"%s\"?", nearest);
    }
    return refuse(p, problem);
}

/* Texts and paths. */
static bool parse_text(const struct parsing *p, const char *directory, struct arena *arena)
{
    struct status status = {0};
    struct buf path = {0};
    char *copy = NULL;

    if (p->option->type == OPTION_PATH) {
        if (p->length == 0) {
            return refuse(p, "is empty");
        }
        if (p->length > 1 && p->text[0] == '~' && p->text[1] == '/') {
            return refuse(p, "begins with ~, which only a shell understands (write ${HOME})");
        }
        if (p->text[0] != '/' && directory != NULL && strcmp(directory, ".") != 0) {
            size_t n = strlen(directory);
            buf_add(&path, directory, n);
            buf_add_text(&path, n > 0 && directory[n - 1] == '/' ? "" : "/");
        }
    }
    buf_add(&path, p->text, p->length);
    enum status_code code = buf_check(&path, &status);
    if (code == STATUS_OK) {
        code = arena_copy_text(arena, buf_text(&path), path.length, &copy, &status);
    }
    buf_release(&path);
    if (code != STATUS_OK) {
        (void)snprintf(p->why, p->why_capacity, "out of memory");
        return false;
    }
    const char *value = copy;
    memcpy(p->place, &value, sizeof value);
    return true;
}

bool option_parse(const struct option *option, const char *text, size_t length, void *options,
                  const char *directory, struct arena *arena, char *why, size_t why_capacity)
{
    const struct parsing p = {option, text,        length, (char *)options + option->offset,
                              why,    why_capacity};
    const bool is_true = is_word(&p, "true");
    switch (option->type) {
    case OPTION_BOOL:
        if (!is_true && !is_word(&p, "false")) {
            return refuse(&p, "is not a boolean");
        }
        memcpy(p.place, &is_true, sizeof is_true);
        return true;
    case OPTION_INT:
    case OPTION_AUTO_INT:
    case OPTION_BYTES:
    case OPTION_TIME:
        return parse_into_int64(&p);
    case OPTION_FLOAT:
    case OPTION_AUTO:
    case OPTION_DURATION:
    case OPTION_AUTO_DURATION:
        return parse_into_double(&p);
    case OPTION_CHOICE:
        return parse_choice(&p);
    case OPTION_TEXT:
    case OPTION_PATH:
        return parse_text(&p, directory, arena);
    default:
        return refuse(&p, "is a single value");
    }
}
