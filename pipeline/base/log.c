/* One line a message, as text or as a JSON object. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <stdarg.h>

static const char *const level_names[] = {"debug", "info", "warning", "error"};
static const char *const level_prefixes[] = {"debug: ", "", "warning: ", "error: "};
static const char *const level_colors[] = {"\033[2m", "", "\033[33m", "\033[31m"};

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
    for (; *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        buf_add_char(line, c == '\n' || c == '\t' ? ' ' : c < 0x20 || c == 0x7f ? '?' : *text);
    }
}

/* Writes one line. Out of memory cuts it short: there is nobody to tell. */
static void write_line(FILE *file, const struct log *log, enum log_level level, const char *text)
{
    const bool is_shown = file == log->stream;
    const bool color = is_shown && log->color && level_colors[level][0] != '\0';
    struct buf line = {0};
    char now[CLOCK_TEXT_MAX];
    clock_format(clock_unix(), now);
    if (log->json) {
        buf_addf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"message\":\"", now,
                 level_names[level]);
        add_json_text(&line, text);
        buf_add_text(&line, "\"}\n");
    } else {
        if (!is_shown) {
            buf_addf(&line, "%s ", now);
        } else if (log->progress_on_line) {
            buf_add_text(&line, "\r\033[K");
        }
        buf_add_text(&line, color ? level_colors[level] : "");
        buf_add_text(&line, level_prefixes[level]);
        add_plain_text(&line, text);
        buf_add_text(&line, color ? "\033[0m\n" : "\n");
    }
    (void)fwrite(buf_text(&line), 1, line.length, file);
    (void)fflush(file);
    buf_release(&line);
}

enum { LOG_MESSAGE_MAX = 4096 };

/* The file keeps no value of anybody's rows. */
static void keep(const struct log *log, enum log_level level, const char *text)
{
    char kept[LOG_MESSAGE_MAX];
    if (log->file != NULL && level >= LOG_INFO && level < LOG_SILENT) {
        (void)snprintf(kept, sizeof kept, "%s", text);
        private_hide(kept);
        write_line(log->file, log, level, kept);
    }
}

void log_keep(struct log *log, enum log_level level, const char *format, ...)
{
    char text[LOG_MESSAGE_MAX];
    va_list arguments;
    if (log == NULL) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    keep(log, level, text);
}

void log_write(struct log *log, enum log_level level, const char *format, ...)
{
    char text[LOG_MESSAGE_MAX];
    va_list arguments;
    if (log == NULL) {
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    keep(log, level, text);
    if (log->stream != NULL && level >= log->level && level < LOG_SILENT) {
        private_show(text);
        write_line(log->stream, log, level, text);
        log->progress_on_line = false;
    }
}
