/* The error value: recording, adding context, formatting. */
#include "base/status.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

static __attribute__((format(printf, 6, 0))) enum status_code set_text(
    struct status *status, enum status_code code, const char *file, size_t line, size_t column,
    const char *format, va_list arguments)
{
    assert(status != NULL && code != STATUS_OK);
    if (status->code != STATUS_OK) {
        return status->code;
    }
    status->code = code;
    status->line = line;
    status->column = column;
    (void)snprintf(status->file, sizeof status->file, "%s", file == NULL ? "" : file);
    (void)vsnprintf(status->message, sizeof status->message, format, arguments);
    return code;
}

enum status_code status_set(struct status *status, enum status_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    code = set_text(status, code, NULL, 0, 0, format, arguments);
    va_end(arguments);
    return code;
}

enum status_code status_set_at(struct status *status, enum status_code code, const char *file,
                               size_t line, size_t column, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    code = set_text(status, code, file, line, column, format, arguments);
    va_end(arguments);
    return code;
}

enum status_code status_add_context(struct status *status, const char *format, ...)
{
    enum { CONTEXT_MAX = 1024 };
    char context[CONTEXT_MAX];
    va_list arguments;

    if (status->code == STATUS_OK) {
        return STATUS_OK;
    }
    va_start(arguments, format);
    (void)vsnprintf(context, sizeof context - 2, format, arguments);
    va_end(arguments);
    size_t length = strlen(context);
    memcpy(context + length, ": ", 2);
    length += 2;

    /* What does not fit is cut off the end of the message, where the least is lost. */
    size_t kept = strlen(status->message);
    if (kept > sizeof status->message - 1 - length) {
        kept = sizeof status->message - 1 - length;
    }
    memmove(status->message + length, status->message, kept);
    memcpy(status->message, context, length);
    status->message[length + kept] = '\0';
    return status->code;
}

void status_set_place(struct status *status, const char *file, size_t line, size_t column)
{
    if (status->code != STATUS_OK && status->file[0] == '\0') {
        (void)snprintf(status->file, sizeof status->file, "%s", file);
        status->line = line;
        status->column = column;
    }
}

void status_add_line(struct status *status, const char *format, ...)
{
    va_list arguments;
    size_t length = strlen(status->message);
    if (status->code == STATUS_OK || length + 2 > sizeof status->message) {
        return;
    }
    status->message[length++] = '\n';
    va_start(arguments, format);
    (void)vsnprintf(status->message + length, sizeof status->message - length, format, arguments);
    va_end(arguments);
}

void status_format(const struct status *status, char *out, size_t capacity)
{
    char place[64] = "";

    assert(capacity > 0);
    if (status->line > 0 && status->column > 0) {
        (void)snprintf(place, sizeof place, "%zu:%zu: ", status->line, status->column);
    } else if (status->line > 0) {
        (void)snprintf(place, sizeof place, "%zu: ", status->line);
    }
    const char *separator = "";
    if (status->file[0] != '\0') {
        separator = place[0] == '\0' ? ": " : ":";
    }
    (void)snprintf(out, capacity, "%s%s%s%s", status->file, separator, place, status->message);
}

void status_clear(struct status *status)
{
    *status = (struct status){0};
}

void private_show(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        if (*from != PRIVATE_BEGIN[0] && *from != PRIVATE_END[0]) {
            *to++ = *from;
        }
    }
    *to = '\0';
}

/* A value without an end was cut off with the rest of its message. */
void private_hide(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        if (*from != PRIVATE_BEGIN[0]) {
            *to++ = *from++;
            continue;
        }
        const size_t length = strcspn(from, PRIVATE_END);
        const size_t whole = length + (from[length] != '\0');
        const size_t dots = whole < 3 ? whole : 3; /* marks included, there is nearly always room */
        memcpy(to, "...", dots);
        to += dots;
        from += whole;
    }
    *to = '\0';
}
