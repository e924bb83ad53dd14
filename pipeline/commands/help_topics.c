/* The pages under topics/, for a terminal and for roff. */
#include "commands/help_topics.h"

const char *help_topic_title(const struct help_topic *topic)
{
    return topic->lines[0] + strlen("# ");
}

static bool starts_with(const char *line, const char *start)
{
    return strncmp(line, start, strlen(start)) == 0;
}

/* Where the link that opens here ends, with *length of its text; NULL: it is no link. */
static const char *link_end(const char *at, size_t *length)
{
    const char *text_end = *at == '[' ? strstr(at, "](") : NULL;
    const char *end = text_end != NULL ? strchr(text_end, ')') : NULL;
    *length = end != NULL ? (size_t)(text_end - at) - 1 : 0;
    return end != NULL ? end + 1 : NULL;
}

void help_topic_print(const struct help_topic *topic, FILE *out)
{
    bool in_code = false;
    for (const char *const *line = topic->lines; *line != NULL; line++) {
        if (starts_with(*line, "```")) {
            in_code = !in_code;
            continue;
        }
        if (in_code || (*line)[0] == '\0') {
            fprintf(out, "%s%s\n", (*line)[0] == '\0' ? "" : "    ", *line);
            continue;
        }
        const char *at = *line + strspn(*line, "#");
        fputs(at == *line ? "  " : "", out); /* headings stand at the margin */
        for (at += at == *line ? 0 : 1; *at != '\0';) {
            size_t length;
            const char *end = link_end(at, &length);
            if (end != NULL) {
                fprintf(out, "%.*s", (int)length, at + 1);
                at = end;
            } else {
                fputc(*at++, out);
            }
        }
        fputc('\n', out);
    }
}

/* ---- roff ---- */

/* A character; a blank may become the end of a line, which mandoc wants before column 80. */
static void man_character(FILE *out, const char *at, size_t *column)
{
    enum { LINE_LENGTH = 66 };
    const size_t word = strcspn(at + 1, " \n");
    if (*at == '\n' || (*at == ' ' && column != NULL && *column + word > LINE_LENGTH)) {
        fputc('\n', out);
    } else if (*at == '\\' || *at == '-') {
        fputs(*at == '-' ? "\\-" : "\\e", out);
    } else {
        fputc(*at, out);
    }
    if (column != NULL) {
        const bool ends = *at == '\n' || (*at == ' ' && *column + word > LINE_LENGTH);
        *column = ends ? 0 : *column + (*at == '-' || *at == '\\' ? 2 : 1);
        fputs(ends && (at[1] == '.' || at[1] == '\'') ? "\\&" : "", out);
    }
}

/* A line as it stands. */
static void man_code(FILE *out, const char *text)
{
    fputs(*text == '.' || *text == '\'' ? "\\&" : "", out);
    for (const char *at = text; *at != '\0'; at++) {
        man_character(out, at, NULL);
    }
    fputc('\n', out);
}

void man_text(FILE *out, const char *text)
{
    size_t column = 0;
    fputs(*text == '.' || *text == '\'' ? "\\&" : "", out);
    for (const char *at = text; *at != '\0'; at++) {
        man_character(out, at, &column);
    }
}

/* A line of a paragraph: `code` is bold, links are their text. */
static void man_line(FILE *out, const char *text)
{
    bool bold = false;
    size_t column = 0;
    fputs(*text == '.' || *text == '\'' ? "\\&" : "", out);
    for (const char *at = text; *at != '\0';) {
        size_t length;
        const char *end = bold ? NULL : link_end(at, &length);
        if (*at == '`') {
            bold = !bold;
            fputs(bold ? "\\fB" : "\\fR", out);
            column += 3;
            at++;
        } else if (end != NULL) {
            for (size_t i = 0; i < length; i++) {
                man_character(out, at + i + 1, &column);
            }
            at = end;
        } else {
            man_character(out, at++, &column);
        }
    }
    fputc('\n', out);
}

void help_topic_man(const struct help_topic *topic, FILE *out)
{
    bool in_code = false, headed = false; /* headed: right behind a heading */
    for (const char *const *line = topic->lines; *line != NULL; line++) {
        const char *text = *line + strspn(*line, " ");
        if (starts_with(*line, "```")) {
            in_code = !in_code;
            fputs(in_code ? ".RS 2\n.nf\n" : ".fi\n.RE\n", out);
        } else if (in_code) {
            man_code(out, *line);
        } else if (*text == '#') {
            size_t depth = strspn(text, "#");
            fputs(depth == 1 ? ".SH " : ".SS ", out);
            man_line(out, text + depth + 1);
        } else if (starts_with(*line, "- ")) {
            fputs(".IP \\(bu 2\n", out);
            man_line(out, text + 2);
        } else if (*text != '\0') {
            man_line(out, text);
        } else if (!headed && line[1] != NULL && strchr("#-", line[1][0]) == NULL) {
            fputs(".PP\n", out); /* the other two part themselves from what is above */
        }
        headed = *text == '#' || (headed && *text == '\0');
    }
}
