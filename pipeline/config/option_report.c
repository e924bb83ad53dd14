/* Mistakes that a validate function finds, put where the option stands in the file. */
#include "config/option_read.h"

#include <stdarg.h>

/* The child of `node` whose key begins the dotted path; *rest is what follows. Keys may hold dots
 * themselves, so the longest one wins. */
static const struct doc_node *find_step(const struct doc_node *node, const char *path,
                                        const char **rest)
{
    const struct doc_node *best = NULL;
    if (node == NULL || node->kind != DOC_MAP) {
        return NULL;
    }
    for (const struct doc_node *child = node->first; child != NULL; child = child->next) {
        if (child->key == NULL || (best != NULL && child->key_length <= best->key_length) ||
            strncmp(child->key, path, child->key_length) != 0) {
            continue;
        }
        if (path[child->key_length] == '.' || path[child->key_length] == '\0') {
            best = child;
        }
    }
    if (best != NULL) {
        *rest = path + best->key_length + (path[best->key_length] == '.' ? 1 : 0);
    }
    return best;
}

void option_mistake(struct option_report *report, const char *option, const char *format, ...)
{
    char text[WHY_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    /* the value of the last step that stands in the file, or of its map's name */
    struct place place = report->place;
    const struct doc_node *node = report->node;
    const char *rest = option;
    while (rest[0] != '\0') {
        node = find_step(node, rest, &rest);
        if (node == NULL) {
            break;
        }
        place = rest[0] == '\0' ? node->place : node->key_place;
    }
    const char *dot = report->path[0] == '\0' || option[0] == '\0' ? "" : ".";
    const char *colon = report->path[0] == '\0' && option[0] == '\0' ? "" : ": ";
    mistakes_add(report->mistakes, place, "%s%s%s%s%s", report->path, dot, option, colon, text);
}

size_t option_report_ranks(const struct option_report *report)
{
    return report->n_ranks;
}
