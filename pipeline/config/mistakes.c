/* Collecting, sorting and reporting mistakes. */
#include "config/mistakes.h"

#include "base/mem.h"
#include "base/utf8.h"

#include <stdarg.h>

enum { MISTAKE_TEXT_MAX = 1024, LAST_LINE_MAX = 64, FIRST_CAPACITY = 16 };

void mistakes_add(struct mistakes *mistakes, struct place place, const char *format, ...)
{
    struct status ignored = {0};
    char text[MISTAKE_TEXT_MAX];
    char *kept = NULL;

    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    if (mistakes->n == mistakes->capacity) {
        size_t wanted = mistakes->capacity == 0 ? FIRST_CAPACITY : 2 * mistakes->capacity;
        if (MEM_RESIZE(&mistakes->items, mistakes->capacity, wanted, &ignored) != STATUS_OK) {
            mistakes->out_of_memory = true;
            return;
        }
        mistakes->capacity = wanted;
    }
    if (arena_copy_text(&mistakes->arena, text, strlen(text), &kept, &ignored) != STATUS_OK) {
        mistakes->out_of_memory = true;
        return;
    }
    mistakes->items[mistakes->n] =
        (struct mistake){.place = place, .order = mistakes->n, .text = kept};
    mistakes->n++;
}

static int compare_sizes(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int compare_mistakes(const void *left, const void *right)
{
    const struct mistake *a = left;
    const struct mistake *b = right;
    bool a_in_file = a->place.origin == NULL;
    bool b_in_file = b->place.origin == NULL;
    if (a_in_file != b_in_file) {
        return a_in_file ? -1 : 1;
    }
    if (a_in_file && a->place.line != b->place.line) {
        return compare_sizes(a->place.line, b->place.line);
    }
    if (a_in_file && a->place.column != b->place.column) {
        return compare_sizes(a->place.column, b->place.column);
    }
    return compare_sizes(a->order, b->order);
}

enum status_code mistakes_report(struct mistakes *mistakes, const char *file, struct status *status)
{
    if (mistakes->out_of_memory) {
        return status_set(status, STATUS_NO_MEMORY,
                          "out of memory after %zu mistakes of the configuration", mistakes->n);
    }
    if (mistakes->n == 0) {
        return buf_check(&mistakes->doubts, status);
    }
    qsort(mistakes->items, mistakes->n, sizeof *mistakes->items, compare_mistakes);

    struct buf lines = {0};
    struct buf line = {0};
    size_t shown = 0;
    for (; shown < mistakes->n; shown++) {
        const struct mistake *m = &mistakes->items[shown];
        buf_clear(&line);
        if (m->place.origin != NULL) {
            buf_addf(&line, "%s: ", m->place.origin);
        } else if (shown > 0) {
            buf_addf(&line, "%s:%zu:%zu: ", file, m->place.line, m->place.column);
        }
        buf_add_text(&line, m->text);
        if (shown > 0 && lines.length + line.length + LAST_LINE_MAX > STATUS_MESSAGE_MAX) {
            break;
        }
        buf_add_text(&lines, shown > 0 ? "\n" : "");
        buf_add_text(&lines, buf_text(&line));
    }
    if (shown < mistakes->n) {
        buf_addf(&lines, "\n... and %zu more mistakes", mistakes->n - shown);
    }
    enum status_code code = buf_check(&lines, status);
    if (code == STATUS_OK) {
        const struct place *first = &mistakes->items[0].place;
        code = first->origin != NULL ? status_set(status, STATUS_USAGE, "%s", buf_text(&lines))
                                     : status_set_at(status, STATUS_CONFIG, file, first->line,
                                                     first->column, "%s", buf_text(&lines));
    }
    buf_release(&line);
    buf_release(&lines);
    return code;
}

void mistakes_release(struct mistakes *mistakes)
{
    mem_free(mistakes->items);
    arena_release(&mistakes->arena);
    buf_release(&mistakes->doubts);
    *mistakes = (struct mistakes){0};
}

const char *shown_text(const char *text, size_t length, char out[SHOWN_TEXT_MAX])
{
    enum { CHARACTER_MAX = 4, TAIL = 5 }; /* the closing quote, three dots and the terminator */
    size_t used = 0, i = 0;
    out[used++] = '"';
    while (i < length && used + CHARACTER_MAX + TAIL <= SHOWN_TEXT_MAX) {
        const size_t sequence = utf8_sequence_length(text + i, length - i);
        const size_t n = sequence > 0 ? sequence : 1; /* bytes that are no UTF-8 one by one */
        const unsigned char c = (unsigned char)text[i + n - 1];
        if (c == '\n' || c == '\t') {
            used +=
                (size_t)snprintf(out + used, SHOWN_TEXT_MAX - used, "\\%c", c == '\n' ? 'n' : 't');
        } else if (sequence == 0 || utf8_is_control(text + i, n)) {
            used += (size_t)snprintf(out + used, SHOWN_TEXT_MAX - used, "\\x%02x", c);
        } else {
            memcpy(out + used, text + i, n);
            used += n;
        }
        i += n;
    }
    out[used++] = '"';
    memcpy(out + used, i < length ? "..." : "", i < length ? 4 : 1);
    return out;
}
