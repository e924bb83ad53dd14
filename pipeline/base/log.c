/* One line a message, as text or as a JSON object. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <stdarg.h>

static const char *const level_names[] = {"debug", "info", "warning"};
static const char *const level_prefixes[] = {"debug: ", "", "warning: "};
static const char *const level_colors[] = {"\033[2m", "", "\033[33m"};

/* A collector must never meet a line that is not JSON, whatever bytes a file name has. */
static void add_json_text(struct buf *line, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        unsigned char c = (unsigned char)*text;
        size_t length = utf8_sequence_length(text, left);
        if (length == 0) {
            buf_add_text(line, "\\ufffd");
            length = 1;
        } else if (c == '"' || c == '\\') {
            buf_addf(line, "\\%c", c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_addf(line, "\\u%04x", (unsigned)c);
        } else {
            buf_add(line, text, length);
        }
        text += length;
        left -= length;
    }
}

/* Control bytes would let a table or file name drive the reader's terminal. */
static void add_plain_text(struct buf *line, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '\n' || c == '\t') {
            buf_add_char(line, ' ');
        } else {
            buf_add_char(line, c < 0x20 || c == 0x7f ? '?' : *at);
        }
    }
}

static void compose(const struct log *log, enum log_level level, const char *text, struct buf *line)
{
    if (log->json) {
        char now[CLOCK_TEXT_MAX];
        clock_format(clock_unix(), now);
        buf_addf(line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"", now, level_names[level]);
        add_json_text(line, text);
        buf_add_text(line, "\"}\n");
        return;
    }
    bool color = log->color && level_colors[level][0] != '\0';
    if (log->progress_on_line) {
        buf_add_text(line, "\r\033[K");
    }
    buf_add_text(line, color ? level_colors[level] : "");
    buf_add_text(line, level_prefixes[level]);
    add_plain_text(line, text);
    buf_add_text(line, color ? "\033[0m\n" : "\n");
}

void log_write(struct log *log, enum log_level level, const char *format, ...)
{
    if (log == NULL || log->stream == NULL || level < log->level || level >= LOG_SILENT) {
        return;
    }
    enum { LOG_MESSAGE_MAX = 4096 };
    char text[LOG_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    /* Out of memory cuts the line short: there is nobody to tell. */
    struct buf line = {0};
    compose(log, level, text, &line);
    (void)fwrite(buf_text(&line), 1, line.length, log->stream);
    (void)fflush(log->stream);
    log->progress_on_line = false;
    buf_release(&line);
}
