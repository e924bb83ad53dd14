/* Replacing variables of the environment in a scalar. */
#include "config/variables.h"

#include "base/num.h"
#include "config/mistakes.h"

enum { VARIABLE_NAME_MAX = 128 };

static bool is_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        bool digit = c >= '0' && c <= '9';
        if (!letter && !(digit && i > 0)) {
            return false;
        }
    }
    return length > 0 && length < VARIABLE_NAME_MAX;
}

/* NULL: it has none. */
static const char *find_value(const char *name, struct plan_rank rank, char number[NUM_TEXT_MAX])
{
    const bool is_rank = strcmp(name, "RANK") == 0, is_ranks = strcmp(name, "RANKS") == 0;
    const char *value = rank.n > 1 && (is_rank || is_ranks) ? NULL : getenv(name);
    if (value == NULL && (is_rank || is_ranks)) {
        (void)snprintf(number, NUM_TEXT_MAX, "%zu", is_rank ? rank.mine : rank.n);
        value = number;
    }
    return value;
}

/* `inside` is what stands between the braces. */
static bool expand_one(const char *inside, size_t length, struct plan_rank rank, struct buf *out,
                       char *why, size_t why_capacity)
{
    char shown[SHOWN_TEXT_MAX];
    char name[VARIABLE_NAME_MAX];
    const char *colon = memchr(inside, ':', length);
    size_t name_length = colon == NULL ? length : (size_t)(colon - inside);
    bool has_default = colon != NULL && name_length + 1 < length && colon[1] == '-';

    if (!is_name(inside, name_length) || (colon != NULL && !has_default)) {
        (void)snprintf(why, why_capacity,
                       "%s between ${ and } is not a variable: write ${NAME} or ${NAME:-default}, "
                       "and $${ for a literal ${",
                       shown_text(inside, length, shown));
        return false;
    }
    memcpy(name, inside, name_length);
    name[name_length] = '\0';
    char number[NUM_TEXT_MAX];
    const char *value = find_value(name, rank, number);
    if (has_default && (value == NULL || value[0] == '\0')) {
        buf_add(out, colon + 2, length - name_length - 2);
        return true;
    }
    if (value == NULL) {
        (void)snprintf(why, why_capacity,
                       "the environment variable %s is not set; ${%s:-default} would give it a "
                       "default",
                       name, name);
        return false;
    }
    buf_add_text(out, value);
    return true;
}

bool variables_expand(const char *text, size_t length, struct plan_rank rank, struct buf *out,
                      bool *used, char *why, size_t why_capacity)
{
    bool any = false;
    size_t i = 0;
    while (i < length) {
        if (text[i] != '$' || i + 1 == length || (text[i + 1] != '$' && text[i + 1] != '{')) {
            buf_add_char(out, text[i]);
            i++;
            continue;
        }
        if (text[i + 1] == '$') {
            buf_add_char(out, '$');
            i += 2;
            continue;
        }
        const char *inside = text + i + 2;
        const char *end = memchr(inside, '}', length - i - 2);
        if (end == NULL) {
            (void)snprintf(why, why_capacity, "a ${ without its }; write $${ for a literal ${");
            return false;
        }
        if (!expand_one(inside, (size_t)(end - inside), rank, out, why, why_capacity)) {
            return false;
        }
        any = true;
        i = (size_t)(end - text) + 1;
    }
    *used = any;
    return true;
}
