/* One pass over the text; the words lie one behind the other in a copy of it. */
#include "base/command_words.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The word at *at, written to `out` and ended there; *at is moved behind it. NULL, or what is
 * wrong. */
static const char *take_word(const char **at, char **out)
{
    const char *text = *at;
    char quote = '\0', *to = *out;
    for (; *text != '\0' && (quote != '\0' || !is_blank(*text)); text++) {
        if (*text == '\\' && quote != '\'') {
            if (*++text == '\0') {
                return "it ends in a \\";
            }
            *to++ = *text;
        } else if (quote == '\0' && (*text == '\'' || *text == '"')) {
            quote = *text;
        } else if (quote != '\0' && *text == quote) {
            quote = '\0';
        } else {
            *to++ = *text;
        }
    }
    *to++ = '\0';
    *at = text;
    *out = to;
    return quote == '\0' ? NULL : "a quote is not closed";
}

enum status_code command_words(const char *text, struct arena *arena, char ***words, size_t *n,
                               const char **why, struct status *status)
{
    const size_t length = strlen(text);
    char **found = NULL, *to = NULL;
    size_t n_found = 0;
    enum status_code code;
    *why = NULL;
    TRY(arena_new(arena, length / 2 + 2, sizeof *found, (void **)&found, status));
    TRY(arena_new(arena, length + 2, 1, (void **)&to, status));
    for (;;) {
        while (is_blank(*text)) {
            text++;
        }
        if (*text == '\0' || *why != NULL) {
            break;
        }
        found[n_found++] = to;
        *why = take_word(&text, &to);
    }
    if (n_found == 0 || (*why == NULL && found[0][0] == '\0')) {
        *why = "it names no program";
    }
    *words = *why == NULL ? found : NULL;
    *n = *why == NULL ? n_found : 0;
done:
    return code;
}
